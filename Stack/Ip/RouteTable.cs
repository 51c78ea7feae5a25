using Tapwire.Stack.Interfaces;

namespace Tapwire.Stack.Ip;

/// <summary>
/// Routes, longest prefix first, and of equally long ones the lowest metric. A host has a handful of them, so a linear scan finds the first match faster than any tree.
/// </summary>
internal sealed class RouteTable(InterfaceTable interfaces)
{
    private readonly List<Route> _routes = [];
    private Hop[] _hops = [];
    private Route[] _snapshot = [];

    public IReadOnlyList<Route> Routes => _snapshot;

    /// <inheritdoc cref="InterfaceTable.IsRouter"/>
    public bool IsRouter => interfaces.IsRouter;

    /// <param name="by">Leave by this interface only; null: by any.</param>
    /// <param name="nextHop">The receiver of the frames: the destination itself, or the gateway.</param>
    /// <param name="source">The address to use towards it.</param>
    /// <param name="egress">The interface that leads there.</param>
    public bool TryFind(IpAddress destination, NetworkInterface? by, out IpAddress nextHop, out IpAddress source, out NetworkInterface egress)
    {
        var (high, low) = destination.Halves;
        var isV4 = destination.IsV4;
        foreach (ref readonly var hop in _hops.AsSpan())
        {
            if ((high & hop.MaskHigh) == hop.High && (low & hop.MaskLow) == hop.Low && hop.IsV4 == isV4 && (by is null || by == hop.Interface))
            {
                nextHop = hop.OnLink ? destination : hop.Gateway;
                // Towards a host behind a gateway, an IPv6 address of another scope than the gateway's is the right one.
                source = isV4 ? hop.Source : hop.Interface.Own.SourceTowards(destination);
                egress = hop.Interface;
                return true;
            }
        }

        nextHop = default;
        source = default;
        egress = null!;
        return false;
    }

    /// <summary>The address is on-link at that interface: reached without a gateway.</summary>
    public bool IsOnLink(IpAddress address, NetworkInterface on) => TryFind(address, on, out var nextHop, out _, out _) && nextHop == address;

    /// <summary>Adds a route, or replaces the one to the same destination by the same interface with the same metric.</summary>
    public void Set(IpPrefix destination, IpAddress gateway, NetworkInterface egress, int metric = 0)
    {
        var route = new Route(new IpPrefix(destination.Network, destination.Length), gateway, egress.Index) { Metric = metric };
        _routes.RemoveAll(r => r.Destination == route.Destination && r.Interface == route.Interface && r.Metric == metric && r.Gateway.IsUnspecified == gateway.IsUnspecified);
        _routes.Add(route);
        Rebuild();
    }

    /// <param name="onLink">Removes the route of an interface's prefix, rather than the one through a gateway.</param>
    /// <param name="egress">Removes only this interface's route; null: every interface's.</param>
    /// <param name="metric">Removes only the route with this metric; null: with any.</param>
    /// <returns>False: there was none.</returns>
    public bool Remove(IpPrefix destination, bool onLink, NetworkInterface? egress, int? metric = null)
    {
        destination = new IpPrefix(destination.Network, destination.Length);
        var removed = _routes.RemoveAll(r =>
            r.Destination == destination && r.Gateway.IsUnspecified == onLink && (metric is null || r.Metric == metric) && (egress is null || r.Interface == egress.Index)) > 0;
        Rebuild();
        return removed;
    }

    /// <summary>Removes all routes of an interface.</summary>
    public void RemoveAll(NetworkInterface egress)
    {
        _routes.RemoveAll(r => r.Interface == egress.Index);
        Rebuild();
    }

    /// <summary>Computes the table again after a change of a route, or of an interface's address.</summary>
    public void Rebuild()
    {
        // Stable order: of two prefixes of equal length the lower metric comes first, then the on-link route, then the older one.
        _snapshot = [.. _routes.OrderByDescending(r => r.Destination.Length + (r.Destination.Address.IsV4 ? 96 : 0)).ThenBy(r => r.Metric).ThenByDescending(r => r.Gateway.IsUnspecified)];
        _hops = [.. _snapshot.Select(r => Hop.From(r, interfaces[r.Interface]!)).Where(hop => !hop.Source.IsUnspecified)];
    }

    /// <summary>A route as masks over both halves of an address. An IPv4 prefix of n bits is one of 96 + n bits of the mapped form.</summary>
    private readonly record struct Hop(
        bool IsV4, ulong MaskHigh, ulong MaskLow, ulong High, ulong Low, IpAddress Gateway, bool OnLink, IpAddress Source, NetworkInterface Interface)
    {
        public static Hop From(Route route, NetworkInterface egress)
        {
            var bits = route.Destination.Length + (route.Destination.Address.IsV4 ? 96 : 0);
            var maskHigh = bits == 0 ? 0 : ulong.MaxValue << (64 - Math.Min(bits, 64));
            var maskLow = bits <= 64 ? 0 : ulong.MaxValue << (128 - bits);
            var (high, low) = route.Destination.Network.Halves;
            var onLink = route.Gateway.IsUnspecified;
            var source = egress.Own.SourceTowards(onLink ? route.Destination.Address : route.Gateway);
            return new Hop(route.Destination.Address.IsV4, maskHigh, maskLow, high & maskHigh, low & maskLow, route.Gateway, onLink, source, egress);
        }
    }
}
