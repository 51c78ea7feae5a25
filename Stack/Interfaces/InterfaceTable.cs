using Tapwire.Stack.Ip;

namespace Tapwire.Stack.Interfaces;

/// <summary>The interfaces of a stack by index and by address.</summary>
internal sealed class InterfaceTable
{
    /// <summary>Most interfaces that a stack may have at once. One more index stands for the stack itself, so that a 64-bit word has a bit for each index.</summary>
    public const int Capacity = 63;

    /// <summary>The index for packets that a stack sends to itself.</summary>
    public const byte Loopback = Capacity;

    private readonly NetworkInterface?[] _byIndex = new NetworkInterface?[Capacity];
    private readonly List<NetworkInterface> _all = [];
    private NetworkInterface[] _each = [];
    private int _next;

    /// <summary>In the order in which they were added.</summary>
    public IReadOnlyList<NetworkInterface> All => _all;

    /// <summary>The same, for walks on the packet's path.</summary>
    public ReadOnlySpan<NetworkInterface> Each => _each;

    /// <summary>The addresses of all interfaces, and those of loopback.</summary>
    public AddressTable Addresses { get; } = new(hasLoopback: true);

    /// <summary>The stack is a router: an own address is reached by any interface, and packets leave by whichever leads to their destination (the weak host model of RFC 1122, 3.3.4.2).</summary>
    public bool IsRouter { get; init; }

    /// <summary>The role of an address for what an interface receives. Unless the stack is a router, other interfaces' addresses are other hosts'.</summary>
    public AddressKind KindOn(NetworkInterface from, IpAddress address)
    {
        var kind = from.Own.KindOf(address);
        return kind == AddressKind.Other && IsRouter && !address.IsLinkLocal && !address.IsLoopback && Addresses.IsOwn(address) ? AddressKind.Own : kind;
    }

    /// <summary>The interface with an index; null if there is none, or if it has been removed.</summary>
    public NetworkInterface? this[int index] => (uint)index < Capacity ? _byIndex[index] : null;

    /// <summary>The only interface, which then has every address; null if there are none or several.</summary>
    public NetworkInterface? Only { get; private set; }

    /// <summary>
    /// The next free index after the one given last, or -1 if none is free. Indices are reused late, because late frames of a removed interface still carry its index.
    /// </summary>
    public int FreeIndex()
    {
        for (var i = 0; i < Capacity; i++)
        {
            var index = (_next + i) % Capacity;
            if (_byIndex[index] is null)
                return index;
        }

        return -1;
    }

    public void Add(NetworkInterface added)
    {
        _byIndex[added.Index] = added;
        _next = added.Index + 1;
        _all.Add(added);
        Changed();
    }

    public void Remove(NetworkInterface removed)
    {
        _byIndex[removed.Index] = null;
        _all.Remove(removed);
        Changed();
    }

    /// <summary>The interface that has this own address, or null.</summary>
    public NetworkInterface? OwnerOf(IpAddress address)
    {
        if (Only is { } only)
            return only.Own.IsOwn(address) ? only : null;
        foreach (var candidate in Each)
        {
            if (candidate.Own.IsOwn(address))
                return candidate;
        }

        return null;
    }

    /// <summary>The first interface with an address of that family, or null. Multicast groups without a route use it.</summary>
    public NetworkInterface? FirstWithAddress(IpAddress likeThis)
    {
        foreach (var candidate in Each)
        {
            if (!candidate.Own.SourceTowards(likeThis).IsUnspecified)
                return candidate;
        }

        return null;
    }

    private void Changed()
    {
        _each = [.. _all];
        Only = _all.Count == 1 ? _all[0] : null;
    }
}
