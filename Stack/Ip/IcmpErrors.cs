using Tapwire.Stack.Buffers;
using Tapwire.Stack.Interfaces;
using Tapwire.Stack.Packets;

namespace Tapwire.Stack.Ip;

/// <summary>
/// Sends ICMP errors, by the rules of RFC 1122, 3.2.2: never about an ICMP error, a packet to a group or a fragment other than the first. Callers ensure the
/// first and the last. The rate is limited over all destinations (RFC 1812, 4.3.2.8).
/// </summary>
internal sealed class IcmpErrors(IcmpOptions options, IIpOutput ip, KeyedRandom random, StackCounters counters)
{
    /// <summary>The whole error fits 576 bytes, which every host takes (RFC 1812, 4.3.2.3).</summary>
    public const int MaxQuote = 576 - Ipv4Header.Length - Icmpv4Header.Length;

    /// <summary>The whole error fits the least MTU of IPv6 (RFC 4443, 2.4(c)).</summary>
    public const int MaxQuoteV6 = Ipv6Header.MinimumMtu - Ipv6Header.Length - Icmpv6Header.Length;

    // Tokens are half errors; an error takes one to three of them, two on average.
    private TokenBucket _bucket = new(2 * options.ErrorsPerSecond, 2 * options.ErrorBurst);

    /// <param name="packet">The refused packet, trimmed to its transport header; stays the caller's.</param>
    /// <param name="code">One of <see cref="Icmpv4Unreachable"/>; about an IPv6 packet the code of ICMPv6 with that meaning is sent.</param>
    public void SendUnreachable(PacketBuffer packet, in IpReceiveInfo info, byte code, Instant now)
    {
        if (info.Source.IsV4 ? Send(packet, info, Icmpv4Header.Unreachable(code), now) : SendV6(packet, info, Icmpv6Header.Unreachable(CodeV6(code)), now))
            counters.IcmpOutDestUnreachs++;
    }

    /// <param name="packet">As for <see cref="SendUnreachable"/>.</param>
    /// <param name="mtu">What fits, in bytes (RFC 1191, 4).</param>
    public void SendFragmentationNeeded(PacketBuffer packet, in IpReceiveInfo info, int mtu, Instant now)
    {
        if (info.Source.IsV4
            ? Send(packet, info, Icmpv4Header.TooBig((ushort)Math.Clamp(mtu, 0, ushort.MaxValue)), now)
            : SendV6(packet, info, Icmpv6Header.TooBig((uint)mtu), now))
            counters.IcmpOutDestUnreachs++;
    }

    /// <param name="first">The first fragment of a datagram whose others have not come, trimmed to its transport header; stays the caller's.</param>
    public void SendReassemblyTimeExceeded(PacketBuffer first, in IpReceiveInfo info, Instant now)
    {
        if (info.Source.IsV4 ? Send(first, info, Icmpv4Header.ReassemblyTimeExceeded(), now) : SendV6(first, info, Icmpv6Header.ReassemblyTimeExceeded(), now))
            counters.IcmpOutTimeExcds++;
    }

    /// <param name="packet">As for <see cref="SendUnreachable"/>.</param>
    public void SendHopLimitExceeded(PacketBuffer packet, in IpReceiveInfo info, Instant now)
    {
        if (info.Source.IsV4 ? Send(packet, info, Icmpv4Header.HopLimitExceeded(), now) : SendV6(packet, info, Icmpv6Header.HopLimitExceeded(), now))
            counters.IcmpOutTimeExcds++;
    }

    /// <summary>The source address of an IPv6 packet has no meaning where it was to go (RFC 4443, 3.1).</summary>
    /// <param name="packet">As for <see cref="SendUnreachable"/>.</param>
    public void SendBeyondScope(PacketBuffer packet, in IpReceiveInfo info, Instant now)
    {
        if (SendV6(packet, info, Icmpv6Header.Unreachable(Icmpv6Unreachable.BeyondScope), now))
            counters.IcmpOutDestUnreachs++;
    }

    /// <summary>Tells a neighbour of a better next hop (RFC 792; RFC 4861, 4.5).</summary>
    /// <param name="packet">As for <see cref="SendUnreachable"/>.</param>
    /// <param name="nextHop">A neighbour on the same link: the destination itself, or a router.</param>
    public void SendRedirect(PacketBuffer packet, in IpReceiveInfo info, IpAddress nextHop, NetworkInterface on, Instant now)
    {
        if (info.Source.IsV4 ? Send(packet, info, Icmpv4Header.Redirect(nextHop.V4), now) : SendRedirectV6(packet, info, nextHop, on, now))
            counters.IcmpOutRedirects++;
    }

    private bool SendRedirectV6(PacketBuffer packet, in IpReceiveInfo info, IpAddress nextHop, NetworkInterface on, Instant now)
    {
        const int AddressLength = 16;
        const int Addresses = 2 * AddressLength;
        var source = on.Own.SourceTowards(IpAddress.AllNodes);
        if (!source.IsLinkLocal || !MaySend(now))
            return false;
        var hardware = on.Framing.FindNeighbor(nextHop);
        var option = hardware is null ? 0 : NdpOption.ShortLength;
        packet.Prepend(info.HeaderLength);
        var room = MaxQuoteV6 - Addresses - option - NdpOption.ShortLength;
        var quoted = packet.Span[..(Math.Min(packet.Length, room) & ~7)];
        var message = ip.Pool.Rent(Icmpv6Header.Length + Addresses + option + NdpOption.ShortLength + quoted.Length, BufferPool.HeaderRoom);
        var bytes = message.Append(Icmpv6Header.Length + Addresses + option + NdpOption.ShortLength + quoted.Length);
        bytes.Clear();
        new Icmpv6Header(Icmpv6Type.Redirect, 0, 0).Emit(bytes);
        var rest = bytes[Icmpv6Header.Length..];
        nextHop.CopyTo(rest);
        info.Destination.CopyTo(rest[AddressLength..]);
        rest = rest[Addresses..];
        if (hardware is { } known)
            NdpOption.Emit(rest, NdpOption.TargetLinkLayerAddress, known);
        rest = rest[option..];
        rest[0] = NdpOption.RedirectedHeader;
        rest[1] = (byte)((NdpOption.ShortLength + quoted.Length) / 8);
        quoted.CopyTo(rest[NdpOption.ShortLength..]);
        packet.TrimStart(info.HeaderLength);
        ip.Send(
            message,
            new IpSendInfo { Source = source, Destination = info.Source, Protocol = IpProtocol.Icmpv6, HopLimit = 255, ChecksumOffset = Icmpv6Header.ChecksumOffset },
            now);
        return true;
    }

    /// <summary>The address that an error comes from; unspecified: there is none.</summary>
    private IpAddress SourceOf(in IpReceiveInfo info) =>
        info.ToGroup ? ip.SourceOn(info.Interface, info.Source)
        : !info.IsForwarded ? info.Destination
        : ip.Route(info.Source, IpAddress.Unspecified, out var route) == StackError.None ? route.Source : IpAddress.Unspecified;

    /// <param name="pointer">Offset of the bad byte in the IP header.</param>
    public void SendParameterProblem(PacketBuffer packet, in IpReceiveInfo info, byte pointer, Instant now)
    {
        if (Send(packet, info, Icmpv4Header.ParameterProblem(pointer), now))
            counters.IcmpOutParmProbs++;
    }

    /// <summary>Refuses an IPv6 packet (RFC 4443, 3.4). A message about an unknown option may answer a packet to a group (2.4(e.3)).</summary>
    /// <param name="code">One of <see cref="Icmpv6ParameterProblem"/>.</param>
    /// <param name="pointer">Offset of the bad byte in the packet.</param>
    public void SendParameterProblemV6(PacketBuffer packet, in IpReceiveInfo info, byte code, int pointer, Instant now)
    {
        if (SendV6(packet, info, Icmpv6Header.ParameterProblem(code, (uint)pointer), now, mayAnswerGroup: code == Icmpv6ParameterProblem.Option))
            counters.IcmpOutParmProbs++;
    }

    private bool Send(PacketBuffer packet, in IpReceiveInfo info, in Icmpv4Header header, Instant now)
    {
        if (info.ToGroup || info.HeaderLength == 0 || SourceOf(info) is not { IsUnspecified: false } source || !MaySend(now))
            return false;
        var error = Quote(packet, info, MaxQuote);
        header.Emit(error.Span);
        ip.Send(
            error,
            new IpSendInfo { Source = source, Destination = info.Source, Protocol = IpProtocol.Icmp, ChecksumOffset = -1 },
            now);
        return true;
    }

    private bool SendV6(PacketBuffer packet, in IpReceiveInfo info, in Icmpv6Header header, Instant now, bool mayAnswerGroup = false)
    {
        if ((info.ToGroup && !mayAnswerGroup) || info.HeaderLength == 0 || info.Source.IsUnspecified || info.Source.IsMulticast)
            return false;
        var source = SourceOf(info);
        if (source.IsUnspecified || !MaySend(now))
            return false;
        var error = Quote(packet, info, MaxQuoteV6);
        header.Emit(error.Span);
        ip.Send(
            error,
            new IpSendInfo { Source = source, Destination = info.Source, Protocol = IpProtocol.Icmpv6, ChecksumOffset = Icmpv6Header.ChecksumOffset },
            now);
        return true;
    }

    /// <summary>The code of ICMPv6 that Linux takes for the same error (icmpv6_err_convert).</summary>
    private static byte CodeV6(byte code) => code switch
    {
        Icmpv4Unreachable.Network => Icmpv6Unreachable.NoRoute,
        Icmpv4Unreachable.Port or Icmpv4Unreachable.Protocol => Icmpv6Unreachable.Port,
        Icmpv4Unreachable.Prohibited => Icmpv6Unreachable.Prohibited,
        _ => Icmpv6Unreachable.Address,
    };

    private bool MaySend(Instant now)
    {
        // The cost is random, so that an observer who counts the remaining answers learns nothing exact (as on Linux since SAD DNS, 2020).
        if (_bucket.TryTake(now, 1 + random.Next(3)))
            return true;
        counters.IcmpOutRateLimited++;
        return false;
    }

    /// <summary>Makes an error without its header: the beginning of the refused packet, whose IP header was only trimmed and still precedes the transport header.</summary>
    private PacketBuffer Quote(PacketBuffer packet, in IpReceiveInfo info, int most)
    {
        packet.Prepend(info.HeaderLength);
        var quoted = packet.Span[..Math.Min(packet.Length, most)];
        var error = ip.Pool.Rent(Icmpv4Header.Length + quoted.Length, BufferPool.HeaderRoom);
        quoted.CopyTo(error.Append(Icmpv4Header.Length + quoted.Length)[Icmpv4Header.Length..]);
        packet.TrimStart(info.HeaderLength);
        return error;
    }
}
