using System.Collections.Frozen;
using Tapwire.Links.Protocol;
using Tapwire.Posix;
using Tapwire.Stack;

namespace Tapwire.Actors.Link;

/// <summary>
/// Linux's socket options that the stack does not need: those that are remembered, because programs take a refusal for a fault of the network and read values back, and those
/// that are refused with Linux's errno. The stack's own are in <see cref="LinkOptions.Map"/>; docs/socket-options.md lists all.
/// </summary>
internal static class OptionRules
{
    private const int NotSupported = (int)StackError.NotSupported;
    private const int Invalid = (int)StackError.InvalidArgument;

    /// <summary>struct timeval with 64-bit seconds.</summary>
    private const int Timeval = 16;

    // By the numbers of include/uapi: asm-generic/socket.h, linux/tcp.h, linux/in.h, linux/in6.h. Options of SOL_SOCKET are for both types of sockets.
    private static readonly FrozenDictionary<int, OptionRule> Socket = new Dictionary<int, OptionRule>
    {
        [1] = OptionRule.Flag, // SO_DEBUG
        [5] = OptionRule.Flag, // SO_DONTROUTE
        [11] = OptionRule.Flag, // SO_NO_CHECK: checksums are always sent
        [12] = OptionRule.Number, // SO_PRIORITY
        [14] = OptionRule.Ignored, // SO_BSDCOMPAT
        [16] = OptionRule.Refused(NotSupported), // SO_PASSCRED
        [18] = OptionRule.Range(0, int.MaxValue, 1), // SO_RCVLOWAT
        [19] = OptionRule.ReadOnly(1), // SO_SNDLOWAT
        [20] = OptionRule.Structure(Timeval), // SO_RCVTIMEO
        [21] = OptionRule.Structure(Timeval), // SO_SNDTIMEO
        [27] = new OptionRule(SetError: LinkErrno.NoEntry, GetError: (int)StackError.NoSuchOption), // SO_DETACH_FILTER: there is none
        [29] = OptionRule.Flag, // SO_TIMESTAMP
        [34] = OptionRule.Refused(NotSupported), // SO_PASSSEC
        [35] = OptionRule.Flag, // SO_TIMESTAMPNS
        [36] = OptionRule.Number, // SO_MARK
        [37] = new OptionRule(Least: 0, Most: (1 << 19) - 1, Size: 8), // SO_TIMESTAMPING
        [40] = OptionRule.Flag, // SO_RXQ_OVFL
        [41] = OptionRule.Flag, // SO_WIFI_STATUS
        [43] = OptionRule.Flag, // SO_NOFCS
        [44] = OptionRule.Flag, // SO_LOCK_FILTER
        [45] = OptionRule.Flag, // SO_SELECT_ERR_QUEUE
        [46] = OptionRule.Range(0, int.MaxValue), // SO_BUSY_POLL
        [48] = OptionRule.ReadOnly(64), // SO_BPF_EXTENSIONS
        [49] = new OptionRule(Initial: -1), // SO_INCOMING_CPU
        [53] = new OptionRule(GetError: (int)StackError.NoSuchOption), // SO_CNX_ADVICE
        [56] = OptionRule.ReadOnly(0), // SO_INCOMING_NAPI_ID
        [60] = new OptionRule(Least: 0, Most: 0, RangeError: NotSupported), // SO_ZEROCOPY: data is copied to the driver, and nothing would report its completion
        [63] = OptionRule.Flag, // SO_TIMESTAMP_NEW
        [64] = OptionRule.Flag, // SO_TIMESTAMPNS_NEW
        [65] = new OptionRule(Least: 0, Most: (1 << 19) - 1, Size: 8), // SO_TIMESTAMPING_NEW
        [66] = OptionRule.Structure(Timeval), // SO_RCVTIMEO_NEW
        [67] = OptionRule.Structure(Timeval), // SO_SNDTIMEO_NEW
        [68] = new OptionRule(SetError: LinkErrno.NoEntry, GetError: (int)StackError.NoSuchOption), // SO_DETACH_REUSEPORT_BPF
        [69] = OptionRule.Flag, // SO_PREFER_BUSY_POLL
        [70] = new OptionRule(Least: 0, Most: ushort.MaxValue, GetError: (int)StackError.NoSuchOption), // SO_BUSY_POLL_BUDGET
        [72] = OptionRule.Range(0, 3), // SO_BUF_LOCK
        [75] = OptionRule.Flag, // SO_RCVMARK
    }.ToFrozenDictionary();

    /// <summary>Options of the stack's TCP sockets that a datagram socket has in Linux, and makes no use of.</summary>
    private static readonly FrozenDictionary<int, OptionRule> DatagramSocket = new Dictionary<int, OptionRule>
    {
        [LinkOption.SoKeepAlive] = OptionRule.Flag,
        [LinkOption.SoOobInline] = OptionRule.Flag,
        [LinkOption.SoLinger] = OptionRule.Structure(2 * sizeof(int)),
        [LinkOption.SoMaxPacingRate] = new OptionRule(Initial: -1, Size: sizeof(long)),
        [42] = OptionRule.Refused(NotSupported), // SO_PEEK_OFF
        [74] = OptionRule.Refused(NotSupported), // SO_TXREHASH
    }.ToFrozenDictionary();

    private static readonly FrozenDictionary<int, OptionRule> StreamSocket = new Dictionary<int, OptionRule>
    {
        [LinkOption.SoBroadcast] = OptionRule.Flag,
        [LinkOption.SoOobInline] = OptionRule.Flag,
        [42] = new OptionRule(Initial: -1), // SO_PEEK_OFF
        [74] = OptionRule.Range(-1, 1, 1) with { MinusOne = 1 }, // SO_TXREHASH
    }.ToFrozenDictionary();

    private static readonly FrozenDictionary<int, OptionRule> Tcp = new Dictionary<int, OptionRule>
    {
        [14] = OptionRule.Unknown, // TCP_MD5SIG
        [16] = OptionRule.ZeroOrOne, // TCP_THIN_LINEAR_TIMEOUTS
        [17] = new OptionRule(Least: 0, Most: 1, IsKept: false), // TCP_THIN_DUPACK
        [19] = OptionRule.SetFails(LinkErrno.NotPermitted), // TCP_REPAIR
        [20] = new OptionRule(SetError: LinkErrno.NotPermitted, GetError: Invalid), // TCP_REPAIR_QUEUE
        [21] = new OptionRule(SetError: LinkErrno.NotPermitted, GetError: Invalid), // TCP_QUEUE_SEQ
        [22] = new OptionRule(SetError: Invalid, GetError: (int)StackError.NoSuchOption), // TCP_REPAIR_OPTIONS
        [24] = OptionRule.SetFails(LinkErrno.NotPermitted), // TCP_TIMESTAMP
        [25] = OptionRule.Number, // TCP_NOTSENT_LOWAT
        [26] = OptionRule.Nothing, // TCP_CC_INFO
        [27] = OptionRule.Range(0, 2), // TCP_SAVE_SYN
        [28] = OptionRule.Nothing, // TCP_SAVED_SYN
        [29] = OptionRule.Refused(LinkErrno.NotPermitted), // TCP_REPAIR_WINDOW
        [31] = new OptionRule(SetError: LinkErrno.NoEntry, Initial: null), // TCP_ULP: no such upper-layer protocol is there
        [34] = OptionRule.ZeroOrOne, // TCP_FASTOPEN_NO_COOKIE
        [35] = new OptionRule(SetError: (int)StackError.NoSuchOption, GetError: Invalid), // TCP_ZEROCOPY_RECEIVE
        [36] = OptionRule.ZeroOrOne, // TCP_INQ: the library adds the control message
        [43] = OptionRule.ReadOnly(0), // TCP_IS_MPTCP
    }.ToFrozenDictionary();

    private static readonly FrozenDictionary<int, OptionRule> Ip = new Dictionary<int, OptionRule>
    {
        [3] = OptionRule.ReadOnly(0), // IP_HDRINCL
        [4] = new OptionRule(Least: 0, Most: 0, Initial: null), // IP_OPTIONS
        [5] = OptionRule.SetFails(Invalid), // IP_ROUTER_ALERT
        [6] = OptionRule.Flag, // IP_RECVOPTS
        [7] = OptionRule.Flag, // IP_RETOPTS
        [8] = OptionRule.Flag, // IP_PKTINFO
        [10] = OptionRule.Range(0, 5, 1), // IP_MTU_DISCOVER: TCP's packets are never fragmented
        [11] = OptionRule.Flag, // IP_RECVERR
        [12] = OptionRule.Flag, // IP_RECVTTL
        [13] = OptionRule.Flag, // IP_RECVTOS
        [15] = OptionRule.Flag, // IP_FREEBIND
        [16] = OptionRule.Privileged, // IP_IPSEC_POLICY
        [17] = OptionRule.Privileged, // IP_XFRM_POLICY
        [18] = OptionRule.Flag, // IP_PASSSEC
        [19] = OptionRule.Flag, // IP_TRANSPARENT: the library asks the kernel for the privilege
        [20] = OptionRule.Flag, // IP_RECVORIGDSTADDR
        [21] = OptionRule.Range(0, 255), // IP_MINTTL
        [22] = OptionRule.ReadOnly(0), // IP_NODEFRAG
        [23] = OptionRule.Flag, // IP_CHECKSUM
        [24] = OptionRule.Flag, // IP_BIND_ADDRESS_NO_PORT
        [26] = OptionRule.ZeroOrOne, // IP_RECVERR_RFC4884
        [50] = OptionRule.Number, // IP_UNICAST_IF
        [51] = OptionRule.Number, // IP_LOCAL_PORT_RANGE
        [52] = OptionRule.ReadOnly(0), // IP_PROTOCOL
    }.ToFrozenDictionary();

    private static readonly FrozenDictionary<int, OptionRule> StreamIp = new Dictionary<int, OptionRule>
    {
        [9] = OptionRule.Nothing, // IP_PKTOPTIONS
        [25] = OptionRule.SetFails(Invalid), // IP_RECVFRAGSIZE
        [32] = OptionRule.SetFails(Invalid), // IP_MULTICAST_IF
        [33] = OptionRule.SetFails(Invalid, 1), // IP_MULTICAST_TTL
        [34] = OptionRule.FlagOn, // IP_MULTICAST_LOOP
        [35] = new OptionRule(SetError: (int)StackError.ProtocolError, GetError: (int)StackError.NoSuchOption), // IP_ADD_MEMBERSHIP
        [36] = new OptionRule(SetError: (int)StackError.ProtocolError, GetError: (int)StackError.NoSuchOption), // IP_DROP_MEMBERSHIP
        [49] = OptionRule.Range(0, 1, 1), // IP_MULTICAST_ALL
    }.ToFrozenDictionary();

    private static readonly FrozenDictionary<int, OptionRule> DatagramIp = new Dictionary<int, OptionRule>
    {
        [25] = OptionRule.Flag, // IP_RECVFRAGSIZE
    }.ToFrozenDictionary();

    private static readonly FrozenDictionary<int, OptionRule> IpV6 = new Dictionary<int, OptionRule>
    {
        [2] = OptionRule.Flag, // IPV6_2292PKTINFO
        [3] = OptionRule.Flag, // IPV6_2292HOPOPTS
        [4] = OptionRule.Flag, // IPV6_2292DSTOPTS
        [5] = OptionRule.Flag, // IPV6_2292RTHDR
        [8] = OptionRule.Flag, // IPV6_2292HOPLIMIT
        [11] = OptionRule.Flag, // IPV6_FLOWINFO
        [23] = OptionRule.Range(0, 5, 1), // IPV6_MTU_DISCOVER
        [25] = OptionRule.Flag, // IPV6_RECVERR
        [26] = OptionRule.Flag, // IPV6_V6ONLY
        [31] = OptionRule.ZeroOrOne, // IPV6_RECVERR_RFC4884
        [33] = OptionRule.Flag, // IPV6_FLOWINFO_SEND
        [34] = OptionRule.Privileged, // IPV6_IPSEC_POLICY
        [35] = OptionRule.Privileged, // IPV6_XFRM_POLICY
        [49] = OptionRule.Flag, // IPV6_RECVPKTINFO
        [51] = OptionRule.Flag, // IPV6_RECVHOPLIMIT
        [53] = OptionRule.Flag, // IPV6_RECVHOPOPTS
        [56] = OptionRule.Flag, // IPV6_RECVRTHDR
        [58] = OptionRule.Flag, // IPV6_RECVDSTOPTS
        [60] = OptionRule.Flag, // IPV6_RECVPATHMTU
        [62] = OptionRule.Flag, // IPV6_DONTFRAG
        [66] = OptionRule.Flag, // IPV6_RECVTCLASS
        [70] = OptionRule.FlagOn, // IPV6_AUTOFLOWLABEL
        [73] = OptionRule.Range(0, 255), // IPV6_MINHOPCOUNT
        [74] = OptionRule.Flag, // IPV6_RECVORIGDSTADDR
        [75] = OptionRule.Flag, // IPV6_TRANSPARENT
        [76] = OptionRule.Number, // IPV6_UNICAST_IF
        [77] = OptionRule.Flag, // IPV6_RECVFRAGSIZE
        [78] = OptionRule.Flag, // IPV6_FREEBIND
    }.ToFrozenDictionary();

    private static readonly FrozenDictionary<int, OptionRule> StreamIpV6 = new Dictionary<int, OptionRule>
    {
        [6] = OptionRule.Nothing, // IPV6_2292PKTOPTIONS
        [17] = OptionRule.SetFails((int)StackError.NoSuchOption), // IPV6_MULTICAST_IF
        [18] = OptionRule.SetFails((int)StackError.NoSuchOption, 1), // IPV6_MULTICAST_HOPS
        [19] = OptionRule.Range(0, 1, 1), // IPV6_MULTICAST_LOOP
        [20] = new OptionRule(SetError: (int)StackError.ProtocolError, GetError: (int)StackError.NoSuchOption), // IPV6_ADD_MEMBERSHIP
        [21] = new OptionRule(SetError: (int)StackError.ProtocolError, GetError: (int)StackError.NoSuchOption), // IPV6_DROP_MEMBERSHIP
        [29] = OptionRule.FlagOn, // IPV6_MULTICAST_ALL
    }.ToFrozenDictionary();

    private static readonly FrozenDictionary<int, OptionRule> Udp = new Dictionary<int, OptionRule>
    {
        [10] = OptionRule.ReadOnly(0), // UDPLITE_SEND_CSCOV
        [11] = OptionRule.ReadOnly(0), // UDPLITE_RECV_CSCOV
        [100] = new OptionRule(Least: 0, Most: 0, RangeError: (int)StackError.NoSuchOption), // UDP_ENCAP: no IPsec
        [101] = OptionRule.Flag, // UDP_NO_CHECK6_TX
        [102] = OptionRule.Flag, // UDP_NO_CHECK6_RX
    }.ToFrozenDictionary();

    /// <summary>The rule for an option of a level that the socket has; null: the stack knows it, or nobody does.</summary>
    public static OptionRule? Find(int level, int name, LinkSocketType type)
    {
        var isStream = type == LinkSocketType.Stream;
        if (!isStream && DatagramOptions.IsReal(level, name))
            return null;
        return level switch
        {
            LinkOption.SolSocket => (isStream ? StreamSocket : DatagramSocket).GetValueOrDefault(name) ?? Socket.GetValueOrDefault(name),
            LinkOption.IpProtoTcp => Tcp.GetValueOrDefault(name),
            LinkOption.IpProtoUdp => Udp.GetValueOrDefault(name),
            LinkOption.IpProtoIp => Ip.GetValueOrDefault(name) ?? (isStream ? StreamIp : DatagramIp).GetValueOrDefault(name),
            LinkOption.IpProtoIpV6 => IpV6.GetValueOrDefault(name) ?? (isStream ? StreamIpV6.GetValueOrDefault(name) : null),
            _ => null,
        };
    }
}
