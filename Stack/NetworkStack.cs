using System.Diagnostics.CodeAnalysis;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Link;
using Tapwire.Stack.Tcp;
using Tapwire.Stack.Udp;

namespace Tapwire.Stack;

/// <summary>
/// A TCP/IP stack with one interface, without I/O: frames, time and socket calls go in; frames and socket events come out. One owner calls it, from
/// one thread at a time; it calls nobody back.
/// </summary>
public sealed class NetworkStack
{
    /// <summary>Packets to own addresses handled by one <see cref="Poll"/>; more wait for the next.</summary>
    private const int LoopbackBudget = 1024;

    private readonly BufferPool _pool;
    private readonly AddressTable _addresses = new();
    private readonly RouteTable _routes;
    private readonly TimerWheel _timers = new();
    private readonly SocketEventQueue _events = new();
    private readonly EgressQueue _egress;
    private readonly LinkLayer _link;
    private readonly IpLayer _ip;
    private readonly Ipv4Input _ipv4;

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
        _egress = new EgressQueue(options, Counters);
        _routes = new RouteTable(_addresses);
        _link = options.Link == LinkKind.Ip
            ? new RawIpLink(_egress, Counters)
            : new EthernetLink(options, pool, _addresses, _routes, _egress, _timers, random, Counters);
        _ip = new IpLayer(options, pool, _addresses, _routes, _link, _egress, Counters);
        var errors = new IcmpErrors(options.Icmp, _ip, random, Counters);
        Udp = new UdpLayer(options.Udp, _ip, _addresses, errors, _events, random, Counters, options.Shard);
        Tcp = new TcpLayer(options.Tcp, _ip, _events, _timers, random, Counters.Tcp, options.Shard, shared);
        Icmp = new IcmpLayer(options.Icmp, _ip, Udp, Tcp, _events, random, Counters);
        _ipv4 = new Ipv4Input(_addresses, Icmp, errors, Udp, Tcp, Counters);
    }

    public StackOptions Options { get; }

    public StackCounters Counters { get; } = new();

    /// <summary>How much memory there is left where the stack runs. Its owner, who can look, says so; until then there is enough.</summary>
    public MemoryLevel MemoryLevel
    {
        get => Tcp.MemoryLevel;
        set => Tcp.MemoryLevel = Udp.MemoryLevel = value;
    }

    public TcpLayer Tcp { get; }

    public UdpLayer Udp { get; }

    public IcmpLayer Icmp { get; }

    /// <summary>The interface's addresses with their prefixes, in the order in which they were added.</summary>
    public IReadOnlyList<IpPrefix> Addresses => _addresses.Prefixes;

    /// <summary>The routes, longest prefix first, those of the interface's own prefixes included.</summary>
    public IReadOnlyList<Route> Routes => _routes.Routes;

    /// <summary>A snapshot of the neighbour table, in the order of the addresses.</summary>
    public IReadOnlyList<NeighborInfo> Neighbors => _link.Neighbors;

    /// <summary>Gives the interface an address and the route to its prefix, and announces it on the link (RFC 5227, 2.3).</summary>
    /// <returns>None; AddressInUse: it has it already; InvalidArgument: no host can have it; AddressFamilyNotSupported.</returns>
    public StackError AddAddress(IpPrefix address, Instant now)
    {
        var host = address.Address;
        if (!host.IsV4)
            return StackError.AddressFamilyNotSupported;
        if (host.IsUnspecified || host.IsMulticast || host.IsLimitedBroadcast || host == address.Broadcast)
            return StackError.InvalidArgument;
        if (!_addresses.TryAdd(address))
            return StackError.AddressInUse;
        _routes.Set(address, IpAddress.Unspecified);
        _ip.Changed();
        _link.AddressAdded(host, now);
        return StackError.None;
    }

    /// <summary>The link has come up again: announces all addresses on it.</summary>
    public void Announce(Instant now)
    {
        foreach (var prefix in _addresses.Prefixes)
            _link.AddressAdded(prefix.Address, now);
    }

    /// <summary>
    /// The link has gone down: what is on it when it comes up again is not known, so its neighbours are asked anew then. Packets that wait for one are dropped,
    /// as those on the link are.
    /// </summary>
    public void LinkDown() => _link.ForgetNeighbors();

    /// <summary>Takes an address away. Connections bound to it end with <see cref="StackError.ConnectionAborted"/>.</summary>
    /// <returns>False: the interface does not have it.</returns>
    public bool RemoveAddress(IpAddress address, Instant now)
    {
        if (!_addresses.IsOwn(address))
            return false;
        // While the address is still there, so that what a transport may have to send on the way finds it.
        Tcp.AddressRemoved(address, now);
        Udp.AddressRemoved(address);
        _addresses.TryRemove(address, out var prefix);
        if (!_addresses.Prefixes.Any(p => p.Length == prefix.Length && p.Network == prefix.Network))
            _routes.Remove(prefix, onLink: true);
        _ip.Changed();
        _link.AddressRemoved(address);
        return true;
    }

    /// <summary>Adds a route, or replaces the one to the same destination.</summary>
    /// <param name="gateway">Reached on the link; unspecified when the destinations are on the link themselves.</param>
    /// <returns>None; NetworkUnreachable: the gateway is not on the link; InvalidArgument: the gateway is one of the stack's own addresses or no
    /// host's; AddressFamilyNotSupported.</returns>
    public StackError AddRoute(IpPrefix destination, IpAddress gateway)
    {
        if (!destination.Address.IsV4 || (!gateway.IsUnspecified && !gateway.IsV4))
            return StackError.AddressFamilyNotSupported;
        if (!gateway.IsUnspecified && _addresses.KindOf(gateway) != AddressKind.Other)
            return StackError.InvalidArgument;
        if (!gateway.IsUnspecified && !_routes.IsOnLink(gateway))
            return StackError.NetworkUnreachable;
        _routes.Set(destination, gateway);
        _ip.Changed();
        return StackError.None;
    }

    /// <summary>Removes a route that was added; those of the interface's own prefixes go with their addresses.</summary>
    /// <returns>False: there is no such route.</returns>
    public bool RemoveRoute(IpPrefix destination)
    {
        var ofPrefix = _addresses.Prefixes.Any(p => p.Length == destination.Length && p.Network == destination.Network);
        var removed = _routes.Remove(destination, onLink: false) || (!ofPrefix && _routes.Remove(destination, onLink: true));
        _ip.Changed();
        return removed;
    }

    /// <summary>
    /// Takes all addresses away, and drops what waits for neighbours and for this stack itself. Connections end as with <see cref="RemoveAddress"/>;
    /// the frames and events of that are still to be taken. Sockets stay to be closed by their owners.
    /// </summary>
    public void Close(Instant now)
    {
        while (_addresses.Prefixes.Count != 0)
            RemoveAddress(_addresses.Prefixes[^1].Address, now);
        while (_ip.TryTakeLoopback(out var packet))
            packet.Release();
        while (_ip.TryTakeCrossing(out var crossing))
            crossing.Packet.Release();
        _link.ForgetNeighbors();
    }

    /// <summary>Takes one frame from the wire, and its buffer. Never throws for what is in it.</summary>
    public void Receive(PacketBuffer frame, Instant now)
    {
        Counters.InFrames++;
        Counters.InBytes += frame.TotalLength;
        frame = Own(frame);
        var delivery = _link.Receive(frame, now);
        if (delivery != LinkDelivery.Consumed)
            _ipv4.Receive(frame, delivery, now);
    }

    /// <summary>Takes a packet that a sibling gave away by <see cref="TryDequeueCrossing"/>.</summary>
    public void ReceiveCrossing(PacketBuffer packet, int shardsTried, Instant now) => _ipv4.ReceiveLoopback(packet, now, shardsTried);

    /// <summary>Runs due timers, delivers packets to own addresses, and lets sockets emit while the egress queue has room. Work per call is bounded.</summary>
    public void Poll(Instant now)
    {
        _timers.Advance(now);
        while (_link.TryTakeUndeliverable(out var packet))
        {
            Icmp.NextHopUnreachable(packet, now);
            packet.Release();
        }

        var budget = LoopbackBudget;
        do
        {
            while (budget > 0 && _ip.TryTakeLoopback(out var packet))
            {
                budget--;
                _ipv4.ReceiveLoopback(Own(packet), now);
            }

            if (Tcp.OutputPending)
                Tcp.Output(now);
            if (Udp.OutputPending)
                Udp.Output(now);
        }
        while (budget > 0 && _ip.HasLoopback);
    }

    /// <summary>
    /// When <see cref="Poll"/> has something to do again: <see cref="Instant.Zero"/> at once, <see cref="Instant.Never"/> only after a call from outside.
    /// After a <c>Poll(t)</c> that left no work, with room on the egress queue, it is later than t.
    /// </summary>
    public Instant PollAt =>
        _ip.HasLoopback || ((Tcp.OutputPending || Udp.OutputPending) && _ip.HasRoom) ? Instant.Zero : _timers.NextDeadline;

    /// <summary>There is room for what can wait: transports do not hold back.</summary>
    public bool HasRoom => _ip.HasRoom;

    /// <summary>Frames wait to be taken.</summary>
    public bool HasFrames => !_egress.IsEmpty;

    /// <summary>Takes the next frame for the wire; the caller owns it.</summary>
    public bool TryDequeueFrame([NotNullWhen(true)] out PacketBuffer? frame) => _egress.TryDequeue(out frame);

    /// <summary>Takes the next packet that is another shard's; the caller owns it, and nobody else its memory.</summary>
    public bool TryDequeueCrossing(out CrossingPacket crossing)
    {
        if (!_ip.TryTakeCrossing(out crossing))
            return false;
        crossing = crossing with { Packet = Own(crossing.Packet) };
        return true;
    }

    /// <summary>Takes the next socket with news.</summary>
    public bool TryDequeueEvent([NotNullWhen(true)] out StackSocket? socket, out SocketEvents events) => _events.TryDequeue(out socket, out events);

    /// <summary>A stack's own random numbers, and those that it shares with its siblings. Of a stack without any they are the same.</summary>
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
    /// What comes in is taken apart and answered in place, which needs a buffer in one piece that nobody else holds. Frames from a device are; those
    /// that a stack has emitted, and came back to it or to another one, may not be.
    /// </summary>
    private PacketBuffer Own(PacketBuffer frame)
    {
        if (frame.FragmentCount == 0 && frame.IsExclusive)
            return frame;
        var copy = _pool.Rent(frame.TotalLength, Math.Min(BufferPool.HeaderRoom, BufferPool.MaxCapacity - frame.TotalLength));
        frame.CopyTo(copy.Append(frame.TotalLength));
        copy.Offload = frame.Offload;
        frame.Release();
        return copy;
    }
}
