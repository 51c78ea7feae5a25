using Akka.TestKit;

namespace Tapwire.Tests.Actors.Support;

/// <summary>The engine's clock as the test scheduler's virtual time: both move only by <c>Advance</c>.</summary>
internal sealed class VirtualClock(TestScheduler scheduler) : TimeProvider
{
    private readonly DateTimeOffset _origin = scheduler.Now;

    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    public override long GetTimestamp() => (scheduler.Now - _origin).Ticks;
}
