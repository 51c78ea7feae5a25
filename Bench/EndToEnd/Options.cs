using System.Globalization;

namespace Tapwire.Bench.EndToEnd;

/// <summary>The program's own command line.</summary>
internal sealed record Options
{
    public const string Usage = """
        Bench/EndToEnd [--rounds 3] [--seconds 3] [--only NAME,...] [--measure NAME,...] [--family 4] [--pin] [--json FILE] [--settings FILE] [--patience 20]
          --only      contestants whose names begin so, or are so if = follows; all when not given
          --measure   out, in, both, parallel, echo, connect, redis, redis-pipelined, pgbench, wrk, kestrel, kestrel-large, kestrel-connections; all when not given
          --family    4, 6, or 4,6 for both in turn; over IPv6 the kernel and our driver take part
          --pin       the stack and its clients on one processor
          --json      all figures, those of each round too
          --settings  more HOCON for our driver
          --patience  seconds to wait before each measurement for the rest of the machine to be quiet
        """;

    public int Rounds { get; private init; } = 3;

    public double Seconds { get; private init; } = 3;

    /// <summary>Empty: all.</summary>
    public IReadOnlyList<string> Only { get; private init; } = [];

    /// <summary>Empty: all.</summary>
    public IReadOnlyList<string> Measures { get; private init; } = [];

    public IReadOnlyList<int> Families { get; private init; } = [4];

    public bool IsPinned { get; private init; }

    public string? JsonFile { get; private init; }

    public string Settings { get; private init; } = "";

    public TimeSpan Patience { get; private init; } = TimeSpan.FromSeconds(20);

    /// <exception cref="FormatException">What is wrong.</exception>
    public static Options Parse(string[] args)
    {
        var options = new Options();
        for (var i = 0; i < args.Length; i++)
        {
            var name = args[i];
            if (name == "--pin")
            {
                options = options with { IsPinned = true };
                continue;
            }

            var value = ++i < args.Length ? args[i] : throw new FormatException($"{name} needs a value.");
            options = name switch
            {
                "--rounds" => options with { Rounds = int.Parse(value, CultureInfo.InvariantCulture) },
                "--seconds" => options with { Seconds = double.Parse(value, CultureInfo.InvariantCulture) },
                "--only" => options with { Only = value.Split(',') },
                "--measure" => options with { Measures = MeasuresOf(value) },
                "--family" => options with { Families = FamiliesOf(value) },
                "--json" => options with { JsonFile = Path.GetFullPath(value) },
                "--settings" => options with { Settings = File.ReadAllText(value) },
                "--patience" => options with { Patience = TimeSpan.FromSeconds(double.Parse(value, CultureInfo.InvariantCulture)) },
                _ => throw new FormatException($"There is no option {name}."),
            };
        }

        return options;
    }

    private static string[] MeasuresOf(string value)
    {
        var names = value.Split(',');
        var unknown = names.Except(Measurement.All.Select(measurement => measurement.Name)).FirstOrDefault();
        return unknown is null ? names : throw new FormatException($"There is no measurement '{unknown}'.");
    }

    private static int[] FamiliesOf(string value)
    {
        var families = value.Split(',');
        return families.All(family => family is "4" or "6") ? [.. families.Distinct().Select(int.Parse)] : throw new FormatException($"There is no family '{value}': 4, 6 and 4,6 are accepted.");
    }

    public bool Wants(Contestant contestant) => Only.Count == 0 || Only.Any(name => name.EndsWith('=') ? contestant.Name == name[..^1] : contestant.Name.StartsWith(name, StringComparison.Ordinal));

    public bool Wants(Measurement measurement) => Measures.Count == 0 || Measures.Contains(measurement.Name);
}
