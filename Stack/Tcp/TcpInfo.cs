namespace Tapwire.Stack.Tcp;

/// <summary>A snapshot of a connection, like Linux's tcp_info. Windows and thresholds are in bytes.</summary>
public readonly record struct TcpInfo
{
    public TcpState State { get; init; }

    /// <summary>Payload bytes per segment towards the peer.</summary>
    public int SegmentSize { get; init; }

    public TimeSpan Rto { get; init; }

    /// <summary>Smoothed round-trip time; zero before the first measurement.</summary>
    public TimeSpan RoundTrip { get; init; }

    public TimeSpan RoundTripVariation { get; init; }

    public long CongestionWindow { get; init; }

    public long SlowStartThreshold { get; init; }

    public long SendWindow { get; init; }

    public long ReceiveWindow { get; init; }

    public int BytesInFlight { get; init; }

    public int SendQueue { get; init; }

    public int ReceiveQueue { get; init; }

    /// <summary>Segments sent again since the connection began.</summary>
    public int Retransmits { get; init; }

    /// <summary>Doublings of the retransmission time-out, until a round trip is measured.</summary>
    public int Backoff { get; init; }

    /// <summary>Time-outs in a row without new data acknowledged.</summary>
    public int Timeouts { get; init; }

    public bool Timestamps { get; init; }

    public bool SelectiveAck { get; init; }

    /// <summary>Explicit congestion notification is agreed on.</summary>
    public bool Ecn { get; init; }

    public CongestionAlgorithm CongestionControl { get; init; }

    /// <summary>Bytes per second; 0: not paced.</summary>
    public long PacingRate { get; init; }

    /// <summary>Recent least round trip; zero before the first measurement.</summary>
    public TimeSpan MinRoundTrip { get; init; }

    /// <summary>Payload bytes marked lost, and payload bytes that have arrived at the peer, since the connection began.</summary>
    public long BytesLost { get; init; }

    public long BytesDelivered { get; init; }

    /// <summary>Payload bytes that have come in order since the connection began.</summary>
    public long BytesReceived { get; init; }

    /// <summary>What keeps it from sending more.</summary>
    public SenderLimit Limit { get; init; }

    /// <summary>The path has reordered segments.</summary>
    public bool ReorderingSeen { get; init; }

    /// <summary>As <see cref="TcpSocket.UrgentMark"/>.</summary>
    public int UrgentMark { get; init; }

    /// <summary>The latest ICMP error, or TimedOut after three retransmissions, since data was last acknowledged. It has not ended the connection.</summary>
    public StackError SoftError { get; init; }
}
