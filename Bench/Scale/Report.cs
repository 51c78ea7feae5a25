namespace Tapwire.Bench.Scale;

/// <summary>Prints figures.</summary>
internal static class Report
{
    public static void Table(IReadOnlyList<Figures> figures)
    {
        Console.WriteLine($"load {File.ReadAllText("/proc/loadavg").Trim()}; {Environment.ProcessorCount} processors; largest resident {Mebibytes(ProcessMemory.LargestResident)}");
        var rows = new (string Name, Func<Figures, string> Value)[]
        {
            ("connections", f => f.Connections.ToString("N0")),
            ("live bytes per socket, after the handshake", f => f.BytesPerSocket.ToString("N0")),
            ("live bytes per socket, used and idle again", f => f.BytesPerUsedSocket.ToString("N0")),
            ("resident", f => Mebibytes(f.Resident)),
            ("connect, µs each", f => f.Connect.ToString("N1")),
            ("  slowest batch", f => f.ConnectLargest.ToString("N1")),
            ("active", f => f.Active.ToString("N0")),
            ("1 byte there and back on each in turn, p50", f => f.RoundTripP50.ToString("N1")),
            ("  p99", f => f.RoundTripP99.ToString("N1")),
            ("  largest", f => f.RoundTripLargest.ToString("N0")),
            ("the same, 10 active, p50", f => f.FewP50.ToString("N1")),
            ("  p99", f => f.FewP99.ToString("N1")),
            ("idle: wakes per second", f => f.IdleWakesPerSecond?.ToString("N1") ?? "–"),
            ("idle: share of a core", f => f.IdleCpuShare.ToString("P2")),
            ("close, µs each", f => f.Close.ToString("N1")),
            ("stopped for garbage while connecting", f => f.ConnectGcShare.ToString("P1")),
            ("  during the round trips", f => f.RoundTripGcShare.ToString("P1")),
            ("  collections then (generation 0/1/2)", f => f.RoundTripCollections),
        };
        Console.WriteLine($"{"",-46}{string.Concat(figures.Select(f => $"{f.Run,14}"))}");
        foreach (var (name, value) in rows)
            Console.WriteLine($"{name,-46}{string.Concat(figures.Select(f => $"{value(f),14}"))}");
    }

    public static void Table(IReadOnlyList<KernelFigures> figures)
    {
        Console.WriteLine("kernel sockets over TAP to the driver's echo service");
        Row("connections", f => f.Connections.ToString("N0"));
        Row("connect, µs each", f => f.Connect.ToString("N1"));
        Row("first byte there and back, p50", f => f.FirstEcho.ToString("N1"));
        Row("active", f => f.Active.ToString("N0"));
        Row("1 byte there and back, p50", f => f.RoundTripP50.ToString("N1"));
        Row("  p99", f => f.RoundTripP99.ToString("N1"));
        Row("driver resident before", f => Mebibytes(f.ResidentBefore));
        Row("driver resident", f => Mebibytes(f.Resident));

        void Row(string name, Func<KernelFigures, string> value) => Console.WriteLine($"{name,-46}{string.Concat(figures.Select(f => $"{value(f),14}"))}");
    }

    public static void Layout(IScaleRun run, int connections, string when)
    {
        Console.WriteLine($"{run.Name}: {connections:N0} connections, {when}; per connection, both ends");
        var total = 0.0;
        foreach (var (type, count, bytes) in ObjectGraph.Of(run.Roots).PerConnection(connections))
        {
            total += bytes;
            Console.WriteLine($"{count,8:N2} {bytes,8:N0} B  {type}");
        }

        Console.WriteLine($"{total,17:N0} B");
    }

    private static string Mebibytes(long bytes) => $"{bytes / 1048576.0:N0} MiB";
}
