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

    /// <summary>What is to be remembered of a connection.</summary>
    public static TcpTimeWait Of(TcpConnection connection) => new(connection.Layer, connection.Pair, connection.Hash)
    {
        SndNxt = connection.Sender.SndNxt,
        RcvNxt = connection.Receiver.RcvNxt,
        TsRecent = connection.Timestamps.Recent,
        Timestamps = connection.Timestamps.AreUsed,
        HopLimit = connection.Options.HopLimit,
        TrafficClass = connection.Options.TrafficClass,
        ReuseAddress = connection.Options.ReuseAddress,
        ReusePort = connection.Options.ReusePort,
        Window = connection.Receiver.LastWindow,
    };

    protected internal override void Fire(Instant now) => layer.TimeWaits.Remove(this);
}
