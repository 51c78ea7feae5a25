using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Link;
using Tapwire.Stack.Packets;

namespace Tapwire.Stack.Ip;

/// <summary>A packet for another shard, which begins with its IP header.</summary>
/// <param name="ShardsTried">Shards in which it has found no socket; more where it can only be that one's.</param>
public readonly record struct CrossingPacket(PacketBuffer Packet, int Shard, int ShardsTried);

/// <summary>IP output: finds the way, finishes the transport checksum, writes the header and hands the packet to the link, or back to this stack.</summary>
internal sealed class IpLayer : IIpOutput
{
    /// <summary>MTU towards own addresses: the largest packet there is, as on Linux's lo.</summary>
    private const int LoopbackMtu = 65535;

    private readonly StackOptions _options;
    private readonly LinkLayer _link;
    private readonly EgressQueue _egress;
    private readonly StackCounters _counters;
    private readonly int _superFrame;
    private BufferQueue _loopback;
    private readonly Queue<CrossingPacket> _crossing = new();
    private Hop _hop;
    private IpAddress _hopDestination;

    public IpLayer(
        StackOptions options, BufferPool pool, AddressTable addresses, RouteTable routes, LinkLayer link, EgressQueue egress, StackCounters counters)
    {
        _options = options;
        Pool = pool;
        Addresses = addresses;
        Routes = routes;
        _link = link;
        _egress = egress;
        _counters = counters;
        _superFrame = Math.Max(options.SuperFrame, options.Mtu);
    }

    public BufferPool Pool { get; }

    public AddressTable Addresses { get; }

    public RouteTable Routes { get; }

    public bool HasRoom => _egress.HasRoom && _loopback.Count + _crossing.Count < _options.LoopbackFrames;

    /// <summary>What a transport sends in spite of <see cref="HasRoom"/> is taken, too, up to this; more is dropped and counted.</summary>
    private int LoopbackLimit => _options.LoopbackFrames + (_options.LoopbackFrames >> 3);

    /// <summary>Headroom that a packet needs in front of its transport header.</summary>
    public int HeaderRoom => _link.HeaderLength + Ipv4Header.Length;

    public bool HasLoopback => !_loopback.IsEmpty;

    public StackError Route(IpAddress destination, IpAddress source, out IpRoute route)
    {
        route = default;
        if (!source.IsUnspecified && !Addresses.IsOwn(source))
            return StackError.AddressNotAvailable;
        if (!TryFindHop(destination, out var hop))
            return StackError.NetworkUnreachable;
        if (source.IsUnspecified)
            source = hop.Source;
        route = hop.Kind == AddressKind.Own
            ? new IpRoute(source, LoopbackMtu, LoopbackMtu)
            : new IpRoute(source, _options.Mtu, _superFrame, hop.Kind is AddressKind.Broadcast or AddressKind.Multicast);
        return StackError.None;
    }

    public void Send(PacketBuffer packet, in IpSendInfo info, Instant now)
    {
        _counters.IpOutRequests++;
        if (!TryFindHop(info.Destination, out var hop))
        {
            Drop(packet, ref _counters.IpOutNoRoutes);
            return;
        }

        var local = hop.Kind == AddressKind.Own;
        var payloadLength = packet.TotalLength;
        var limit = local ? LoopbackMtu : info.SegmentSize == 0 ? _options.Mtu : _superFrame;
        if (payloadLength + Ipv4Header.Length > limit)
        {
            Drop(packet, ref _counters.IpOutTooBig);
            return;
        }

        // The buffer may have come off a wire, with that wire's note.
        packet.Offload = default;
        if (local)
            packet.Offload.Checksum = ChecksumState.Verified;
        else if (info.ChecksumOffset >= 0)
            PutChecksum(packet, info);

        // A datagram that must not be fragmented needs no identification (RFC 6864, 4.1).
        new Ipv4Header
        {
            Source = info.Source,
            Destination = info.Destination,
            Protocol = info.Protocol,
            HopLimit = info.HopLimit == 0 ? _options.HopLimit : info.HopLimit,
            TrafficClass = info.TrafficClass,
            DontFragment = true,
            PayloadLength = (ushort)payloadLength,
        }.Emit(packet.Prepend(Ipv4Header.Length));
        if (local)
            SendToOwn(packet);
        else
            _link.Send(packet, hop.NextHop, hop.Kind, now);
    }

    public void ConfirmReachable(IpAddress destination, Instant now)
    {
        if (TryFindHop(destination, out var hop) && hop.Kind == AddressKind.Other)
            _link.ConfirmReachable(hop.NextHop, now);
    }

    public bool TryTakeLoopback([NotNullWhen(true)] out PacketBuffer? packet) => _loopback.TryDequeue(out packet);

    /// <summary>The next packet that is another shard's.</summary>
    public bool TryTakeCrossing(out CrossingPacket crossing) => _crossing.TryDequeue(out crossing);

    public void PassOn(PacketBuffer packet, int shardsTried) => Cross(packet, (_options.Shard!.Index + 1) % _options.Shard.Steering.Shards, shardsTried + 1);

    /// <summary>An address or a route has changed.</summary>
    public void Changed()
    {
        Routes.Rebuild();
        _hopDestination = default;
    }

    private bool TryFindHop(IpAddress destination, out Hop hop)
    {
        // Packets come in trains: the last destination is mostly the next one, too.
        if (_hopDestination == destination && !destination.IsUnspecified)
        {
            hop = _hop;
            return true;
        }

        hop = default;
        if (destination.IsUnspecified || !destination.IsV4)
            return false;
        var kind = Addresses.KindOf(destination);
        if (kind == AddressKind.Own)
        {
            hop = new Hop(destination, destination, kind);
        }
        else if (Routes.TryFind(destination, out var nextHop, out var source))
        {
            hop = new Hop(kind == AddressKind.Other ? nextHop : destination, source, kind);
        }
        else
        {
            // Groups on the link need no route.
            source = Addresses.SourceTowards(destination);
            if (kind == AddressKind.Other || source.IsUnspecified)
                return false;
            hop = new Hop(destination, source, kind);
        }

        _hop = hop;
        _hopDestination = destination;
        return true;
    }

    /// <summary>Fills the transport checksum in, or its pseudo-header's part with a note for the device.</summary>
    private void PutChecksum(PacketBuffer packet, in IpSendInfo info)
    {
        var sum = Checksum.PseudoHeader(info.Source, info.Destination, info.Protocol, packet.TotalLength);
        if (!_options.ChecksumOffload)
        {
            var checksum = Checksum.Finish(Checksum.Sum(packet, 0, sum));
            // Zero means "none" in UDP; its complement is the same number (RFC 768).
            if (checksum == 0 && info.Protocol == IpProtocol.Udp)
                checksum = 0xFFFF;
            BinaryPrimitives.WriteUInt16BigEndian(packet.Span[info.ChecksumOffset..], checksum);
            return;
        }

        var transport = packet.Span;
        BinaryPrimitives.WriteUInt16BigEndian(transport[info.ChecksumOffset..], (ushort)sum);
        var start = _link.HeaderLength + Ipv4Header.Length;
        ref var note = ref packet.Offload;
        note.Checksum = ChecksumState.Partial;
        note.ChecksumStart = (ushort)start;
        note.ChecksumOffset = (ushort)info.ChecksumOffset;
        if (info.SegmentSize == 0 || packet.TotalLength + Ipv4Header.Length <= _options.Mtu)
            return;
        note.Segmentation = Segmentation.TcpV4;
        note.SegmentSize = (ushort)info.SegmentSize;
        note.HeaderLength = (ushort)(start + (transport[12] >> 4) * 4);
        note.Ecn = (transport[13] & 0x80) != 0;
    }

    private void SendToOwn(PacketBuffer packet)
    {
        _counters.LoopbackPackets++;
        if (_options.Shard is { } shard && shard.Steering.OwnerOfOwn(packet.Span) is var owner && owner != shard.Index)
            Cross(packet, owner, IpReceiveInfo.Settled);
        else if (_loopback.Count > LoopbackLimit)
            Drop(packet, ref _counters.LoopbackOverflow);
        else
            _loopback.Enqueue(packet);
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

    /// <summary>Where packets to one destination go.</summary>
    private readonly record struct Hop(IpAddress NextHop, IpAddress Source, AddressKind Kind);
}
