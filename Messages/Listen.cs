using Tapwire.Stack;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Tcp;

namespace Tapwire.Messages;

/// <summary>
/// ConnectionActor → StackActor: reserve a TCP port. Answered once: <see cref="Bound"/> or <see cref="BindFailed"/>. The reservation ends with
/// <see cref="Unbind"/>, or is used up by a <see cref="Connect"/> or <see cref="Listen"/>.
/// </summary>
/// <param name="Local">Address or wildcard; port 0 has one chosen.</param>
public sealed record Bind(IpEndpoint Local, PortSharing Sharing);

/// <summary>StackActor → ConnectionActor: the port is reserved.</summary>
public sealed record Bound(SocketId Id, IpEndpoint Local)
{
    /// <summary>The stack's index of the interface that has the local address, where that is a link-local one of IPv6, which says nothing without it; null: another address.</summary>
    public byte? Interface { get; init; }
}

/// <summary>StackActor → ConnectionActor: the port cannot be reserved.</summary>
public sealed record BindFailed(StackError Error);

/// <summary>ConnectionActor → StackActor: release a reservation. No answer.</summary>
public sealed record Unbind(SocketId Id);

/// <summary>
/// ListenerActor, or ProxySessionActor for its client's BIND → StackActor: open a listening socket. Answered once: <see cref="Listening"/> or
/// <see cref="ListenFailed"/>.
/// </summary>
/// <param name="Local">Address or wildcard; port 0 has one chosen. Ignored with a binding.</param>
/// <param name="Backlog">Connections that may wait for <see cref="Accept"/>, 1..65535.</param>
/// <param name="Binding">A port reserved by <see cref="Bind"/>, or null.</param>
/// <param name="Options">The initial options of accepted connections.</param>
public sealed record Listen(IpEndpoint Local, int Backlog, SocketId? Binding, TcpSocketOptions Options);

/// <summary>StackActor → ListenerActor: the socket listens.</summary>
public sealed record Listening(SocketId Id, IpEndpoint Local)
{
    /// <inheritdoc cref="Bound.Interface"/>
    public byte? Interface { get; init; }
}

/// <summary>StackActor → ListenerActor: the socket does not listen.</summary>
public sealed record ListenFailed(StackError Error);

/// <summary>ListenerActor → StackActor: I can take <paramref name="Count"/> more connections. Each is answered by one <see cref="Accepted"/>, when a connection
/// is there; without such requests connections wait in the backlog.</summary>
public sealed record Accept(SocketId Listener, int Count);

/// <summary>
/// StackActor → ListenerActor, and on to a service's connection with the same sender: a connection has been accepted. No other message about it is sent until
/// an actor has sent <see cref="Attach"/>. If this message is lost the connection is aborted.
/// </summary>
public sealed record Accepted(SocketId Id, IpEndpoint Local, IpEndpoint Remote)
{
    /// <inheritdoc cref="Bound.Interface"/>
    public byte? Interface { get; init; }
}

/// <summary>ListenerActor → StackActor: stop listening; connections that nobody accepted are reset. No answer.</summary>
public sealed record Unlisten(SocketId Id);
