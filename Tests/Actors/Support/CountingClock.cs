namespace Tapwire.Tests.Actors.Support;

/// <summary>The scheduler's virtual time, and how often somebody has looked at it: a stack actor does so once per poll.</summary>
internal sealed class CountingClock(VirtualScheduler scheduler) : VirtualClock(scheduler)
{
    public int Looks { get; set; }

    /// <summary>The next look fails.</summary>
    public bool FailsNext { get; set; }

    public override long GetTimestamp()
    {
        Looks++;
        if (FailsNext)
        {
            FailsNext = false;
            throw new InvalidTimeZoneException("A fault on purpose.");
        }

        return base.GetTimestamp();
    }
}
