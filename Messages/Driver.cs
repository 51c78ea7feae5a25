using Akka.Actor;
using Akka.Event;

namespace Tapwire.Messages;

/// <summary>Anyone → DriverActor: tell me when you are ready. Answered once by <see cref="DriverReady"/> or <see cref="DriverFailed"/>.</summary>
public sealed class WhenReady
{
    public static readonly WhenReady Instance = new();

    private WhenReady()
    {
    }
}

/// <summary>DriverActor → who asked: wire, stacks, link and services are ready.</summary>
/// <param name="Stack">The first shard's stack actor.</param>
public sealed record DriverReady(IActorRef Stack, IReadOnlyList<ServiceOpened> Services)
{
    /// <summary>For sockets of the process that has the driver: the context of each shard.</summary>
    public IReadOnlyList<SocketContext> Sockets { get; init; } = [];

    /// <summary>The actor that answers <see cref="Resolve"/>.</summary>
    public IActorRef Names { get; init; } = ActorRefs.Nobody;
}

/// <summary>DriverActor → who asked: the driver cannot work, for this reason. It stops.</summary>
public sealed record DriverFailed(string Reason);

/// <summary>Anyone → DriverActor: stop in order. Applications see the end of their streams, TCP gets FIN or RST, the wire closes last. The answer is the
/// actor's termination.</summary>
public sealed class StopDriver
{
    public static readonly StopDriver Instance = new();

    private StopDriver()
    {
    }
}

/// <summary>
/// DriverActor → listeners, links, services → connections: the driver stops; close in order and stop. Sent again when the driver's patience is over: stop now. StackActor, which goes on until <see cref="StopStack"/>,
/// notes what there is.
/// </summary>
public sealed class Stopping : IDeadLetterSuppression
{
    public static readonly Stopping Instance = new();

    private Stopping()
    {
    }
}

/// <summary>
/// DriverActor → a service's listener, ProxyActor → the actor of a port: the settings no longer contain it. Accept nothing more, let existing connections run
/// to their end, and then stop. Answered by <see cref="AcceptingStopped"/>; the actor's termination follows.
/// </summary>
public sealed class StopAccepting : IDeadLetterSuppression
{
    public static readonly StopAccepting Instance = new();

    private StopAccepting()
    {
    }
}

/// <summary>The answer to <see cref="StopAccepting"/>: the port is free in the stack, or on the host, from now on.</summary>
public sealed class AcceptingStopped : IDeadLetterSuppression
{
    public static readonly AcceptingStopped Instance = new();

    private AcceptingStopped()
    {
    }
}

/// <summary>
/// DriverActor → StackActor, after every socket's actor has gone: let closing connections finish within <paramref name="Patience"/>, reset the rest, and stop.
/// The answer is the actor's termination.
/// </summary>
public sealed record StopStack(TimeSpan Patience);
