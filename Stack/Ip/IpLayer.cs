using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;
using System.Numerics;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Interfaces;
using Tapwire.Stack.Multicast;
using Tapwire.Stack.Packets;

namespace Tapwire.Stack.Ip;

/// <summary>A packet for another shard. It begins with its IP header.</summary>
/// <param name="ShardsTried">Number of shards in which it has found no socket; <see cref="IpReceiveInfo.MadeWhole"/> for a datagram that came in fragments.</param>
public readonly record struct CrossingPacket(PacketBuffer Packet, int Shard, int ShardsTried);

/// <summary>IP output: finds the route, completes the transport checksum, writes the header and hands the packet to an interface, or back to this
/// stack. What is too long for the path is marked to be cut into fragments by the <see cref="EgressQueue"/>.</summary>
internal sealed class IpLayer : IIpOutput
{
    /// <summary>MTU towards own addresses: the largest IPv4 packet, as on Linux's lo.</summary>
    private const int LoopbackMtu = 65535;

    /// <summary>The largest IPv6 packet, whose length field does not count the header.</summary>
    private const int LargestV6 = Ipv6Header.Length + ushort.MaxValue;

    private readonly StackOptions _options;
    private readonly InterfaceTable _interfaces;
    private readonly StackCounters _counters;
    private readonly IpIdentifications _identifications;
    private readonly SharedGroups _groups;
    private BufferQueue _loopback;
    private readonly Queue<CrossingPacket> _crossing = new();
    private Hop _hop;
    private IpAddress _hopDestination;
    private IpAddress _hopSource;

    public IpLayer(StackOptions options, BufferPool pool, InterfaceTable interfaces, RouteTable routes, SharedGroups groups, SipHash identifications, StackCounters counters)
    {
        _options = options;
        _interfaces = interfaces;
        _counters = counters;
        _groups = groups;
        _identifications = new IpIdentifications(identifications, options.Shard?.Index ?? 0, options.Shard?.Steering.Shards ?? 1);
        Pool = pool;
        Routes = routes;
    }

    public BufferPool Pool { get; }

    /// <summary>The addresses of all interfaces.</summary>
    public AddressTable Addresses => _interfaces.Addresses;

    public RouteTable Routes { get; }

    /// <summary>Headroom that an IPv6 packet needs in front of its transport header.</summary>
    public static int HeaderRoomV6 => EthernetHeader.Length + Ipv6Header.Length + Ipv6FragmentHeader.Length;

    /// <summary>Changes with every interface, address and route.</summary>
    public int Version { get; private set; }

    public bool HasLoopback => !_loopback.IsEmpty;

    /// <summary>Packets that a transport sends in spite of <see cref="HasRoom"/> are accepted up to this limit; more are dropped and counted.</summary>
    private int LoopbackLimit => _options.LoopbackFrames + (_options.LoopbackFrames >> 3);

    /// <summary>An interface that is gone has room for everything: packets to it are dropped.</summary>
    public bool HasRoom(int interfaceIndex) => interfaceIndex == InterfaceTable.Loopback
        ? _loopback.Count + _crossing.Count < _options.LoopbackFrames
        : _interfaces[interfaceIndex] is not { } egress || egress.Egress.HasRoom;

    public bool TakesOutput(int interfaceIndex) => HasRoom(interfaceIndex) && _interfaces[interfaceIndex] is not { IsHeldBack: true };

    /// <summary>At least one of these interfaces takes output.</summary>
    /// <param name="interfaces">A bit for each index.</param>
    public bool TakeOutput(ulong interfaces)
    {
        for (; interfaces != 0; interfaces &= interfaces - 1)
        {
            if (TakesOutput(BitOperations.TrailingZeroCount(interfaces)))
                return true;
        }

        return false;
    }

    /// <summary>The address is one of the interface's own; with <see cref="InterfaceTable.Loopback"/>, of any interface's.</summary>
    public bool IsOwnOn(IpAddress address, int interfaceIndex) =>
        interfaceIndex == InterfaceTable.Loopback ? Addresses.IsOwn(address) : _interfaces[interfaceIndex] is { } at && _interfaces.KindOn(at, address) == AddressKind.Own;

    public StackError Route(IpAddress destination, IpAddress source, out IpRoute route)
    {
        route = default;
        if (!source.IsUnspecified && !Addresses.IsOwn(source))
            return StackError.AddressNotAvailable;
        if (!source.IsUnspecified && source.IsV4 != destination.IsV4)
            return StackError.NetworkUnreachable;
        if (!TryFindHop(destination, source, out var hop))
            return StackError.NetworkUnreachable;
        if (source.IsUnspecified)
            source = hop.Source;
        route = hop.Egress is { } egress
            ? new IpRoute(source, egress.MtuOf(destination.IsV4), egress.SuperFrameOf(destination.IsV4), egress.Index, hop.Kind is AddressKind.Broadcast or AddressKind.Multicast)
            : new IpRoute(source, LoopbackMtu, LoopbackMtu, InterfaceTable.Loopback);
        return StackError.None;
    }

    public IpAddress SourceOn(int interfaceIndex, IpAddress destination) =>
        interfaceIndex == InterfaceTable.Loopback ? destination : _interfaces[interfaceIndex]?.Own.SourceTowards(destination) ?? default;

    public void Send(PacketBuffer packet, in IpSendInfo info, Instant now)
    {
        _counters.IpOutRequests++;
        if (!TryFindHop(info.Destination, info.Source, out var hop))
        {
            Drop(packet, ref _counters.IpOutNoRoutes);
            return;
        }

        var egress = hop.Egress;
        var isV4 = info.Destination.IsV4;
        var length = packet.TotalLength + (isV4 ? Ipv4Header.Length : Ipv6Header.Length);
        var largest = isV4 ? LoopbackMtu : LargestV6;
        var mtu = egress is null ? largest : info.SegmentSize != 0 ? egress.SuperFrameOf(isV4) : info.Mtu == 0 ? egress.MtuOf(isV4) : Math.Min(info.Mtu, egress.MtuOf(isV4));
        var isCut = length > mtu;
        if (isCut && (info.Fragmentation == Fragmentation.Forbidden || length > largest))
        {
            Drop(packet, ref _counters.IpOutTooBig);
            return;
        }

        if (hop.Kind == AddressKind.Multicast && info.Reach != GroupReach.Link && egress is not null && !_groups.Find(egress.Index, info.Destination).IsNothing)
            LoopBack(packet, info, egress);
        if (info.Reach == GroupReach.Host)
        {
            packet.Release();
            return;
        }

        // The buffer may have come off a wire, with the note of that wire.
        packet.Offload = default;
        if (egress is null)
            packet.Offload.Checksum = ChecksumState.Verified;
        else if (info.ChecksumOffset >= 0)
            PutChecksum(packet, info, egress, egress.Options.ChecksumOffload && !isCut);
        if (isV4)
            EmitV4(packet, info, isCut, mtu);
        else
            EmitV6(packet, info, isCut, mtu, egress?.Routers is { HopLimit: > 0 and var advertised } ? advertised : _options.HopLimit);
        if (egress is null)
            SendToOwn(packet);
        else
            egress.Framing.Send(packet, hop.NextHop, hop.Kind, now);
    }

    private void EmitV4(PacketBuffer packet, in IpSendInfo info, bool isCut, int mtu)
    {
        if (isCut)
        {
            packet.Offload.Segmentation = Segmentation.Ipv4Fragments;
            packet.Offload.SegmentSize = (ushort)((mtu - Ipv4Header.Length) & ~7);
        }

        // A datagram that must not be fragmented needs no identification (RFC 6864, 4.1).
        var dontFragment = info.Fragmentation == Fragmentation.Forbidden || (info.Fragmentation == Fragmentation.Avoided && !isCut);
        new Ipv4Header
        {
            Source = info.Source,
            Destination = info.Destination,
            Protocol = info.Protocol,
            HopLimit = info.HopLimit == 0 ? _options.HopLimit : info.HopLimit,
            TrafficClass = info.TrafficClass,
            Identification = dontFragment ? (ushort)0 : _identifications.Next(info.Source, info.Destination, info.Protocol),
            DontFragment = dontFragment,
            PayloadLength = (ushort)packet.TotalLength,
        }.Emit(packet.Prepend(Ipv4Header.Length));
    }

    private void EmitV6(PacketBuffer packet, in IpSendInfo info, bool isCut, int mtu, byte hopLimit)
    {
        var nextHeader = info.Protocol;
        if (isCut)
        {
            packet.Offload.Segmentation = Segmentation.Ipv6Fragments;
            packet.Offload.SegmentSize = (ushort)((mtu - Ipv6Header.Length - Ipv6FragmentHeader.Length) & ~7);
            new Ipv6FragmentHeader(info.Protocol, 0, true, _identifications.NextV6(info.Source, info.Destination)).Emit(packet.Prepend(Ipv6FragmentHeader.Length));
            nextHeader = Ipv6Extension.Fragment;
        }

        new Ipv6Header
        {
            Source = info.Source,
            Destination = info.Destination,
            NextHeader = nextHeader,
            HopLimit = info.HopLimit == 0 ? hopLimit : info.HopLimit,
            TrafficClass = info.TrafficClass,
            FlowLabel = info.FlowLabel,
            // Of a packet that is cut the fragments say it.
            PayloadLength = (ushort)packet.TotalLength,
        }.Emit(packet.Prepend(Ipv6Header.Length));
    }

    public IpAddress? NextHop(IpAddress destination, IpAddress source) =>
        TryFindHop(destination, source, out var hop) && hop.Egress is not null ? hop.NextHop : null;

    public void ConfirmReachable(IpAddress destination, IpAddress source, Instant now)
    {
        if (TryFindHop(destination, source, out var hop) && hop.Kind == AddressKind.Other)
            hop.Egress!.Framing.ConfirmReachable(hop.NextHop, now);
    }

    public bool TryTakeLoopback([NotNullWhen(true)] out PacketBuffer? packet) => _loopback.TryDequeue(out packet);

    /// <summary>Takes the next packet for another shard.</summary>
    public bool TryTakeCrossing(out CrossingPacket crossing) => _crossing.TryDequeue(out crossing);

    /// <summary>Gives a datagram that came in fragments to the shard that it is for.</summary>
    /// <param name="packet">The whole, beginning with its IP header.</param>
    /// <returns>False: it is this one, and the packet stays the caller's.</returns>
    public bool TryCrossWhole(PacketBuffer packet)
    {
        if (_options.Shard is not { } shard)
            return false;
        var owner = shard.Steering.OwnerOfArrival(packet.Span, shard.Index);
        if (owner == FlowSteering.All)
            CrossToOthers(packet, shard, IpReceiveInfo.MadeWhole);
        if (owner == shard.Index || owner == FlowSteering.All)
            return false;
        Cross(packet, owner, IpReceiveInfo.MadeWhole);
        return true;
    }

    public void PassOn(PacketBuffer packet, int shard, int shardsTried) => Cross(packet, shard, shardsTried);

    /// <summary>An interface, an address or a route has changed: forgets the last hop.</summary>
    public void Changed()
    {
        Version++;
        Routes.Rebuild();
        _hopDestination = default;
    }

    /// <param name="source">An own address, whose interface the packet leaves by; unspecified: any interface.</param>
    private bool TryFindHop(IpAddress destination, IpAddress source, out Hop hop)
    {
        // Packets come in trains: the next destination is mostly the last one.
        if (_hopDestination == destination && _hopSource == source && !destination.IsUnspecified)
        {
            hop = _hop;
            return true;
        }

        hop = default;
        if (destination.IsUnspecified)
            return false;
        var by = source.IsUnspecified ? null : _interfaces.OwnerOf(source);
        var isBound = by is not null && (!_interfaces.IsRouter || source.IsLinkLocal || destination.IsMulticast);
        var kind = Addresses.KindOf(destination);
        // What loopback sends never leaves (RFC 1122, 3.2.1.3).
        if (!source.IsUnspecified && by is null && !(kind == AddressKind.Own && Addresses.IsOwn(source)))
            return false;
        if (kind == AddressKind.Own)
        {
            // As in Linux, the source towards 127.0.0.0/8 is 127.0.0.1.
            hop = new Hop(destination, destination.IsLoopback ? destination.LoopbackOfFamily : destination, kind, null);
        }
        else if (Routes.TryFind(destination, isBound ? by : null, out var nextHop, out var preferred, out var egress))
        {
            hop = new Hop(kind == AddressKind.Other ? nextHop : destination, preferred, kind, egress);
        }
        else
        {
            // Groups on-link need no route.
            if (kind == AddressKind.Other || (by ?? _interfaces.FirstWithAddress(destination)) is not { } first)
                return false;
            hop = new Hop(destination, first.Own.SourceTowards(destination), kind, first);
        }

        _hop = hop;
        _hopDestination = destination;
        _hopSource = source;
        return true;
    }

    /// <summary>Writes the transport checksum, or its pseudo-header part with a note for the device.</summary>
    /// <param name="offload">The device completes it.</param>
    private static void PutChecksum(PacketBuffer packet, in IpSendInfo info, NetworkInterface egress, bool offload)
    {
        var sum = Checksum.PseudoHeader(info.Source, info.Destination, info.Protocol, packet.TotalLength);
        if (!offload)
        {
            var checksum = Checksum.Finish(Checksum.Sum(packet, 0, sum));
            // Zero means "none" in UDP; its complement is the same number (RFC 768; RFC 8200, 8.1).
            if (checksum == 0 && info.Protocol == IpProtocol.Udp)
                checksum = 0xFFFF;
            BinaryPrimitives.WriteUInt16BigEndian(packet.Span[info.ChecksumOffset..], checksum);
            return;
        }

        var transport = packet.Span;
        BinaryPrimitives.WriteUInt16BigEndian(transport[info.ChecksumOffset..], (ushort)sum);
        var isV4 = info.Destination.IsV4;
        var ipHeader = isV4 ? Ipv4Header.Length : Ipv6Header.Length;
        var start = egress.Framing.HeaderLength + ipHeader;
        ref var note = ref packet.Offload;
        note.Checksum = ChecksumState.Partial;
        note.ChecksumStart = (ushort)start;
        note.ChecksumOffset = (ushort)info.ChecksumOffset;
        if (info.SegmentSize == 0 || packet.TotalLength + ipHeader <= egress.MtuOf(isV4))
            return;
        note.Segmentation = isV4 ? Segmentation.TcpV4 : Segmentation.TcpV6;
        note.SegmentSize = (ushort)info.SegmentSize;
        note.HeaderLength = (ushort)(start + TcpField.LengthOf(transport[TcpField.DataOffset]));
        note.Ecn = (transport[TcpField.Flags] & (byte)TcpFlags.Cwr) != 0;
    }

    private void SendToOwn(PacketBuffer packet)
    {
        _counters.LoopbackPackets++;
        if (_options.Shard is { } shard && shard.Steering.OwnerOfOwn(packet.Span, shard.Index) is var owner && owner != shard.Index)
            Cross(packet, owner, shardsTried: 0);
        else if (_loopback.Count > LoopbackLimit)
            Drop(packet, ref _counters.LoopbackOverflow);
        else
            _loopback.Enqueue(packet);
    }

    /// <summary>Gives the sockets of this host a copy of a packet to a group, as if it had come off the wire of the interface by which it leaves (RFC 1112, 6.1).</summary>
    private void LoopBack(PacketBuffer packet, in IpSendInfo info, NetworkInterface egress)
    {
        _counters.LoopbackPackets++;
        var length = packet.TotalLength;
        var copy = Pool.Rent(length, Math.Min(BufferPool.HeaderRoom, BufferPool.MaxCapacity - length));
        packet.CopyTo(copy.Append(length));
        copy.Interface = egress.Index;
        copy.Offload.Checksum = ChecksumState.Verified;
        if (info.Destination.IsV4)
            EmitV4(copy, info, isCut: false, 0);
        else
            EmitV6(copy, info, isCut: false, 0, _options.HopLimit);
        var owner = _options.Shard is { } shard ? shard.Steering.OwnerOfArrival(copy.Span, shard.Index, isToGroup: true) : 0;
        if (owner == FlowSteering.All)
            CrossToOthers(copy, _options.Shard!, IpReceiveInfo.LoopedBack);
        if (owner != FlowSteering.All && owner != (_options.Shard?.Index ?? 0))
            Cross(copy, owner, IpReceiveInfo.LoopedBack);
        else if (_loopback.Count > LoopbackLimit)
            Drop(copy, ref _counters.LoopbackOverflow);
        else
            _loopback.Enqueue(copy);
    }

    /// <summary>Gives every other shard a copy of a whole packet to a group.</summary>
    private void CrossToOthers(PacketBuffer packet, StackShard shard, int shardsTried)
    {
        for (var other = 0; other < shard.Steering.Shards; other++)
        {
            if (other == shard.Index)
                continue;
            var copy = Pool.RentCopy(packet.Span);
            copy.Offload = packet.Offload;
            copy.Interface = packet.Interface;
            Cross(copy, other, shardsTried);
        }
    }

    private void Cross(PacketBuffer packet, int shard, int shardsTried)
    {
        if (_crossing.Count > LoopbackLimit)
            Drop(packet, ref _counters.LoopbackOverflow);
        else
            _crossing.Enqueue(new CrossingPacket(packet, shard, shardsTried));
    }

    private static void Drop(PacketBuffer packet, ref long counter)
    {
        counter++;
        packet.Release();
    }

    /// <summary>The next hop of packets to one destination.</summary>
    /// <param name="Egress">Null: they stay in this stack.</param>
    private readonly record struct Hop(IpAddress NextHop, IpAddress Source, AddressKind Kind, NetworkInterface? Egress);
}
