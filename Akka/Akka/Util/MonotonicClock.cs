using System.Diagnostics;

namespace Akka.Util;

/// <summary>Time since some moment before the first use, unaffected by changes of the wall clock.</summary>
public static class MonotonicClock
{
    private static readonly long Start = Stopwatch.GetTimestamp();

    public static TimeSpan Elapsed => TimeSpan.FromMilliseconds(Environment.TickCount64);

    public static TimeSpan ElapsedHighRes => Stopwatch.GetElapsedTime(Start);

    public static long GetMilliseconds() => Environment.TickCount64;

    public static long GetTicks() => GetMilliseconds() * TimeSpan.TicksPerMillisecond;

    public static long GetNanos() => ElapsedHighRes.Ticks * 100;
}
