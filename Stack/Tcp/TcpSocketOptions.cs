namespace Tapwire.Stack.Tcp;

/// <summary>Options of one socket, set before it is connected; connections inherit their listener's. <c>default</c> takes the stack's defaults.</summary>
public readonly record struct TcpSocketOptions
{
    /// <summary>RFC 9293, 3.8.4.</summary>
    public static readonly TimeSpan DefaultKeepAliveIdle = TimeSpan.FromHours(2);

    /// <summary>Linux's default.</summary>
    public static readonly TimeSpan DefaultKeepAliveInterval = TimeSpan.FromSeconds(75);

    /// <summary>Linux's default.</summary>
    public const int DefaultKeepAliveCount = 9;

    /// <summary>TCP_NODELAY: small segments do not wait for acknowledgements (Nagle's algorithm off).</summary>
    public bool NoDelay { get; init; }

    /// <summary>TCP_CORK: only full segments leave. What is left over goes when the cork is taken out, or after 200 ms.</summary>
    public bool Cork { get; init; }

    /// <summary>SO_MAX_PACING_RATE in bytes per second; 0: no bound. Retransmissions count, and are not kept back.</summary>
    public uint MaxPacingRate { get; init; }

    /// <summary>TCP_WINDOW_CLAMP: the largest window to announce, in bytes; 0: the receive buffer decides.</summary>
    public int WindowClamp { get; init; }

    /// <summary>TCP_SYNCNT: how often a SYN is sent again; 0 takes the stack's.</summary>
    public byte SynRetries { get; init; }

    /// <summary>TCP_DEFER_ACCEPT of a listener: a connection is made by the peer's first data, or by the acknowledgement of a SYN-ACK that was sent again this many times.
    /// 0: by any acknowledgement.</summary>
    public byte DeferAccept { get; init; }

    /// <summary>TCP_LINGER2: how long the peer's FIN is waited for once nobody reads any more; 0 takes the stack's, a negative time does not wait.</summary>
    public TimeSpan FinWait2 { get; init; }

    /// <summary><see cref="FinWait2"/> as a time that is not negative.</summary>
    public TimeSpan FinWait2Or(TimeSpan ofStack) => FinWait2 == TimeSpan.Zero ? ofStack : FinWait2 > TimeSpan.Zero ? FinWait2 : TimeSpan.Zero;

    /// <summary>SO_REUSEADDR: a listener may take a port that only connections, or their TIME-WAIT, still use. They need the option too.</summary>
    public bool ReuseAddress { get; init; }

    /// <inheritdoc cref="PortSharing.ReusePort"/>
    public bool ReusePort { get; init; }

    /// <summary>SO_KEEPALIVE.</summary>
    public bool KeepAlive { get; init; }

    /// <summary>TCP_KEEPIDLE; 0 takes two hours.</summary>
    public TimeSpan KeepAliveIdle { get; init; }

    /// <summary>TCP_KEEPINTVL; 0 takes 75 s.</summary>
    public TimeSpan KeepAliveInterval { get; init; }

    /// <summary>TCP_KEEPCNT; 0 takes 9.</summary>
    public int KeepAliveCount { get; init; }

    /// <summary>TCP_USER_TIMEOUT: how long data may stay unacknowledged; 0 leaves it to the number of retransmissions.</summary>
    public TimeSpan UserTimeout { get; init; }

    /// <summary>SO_RCVBUF in bytes; 0 takes the stack's.</summary>
    public int ReceiveBuffer { get; init; }

    /// <summary>SO_SNDBUF in bytes; 0 takes the stack's.</summary>
    public int SendBuffer { get; init; }

    /// <summary>IP_TTL; 0 takes the stack's.</summary>
    public byte HopLimit { get; init; }

    /// <summary>IP_TOS without the ECN bits.</summary>
    public byte TrafficClass { get; init; }

    /// <summary>TCP_MAXSEG: an upper bound for the segment size in both directions; 0 leaves it to the path.</summary>
    public ushort MaxSegment { get; init; }

    /// <summary>TCP_CONGESTION: <see cref="CongestionAlgorithm.Default"/> takes the stack's.</summary>
    public CongestionAlgorithm CongestionControl { get; init; }

    /// <summary>SO_LINGER with time 0: closing sends RST and discards unsent data. (With a longer time, the caller itself waits for the end of the
    /// connection.)</summary>
    public bool ResetOnClose { get; init; }

    /// <summary>TCP_FASTOPEN_CONNECT (RFC 7413). With a known cookie of the server, connecting reports Connected at once, and the first write, or the end of
    /// sending, sends the SYN with data; an error then comes as the end of an open connection. Without a cookie the SYN leaves at once, as usual, and requests
    /// one. A server may see such data twice: it is for requests that can be repeated.</summary>
    public bool FastOpen { get; init; }

    /// <summary>TCP_FASTOPEN of a listener: how many connections may open before their handshake is done, by a valid cookie, with the data of their SYN
    /// delivered; 0: none.</summary>
    public int FastOpenQueue { get; init; }
}
