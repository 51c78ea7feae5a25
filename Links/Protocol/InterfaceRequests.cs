using Tapwire.Stack.Interfaces;
using Tapwire.Stack.Ip;

namespace Tapwire.Links.Protocol;

/// <summary>
/// A request that changes an attachment of the driver to a network. Its answer says in a sentence why it is refused: <see cref="LinkAnswer.Reason"/>.
/// </summary>
public abstract record InterfaceRequest(LinkMessageType Type, uint Id) : LinkRequest(Type, Id)
{
    public LinkAnswer Done() => Succeeded();

    /// <param name="errno">A Linux errno, not 0.</param>
    /// <param name="reason">A sentence for the operator, cut to <see cref="LinkProtocol.MaxReason"/> bytes.</param>
    public LinkAnswer Refused(int errno, string reason) => LinkAnswer.Refusal(Type, Id, errno, reason);
}

/// <summary>Attaches the driver to one more network.</summary>
public sealed record AddInterfaceRequest(uint Id, NewInterface Interface) : InterfaceRequest(LinkMessageType.AddInterface, Id);

/// <summary>Ends an attachment; its connections end with ECONNABORTED.</summary>
public sealed record RemoveInterfaceRequest(uint Id, string Name) : InterfaceRequest(LinkMessageType.RemoveInterface, Id);

/// <summary>Gives an interface an address. <see cref="AddAddressRequest"/> is the same without a name.</summary>
/// <param name="Interface">Empty: the one with an address of the same network, or else the first.</param>
public sealed record AddInterfaceAddressRequest(uint Id, IpPrefix Address, string Interface) : InterfaceRequest(LinkMessageType.AddInterfaceAddress, Id);

/// <summary>Gives an interface a route through a gateway.</summary>
/// <param name="Interface">Empty: the one with an address of the gateway's network.</param>
public sealed record AddRouteRequest(uint Id, LinkRoute Route, string Interface) : InterfaceRequest(Route.Metric == 0 ? LinkMessageType.AddRoute : LinkMessageType.AddMetricRoute, Id);

/// <summary>Takes a route through a gateway away.</summary>
/// <param name="Interface">Empty: the only one with such a route.</param>
public sealed record RemoveRouteRequest(uint Id, IpPrefix Destination, string Interface) : InterfaceRequest(LinkMessageType.RemoveRoute, Id)
{
    /// <summary>Of the route; null: the interface has only one to there.</summary>
    public int? Metric { get; init; }
}

/// <summary>Names a neighbour's hardware address, or forgets neighbours.</summary>
/// <param name="Address">Null: all that are not permanent, of an interface that has to be named.</param>
/// <param name="Hardware">Null: the neighbour is forgotten.</param>
/// <param name="Interface">Empty: the one with an address of the same network.</param>
public sealed record NeighborRequest(uint Id, IpAddress? Address, MacAddress? Hardware, string Interface) : InterfaceRequest(LinkMessageType.ChangeNeighbor, Id);

/// <summary>A route through a gateway. Of prefix length 0, the default route.</summary>
public readonly record struct LinkRoute(IpPrefix Destination, IpAddress Gateway)
{
    /// <inheritdoc cref="Route.Metric"/>
    public int Metric { get; init; }
}

/// <summary>An attachment to a network that a driver is asked to make.</summary>
/// <param name="Wire">As settings have it, "tap:tw1" or "tun:tw1".</param>
/// <param name="Addresses">The stack's; at least one, unless <see cref="NewInterface.Dhcp"/> or <see cref="NewInterface.Slaac"/> bring some.</param>
public sealed record NewInterface(string Wire, IReadOnlyList<IpPrefix> Addresses)
{
    /// <summary>What status and other requests call it; empty: as its device.</summary>
    public string Name { get; init; } = "";

    /// <summary>Bytes; 0 takes the device's.</summary>
    public int Mtu { get; init; }

    /// <summary>Null: the device's, or one at random.</summary>
    public MacAddress? HardwareAddress { get; init; }

    /// <summary>For the kernel's end of the device.</summary>
    public IReadOnlyList<IpPrefix> PeerAddresses { get; init; } = [];

    public IReadOnlyList<LinkRoute> Routes { get; init; } = [];

    /// <summary>IPv6 addresses and routes from the network's routers.</summary>
    public LinkSlaac Slaac { get; init; }

    /// <summary>Addresses from a DHCP server.</summary>
    public LinkDhcp Dhcp { get; init; }
}

/// <summary>Stateless address autoconfiguration of an interface, as a byte of the request.</summary>
public enum LinkSlaac : byte
{
    Off,
    Stable,

    /// <summary>With random addresses beside the stable ones.</summary>
    Temporary,
}

/// <summary>DHCP clients of an interface, as a byte of the request.</summary>
[Flags]
public enum LinkDhcp : byte
{
    None,
    V4 = 1,
    V6 = 2,
    Both = V4 | V6,
}
