using Tapwire.Links.Protocol;
using Tapwire.Posix;
using Tapwire.Stack;
using Tapwire.Stack.Packets;
using Tapwire.Stack.Udp;

namespace Tapwire.Actors.Link;

/// <summary>The kinds of sockets that applications can have.</summary>
internal static class SocketKinds
{
    /// <summary>The errno that a request for a socket of another kind fails with; 0: there are such sockets.</summary>
    public static int Refusal(SocketRequest request) => (request.Family, request.SocketType, request.Protocol) switch
    {
        (not (SocketFamily.V4 or SocketFamily.V6), _, _) => (int)StackError.AddressFamilyNotSupported,
        (_, LinkSocketType.Stream, 0 or IpProtocol.Tcp) or (_, LinkSocketType.Datagram, 0 or IpProtocol.Udp) => 0,
        (SocketFamily.V4, LinkSocketType.Datagram, IpProtocol.Icmp) or (SocketFamily.V6, LinkSocketType.Datagram, IpProtocol.Icmpv6) => 0,
        (_, LinkSocketType.Stream or LinkSocketType.Datagram, _) => LinkErrno.ProtocolNotSupported,
        _ => LinkErrno.SocketTypeNotSupported,
    };

    public static DatagramKind DatagramKindOf(SocketRequest request) => request.Protocol is IpProtocol.Icmp or IpProtocol.Icmpv6 ? DatagramKind.Echo : DatagramKind.Udp;
}
