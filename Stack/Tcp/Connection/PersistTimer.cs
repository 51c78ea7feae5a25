namespace Tapwire.Stack.Tcp.Connection;

/// <summary>The persist timer (RFC 9293, 3.8.6.1): sends zero-window probes while nothing is in flight and the window is closed, or too small for a worthwhile
/// segment.</summary>
internal sealed class PersistTimer(SenderState state)
{
    private byte _backoff;

    /// <summary>Probes since the peer was last heard.</summary>
    private byte _unanswered;

    /// <summary>When the next probe is due; Never while it does not run.</summary>
    public Instant At { get; private set; } = Instant.Never;

    private TcpConnection Connection => state.Sender.Connection;

    /// <summary>An acknowledgement has come.</summary>
    public void Answered() => _unanswered = 0;

    /// <param name="isHeldBack">The peer's window keeps all data back, and nothing is in flight.</param>
    public void Update(bool isHeldBack, Instant now)
    {
        if (!isHeldBack)
        {
            At = Instant.Never;
            _backoff = 0;
        }
        else if (At == Instant.Never)
        {
            Connection.UserTimeout.Restart(now);
            Set(now);
        }
    }

    /// <summary>As long as the peer answers, probes continue indefinitely.</summary>
    /// <remarks>That ends once the application is gone: a closed window could otherwise keep any number of connections with their data (RFC 6429, 4). As in
    /// Linux (tcp_probe_timer), the peer then has a limited number of probes, until the interval between them has reached its maximum.</remarks>
    public void TimedOut(Instant now)
    {
        var retries = Connection.MaxRetries;
        var abandoned = Connection.IsClosedByOwner && _backoff >= retries && Connection.Timeout(_backoff) >= Connection.Layer.Options.MaxRto;
        if (_unanswered >= retries || abandoned || Connection.UserTimeout.IsOver(Connection.Options, now))
        {
            Connection.GiveUp();
            return;
        }

        Connection.Layer.Counters.TcpExtTCPWinProbe++;
        _unanswered++;
        if (_backoff < byte.MaxValue)
            _backoff++;
        state.Sender.ElicitAcknowledgment();
        Set(now);
    }

    public void Clear()
    {
        At = Instant.Never;
        _backoff = 0;
        _unanswered = 0;
    }

    private void Set(Instant now) => At = Connection.UserTimeout.Bound(Connection.Options, now + Connection.Timeout(_backoff), now);
}
