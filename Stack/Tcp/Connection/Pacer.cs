namespace Tapwire.Stack.Tcp.Connection;

/// <summary>Paces segments.</summary>
internal sealed class Pacer(SenderState state)
{
    /// <summary>Data kept back for other reasons than the pace may leave at once, up to this much time's worth.</summary>
    private static readonly TimeSpan Slack = TimeSpan.FromMilliseconds(0.25);

    /// <summary>The loss by a late timer is made up for, up to this much. Otherwise the true rate would stay below the pace, and a congestion control that
    /// measures it would lower the pace in turn.</summary>
    private static readonly TimeSpan TimerSlack = TimeSpan.FromMilliseconds(4);

    /// <summary>When the next segment may leave.</summary>
    private Instant _at;

    /// <summary>The pace keeps the next segment back.</summary>
    private bool _isHolding;

    /// <summary>The pace kept data back in the last turn, too.</summary>
    private bool _isCatchingUp;

    /// <summary>When to try again; Never unless the pace keeps something back.</summary>
    public Instant WakeAt => _isHolding ? _at : Instant.Never;

    /// <summary>
    /// Bytes that may leave as one packet without filling a queue on the path: half a millisecond's worth. While other sockets wait for their turn, the wire is
    /// full whoever sends. Then it is up to half a window, so that a thousand slow connections send large packets as few fast ones do.
    /// </summary>
    public long Burst
    {
        get
        {
            var congestion = state.Congestion;
            var rate = Rate;
            if (rate == 0)
                return long.MaxValue;
            var burst = Math.Max((long)congestion.BurstSegments * state.Sender.SegmentSize, rate / 2000);
            return congestion.LeavesInBatches && state.Sender.Layer.Turns.Waiting != 0 ? Math.Max(burst, congestion.Window / 2) : burst;
        }
    }

    /// <summary>Bytes per second; 0: as fast as the window allows. SO_MAX_PACING_RATE bounds it, whatever the congestion control says.</summary>
    public long Rate
    {
        get
        {
            var rate = state.Congestion.PacingRate(state.Sender.RoundTrips.Smoothed);
            var most = state.Sender.Connection.Options.MaxPacingRate;
            return most != 0 && (rate == 0 || rate > most) ? most : rate;
        }
    }

    /// <summary>The pace is SO_MAX_PACING_RATE's.</summary>
    public bool IsBounded => state.Sender.Connection.Options.MaxPacingRate is > 0 and var most && Rate == most;

    /// <summary>A turn of output begins.</summary>
    public void BeginTurn() => _isHolding = false;

    /// <param name="hasMore">The turn was cut short.</param>
    public void EndTurn(bool hasMore) => _isCatchingUp = _isHolding || (hasMore && _isCatchingUp);

    public bool Allows(Instant now)
    {
        _isHolding = _at > now && Rate > 0;
        return !_isHolding;
    }

    /// <summary>Counts sent bytes.</summary>
    public void Sent(int bytes, Instant now)
    {
        var rate = Rate;
        if (rate == 0)
            return;
        var slack = TimeSpan.FromTicks((long)state.Congestion.BurstSegments * state.Sender.SegmentSize * TimeSpan.TicksPerSecond / rate);
        var least = _isCatchingUp ? TimerSlack : Slack;
        var earliest = now - (slack > least ? slack : least);
        _at = Instant.Max(_at, earliest) + TimeSpan.FromTicks(bytes * TimeSpan.TicksPerSecond / rate);
    }

    /// <summary>A time-out starts the pace anew: retransmissions do not wait for what was sent before.</summary>
    public void Reset() => _at = Instant.Zero;

    /// <summary>The pace would keep back data now.</summary>
    public bool IsAhead(Instant now) => _at > now;

    public void Clear()
    {
        _at = Instant.Zero;
        _isHolding = false;
        _isCatchingUp = false;
    }
}
