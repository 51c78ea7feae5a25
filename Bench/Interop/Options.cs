using System.Globalization;

namespace Tapwire.Bench.Interop;

/// <summary>The program's own command line.</summary>
internal sealed record Options
{
    public const string Usage = """
        Bench/Interop [--rounds 3] [--seconds 5] [--paths NAME,...] [--congestion cubic,bbr] [--settings FILE]
          --paths       loss, long, shallow, reorder, shared; all when not given
          --congestion  for the kernel's sockets, and as tapwire.tcp.congestion-control for ours
          --settings    more HOCON for our driver
        """;

    public int Rounds { get; private init; } = 3;

    public TimeSpan Time { get; private init; } = TimeSpan.FromSeconds(5);

    /// <summary>Empty: all.</summary>
    public IReadOnlyList<string> Paths { get; private init; } = [];

    public IReadOnlyList<string> Congestion { get; private init; } = ["cubic", "bbr"];

    public string Settings { get; private init; } = "";

    /// <exception cref="FormatException">What is wrong.</exception>
    public static Options Parse(string[] args)
    {
        var options = new Options();
        for (var i = 0; i < args.Length; i += 2)
        {
            var value = i + 1 < args.Length ? args[i + 1] : throw new FormatException($"{args[i]} needs a value.");
            options = args[i] switch
            {
                "--rounds" => options with { Rounds = int.Parse(value, CultureInfo.InvariantCulture) },
                "--seconds" => options with { Time = TimeSpan.FromSeconds(double.Parse(value, CultureInfo.InvariantCulture)) },
                "--paths" => options with { Paths = value.Split(',') },
                "--congestion" => options with { Congestion = value.Split(',') },
                "--settings" => options with { Settings = File.ReadAllText(value) },
                _ => throw new FormatException($"There is no option {args[i]}."),
            };
        }

        return options;
    }
}
