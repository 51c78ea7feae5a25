namespace Tapwire.Stack.Ip;

/// <summary>What an ICMP error means to a transport, whichever family it came in (RFC 792, RFC 1122 3.2.2, RFC 4443).</summary>
internal enum IcmpErrorKind
{
    /// <summary>No route to the network.</summary>
    NetworkUnreachable,

    /// <summary>No route to the host, or it does not answer ARP.</summary>
    HostUnreachable,

    /// <summary>The last router does not know of the host.</summary>
    HostUnknown,

    /// <summary>The sending host is cut off from the network.</summary>
    HostIsolated,

    /// <summary>A router could not follow the source route.</summary>
    SourceRouteFailed,

    /// <summary>The host does not speak the transport protocol.</summary>
    ProtocolUnreachable,

    /// <summary>Nobody listens on the port.</summary>
    PortUnreachable,

    /// <summary>A filter forbids it.</summary>
    AdminProhibited,

    /// <summary>A policy of a router refuses it (RFC 4443, 3.1), which Linux tells apart from <see cref="AdminProhibited"/> for IPv6 only.</summary>
    Forbidden,

    /// <summary>The hop limit ran out, or reassembly took too long.</summary>
    TimeExceeded,

    /// <summary>A header field was refused.</summary>
    ParameterProblem,

    /// <summary>The packet did not fit the next link and must not be fragmented; comes with that link's MTU.</summary>
    PacketTooBig,
}

/// <summary>An ICMP error as a transport gets it.</summary>
/// <param name="From">Who has sent it.</param>
/// <param name="Mtu">With <see cref="IcmpErrorKind.PacketTooBig"/>: what the next link takes, in bytes.</param>
/// <param name="HopLimit">TTL of the message as received.</param>
/// <param name="TrafficClass">DSCP and ECN bits of the message as received.</param>
internal readonly record struct IcmpErrorReport(IcmpErrorKind Kind, IpAddress From, byte Type, byte Code, int Mtu, byte HopLimit, byte TrafficClass);

/// <summary>Translates ICMP errors into the errors of sockets.</summary>
internal static class IcmpErrorKinds
{
    /// <summary>The errno values of Linux (icmp_err_convert, icmpv6_err_convert, and for the last three tcp_v4_err).</summary>
    public static StackError ToStackError(this IcmpErrorKind kind) => kind switch
    {
        IcmpErrorKind.NetworkUnreachable => StackError.NetworkUnreachable,
        IcmpErrorKind.HostUnknown => StackError.HostDown,
        IcmpErrorKind.HostIsolated => StackError.NotOnNetwork,
        IcmpErrorKind.SourceRouteFailed => StackError.NotSupported,
        IcmpErrorKind.ProtocolUnreachable => StackError.NoSuchOption,
        IcmpErrorKind.PortUnreachable => StackError.ConnectionRefused,
        IcmpErrorKind.PacketTooBig => StackError.MessageTooLong,
        IcmpErrorKind.ParameterProblem => StackError.ProtocolError,
        IcmpErrorKind.Forbidden => StackError.AccessDenied,
        IcmpErrorKind.HostUnreachable or IcmpErrorKind.AdminProhibited or IcmpErrorKind.TimeExceeded => StackError.HostUnreachable,
        _ => throw new ArgumentOutOfRangeException(nameof(kind), kind, null),
    };
}
