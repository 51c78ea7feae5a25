using System.Diagnostics;
using System.Globalization;

namespace Tapwire.Bench.EndToEnd;

/// <summary>What the figures were measured on, and how busy that was.</summary>
internal static class Machine
{
    /// <summary>Of all processors together: more than that before a measurement is somebody else.</summary>
    private const double Quiet = 0.15;

    /// <summary>In /proc/stat and /proc/PID/stat: clock ticks of 10 ms, on every Linux that .NET runs on.</summary>
    private const double TicksPerSecond = 100;

    private static readonly TimeSpan Sample = TimeSpan.FromMilliseconds(250);

    public static string Processor { get; } = File.ReadLines("/proc/cpuinfo").FirstOrDefault(line => line.StartsWith("model name", StringComparison.Ordinal))
        ?.Split(':', 2)[1].Trim() ?? "unknown";

    public static string Kernel { get; } = File.ReadAllText("/proc/sys/kernel/osrelease").Trim();

    /// <summary>Of the last minute.</summary>
    public static double LoadAverage => double.Parse(File.ReadAllText("/proc/loadavg").Split(' ')[0], CultureInfo.InvariantCulture);

    /// <summary>User and system time that a process has used; of those that it waited for, too.</summary>
    public static double ProcessorSeconds(int pid)
    {
        // The fields after the command's name, which is in parentheses and may hold anything: utime and stime are the 14th and 15th of proc_pid_stat(5).
        var stat = File.ReadAllText($"/proc/{pid}/stat");
        var fields = stat[(stat.LastIndexOf(')') + 2)..].Split(' ');
        return (long.Parse(fields[11], CultureInfo.InvariantCulture) + long.Parse(fields[12], CultureInfo.InvariantCulture)) / TicksPerSecond;
    }

    /// <summary>Waits until the machine is quiet, at most for so long, and returns the share of all processors that is busy.</summary>
    public static double AwaitQuiet(TimeSpan patience)
    {
        var clock = Stopwatch.StartNew();
        while (true)
        {
            var busy = Busy();
            if (busy < Quiet || clock.Elapsed >= patience)
                return busy;
        }
    }

    /// <summary>Does something, and returns the share of all processors that the host has given to others meanwhile.</summary>
    public static double StolenDuring(Action action)
    {
        var before = Ticks();
        action();
        var after = Ticks();
        return Share(after.Stolen - before.Stolen, after.All - before.All);
    }

    private static double Busy()
    {
        var before = Ticks();
        Thread.Sleep(Sample);
        var after = Ticks();
        var all = after.All - before.All;
        return Share(all - (after.Idle - before.Idle), all);
    }

    private static double Share(long part, long all) => all == 0 ? 0 : part / (double)all;

    private static (long All, long Idle, long Stolen) Ticks()
    {
        // user nice system idle iowait irq softirq steal; guest time is in user time already.
        var fields = File.ReadLines("/proc/stat").First().Split(' ', StringSplitOptions.RemoveEmptyEntries)[1..9]
            .Select(field => long.Parse(field, CultureInfo.InvariantCulture)).ToArray();
        return (fields.Sum(), fields[3] + fields[4], fields[7]);
    }
}
