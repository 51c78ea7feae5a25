namespace Tapwire.Stack.Tcp;

/// <summary>A passive open in SYN-RECEIVED: only what must be remembered of the SYN until the handshake ends.</summary>
internal sealed class TcpEmbryo(TcpListener listener, in TcpPair pair, uint hash) : TcpEntry(pair, hash)
{
    public readonly TcpListener Listener = listener;
    public uint Iss;
    public uint Irs;
    public Instant Since;
    public Instant LastAnswer;
    public SynOptions Agreed;
    public int Mtu;
    public int SuperFrame;
    public byte Interface;
    public byte Retries;

    /// <summary>The SYN-ACK was sent more than once, so its acknowledgement measures no round trip (Karn).</summary>
    public bool AnsweredOften;

    /// <summary>The peer has acknowledged, and its first data makes the connection (TCP_DEFER_ACCEPT).</summary>
    public bool WaitsForData;

    /// <summary>The SYN-ACK carries a Fast Open cookie.</summary>
    public bool GivesFastOpenCookie;

    protected internal override void Fire(Instant now) => Listener.Layer.SynCache.TimedOut(this, now);
}
