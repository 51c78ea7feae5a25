using Akka.Actor;
using Akka.Event;
using Tapwire.Stack;
using Tapwire.Stack.Interfaces;
using Tapwire.Stack.Ip;

namespace Tapwire.Messages;

/// <summary>
/// DriverActor → StackActor: add an interface, with its wire. Answered by <see cref="InterfaceAttached"/>, after the tap actor has been told to open its wire,
/// or by <see cref="InterfaceRefused"/>. Sent to each shard.
/// </summary>
/// <param name="Options">Other messages refer to the interface by its <see cref="InterfaceOptions.Name"/>, which no other interface has.</param>
/// <param name="Routes">Routes through gateways; those to the addresses' own prefixes come with the addresses.</param>
/// <param name="Tap">The wire's actor.</param>
public sealed record AttachInterface(InterfaceOptions Options, IReadOnlyList<IpPrefix> Addresses, IReadOnlyList<GatewayRoute> Routes, IActorRef Tap)
{
    /// <summary>The driver itself cuts super-frames for this wire: each counts for its segments where frames to the wire are counted.</summary>
    public bool CutsSuperFrames { get; init; }
}

/// <summary>A route through a gateway, as in the settings.</summary>
/// <param name="Gateway">Unspecified: the wire itself knows who has the destination, as WireGuard's peers do.</param>
public readonly record struct GatewayRoute(IpPrefix Destination, IpAddress Gateway)
{
    /// <inheritdoc cref="Route.Metric"/>
    public int Metric { get; init; }

    public bool IsDirect => Gateway.IsUnspecified;

    /// <summary>The other one would take its place: an interface has one route of a metric to a destination.</summary>
    public bool IsSamePlaceAs(GatewayRoute other) => Destination == other.Destination && Metric == other.Metric;
}

/// <summary>StackActor → DriverActor: the interface has been added.</summary>
public sealed record InterfaceAttached(string Name);

/// <summary>StackActor → DriverActor: the interface was refused, and nothing has changed.</summary>
/// <param name="Reason">The reason, in a sentence.</param>
public sealed record InterfaceRefused(string Name, string Reason);

/// <summary>
/// DriverActor → StackActor: remove the interface, with its addresses and routes. Its connections are reset and end with ECONNABORTED; sockets that are bound
/// to its addresses likewise; listeners and sockets of all addresses stay. Answered by <see cref="InterfaceDetached"/>, after the last frame for the wire.
/// </summary>
public sealed record DetachInterface(string Name);

/// <summary>StackActor → DriverActor: the interface is gone, or there was none of that name.</summary>
public sealed record InterfaceDetached(string Name);

/// <summary>Anyone → StackActor: add or remove an address at run time. Answered by <see cref="AddressAnswer"/>.</summary>
/// <param name="Interface">The name of the interface; null: the one with an address of the same network, or else the first.</param>
public sealed record AddAddress(IpPrefix Prefix, string? Interface = null);

/// <inheritdoc cref="AddAddress"/>
public sealed record RemoveAddress(IpAddress Address);

/// <summary>DriverActor → StackActor: add or remove a route at run time. Answered by <see cref="AddressAnswer"/>.</summary>
public sealed record AddRoute(GatewayRoute Route, string Interface);

/// <inheritdoc cref="AddRoute"/>
public sealed record RemoveRoute(IpPrefix Destination, int Metric, string Interface);

/// <summary>DriverActor → StackActor: name a neighbour, or forget it. Answered by <see cref="AddressAnswer"/>: AddressNotAvailable means that there is no such neighbour.</summary>
/// <param name="Hardware">Null: forget it.</param>
public sealed record ChangeNeighbor(string Interface, IpAddress Address, MacAddress? Hardware);

/// <summary>DriverActor → StackActor: forget all neighbours of an interface that are not permanent. Answered by <see cref="AddressAnswer"/>.</summary>
public sealed record FlushNeighbors(string Interface);

/// <summary>StackActor → who asked for an address or a route to be added or removed: it is done, or the reason why not.</summary>
public sealed record AddressAnswer(StackError Error);

/// <summary>StackActor → DriverActor: routers have named these name servers on an interface (RFC 8106), or name them no longer. Sent by the first shard only. No answer.</summary>
/// <param name="Domains">In which short names are looked for.</param>
public sealed record AdvertisedNames(string Interface, IReadOnlyList<IpAddress> Servers, IReadOnlyList<string> Domains);

/// <summary>LinkActor → StackActor: name the interfaces. Answered by <see cref="InterfaceNames"/>.</summary>
public sealed class GetInterfaces
{
    public static readonly GetInterfaces Instance = new();

    private GetInterfaces()
    {
    }
}

/// <summary>
/// MdnsActor → StackActor: tell me of the interfaces by <see cref="InterfaceNames"/>, now and after each change of them or their addresses, and of wires that come up by <see cref="LinkUp"/>; or no longer.
/// </summary>
public sealed record WatchInterfaces(bool IsOn);

/// <summary>StackActor → MdnsActor: the wire of an interface has come up, perhaps on another network.</summary>
/// <param name="Index">The stack's index.</param>
public sealed record LinkUp(byte Index) : IDeadLetterSuppression;

/// <summary>StackActor → LinkActor, MdnsActor: the interfaces in the order in which they were added; null: the stack has stopped.</summary>
public sealed record InterfaceNames(IReadOnlyList<InterfaceName>? Interfaces);

/// <summary>An interface as its programs see it.</summary>
/// <param name="Index">The stack's index.</param>
public sealed record InterfaceName(int Index, InterfaceOptions Options, IReadOnlyList<IpPrefix> Addresses);
