using System.Globalization;
using Tapwire.Tests.Live.Support;

namespace Tapwire.Bench.EndToEnd;

/// <summary>One column of the table.</summary>
/// <param name="LowerIsBetter">Times and costs.</param>
/// <param name="AcrossFrames">Does not depend on how large frames are: then the best peer is the best of all.</param>
internal sealed record Metric(string Name, string Unit, string Format, bool LowerIsBetter = false, bool AcrossFrames = false)
{
    public static readonly Metric Out = new("out", "Gbit/s", "0.00");
    public static readonly Metric OutCost = new("cpu out", "s/GiB", "0.00", LowerIsBetter: true);
    public static readonly Metric In = new("in", "Gbit/s", "0.00");
    public static readonly Metric InCost = new("cpu in", "s/GiB", "0.00", LowerIsBetter: true);
    public static readonly Metric Both = new("both", "Gbit/s", "0.00");
    public static readonly Metric Parallel = new("1000 str.", "Gbit/s", "0.00");
    public static readonly Metric Median = new("p50", "us", "0.0", LowerIsBetter: true, AcrossFrames: true);
    public static readonly Metric Tail = new("p99", "us", "0.0", LowerIsBetter: true, AcrossFrames: true);
    public static readonly Metric Connections = new("conns", "1/s", "0", AcrossFrames: true);

    public static readonly Metric Redis = new("redis", "1/s", "0");
    public static readonly Metric RedisPipelined = new("redis -P", "1/s", "0");
    public static readonly Metric Pgbench = new("pgbench", "1/s", "0");
    public static readonly Metric Nginx = new("nginx", "1/s", "0");

    public static readonly Metric Requests = new("requests", "1/s", "0");
    public static readonly Metric RequestTail = new("p99", "us", "0", LowerIsBetter: true);
    public static readonly Metric LargeResponses = new("1 MiB", "Gbit/s", "0.00");
    public static readonly Metric ManagedMemory = new("managed", "B/conn", "0", LowerIsBetter: true);
    public static readonly Metric ProcessMemory = new("resident", "B/conn", "0", LowerIsBetter: true);
    public static readonly Metric Threads = new("threads", "more", "0", LowerIsBetter: true);

    /// <summary>Of the client that is the same for all.</summary>
    public static readonly IReadOnlyList<Metric> OfStacks = [Out, In, Both, Parallel, Median, Tail, Connections, OutCost, InCost];

    /// <summary>Of contestants that run any program.</summary>
    public static readonly IReadOnlyList<Metric> OfPrograms = [Redis, RedisPipelined, Pgbench, Nginx];

    /// <summary>Of a service of ASP.NET Core.</summary>
    public static readonly IReadOnlyList<Metric> OfKestrel = [Requests, RequestTail, LargeResponses, ManagedMemory, ProcessMemory, Threads];

    public static readonly IReadOnlyList<Metric> All = [.. OfStacks, .. OfPrograms, .. OfKestrel];
}

/// <summary>What gives one figure or two at each run.</summary>
internal abstract record Measurement(string Name)
{
    public static readonly IReadOnlyList<Measurement> All =
    [
        new ClientMeasurement("out", "receive", ClientMeasurement.Source),
        new ClientMeasurement("in", "send", ClientMeasurement.Discard),
        new ClientMeasurement("both", "both", ClientMeasurement.Source, ClientMeasurement.Discard),
        new ClientMeasurement("parallel", "parallel", ClientMeasurement.Source, 1000),
        new ClientMeasurement("echo", "echo", ClientMeasurement.Echo),
        new ClientMeasurement("connect", "connect", ClientMeasurement.Echo),
        new RedisMeasurement("redis", Metric.Redis, 1),
        new RedisMeasurement("redis-pipelined", Metric.RedisPipelined, 16),
        new PostgresMeasurement(),
        new NginxMeasurement(),
        new KestrelMeasurement("kestrel", "small", Connections: 50),
        new KestrelMeasurement("kestrel-large", "large", Connections: 4),
        new KestrelConnections(),
    ];

    /// <returns>None if the contestant cannot be measured so.</returns>
    /// <exception cref="InvalidOperationException">The client failed, and says why.</exception>
    public abstract IReadOnlyList<(Metric Metric, double Value)> Run(Contestant contestant, double seconds);
}

/// <summary>One run of the client that is the same for all.</summary>
internal sealed record ClientMeasurement(string Name, string Client, params int[] Numbers) : Measurement(Name)
{
    public const int Echo = 7;
    public const int Discard = 9;
    public const int Source = 19;

    private const double Gibibyte = 1 << 30;

    public override IReadOnlyList<(Metric Metric, double Value)> Run(Contestant contestant, double seconds)
    {
        if (!contestant.Serves(Name))
            return [];
        var before = Machine.ProcessorSeconds(contestant.Pid);
        var said = contestant.RunClient([Client, contestant.Address, seconds.ToString(CultureInfo.InvariantCulture), .. Numbers.Select(n => $"{n}")]);
        var used = Machine.ProcessorSeconds(contestant.Pid) - before;
        if (said.ExitCode != 0)
            throw new InvalidOperationException(said.Error.Trim());
        var values = said.Output.Trim().Split(' ').Select(pair => pair.Split('='))
            .ToDictionary(pair => pair[0], pair => double.Parse(pair[1], CultureInfo.InvariantCulture));
        double Gigabits() => values["rate"] * 8 / 1e9;
        double Cost() => used / (values["bytes"] / Gibibyte);
        return Name switch
        {
            "out" => [(Metric.Out, Gigabits()), (Metric.OutCost, Cost())],
            "in" => [(Metric.In, Gigabits()), (Metric.InCost, Cost())],
            "both" => [(Metric.Both, Gigabits())],
            "parallel" => [(Metric.Parallel, Gigabits())],
            "echo" => [(Metric.Median, values["p50"]), (Metric.Tail, values["p99"])],
            _ => [(Metric.Connections, values["rate"])],
        };
    }
}
