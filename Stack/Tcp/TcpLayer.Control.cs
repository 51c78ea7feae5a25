using Tapwire.Stack.Buffers;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Packets;

namespace Tapwire.Stack.Tcp;

/// <content>Segments that no socket sends: resets, and those of records in SYN-RECEIVED and TIME-WAIT.</content>
public sealed partial class TcpLayer
{
    /// <summary>Answers a segment that belongs to no connection (RFC 9293, 3.5.2, group 1; 3.10.7.1).</summary>
    internal void Reset(in TcpPair pair, in TcpHeader received, int payloadLength, Instant now)
    {
        if (received.Has(TcpFlags.Rst))
            return;
        if (!_resets.TryTake(now))
        {
            Counters.TcpOutRstsRateLimited++;
            return;
        }

        var header = default(TcpHeader);
        if (received.Has(TcpFlags.Ack))
        {
            header.Flags = TcpFlags.Rst;
            header.Sequence = received.Acknowledgment;
        }
        else
        {
            header.Flags = TcpFlags.Rst | TcpFlags.Ack;
            header.Acknowledgment = received.Sequence + (uint)payloadLength
                + (received.Has(TcpFlags.Syn) ? 1u : 0) + (received.Has(TcpFlags.Fin) ? 1u : 0);
        }

        SendControl(pair, ref header, default, now);
    }

    /// <summary>Sends a segment; the ports are filled in here.</summary>
    /// <param name="packet">The payload, with room for headers before it; null if there is none.</param>
    internal void SendControl(in TcpPair pair, ref TcpHeader header, in TcpSocketOptions options, Instant now, PacketBuffer? packet = null)
    {
        header.SourcePort = pair.Local.Port;
        header.DestinationPort = pair.Remote.Port;
        if (header.Has(TcpFlags.Rst))
            Counters.TcpOutRsts++;
        Counters.TcpOutSegs++;
        packet ??= Ip.Pool.Rent(0, BufferPool.HeaderRoom);
        header.Emit(packet.Prepend(header.Length));
        var info = new IpSendInfo
        {
            Source = pair.Local.Address,
            Destination = pair.Remote.Address,
            Protocol = Protocol,
            HopLimit = options.HopLimit,
            TrafficClass = (byte)(options.TrafficClass & ~EcnField.Mask),
            ChecksumOffset = TcpHeader.ChecksumOffset,
        };
        Ip.Send(packet, info, now);
    }
}
