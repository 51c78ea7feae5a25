using Tapwire.Stack.Interfaces;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Multicast;
using Tapwire.Stack.Neighbors;
using Tapwire.Stack.Packets;

namespace Tapwire.Stack;

/// <content>Interfaces, addresses and routes.</content>
public sealed partial class NetworkStack
{
    /// <summary>Bits of the prefix of link-local addresses that are the same on every link (RFC 4291, 2.5.6).</summary>
    private const int LinkLocalLength = 64;

    /// <summary>The use of the key for temporary addresses.</summary>
    private const uint TemporaryAddressKey = 7;

    /// <summary>Addresses given up that the owner has not heard of; more are counted only.</summary>
    private const int MaxDuplicates = 64;

    private readonly Queue<DuplicateAddress> _duplicates = new();

    /// <summary>Changes whenever an interface, an address or a route comes or goes.</summary>
    public int ConfigurationVersion => _ip.Version;

    /// <summary>Adds an interface, without an address yet.</summary>
    /// <returns>Null: there are <see cref="MaxInterfaces"/> already.</returns>
    /// <exception cref="ArgumentOutOfRangeException">An option is out of its range.</exception>
    public NetworkInterface? AddInterface(InterfaceOptions options)
    {
        options.Validate();
        var index = _interfaces.FreeIndex();
        if (index < 0)
            return null;
        var added = new NetworkInterface((byte)index, options, _pool, Counters);
        if (Options.Forwarding is { } forwarding)
            added.Own.OwnAllBut(forwarding.Guest);
        added.Framing = options.Medium == Medium.Ip
            ? new RawIpFraming(added.Egress, Counters)
            : new EthernetFraming(added, Options.Neighbors, _pool, _routes, _timers, _random, Counters, speaks: Options.Shard is null or { Index: 0 });
        added.AnnounceGroups = now => _multicast.Announce(added, now);
        if (options is { Autoconfiguration: { } wanted, Medium: Medium.Ethernet } && options.Mtu >= Ipv6Header.MinimumMtu)
            added.Routers = new RouterDiscovery(wanted, new Autoconfigured(this, added), _timers, _random, _temporaryAddresses, Counters);
        _interfaces.Add(added);
        if (options is { Advertisement: { } said, Medium: Medium.Ethernet } && options.Mtu >= Ipv6Header.MinimumMtu && Options.Shard is null or { Index: 0 })
        {
            added.Advertiser = new RouterAdvertiser(added, said, Options.IsRouter, _timers, _random, Counters);
            _multicast.TryReplace(added.Index, IpAddress.AllRouters, null, SourceFilter.Everything);
        }

        _ip.Changed();
        return added;
    }

    /// <summary>
    /// Takes an interface away with its addresses and routes. Connections on it end with <see cref="StackError.ConnectionAborted"/>, and their peers are sent a
    /// reset as far as the egress queue has room. Sockets bound to its addresses end likewise; listeners and sockets of all addresses stay. Frames that wait
    /// for the wire can still be taken from it.
    /// </summary>
    /// <returns>False: the interface is not one of this stack's, or no longer.</returns>
    public bool RemoveInterface(NetworkInterface removed, Instant now)
    {
        if (_interfaces[removed.Index] != removed)
            return false;
        removed.Routers?.Stop(now);
        removed.Advertiser?.Stop();
        while (removed.Addresses.Count != 0)
            Remove(removed.Addresses[^1].Address, removed, tellsPeers: true, now);
        _routes.RemoveAll(removed);
        removed.Framing.ForgetNeighbors();
        _fragments.Forget(removed);
        _multicast.Forget(removed);
        Udp.ForgetMemberships(removed.Index);
        Echo.ForgetMemberships(removed.Index);
        _interfaces.Remove(removed);
        _ip.Changed();
        return true;
    }

    /// <summary>
    /// Gives an interface an address and the route to its prefix. An IPv4 address is announced there (RFC 5227, 2.3); for an IPv6 address the interface asks whether another station has it
    /// (RFC 4862, 5.4), and then the address goes again (<see cref="TryTakeDuplicate"/>). With the first IPv6 address an Ethernet interface gets a link-local one, too.
    /// </summary>
    /// <returns>None; AddressInUse: an interface of this stack has it already; InvalidArgument: no host can have it; AddressFamilyNotSupported: the interface's MTU is below that of
    /// IPv6.</returns>
    public StackError AddAddress(NetworkInterface to, IpPrefix address, Instant now)
    {
        var host = address.Address;
        if (host.IsUnspecified || host.IsMulticast || host.IsLoopback || host.IsLimitedBroadcast || host == address.Broadcast)
            return StackError.InvalidArgument;
        if (host.IsV6 && to.Mtu < Ipv6Header.MinimumMtu)
            return StackError.AddressFamilyNotSupported;
        if (host.IsV6 && !host.IsLinkLocal)
            AddLinkLocal(to, now);
        return Add(to, address, AddressFlags.None, addsRoute: true, now);
    }

    /// <summary>The wire of an interface has come up: announces its addresses there, and looks for routers if it is configured by them.</summary>
    public void WireUp(NetworkInterface up, Instant now)
    {
        up.Announce(now);
        up.Advertiser?.Start(now);
        if (up.Routers is not { } routers)
            return;
        AddLinkLocal(up, now);
        routers.Start(now);
    }

    /// <summary>Interfaces that have advertised themselves as routers say that they are none any more (RFC 4861, 6.2.5).</summary>
    public void StopAdvertising()
    {
        foreach (var each in Interfaces)
            each.Advertiser?.Stop();
    }

    /// <summary>Takes an address away from the interface that has it. Connections bound to it end with <see cref="StackError.ConnectionAborted"/>.</summary>
    /// <returns>False: no interface has it.</returns>
    public bool RemoveAddress(IpAddress address, Instant now)
    {
        if (_interfaces.OwnerOf(address) is not { } from)
            return false;
        Remove(address, from, tellsPeers: false, now);
        return true;
    }

    /// <summary>Says whether the preferred lifetime of an IPv6 address is over: then connections begin from another one if there is one (RFC 4862, 5.5.4).</summary>
    /// <returns>False: no interface has it.</returns>
    public bool Deprecate(IpAddress address, bool isDeprecated)
    {
        if (_interfaces.OwnerOf(address) is not { } owner)
            return false;
        SetDeprecated(owner, address, isDeprecated);
        return true;
    }

    private void SetDeprecated(NetworkInterface owner, IpAddress address, bool isDeprecated)
    {
        var flags = owner.Own.FlagsOf(address);
        owner.Own.SetFlags(address, isDeprecated ? flags | AddressFlags.Deprecated : flags & ~AddressFlags.Deprecated);
        _ip.Changed();
    }

    /// <summary>Gives an Ethernet interface its link-local address, unless it has one.</summary>
    private void AddLinkLocal(NetworkInterface to, Instant now)
    {
        if (to.Options.Medium == Medium.Ethernet && !to.Addresses.Any(static a => a.Address.IsLinkLocal))
            Add(to, new IpPrefix(to.Options.HardwareAddress.LinkLocal, LinkLocalLength), AddressFlags.None, addsRoute: true, now);
    }

    private StackError Add(NetworkInterface to, IpPrefix address, AddressFlags flags, bool addsRoute, Instant now)
    {
        if (!_interfaces.Addresses.TryAdd(address))
            return StackError.AddressInUse;
        to.Own.TryAdd(address);
        // The report of its group must not come from an address that is not known to be unique (RFC 3590).
        var isAsked = address.Address.IsV6 && to.Options.Medium == Medium.Ethernet && Options.Neighbors.DuplicateProbes > 0;
        to.Own.SetFlags(address.Address, isAsked ? flags | AddressFlags.Optimistic : flags);
        if (addsRoute)
            _routes.Set(address, IpAddress.Unspecified, to);
        _ip.Changed();
        _multicast.AddressAdded(to, address.Address, now);
        to.Framing.AddressAdded(address.Address, now);
        if (address.Address.IsV6 && !address.Address.IsLinkLocal)
            to.Advertiser?.Start(now);
        return StackError.None;
    }

    /// <summary>Adds a route, or replaces the one to the same destination by the same interface with the same metric.</summary>
    /// <param name="gateway">A neighbour on-link; unspecified when the destinations are on-link themselves.</param>
    /// <param name="by">Where packets leave; null: by the interface with the gateway on-link, or by the first one if no interface has it.</param>
    /// <param name="metric">See <see cref="Route.Metric"/>; not negative.</param>
    /// <returns>None; NetworkUnreachable: the gateway is not on-link, or there is no such interface; InvalidArgument: the gateway is one of the stack's own
    /// addresses, cannot be a host's, or is of another family than the destination.</returns>
    public StackError AddRoute(IpPrefix destination, IpAddress gateway, NetworkInterface? by = null, int metric = 0)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(metric);
        if (!gateway.IsUnspecified && (gateway.IsV4 != destination.Address.IsV4 || _interfaces.Addresses.KindOf(gateway) != AddressKind.Other))
            return StackError.InvalidArgument;
        by ??= Interfaces.FirstOrDefault(each => !gateway.IsUnspecified && _routes.IsOnLink(gateway, each)) ?? Interfaces.FirstOrDefault();
        if (by is null || _interfaces[by.Index] != by || (!gateway.IsUnspecified && !_routes.IsOnLink(gateway, by)))
            return StackError.NetworkUnreachable;
        _routes.Set(destination, gateway, by, metric);
        _ip.Changed();
        return StackError.None;
    }

    /// <summary>Removes a route that <see cref="AddRoute"/> has added. Routes of an interface's own prefixes go with their addresses.</summary>
    /// <param name="by">The interface of the route; null: of every interface.</param>
    /// <param name="metric">Of the route; null: of every metric.</param>
    /// <returns>False: there is no such route.</returns>
    public bool RemoveRoute(IpPrefix destination, NetworkInterface? by = null, int? metric = null)
    {
        var removed = false;
        foreach (var each in by is null ? Interfaces : [by])
            removed |= _routes.Remove(destination, onLink: false, each, metric) || (!HasPrefix(each, destination) && _routes.Remove(destination, onLink: true, each, metric));
        _ip.Changed();
        return removed;
    }

    /// <summary>Takes an address that the stack has given up because another station has it.</summary>
    public bool TryTakeDuplicate(out DuplicateAddress duplicate) => _duplicates.TryDequeue(out duplicate);

    private void GiveUpDuplicates(NetworkInterface from, Instant now)
    {
        while (from.Framing.TryTakeDuplicate(out var address, out var holder))
        {
            if (_interfaces.OwnerOf(address) != from)
                continue;
            Remove(address, from, tellsPeers: false, now);
            if (_duplicates.Count < MaxDuplicates)
                _duplicates.Enqueue(new DuplicateAddress(address, from, holder));
            from.Routers?.Duplicate(address, now);
        }
    }

    private void Remove(IpAddress address, NetworkInterface from, bool tellsPeers, Instant now)
    {
        // The address is still there during this call, so that resets can be sent from it.
        Tcp.AddressRemoved(address, tellsPeers, now);
        Udp.AddressRemoved(address);
        Echo.AddressRemoved(address);
        _nat?.Forget(address);
        _interfaces.Addresses.TryRemove(address, out _);
        from.Own.TryRemove(address, out var prefix);
        if (!HasPrefix(from, prefix))
            _routes.Remove(prefix, onLink: true, from);
        _ip.Changed();
        _multicast.AddressRemoved(from, address);
        from.Framing.AddressRemoved(address);
    }

    private static bool HasPrefix(NetworkInterface owner, IpPrefix prefix) => owner.Routers?.IsOnLink(prefix) == true
        || owner.Addresses.Any(p => p.Length == prefix.Length && p.Network == prefix.Network);

    /// <summary>What routers may change on an interface.</summary>
    private sealed class Autoconfigured(NetworkStack stack, NetworkInterface owner) : IAutoconfigured
    {
        public bool TryAddAddress(IpPrefix address, AddressFlags flags, Instant now) => stack.Add(owner, address, flags, addsRoute: false, now) == StackError.None;

        public void SetDeprecated(IpAddress address, bool isDeprecated) => stack.SetDeprecated(owner, address, isDeprecated);

        public void RemoveAddress(IpAddress address, Instant now)
        {
            if (owner.Own.IsOwn(address))
                stack.Remove(address, owner, tellsPeers: false, now);
        }

        public void SetRoute(IpPrefix destination, IpAddress gateway)
        {
            stack._routes.Set(destination, gateway, owner, MetricOf(gateway));
            stack._ip.Changed();
        }

        public void RemoveRoute(IpPrefix destination, IpAddress gateway)
        {
            var isOnLink = gateway.IsUnspecified;
            if (isOnLink ? owner.Addresses.Any(a => a.Length == destination.Length && a.Network == destination.Network && !a.Address.IsLinkLocal && IsConfigured(a.Address)) : !Has(destination, gateway))
                return;
            stack._routes.Remove(destination, isOnLink, owner, MetricOf(gateway));
            stack._ip.Changed();
        }

        public bool HasRoute(IpPrefix destination) =>
            stack._routes.Routes.Any(r => r.Interface == owner.Index && r.Destination == destination && r.Metric == Route.LearntMetric && !r.Gateway.IsUnspecified);

        public void SolicitRouters() => owner.Framing.SolicitRouters();

        private bool Has(IpPrefix destination, IpAddress gateway) =>
            stack._routes.Routes.Any(r => r.Interface == owner.Index && r.Destination == destination && r.Metric == Route.LearntMetric && r.Gateway == gateway);

        /// <summary>What is on the link is so for everybody, as the prefixes of own addresses are.</summary>
        private static int MetricOf(IpAddress gateway) => gateway.IsUnspecified ? 0 : Route.LearntMetric;

        /// <summary>The owner of the stack has given the address, not a router.</summary>
        private bool IsConfigured(IpAddress address) => owner.Routers?.HasMade(address) != true;
    }
}
