using Akka.Actor;
using Tapwire.Actors.Settings;
using Tapwire.Links.Protocol;
using Tapwire.Messages;
using Tapwire.Stack;
using Tapwire.Stack.Interfaces;
using Tapwire.Stack.Ip;

namespace Tapwire.Actors.Link;

/// <summary>Requests that change interfaces, addresses and routes, as commands for the driver.</summary>
internal static class InterfaceCalls
{
    public const string NotPermitted = "Only the driver's own user and root may change its interfaces and routes.";

    /// <summary>
    /// Whether a request is for operators only. Devices are the machine's, and a route takes everybody's packets elsewhere unnoticed. An address is not: whoever the link admits
    /// may use, and close, every socket anyway.
    /// </summary>
    public static bool NeedsOperator(LinkRequest request) => request is InterfaceRequest and not AddInterfaceAddressRequest;

    /// <exception cref="CommandRefusedException">What it asks for cannot be.</exception>
    public static InterfaceCommand CommandOf(LinkRequest request) => request switch
    {
        AddAddressRequest add => new AddressComes(new IpPrefix(add.Address, add.PrefixLength), null),
        AddInterfaceAddressRequest add => new AddressComes(add.Address, NameOf(add.Interface)),
        RemoveAddressRequest remove => new AddressGoes(remove.Address),
        AddInterfaceRequest add => new InterfaceComes(SettingsOf(add.Interface)),
        RemoveInterfaceRequest remove => new InterfaceGoes(remove.Name),
        AddRouteRequest add => new RouteComes(RouteOf(add.Route), NameOf(add.Interface)),
        NeighborRequest { Address: null } flush => new NeighborsGo(flush.Interface),
        NeighborRequest change => new NeighborChanges(change.Address.Value, change.Hardware, NameOf(change.Interface)),
        RemoveRouteRequest remove => new RouteGoes(remove.Destination, remove.Metric, NameOf(remove.Interface)),
        _ => throw new ArgumentException($"{request.Type} changes no interface.", nameof(request)),
    };

    /// <summary>The answer to the request.</summary>
    public static LinkAnswer AnswerOf(LinkRequest request, CommandAnswer answer) => request switch
    {
        InterfaceRequest change => answer.Error == 0 ? change.Done() : change.Refused(answer.Error, answer.Reason),
        AddAddressRequest add when answer.Error == 0 => add.Done(),
        RemoveAddressRequest remove when answer.Error == 0 => remove.Done(),
        _ => request.Failed(answer.Error),
    };

    private static string? NameOf(string name) => name.Length == 0 ? null : name;

    private static GatewayRoute RouteOf(LinkRoute route) => new(route.Destination, route.Gateway) { Metric = route.Metric };

    private static InterfaceSettings SettingsOf(NewInterface added)
    {
        var wire = WireSpec.Parse(added.Wire) ?? throw Refused($"The wire of an interface must be {WireSpec.Accepted}.");
        // The driver may read more files than who asks, and says what is wrong with a line of one.
        if (wire.ReadsFile)
            throw Refused($"The wire {wire} is named by a file, which a driver reads for its own settings only: name it in tapwire.interfaces, or with --wire when the driver starts.");
        // It shows where names of devices do.
        if (added.Name.Length > 0 && WireSpec.Parse($"{wire.Kind}:{added.Name}")?.Name != added.Name)
            throw Refused("The name of an interface has 1 to 15 bytes, and none of them is blank, '/', ':' or '%'.");
        if (added.Mtu != 0 && added.Mtu is < InterfaceSettings.MinMtu or > InterfaceSettings.MaxMtu)
            throw Refused($"The MTU of an interface is from {InterfaceSettings.MinMtu} to {InterfaceSettings.MaxMtu}, or 0.");
        if (added.HardwareAddress is { IsGroup: true } group)
            throw Refused($"The Ethernet address {group} is that of a group; its first byte must be even.");
        foreach (var address in added.Addresses.Concat(added.PeerAddresses))
        {
            if (OwnAddress.Problem(address) is { } problem)
                throw Refused($"The address {address} cannot be: {problem}.");
        }

        var routes = added.Routes.Select(RouteOf).ToList();
        foreach (var (destination, _) in routes)
        {
            if (destination.Address != destination.Network)
                throw Refused($"{destination.Address} is a host's address; the network is {destination.Network}/{destination.Length}.");
        }

        if (routes.GroupBy(static route => (route.Destination, route.Metric)).FirstOrDefault(static group => group.Count() > 1) is { } twice)
            throw Refused($"There are two routes to {twice.Key.Destination} with the metric {twice.Key.Metric}; give one.");
        return new InterfaceSettings(added.Name.Length > 0 ? added.Name : wire.Name, wire, added.Addresses, null, added.HardwareAddress, added.Mtu, [], added.PeerAddresses)
        {
            Slaac = (SlaacMode)added.Slaac,
            Dhcp = (DhcpFamilies)added.Dhcp,
        }.WithRoutes(routes);
    }

    private static CommandRefusedException Refused(string reason) => new(StackError.InvalidArgument, reason);

    /// <summary>Answers a session with the interfaces. All shards have the same ones: one stack is asked.</summary>
    public static void List(ListInterfacesRequest request, IActorRef stack, IActorRef session, IActorRef self) => stack.Ask<InterfaceNames>(GetInterfaces.Instance, LinkActor.Patience).PipeTo(session, self,
        names => new LinkReply(names.Interfaces is { } all ? request.Listed(EntriesOf(all)) : request.Failed(StackError.ConnectionAborted)),
        _ => new LinkReply(request.Failed(StackError.TimedOut)));

    /// <summary>Each interface, and behind it its addresses.</summary>
    private static List<LinkInterface> EntriesOf(IReadOnlyList<InterfaceName> interfaces)
    {
        var entries = new List<LinkInterface>();
        foreach (var (index, options, addresses) in interfaces)
        {
            var itself = new LinkInterface(options.Name, LinkInterface.IndexOf(index), options.Mtu, options.Medium == Medium.Ethernet ? options.HardwareAddress : null, null);
            entries.Add(itself);
            entries.AddRange(addresses.Select(address => itself with { Address = address }));
        }

        return entries;
    }
}
