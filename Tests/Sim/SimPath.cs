using System.Buffers.Binary;
using Tapwire.Stack;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Packets;

namespace Tapwire.Tests.Sim;

/// <summary>What a path does to packets. Probabilities from 0 to 1.</summary>
internal sealed record Impairments
{
    public TimeSpan Latency { get; init; } = TimeSpan.FromMilliseconds(5);

    public double Loss { get; init; }

    public double Reorder { get; init; }

    public double Duplicate { get; init; }

    public double Corrupt { get; init; }

    /// <summary>Segments of one super-frame arrive as one, as from a device that receives with offload.</summary>
    public bool KeepSuperFrames { get; init; }

    /// <summary>Bits per second, 0 for no limit; packets queue, up to <see cref="QueueLimit"/> of 1500 bytes.</summary>
    public double Bandwidth { get; init; }

    public int QueueLimit { get; init; } = 1000;
}

/// <summary>Packets on their way between two hosts, in virtual time, with whatever happens to them taken from a seed.</summary>
internal sealed class SimPath(SimHost left, SimHost right, Impairments impairments, int seed)
{
    private readonly Random _random = new(seed);
    private readonly PriorityQueue<(SimHost To, PacketBuffer Packet, IpReceiveInfo Info), (Instant At, long Order)> _flying = new();
    private readonly Dictionary<SimHost, Instant> _free = [];
    private long _order;

    public Impairments Impairments { get; set; } = impairments;

    public long Delivered { get; private set; }

    public Instant NextArrival => _flying.TryPeek(out _, out var key) ? key.At : Instant.Never;

    /// <summary>Takes everything that the hosts have sent.</summary>
    public void Collect(Instant now)
    {
        Collect(left, right, now);
        Collect(right, left, now);
    }

    /// <summary>Hands over everything that has arrived by now.</summary>
    public void Deliver(Instant now)
    {
        while (_flying.TryPeek(out _, out var key) && key.At <= now)
        {
            var (to, packet, info) = _flying.Dequeue();
            Delivered++;
            to.Tcp.Receive(packet, info, now);
        }
    }

    public void Discard()
    {
        while (_flying.TryDequeue(out var item, out _))
            item.Packet.Release();
    }

    private void Collect(SimHost from, SimHost to, Instant now)
    {
        while (from.TryDequeue(out var packet, out var info))
        {
            foreach (var segment in Cut(packet, info))
                Launch(from, to, segment, info, now);
        }
    }

    private void Launch(SimHost from, SimHost to, PacketBuffer segment, in IpSendInfo info, Instant now)
    {
        var receive = new IpReceiveInfo(info.Source, info.Destination, 64, info.TrafficClass, false);
        if (_random.NextDouble() < Impairments.Loss)
        {
            segment.Release();
            return;
        }

        if (_random.NextDouble() < Impairments.Corrupt)
            segment.Span[_random.Next(segment.Length)] ^= (byte)(1 << _random.Next(8));
        var at = now;
        if (Impairments.Bandwidth > 0)
        {
            at = Instant.Max(now, _free.GetValueOrDefault(from));
            var length = TimeSpan.FromSeconds(segment.Length * 8 / Impairments.Bandwidth);
            if ((at - now).TotalSeconds * Impairments.Bandwidth > Impairments.QueueLimit * 1500 * 8)
            {
                segment.Release();
                return;
            }

            at += length;
            _free[from] = at;
        }

        at += Impairments.Latency;
        if (_random.NextDouble() < Impairments.Reorder)
            at += TimeSpan.FromTicks(_random.NextInt64(1 + 3 * Math.Max(Impairments.Latency.Ticks, 10000)));
        if (_random.NextDouble() < Impairments.Duplicate)
        {
            var copy = to.Pool.Rent(segment.Length);
            segment.CopyTo(copy.Append(segment.Length));
            _flying.Enqueue((to, copy, receive), (at + TimeSpan.FromTicks(_random.Next(1, 20000)), _order++));
        }

        _flying.Enqueue((to, segment, receive), (at, _order++));
    }

    /// <summary>What the device does: fills in checksums and cuts super-frames.</summary>
    private List<PacketBuffer> Cut(PacketBuffer packet, IpSendInfo info)
    {
        Assert(packet.Length >= TcpHeader.MinLength, "a segment begins with its header");
        var headerLength = (packet.Span[12] >> 4) * 4;
        Assert(packet.Headroom >= BufferPool.HeaderRoom - TcpHeader.MaxLength, "lower layers find their header room");
        var payload = packet.TotalLength - headerLength;
        var size = info.SegmentSize == 0 || Impairments.KeepSuperFrames ? payload : info.SegmentSize;
        var limit = info.SegmentSize == 0 ? 1480 : int.MaxValue;
        Assert(packet.TotalLength <= limit, $"a packet of {packet.TotalLength} bytes fits the MTU");
        Assert(info.SegmentSize == 0 || headerLength + info.SegmentSize <= 1480, "a cut segment fits the MTU");
        var whole = new byte[packet.TotalLength];
        packet.CopyTo(whole);
        packet.Release();
        var segments = new List<PacketBuffer>();
        var offset = 0;
        do
        {
            var length = Math.Min(size, payload - offset);
            var segment = left.Pool.Rent(headerLength + length, 64);
            var span = segment.Append(headerLength + length);
            whole.AsSpan(0, headerLength).CopyTo(span);
            whole.AsSpan(headerLength + offset, length).CopyTo(span[headerLength..]);
            var sequence = BinaryPrimitives.ReadUInt32BigEndian(span[4..]);
            BinaryPrimitives.WriteUInt32BigEndian(span[4..], sequence + (uint)offset);
            if (offset + length < payload)
                span[13] &= unchecked((byte)~(TcpFlags.Fin | TcpFlags.Psh));
            SimChecksum.Fill(span, info.Source, info.Destination);
            segments.Add(segment);
            offset += length;
        }
        while (offset < payload);
        return segments;
    }

    private static void Assert(bool holds, string what)
    {
        if (!holds)
            throw new InvalidOperationException($"It does not hold that {what}.");
    }
}

internal static class SimChecksum
{
    /// <summary>Writes the checksum of a TCP segment into it.</summary>
    public static void Fill(Span<byte> segment, IpAddress source, IpAddress destination)
    {
        BinaryPrimitives.WriteUInt16BigEndian(segment[TcpHeader.ChecksumOffset..], 0);
        var sum = Checksum.Sum(segment, Checksum.PseudoHeader(source, destination, 6, segment.Length));
        BinaryPrimitives.WriteUInt16BigEndian(segment[TcpHeader.ChecksumOffset..], Checksum.Finish(sum));
    }
}
