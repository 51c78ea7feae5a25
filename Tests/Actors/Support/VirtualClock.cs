namespace Tapwire.Tests.Actors.Support;

/// <summary>The engine's clock as the scheduler's virtual time: both move only by <c>Advance</c>.</summary>
internal class VirtualClock(VirtualScheduler scheduler) : TimeProvider
{
    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    public override long GetTimestamp() => scheduler.Elapsed.Ticks;
}
