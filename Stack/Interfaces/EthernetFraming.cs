using System.Diagnostics.CodeAnalysis;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Neighbors;
using Tapwire.Stack.Packets;

namespace Tapwire.Stack.Interfaces;

/// <summary>Ethernet: demultiplexes frames, and frames packets for resolved neighbours (RFC 894, RFC 1112 6.4).</summary>
internal sealed class EthernetFraming : Framing, INeighborOutput
{
    private readonly MacAddress _own;
    private readonly EgressQueue _egress;
    private readonly StackCounters _counters;
    private readonly NeighborTable _neighbors;
    private readonly ArpProtocol _arp;

    /// <param name="speaks">See <see cref="ArpProtocol"/>.</param>
    public EthernetFraming(
        NetworkInterface owner, NeighborOptions neighbors, BufferPool pool, RouteTable routes, TimerWheel timers, KeyedRandom random, StackCounters counters, bool speaks)
    {
        _own = owner.Options.HardwareAddress;
        _egress = owner.Egress;
        _counters = counters;
        _neighbors = new NeighborTable(neighbors, this, timers, random, counters);
        _arp = new ArpProtocol(owner, pool, routes, _neighbors, timers, counters, speaks);
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
                return Drop(frame, ref _counters.Ip6InUnsupported);
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
                Transmit(packet, new MacAddress(0x0100_5E00_0000UL | (nextHop.V4 & 0x7F_FFFF)));
                break;
            default:
                _neighbors.Send(packet, nextHop, now);
                break;
        }
    }

    public override void ConfirmReachable(IpAddress nextHop, Instant now) => _neighbors.ConfirmReachable(nextHop, now);

    public override void AddressAdded(IpAddress address, Instant now) => _arp.Announce(address, now);

    public override void AddressRemoved(IpAddress address) => _arp.StopAnnouncing(address);

    public override bool TryTakeUndeliverable([NotNullWhen(true)] out PacketBuffer? packet) => _neighbors.TryTakeUndeliverable(out packet);

    public override bool TryTakeMoved(ICollection<IpAddress> moved) => _neighbors.TryTakeMoved(moved);

    public override void ForgetNeighbors() => _neighbors.Clear();

    public void Transmit(PacketBuffer packet, MacAddress destination)
    {
        new EthernetHeader(destination, _own, EtherType.Ipv4).Emit(packet.Prepend(EthernetHeader.Length));
        _egress.Enqueue(packet);
    }

    public void Solicit(IpAddress target, MacAddress? knownAddress) => _arp.Request(target, knownAddress ?? MacAddress.Broadcast);

    private static FrameDelivery Drop(PacketBuffer frame, ref long counter)
    {
        counter++;
        frame.Release();
        return FrameDelivery.Consumed;
    }
}
