using Tapwire.Stack.Buffers;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Packets;

namespace Tapwire.Stack.Tcp;

/// <summary>Segments that no socket sends: resets, and those of records in SYN-RECEIVED and TIME-WAIT. Also limits the rate of answers to unexpected
/// segments.</summary>
internal sealed class ControlSegments(TcpOptions options, IIpOutput ip, TcpCounters counters, KeyedRandom random)
{
    private RateLimit _resets = new(options.ResetsPerSecond);

    // Half of the allowance is random, so that an attacker learns nothing about other connections by counting (CVE-2016-5696).
    private RateLimit _challenges = new(options.ChallengeAcksPerSecond - random.Next(options.ChallengeAcksPerSecond / 2 + 1));

    /// <summary>Takes the allowance for one challenge ACK (RFC 5961, 7).</summary>
    public bool TryTakeChallenge(Instant now) => _challenges.TryTake(now);

    /// <summary>Answers a segment that belongs to no connection (RFC 9293, 3.5.2, group 1; 3.10.7.1).</summary>
    public void Reset(in TcpPair pair, in TcpHeader received, int payloadLength, Instant now)
    {
        if (received.Has(TcpFlags.Rst))
            return;
        if (!_resets.TryTake(now))
        {
            counters.TcpOutRstsRateLimited++;
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

        Send(pair, ref header, default, now);
    }

    /// <summary>Sends a segment, with its ports filled in.</summary>
    /// <param name="packet">The payload, with room for headers before it; null if there is none.</param>
    public void Send(in TcpPair pair, ref TcpHeader header, in TcpSocketOptions socketOptions, Instant now, PacketBuffer? packet = null)
    {
        header.SourcePort = pair.Local.Port;
        header.DestinationPort = pair.Remote.Port;
        if (header.Has(TcpFlags.Rst))
            counters.TcpOutRsts++;
        counters.TcpOutSegs++;
        packet ??= ip.Pool.Rent(0, BufferPool.HeaderRoom);
        header.Emit(packet.Prepend(header.Length));
        var info = new IpSendInfo
        {
            Source = pair.Local.Address,
            Destination = pair.Remote.Address,
            Protocol = TcpLayer.Protocol,
            FlowLabel = header.Has(TcpFlags.Syn) ? SynOptions.FlowLabel(header.Sequence) : 0u,
            HopLimit = socketOptions.HopLimit,
            TrafficClass = (byte)(socketOptions.TrafficClass & ~EcnField.Mask),
            ChecksumOffset = TcpHeader.ChecksumOffset,
        };
        ip.Send(packet, info, now);
    }
}
