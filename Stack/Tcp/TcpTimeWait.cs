namespace Tapwire.Stack.Tcp;

/// <summary>A connection in TIME-WAIT: what is needed to answer old segments and to distinguish a new connection from them.</summary>
internal sealed class TcpTimeWait(TcpLayer layer, in TcpPair pair, uint hash) : TcpEntry(pair, hash)
{
    public uint SndNxt;
    public uint RcvNxt;
    public uint TsRecent;
    public Instant LastAnswer;
    public Instant Since;
    public ushort Window;
    public byte HopLimit;
    public byte TrafficClass;
    public bool Timestamps;
    public bool ReuseAddress;
    public bool ReusePort;

    protected internal override void Fire(Instant now) => layer.TimeWaits.Remove(this);
}
