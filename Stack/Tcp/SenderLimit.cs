namespace Tapwire.Stack.Tcp;

/// <summary>What keeps a connection from sending more at this moment.</summary>
public enum SenderLimit
{
    /// <summary>All that the application has written is sent.</summary>
    Application,

    /// <summary>The handshake is not done.</summary>
    Handshake,

    /// <summary>The peer's window: its application does not read, or its buffer is too small for the path.</summary>
    ReceiverWindow,

    /// <summary>The congestion window: the network takes no more per round trip.</summary>
    CongestionWindow,

    /// <summary>The pace of the congestion control, or SO_MAX_PACING_RATE.</summary>
    Pacing,

    /// <summary>Lost segments are sent again (fast recovery).</summary>
    Recovery,

    /// <summary>The peer has not answered before the retransmission timer ran out.</summary>
    Timeout,

    /// <summary>The wire takes nothing, or other connections have their turn before it.</summary>
    Wire,

    /// <summary>Nagle's algorithm, or a cork: what is left is less than a segment.</summary>
    SmallSegment,

    /// <summary>The path loses packets again and again, which keeps the congestion window small.</summary>
    Loss,
}
