using Tapwire.Stack.Ip;
using Tapwire.Stack.Packets;

namespace Tapwire.Stack.Tcp;

/// <summary>The options that both the peer's SYN and this end offer.</summary>
internal struct SynOptions
{
    /// <summary>A smaller MSS of a peer counts as this much, or headers would be most of the traffic (TCP_MIN_SND_MSS).</summary>
    public const int MinMss = 48;

    /// <summary>RFC 7323, 2.3: a larger shift counts as 14.</summary>
    public const byte MaxWindowScale = 14;

    /// <summary>The MSS of a peer that announces none (RFC 9293, 3.7.1; for IPv6 1220).</summary>
    private const int DefaultMssV4 = 536;
    private const int DefaultMssV6 = 1220;

    /// <summary>The peer's MSS; 0: not announced.</summary>
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

    /// <summary>The MSS that a SYN announces (RFC 9293, 3.7.1; RFC 6691).</summary>
    /// <param name="mtu">The MTU of the interface.</param>
    /// <param name="bound">The application's limit; 0: none.</param>
    public static ushort AnnouncedMss(int mtu, IpAddress peer, ushort bound)
    {
        var mss = Math.Clamp(mtu - IpHeaderLength(peer) - TcpHeader.MinLength, MinMss, ushort.MaxValue);
        return (ushort)(bound > 0 ? Math.Clamp(bound, MinMss, mss) : mss);
    }

    /// <summary>The MSS of a peer that does not announce one.</summary>
    public static int DefaultMss(IpAddress peer) => peer.IsV4 ? DefaultMssV4 : DefaultMssV6;

    /// <summary>The least shift with which a buffer of this size can be announced (RFC 7323, 2.3).</summary>
    public static byte WindowScaleFor(int buffer)
    {
        byte shift = 0;
        while (shift < MaxWindowScale && buffer >> shift > ushort.MaxValue)
            shift++;
        return shift;
    }

    /// <summary>The label of a connection's IPv6 packets (RFC 6437), which is made of the initial sequence number, so that it says nothing new. 16 of its 20 bits are enough to spread
    /// flows, and take no more memory.</summary>
    public static ushort FlowLabel(uint iss) => (ushort)(iss * 0x9E37_79B1 >> 16);

    /// <summary>Length of the IP header without options.</summary>
    public static int IpHeaderLength(IpAddress address) => address.IsV4 ? 20 : 40;
}
