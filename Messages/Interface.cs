using Akka.Actor;
using Tapwire.Stack;
using Tapwire.Stack.Interfaces;
using Tapwire.Stack.Ip;

namespace Tapwire.Messages;

/// <summary>
/// DriverActor → StackActor: one more interface, with its wire. Answered by <see cref="InterfaceAttached"/> or <see cref="InterfaceRefused"/>; with the first, the tap actor has been
/// told to open its wire. Of several shards each is asked.
/// </summary>
/// <param name="Options">Their <see cref="InterfaceOptions.Name"/> is what other messages call it: no other interface has it.</param>
/// <param name="Routes">Those through gateways; the ones to the addresses' own prefixes come with these.</param>
/// <param name="Tap">The actor of the wire.</param>
public sealed record AttachInterface(InterfaceOptions Options, IReadOnlyList<IpPrefix> Addresses, IReadOnlyList<GatewayRoute> Routes, IActorRef Tap)
{
    /// <summary>The driver cuts super-frames for this wire itself: each counts for its segments where frames to the wire are counted.</summary>
    public bool CutsSuperFrames { get; init; }
}

/// <summary>A route through a gateway, as settings have it.</summary>
public readonly record struct GatewayRoute(IpPrefix Destination, IpAddress Gateway);

/// <summary>StackActor → DriverActor: done.</summary>
public sealed record InterfaceAttached(string Name);

/// <summary>StackActor → DriverActor: nothing has changed.</summary>
/// <param name="Reason">Why, in a sentence.</param>
public sealed record InterfaceRefused(string Name, string Reason);

/// <summary>
/// DriverActor → StackActor: the interface goes, with its addresses and routes. Its connections are reset and end with ECONNABORTED; sockets that are bound to its addresses
/// likewise; listeners and sockets of all addresses stay. Answered by <see cref="InterfaceDetached"/>, behind the last frame for the wire.
/// </summary>
public sealed record DetachInterface(string Name);

/// <summary>StackActor → DriverActor: the interface is gone, or there was none of that name.</summary>
public sealed record InterfaceDetached(string Name);

/// <summary>Anyone → StackActor: an address comes or goes at run time. Answered by <see cref="AddressAnswer"/>.</summary>
/// <param name="Interface">The name of the interface; null: the one with an address of the same network, or else the first.</param>
public sealed record AddAddress(IpPrefix Prefix, string? Interface = null);

/// <inheritdoc cref="AddAddress"/>
public sealed record RemoveAddress(IpAddress Address);

/// <summary>DriverActor → StackActor: a route comes, or goes, at run time. Answered by <see cref="AddressAnswer"/>.</summary>
public sealed record AddRoute(GatewayRoute Route, string Interface);

/// <inheritdoc cref="AddRoute"/>
public sealed record RemoveRoute(IpPrefix Destination, string Interface);

/// <summary>StackActor → who asked for an address or a route to be added or removed: done, or why not.</summary>
public sealed record AddressAnswer(StackError Error);
