using Tapwire.Stack.Ip;
using Tapwire.Stack.Packets;

namespace Tapwire.Stack.Tcp;

/// <summary>Path MTUs below the interface's, by destination (RFC 1191, 6.3; net.ipv4.route.mtu_expires). Bounded; the oldest entry goes first.</summary>
internal sealed class PathMtuCache
{
    /// <summary>IPv4 path MTUs below this are not believed: a forged ICMP message costs at most so much (net.ipv4.route.min_pmtu of Linux).</summary>
    public const int LeastV4 = 552;

    /// <summary>Every IPv6 link takes so many bytes (RFC 8200, 5).</summary>
    public const int LeastV6 = Ipv6Header.MinimumMtu;

    private const int Capacity = 4096;

    /// <summary>Lifetime of an entry: the path may improve afterwards.</summary>
    public static readonly TimeSpan Lifetime = TimeSpan.FromMinutes(10);

    private readonly Dictionary<IpAddress, LinkedListNode<(IpAddress Destination, int Mtu, Instant Until)>> _byDestination = [];
    private readonly LinkedList<(IpAddress Destination, int Mtu, Instant Until)> _byAge = new();

    public int Count => _byDestination.Count;

    /// <summary>The least MTU to which routers can lower a path.</summary>
    public static int LeastTo(IpAddress destination) => destination.IsV4 ? LeastV4 : LeastV6;

    /// <returns>The path MTU, at most <paramref name="linkMtu"/>.</returns>
    public int Find(IpAddress destination, int linkMtu, Instant now)
    {
        if (_byDestination.Count == 0 || !_byDestination.TryGetValue(destination, out var node))
            return linkMtu;
        if (node.Value.Until > now)
            return Math.Min(node.Value.Mtu, linkMtu);
        Remove(node);
        return linkMtu;
    }

    /// <returns>The least path MTU that is known, at most <paramref name="linkMtu"/>.</returns>
    public int Least(int linkMtu, Instant now)
    {
        foreach (var entry in _byAge)
            linkMtu = entry.Until > now ? Math.Min(linkMtu, entry.Mtu) : linkMtu;
        return linkMtu;
    }

    public void Set(IpAddress destination, int mtu, Instant now)
    {
        if (_byDestination.TryGetValue(destination, out var node))
            Remove(node);
        else if (_byDestination.Count == Capacity)
            Remove(_byAge.First!);
        _byDestination.Add(destination, _byAge.AddLast((destination, mtu, now + Lifetime)));
    }

    private void Remove(LinkedListNode<(IpAddress Destination, int Mtu, Instant Until)> node)
    {
        _byDestination.Remove(node.Value.Destination);
        _byAge.Remove(node);
    }
}
