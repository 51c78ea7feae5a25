namespace Tapwire.Stack.Ip;

/// <summary>What an ICMP error means to a transport, whichever family it came in (RFC 792, RFC 1122 3.2.2, RFC 4443).</summary>
internal enum IcmpErrorKind
{
    /// <summary>No route to the network.</summary>
    NetworkUnreachable,

    /// <summary>No route to the host, or it does not answer ARP.</summary>
    HostUnreachable,

    /// <summary>The host does not speak the transport protocol.</summary>
    ProtocolUnreachable,

    /// <summary>Nobody listens on the port.</summary>
    PortUnreachable,

    /// <summary>A filter forbids it.</summary>
    AdminProhibited,

    /// <summary>The hop limit ran out, or reassembly took too long.</summary>
    TimeExceeded,

    /// <summary>A header field was refused.</summary>
    ParameterProblem,

    /// <summary>The packet did not fit the next link and must not be fragmented; comes with that link's MTU.</summary>
    PacketTooBig,
}
