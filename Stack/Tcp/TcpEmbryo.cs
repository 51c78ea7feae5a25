namespace Tapwire.Stack.Tcp;

/// <summary>A passive open in SYN-RECEIVED: what must be remembered of the SYN until the handshake ends, and no more.</summary>
internal sealed class TcpEmbryo(TcpListener listener, in TcpPair pair, uint hash) : TcpEntry(pair, hash)
{
    public readonly TcpListener Listener = listener;
    public uint Iss;
    public uint Irs;
    public uint TsRecent;
    public Instant Since;
    public Instant LastAnswer;
    public int Mtu;
    public int SuperFrame;
    public ushort PeerMss;
    public byte PeerWindowScale;
    public byte Retries;
    public bool WindowScaling;
    public bool SelectiveAck;
    public bool Timestamps;

    protected internal override void Fire(Instant now) => Listener.Layer.EmbryoTimedOut(this, now);
}
