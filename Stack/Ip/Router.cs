using System.Buffers.Binary;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Forwarding;
using Tapwire.Stack.Interfaces;
using Tapwire.Stack.Packets;

namespace Tapwire.Stack.Ip;

/// <summary>
/// Forwards packets from one network to another (RFC 1812, 5; RFC 8200, 3), with the errors and redirects that a router sends. What is for groups, for one link only, or for this host stays here.
/// A super-frame goes on as one where the device behind it cuts it, too.
/// </summary>
internal sealed class Router(
    InterfaceTable interfaces, RouteTable routes, IcmpErrors errors, FragmentTable fragments, Masquerade nat, KeyedRandom random, BufferPool pool, StackCounters counters)
{
    /// <summary>A packet with that destination is for another host on a network that a router may lead to.</summary>
    public bool Takes(IpAddress destination, FrameDelivery delivery)
    {
        if (delivery is not (FrameDelivery.Ipv4 or FrameDelivery.Ipv6) || interfaces.Addresses.KindOf(destination) != AddressKind.Other)
            return false;
        return destination.IsV4
            ? destination.V4 >> 24 is not (0 or 127 or >= 240) && !IsOfOneLink(destination)
            : !(destination.IsUnspecified || destination.IsLoopback || IsOfOneLink(destination));
    }

    /// <summary>Forwards a packet, or tells its sender why it does not, and takes it over.</summary>
    /// <param name="packet">Well-formed, with its IP header, and no longer than that says.</param>
    /// <param name="info">With <see cref="IpReceiveInfo.IsForwarded"/>.</param>
    public void Forward(PacketBuffer packet, in IpReceiveInfo info, NetworkInterface from, Instant now) => Forward(packet, info, from, isReturned: false, now);

    /// <summary>Brings an answer to what a host has sent through this router, which has masqueraded it, back to that host.</summary>
    /// <param name="packet">For an own address, whole, with its IP header, and no longer than that says.</param>
    /// <returns>False: it is for this host, and stays the caller's, unchanged.</returns>
    public bool TryReturn(PacketBuffer packet, in IpReceiveInfo info, Instant now)
    {
        if (interfaces[info.Interface] is not { Options.Masquerades: true } from || !nat.TryReturn(packet.Span, packet.Offload.Checksum, now, out var inner))
            return false;
        Forward(packet, info with { Destination = inner, IsForwarded = true }, from, isReturned: true, now);
        return true;
    }

    private void Forward(PacketBuffer packet, in IpReceiveInfo info, NetworkInterface from, bool isReturned, Instant now)
    {
        if (IsOfOneLink(info.Source))
        {
            // Nobody elsewhere could answer (RFC 4291, 2.5.6; RFC 3927, 7).
            counters.IpForwBadScope++;
            Refuse(packet, info, Problem.BeyondScope, 0, now);
        }
        else if (info.HopLimit <= 1)
        {
            counters.IpForwHopLimit++;
            Refuse(packet, info, Problem.HopLimit, 0, now);
        }
        else if (!routes.TryFind(info.Destination, null, out var nextHop, out _, out var egress))
        {
            counters.IpForwNoRoutes++;
            Refuse(packet, info, Problem.NoRoute, 0, now);
        }
        else if (egress.Options.Masquerades && egress != from && !isReturned)
        {
            // Only the first fragment has ports.
            var whole = info;
            if (Whole(packet, ref whole, now) is { } complete)
                Forward(complete, whole, from, egress, nextHop, masquerades: true, now);
        }
        else
        {
            if (egress == from && routes.IsOnLink(info.Source, from) && MayReport(packet, info))
                SendRedirect(packet, info, nextHop, egress, now);
            Forward(packet, info, from, egress, nextHop, masquerades: false, now);
        }
    }

    private void Forward(PacketBuffer packet, in IpReceiveInfo info, NetworkInterface from, NetworkInterface egress, IpAddress nextHop, bool masquerades, Instant now)
    {
        var isV4 = info.Source.IsV4;
        var mtu = egress.MtuOf(isV4);
        var hop = new NextHop(from, egress, nextHop);
        if (!egress.Egress.HasRoom)
        {
            counters.IpForwQueueFull++;
            packet.Release();
        }
        else if (LargestPiece(packet, from) is var largest && largest > mtu && !MayFragment(packet, info))
        {
            counters.IpForwTooBig++;
            Refuse(packet, info, Problem.TooBig, mtu, now);
        }
        else if (masquerades && nat.Leave(packet.Span, packet.Offload.Checksum, egress, now) is not NatOutcome.Translated and var outcome)
        {
            if (outcome == NatOutcome.Refused)
                Refuse(packet, info, Problem.Prohibited, 0, now);
            else
                packet.Release();
        }
        else if (largest > mtu)
        {
            CompleteChecksum(packet, hop.From);
            TakeHop(packet, isV4);
            if (isV4)
                SendFragments(packet, info.HeaderLength, hop, mtu, now);
            else
                SendFragmentsV6(packet, hop, mtu, now);
        }
        else if (packet.Offload.Segmentation == Segmentation.Udp)
        {
            TakeHop(packet, isV4);
            SendEach(packet, isV4, hop, now);
        }
        else if (packet.Length > egress.SuperFrameOf(isV4))
        {
            counters.IpForwUncut++;
            packet.Release();
        }
        else
        {
            TakeHop(packet, isV4);
            Send(packet, hop, now);
        }
    }

    /// <summary>The packet that goes by the longest of the pieces that a device cuts a packet into, in bytes.</summary>
    private static int LargestPiece(PacketBuffer packet, NetworkInterface from)
    {
        ref readonly var note = ref packet.Offload;
        if (note.Segmentation == Segmentation.None)
            return packet.Length;
        var transport = note.ChecksumStart - from.Framing.HeaderLength;
        if (note.Segmentation == Segmentation.Udp)
            return transport + UdpHeader.Length + note.SegmentSize;
        return transport < 0 || transport + TcpField.DataOffset >= packet.Length ? int.MaxValue : transport + TcpField.LengthOf(packet.Span[transport + TcpField.DataOffset]) + note.SegmentSize;
    }

    /// <summary>No router may fragment an IPv6 packet, but one that came in fragments goes on in fragments.</summary>
    private static bool MayFragment(PacketBuffer packet, in IpReceiveInfo info) =>
        packet.Offload.Segmentation == Segmentation.None && (info.Source.IsV4 ? !info.DontFragment : info.IsReassembled);

    /// <summary>Waits for the rest of a datagram that comes in fragments.</summary>
    /// <returns>The packet if it is whole; null: it has been taken over.</returns>
    private PacketBuffer? Whole(PacketBuffer packet, ref IpReceiveInfo info, Instant now)
    {
        if (info.Source.IsV4)
        {
            Ipv4View.TryParse(packet.Span, out var header);
            if (!header.IsFragment)
                return packet;
            info = info with { IsReassembled = true, DontFragment = false };
            return fragments.Add(packet, info, now);
        }

        var chain = Ipv6HeaderChain.Walk(packet.Span);
        if (chain.Problem != Ipv6ChainProblem.None || chain.NextHeader != Ipv6Extension.Fragment)
            return packet;
        // Other headers before the fragment header are for routers, and none has to be kept that this one does not know.
        var length = chain.Length + Ipv6FragmentHeader.Length;
        if (chain.Length != Ipv6Header.Length || !Ipv6FragmentHeader.TryParse(packet.Span[chain.Length..], out var fragment) || (fragment.MoreFragments && (packet.Length - length) % 8 != 0)
            || fragment.Offset + packet.Length - length > ushort.MaxValue)
        {
            counters.NatUnknownProtocol++;
            packet.Release();
            return null;
        }

        var part = info with { HeaderLength = length };
        info = info with { IsReassembled = true };
        return fragments.AddV6(packet, part, fragment, chain.NextHeaderAt, now);
    }

    /// <summary>Takes one from the hop limit, for this router.</summary>
    private void TakeHop(PacketBuffer packet, bool isV4)
    {
        counters.IpForwDatagrams++;
        var header = packet.Span;
        if (!isV4)
        {
            header[Ipv6Field.HopLimit]--;
            return;
        }

        var before = BinaryPrimitives.ReadUInt16BigEndian(header[Ipv4Field.HopLimit..]);
        var after = (ushort)(before - 0x100);
        BinaryPrimitives.WriteUInt16BigEndian(header[Ipv4Field.HopLimit..], after);
        var checksum = BinaryPrimitives.ReadUInt16BigEndian(header[Ipv4Field.Checksum..]);
        BinaryPrimitives.WriteUInt16BigEndian(header[Ipv4Field.Checksum..], Checksum.Update(checksum, before, after));
    }

    private void Send(PacketBuffer packet, in NextHop hop, Instant now)
    {
        ref var note = ref packet.Offload;
        var shift = hop.Egress.Framing.HeaderLength - hop.From.Framing.HeaderLength;
        if (note.Checksum == ChecksumState.Partial && hop.Egress.Options.ChecksumOffload)
        {
            note.ChecksumStart = (ushort)(note.ChecksumStart + shift);
            note.HeaderLength = (ushort)(note.HeaderLength + shift);
        }
        else
        {
            CompleteChecksum(packet, hop.From);
        }

        if (packet.Headroom < hop.Egress.Framing.HeaderLength)
        {
            var copy = pool.Rent(packet.Length, BufferPool.HeaderRoom);
            packet.Span.CopyTo(copy.Append(packet.Length));
            copy.Offload = packet.Offload;
            packet.Release();
            packet = copy;
        }

        hop.Egress.Framing.Send(packet, hop.Address, AddressKind.Other, now);
    }

    /// <summary>Writes a checksum that a device would have completed. Whatever else the wire has noted is of no use on another.</summary>
    private static void CompleteChecksum(PacketBuffer packet, NetworkInterface from)
    {
        var note = packet.Offload;
        packet.Offload = default;
        var start = note.ChecksumStart - from.Framing.HeaderLength;
        if (note.Checksum != ChecksumState.Partial || start < 0 || start + note.ChecksumOffset + sizeof(ushort) > packet.Length)
            return;
        var checksum = Checksum.Finish(Checksum.Sum(packet.Span[start..]));
        // Zero means "none" in UDP.
        BinaryPrimitives.WriteUInt16BigEndian(packet.Span[(start + note.ChecksumOffset)..], checksum == 0 && note.ChecksumOffset == UdpHeader.ChecksumOffset ? (ushort)0xFFFF : checksum);
    }

    /// <summary>Cuts a super-frame of UDP into its datagrams, which few devices do.</summary>
    private void SendEach(PacketBuffer frame, bool isV4, in NextHop hop, Instant now)
    {
        var transport = frame.Offload.ChecksumStart - hop.From.Framing.HeaderLength;
        var size = (int)frame.Offload.SegmentSize;
        var headers = transport + UdpHeader.Length;
        if (transport < (isV4 ? Ipv4Header.Length : Ipv6Header.Length) || headers > frame.Length || size == 0)
        {
            counters.IpForwUncut++;
            frame.Release();
            return;
        }

        var bytes = frame.Span;
        var identification = isV4 ? BinaryPrimitives.ReadUInt16BigEndian(bytes[Ipv4Field.Identification..]) : (ushort)0;
        var (source, destination) = AddressesOf(bytes, isV4);
        for (var offset = headers; offset < frame.Length; offset += size)
        {
            var length = Math.Min(size, frame.Length - offset);
            var packet = pool.Rent(headers + length, BufferPool.HeaderRoom);
            var segment = packet.Append(headers + length);
            bytes[..headers].CopyTo(segment);
            bytes.Slice(offset, length).CopyTo(segment[headers..]);
            var datagram = segment[transport..];
            if (isV4)
            {
                BinaryPrimitives.WriteUInt16BigEndian(segment[Ipv4Field.Identification..], identification++);
                Ipv4Header.Resize(segment[..transport], segment.Length);
            }
            else
            {
                BinaryPrimitives.WriteUInt16BigEndian(segment[Ipv6Field.PayloadLength..], (ushort)(segment.Length - Ipv6Header.Length));
            }

            BinaryPrimitives.WriteUInt16BigEndian(datagram[UdpHeader.LengthOffset..], (ushort)datagram.Length);
            BinaryPrimitives.WriteUInt16BigEndian(datagram[UdpHeader.ChecksumOffset..], 0);
            var checksum = Checksum.Finish(Checksum.Sum(datagram, Checksum.PseudoHeader(source, destination, IpProtocol.Udp, datagram.Length)));
            BinaryPrimitives.WriteUInt16BigEndian(datagram[UdpHeader.ChecksumOffset..], checksum == 0 ? (ushort)0xFFFF : checksum);
            Send(packet, hop, now);
        }

        frame.Release();
    }

    private static (IpAddress Source, IpAddress Destination) AddressesOf(ReadOnlySpan<byte> packet, bool isV4)
    {
        if (isV4)
        {
            Ipv4View.TryParse(packet, out var v4);
            return (IpAddress.FromV4(v4.Source), IpAddress.FromV4(v4.Destination));
        }

        Ipv6View.TryParse(packet, out var v6);
        return (v6.Source, v6.Destination);
    }

    /// <summary>Cuts a packet, which may be a fragment itself (RFC 791, 3.2). Options go into the later fragments only if they say so.</summary>
    private void SendFragments(PacketBuffer packet, int headerLength, in NextHop hop, int mtu, Instant now)
    {
        var bytes = packet.Span;
        Span<byte> later = stackalloc byte[Ipv4Header.MaxLength];
        bytes[..headerLength].CopyTo(later);
        later = later[..Ipv4Header.KeepCopiedOptions(later[..headerLength])];
        Ipv4View.TryParse(bytes, out var header);
        var first = header.FragmentOffset;
        var isFollowed = header.MoreFragments;
        for (var offset = headerLength; offset < bytes.Length;)
        {
            var own = offset == headerLength ? bytes[..headerLength] : later;
            var count = Math.Min((mtu - own.Length) & ~7, bytes.Length - offset);
            var fragment = pool.Rent(own.Length + count, BufferPool.HeaderRoom);
            var made = fragment.Append(own.Length + count);
            own.CopyTo(made);
            bytes.Slice(offset, count).CopyTo(made[own.Length..]);
            Ipv4Header.Refit(made[..own.Length], made.Length, first + offset - headerLength, hasMore: isFollowed || offset + count < bytes.Length);
            offset += count;
            counters.IpFragCreates++;
            Send(fragment, hop, now);
        }

        counters.IpFragOKs++;
        packet.Release();
    }

    private static bool IsOfOneLink(IpAddress address) => address.IsV4 ? address.V4 >> 16 == 0xA9FE : address.IsLinkLocal;

    /// <summary>Sends a datagram that came in fragments in fragments again, which the egress queue cuts.</summary>
    private void SendFragmentsV6(PacketBuffer packet, in NextHop hop, int mtu, Instant now)
    {
        var bytes = packet.Span;
        var whole = pool.Rent(bytes.Length + Ipv6FragmentHeader.Length, BufferPool.HeaderRoom);
        var made = whole.Append(bytes.Length + Ipv6FragmentHeader.Length);
        bytes[..Ipv6Header.Length].CopyTo(made);
        new Ipv6FragmentHeader(bytes[Ipv6Field.NextHeader], 0, true, random.NextUInt32()).Emit(made[Ipv6Header.Length..]);
        made[Ipv6Field.NextHeader] = Ipv6Extension.Fragment;
        bytes[Ipv6Header.Length..].CopyTo(made[(Ipv6Header.Length + Ipv6FragmentHeader.Length)..]);
        packet.Release();
        whole.Offload = new OffloadNote { Segmentation = Segmentation.Ipv6Fragments, SegmentSize = (ushort)((mtu - Ipv6Header.Length - Ipv6FragmentHeader.Length) & ~7) };
        hop.Egress.Framing.Send(whole, hop.Address, AddressKind.Other, now);
    }

    /// <summary>Tells a neighbour of a better way, by which it reaches the destination in one hop less (RFC 1812, 5.2.7.2; RFC 4861, 8.2).</summary>
    private void SendRedirect(PacketBuffer packet, in IpReceiveInfo info, IpAddress nextHop, NetworkInterface on, Instant now)
    {
        // A router is known to its neighbours by its link-local address.
        if (info.Source.IsV6 && nextHop != info.Destination && !nextHop.IsLinkLocal)
            return;
        packet.TrimStart(info.HeaderLength);
        errors.SendRedirect(packet, info, nextHop, on, now);
        packet.Prepend(info.HeaderLength);
    }

    /// <summary>Drops a packet and tells its sender, if that may be told.</summary>
    private void Refuse(PacketBuffer packet, in IpReceiveInfo info, Problem problem, int mtu, Instant now)
    {
        if (MayReport(packet, info))
        {
            packet.TrimStart(info.HeaderLength);
            switch (problem)
            {
                case Problem.HopLimit:
                    errors.SendHopLimitExceeded(packet, info, now);
                    break;
                case Problem.NoRoute:
                    errors.SendUnreachable(packet, info, Icmpv4Unreachable.Network, now);
                    break;
                case Problem.Prohibited:
                    errors.SendUnreachable(packet, info, Icmpv4Unreachable.Prohibited, now);
                    break;
                case Problem.TooBig:
                    errors.SendFragmentationNeeded(packet, info, mtu, now);
                    break;
                case Problem.BeyondScope when info.Source.IsV6:
                    errors.SendBeyondScope(packet, info, now);
                    break;
            }
        }

        packet.Release();
    }

    /// <summary>RFC 1122, 3.2.2 and RFC 4443, 2.4(e): no error about an error, nor about a fragment other than the first.</summary>
    public static bool MayReport(PacketBuffer packet, in IpReceiveInfo info)
    {
        if (info.Source.IsV4)
        {
            return Ipv4View.TryParse(packet.Span, out var header) && header.FragmentOffset == 0
                && (header.Protocol != IpProtocol.Icmp || (packet.Length > info.HeaderLength && packet.Span[info.HeaderLength] is Icmpv4Type.Echo or Icmpv4Type.EchoReply));
        }

        var chain = Ipv6HeaderChain.Walk(packet.Span);
        if (chain.NextHeader == Ipv6Extension.Fragment)
        {
            if (!Ipv6FragmentHeader.TryParse(packet.Span[Math.Min(chain.Length, packet.Length)..], out var fragment) || fragment.Offset != 0)
                return false;
            chain = Ipv6HeaderChain.Walk(packet.Span, chain.Length, chain.Length + Ipv6FragmentHeader.Length);
        }

        return chain.Problem == Ipv6ChainProblem.None
            && (chain.NextHeader != IpProtocol.Icmpv6 || (packet.Length > chain.Length && !Icmpv6Type.IsErrorOrRedirect(packet.Span[chain.Length])));
    }

    private enum Problem
    {
        HopLimit,
        NoRoute,
        Prohibited,
        TooBig,
        BeyondScope,
    }

    private readonly record struct NextHop(NetworkInterface From, NetworkInterface Egress, IpAddress Address);
}
