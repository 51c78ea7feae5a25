using System.Diagnostics.CodeAnalysis;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Dhcp;
using Tapwire.Stack.Dhcp.Server;
using Tapwire.Stack.Dhcp.V6;
using Tapwire.Stack.Forwarding;
using Tapwire.Stack.Interfaces;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Multicast;
using Tapwire.Stack.Packets;
using Tapwire.Stack.Tcp;
using Tapwire.Stack.Udp;

namespace Tapwire.Stack;

/// <summary>
/// A TCP/IP stack with any number of interfaces, without I/O: frames, time and socket calls go in; frames and socket events come out. One owner calls it, from
/// one thread at a time; it calls nobody back.
/// </summary>
public sealed partial class NetworkStack
{
    /// <summary>Interfaces that a stack may have at once.</summary>
    public const int MaxInterfaces = InterfaceTable.Capacity;

    /// <summary>The use of the key for identifications of packets.</summary>
    private const uint IdentificationKey = 2;

    /// <summary>Packets to own addresses handled by one <see cref="Poll"/>; more wait for the next.</summary>
    private const int LoopbackBudget = 1024;

    private readonly BufferPool _pool;
    private readonly InterfaceTable _interfaces;
    private readonly RouteTable _routes;
    private readonly TimerWheel _timers = new();
    private readonly SocketEventQueue _events = new();
    private readonly KeyedRandom _random;
    private readonly HashSet<IpAddress> _moved = [];
    private readonly IpLayer _ip;
    private readonly Ipv4Input _ipv4;
    private readonly Ipv6Input _ipv6;
    private readonly FragmentTable _fragments;
    private readonly SipHash _temporaryAddresses;
    private readonly MulticastLayer _multicast;
    private readonly Masquerade? _nat;

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
        _temporaryAddresses = shared.DeriveHash(TemporaryAddressKey);
        _interfaces = new InterfaceTable { IsRouter = options.IsRouter };
        _routes = new RouteTable(_interfaces);
        var groups = options.Shard?.Steering.Groups ?? new SharedGroups(1);
        _ip = new IpLayer(options, pool, _interfaces, _routes, groups, shared.DeriveHash(IdentificationKey), Counters);
        _multicast = new MulticastLayer(_interfaces, _ip, groups, options.Shard, pool, _timers, random, Counters);
        if (options.Forwarding is { } forwarding)
            _interfaces.Addresses.OwnAllBut(forwarding.Guest);
        foreach (var added in options.Interfaces)
            AddInterface(added);
        var errors = new IcmpErrors(options.Icmp, _ip, random, Counters);
        Udp = new UdpLayer(options.Udp, _ip, _interfaces.Addresses, _multicast, errors, _events, random, Counters, options.Shard);
        Tcp = new TcpLayer(options.Tcp, _ip, _events, _timers, random, Counters.Tcp, options.Shard, shared);
        Echo = new UdpLayer(options.Udp, _ip, _interfaces.Addresses, _multicast, errors, _events, random, Counters, kind: DatagramKind.Echo)
        {
            PathMtu = Udp.PathMtu,
            IsReserved = port => Icmp!.IsTaken(port),
        };
        Icmp = new IcmpLayer(options.Icmp, _ip, _interfaces, _multicast, errors, Udp, Echo, Tcp, _events, random, Counters);
        if (options.Forwarding is not null)
            Udp.Forwarder = Icmp.Forwarder = Tcp.Passive.Forwarder = Forwarder = new StackForwarder(options.Forwarding, Tcp, Icmp, errors, _ip, _events, Counters);
        _fragments = new FragmentTable(options.Fragments, pool, _timers, errors, Counters);
        if (options.IsRouter)
            Icmp.Nat = _nat = new Masquerade(options.Nat, _timers, random, IsPortFree, Counters);
        var router = _nat is null ? null : new Router(_interfaces, _routes, errors, _fragments, _nat, random, pool, Counters);
        _ipv4 = new Ipv4Input(_interfaces, Icmp, errors, _fragments, _ip, _multicast, groups, router, Udp, Tcp, Counters);
        _ipv6 = new Ipv6Input(_interfaces, Icmp, errors, _fragments, _ip, groups, router, Udp, Tcp, Counters);
    }

    public StackOptions Options { get; }

    public StackCounters Counters { get; } = new();

    /// <summary>How much memory is left on the machine or in the control group. The stack's owner sets it; until then it is ample.</summary>
    public MemoryLevel MemoryLevel
    {
        get => Tcp.MemoryLevel;
        set => Tcp.MemoryLevel = Udp.MemoryLevel = Echo.MemoryLevel = _fragments.MemoryLevel = value;
    }

    /// <summary>Bytes of memory that fragments hold while the rest of their datagrams is awaited.</summary>
    public long FragmentMemory => _fragments.Memory;

    /// <summary>Flows of other hosts that this stack translates at present; 0 unless an interface masquerades.</summary>
    public int TranslatedFlows => _nat?.Count ?? 0;

    public TcpLayer Tcp { get; }

    public UdpLayer Udp { get; }

    /// <summary>The sockets for echo messages. With shards, those of shard 0 alone get answers.</summary>
    public UdpLayer Echo { get; }

    public IcmpLayer Icmp { get; }

    /// <summary>What a host sends through this stack; null unless the options have <see cref="StackOptions.Forwarding"/>.</summary>
    public StackForwarder? Forwarder { get; }

    /// <summary>The interfaces, in the order in which they were added.</summary>
    public IReadOnlyList<NetworkInterface> Interfaces => _interfaces.All;

    /// <summary>The addresses of all interfaces with their prefixes, in the order in which they were added.</summary>
    public IReadOnlyList<IpPrefix> Addresses => _interfaces.Addresses.Prefixes;

    /// <summary>The routes, longest prefix first, those of the interfaces' own prefixes included.</summary>
    public IReadOnlyList<Route> Routes => _routes.Routes;

    /// <summary>Makes the socket of a DHCP client, on an interface that may have no address yet.</summary>
    /// <returns>Null: the interface is not one of this stack's, its medium is not Ethernet, or it has such a socket already.</returns>
    public DhcpSocket? OpenDhcp(NetworkInterface on) => _interfaces[on.Index] != on || on.Options.Medium != Medium.Ethernet || on.Dhcp is not null
        ? null
        : on.Dhcp = new DhcpSocket(on, _ip, _events, Counters);

    /// <summary>Makes the socket of a DHCPv6 client, on an interface that gets a link-local address unless it has one.</summary>
    /// <returns>Null: the interface is not one of this stack's, its medium is not Ethernet, its MTU is below that of IPv6, or it has such a socket already.</returns>
    public Dhcp6Socket? OpenDhcp6(NetworkInterface on, Instant now)
    {
        if (_interfaces[on.Index] != on || on.Options.Medium != Medium.Ethernet || on.Mtu < Ipv6Header.MinimumMtu || on.Dhcp6 is not null)
            return null;
        AddLinkLocal(on, now);
        return on.Dhcp6 = new Dhcp6Socket(on, _ip, _events, Counters);
    }

    /// <summary>Makes the socket of a DHCP server.</summary>
    /// <returns>Null: the interface is not one of this stack's, its medium is not Ethernet, or it has such a socket already.</returns>
    public DhcpServerSocket? OpenDhcpServer(NetworkInterface on) => _interfaces[on.Index] != on || on.Options.Medium != Medium.Ethernet || on.DhcpServer is not null
        ? null
        : on.DhcpServer = new DhcpServerSocket(on, _ip, _events, Counters);

    /// <summary>Makes the socket of a DHCPv6 server, on an interface that has a link-local address.</summary>
    /// <returns>Null: the interface is not one of this stack's, has no link-local address, is in too many groups, or has such a socket already.</returns>
    public Dhcp6ServerSocket? OpenDhcp6Server(NetworkInterface on)
    {
        if (_interfaces[on.Index] != on || on.Dhcp6Server is not null || !on.Addresses.Any(static own => own.Address.IsLinkLocal)
            || !_multicast.TryReplace(on.Index, Dhcp6.Servers, null, SourceFilter.Everything))
            return null;
        return on.Dhcp6Server = new Dhcp6ServerSocket(on, _ip, _events, Counters, Leave);

        // Another interface may have the index by then, whose group is its own.
        void Leave()
        {
            if (_interfaces[on.Index] == on)
                _multicast.TryReplace(on.Index, Dhcp6.Servers, SourceFilter.Everything, null);
        }
    }

    /// <summary>
    /// Takes all interfaces away, and drops packets that this stack has sent to itself. Connections end with <see cref="StackError.ConnectionAborted"/>; their
    /// peers are sent nothing. The events of that, and the frames of the interfaces, can still be taken. Sockets stay until their owners close them.
    /// </summary>
    public void Close(Instant now)
    {
        while (Addresses.Count != 0)
            RemoveAddress(Addresses[^1].Address, now);
        _multicast.Clear();
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
        switch (delivery)
        {
            case FrameDelivery.Ipv4 or FrameDelivery.Ipv4Group:
                _ipv4.Receive(frame, from, delivery, now);
                break;
            case FrameDelivery.Ipv6 or FrameDelivery.Ipv6Group:
                _ipv6.Receive(frame, from, delivery, now);
                GiveUpDuplicates(from, now);
                break;
        }
    }

    /// <summary>Receives a packet that a sibling gave away by <see cref="TryDequeueCrossing"/>.</summary>
    public void ReceiveCrossing(PacketBuffer packet, int shardsTried, Instant now) => ReceiveOwn(packet, now, shardsTried);

    /// <summary>Runs due timers, delivers packets to own addresses, and lets sockets send while their interfaces have room. Work per call is bounded.</summary>
    public void Poll(Instant now)
    {
        _timers.Advance(now);
        _multicast.Report(now);
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
                ReceiveOwn(Own(packet), now);
            }

            Tcp.Turns.Run(now);
            Udp.Output(now);
            Echo.Output(now);
        }
        while (budget > 0 && _ip.HasLoopback);
    }

    /// <summary>
    /// When <see cref="Poll"/> has something to do again: <see cref="Instant.Zero"/> at once, <see cref="Instant.Never"/> only after a call from outside.
    /// After a <c>Poll(t)</c> that left no work, with every interface taking output, it is later than t.
    /// </summary>
    public Instant PollAt =>
        _ip.HasLoopback || _multicast.HasUnreported || _ip.TakeOutput(Tcp.Turns.Waiting | Udp.Waiting | Echo.Waiting) ? Instant.Zero : _timers.NextDeadline;

    /// <summary>Finds out how long datagrams to a destination may be.</summary>
    /// <param name="source">An own address, or unspecified.</param>
    /// <param name="discovery">How the sender learns what the path takes.</param>
    /// <param name="mtu">The largest packet that goes there unfragmented, in bytes.</param>
    /// <param name="least">The payload of an IPv4 packet of so many bytes goes anywhere, as far as is known, in a packet of either family.</param>
    /// <returns>None; NetworkUnreachable; AddressNotAvailable: the source is not the stack's.</returns>
    public StackError FindPath(IpAddress destination, IpAddress source, MtuDiscovery discovery, Instant now, out int mtu, out int least)
    {
        var error = _ip.Route(destination, source, out var route);
        mtu = discovery.IgnoresPath() ? route.Mtu : Udp.PathMtu.Find(destination, route.Mtu, now);
        least = ushort.MaxValue;
        foreach (var each in _interfaces.Each)
            least = Math.Min(least, Math.Min(each.MtuOf(isV4: true), each.MtuOf(isV4: false)));
        least = Udp.PathMtu.Least(least, now);
        if (Addresses.Any(static address => address.Address.IsV6))
            least -= Ipv6Header.Length - Ipv4Header.Length;
        return error;
    }

    /// <summary>The own address that a packet to a destination leaves from by one interface; unspecified: there is no such interface, or it has none of that family.</summary>
    public IpAddress SourceOn(int interfaceIndex, IpAddress destination) => _ip.SourceOn(interfaceIndex, destination);

    /// <summary>Destinations in the order in which they are to be tried (RFC 6724, 6): those that cannot be reached last, and equal ones in their own order.</summary>
    public IReadOnlyList<IpAddress> InOrder(IReadOnlyList<IpAddress> destinations)
    {
        var sources = new Dictionary<IpAddress, IpAddress>();
        foreach (var destination in destinations)
            sources[destination] = _ip.Route(destination, default, out var route) == StackError.None ? route.Source : default;
        return [.. destinations.Order(Comparer<IpAddress>.Create((a, b) => AddressSelection.CompareDestinations(a, sources[a], b, sources[b])))];
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

    /// <summary>No socket has the port, or the identifier of echo messages.</summary>
    private bool IsPortFree(byte protocol, ushort port) => protocol switch
    {
        IpProtocol.Tcp => !Tcp.Ports.IsUsed(port),
        IpProtocol.Udp => Udp.Table.IsPortFree(port),
        _ => Echo.Table.IsPortFree(port) && !Icmp.IsTaken(port),
    };

    /// <summary>Receives a packet that is known to be good.</summary>
    private void ReceiveOwn(PacketBuffer packet, Instant now, int shardsTried = 0)
    {
        if (packet.Length > 0 && packet.Span[0] >> 4 == 6)
            _ipv6.ReceiveLoopback(packet, now, shardsTried);
        else
            _ipv4.ReceiveLoopback(packet, now, shardsTried);
    }

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
