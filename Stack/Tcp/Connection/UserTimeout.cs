namespace Tapwire.Stack.Tcp.Connection;

/// <summary>The user time-out (RFC 9293, 3.9.1.1; RFC 5482; TCP_USER_TIMEOUT): how long sent data may stay unacknowledged.</summary>
internal struct UserTimeout
{
    /// <summary>When data was last acknowledged, or first sent after that.</summary>
    private Instant _since;

    /// <summary>Restarts the time.</summary>
    public void Restart(Instant now) => _since = now;

    /// <summary>The earlier of a deadline and the end of the user time-out.</summary>
    public readonly Instant Bound(in TcpSocketOptions options, Instant deadline, Instant now) =>
        options.UserTimeout > TimeSpan.Zero ? Instant.Max(now, Instant.Min(deadline, _since + options.UserTimeout)) : deadline;

    public readonly bool IsOver(in TcpSocketOptions options, Instant now) => options.UserTimeout > TimeSpan.Zero && now - _since >= options.UserTimeout;
}
