using System.Collections.Frozen;
using Tapwire.Links.Protocol;
using Tapwire.Messages;
using Tapwire.Posix;
using Tapwire.Stack;
using Tapwire.Stack.Udp;

namespace Tapwire.Actors.Link;

/// <summary>
/// The options by which an application asks what its datagrams come with (ip(7), ipv6(7), udp(7), socket(7)), and others that only datagram sockets have.
/// </summary>
internal sealed class DatagramOptions(SocketFamily family)
{
    /// <summary>SOF_TIMESTAMPING_RX_SOFTWARE and SOF_TIMESTAMPING_SOFTWARE: only stamps of the stack, at arrival, are there to be had.</summary>
    private const int RxSoftware = 1 << 3;
    private const int Software = 1 << 4;

    /// <summary>SOF_TIMESTAMPING_MASK.</summary>
    private const int TimestampingMask = (1 << 19) - 1;

    /// <summary>IPV6_MIN_MTU.</summary>
    private const int LeastMtuV6 = 1280;

    private const int SolSocket = LinkOption.SolSocket;
    private const int SolIp = LinkOption.IpProtoIp;
    private const int SolIpV6 = LinkOption.IpProtoIpV6;
    private const int SolUdp = LinkOption.IpProtoUdp;

    private static readonly FrozenDictionary<(int Level, int Name), Rule> Rules = new Dictionary<(int, int), Rule>
    {
        [(SolIp, LinkOption.IpPktInfo)] = new(DatagramParts.PacketInfo),
        [(SolIp, LinkOption.IpRecvTtl)] = new(DatagramParts.HopLimit),
        [(SolIp, LinkOption.IpRecvTos)] = new(DatagramParts.TrafficClass),
        [(SolIp, LinkOption.IpRecvOrigDstAddr)] = new(DatagramParts.OriginalDestination),
        [(SolIp, LinkOption.IpRecvErr)] = new() { Stack = SocketOption.ErrorReports },
        [(SolIp, LinkOption.IpMtuDiscover)] = new() { Most = LinkOption.IpPmtuDiscOmit, Default = LinkOption.IpPmtuDiscWant, Stack = SocketOption.MtuDiscovery },
        [(SolIp, LinkOption.IpMulticastTtl)] = new() { Most = byte.MaxValue, Default = 1, MinusOne = 1, Stack = SocketOption.MulticastHopLimit },
        [(SolIp, LinkOption.IpMulticastLoop)] = new() { Default = 1, Stack = SocketOption.MulticastLoop },
        [(SolIp, LinkOption.IpMulticastAll)] = new() { Default = 1, IsExact = true, Stack = SocketOption.MulticastAll },
        [(SolIpV6, LinkOption.IpV6MulticastHops)] = new() { Most = byte.MaxValue, Default = 1, MinusOne = 1, Stack = SocketOption.MulticastHopLimit },
        [(SolIpV6, LinkOption.IpV6MulticastLoop)] = new() { Default = 1, IsExact = true, Stack = SocketOption.MulticastLoop },
        [(SolIpV6, LinkOption.IpV6MulticastAll)] = new() { Default = 1, Stack = SocketOption.MulticastAll },
        [(SolIpV6, LinkOption.IpV6Mtu)] = new() { Most = int.MaxValue, Least = LeastMtuV6, Stack = SocketOption.PacketSizeV6 },
        [(SolIpV6, LinkOption.IpV6DontFrag)] = new() { Stack = SocketOption.DontFragmentV6 },
        [(SolIpV6, LinkOption.IpV6RecvPktInfo)] = new(DatagramParts.PacketInfoV6),

        // About IPv6 packets only, as in Linux: an IPv4 packet on this socket comes with the IPv4 ones.
        [(SolIpV6, LinkOption.IpV6RecvHopLimit)] = new(DatagramParts.HopLimitV6),
        [(SolIpV6, LinkOption.IpV6RecvTClass)] = new(DatagramParts.TrafficClassV6),
        [(SolIpV6, LinkOption.IpV6RecvOrigDstAddr)] = new(DatagramParts.OriginalDestinationV6),
        [(SolIpV6, LinkOption.IpV6RecvErr)] = new() { Stack = SocketOption.ErrorReports },
        [(SolIpV6, LinkOption.IpV6MtuDiscover)] = new() { Most = LinkOption.IpPmtuDiscOmit, Default = LinkOption.IpPmtuDiscWant, Stack = SocketOption.MtuDiscoveryV6 },
        [(SolSocket, LinkOption.SoRxqOvfl)] = new(DatagramParts.Drops),
        [(SolSocket, LinkOption.SoTimestamp)] = new(DatagramParts.Timestamp),
        [(SolSocket, LinkOption.SoTimestampNs)] = new(DatagramParts.TimestampNs),
        [(SolSocket, LinkOption.SoTimestampNew)] = new(DatagramParts.TimestampNew),
        [(SolSocket, LinkOption.SoTimestampNsNew)] = new(DatagramParts.TimestampNsNew),
        [(SolSocket, LinkOption.SoTimestamping)] = new(DatagramParts.Timestamping) { Most = TimestampingMask },
        [(SolSocket, LinkOption.SoTimestampingNew)] = new(DatagramParts.TimestampingNew) { Most = TimestampingMask },
        [(SolUdp, LinkOption.UdpCork)] = new() { IsOfActor = true },
        [(SolUdp, LinkOption.UdpSegment)] = new() { Most = ushort.MaxValue, Stack = SocketOption.SegmentSize },
        [(SolUdp, LinkOption.UdpGro)] = new(DatagramParts.SegmentSize),
    }.ToFrozenDictionary();

    private readonly Dictionary<(int Level, int Name), int> _values = [];

    /// <summary>What received datagrams come with.</summary>
    public DatagramParts Parts { get; private set; }

    /// <summary>Bytes that longer payloads are cut into; 0: they are not (UDP_SEGMENT).</summary>
    public int Segment => _values.GetValueOrDefault((SolUdp, LinkOption.UdpSegment));

    /// <summary>UDP_CORK.</summary>
    public bool Corks => _values.GetValueOrDefault((SolUdp, LinkOption.UdpCork)) != 0;

    /// <summary>How the socket learns what a path of a family takes (IP_MTU_DISCOVER, IPV6_MTU_DISCOVER).</summary>
    public MtuDiscovery DiscoveryOf(bool isV4) =>
        (MtuDiscovery)_values.GetValueOrDefault(isV4 ? (SolIp, LinkOption.IpMtuDiscover) : (SolIpV6, LinkOption.IpV6MtuDiscover), LinkOption.IpPmtuDiscWant);

    /// <summary>Datagrams of a family that are longer than the path takes leave in fragments.</summary>
    public bool Fragments(bool isV4) => DiscoveryOf(isV4).Fragments() && (isV4 || _values.GetValueOrDefault((SolIpV6, LinkOption.IpV6DontFrag)) == 0);

    /// <summary>Bytes of the largest packet over a path that takes so many (IPV6_MTU).</summary>
    public int PacketSize(int mtu, bool isV4) => !isV4 && _values.GetValueOrDefault((SolIpV6, LinkOption.IpV6Mtu)) is > 0 and var size ? Math.Min(mtu, size) : mtu;

    /// <summary>IP_RECVERR or IPV6_RECVERR.</summary>
    public bool ReportsErrors => Reports(isV4: true) || Reports(isV4: false);

    /// <summary>Errors about packets of a family are reported (IP_RECVERR, IPV6_RECVERR).</summary>
    public bool Reports(bool isV4) => _values.GetValueOrDefault(isV4 ? (SolIp, LinkOption.IpRecvErr) : (SolIpV6, LinkOption.IpV6RecvErr)) != 0;

    /// <summary>The option changes what comes with datagrams, or what the stack does. The others are remembered.</summary>
    public static bool IsReal(int level, int name) => Rules.TryGetValue((level, name), out var rule) && (rule.Part != DatagramParts.None || rule.Stack is not null || rule.IsOfActor);

    /// <summary>Asks for the path MTU of a connected socket.</summary>
    public bool IsPathMtu(LinkRequest request) =>
        request is GetOptionRequest { Level: SolIp, Name: LinkOption.IpMtu } || (request is GetOptionRequest { Level: SolIpV6, Name: LinkOption.IpV6Mtu } && family == SocketFamily.V6);

    /// <summary>It is one of these options.</summary>
    public static bool IsKnown(int level, int name) => Rules.ContainsKey((level, name));

    /// <summary>The request sets or reads one of these options, on a socket of this family.</summary>
    public bool Has(LinkRequest request) => request switch
    {
        SetOptionRequest set => Has(set.Level, set.Name) && OptionChecks.Refusal(set, LinkSocketType.Datagram, family) == 0,
        GetOptionRequest get => Has(get.Level, get.Name) && !IsPathMtu(get),
        _ => false,
    };

    /// <summary>Answers a request about SO_REUSEADDR or SO_REUSEPORT of a bound socket: what it shares was decided when it was bound. Null: the request is about something
    /// else.</summary>
    public static LinkAnswer? AboutSharing(LinkSocketRequest request, in PortSharing sharing) => request switch
    {
        GetOptionRequest get when LinkOptions.IsReuseAddress(get.Level, get.Name) => get.Value(sharing.ReuseAddress ? 1 : 0),
        GetOptionRequest get when LinkOptions.IsReusePort(get.Level, get.Name) => get.Value(sharing.ReusePort ? 1 : 0),
        SetOptionRequest set when LinkOptions.IsReuseAddress(set.Level, set.Name) || LinkOptions.IsReusePort(set.Level, set.Name) => set.Done(),
        _ => null,
    };

    /// <summary>Reads an option.</summary>
    public LinkAnswer Get(GetOptionRequest request)
    {
        var value = _values.GetValueOrDefault((request.Level, request.Name), Rules[(request.Level, request.Name)].Default);
        if (request.Level == SolSocket)
            value |= _values.GetValueOrDefault((SolSocket, AlsoReadAs(request.Name)));
        if (request.Level == SolIp && request.MaxLength is > 0 and < sizeof(int) && value is >= 0 and <= byte.MaxValue)
            return request.Value([(byte)value]);
        if (request.Name is not (LinkOption.SoTimestamping or LinkOption.SoTimestampingNew) || request.Level != SolSocket)
            return request.Value(value);

        // struct so_timestamping: the flags, and a clock that is not bound.
        Span<byte> timestamping = stackalloc byte[2 * sizeof(int)];
        BitConverter.TryWriteBytes(timestamping, value);
        timestamping[sizeof(int)..].Clear();
        return request.Value(timestamping);
    }

    /// <summary>Sets an option.</summary>
    /// <param name="forStack">With None: the option that the stack has to know, if there is one.</param>
    /// <returns>None or InvalidArgument.</returns>
    public StackError Set(SetOptionRequest request, out (SocketOption Option, int Value)? forStack)
    {
        forStack = null;
        var rule = Rules[(request.Level, request.Name)];
        if (!LinkOptions.TryReadNumber(request.Level, request.Value.Span, out var value))
            return StackError.InvalidArgument;
        if (rule is { Most: 1, IsExact: false })
            value = value != 0 ? 1 : 0;
        else if (value == -1)
            value = rule.MinusOne;
        if (value < 0 || value > rule.Most || (value != 0 && value < rule.Least))
            return StackError.InvalidArgument;
        var hadStamps = WantsStamps;
        Remember(request.Level, request.Name, value);
        if (rule.Stack is { } option)
            forStack = (option, option == SocketOption.ErrorReports ? (ReportsErrors ? 1 : 0) : value);
        else if (WantsStamps != hadStamps)
            forStack = (SocketOption.ArrivalTimes, hadStamps ? 0 : 1);
        return StackError.None;
    }

    /// <summary>Sets an option that the socket gets when it is opened.</summary>
    /// <returns>Null: it is none of those.</returns>
    public LinkAnswer? SetEarly(SetOptionRequest request, ref UdpSocketOptions options)
    {
        var (level, name) = (request.Level, request.Name);
        if (Has(level, name))
        {
            var error = Set(request, out var forStack);
            return error == StackError.None && forStack is { } known ? Answer(request, SocketOptions.Set(ref options, known.Option, known.Value)) : Answer(request, error);
        }

        var option = LinkOptions.Map(level, name);
        var isAddress = LinkOptions.IsReuseAddress(level, name);
        if (option is null && !isAddress && !LinkOptions.IsReusePort(level, name))
            return null;
        if (!LinkOptions.TryDecode(level, option, request.Value.Span, out var value))
            return request.Failed(StackError.InvalidArgument);
        if (option is not null)
            return Answer(request, SocketOptions.Set(ref options, option.Value, value));
        options = options with
        {
            Sharing = isAddress ? options.Sharing with { ReuseAddress = value != 0 } : options.Sharing with { ReusePort = value != 0 },
        };
        return request.Done();
    }

    private static LinkAnswer Answer(SetOptionRequest request, StackError error) => error == StackError.None ? request.Done() : request.Failed(error);

    private bool Has(int level, int name) => Rules.ContainsKey((level, name)) && (level != SolIpV6 || family == SocketFamily.V6);

    private bool WantsStamps => (Parts & DatagramParts.AnyTimestamp) != 0;

    private void Remember(int level, int name, int value)
    {
        // One form of time stamps at a time (Linux: sock_set_timestamp).
        if (level == SolSocket && IsTimestamp(name))
        {
            foreach (var other in new[] { LinkOption.SoTimestamp, LinkOption.SoTimestampNs, LinkOption.SoTimestampNew, LinkOption.SoTimestampNsNew })
                Put(level, other, 0);
        }

        if (level == SolSocket && name is LinkOption.SoTimestamping or LinkOption.SoTimestampingNew)
            Put(level, name == LinkOption.SoTimestamping ? LinkOption.SoTimestampingNew : LinkOption.SoTimestamping, 0);
        Put(level, name, value);
    }

    private void Put(int level, int name, int value)
    {
        _values[(level, name)] = value;
        var part = Rules[(level, name)].Part;
        if (part is DatagramParts.Timestamping or DatagramParts.TimestampingNew)
            value &= (value & RxSoftware) != 0 ? Software : 0;
        Parts = value != 0 ? Parts | part : Parts & ~part;
    }

    /// <summary>The option whose value Linux returns for another one too (sk_getsockopt).</summary>
    private static int AlsoReadAs(int name) => name switch
    {
        LinkOption.SoTimestampNew => LinkOption.SoTimestampNsNew,
        LinkOption.SoTimestamping => LinkOption.SoTimestampingNew,
        _ => name,
    };

    private static bool IsTimestamp(int name) =>
        name is LinkOption.SoTimestamp or LinkOption.SoTimestampNs or LinkOption.SoTimestampNew or LinkOption.SoTimestampNsNew;

    /// <param name="Part">What datagrams come with while it is set.</param>
    private sealed record Rule(DatagramParts Part = DatagramParts.None)
    {
        /// <summary>The largest value; 1 is for options that are on or off.</summary>
        public int Most { get; init; } = 1;

        /// <summary>An option that is on or off takes 0 and 1 only.</summary>
        public bool IsExact { get; init; }

        /// <summary>The least value other than 0.</summary>
        public int Least { get; init; }

        public int Default { get; init; }

        /// <summary>What -1 stands for, where it is taken.</summary>
        public int MinusOne { get; init; } = -1;

        /// <summary>The socket's actor does what it says.</summary>
        public bool IsOfActor { get; init; }

        /// <summary>The stack's option.</summary>
        public SocketOption? Stack { get; init; }
    }
}
