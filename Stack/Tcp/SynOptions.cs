using Tapwire.Stack.Packets;

namespace Tapwire.Stack.Tcp;

/// <summary>What a peer's SYN offers and this end wants too.</summary>
internal struct SynOptions
{
    /// <summary>0: the peer did not say.</summary>
    public ushort PeerMss;
    public byte PeerWindowScale;
    public bool WindowScaling;
    public bool SelectiveAck;
    public bool Timestamps;
    public uint TsRecent;

    /// <summary>Explicit congestion notification: the SYN had ECE and CWR (RFC 3168, 6.1.1).</summary>
    public bool Ecn;

    public static SynOptions Of(in TcpHeader syn, TcpOptions options) => new()
    {
        PeerMss = syn.Mss,
        PeerWindowScale = syn.WindowScale,
        WindowScaling = options.WindowScaling && syn.HasWindowScale,
        SelectiveAck = options.SelectiveAck && syn.SackPermitted,
        Timestamps = options.Timestamps && syn.HasTimestamp,
        TsRecent = syn.TimestampValue,
        Ecn = options.Ecn != EcnMode.Off && syn.Has(TcpFlags.Ece) && syn.Has(TcpFlags.Cwr),
    };
}
