using System.Diagnostics.CodeAnalysis;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Neighbors;
using Tapwire.Stack.Packets;

namespace Tapwire.Stack.Interfaces;

/// <summary>Ethernet: demultiplexes frames, and frames packets for resolved neighbours (RFC 894, RFC 1112 6.4, RFC 2464).</summary>
internal sealed class EthernetFraming : Framing, INeighborOutput
{
    private readonly NetworkInterface _owner;
    private readonly MacAddress _own;
    private readonly EgressQueue _egress;
    private readonly StackCounters _counters;
    private readonly NeighborTable _neighbors;
    private readonly ArpProtocol _arp;
    private readonly NeighborDiscovery _discovery;

    /// <param name="speaks">See <see cref="ArpProtocol"/>.</param>
    public EthernetFraming(
        NetworkInterface owner, NeighborOptions neighbors, BufferPool pool, RouteTable routes, TimerWheel timers, KeyedRandom random, StackCounters counters, bool speaks)
    {
        _owner = owner;
        _own = owner.Options.HardwareAddress;
        _egress = owner.Egress;
        _counters = counters;
        _neighbors = new NeighborTable(neighbors, this, timers, random, counters);
        _arp = new ArpProtocol(owner, pool, routes, _neighbors, timers, counters, speaks);
        _discovery = new NeighborDiscovery(owner, neighbors, pool, routes, _neighbors, timers, random, counters, speaks);
    }

    public override int HeaderLength => EthernetHeader.Length;

    public override IReadOnlyList<NeighborInfo> Neighbors => _neighbors.Snapshot();

    public override FrameDelivery Receive(PacketBuffer frame, Instant now)
    {
        if (!EthernetView.TryParse(frame.Span, out var header))
            return Drop(frame, ref _counters.EthernetTooShort);
        var destination = header.Destination;
        if (destination != _own && !destination.IsGroup)
            return Drop(frame, ref _counters.EthernetOtherHost);
        var source = header.Source;
        if (source.IsGroup || source == _own)
            return Drop(frame, ref _counters.EthernetBadSource);
        var type = header.EtherType;
        frame.TrimStart(EthernetHeader.Length);
        switch (type)
        {
            case EtherType.Ipv4:
                return destination.IsGroup ? FrameDelivery.Ipv4Group : FrameDelivery.Ipv4;
            case EtherType.Arp:
                _arp.Receive(frame.Span, destination == _own, now);
                frame.Release();
                return FrameDelivery.Consumed;
            case EtherType.Ipv6:
                _discovery.Sender = source;
                return destination.IsGroup ? FrameDelivery.Ipv6Group : FrameDelivery.Ipv6;
            case EtherType.Vlan or EtherType.ServiceVlan:
                return Drop(frame, ref _counters.EthernetVlanTagged);
            default:
                return Drop(frame, ref _counters.EthernetUnknownType);
        }
    }

    public override void Send(PacketBuffer packet, IpAddress nextHop, AddressKind destination, Instant now)
    {
        switch (destination)
        {
            case AddressKind.Broadcast:
                Transmit(packet, MacAddress.Broadcast);
                break;
            case AddressKind.Multicast:
                Transmit(packet, MacAddress.OfGroup(nextHop));
                break;
            default:
                _neighbors.Send(packet, nextHop, now);
                break;
        }
    }

    public override IReadOnlyList<NeighborInfo> NeighborsAt(Instant now) => _neighbors.SnapshotAt(now);

    public override StackError SetNeighbor(IpAddress address, MacAddress hardware, Instant now) =>
        _neighbors.TrySetPermanent(address, hardware, now) ? StackError.None : StackError.NoBufferSpace;

    public override bool ForgetNeighbor(IpAddress address) => _neighbors.Forget(address);

    public override MacAddress? FindNeighbor(IpAddress address) => _neighbors.Find(address);

    public override void ConfirmReachable(IpAddress nextHop, Instant now) => _neighbors.ConfirmReachable(nextHop, now);

    public override void AddressAdded(IpAddress address, Instant now)
    {
        if (address.IsV4)
            _arp.Announce(address, now);
        else
            _discovery.AddressAdded(address, now);
    }

    public override void AddressRemoved(IpAddress address)
    {
        if (address.IsV4)
            _arp.StopAnnouncing(address);
        else
            _discovery.AddressRemoved(address);
    }

    public override bool ReceiveNeighborDiscovery(ReadOnlySpan<byte> message, in IpReceiveInfo info, Instant now)
    {
        _discovery.Receive(message, info, now);
        return true;
    }

    public override void AdvertiseRouter(ReadOnlySpan<byte> message, IpAddress source, IpAddress destination, MacAddress? hardware) =>
        _discovery.AdvertiseRouter(message, source, destination, hardware);

    public override void SolicitRouters() => _discovery.SolicitRouters();

    public override bool TryTakeDuplicate(out IpAddress address, out MacAddress holder) => _discovery.TryTakeDuplicate(out address, out holder);

    public override bool TryTakeUndeliverable([NotNullWhen(true)] out PacketBuffer? packet) => _neighbors.TryTakeUndeliverable(out packet);

    public override bool TryTakeMoved(ICollection<IpAddress> moved) => _neighbors.TryTakeMoved(moved);

    public override void ForgetNeighbors() => _neighbors.Clear();

    public void Transmit(PacketBuffer packet, MacAddress destination)
    {
        var type = packet.Span[0] >> 4 == 4 ? EtherType.Ipv4 : EtherType.Ipv6;
        new EthernetHeader(destination, _own, type).Emit(packet.Prepend(EthernetHeader.Length));
        _egress.Enqueue(packet);
    }

    public void Unreachable(IpAddress neighbor) => _owner.Routers?.Unreachable(neighbor);

    public void Solicit(IpAddress target, MacAddress? knownAddress)
    {
        if (target.IsV4)
            _arp.Request(target, knownAddress ?? MacAddress.Broadcast);
        else
            _discovery.Solicit(target, knownAddress);
    }

    private static FrameDelivery Drop(PacketBuffer frame, ref long counter)
    {
        counter++;
        frame.Release();
        return FrameDelivery.Consumed;
    }
}
