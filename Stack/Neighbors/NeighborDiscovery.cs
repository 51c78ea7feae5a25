using System.Buffers.Binary;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Interfaces;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Packets;

namespace Tapwire.Stack.Neighbors;

/// <summary>
/// The part of IPv6 neighbour discovery (RFC 4861, 7) that ARP has in IPv4: asks for neighbours, answers for own addresses, updates the neighbour table; and duplicate address detection
/// (RFC 4862, 5.4). New addresses are optimistic (RFC 4429): they are used while it goes on, so that nobody waits a second for an address that nobody else has.
/// </summary>
/// <param name="speaks">Answers and asks about own addresses. A shard that does not speak leaves that to another, but asks for neighbours and learns for itself.</param>
internal sealed class NeighborDiscovery(
    NetworkInterface owner, NeighborOptions options, BufferPool pool, RouteTable routes, NeighborTable neighbors, TimerWheel timers, KeyedRandom random, StackCounters counters, bool speaks)
{
    /// <summary>No router has forwarded a packet that arrives with this hop limit (RFC 4861, 3.1).</summary>
    private const byte HopLimit = 255;

    private readonly MacAddress _own = owner.Options.HardwareAddress;
    private readonly Dictionary<IpAddress, Detection> _detections = [];
    private readonly Queue<(IpAddress Address, MacAddress Holder)> _duplicates = new();

    private byte RouterFlag => routes.IsRouter ? NeighborMessage.Router : (byte)0;

    /// <summary>The station that has sent the frame which is being received.</summary>
    public MacAddress Sender { get; set; }

    /// <param name="message">An ICMPv6 message of neighbour discovery; its checksum is right.</param>
    public void Receive(ReadOnlySpan<byte> message, in IpReceiveInfo info, Instant now)
    {
        if (info.HopLimit != HopLimit)
        {
            counters.NdpBadHopLimit++;
            return;
        }

        // RFC 6980: in fragments it could slip past a switch that guards the link.
        if (info.IsReassembled || message[1] != 0)
        {
            counters.NdpBadFormat++;
            return;
        }

        var isGood = message[0] switch
        {
            Icmpv6Type.NeighborSolicitation => TryReceiveSolicitation(message, info, now),
            Icmpv6Type.NeighborAdvertisement => TryReceiveAdvertisement(message, info, now),
            Icmpv6Type.RouterAdvertisement => owner.Routers is not { } routers ? Ignored(ref counters.NdpInRoutersIgnored) : TryReceiveRouter(routers, message, info, now),
            Icmpv6Type.RouterSolicitation => owner.Advertiser is not { } advertiser || TryReceiveRouterSolicitation(advertiser, message, info, now),
            // Anybody on the link could divert a route with one, and a host with one router to a destination gains nothing.
            Icmpv6Type.Redirect => Ignored(ref counters.NdpInRedirectsIgnored),
            _ => true,
        };
        if (!isGood)
            counters.NdpBadFormat++;
    }

    /// <param name="message">An advertisement, with a checksum of zero.</param>
    /// <param name="hardware">Null: the group's.</param>
    public void AdvertiseRouter(ReadOnlySpan<byte> message, IpAddress source, IpAddress destination, MacAddress? hardware) =>
        Transmit(Make(message, source, destination), hardware ?? MacAddress.OfGroup(destination));

    /// <summary>Asks for routers, from a link-local address that is known to be unique, if there is one by now.</summary>
    public void SolicitRouters()
    {
        if (!speaks)
            return;
        var source = owner.Own.SourceTowards(IpAddress.AllRouters);
        var isKnown = !source.IsUnspecified && (owner.Own.FlagsOf(source) & AddressFlags.Optimistic) == 0;
        counters.NdpOutRouterSolicits++;
        Span<byte> message = stackalloc byte[Icmpv6Header.Length + NdpOption.ShortLength];
        new Icmpv6Header(Icmpv6Type.RouterSolicitation, 0, 0).Emit(message);
        NdpOption.Emit(message[Icmpv6Header.Length..], NdpOption.SourceLinkLayerAddress, _own);
        var packet = Make(isKnown ? message : message[..Icmpv6Header.Length], isKnown ? source : IpAddress.Unspecified, IpAddress.AllRouters);
        Transmit(packet, MacAddress.OfGroup(IpAddress.AllRouters));
    }

    /// <summary>Asks for a neighbour.</summary>
    /// <param name="known">Its address if it is known: the neighbour itself is asked whether it is still there. Null asks everybody.</param>
    public void Solicit(IpAddress target, MacAddress? known)
    {
        var source = owner.Own.SourceTowards(target);
        if (source.IsUnspecified)
            return;
        // RFC 4429, 3.2: an optimistic address must not get into the neighbour's table; the neighbour asks for it before it answers.
        var names = (owner.Own.FlagsOf(source) & AddressFlags.Optimistic) == 0;
        counters.NdpOutSolicits++;
        Send(new NeighborMessage(Icmpv6Type.NeighborSolicitation, 0, target), names ? NdpOption.SourceLinkLayerAddress : (byte)0, _own,
            source, known is null ? target.SolicitedNode : target, known);
    }

    /// <summary>A new own address: looks whether another station has it.</summary>
    public void AddressAdded(IpAddress address, Instant now)
    {
        AddressRemoved(address);
        if (options.DuplicateProbes == 0)
        {
            Advertise(address);
            return;
        }

        var detection = new Detection(this, address, random.NextUInt64());
        _detections[address] = detection;
        owner.Own.SetFlags(address, owner.Own.FlagsOf(address) | AddressFlags.Optimistic);
        detection.Fire(now);
    }

    public void AddressRemoved(IpAddress address)
    {
        if (_detections.Remove(address, out var detection))
            timers.Cancel(detection);
    }

    /// <summary>Takes an own address that another station has, too.</summary>
    public bool TryTakeDuplicate(out IpAddress address, out MacAddress holder)
    {
        var found = _duplicates.TryDequeue(out var duplicate);
        (address, holder) = duplicate;
        return found;
    }

    private bool TryReceiveSolicitation(ReadOnlySpan<byte> message, in IpReceiveInfo info, Instant now)
    {
        if (!NeighborMessage.TryParse(message, out var solicitation) || solicitation.Target.IsMulticast || !NdpOption.AreWellFormed(message[NeighborMessage.Length..]))
            return false;
        var options = message[NeighborMessage.Length..];
        var hardware = NdpOption.FindHardware(options, NdpOption.SourceLinkLayerAddress);
        if (owner.Own.IsOwn(info.Source))
        {
            counters.NdpAddressConflicts++;
            return true;
        }

        // RFC 4861, 7.1.1: who has no address yet asks a solicited-node group, and does not name itself.
        if (info.Source.IsUnspecified && (hardware is not null || info.Destination != solicitation.Target.SolicitedNode))
            return false;
        counters.NdpInSolicits++;
        if (!owner.Own.IsOwn(solicitation.Target))
        {
            counters.NdpNotForUs++;
            if (hardware is { } other && !info.Source.IsUnspecified)
                neighbors.Heard(info.Source, other, now);
            return true;
        }

        if (info.Source.IsUnspecified)
            WantedByAnother(solicitation.Target, NdpOption.Find(options, NdpOption.Nonce));
        else
            Answer(solicitation.Target, info.Source, hardware, now);
        return true;
    }

    /// <summary>Another station asks whether it may have an address that is ours.</summary>
    private void WantedByAnother(IpAddress address, ReadOnlySpan<byte> nonce)
    {
        if (!_detections.TryGetValue(address, out var detection))
        {
            counters.NdpAddressConflicts++;
            Advertise(address);
        }
        else if (!detection.IsOwn(nonce))
        {
            // Both have asked at the same time: neither gets it (RFC 4862, 5.4.3).
            GiveUp(address, default);
        }
    }

    private void Answer(IpAddress target, IpAddress asker, MacAddress? hardware, Instant now)
    {
        if (!routes.IsOnLink(asker, owner))
            return;
        if (hardware is { } known)
            neighbors.HeardRequest(asker, known, now);
        if (!speaks)
            return;
        var overrides = (owner.Own.FlagsOf(target) & AddressFlags.Optimistic) == 0;
        counters.NdpOutAdvertisements++;
        var flags = (byte)(RouterFlag | NeighborMessage.Solicited | (overrides ? NeighborMessage.Override : 0));
        var packet = Make(new NeighborMessage(Icmpv6Type.NeighborAdvertisement, flags, target), NdpOption.TargetLinkLayerAddress, _own, target, asker);
        // Who does not name itself does not know whether its address is its own (RFC 4429, 3.3): it is answered, and not remembered. If it were asked for first, two such hosts would
        // wait for each other.
        Transmit(packet, hardware ?? Sender);
    }

    private bool TryReceiveAdvertisement(ReadOnlySpan<byte> message, in IpReceiveInfo info, Instant now)
    {
        if (!NeighborMessage.TryParse(message, out var advertisement) || advertisement.Target.IsMulticast || !NdpOption.AreWellFormed(message[NeighborMessage.Length..])
            || (info.ToGroup && advertisement.IsSolicited))
            return false;
        counters.NdpInAdvertisements++;
        var target = advertisement.Target;
        var hardware = NdpOption.FindHardware(message[NeighborMessage.Length..], NdpOption.TargetLinkLayerAddress);
        if (owner.Own.IsOwn(target))
        {
            counters.NdpAddressConflicts++;
            if (_detections.ContainsKey(target))
                GiveUp(target, hardware ?? default);
            return true;
        }

        var known = neighbors.Find(target);
        var claimed = hardware ?? known;
        // RFC 4861, 7.2.5: without the override flag another address than the known one counts for nothing.
        if (claimed is not { } address || (known is not null && address != known && !advertisement.Overrides))
            counters.NdpUnsolicited++;
        else if (!advertisement.IsSolicited)
            neighbors.Heard(target, address, now);
        else if (!neighbors.HeardReply(target, address, now))
            counters.NdpUnsolicited++;
        return true;
    }

    private bool TryReceiveRouterSolicitation(RouterAdvertiser advertiser, ReadOnlySpan<byte> message, in IpReceiveInfo info, Instant now)
    {
        if (message.Length < Icmpv6Header.Length || !NdpOption.AreWellFormed(message[Icmpv6Header.Length..]))
            return false;
        var hardware = NdpOption.FindHardware(message[Icmpv6Header.Length..], NdpOption.SourceLinkLayerAddress);
        // RFC 4861, 6.1.1: who has no address yet does not name itself.
        if (info.Source.IsUnspecified && hardware is not null)
            return false;
        counters.NdpInRouterSolicits++;
        if (hardware is { } known && routes.IsOnLink(info.Source, owner))
            neighbors.HeardRequest(info.Source, known, now);
        advertiser.Solicited(info.Source, hardware ?? Sender, now);
        return true;
    }

    private bool TryReceiveRouter(RouterDiscovery routers, ReadOnlySpan<byte> message, in IpReceiveInfo info, Instant now)
    {
        if (!routers.TryReceive(message, info, now))
            return false;
        neighbors.Times.Advertised(routers.ReachableTime, routers.RetransmitTime);
        if (NdpOption.FindHardware(message[RouterAdvertisement.Length..], NdpOption.SourceLinkLayerAddress) is { } hardware)
            neighbors.HeardRequest(info.Source, hardware, now);
        return true;
    }

    private static bool Ignored(ref long counter)
    {
        counter++;
        return true;
    }

    private void GiveUp(IpAddress address, MacAddress holder)
    {
        AddressRemoved(address);
        counters.NdpDuplicateAddresses++;
        _duplicates.Enqueue((address, holder));
    }

    /// <summary>Tells all nodes of an own address: that it is defended, or usable from now on (RFC 4861, 7.2.6).</summary>
    private void Advertise(IpAddress address)
    {
        if (!speaks)
            return;
        counters.NdpOutAdvertisements++;
        Send(new NeighborMessage(Icmpv6Type.NeighborAdvertisement, (byte)(RouterFlag | NeighborMessage.Override), address), NdpOption.TargetLinkLayerAddress, _own, address, IpAddress.AllNodes, null);
    }

    /// <param name="hardware">Null: the group's.</param>
    private void Send(in NeighborMessage message, byte option, MacAddress value, IpAddress source, IpAddress destination, MacAddress? hardware) =>
        Transmit(Make(message, option, value, source, destination), hardware ?? MacAddress.OfGroup(destination));

    /// <param name="option">The type of the only option; 0: there is none.</param>
    private PacketBuffer Make(in NeighborMessage message, byte option, MacAddress value, IpAddress source, IpAddress destination)
    {
        Span<byte> bytes = stackalloc byte[NeighborMessage.Length + NdpOption.ShortLength];
        message.Emit(bytes);
        if (option != 0)
            NdpOption.Emit(bytes[NeighborMessage.Length..], option, value);
        return Make(option == 0 ? bytes[..NeighborMessage.Length] : bytes, source, destination);
    }

    /// <summary>Makes a whole packet.</summary>
    /// <param name="message">With a checksum of zero.</param>
    private PacketBuffer Make(ReadOnlySpan<byte> message, IpAddress source, IpAddress destination)
    {
        var packet = pool.Rent(Ipv6Header.Length + message.Length, BufferPool.HeaderRoom);
        var bytes = packet.Append(Ipv6Header.Length + message.Length);
        new Ipv6Header
        {
            Source = source,
            Destination = destination,
            NextHeader = IpProtocol.Icmpv6,
            HopLimit = HopLimit,
            PayloadLength = (ushort)message.Length,
        }.Emit(bytes);
        var icmp = bytes[Ipv6Header.Length..];
        message.CopyTo(icmp);
        BinaryPrimitives.WriteUInt16BigEndian(
            icmp[Icmpv6Header.ChecksumOffset..], Checksum.Finish(Checksum.Sum(icmp, Checksum.PseudoHeader(source, destination, IpProtocol.Icmpv6, message.Length))));
        return packet;
    }

    private void Transmit(PacketBuffer packet, MacAddress destination)
    {
        new EthernetHeader(destination, _own, EtherType.Ipv6).Emit(packet.Prepend(EthernetHeader.Length));
        owner.Egress.Enqueue(packet);
    }

    /// <summary>Duplicate address detection for one own address.</summary>
    private sealed class Detection(NeighborDiscovery discovery, IpAddress address, ulong nonce) : Timer
    {
        private readonly MacAddress _nonce = new(nonce);
        private int _sent;

        /// <summary>The question is ours, and came back by a loop in the network (RFC 7527).</summary>
        public bool IsOwn(ReadOnlySpan<byte> option) => option.Length == NdpOption.ShortLength && MacAddress.FromBytes(option[2..]) == _nonce;

        protected internal override void Fire(Instant now)
        {
            if (_sent == discovery.Probes)
            {
                discovery.IsUnique(address, now);
                return;
            }

            _sent++;
            discovery.Probe(address, _nonce);
            discovery.Again(this, address, now);
        }
    }

    private int Probes => options.DuplicateProbes;

    private void Probe(IpAddress address, MacAddress nonce)
    {
        if (!speaks)
            return;
        counters.NdpOutSolicits++;
        Send(new NeighborMessage(Icmpv6Type.NeighborSolicitation, 0, address), NdpOption.Nonce, nonce, IpAddress.Unspecified, address.SolicitedNode, null);
    }

    private void Again(Detection detection, IpAddress address, Instant now) => timers.Arm(detection, now + neighbors.Times.Retransmit(address));

    private void IsUnique(IpAddress address, Instant now)
    {
        _detections.Remove(address);
        owner.Own.SetFlags(address, owner.Own.FlagsOf(address) & ~AddressFlags.Optimistic);
        Advertise(address);
        // RFC 3590, 4: what was reported without a source before is reported with one.
        if (address.IsLinkLocal)
            owner.AnnounceGroups?.Invoke(now);
    }
}
