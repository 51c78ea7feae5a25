using Tapwire.Stack.Buffers;
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

    // Tokens are half errors; an error takes one to three of them, two on average.
    private TokenBucket _bucket = new(2 * options.ErrorsPerSecond, 2 * options.ErrorBurst);

    /// <param name="packet">The refused packet, trimmed to its transport header; stays the caller's.</param>
    /// <param name="code">One of <see cref="Icmpv4Unreachable"/>.</param>
    public void SendUnreachable(PacketBuffer packet, in IpReceiveInfo info, byte code, Instant now)
    {
        if (Send(packet, info, Icmpv4Header.Unreachable(code), now))
            counters.IcmpOutDestUnreachs++;
    }

    /// <param name="packet">As for <see cref="SendUnreachable"/>.</param>
    /// <param name="mtu">What fits, in bytes (RFC 1191, 4).</param>
    public void SendFragmentationNeeded(PacketBuffer packet, in IpReceiveInfo info, int mtu, Instant now)
    {
        if (Send(packet, info, Icmpv4Header.TooBig((ushort)Math.Clamp(mtu, 0, ushort.MaxValue)), now))
            counters.IcmpOutDestUnreachs++;
    }

    /// <param name="first">The first fragment of a datagram whose others have not come, trimmed to its transport header; stays the caller's.</param>
    public void SendReassemblyTimeExceeded(PacketBuffer first, in IpReceiveInfo info, Instant now)
    {
        if (Send(first, info, Icmpv4Header.ReassemblyTimeExceeded(), now))
            counters.IcmpOutTimeExcds++;
    }

    /// <param name="pointer">Offset of the bad byte in the IP header.</param>
    public void SendParameterProblem(PacketBuffer packet, in IpReceiveInfo info, byte pointer, Instant now)
    {
        if (Send(packet, info, Icmpv4Header.ParameterProblem(pointer), now))
            counters.IcmpOutParmProbs++;
    }

    private bool Send(PacketBuffer packet, in IpReceiveInfo info, in Icmpv4Header header, Instant now)
    {
        if (info.ToGroup || info.HeaderLength == 0)
            return false;
        // The cost is random, so that an observer who counts the remaining answers learns nothing exact (as on Linux since SAD DNS, 2020).
        if (!_bucket.TryTake(now, 1 + random.Next(3)))
        {
            counters.IcmpOutRateLimited++;
            return false;
        }

        // The IP header was only trimmed: it still precedes the transport header.
        packet.Prepend(info.HeaderLength);
        var quoted = packet.Span[..Math.Min(packet.Length, MaxQuote)];
        var error = ip.Pool.Rent(Icmpv4Header.Length + quoted.Length, BufferPool.HeaderRoom);
        quoted.CopyTo(error.Append(Icmpv4Header.Length + quoted.Length)[Icmpv4Header.Length..]);
        header.Emit(error.Span);
        packet.TrimStart(info.HeaderLength);
        ip.Send(
            error,
            new IpSendInfo { Source = info.Destination, Destination = info.Source, Protocol = IpProtocol.Icmp, ChecksumOffset = -1 },
            now);
        return true;
    }
}
