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
    public required double GcPauseSeconds { get; init; }

    /// <summary>Makes the connections, uses some of them, leaves them alone, and closes them.</summary>
    public static Figures Take(IScaleRun run, int connections, int roundTrips, TimeSpan idle)
    {
        var pauses = GC.GetTotalPauseDuration();
        var before = LiveBytes();
        var connect = new LatencyLog(connections);
        run.Connect(connections, connect);
        var made = LiveBytes() - before;

        var few = Spread(connections, 10);
        var active = Spread(connections, Math.Max(10, connections / 100));
        run.RoundTrips(active, Math.Max(roundTrips / 5, active.Length), new LatencyLog(roundTrips));
        var latency = new LatencyLog(roundTrips);
        run.RoundTrips(active, roundTrips, latency);
        var fewLatency = new LatencyLog(roundTrips);
        run.RoundTrips(few, roundTrips, fewLatency);

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
            GcPauseSeconds = (GC.GetTotalPauseDuration() - pauses).TotalSeconds,
        };
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
