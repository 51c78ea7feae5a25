using System.Diagnostics;

namespace Tapwire.Bench.Scale;

/// <summary>What one run has shown. Times are in microseconds, per connection or per round trip; memory in bytes.</summary>
internal sealed record Figures
{
    public required string Run { get; init; }
    public required int Connections { get; init; }
    public required double BytesPerSocket { get; init; }
    public required double BytesPerUsedSocket { get; init; }
    public required long Resident { get; init; }
    public required double Connect { get; init; }
    public required double ConnectLargest { get; init; }
    public required int Active { get; init; }
    public required double RoundTripP50 { get; init; }
    public required double RoundTripP99 { get; init; }
    public required double RoundTripLargest { get; init; }
    public required double FewP50 { get; init; }
    public required double FewP99 { get; init; }
    public required double? IdleWakesPerSecond { get; init; }
    public required double IdleCpuShare { get; init; }
    public required double Close { get; init; }
    /// <summary>Share of the time of connecting in which everything stood still for garbage.</summary>
    public required double ConnectGcShare { get; init; }

    /// <summary>The same while bytes went there and back.</summary>
    public required double RoundTripGcShare { get; init; }

    /// <summary>Collections of the generations 0, 1 and 2 meanwhile.</summary>
    public required string RoundTripCollections { get; init; }

    /// <summary>Makes the connections, uses some of them, leaves them alone, and closes them.</summary>
    public static Figures Take(IScaleRun run, int connections, int activeCount, int roundTrips, TimeSpan idle)
    {
        var before = LiveBytes();
        var connect = new LatencyLog(connections);
        var connectGc = GcShare(() => run.Connect(connections, connect));
        var made = LiveBytes() - before;

        var few = Spread(connections, 10);
        var active = Spread(connections, activeCount);
        run.RoundTrips(active, Math.Max(roundTrips / 5, active.Length), new LatencyLog(roundTrips));
        var latency = new LatencyLog(roundTrips);
        var fewLatency = new LatencyLog(roundTrips);
        var collections = Collections();
        var tripsGc = GcShare(() =>
        {
            run.RoundTrips(active, roundTrips, latency);
            run.RoundTrips(few, roundTrips, fewLatency);
        });
        collections = [.. Collections().Zip(collections, (after, first) => after - first)];

        // Everything has been used once: what that leaves behind counts too.
        run.RoundTrips(Spread(connections, connections), connections, new LatencyLog(connections));
        run.Idle(TimeSpan.FromSeconds(1));
        var used = LiveBytes() - before;
        var resident = ProcessMemory.Resident;

        var cpu = Process.GetCurrentProcess().TotalProcessorTime;
        var wakes = run.Idle(idle);
        cpu = Process.GetCurrentProcess().TotalProcessorTime - cpu;

        var close = new LatencyLog(connections);
        run.CloseAll(close);
        return new Figures
        {
            Run = run.Name,
            Connections = connections,
            BytesPerSocket = made / (2.0 * connections),
            BytesPerUsedSocket = used / (2.0 * connections),
            Resident = resident,
            Connect = connect.Mean,
            ConnectLargest = connect.Largest,
            Active = active.Length,
            RoundTripP50 = latency.Percentile(0.5),
            RoundTripP99 = latency.Percentile(0.99),
            RoundTripLargest = latency.Largest,
            FewP50 = fewLatency.Percentile(0.5),
            FewP99 = fewLatency.Percentile(0.99),
            IdleWakesPerSecond = wakes / idle.TotalSeconds,
            IdleCpuShare = cpu / idle,
            Close = close.Mean,
            ConnectGcShare = connectGc,
            RoundTripGcShare = tripsGc,
            RoundTripCollections = string.Join('/', collections),
        };
    }

    private static int[] Collections() => [GC.CollectionCount(0) - GC.CollectionCount(1), GC.CollectionCount(1) - GC.CollectionCount(2), GC.CollectionCount(2)];

    private static double GcShare(Action action)
    {
        var pauses = GC.GetTotalPauseDuration();
        var begun = Stopwatch.GetTimestamp();
        action();
        return (GC.GetTotalPauseDuration() - pauses) / Stopwatch.GetElapsedTime(begun);
    }

    /// <summary>So many connections, evenly chosen among all.</summary>
    private static int[] Spread(int connections, int count)
    {
        count = Math.Min(count, connections);
        return [.. Enumerable.Range(0, count).Select(i => (int)((long)i * connections / count))];
    }

    private static long LiveBytes()
    {
        GC.Collect(2, GCCollectionMode.Forced, blocking: true, compacting: true);
        GC.WaitForPendingFinalizers();
        GC.Collect(2, GCCollectionMode.Forced, blocking: true, compacting: true);
        return GC.GetTotalMemory(forceFullCollection: false);
    }
}
