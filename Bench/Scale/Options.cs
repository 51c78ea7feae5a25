using System.Globalization;

namespace Tapwire.Bench.Scale;

/// <summary>What to measure, from the command line.</summary>
internal sealed record Options
{
    public const string Usage = """
        dotnet run -c Release --project Bench/Scale -- [--connections 1000000] [--small 1000] [--round-trips 100000] [--idle 5]
            [--engine] [--driver] [--link] [--kernel] [--kernel-connections 50000] [--layout] [--json FILE]
        Without --engine, --driver, --link, --kernel or --layout: the first two. --kernel needs root, for a namespace and a TAP of its own.
        --link takes two descriptors per connection.
        --layout lists what one connection is made of, object by object: of the runs that are named, or of the first three.
        """;

    public int Connections { get; private init; } = 1_000_000;

    /// <summary>The same with so few: what the large number is compared with.</summary>
    public int Small { get; private init; } = 1_000;

    public int RoundTrips { get; private init; } = 100_000;

    public TimeSpan Idle { get; private init; } = TimeSpan.FromSeconds(5);

    public bool Engine { get; private init; }

    public bool Driver { get; private init; }

    /// <summary>Connections of applications, over the link.</summary>
    public bool Link { get; private init; }

    public bool Kernel { get; private init; }

    public int KernelConnections { get; private init; } = 50_000;

    public bool Layout { get; private init; }

    public string? Json { get; private init; }

    /// <summary>Null for what is not understood.</summary>
    public static Options? Parse(string[] args)
    {
        var options = new Options();
        for (var i = 0; i < args.Length; i++)
        {
            switch (args[i])
            {
                case "--engine":
                    options = options with { Engine = true };
                    continue;
                case "--driver":
                    options = options with { Driver = true };
                    continue;
                case "--link":
                    options = options with { Link = true };
                    continue;
                case "--kernel":
                    options = options with { Kernel = true };
                    continue;
                case "--layout":
                    options = options with { Layout = true };
                    continue;
                case "--json" when i + 1 < args.Length:
                    options = options with { Json = args[++i] };
                    continue;
            }

            if (i + 1 == args.Length || !int.TryParse(args[i + 1], NumberStyles.None, CultureInfo.InvariantCulture, out var number) || number < 1)
                return null;
            switch (args[i++])
            {
                case "--connections":
                    options = options with { Connections = number };
                    break;
                case "--small":
                    options = options with { Small = number };
                    break;
                case "--round-trips":
                    options = options with { RoundTrips = number };
                    break;
                case "--kernel-connections":
                    options = options with { KernelConnections = number };
                    break;
                case "--idle":
                    options = options with { Idle = TimeSpan.FromSeconds(number) };
                    break;
                default:
                    return null;
            }
        }

        if (options.Engine || options.Driver || options.Link || options.Kernel)
            return options;
        return options with { Engine = true, Driver = true, Link = options.Layout };
    }
}
