using Tapwire.Stack.Buffers;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Packets;

namespace Tapwire.Stack.Tcp.Connection;

/// <summary>The content of a segment.</summary>
/// <param name="Length">Bytes of data; more than a segment's worth leave as a super-frame, which the device cuts.</param>
/// <param name="Again">It was sent before.</param>
/// <param name="IsMtuProbe">It is one packet, however large.</param>
internal readonly record struct SegmentSpan(uint Sequence, int Length, TcpFlags Flags, bool Again, bool IsMtuProbe)
{
    public bool IsNewData => Length > 0 && !Again;
}

/// <summary>Builds all segments of a connection but the SYN, and gives them to the IP layer.</summary>
internal static class SegmentWriter
{
    /// <summary>Emits a segment with the latest acknowledgement and window.</summary>
    /// <param name="state">Null if nothing is under way: then there is no data either.</param>
    /// <returns>Number of segments that the peer will see.</returns>
    public static int Emit(TcpConnection connection, SenderState? state, in SegmentSpan span, Instant now)
    {
        var layer = connection.Layer;
        var sender = connection.Sender;
        var packet = span.Length == 0
            ? layer.Ip.Pool.Rent(0, BufferPool.HeaderRoom)
            : state!.Queue.Segment(layer.Ip.Pool, span.Sequence, span.Length, ref span.Again ? ref state.Places.Again : ref state.Places.Next);
        var header = new TcpHeader
        {
            SourcePort = connection.LocalPort,
            DestinationPort = connection.RemotePort,
            Sequence = span.Sequence,
            Flags = span.Flags,
        };
        connection.Timestamps.Put(ref header, now);
        state?.Urgent.Put(ref header, sender.SndUna);
        // Routers may mark new data only (RFC 3168, 6.1.5, 6.1.6).
        var isMarkable = span.IsNewData && connection.UsesEcn;
        if (isMarkable && state!.TakeCwr())
            header.Flags |= TcpFlags.Cwr;
        var segmentSize = sender.CurrentSegmentSize;
        connection.Receiver.PutAcknowledgment(ref header);
        header.Emit(packet.Prepend(header.Length));
        var segments = span.Length > segmentSize && !span.IsMtuProbe ? (span.Length + segmentSize - 1) / segmentSize : 1;
        if (span.Again)
            layer.Counters.TcpRetransSegs += segments;
        else
            layer.Counters.TcpOutSegs += segments;
        ref readonly var options = ref connection.Options;
        var info = new IpSendInfo
        {
            Source = connection.LocalAddress,
            Destination = connection.RemoteAddress,
            Protocol = TcpLayer.Protocol,
            FlowLabel = connection.FlowLabel,
            HopLimit = options.HopLimit,
            TrafficClass = (byte)((options.TrafficClass & ~EcnField.Mask) | (isMarkable ? EcnField.Capable : 0)),
            ChecksumOffset = TcpHeader.ChecksumOffset,
            SegmentSize = segments > 1 ? segmentSize : 0,
        };
        layer.Ip.Send(packet, info, now);
        return segments;
    }

    /// <summary>Resets the peer's connection (RFC 9293, 3.5.2, 3.10.4).</summary>
    public static void Reset(TcpConnection connection, uint sequence, Instant now)
    {
        var header = new TcpHeader { Sequence = sequence, Flags = TcpFlags.Rst };
        if (connection.State != TcpState.SynSent)
        {
            header.Flags |= TcpFlags.Ack;
            header.Acknowledgment = connection.Receiver.RcvNxt;
            connection.Timestamps.Put(ref header, now);
        }

        connection.Layer.Control.Send(connection.Pair, ref header, connection.Options, now);
    }
}
