using Akka.Actor;
using Tapwire.Links.Protocol;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Tcp;

namespace Tapwire.Messages;

/// <summary>
/// Anyone → DriverActor, StackActor, TapActor, LinkActor, ProxyActor, GuestsActor or CableActor: report your status. Answered by <see cref="DriverStatus"/>,
/// <see cref="StackStatus"/>, <see cref="TapStatus"/>, <see cref="LinkStatus"/>, <see cref="ProxyStatus"/>, <see cref="GuestsStatus"/> or <see cref="CableStatus"/>, in every state.
/// Driver, proxy, guests and cable ask their children the same; a driver that stops refuses. An actor that is gone does not answer, so senders set a time-out.
/// </summary>
public sealed class GetStatus
{
    public static readonly GetStatus Instance = new(true);

    /// <summary>Without the sockets: for those who ask often and want numbers only.</summary>
    public static readonly GetStatus Figures = new(false);

    private GetStatus(bool listsSockets) => ListsSockets = listsSockets;

    public bool ListsSockets { get; }
}

/// <summary>TapActor's answer.</summary>
public sealed record TapStatus(WireStatus Wire);

/// <summary>LinkActor's answer.</summary>
/// <param name="Sessions">Number of control connections of applications.</param>
/// <param name="Sockets">Number of sockets of applications.</param>
public sealed record LinkStatus(int Sessions, int Sockets);

/// <summary>GuestsActor's answer.</summary>
public sealed record GuestsStatus(IReadOnlyList<GuestStatus> Guests);

/// <summary>StackActor's answer.</summary>
/// <param name="Interfaces">The stack's state of each interface, in the order in which they were added.</param>
/// <param name="Counters">The engine's nonzero counters by name.</param>
public sealed record StackStatus(IReadOnlyList<StackInterfaceStatus> Interfaces, IReadOnlyList<ConnectionStatus> Connections,
    int ConnectionCount, IReadOnlyDictionary<string, long> Counters, long BuffersRented, TimeSpan Uptime)
{
    /// <inheritdoc cref="DriverStatus.Limits"/>
    public IReadOnlyDictionary<SenderLimit, int> Limits { get; init; } = new Dictionary<SenderLimit, int>();

    /// <inheritdoc cref="DriverStatus.FullListeners"/>
    public IReadOnlyList<FullListenerStatus> FullListeners { get; init; } = [];

    /// <summary>The addresses of all interfaces.</summary>
    public IEnumerable<IpPrefix> Addresses() => Interfaces.SelectMany(static each => each.Addresses);
}

/// <summary>DriverActor or LinkActor → StackActor: some of your sockets. Answered by <see cref="SocketsPage"/> in every state.</summary>
/// <param name="From">0, or <see cref="SocketsPage.Next"/> of the page before.</param>
/// <param name="Most">Sockets in the answer at most, at least 1.</param>
public sealed record GetSockets(SocketFilter Filter, int From, int Most);

/// <summary>StackActor's answer.</summary>
/// <param name="Next">Null: there are no more.</param>
public sealed record SocketsPage(IReadOnlyList<OwnedSocket> Sockets, int? Next);

/// <summary>LinkActor → StackActor: end a connection for both sides. Answered by <see cref="ConnectionKilled"/> in every state.</summary>
public sealed record KillConnection(IpEndpoint Local, IpEndpoint Remote);

/// <summary>StackActor's answer.</summary>
/// <param name="IsFound">The stack had such a connection.</param>
public sealed record ConnectionKilled(bool IsFound);

/// <summary>A socket, and the actor that has it; Nobody while nobody has taken it.</summary>
public sealed record OwnedSocket(ConnectionStatus Status, IActorRef Owner);

/// <summary>The stack's state of an interface; its <see cref="WireStatus"/> comes from the tap actor.</summary>
public sealed record StackInterfaceStatus(string Name, IReadOnlyList<IpPrefix> Addresses, IReadOnlyList<RouteStatus> Routes)
{
    public IReadOnlyList<NeighborStatus> Neighbors { get; init; } = [];
}
