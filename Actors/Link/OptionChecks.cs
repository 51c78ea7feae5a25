using Tapwire.Links.Protocol;
using Tapwire.Posix;
using Tapwire.Stack;

namespace Tapwire.Actors.Link;

/// <summary>
/// What Linux refuses before it looks at an option: levels that are not the socket's, and values that are too short for any option of their level
/// (sk_setsockopt, do_tcp_setsockopt, udp_lib_setsockopt, do_ip_setsockopt, do_ipv6_setsockopt).
/// </summary>
internal static class OptionChecks
{
    /// <summary>The errno that a request about an option fails with; 0: none, or the request is about something else.</summary>
    public static int Refusal(LinkRequest request, LinkSocketType type, SocketFamily family) => request switch
    {
        GetOptionRequest { Level: LinkOption.SolSocket, Name: LinkOption.SoSndBufForce or LinkOption.SoRcvBufForce } => (int)StackError.NoSuchOption,

        // An AF_INET socket passes what it does not know on to IP, which knows no other level (do_ip_getsockopt).
        GetOptionRequest get when !Has(get.Level, type, family) => (int)(family == SocketFamily.V6 ? StackError.NoSuchOption : StackError.NotSupported),
        SetOptionRequest set when !Has(set.Level, type, family) => (int)StackError.NoSuchOption,
        SetOptionRequest set when !IsLengthTaken(set.Level, set.Name, set.Value.Length, type) => (int)StackError.InvalidArgument,
        _ => 0,
    };

    private static bool Has(int level, LinkSocketType type, SocketFamily family) => level switch
    {
        LinkOption.SolSocket or LinkOption.IpProtoIp or LinkOption.Link => true,
        LinkOption.IpProtoIpV6 => family == SocketFamily.V6,
        LinkOption.IpProtoTcp => type == LinkSocketType.Stream,
        LinkOption.IpProtoUdp => type == LinkSocketType.Datagram,
        _ => false,
    };

    private static bool IsLengthTaken(int level, int name, int length, LinkSocketType type) => level switch
    {
        LinkOption.SolSocket => length >= sizeof(int) || name == LinkOption.SoBindToDevice,
        LinkOption.IpProtoTcp => length >= (name is LinkOption.TcpCongestion or LinkOption.TcpUlp or LinkOption.TcpFastOpenKey ? 1 : sizeof(int)),
        LinkOption.IpProtoUdp => length >= sizeof(int),
        LinkOption.IpProtoIp => name switch
        {
            // A byte is enough for a number, and for most options none is: it stands for 0.
            LinkOption.IpTtl or LinkOption.IpFreeBind or LinkOption.IpTransparent or LinkOption.IpMinTtl or LinkOption.IpMulticastTtl or LinkOption.IpMulticastLoop
                or LinkOption.IpMulticastAll => length >= 1,
            LinkOption.IpMulticastIf => length >= sizeof(int),
            LinkOption.IpUnicastIf or LinkOption.IpLocalPortRange => length == sizeof(int),
            _ => true,
        },
        LinkOption.IpProtoIpV6 => name switch
        {
            LinkOption.IpV6DontFrag or LinkOption.IpV6AutoFlowLabel or LinkOption.IpV6RecvFragSize => true,
            LinkOption.IpV6UnicastIf => length == sizeof(int),
            LinkOption.IpV6MulticastIf when type == LinkSocketType.Datagram => length >= sizeof(int),
            _ => length >= sizeof(int) || !IsKnownV6(name, type),
        },
        _ => true,
    };

    /// <summary>Other options of IPv6 are unknown whatever their length.</summary>
    private static bool IsKnownV6(int name, LinkSocketType type) =>
        LinkOptions.Map(LinkOption.IpProtoIpV6, name) is not null || OptionRules.Find(LinkOption.IpProtoIpV6, name, type) is { SetError: not (int)StackError.NoSuchOption }
        || (type == LinkSocketType.Datagram && DatagramOptions.IsKnown(LinkOption.IpProtoIpV6, name));
}
