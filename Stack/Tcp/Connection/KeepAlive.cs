namespace Tapwire.Stack.Tcp.Connection;

/// <summary>Keep-alive probes (RFC 9293, 3.8.4), and the time at which the peer was last heard.</summary>
internal struct KeepAlive()
{
    private byte _probes;

    /// <summary>When to check for idleness; Never without the option.</summary>
    public Instant At { get; private set; } = Instant.Never;

    /// <summary>When the last acceptable segment arrived.</summary>
    public Instant LastHeard { get; private set; }

    /// <summary>An acceptable segment has arrived.</summary>
    public void Heard(Instant now)
    {
        LastHeard = now;
        _probes = 0;
    }

    public void Arm(in TcpSocketOptions options, Instant now) => At = options.KeepAlive ? now + Idle(options) : Instant.Never;

    public void TimedOut(TcpConnection connection, Instant now)
    {
        ref readonly var options = ref connection.Options;
        if (connection.Sender.HasWork)
        {
            // Data in flight and a closed window have their own timers.
            At = now + Idle(options);
            return;
        }

        var idle = now - LastHeard;
        if (idle < Idle(options))
        {
            At = LastHeard + Idle(options);
            return;
        }

        // A user time-out takes the place of the number of probes, as in Linux.
        var allowed = options.KeepAliveCount > 0 ? options.KeepAliveCount : TcpSocketOptions.DefaultKeepAliveCount;
        if (options.UserTimeout > TimeSpan.Zero ? _probes > 0 && idle >= options.UserTimeout : _probes >= allowed)
        {
            SegmentWriter.Reset(connection, connection.Sender.SndNxt, now);
            connection.GiveUp();
            return;
        }

        connection.Layer.Counters.TcpExtTCPKeepAlive++;
        _probes++;
        connection.Sender.ElicitAcknowledgment();
        At = now + (options.KeepAliveInterval > TimeSpan.Zero ? options.KeepAliveInterval : TcpSocketOptions.DefaultKeepAliveInterval);
    }

    private static TimeSpan Idle(in TcpSocketOptions options) => options.KeepAliveIdle > TimeSpan.Zero ? options.KeepAliveIdle : TcpSocketOptions.DefaultKeepAliveIdle;
}
