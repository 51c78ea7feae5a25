using Tapwire.Stack.Forwarding;
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

/// <summary>What else there is to know of an own address.</summary>
[Flags]
internal enum AddressFlags : byte
{
    None,

    /// <summary>Duplicate address detection has not finished (RFC 4862, 5.4). The address is optimistic (RFC 4429): it is used, but overrides nobody's neighbour table.</summary>
    Optimistic = 1,

    /// <summary>Its preferred lifetime is over: new connections come from another one if there is one (RFC 4862, 5.5.4).</summary>
    Deprecated = 2,

    /// <summary>A random address that is used for some time (RFC 8981).</summary>
    Temporary = 4,
}

/// <summary>The addresses of one interface, or of all, with their prefixes. Comparing one by one is cheaper for a few addresses; many are hashed.</summary>
/// <param name="hasLoopback">127.0.0.0/8 and ::1 are the stack's own, as on the loopback interface of a host (RFC 1122, 3.2.1.3): never an interface's, so that nothing on a wire reaches it.</param>
internal sealed class AddressTable(bool hasLoopback = false)
{
    private const int ScanLimit = 4;

    private readonly List<IpPrefix> _prefixes = [];
    private readonly Dictionary<IpAddress, AddressKind> _kinds = [];
    private IpAddress[] _scanned = [];
    private AddressKind[] _scannedKinds = [];
    private GuestAddresses? _guest;
    private Dictionary<IpAddress, AddressFlags>? _flags;

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
        if (hasLoopback && address.IsLoopback)
            return AddressKind.Own;
        if (scanned.Length == 0 && _kinds.TryGetValue(address, out var kind))
            return kind;
        return _guest is { } guest && guest.Towards(address) is { } own && address != own && CanBeAHosts(address) ? AddressKind.Own : AddressKind.Other;
    }

    /// <summary>Only one host is out there, and whatever has another source than its addresses is none of its packets.</summary>
    public bool HasGuest => _guest is not null;

    /// <summary>From now on every address counts as own that a host on another network may have, but the guest's (<see cref="ForwardingOptions"/>). Of a family in which the guest has
    /// no address, none does.</summary>
    public void OwnAllBut(GuestAddresses guest) => _guest = guest;

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
        _flags?.Remove(address);
        Index();
        return true;
    }

    public AddressFlags FlagsOf(IpAddress address) => _flags is null ? AddressFlags.None : _flags.GetValueOrDefault(address);

    /// <param name="address">One of the table's.</param>
    public void SetFlags(IpAddress address, AddressFlags flags)
    {
        if (flags == AddressFlags.None)
            _flags?.Remove(address);
        else
            (_flags ??= [])[address] = flags;
    }

    /// <summary>An own address is one of the group's: the all-nodes groups (RFC 4291, 2.7.1), and the solicited-node groups of own addresses.</summary>
    public bool IsOwnGroup(IpAddress group)
    {
        var (high, low) = group.Halves;
        // ff01::1 is all nodes of an interface.
        if (low == 1 && (high == IpAddress.AllNodes.Halves.High || high == 0xFF01_0000_0000_0000))
            return _prefixes.Exists(p => p.Address.IsV6);
        foreach (var prefix in _prefixes)
        {
            if (prefix.Address.IsV6 && prefix.Address.SolicitedNode == group)
                return true;
        }

        return false;
    }

    /// <summary>The source address towards a destination, by the rules of <see cref="AddressSelection"/>; of IPv4 the one with the longest prefix that contains the destination, else
    /// the first.</summary>
    public IpAddress SourceTowards(IpAddress neighbor)
    {
        if (neighbor.IsV6)
            return AddressSelection.SourceTowards(neighbor, this);
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

    /// <summary>Not of "this network", loopback, a group, or reserved (RFC 6890); not of one link only (RFC 4291, 2.5.6), as what is forwarded leaves by another.</summary>
    private static bool CanBeAHosts(IpAddress address) => address.IsV4
        ? address.V4 >> 24 is not (0 or 127 or >= 224)
        : !(address.IsUnspecified || address.IsLoopback || address.IsMulticast || address.IsLinkLocal);

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
