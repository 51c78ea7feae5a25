using Tapwire.Stack.Ip;

namespace Tapwire.Stack.Interfaces;

/// <summary>The role of an address in this stack.</summary>
internal enum AddressKind : byte
{
    /// <summary>An address of another host, as far as this stack knows.</summary>
    Other,

    /// <summary>One of the stack's own addresses.</summary>
    Own,

    /// <summary>255.255.255.255, or a broadcast address of one of the stack's prefixes.</summary>
    Broadcast,

    /// <summary>A multicast address.</summary>
    Multicast,
}

/// <summary>The addresses of one interface, or of all, with their prefixes. Comparing one by one is cheaper for a few addresses; many are hashed.</summary>
/// <param name="hasLoopback">127.0.0.0/8 is the stack's own, as on the loopback interface of a host (RFC 1122, 3.2.1.3): never an interface's, so that nothing on a wire reaches it.</param>
internal sealed class AddressTable(bool hasLoopback = false)
{
    private const int ScanLimit = 4;

    private readonly List<IpPrefix> _prefixes = [];
    private readonly Dictionary<IpAddress, AddressKind> _kinds = [];
    private IpAddress[] _scanned = [];
    private AddressKind[] _scannedKinds = [];
    private IpAddress? _guest;

    /// <summary>In the order in which they were added.</summary>
    public IReadOnlyList<IpPrefix> Prefixes => _prefixes;

    public AddressKind KindOf(IpAddress address)
    {
        var scanned = _scanned;
        for (var i = 0; i < scanned.Length; i++)
        {
            if (scanned[i] == address)
                return _scannedKinds[i];
        }

        if (address.IsMulticast)
            return AddressKind.Multicast;
        if (address.IsLimitedBroadcast)
            return AddressKind.Broadcast;
        if (hasLoopback && address.IsV4 && address.IsLoopback)
            return AddressKind.Own;
        if (scanned.Length == 0 && _kinds.TryGetValue(address, out var kind))
            return kind;
        return _guest is { } guest && address != guest && CanBeAHosts(address) ? AddressKind.Own : AddressKind.Other;
    }

    /// <summary>From now on every address counts as own that a host on another network may have, but the guest's (<see cref="Forwarding.ForwardingOptions"/>).</summary>
    public void OwnAllBut(IpAddress guest) => _guest = guest;

    public bool IsOwn(IpAddress address) => KindOf(address) == AddressKind.Own;

    /// <returns>False: the address is in the table already.</returns>
    public bool TryAdd(IpPrefix prefix)
    {
        if (_prefixes.Exists(p => p.Address == prefix.Address))
            return false;
        _prefixes.Add(prefix);
        Index();
        return true;
    }

    /// <returns>False: the address is not in the table.</returns>
    public bool TryRemove(IpAddress address, out IpPrefix prefix)
    {
        var index = _prefixes.FindIndex(p => p.Address == address);
        prefix = index < 0 ? default : _prefixes[index];
        if (index < 0)
            return false;
        _prefixes.RemoveAt(index);
        Index();
        return true;
    }

    /// <summary>The source address towards a neighbour: the one with the longest prefix that contains the neighbour, else the first of its family.</summary>
    public IpAddress SourceTowards(IpAddress neighbor)
    {
        var best = IpAddress.Unspecified;
        var length = -1;
        foreach (var prefix in _prefixes)
        {
            if (prefix.Address.IsV4 != neighbor.IsV4)
                continue;
            if (prefix.Contains(neighbor) ? prefix.Length > length : best == IpAddress.Unspecified)
            {
                best = prefix.Address;
                length = prefix.Contains(neighbor) ? prefix.Length : -1;
            }
        }

        return best;
    }

    /// <summary>Not of "this network", loopback, a group, or reserved (RFC 6890).</summary>
    private static bool CanBeAHosts(IpAddress address) => address.IsV4 && address.V4 >> 24 is not (0 or 127 or >= 224);

    private void Index()
    {
        _kinds.Clear();
        foreach (var prefix in _prefixes)
        {
            if (prefix.Broadcast is { } broadcast)
                _kinds[broadcast] = AddressKind.Broadcast;
        }

        // An own address takes precedence over the broadcast address of another prefix.
        foreach (var prefix in _prefixes)
            _kinds[prefix.Address] = AddressKind.Own;
        var few = _prefixes.Count <= ScanLimit;
        _scanned = few ? [.. _kinds.OrderBy(k => k.Value).Select(k => k.Key)] : [];
        _scannedKinds = few ? [.. _kinds.OrderBy(k => k.Value).Select(k => k.Value)] : [];
    }
}
