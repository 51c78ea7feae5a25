namespace Tapwire.Stack.Tcp;

/// <summary>A limit of events per second of the engine's time. An unused allowance does not carry over to the next second.</summary>
internal struct RateLimit(int perSecond)
{
    private long _second = -1;
    private int _left;

    public bool TryTake(Instant now)
    {
        var second = now.Ticks / TimeSpan.TicksPerSecond;
        if (second != _second)
        {
            _second = second;
            _left = perSecond;
        }

        if (_left == 0)
            return false;
        _left--;
        return true;
    }
}
