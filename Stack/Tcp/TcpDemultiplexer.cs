using Tapwire.Stack.Buffers;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Packets;

namespace Tapwire.Stack.Tcp;

/// <summary>Takes segments from the IP layer, checks everything that does not depend on a connection, and gives each segment to its connection.</summary>
internal sealed class TcpDemultiplexer(TcpLayer tcp)
{
    /// <summary>Takes a segment, and its buffer.</summary>
    /// <param name="segment">A buffer without fragments, from the TCP header to the end of the payload.</param>
    public void Receive(PacketBuffer segment, in IpReceiveInfo info, Instant now)
    {
        tcp.Counters.TcpInSegs++;
        var start = segment.Headroom - info.HeaderLength;
        if (!Accept(segment, info, out var header))
        {
            segment.Release();
            return;
        }

        header.IsMarked = (info.TrafficClass & EcnField.Mask) == EcnField.Experienced;
        var pair = new TcpPair(new IpEndpoint(info.Destination, header.DestinationPort), new IpEndpoint(info.Source, header.SourcePort));
        switch (tcp.Table.Find(pair))
        {
            case TcpConnection connection:
                connection.Socket.SegmentArrives(ref header, segment, now);
                break;
            case TcpEmbryo embryo:
                tcp.Passive.EmbryoReceives(embryo, ref header, segment, now);
                break;
            case TcpTimeWait timeWait:
                tcp.TimeWaits.SegmentArrives(timeWait, header, segment, start, now);
                break;
            default:
                tcp.Passive.ListenerReceives(pair, ref header, segment, start, info.ShardsTried, now);
                break;
        }
    }

    /// <summary>Checks everything that does not depend on a connection, and removes the header.</summary>
    private bool Accept(PacketBuffer segment, in IpReceiveInfo info, out TcpHeader header)
    {
        var result = TcpHeader.TryParse(segment.Span, out header, out var headerLength);
        if (result != TcpParseResult.Ok)
            return Refuse(ref ReasonFor(result));
        if (segment.Offload.Checksum == ChecksumState.None
            && Checksum.Sum(segment.Span, Checksum.PseudoHeader(info.Source, info.Destination, TcpLayer.Protocol, segment.Length)) != 0xFFFF)
            return Refuse(ref tcp.Counters.TcpInCsumErrors);
        if (info.ToGroup)
            return Refuse(ref tcp.Counters.TcpInToGroup);
        if (info.Source.IsUnspecified || info.Source.IsMulticast || info.Source.IsLimitedBroadcast || header.SourcePort == 0 || header.DestinationPort == 0)
            return Refuse(ref tcp.Counters.TcpInBadAddress);
        if (!header.Has(TcpFlags.Syn | TcpFlags.Ack | TcpFlags.Rst) || (header.Has(TcpFlags.Syn) && header.Has(TcpFlags.Fin)))
            return Refuse(ref tcp.Counters.TcpInBadFlags);
        segment.TrimStart(headerLength);
        return true;
    }

    private bool Refuse(ref long reason)
    {
        reason++;
        tcp.Counters.TcpInErrs++;
        return false;
    }

    private ref long ReasonFor(TcpParseResult result)
    {
        switch (result)
        {
            case TcpParseResult.Truncated:
                return ref tcp.Counters.TcpInTruncated;
            case TcpParseResult.BadOffset:
                return ref tcp.Counters.TcpInBadOffset;
            default:
                return ref tcp.Counters.TcpInBadOptions;
        }
    }
}
