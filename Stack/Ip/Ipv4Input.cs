using Tapwire.Stack.Buffers;
using Tapwire.Stack.Interfaces;
using Tapwire.Stack.Multicast;
using Tapwire.Stack.Packets;
using Tapwire.Stack.Tcp;
using Tapwire.Stack.Udp;

namespace Tapwire.Stack.Ip;

/// <summary>IPv4 input: validation (RFC 1122 3.2.1, RFC 1812 5.2.2 and 5.3.7), reassembly, and demultiplexing to the transports.</summary>
internal sealed class Ipv4Input(
    InterfaceTable interfaces, IcmpLayer icmp, IcmpErrors errors, FragmentTable fragments, IpLayer ip, MulticastLayer multicast, SharedGroups groups, Router? router, UdpLayer udp, TcpLayer tcp, StackCounters counters)
{
    /// <summary>224.0.0.1, all hosts on-link: every host is in that group (RFC 1112, 4).</summary>
    private const uint AllHosts = 0xE000_0001;

    private const byte OptionEnd = 0;
    private const byte OptionNop = 1;
    private const byte OptionLooseSourceRoute = 131;
    private const byte OptionStrictSourceRoute = 137;

    /// <summary>Receives a packet from an interface.</summary>
    /// <param name="packet">Begins with the IP header; may have the frame's padding at its end. Taken over.</param>
    /// <param name="delivery">The kind of destination in the frame's header.</param>
    public void Receive(PacketBuffer packet, NetworkInterface from, FrameDelivery delivery, Instant now)
    {
        counters.IpInReceives++;
        if (!Ipv4View.TryParse(packet.Span, out var header))
        {
            counters.IpInTruncated++;
        }
        else if (IsWellFormed(packet, header))
        {
            // Before the addresses are looked at: a DHCP client has none yet.
            if (from.Dhcp?.TryTake(packet, header) == true || from.DhcpServer?.TryTake(packet, header) == true)
                return;
            if (router?.Takes(IpAddress.FromV4(header.Destination), delivery) == true)
            {
                Forward(router, packet, header, from, now);
                return;
            }

            if (IsForUs(header, from, delivery, out var toGroup) && HasPlausibleSource(header))
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
        var isView = Ipv4View.TryParse(packet.Span, out var header);
        if (shardsTried is IpReceiveInfo.MadeWhole or IpReceiveInfo.LoopedBack || (isView && IpAddress.FromV4(header.Destination).IsMulticast))
        {
            DeliverWhole(packet, now);
            return;
        }

        if (isView)
        {
            Deliver(packet, header, InterfaceTable.Loopback, toGroup: false, now, shardsTried);
            return;
        }

        counters.IpInTruncated++;
        packet.Release();
    }

    private void Forward(Router router, PacketBuffer packet, in Ipv4View header, NetworkInterface from, Instant now)
    {
        if (!HasPlausibleSource(header) || (header.HeaderLength != Ipv4Header.Length && !HasValidOptions(packet, header, toGroup: false, now)))
        {
            packet.Release();
            return;
        }

        var info = InfoOf(header, from.Index, toGroup: false, 0) with { IsForwarded = true };
        packet.Truncate(header.TotalLength);
        router.Forward(packet, info, from, now);
    }

    private void Accept(PacketBuffer packet, in Ipv4View header, byte from, bool toGroup, Instant now)
    {
        if (header.HeaderLength != Ipv4Header.Length && !HasValidOptions(packet, header, toGroup, now))
        {
            packet.Release();
        }
        else if (header.IsFragment)
        {
            if (fragments.Add(packet, InfoOf(header, from, toGroup, 0), now) is { } whole && !ip.TryCrossWhole(whole))
                DeliverWhole(whole, now);
        }
        else
        {
            Deliver(packet, header, from, toGroup, now);
        }
    }

    /// <summary>Delivers a datagram that has been made whole, here or by a sibling. Its <see cref="PacketBuffer.Interface"/> is where its fragments came from.</summary>
    private void DeliverWhole(PacketBuffer packet, Instant now)
    {
        if (interfaces[packet.Interface] is { } from && Ipv4View.TryParse(packet.Span, out var header))
        {
            Deliver(packet, header, from.Index, interfaces.KindOn(from, IpAddress.FromV4(header.Destination)) != AddressKind.Own, now);
            return;
        }

        counters.InNoInterface++;
        packet.Release();
    }

    private static IpReceiveInfo InfoOf(in Ipv4View header, byte from, bool toGroup, int shardsTried) => new(
        IpAddress.FromV4(header.Source), IpAddress.FromV4(header.Destination), header.HopLimit, header.TrafficClass, toGroup)
    {
        HeaderLength = header.HeaderLength,
        DontFragment = header.DontFragment,
        Interface = from,
        ShardsTried = shardsTried,
    };

    private void Deliver(PacketBuffer packet, in Ipv4View header, byte from, bool toGroup, Instant now, int shardsTried = 0)
    {
        var info = InfoOf(header, from, toGroup, shardsTried);
        var protocol = header.Protocol;
        packet.Truncate(header.TotalLength);
        if (router is not null && !toGroup && router.TryReturn(packet, info, now))
            return;
        packet.TrimStart(info.HeaderLength);
        switch (protocol)
        {
            case IpProtocol.Tcp:
                counters.IpInDelivers++;
                tcp.Receive(packet, info, now);
                break;
            case IpProtocol.Udp:
                counters.IpInDelivers++;
                udp.Receive(packet, info, now);
                break;
            case IpProtocol.Icmp:
                counters.IpInDelivers++;
                icmp.Receive(packet, info, now);
                break;
            case IpProtocol.Igmp:
                counters.IpInDelivers++;
                multicast.ReceiveIgmp(packet, info, now);
                break;
            default:
                counters.IpInUnknownProtos++;
                errors.SendUnreachable(packet, info, Icmpv4Unreachable.Protocol, now);
                packet.Release();
                break;
        }
    }

    private bool IsWellFormed(PacketBuffer packet, in Ipv4View header)
    {
        if (header.Version != 4)
            return Refuse(ref counters.IpInBadVersion);
        var headerLength = header.HeaderLength;
        if (headerLength < Ipv4Header.Length || headerLength > packet.Length)
            return Refuse(ref counters.IpInBadHeaderLength);
        if (header.TotalLength < headerLength || header.TotalLength > packet.Length)
            return Refuse(ref counters.IpInBadLength);
        return Checksum.Sum(packet.Span[..headerLength]) == 0xFFFF || Refuse(ref counters.IpInBadChecksum);
    }

    private bool IsForUs(in Ipv4View header, NetworkInterface from, FrameDelivery delivery, out bool toGroup)
    {
        var destination = header.Destination;
        var kind = interfaces.KindOn(from, IpAddress.FromV4(destination));
        toGroup = kind != AddressKind.Own;
        switch (kind)
        {
            case AddressKind.Own:
                // A unicast packet in a broadcast frame is a mistake or an attack (RFC 1122, 3.3.6).
                return delivery != FrameDelivery.Ipv4Group || Refuse(ref counters.IpInLinkBroadcast);
            case AddressKind.Broadcast:
                return true;
            case AddressKind.Multicast:
                return destination == AllHosts || IsWanted(header, from) || Refuse(ref counters.IpInAddrErrors);
            default:
                if (destination >> 24 is 0 or 127 or >= 240)
                    return Refuse(ref counters.IpInMartianDestination);
                // Strong host model: the address of another interface cannot be reached through this one.
                return interfaces.Only is null && interfaces.Addresses.IsOwn(IpAddress.FromV4(destination))
                    ? Refuse(ref counters.IpInOtherInterface)
                    : Refuse(ref counters.IpInAddrErrors);
        }
    }

    /// <summary>Some socket wants what comes to the group from there. What routers ask about a group, the host wants from anybody.</summary>
    private bool IsWanted(in Ipv4View header, NetworkInterface from)
    {
        var filter = groups.Find(from.Index, IpAddress.FromV4(header.Destination));
        return header.Protocol == IpProtocol.Igmp ? !filter.IsNothing : filter.Accepts(IpAddress.FromV4(header.Source));
    }

    private bool HasPlausibleSource(in Ipv4View header)
    {
        var source = header.Source;
        // A switch that asks for groups need not have an address (RFC 4541, 2.1.1).
        if (source == 0 && header.Protocol == IpProtocol.Igmp)
            return true;
        if (source >> 24 is 0 or 127 or >= 224)
            return Refuse(ref counters.IpInMartianSource);
        return interfaces.Addresses.KindOf(IpAddress.FromV4(source)) switch
        {
            AddressKind.Other => true,
            AddressKind.Own => Refuse(ref counters.IpInOwnSource),
            _ => Refuse(ref counters.IpInMartianSource),
        };
    }

    /// <summary>Walks the options (RFC 791, 3.1). This stack acts on none; source routes are refused, as on Linux.</summary>
    private bool HasValidOptions(PacketBuffer packet, in Ipv4View header, bool toGroup, Instant now)
    {
        var options = packet.Span[Ipv4Header.Length..header.HeaderLength];
        var at = 0;
        while (at < options.Length && options[at] != OptionEnd)
        {
            if (options[at] == OptionNop)
            {
                at++;
                continue;
            }

            if (options[at] is OptionLooseSourceRoute or OptionStrictSourceRoute)
                return Refuse(ref counters.IpInSourceRoute);
            if (at + 1 >= options.Length || options[at + 1] < 2 || options[at + 1] > options.Length - at)
            {
                counters.IpInBadOptions++;
                if (!header.IsFragment)
                    ReportOption(packet, header, toGroup, at, now);
                return false;
            }

            at += options[at + 1];
        }

        return true;
    }

    private void ReportOption(PacketBuffer packet, in Ipv4View header, bool toGroup, int option, Instant now)
    {
        var info = new IpReceiveInfo(
            IpAddress.FromV4(header.Source), IpAddress.FromV4(header.Destination), header.HopLimit, header.TrafficClass, toGroup)
        {
            HeaderLength = header.HeaderLength,
            IsForwarded = !toGroup && interfaces.Addresses.KindOf(IpAddress.FromV4(header.Destination)) == AddressKind.Other,
        };
        var isIcmp = header.Protocol == IpProtocol.Icmp;
        packet.Truncate(header.TotalLength);
        packet.TrimStart(info.HeaderLength);
        // RFC 1122, 3.2.2: no error about an ICMP error. Only its type would tell an error from another message, so no ICMP message is answered with one.
        if (!isIcmp)
            errors.SendParameterProblem(packet, info, (byte)(Ipv4Header.Length + option), now);
    }

    private static bool Refuse(ref long counter)
    {
        counter++;
        return false;
    }
}
