namespace Tapwire.Stack.Ip;

/// <summary>A token bucket: allows a rate of events, and a burst after a quiet time.</summary>
internal struct TokenBucket(int perSecond, int burst)
{
    private readonly long _interval = perSecond == 0 ? 0 : TimeSpan.TicksPerSecond / perSecond;
    private long _fullAt;

    /// <param name="tokens">The cost of this event.</param>
    public bool TryTake(Instant now, int tokens = 1)
    {
        if (_interval == 0)
            return false;
        // The state is the time at which the bucket would be full again: no counter needs refilling.
        var from = Math.Max(_fullAt, now.Ticks);
        var until = from + tokens * _interval;
        if (until - now.Ticks > burst * _interval)
            return false;
        _fullAt = until;
        return true;
    }
}
