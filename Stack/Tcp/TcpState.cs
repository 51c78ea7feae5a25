namespace Tapwire.Stack.Tcp;

/// <summary>The states of RFC 9293, 3.3.2. LISTEN is <see cref="TcpListener"/>; SYN-RECEIVED after a passive open, and TIME-WAIT, are records in the layer.</summary>
public enum TcpState : byte
{
    Closed,
    SynSent,
    SynReceived,
    Established,
    FinWait1,
    FinWait2,
    CloseWait,
    Closing,
    LastAck,

    /// <summary>Both FINs are exchanged and acknowledged; the layer keeps a record for twice the maximum segment lifetime.</summary>
    TimeWait,
}
