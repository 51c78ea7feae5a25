namespace Tapwire.Stack.Ip;

/// <summary>
/// Routes, longest prefix first. A host has a handful, so the first match of a scan is found faster than any tree would find it.
/// </summary>
internal sealed class RouteTable
{
    private readonly List<Route> _routes = [];
    private readonly AddressTable _addresses;
    private Entry[] _entries = [];
    private Route[] _snapshot = [];

    public RouteTable(AddressTable addresses) => _addresses = addresses;

    public IReadOnlyList<Route> Routes => _snapshot;

    /// <param name="nextHop">Who gets the frames: the destination itself, or the gateway.</param>
    /// <param name="source">The address to use towards it.</param>
    public bool TryFind(IpAddress destination, out IpAddress nextHop, out IpAddress source)
    {
        var (high, low) = destination.Halves;
        foreach (ref readonly var entry in _entries.AsSpan())
        {
            if ((high & entry.MaskHigh) == entry.High && (low & entry.MaskLow) == entry.Low)
            {
                nextHop = entry.OnLink ? destination : entry.Gateway;
                source = entry.Source;
                return true;
            }
        }

        nextHop = default;
        source = default;
        return false;
    }

    /// <summary>The address can be reached without a gateway.</summary>
    public bool IsOnLink(IpAddress address) => TryFind(address, out var nextHop, out _) && nextHop == address;

    /// <summary>Adds a route, or replaces the one to the same destination.</summary>
    public void Set(IpPrefix destination, IpAddress gateway)
    {
        destination = new IpPrefix(destination.Network, destination.Length);
        _routes.RemoveAll(r => r.Destination == destination && r.Gateway.IsUnspecified == gateway.IsUnspecified);
        _routes.Add(new Route(destination, gateway));
        Rebuild();
    }

    /// <param name="onLink">Remove the route of an interface's prefix, rather than the one through a gateway.</param>
    /// <returns>False: there was none.</returns>
    public bool Remove(IpPrefix destination, bool onLink)
    {
        destination = new IpPrefix(destination.Network, destination.Length);
        var removed = _routes.RemoveAll(r => r.Destination == destination && r.Gateway.IsUnspecified == onLink) > 0;
        Rebuild();
        return removed;
    }

    /// <summary>Works out the table again: a route, or one of the interface's addresses, has changed.</summary>
    public void Rebuild()
    {
        // Stable: of two equally long ones the route on the link comes first, then the older one.
        _snapshot = [.. _routes.OrderByDescending(r => r.Destination.Length + (r.Destination.Address.IsV4 ? 96 : 0)).ThenByDescending(r => r.Gateway.IsUnspecified)];
        _entries = [.. _snapshot
            .Select(r => Entry.From(r, _addresses.SourceTowards(r.Gateway.IsUnspecified ? r.Destination.Address : r.Gateway)))
            .Where(e => !e.Source.IsUnspecified)];
    }

    /// <summary>A route as masks over both halves of an address. An IPv4 prefix of n bits is one of 96 + n bits of the mapped form.</summary>
    private readonly record struct Entry(ulong MaskHigh, ulong MaskLow, ulong High, ulong Low, IpAddress Gateway, bool OnLink, IpAddress Source)
    {
        public static Entry From(Route route, IpAddress source)
        {
            var bits = route.Destination.Length + (route.Destination.Address.IsV4 ? 96 : 0);
            var maskHigh = bits == 0 ? 0 : ulong.MaxValue << (64 - Math.Min(bits, 64));
            var maskLow = bits <= 64 ? 0 : ulong.MaxValue << (128 - bits);
            var (high, low) = route.Destination.Network.Halves;
            return new Entry(maskHigh, maskLow, high & maskHigh, low & maskLow, route.Gateway, route.Gateway.IsUnspecified, source);
        }
    }
}
