using Tapwire.Stack;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Tcp;

namespace Tapwire.Messages;

/// <summary>
/// ConnectionActor, or ProxySessionActor on hold → StackActor: open a connection. Answered by <see cref="Connecting"/> when the handshake begins, and after it
/// once by <see cref="Connected"/> or <see cref="ConnectFailed"/>; a request that is refused at once gets only the latter.
/// </summary>
/// <param name="Remote">The peer.</param>
/// <param name="Binding">A port reserved by <see cref="Bind"/>, or null to have one chosen. The connection owns it from then on.</param>
public sealed record Connect(IpEndpoint Remote, SocketId? Binding, TcpSocketOptions Options)
{
    /// <summary>After <see cref="Connected"/> no message follows, as with an <see cref="Accepted"/> connection, until an actor has sent <see cref="Attach"/>:
    /// for a connection that another actor will own.</summary>
    public bool Hold { get; init; }

    /// <summary>The end to connect from; unspecified parts are chosen. A stack with a guest may have any address but the guest's. Ignored with a <see cref="Binding"/>.</summary>
    public IpEndpoint Local { get; init; }

    /// <summary>The zone of a link-local peer (RFC 4007, 11), an interface's name, or its number as programs see it; null: any. Ignored with a <see cref="Binding"/>, which has an interface.</summary>
    public string? Zone { get; init; }
}

/// <summary>StackActor → ConnectionActor: the handshake has begun. <see cref="Abort"/> cancels it.</summary>
/// <param name="IsEarly">Fast Open has a cookie for the peer: <see cref="Connected"/> follows at once.</param>
public sealed record Connecting(SocketId Id, IpEndpoint Local, bool IsEarly = false)
{
    /// <inheritdoc cref="Bound.Interface"/>
    public byte? Interface { get; init; }
}

/// <summary>StackActor → ConnectionActor: the handshake is done. The actor may write <paramref name="SendRoom"/> bytes.</summary>
/// <param name="IsEarly">The handshake is not done, but data that the actor writes goes with the SYN (RFC 7413). <see cref="HandshakeDone"/> follows, or
/// <see cref="Closed"/> with the reason.</param>
public sealed record Connected(SocketId Id, IpEndpoint Local, IpEndpoint Remote, int SendRoom, bool IsEarly = false)
{
    /// <inheritdoc cref="Bound.Interface"/>
    public byte? Interface { get; init; }
}

/// <summary>StackActor → ConnectionActor: the handshake of a connection that was <see cref="Connected"/> early is done.</summary>
public sealed record HandshakeDone(SocketId Id);

/// <summary>StackActor → ConnectionActor: the connection has failed. A binding given with the request is free again.</summary>
public sealed record ConnectFailed(StackError Error);

/// <summary>
/// ConnectionActor → StackActor, first message about an <see cref="Accepted"/> socket, or one that was connected on hold: I am its owner. Answered by
/// <see cref="Connected"/>, and then by the events since; by <see cref="Closed"/> when the socket is gone already.
/// </summary>
public sealed record Attach(SocketId Id);
