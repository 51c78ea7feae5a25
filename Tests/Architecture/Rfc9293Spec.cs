using System.Reflection;
using System.Text.RegularExpressions;
using Tapwire.Tests.Support;
using Xunit;

namespace Tapwire.Tests.Architecture;

/// <summary>docs/rfc9293.md names a spec that exists, or a reason, for every requirement of RFC 9293, appendix B, and for what it lists of other RFCs.</summary>
public partial class Rfc9293Spec
{
    private static readonly string[] Requirements =
    [
        .. Enumerable.Range(1, 69).Select(number => $"MUST-{number}"),
        .. Enumerable.Range(1, 31).Select(number => $"SHLD-{number}"),
        .. Enumerable.Range(1, 18).Select(number => $"MAY-{number}"),
        "REC-1",
    ];

    /// <summary>What a row without a spec begins with.</summary>
    private static readonly string[] Reasons = ["Not applicable:", "Deliberately otherwise:", "Not done:", "Left out:"];

    private static readonly HashSet<string> Specs = [.. typeof(Rfc9293Spec).Assembly.GetTypes()
        .SelectMany(type => type.GetMethods(BindingFlags.Public | BindingFlags.Instance))
        .Where(method => method.GetCustomAttributes<FactAttribute>().Any())
        .Select(method => $"{method.DeclaringType!.Name}.{method.Name}")];

    private readonly List<Row> _rows = [.. Read()];

    [Fact]
    public void Every_requirement_of_appendix_b_has_a_row_and_no_row_has_an_unknown_one()
    {
        var given = _rows.Select(row => row.Id).Where(id => Requirement().IsMatch(id)).ToHashSet();
        Assert.Empty(Requirements.Except(given));
        Assert.Empty(given.Except(Requirements));
    }

    [Fact]
    public void Every_row_names_a_spec_or_a_reason() => Assert.Empty(_rows
        .Where(row => row.Clause == "" || row.Asks == "" || (row.Named.Length == 0 && !Array.Exists(Reasons, row.Proof.StartsWith)))
        .Select(row => $"line {row.Line}: {row.Id}: {row.Proof}"));

    [Fact]
    public void Every_spec_that_is_named_exists() => Assert.Empty(_rows
        .SelectMany(row => row.Named.Where(name => !Specs.Contains(name)).Select(name => $"line {row.Line}: {row.Id}: {name}")));

    [Fact]
    public void A_row_that_departs_from_a_must_or_should_says_why() => Assert.Empty(_rows
        .Where(row => !row.Id.StartsWith("MAY", StringComparison.Ordinal) && row.Named.Length == 0 && row.Proof.Length < 40)
        .Select(row => $"line {row.Line}: {row.Id}: {row.Proof}"));

    private static IEnumerable<Row> Read()
    {
        var number = 0;
        foreach (var line in File.ReadLines(Path.Combine(Repository.Root, "docs", "rfc9293.md")))
        {
            number++;
            var cells = line.Split('|', StringSplitOptions.TrimEntries);
            if (cells.Length < 2 || cells[0] != "" || cells[1] == "id" || cells[1].StartsWith("--", StringComparison.Ordinal))
                continue;
            Assert.True(cells.Length == 6, $"Line {number} has not four cells.");
            yield return new Row(number, cells[1], cells[2], cells[3], cells[4], [.. Name().Matches(cells[4]).Select(match => match.Groups[1].Value)]);
        }
    }

    [GeneratedRegex("^(MUST|SHLD|MAY|REC)-[0-9]+$")]
    private static partial Regex Requirement();

    [GeneratedRegex("`([A-Z][A-Za-z0-9]*\\.[A-Za-z0-9_]+)`")]
    private static partial Regex Name();

    private sealed record Row(int Line, string Id, string Clause, string Asks, string Proof, string[] Named);
}
