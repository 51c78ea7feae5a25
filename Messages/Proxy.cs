using Akka.Event;
using Tapwire.Links.Protocol;
using Tapwire.Stack;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Ip;

namespace Tapwire.Messages;

/// <summary>ProxyActor's answer to <see cref="GetStatus"/>: one entry for each port that it serves, as reported by the port's actor.</summary>
public sealed record ProxyStatus(IReadOnlyList<PortStatus> Ports);

/// <summary>ProxyActor → DriverActor, once: all exposed ports listen; or, with a <paramref name="Problem"/>, one does not.</summary>
public sealed record ProxyOpened(string? Problem);

/// <summary>An exposed port's actor → ProxyActor, once: it listens; or, with a <paramref name="Problem"/>, it does not.</summary>
public sealed record PortOpened(string? Problem);

/// <summary>The actor of one connection, or of one UDP client → its port's actor: the connection has failed. The actor's end follows.</summary>
public sealed class ConnectionFailed : IDeadLetterSuppression
{
    public static readonly ConnectionFailed Instance = new();

    private ConnectionFailed()
    {
    }
}

/// <summary>A timer → the actor that has set it: a client, or a destination, has exceeded its time. No answer.</summary>
public sealed class TookTooLong
{
    public static readonly TookTooLong Instance = new();

    private TookTooLong()
    {
    }
}

/// <summary>Between the actor of a UDP port and that of one of its clients, in both directions: one datagram from that client, or for it.</summary>
/// <param name="Client">The client's endpoint on the port's side.</param>
public sealed record FlowDatagram(IpEndpoint Client, PacketBuffer Data) : IOwnsBuffers, IDeadLetterSuppression
{
    public void Release() => Data.Release();
}

/// <summary>The actor of a UDP port's client → the port's actor: this many datagrams could not be passed on.</summary>
public sealed record DatagramsDropped(int Count) : IDeadLetterSuppression;

/// <summary>AssociationActor → its session's actor, once: the endpoint that relays the client's datagrams, or the reason why there is none.</summary>
public sealed record AssociationOpened(IpEndpoint Relay, StackError Error);
