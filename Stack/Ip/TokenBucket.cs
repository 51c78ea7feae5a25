namespace Tapwire.Stack.Ip;

/// <summary>Lets so many events per second through, and a burst of some after a quiet time.</summary>
internal struct TokenBucket(int perSecond, int burst)
{
    private readonly long _interval = perSecond == 0 ? 0 : TimeSpan.TicksPerSecond / perSecond;
    private long _fullAt;

    /// <param name="tokens">How many this event takes.</param>
    public bool TryTake(Instant now, int tokens = 1)
    {
        if (_interval == 0)
            return false;
        // The time at which the bucket would be full again says how full it is: no counter has to be kept up to date.
        var from = Math.Max(_fullAt, now.Ticks);
        var until = from + tokens * _interval;
        if (until - now.Ticks > burst * _interval)
            return false;
        _fullAt = until;
        return true;
    }
}
