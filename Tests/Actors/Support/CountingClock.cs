using Akka.TestKit;

namespace Tapwire.Tests.Actors.Support;

/// <summary>The test scheduler's virtual time, and how often somebody has looked at it: a stack actor does so once per poll.</summary>
internal sealed class CountingClock(TestScheduler scheduler) : TimeProvider
{
    private readonly DateTimeOffset _origin = scheduler.Now;

    public int Looks { get; set; }

    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    public override long GetTimestamp()
    {
        Looks++;
        return (scheduler.Now - _origin).Ticks;
    }
}
