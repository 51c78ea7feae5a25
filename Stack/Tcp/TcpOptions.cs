namespace Tapwire.Stack.Tcp;

/// <summary>Limits and times of a stack's TCP. Defaults are Linux's where it has the same setting.</summary>
public sealed record TcpOptions
{
    /// <summary>Bytes received and not yet consumed that a connection may hold, and so the largest window that it announces. 2 KiB..1 GiB.</summary>
    public int ReceiveBuffer { get; init; } = 1 << 20;

    /// <summary>Bytes written and not yet acknowledged that a connection may hold. 2 KiB..1 GiB.</summary>
    public int SendBuffer { get; init; } = 1 << 20;

    /// <summary>The size to which <see cref="ReceiveBuffer"/> may grow while an application reads data as fast as it arrives (tcp_rmem); 0: it does not grow.
    /// Up to 1 GiB. A socket that sets its own size keeps it.</summary>
    public int MaxReceiveBuffer { get; init; }

    /// <summary>The size to which <see cref="SendBuffer"/> may grow with the congestion window (tcp_wmem); 0: it does not grow. Up to 1 GiB.</summary>
    public int MaxSendBuffer { get; init; }

    /// <summary>Bytes that all connections together may hold (tcp_mem), 64 KiB..1 PiB. From three quarters on windows stay small; above it new connections and
    /// new data are refused.</summary>
    public long Memory { get; init; } = 1L << 30;

    /// <summary>Connections in all states but SYN-RECEIVED and TIME-WAIT, at least 1.</summary>
    public int MaxSockets { get; init; } = 1 << 20;

    /// <summary>Connections in SYN-RECEIVED, all listeners together, at least 1.</summary>
    public int MaxEmbryonic { get; init; } = 16384;

    /// <summary>Connections in SYN-RECEIVED of one listener, at least 1; a listener with a larger backlog may have that many.</summary>
    public int MaxEmbryonicPerListener { get; init; } = 1024;

    /// <summary>Whether a SYN that finds no room in SYN-RECEIVED is answered with a cookie (RFC 4987, 3.6; tcp_syncookies) instead of being dropped.</summary>
    public bool SynCookies { get; init; } = true;

    /// <summary>Whether sockets may use TCP Fast Open (RFC 7413; tcp_fastopen). Each must ask for it: <see cref="TcpSocketOptions.FastOpen"/>,
    /// <see cref="TcpSocketOptions.FastOpenQueue"/>.</summary>
    public bool FastOpen { get; init; } = true;

    /// <summary>Records of connections in TIME-WAIT, at least 1; above it a connection ends without one (tcp_max_tw_buckets).</summary>
    public int MaxTimeWait { get; init; } = 65536;

    /// <summary>Twice the maximum segment lifetime (RFC 9293, 3.4.2), at least 1 ms.</summary>
    public TimeSpan TimeWait { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>How long a connection that its application has closed waits in FIN-WAIT-2 (tcp_fin_timeout), at least 1 ms.</summary>
    public TimeSpan FinWait2 { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>Retransmission time-out before the first measurement (RFC 6298, 2.1), at least 1 ms.</summary>
    public TimeSpan InitialRto { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>Least addition to the smoothed round-trip time (TCP_RTO_MIN; RFC 6298 asks for 1 s), at least 1 ms.</summary>
    public TimeSpan MinRto { get; init; } = TimeSpan.FromMilliseconds(200);

    /// <summary>Largest time-out of retransmissions and zero-window probes (RFC 6298, 2.5), not below <see cref="InitialRto"/>.</summary>
    public TimeSpan MaxRto { get; init; } = TimeSpan.FromSeconds(120);

    /// <summary>Retransmissions of a SYN before an active open gives up (tcp_syn_retries), 0..127.</summary>
    public int SynRetries { get; init; } = 6;

    /// <summary>Retransmissions of a SYN-ACK before a passive open is forgotten (tcp_synack_retries), 0..127.</summary>
    public int SynAckRetries { get; init; } = 5;

    /// <summary>Unanswered retransmissions or zero-window probes before a connection is given up: R2 of RFC 9293, 3.8.3 (tcp_retries2), 1..127.</summary>
    public int Retries { get; init; } = 15;

    /// <summary><see cref="Retries"/> once the application has closed (tcp_orphan_retries), 1..127.</summary>
    public int OrphanRetries { get; init; } = 8;

    /// <summary>How long an acknowledgement may wait for data to carry it (RFC 9293, 3.8.6.3), 0 up to, not including, 500 ms.</summary>
    public TimeSpan DelayedAck { get; init; } = TimeSpan.FromMilliseconds(40);

    /// <summary>Challenge ACKs per second, all connections together (RFC 5961, 7), at least 1.</summary>
    public int ChallengeAcksPerSecond { get; init; } = 1000;

    /// <summary>Resets per second in answer to segments that belong to no connection, at least 1.</summary>
    public int ResetsPerSecond { get; init; } = 1000;

    /// <summary>Least time between two answers to unacceptable segments of one connection (tcp_invalid_ratelimit).</summary>
    public TimeSpan InvalidRateLimit { get; init; } = TimeSpan.FromMilliseconds(500);

    /// <summary>The congestion control of connections that name none; <see cref="CongestionAlgorithm.Default"/> is CUBIC.</summary>
    public CongestionAlgorithm CongestionControl { get; init; }

    /// <summary>Explicit congestion notification (RFC 3168; tcp_ecn).</summary>
    public EcnMode Ecn { get; init; } = EcnMode.Passive;

    /// <summary>Whether smaller segments, and later larger ones again, are tried where large ones vanish (RFC 4821; tcp_mtu_probing 1).</summary>
    public bool MtuProbing { get; init; } = true;

    /// <summary>Whether timestamps are offered and accepted (RFC 7323).</summary>
    public bool Timestamps { get; init; } = true;

    /// <summary>Whether selective acknowledgements are offered and accepted (RFC 2018).</summary>
    public bool SelectiveAck { get; init; } = true;

    /// <summary>Whether window scaling is offered and accepted (RFC 7323).</summary>
    public bool WindowScaling { get; init; } = true;

    /// <exception cref="ArgumentOutOfRangeException">A value is out of its range; the exception's parameter names it.</exception>
    public void Validate()
    {
        Ranges.ReceiveBuffer.Check(ReceiveBuffer, nameof(ReceiveBuffer));
        Ranges.SendBuffer.Check(SendBuffer, nameof(SendBuffer));
        Ranges.MaxReceiveBuffer.Check(MaxReceiveBuffer, nameof(MaxReceiveBuffer));
        Ranges.MaxSendBuffer.Check(MaxSendBuffer, nameof(MaxSendBuffer));
        Ranges.Memory.Check(Memory, nameof(Memory));
        Ranges.MaxSockets.Check(MaxSockets, nameof(MaxSockets));
        Ranges.MaxEmbryonic.Check(MaxEmbryonic, nameof(MaxEmbryonic));
        Ranges.MaxEmbryonicPerListener.Check(MaxEmbryonicPerListener, nameof(MaxEmbryonicPerListener));
        Ranges.MaxTimeWait.Check(MaxTimeWait, nameof(MaxTimeWait));
        Ranges.TimeWait.Check(TimeWait, nameof(TimeWait));
        Ranges.FinWait2.Check(FinWait2, nameof(FinWait2));
        Ranges.InitialRto.Check(InitialRto, nameof(InitialRto));
        Ranges.MinRto.Check(MinRto, nameof(MinRto));
        Ranges.MaxRto.Check(MaxRto, nameof(MaxRto));
        Ranges.SynRetries.Check(SynRetries, nameof(SynRetries));
        Ranges.SynAckRetries.Check(SynAckRetries, nameof(SynAckRetries));
        Ranges.Retries.Check(Retries, nameof(Retries));
        Ranges.OrphanRetries.Check(OrphanRetries, nameof(OrphanRetries));
        Ranges.DelayedAck.Check(DelayedAck, nameof(DelayedAck));
        Ranges.ChallengeAcksPerSecond.Check(ChallengeAcksPerSecond, nameof(ChallengeAcksPerSecond));
        Ranges.ResetsPerSecond.Check(ResetsPerSecond, nameof(ResetsPerSecond));
        Ranges.InvalidRateLimit.Check(InvalidRateLimit, nameof(InvalidRateLimit));
        if (MaxRto < InitialRto || MaxRto < MinRto)
            throw new ArgumentOutOfRangeException(nameof(MaxRto), MaxRto, $"{nameof(MaxRto)} must be no less than {nameof(InitialRto)} and {nameof(MinRto)}.");
    }

    /// <summary>What each option may be.</summary>
    public static class Ranges
    {
        public static ValueRange<int> ReceiveBuffer { get; } = new(2048, 1 << 30);

        public static ValueRange<int> SendBuffer { get; } = new(2048, 1 << 30);

        public static ValueRange<int> MaxReceiveBuffer { get; } = new(0, 1 << 30);

        public static ValueRange<int> MaxSendBuffer { get; } = new(0, 1 << 30);

        public static ValueRange<long> Memory { get; } = new(64 << 10, 1L << 50);

        public static ValueRange<int> MaxSockets { get; } = new(1, 1 << 26);

        public static ValueRange<int> MaxEmbryonic { get; } = new(1, 1 << 24);

        public static ValueRange<int> MaxEmbryonicPerListener { get; } = new(1, 1 << 24);

        public static ValueRange<int> MaxTimeWait { get; } = new(1, 1 << 24);

        public static ValueRange<TimeSpan> TimeWait { get; } = new(TimeSpan.FromMilliseconds(1), TimeSpan.FromHours(1));

        public static ValueRange<TimeSpan> FinWait2 { get; } = new(TimeSpan.FromMilliseconds(1), TimeSpan.FromHours(1));

        public static ValueRange<TimeSpan> InitialRto { get; } = new(TimeSpan.FromMilliseconds(1), TimeSpan.FromHours(1));

        public static ValueRange<TimeSpan> MinRto { get; } = new(TimeSpan.FromMilliseconds(1), TimeSpan.FromHours(1));

        public static ValueRange<TimeSpan> MaxRto { get; } = new(TimeSpan.FromMilliseconds(1), TimeSpan.FromHours(1));

        public static ValueRange<int> SynRetries { get; } = new(0, 127);

        public static ValueRange<int> SynAckRetries { get; } = new(0, 127);

        public static ValueRange<int> Retries { get; } = new(1, 127);

        public static ValueRange<int> OrphanRetries { get; } = new(1, 127);

        public static ValueRange<TimeSpan> DelayedAck { get; } = new(TimeSpan.Zero, TimeSpan.FromMilliseconds(499));

        public static ValueRange<int> ChallengeAcksPerSecond { get; } = new(1, 1_000_000);

        public static ValueRange<int> ResetsPerSecond { get; } = new(1, 1_000_000);

        public static ValueRange<TimeSpan> InvalidRateLimit { get; } = new(TimeSpan.Zero, TimeSpan.FromHours(1));
    }
}
