using Tapwire.Stack.Buffers;
using Tapwire.Stack.Interfaces;
using Tapwire.Stack.Multicast;
using Tapwire.Stack.Packets;
using Tapwire.Stack.Tcp;
using Tapwire.Stack.Udp;

namespace Tapwire.Stack.Ip;

/// <summary>IPv6 input (RFC 8200): validation, extension headers, reassembly, and demultiplexing to the transports.</summary>
internal sealed class Ipv6Input(
    InterfaceTable interfaces, IcmpLayer icmp, IcmpErrors errors, FragmentTable fragments, IpLayer ip, SharedGroups groups, Router? router, UdpLayer udp, TcpLayer tcp, StackCounters counters)
{
    /// <summary>Least bytes of transport header that a first fragment must have (RFC 7112): those of UDP and ICMP. TCP's are checked by the <see cref="FragmentTable"/>.</summary>
    private const int LeastTransport = 8;

    /// <summary>Receives a packet from an interface.</summary>
    /// <param name="packet">Begins with the IP header; may have the frame's padding at its end. Taken over.</param>
    /// <param name="delivery">The kind of destination in the frame's header.</param>
    public void Receive(PacketBuffer packet, NetworkInterface from, FrameDelivery delivery, Instant now)
    {
        counters.IpInReceives++;
        if (!Ipv6View.TryParse(packet.Span, out var header))
        {
            counters.IpInTruncated++;
        }
        else if (IsWellFormed(packet, header))
        {
            if (router?.Takes(header.Destination, delivery) == true)
            {
                Forward(router, packet, header, from, now);
                return;
            }

            if (IsForUs(header, from, delivery, out var toGroup) && HasPlausibleSource(header.Source))
            {
                Accept(packet, header, from.Index, toGroup, now);
                return;
            }
        }

        packet.Release();
    }

    /// <summary>Receives a packet that needs no validation: this stack has sent it to itself, or a sibling has validated it.</summary>
    /// <param name="shardsTried">See <see cref="IpReceiveInfo.ShardsTried"/>.</param>
    public void ReceiveLoopback(PacketBuffer packet, Instant now, int shardsTried = 0)
    {
        counters.IpInReceives++;
        // What this host sends to a group comes back by the interface by which it has left.
        var isView = Ipv6View.TryParse(packet.Span, out var header);
        if (shardsTried is IpReceiveInfo.MadeWhole or IpReceiveInfo.LoopedBack || (isView && header.Destination.IsMulticast))
            DeliverWhole(packet, now, isLoopedBack: shardsTried != IpReceiveInfo.MadeWhole);
        else if (isView && IsWellFormed(packet, header))
            Deliver(packet, InfoOf(header, InterfaceTable.Loopback, toGroup: false) with { ShardsTried = shardsTried }, Ipv6HeaderChain.Walk(packet.Span), now);
        else
            Drop(packet, ref counters.IpInTruncated);
    }

    private void Forward(Router router, PacketBuffer packet, in Ipv6View header, NetworkInterface from, Instant now)
    {
        if (header.Destination.IsV4 || !HasPlausibleSource(header.Source) || header.Source.IsUnspecified || interfaces.Addresses.IsOwn(header.Source))
        {
            Drop(packet, ref interfaces.Addresses.IsOwn(header.Source) ? ref counters.IpInOwnSource : ref counters.IpInMartianSource);
            return;
        }

        packet.Truncate(Ipv6Header.Length + header.PayloadLength);
        router.Forward(packet, InfoOf(header, from.Index, toGroup: false) with { IsForwarded = true, HeaderLength = Ipv6Header.Length }, from, now);
    }

    private void Accept(PacketBuffer packet, in Ipv6View header, byte from, bool toGroup, Instant now)
    {
        packet.Truncate(Ipv6Header.Length + header.PayloadLength);
        var info = InfoOf(header, from, toGroup);
        var chain = Ipv6HeaderChain.Walk(packet.Span);
        if (chain.Problem == Ipv6ChainProblem.None && chain.NextHeader == Ipv6Extension.Fragment)
            AcceptFragment(packet, info, chain, now);
        else
            Deliver(packet, info, chain, now);
    }

    private void AcceptFragment(PacketBuffer packet, IpReceiveInfo info, in Ipv6HeaderChain chain, Instant now)
    {
        var bytes = packet.Span;
        if (!Ipv6FragmentHeader.TryParse(bytes[chain.Length..], out var fragment))
        {
            Drop(packet, ref counters.Ip6InBadChain);
            return;
        }

        var headers = chain.Length + Ipv6FragmentHeader.Length;
        var length = bytes.Length - headers;
        // RFC 8200, 4.5.
        if (fragment.MoreFragments && length % 8 != 0)
        {
            Refuse(packet, info, Icmpv6ParameterProblem.Field, Ipv6Field.PayloadLength, now);
            return;
        }

        if (headers - Ipv6FragmentHeader.Length - Ipv6Header.Length + fragment.Offset + length > ushort.MaxValue)
        {
            Refuse(packet, info, Icmpv6ParameterProblem.Field, chain.Length + 2, now);
            return;
        }

        if (fragment.Offset == 0)
        {
            var rest = Ipv6HeaderChain.Walk(bytes, chain.Length, headers);
            if (!fragment.MoreFragments)
            {
                // An atomic fragment is a packet of its own, whatever other fragments have its identification (RFC 6946).
                Deliver(packet, info with { IsReassembled = true }, rest, now);
                return;
            }

            // RFC 7112: a first fragment without the whole chain of headers could slip past a filter.
            if (rest.Problem != Ipv6ChainProblem.None || rest.NextHeader == Ipv6Extension.Fragment || bytes.Length - rest.Length < LeastTransport)
            {
                counters.IpReasmReqds++;
                counters.IpReasmMalformed++;
                errors.SendParameterProblemV6(Trimmed(packet, ref info), info, Icmpv6ParameterProblem.FirstFragment, 0, now);
                packet.Release();
                return;
            }
        }

        if (fragments.AddV6(packet, info with { HeaderLength = headers }, fragment, chain.NextHeaderAt, now) is { } whole && !ip.TryCrossWhole(whole))
            DeliverWhole(whole, now);
    }

    /// <summary>Delivers a datagram that has been made whole, here or by a sibling. Its <see cref="PacketBuffer.Interface"/> is where its fragments came from.</summary>
    /// <param name="isLoopedBack">See <see cref="IpReceiveInfo.IsLoopedBack"/>.</param>
    private void DeliverWhole(PacketBuffer packet, Instant now, bool isLoopedBack = false)
    {
        if (interfaces[packet.Interface] is { } from && Ipv6View.TryParse(packet.Span, out var header))
        {
            var toGroup = interfaces.KindOn(from, header.Destination) != AddressKind.Own;
            Deliver(packet, InfoOf(header, from.Index, toGroup) with { IsReassembled = !isLoopedBack, IsLoopedBack = isLoopedBack }, Ipv6HeaderChain.Walk(packet.Span), now);
            return;
        }

        Drop(packet, ref counters.InNoInterface);
    }

    private static IpReceiveInfo InfoOf(in Ipv6View header, byte from, bool toGroup) => new(header.Source, header.Destination, header.HopLimit, header.TrafficClass, toGroup)
    {
        DontFragment = true,
        Interface = from,
    };

    private void Deliver(PacketBuffer packet, IpReceiveInfo info, in Ipv6HeaderChain chain, Instant now)
    {
        if (chain.Problem != Ipv6ChainProblem.None)
        {
            Refuse(packet, info, chain, now);
            return;
        }

        // Only neighbour discovery has messages from a host that has no address yet, or that has one of ours.
        var isOwn = info.Interface != InterfaceTable.Loopback && !info.IsLoopedBack && interfaces.Addresses.IsOwn(info.Source);
        if ((isOwn || info.Source.IsUnspecified) && !IsNeighborDiscovery(packet.Span, chain))
        {
            Drop(packet, ref isOwn ? ref counters.IpInOwnSource : ref counters.IpInMartianSource);
            return;
        }

        if (router is not null && !info.ToGroup && router.TryReturn(packet, info with { HeaderLength = Ipv6Header.Length }, now))
            return;
        info = info with { HeaderLength = chain.Length };
        switch (chain.NextHeader)
        {
            case IpProtocol.Tcp:
                counters.IpInDelivers++;
                packet.TrimStart(chain.Length);
                tcp.Receive(packet, info, now);
                break;
            case IpProtocol.Udp:
                counters.IpInDelivers++;
                packet.TrimStart(chain.Length);
                if (interfaces[info.Interface] is not { } on || (on.Dhcp6?.TryTake(packet, info) != true && on.Dhcp6Server?.TryTake(packet, info) != true))
                    udp.Receive(packet, info, now);
                break;
            case IpProtocol.Icmpv6:
                counters.IpInDelivers++;
                packet.TrimStart(chain.Length);
                icmp.ReceiveV6(packet, info, chain.HasRouterAlert, now);
                break;
            case Ipv6Extension.NoNextHeader:
                // It has come to where it was sent, as Linux counts it (ip6_protocol_deliver_rcu).
                counters.IpInDelivers++;
                packet.Release();
                break;
            default:
                counters.IpInUnknownProtos++;
                errors.SendParameterProblemV6(Trimmed(packet, ref info), info, Icmpv6ParameterProblem.NextHeader, chain.NextHeaderAt, now);
                packet.Release();
                break;
        }
    }

    private static bool IsNeighborDiscovery(ReadOnlySpan<byte> packet, in Ipv6HeaderChain chain) =>
        chain.NextHeader == IpProtocol.Icmpv6 && packet.Length > chain.Length && Icmpv6Type.IsNeighborDiscovery(packet[chain.Length]);

    private void Refuse(PacketBuffer packet, in IpReceiveInfo info, in Ipv6HeaderChain chain, Instant now)
    {
        switch (chain.Problem)
        {
            case Ipv6ChainProblem.BadField:
                Refuse(packet, info, Icmpv6ParameterProblem.Field, chain.Pointer, now);
                break;
            case Ipv6ChainProblem.BadNextHeader:
                Refuse(packet, info, Icmpv6ParameterProblem.NextHeader, chain.Pointer, now);
                break;
            case Ipv6ChainProblem.UnknownOptionReported:
            case Ipv6ChainProblem.UnknownOptionReportedUnlessGroup when !info.ToGroup:
                Refuse(packet, info, Icmpv6ParameterProblem.Option, chain.Pointer, now);
                break;
            case Ipv6ChainProblem.Truncated or Ipv6ChainProblem.TooMany:
                Drop(packet, ref counters.Ip6InBadChain);
                break;
            default:
                Drop(packet, ref counters.Ip6InHdrErrors);
                break;
        }
    }

    /// <summary>Drops a packet and tells its sender. The message in it may be an ICMP error, and is not looked for behind a bad header: one error cannot beget another, since errors of this
    /// stack have no extension headers.</summary>
    private void Refuse(PacketBuffer packet, IpReceiveInfo info, byte code, int pointer, Instant now)
    {
        counters.Ip6InHdrErrors++;
        errors.SendParameterProblemV6(Trimmed(packet, ref info), info, code, pointer, now);
        packet.Release();
    }

    /// <summary>Trims a packet of its IP header, as those who send errors take it.</summary>
    private static PacketBuffer Trimmed(PacketBuffer packet, ref IpReceiveInfo info)
    {
        info = info with { HeaderLength = Ipv6Header.Length };
        packet.TrimStart(Ipv6Header.Length);
        return packet;
    }

    private bool IsWellFormed(PacketBuffer packet, in Ipv6View header)
    {
        if (header.Version != 6)
            return Refuse(ref counters.IpInBadVersion);
        return Ipv6Header.Length + header.PayloadLength <= packet.Length || Refuse(ref counters.IpInBadLength);
    }

    private bool IsForUs(in Ipv6View header, NetworkInterface from, FrameDelivery delivery, out bool toGroup)
    {
        var destination = header.Destination;
        var kind = interfaces.KindOn(from, destination);
        toGroup = kind != AddressKind.Own;
        // A mapped address is an IPv4 address to all of this stack: none may come in an IPv6 header.
        if (destination.IsV4 || destination.IsUnspecified || destination.IsLoopback)
            return Refuse(ref counters.IpInMartianDestination);
        switch (kind)
        {
            case AddressKind.Own:
                return delivery != FrameDelivery.Ipv6Group || Refuse(ref counters.IpInLinkBroadcast);
            case AddressKind.Multicast:
                return from.Own.IsOwnGroup(destination) || IsWanted(header, from) || Refuse(ref counters.IpInAddrErrors);
            default:
                // Strong host model: the address of another interface cannot be reached through this one.
                return interfaces.Only is null && interfaces.Addresses.IsOwn(destination)
                    ? Refuse(ref counters.IpInOtherInterface)
                    : Refuse(ref counters.IpInAddrErrors);
        }
    }

    /// <summary>Some socket wants what comes to the group from there. What routers ask about a group, the host wants from anybody.</summary>
    private bool IsWanted(in Ipv6View header, NetworkInterface from)
    {
        var filter = groups.Find(from.Index, header.Destination);
        return header.NextHeader == IpProtocol.Udp ? filter.Accepts(header.Source) : !filter.IsNothing;
    }

    /// <summary>A guest's link-local address is nobody's beyond its device.</summary>
    private bool HasPlausibleSource(IpAddress source) =>
        !(source.IsV4 || source.IsLoopback || source.IsMulticast || (source.IsLinkLocal && interfaces.Addresses.HasGuest)) || Refuse(ref counters.IpInMartianSource);

    private static bool Refuse(ref long counter)
    {
        counter++;
        return false;
    }

    private static void Drop(PacketBuffer packet, ref long counter)
    {
        counter++;
        packet.Release();
    }
}
