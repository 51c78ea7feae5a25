namespace Tapwire.Stack.Tcp;

/// <summary>Limits and times of a stack's TCP. Defaults are Linux's where it has the same setting.</summary>
public sealed record TcpOptions
{
    /// <summary>Bytes received and not yet consumed that a connection holds, and so the largest window it announces. 2 KiB..1 GiB.</summary>
    public int ReceiveBuffer { get; init; } = 1 << 20;

    /// <summary>Bytes written and not yet acknowledged that a connection holds. 2 KiB..1 GiB.</summary>
    public int SendBuffer { get; init; } = 1 << 20;

    /// <summary>Connections in all states but SYN-RECEIVED and TIME-WAIT, 1 and more.</summary>
    public int MaxSockets { get; init; } = 1 << 20;

    /// <summary>Connections in SYN-RECEIVED, all listeners together, 1 and more.</summary>
    public int MaxEmbryonic { get; init; } = 16384;

    /// <summary>Connections in SYN-RECEIVED of one listener, 1 and more; a listener with a larger backlog has that many.</summary>
    public int MaxEmbryonicPerListener { get; init; } = 1024;

    /// <summary>Records of connections in TIME-WAIT, 1 and more; above it a connection ends without one (tcp_max_tw_buckets).</summary>
    public int MaxTimeWait { get; init; } = 65536;

    /// <summary>Twice the maximum segment lifetime (RFC 9293, 3.4.2), 1 ms and more.</summary>
    public TimeSpan TimeWait { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>How long a connection that its application has closed waits in FIN-WAIT-2 (tcp_fin_timeout), 1 ms and more.</summary>
    public TimeSpan FinWait2 { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>Retransmission time-out before the first measurement (RFC 6298, 2.1), 1 ms and more.</summary>
    public TimeSpan InitialRto { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>Least allowance above the smoothed round-trip time (TCP_RTO_MIN; RFC 6298 asks for 1 s), 1 ms and more.</summary>
    public TimeSpan MinRto { get; init; } = TimeSpan.FromMilliseconds(200);

    /// <summary>Largest retransmission and probe time-out (RFC 6298, 2.5), not below <see cref="InitialRto"/>.</summary>
    public TimeSpan MaxRto { get; init; } = TimeSpan.FromSeconds(120);

    /// <summary>Retransmissions of a SYN before an active open gives up (tcp_syn_retries), 0..127.</summary>
    public int SynRetries { get; init; } = 6;

    /// <summary>Retransmissions of a SYN-ACK before a passive open is forgotten (tcp_synack_retries), 0..127.</summary>
    public int SynAckRetries { get; init; } = 5;

    /// <summary>Unanswered retransmissions or probes before a connection is given up: R2 of RFC 9293, 3.8.3 (tcp_retries2), 1..127.</summary>
    public int Retries { get; init; } = 15;

    /// <summary>The same once the application has closed (tcp_orphan_retries), 1..127.</summary>
    public int OrphanRetries { get; init; } = 8;

    /// <summary>How long an acknowledgement may wait for data to travel with (RFC 9293, 3.8.6.3), 0..500 ms.</summary>
    public TimeSpan DelayedAck { get; init; } = TimeSpan.FromMilliseconds(40);

    /// <summary>Challenge ACKs per second, all connections together (RFC 5961, 7), 1 and more.</summary>
    public int ChallengeAcksPerSecond { get; init; } = 1000;

    /// <summary>Resets per second in answer to segments that belong to no connection, 1 and more.</summary>
    public int ResetsPerSecond { get; init; } = 1000;

    /// <summary>Least time between two answers to unacceptable segments of one connection (tcp_invalid_ratelimit).</summary>
    public TimeSpan InvalidRateLimit { get; init; } = TimeSpan.FromMilliseconds(500);

    /// <summary>The congestion control of connections that name none; <see cref="CongestionAlgorithm.Default"/> is CUBIC.</summary>
    public CongestionAlgorithm CongestionControl { get; init; }

    /// <summary>Whether timestamps are offered and accepted (RFC 7323).</summary>
    public bool Timestamps { get; init; } = true;

    /// <summary>Whether selective acknowledgements are offered and accepted (RFC 2018).</summary>
    public bool SelectiveAck { get; init; } = true;

    /// <summary>Whether window scaling is offered and accepted (RFC 7323).</summary>
    public bool WindowScaling { get; init; } = true;

    /// <exception cref="ArgumentOutOfRangeException">A value is out of its range; the exception's parameter names it.</exception>
    public void Validate()
    {
        Require(ReceiveBuffer is >= 2048 and <= 1 << 30, nameof(ReceiveBuffer));
        Require(SendBuffer is >= 2048 and <= 1 << 30, nameof(SendBuffer));
        Require(MaxSockets >= 1, nameof(MaxSockets));
        Require(MaxEmbryonic >= 1, nameof(MaxEmbryonic));
        Require(MaxEmbryonicPerListener >= 1, nameof(MaxEmbryonicPerListener));
        Require(MaxTimeWait >= 1, nameof(MaxTimeWait));
        RequireTime(TimeWait, nameof(TimeWait));
        RequireTime(FinWait2, nameof(FinWait2));
        RequireTime(InitialRto, nameof(InitialRto));
        RequireTime(MinRto, nameof(MinRto));
        RequireTime(MaxRto, nameof(MaxRto));
        Require(MaxRto >= InitialRto && MaxRto >= MinRto, nameof(MaxRto));
        Require(SynRetries is >= 0 and <= 127, nameof(SynRetries));
        Require(SynAckRetries is >= 0 and <= 127, nameof(SynAckRetries));
        Require(Retries is >= 1 and <= 127, nameof(Retries));
        Require(OrphanRetries is >= 1 and <= 127, nameof(OrphanRetries));
        Require(DelayedAck >= TimeSpan.Zero && DelayedAck <= TimeSpan.FromMilliseconds(500), nameof(DelayedAck));
        Require(ChallengeAcksPerSecond >= 1, nameof(ChallengeAcksPerSecond));
        Require(ResetsPerSecond >= 1, nameof(ResetsPerSecond));
        Require(InvalidRateLimit >= TimeSpan.Zero, nameof(InvalidRateLimit));
    }

    private static void RequireTime(TimeSpan value, string name) =>
        Require(value >= TimeSpan.FromMilliseconds(1) && value <= TimeSpan.FromHours(1), name);

    private static void Require(bool holds, string name)
    {
        if (!holds)
            throw new ArgumentOutOfRangeException(name, $"{name} of TCP is out of its range.");
    }
}
