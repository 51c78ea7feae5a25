using System.Diagnostics.CodeAnalysis;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Dhcp;
using Tapwire.Stack.Forwarding;
using Tapwire.Stack.Interfaces;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Tcp;
using Tapwire.Stack.Udp;

namespace Tapwire.Stack;

/// <summary>
/// A TCP/IP stack with any number of interfaces, without I/O: frames, time and socket calls go in; frames and socket events come out. One owner calls it, from
/// one thread at a time; it calls nobody back.
/// </summary>
public sealed class NetworkStack
{
    /// <summary>Interfaces that a stack may have at once.</summary>
    public const int MaxInterfaces = InterfaceTable.Capacity;

    /// <summary>The use of the key for identifications of packets.</summary>
    private const uint IdentificationKey = 2;

    /// <summary>Packets to own addresses handled by one <see cref="Poll"/>; more wait for the next.</summary>
    private const int LoopbackBudget = 1024;

    private readonly BufferPool _pool;
    private readonly InterfaceTable _interfaces = new();
    private readonly RouteTable _routes;
    private readonly TimerWheel _timers = new();
    private readonly SocketEventQueue _events = new();
    private readonly KeyedRandom _random;
    private readonly HashSet<IpAddress> _moved = [];
    private readonly IpLayer _ip;
    private readonly Ipv4Input _ipv4;
    private readonly FragmentTable _fragments;

    /// <param name="pool">Where buffers for frames and data are rented.</param>
    /// <param name="secret">32 unpredictable bytes: every random number and key derives from them, so that a run repeats from its secret. Shards are given
    /// the same.</param>
    /// <exception cref="ArgumentException">An option is out of its range, or the secret is not 32 bytes long.</exception>
    public NetworkStack(StackOptions options, BufferPool pool, ReadOnlySpan<byte> secret)
    {
        options.Validate();
        Options = options;
        _pool = pool;
        var (random, shared) = Numbers(secret, options.Shard);
        _random = random;
        _routes = new RouteTable(_interfaces);
        _ip = new IpLayer(options, pool, _interfaces, _routes, shared.DeriveHash(IdentificationKey), Counters);
        if (options.Forwarding is { } forwarding)
            _interfaces.Addresses.OwnAllBut(forwarding.Guest);
        foreach (var added in options.Interfaces)
            AddInterface(added);
        var errors = new IcmpErrors(options.Icmp, _ip, random, Counters);
        Udp = new UdpLayer(options.Udp, _ip, _interfaces.Addresses, errors, _events, random, Counters, options.Shard);
        Tcp = new TcpLayer(options.Tcp, _ip, _events, _timers, random, Counters.Tcp, options.Shard, shared);
        Icmp = new IcmpLayer(options.Icmp, _ip, Udp, Tcp, _events, random, Counters);
        if (options.Forwarding is not null)
            Udp.Forwarder = Icmp.Forwarder = Tcp.Passive.Forwarder = Forwarder = new StackForwarder(options.Forwarding, Tcp, Icmp, errors, _ip, _events, Counters);
        _fragments = new FragmentTable(options.Fragments, pool, _timers, errors, Counters);
        _ipv4 = new Ipv4Input(_interfaces, Icmp, errors, _fragments, _ip, Udp, Tcp, Counters);
    }

    public StackOptions Options { get; }

    public StackCounters Counters { get; } = new();

    /// <summary>How much memory is left on the machine or in the control group. The stack's owner sets it; until then it is ample.</summary>
    public MemoryLevel MemoryLevel
    {
        get => Tcp.MemoryLevel;
        set => Tcp.MemoryLevel = Udp.MemoryLevel = _fragments.MemoryLevel = value;
    }

    /// <summary>Bytes of memory that fragments hold while the rest of their datagrams is awaited.</summary>
    public long FragmentMemory => _fragments.Memory;

    public TcpLayer Tcp { get; }

    public UdpLayer Udp { get; }

    public IcmpLayer Icmp { get; }

    /// <summary>What a host sends through this stack; null unless the options have <see cref="StackOptions.Forwarding"/>.</summary>
    public StackForwarder? Forwarder { get; }

    /// <summary>The interfaces, in the order in which they were added.</summary>
    public IReadOnlyList<NetworkInterface> Interfaces => _interfaces.All;

    /// <summary>The addresses of all interfaces with their prefixes, in the order in which they were added.</summary>
    public IReadOnlyList<IpPrefix> Addresses => _interfaces.Addresses.Prefixes;

    /// <summary>The routes, longest prefix first, those of the interfaces' own prefixes included.</summary>
    public IReadOnlyList<Route> Routes => _routes.Routes;

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
        _interfaces.Add(added);
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
        while (removed.Addresses.Count != 0)
            Remove(removed.Addresses[^1].Address, removed, tellsPeers: true, now);
        _routes.RemoveAll(removed);
        removed.Framing.ForgetNeighbors();
        _fragments.Forget(removed);
        _interfaces.Remove(removed);
        _ip.Changed();
        return true;
    }

    /// <summary>Gives an interface an address and the route to its prefix, and announces it there (RFC 5227, 2.3).</summary>
    /// <returns>None; AddressInUse: an interface of this stack has it already; InvalidArgument: no host can have it; AddressFamilyNotSupported.</returns>
    public StackError AddAddress(NetworkInterface to, IpPrefix address, Instant now)
    {
        var host = address.Address;
        if (!host.IsV4)
            return StackError.AddressFamilyNotSupported;
        if (host.IsUnspecified || host.IsMulticast || host.IsLimitedBroadcast || host == address.Broadcast)
            return StackError.InvalidArgument;
        if (!_interfaces.Addresses.TryAdd(address))
            return StackError.AddressInUse;
        to.Own.TryAdd(address);
        _routes.Set(address, IpAddress.Unspecified, to);
        _ip.Changed();
        to.Framing.AddressAdded(host, now);
        return StackError.None;
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

    /// <summary>Adds a route, or replaces the one to the same destination by the same interface.</summary>
    /// <param name="gateway">A neighbour on-link; unspecified when the destinations are on-link themselves.</param>
    /// <param name="by">Where packets leave; null: by the interface with the gateway on-link, or by the first one if no interface has it.</param>
    /// <returns>None; NetworkUnreachable: the gateway is not on-link, or there is no such interface; InvalidArgument: the gateway is one of the stack's own
    /// addresses or cannot be a host's; AddressFamilyNotSupported.</returns>
    public StackError AddRoute(IpPrefix destination, IpAddress gateway, NetworkInterface? by = null)
    {
        if (!destination.Address.IsV4 || (!gateway.IsUnspecified && !gateway.IsV4))
            return StackError.AddressFamilyNotSupported;
        if (!gateway.IsUnspecified && _interfaces.Addresses.KindOf(gateway) != AddressKind.Other)
            return StackError.InvalidArgument;
        by ??= Interfaces.FirstOrDefault(each => !gateway.IsUnspecified && _routes.IsOnLink(gateway, each)) ?? Interfaces.FirstOrDefault();
        if (by is null || _interfaces[by.Index] != by || (!gateway.IsUnspecified && !_routes.IsOnLink(gateway, by)))
            return StackError.NetworkUnreachable;
        _routes.Set(destination, gateway, by);
        _ip.Changed();
        return StackError.None;
    }

    /// <summary>Removes a route that <see cref="AddRoute"/> has added. Routes of an interface's own prefixes go with their addresses.</summary>
    /// <param name="by">The interface of the route; null: of every interface.</param>
    /// <returns>False: there is no such route.</returns>
    public bool RemoveRoute(IpPrefix destination, NetworkInterface? by = null)
    {
        var removed = false;
        foreach (var each in by is null ? Interfaces : [by])
            removed |= _routes.Remove(destination, onLink: false, each) || (!HasPrefix(each, destination) && _routes.Remove(destination, onLink: true, each));
        _ip.Changed();
        return removed;
    }

    /// <summary>Makes the socket of a DHCP client, on an interface that may have no address yet.</summary>
    /// <returns>Null: the interface is not one of this stack's, its medium is not Ethernet, or it has such a socket already.</returns>
    public DhcpSocket? OpenDhcp(NetworkInterface on) => _interfaces[on.Index] != on || on.Options.Medium != Medium.Ethernet || on.Dhcp is not null
        ? null
        : on.Dhcp = new DhcpSocket(on, _ip, _events, Counters);

    /// <summary>
    /// Takes all interfaces away, and drops packets that this stack has sent to itself. Connections end with <see cref="StackError.ConnectionAborted"/>; their
    /// peers are sent nothing. The events of that, and the frames of the interfaces, can still be taken. Sockets stay until their owners close them.
    /// </summary>
    public void Close(Instant now)
    {
        while (Addresses.Count != 0)
            RemoveAddress(Addresses[^1].Address, now);
        Forwarder?.Clear();
        _fragments.Clear();
        while (_ip.TryTakeLoopback(out var packet))
            packet.Release();
        while (_ip.TryTakeCrossing(out var crossing))
            crossing.Packet.Release();
        foreach (var each in Interfaces)
            each.Framing.ForgetNeighbors();
    }

    /// <summary>Receives one frame from the wire of the interface that the buffer names, and takes the buffer over. Never throws for what the frame
    /// contains.</summary>
    public void Receive(PacketBuffer frame, Instant now)
    {
        if (_interfaces[frame.Interface] is not { } from)
        {
            Counters.InNoInterface++;
            frame.Release();
            return;
        }

        Counters.InFrames++;
        Counters.InBytes += frame.TotalLength;
        frame = Own(frame);
        var delivery = from.Framing.Receive(frame, now);
        if (delivery != FrameDelivery.Consumed)
            _ipv4.Receive(frame, from, delivery, now);
    }

    /// <summary>Receives a packet that a sibling gave away by <see cref="TryDequeueCrossing"/>.</summary>
    public void ReceiveCrossing(PacketBuffer packet, int shardsTried, Instant now) => _ipv4.ReceiveLoopback(packet, now, shardsTried);

    /// <summary>Runs due timers, delivers packets to own addresses, and lets sockets send while their interfaces have room. Work per call is bounded.</summary>
    public void Poll(Instant now)
    {
        _timers.Advance(now);
        foreach (var each in _interfaces.Each)
        {
            while (each.Framing.TryTakeUndeliverable(out var packet))
            {
                Icmp.NextHopUnreachable(packet, now);
                packet.Release();
            }

            if (each.Framing.TryTakeMoved(_moved))
            {
                Tcp.NeighborsMoved(each.Index, _moved, now);
                _moved.Clear();
            }
        }

        var budget = LoopbackBudget;
        do
        {
            while (budget > 0 && _ip.TryTakeLoopback(out var packet))
            {
                budget--;
                _ipv4.ReceiveLoopback(Own(packet), now);
            }

            Tcp.Turns.Run(now);
            Udp.Output(now);
        }
        while (budget > 0 && _ip.HasLoopback);
    }

    /// <summary>
    /// When <see cref="Poll"/> has something to do again: <see cref="Instant.Zero"/> at once, <see cref="Instant.Never"/> only after a call from outside.
    /// After a <c>Poll(t)</c> that left no work, with every interface taking output, it is later than t.
    /// </summary>
    public Instant PollAt =>
        _ip.HasLoopback || _ip.TakeOutput(Tcp.Turns.Waiting | Udp.Waiting) ? Instant.Zero : _timers.NextDeadline;

    /// <summary>Finds out how long datagrams to a destination may be.</summary>
    /// <param name="source">An own address, or unspecified.</param>
    /// <param name="discovery">How the sender learns what the path takes.</param>
    /// <param name="mtu">The largest packet that goes there unfragmented, in bytes.</param>
    /// <param name="least">A packet of so many bytes goes anywhere, as far as is known.</param>
    /// <returns>None; NetworkUnreachable; AddressNotAvailable: the source is not the stack's.</returns>
    public StackError FindPath(IpAddress destination, IpAddress source, MtuDiscovery discovery, Instant now, out int mtu, out int least)
    {
        var error = _ip.Route(destination, source, out var route);
        mtu = discovery.IgnoresPath() ? route.Mtu : Udp.PathMtu.Find(destination, route.Mtu, now);
        least = ushort.MaxValue;
        foreach (var each in _interfaces.Each)
            least = Math.Min(least, each.Mtu);
        least = Udp.PathMtu.Least(least, now);
        return error;
    }

    /// <summary>The connection's interface has room in its egress queue, so that its transport does not hold back.</summary>
    public bool HasRoomFor(TcpSocket socket) => _ip.HasRoom(socket.Interface);

    /// <summary>Takes the next packet for another shard. The caller owns it, and nobody else refers to its memory.</summary>
    public bool TryDequeueCrossing(out CrossingPacket crossing)
    {
        if (!_ip.TryTakeCrossing(out crossing))
            return false;
        crossing = crossing with { Packet = Own(crossing.Packet) };
        return true;
    }

    /// <summary>Takes the next socket that has events.</summary>
    public bool TryDequeueEvent([NotNullWhen(true)] out StackSocket? socket, out SocketEvents events) => _events.TryDequeue(out socket, out events);

    private void Remove(IpAddress address, NetworkInterface from, bool tellsPeers, Instant now)
    {
        // The address is still there during this call, so that resets can be sent from it.
        Tcp.AddressRemoved(address, tellsPeers, now);
        Udp.AddressRemoved(address);
        _interfaces.Addresses.TryRemove(address, out _);
        from.Own.TryRemove(address, out var prefix);
        if (!HasPrefix(from, prefix))
            _routes.Remove(prefix, onLink: true, from);
        _ip.Changed();
        from.Framing.AddressRemoved(address);
    }

    private static bool HasPrefix(NetworkInterface owner, IpPrefix prefix) =>
        owner.Addresses.Any(p => p.Length == prefix.Length && p.Network == prefix.Network);

    /// <summary>Makes a stack's own random numbers, and those that it shares with its siblings. In a stack without siblings both are the same.</summary>
    private static (KeyedRandom Own, KeyedRandom Shared) Numbers(ReadOnlySpan<byte> secret, StackShard? shard)
    {
        var root = new KeyedRandom(secret);
        if (shard is null)
            return (root, root);
        Span<byte> bytes = stackalloc byte[KeyedRandom.SecretLength];
        root.Fill(bytes);
        var shared = new KeyedRandom(bytes);
        for (var i = 0; i <= shard.Index; i++)
            root.Fill(bytes);
        return (new KeyedRandom(bytes), shared);
    }

    /// <summary>
    /// Received packets are parsed and answered in place, which needs a contiguous buffer that nobody else holds. Frames from a device are such; frames that a
    /// stack emitted and that came back to it, or to another stack, may not be.
    /// </summary>
    private PacketBuffer Own(PacketBuffer frame)
    {
        if (frame.FragmentCount == 0 && frame.IsExclusive)
            return frame;
        var copy = _pool.Rent(frame.TotalLength, Math.Min(BufferPool.HeaderRoom, BufferPool.MaxCapacity - frame.TotalLength));
        frame.CopyTo(copy.Append(frame.TotalLength));
        copy.Offload = frame.Offload;
        copy.Interface = frame.Interface;
        frame.Release();
        return copy;
    }
}
