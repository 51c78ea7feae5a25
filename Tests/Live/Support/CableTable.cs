using System.Globalization;
using System.Text.RegularExpressions;

namespace Tapwire.Tests.Live.Support;

/// <summary>The last table of counters that <c>tapwire cable</c> has printed.</summary>
internal sealed partial class CableTable
{
    private readonly Dictionary<string, (long AToB, long BToA)> _lines = [];

    public (long AToB, long BToA) this[string name] => _lines[name];

    /// <param name="output">Standard output of the program; tables before the last one count no more.</param>
    public static CableTable Parse(string output)
    {
        var table = new CableTable();
        foreach (Match line in Counters().Matches(output))
        {
            table._lines[line.Groups["name"].Value] = (
                long.Parse(line.Groups["ab"].ValueSpan, CultureInfo.InvariantCulture), long.Parse(line.Groups["ba"].ValueSpan, CultureInfo.InvariantCulture));
        }

        return table;
    }

    [GeneratedRegex(@"^(?<name>[a-z]+( [a-z]+)?) +(at a: )?(?<ab>\d+) +(at b: )?(?<ba>\d+)$", RegexOptions.Multiline)]
    private static partial Regex Counters();
}
