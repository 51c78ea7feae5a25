using System.Buffers.Binary;
using Tapwire.Stack;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Packets;

namespace Tapwire.Tests.Sim;

/// <summary>Packets on their way between two hosts, in virtual time, with whatever happens to them taken from a seed; and somebody who watches them.</summary>
internal sealed class SimPath
{
    private readonly SimHost _left;
    private readonly SimHost _right;
    private readonly Random _random;
    private readonly SimLink _there;
    private readonly SimLink _back;
    private readonly PriorityQueue<int, FlightKey> _flying = new();
    private readonly Stack<int> _freeSlots = new();
    private readonly Dictionary<uint, SimFlow> _flows = [];
    private Flight[] _flights = new Flight[64];
    private int _used;
    private long _order;

    public SimPath(SimHost left, SimHost right, Impairments there, Impairments back, int seed, Instant began)
    {
        (_left, _right) = (left, right);
        _random = new Random(seed);
        _there = new SimLink(there, _random, began);
        _back = new SimLink(back, _random, began);
    }

    /// <summary>Of both directions: setting it makes them equal.</summary>
    public Impairments Impairments
    {
        get => _there.Impairments;
        set => (_there.Impairments, _back.Impairments) = (value, value);
    }

    public SimLink There => _there;

    public SimLink Back => _back;

    public SimTrace Trace { get; } = new();

    /// <summary>Every connection that has been seen, in the order of the first segments.</summary>
    public IReadOnlyCollection<SimFlow> Flows => _flows.Values;

    public long Delivered { get; private set; }

    public Instant NextArrival => _flying.TryPeek(out _, out var key) ? key.At : Instant.Never;

    /// <summary>The connection of a port on the left and one on the right.</summary>
    public SimFlow Flow(ushort left, ushort right)
    {
        var key = (uint)left << 16 | right;
        if (!_flows.TryGetValue(key, out var flow))
            _flows.Add(key, flow = new SimFlow(_flows.Count + 1));
        return flow;
    }

    /// <summary>Takes everything that the hosts have sent.</summary>
    public void Collect(Instant now)
    {
        Collect(_left, now);
        Collect(_right, now);
    }

    /// <summary>Hands over everything that has arrived by now.</summary>
    public void Deliver(Instant now)
    {
        while (_flying.TryPeek(out var slot, out var key) && key.At <= now)
        {
            _flying.Dequeue();
            var flight = _flights[slot];
            _flights[slot] = default;
            _freeSlots.Push(slot);
            if (flight.TooBigFor > 0)
            {
                flight.To.Tcp.ErrorReceived(flight.Info, flight.Packet.Span, IcmpErrorKind.PacketTooBig, flight.TooBigFor, now);
                flight.Packet.Release();
                continue;
            }

            Delivered++;
            flight.Flow?.Arrives(flight.Mark);
            flight.To.Tcp.Receive(flight.Packet, flight.Info, now);
        }
    }

    public void Discard()
    {
        while (_flying.TryDequeue(out var slot, out _))
            _flights[slot].Packet.Release();
    }

    private void Collect(SimHost from, Instant now)
    {
        while (from.TryDequeue(out var packet, out var info))
        {
            try
            {
                Cut(from, packet, info, now);
            }
            finally
            {
                packet.Release();
            }
        }
    }

    /// <summary>What the device does: fills in checksums and cuts super-frames.</summary>
    private void Cut(SimHost from, PacketBuffer packet, in IpSendInfo info, Instant now)
    {
        var headerLength = Inspect(from, packet, info, out var header);
        var link = from == _left ? _there : _back;
        var payload = packet.TotalLength - headerLength;
        var size = info.SegmentSize == 0 || link.Impairments.KeepSuperFrames ? payload : info.SegmentSize;
        var flags = header.Flags;
        var offset = 0;
        do
        {
            var length = Math.Min(size, payload - offset);
            header.Flags = offset + length < payload ? flags & ~(TcpFlags.Fin | TcpFlags.Psh) : flags;
            var segment = from.Pool.Rent(headerLength + length, 64);
            CopySegment(packet, headerLength, offset, segment.Append(headerLength + length));
            BinaryPrimitives.WriteUInt32BigEndian(segment.Span[4..], header.Sequence);
            segment.Span[13] = (byte)header.Flags;
            var packets = info.SegmentSize == 0 || length == 0 ? 1 : (length + info.SegmentSize - 1) / info.SegmentSize;
            Launch(from, segment, header, length, packets, info, now);
            offset += length;
            header.Sequence += (uint)length;
        }
        while (offset < payload);
    }

    private static int IpHeaderOf(in IpSendInfo info) => info.Source.IsV4 ? Ipv4Header.Length : Ipv6Header.Length;

    /// <summary>What layers below TCP rely on.</summary>
    private static int Inspect(SimHost from, PacketBuffer packet, in IpSendInfo info, out TcpHeader header)
    {
        if (packet.Length < TcpHeader.MinLength || TcpHeader.TryParse(packet.Span, out header, out var headerLength) != TcpParseResult.Ok)
            throw new InvalidOperationException("A segment does not begin with its header.");
        if (packet.Headroom < BufferPool.HeaderRoom - TcpHeader.MaxLength)
            throw new InvalidOperationException($"A segment has {packet.Headroom} bytes before it: lower layers want more.");
        if (packet.TotalLength > ushort.MaxValue - IpHeaderOf(info))
            throw new InvalidOperationException($"A packet of {packet.TotalLength} bytes fits no IP packet.");
        var largest = info.SegmentSize == 0 ? packet.TotalLength : headerLength + info.SegmentSize;
        if (largest > from.Mtu - IpHeaderOf(info))
            throw new InvalidOperationException($"A segment of {largest} bytes does not fit the MTU of {from.Mtu}.");
        return headerLength;
    }

    private static void CopySegment(PacketBuffer packet, int headerLength, int offset, Span<byte> to)
    {
        packet.Span[..headerLength].CopyTo(to);
        to = to[headerLength..];
        Copy(packet.Span[headerLength..], ref offset, ref to);
        for (var i = 0; i < packet.FragmentCount && !to.IsEmpty; i++)
            Copy(packet.GetFragment(i), ref offset, ref to);
    }

    private static void Copy(ReadOnlySpan<byte> from, ref int skip, ref Span<byte> to)
    {
        var skipped = Math.Min(skip, from.Length);
        skip -= skipped;
        from = from[skipped..];
        from = from[..Math.Min(from.Length, to.Length)];
        from.CopyTo(to);
        to = to[from.Length..];
    }

    private void Launch(SimHost from, PacketBuffer segment, in TcpHeader header, int length, int packets, in IpSendInfo info, Instant now)
    {
        var fromLeft = from == _left;
        var link = fromLeft ? _there : _back;
        var flow = fromLeft ? Flow(header.SourcePort, header.DestinationPort) : Flow(header.DestinationPort, header.SourcePort);
        var wrong = flow.Leaves(fromLeft, header, length, out var again, out var needless);
        var canBeMarked = (info.TrafficClass & 3) is 1 or 2;
        var ipLength = segment.Length + packets * IpHeaderOf(info) + (packets - 1) * (segment.Length - length);
        var fate = link.Pass(ipLength, packets, canBeMarked, now, out var at);
        if (again)
            fate |= SimFate.Again;
        if (needless)
            fate |= SimFate.Needless;
        var twice = (fate & SimFate.Dropped) == 0 && link.Happens(link.Impairments.Duplicate);
        if (twice)
            fate |= SimFate.Duplicate;
        Trace.Segment(now, flow, fromLeft, header, length, fate, at);
        if (wrong is not null)
        {
            segment.Release();
            throw new InvalidOperationException($"The last segment of connection {flow.Number} may not be: {wrong}.");
        }

        if ((fate & SimFate.Dropped) != 0)
        {
            if (fate.HasFlag(SimFate.TooBig) && !link.Impairments.IsBlackHole)
                AnswerTooBig(from, segment, info, link, now);
            segment.Release();
            return;
        }

        Prepare(segment, info, fate, link);
        var flight = new Flight
        {
            To = fromLeft ? _right : _left,
            Packet = segment,
            Info = new IpReceiveInfo(info.Source, info.Destination, 64, (byte)(fate.HasFlag(SimFate.Marked) ? info.TrafficClass | 3 : info.TrafficClass), false),
        };
        if ((fate & SimFate.Corrupt) == 0)
        {
            flow.Survives(fromLeft, header, length);
            flight.Flow = flow;
            flight.Mark = flow.MarkOf(fromLeft, header, length);
        }

        if (twice)
        {
            var copy = from.Pool.Rent(segment.Length, 64);
            segment.CopyTo(copy.Append(segment.Length));
            copy.Offload = segment.Offload;
            Enqueue(flight with { Packet = copy }, at + TimeSpan.FromTicks(_random.Next(1, 20000)));
        }

        Enqueue(flight, at);
    }

    /// <summary>Where nothing is corrupted, checksums are the device's business and nobody computes them.</summary>
    private void Prepare(PacketBuffer segment, in IpSendInfo info, SimFate fate, SimLink link)
    {
        if (link.Impairments.Corrupt == 0)
        {
            segment.Offload.Checksum = ChecksumState.Verified;
            return;
        }

        SimChecksum.Fill(segment.Span, info.Source, info.Destination);
        if (fate.HasFlag(SimFate.Corrupt))
            segment.Span[_random.Next(segment.Length)] ^= (byte)(1 << _random.Next(8));
    }

    private void AnswerTooBig(SimHost from, PacketBuffer segment, in IpSendInfo info, SimLink link, Instant now)
    {
        var quote = from.Pool.Rent(8);
        segment.Span[..8].CopyTo(quote.Append(8));
        var flight = new Flight
        {
            To = from,
            Packet = quote,
            Info = new IpReceiveInfo(info.Source, info.Destination, 64, info.TrafficClass, false),
            TooBigFor = link.Impairments.Mtu,
        };
        Enqueue(flight, now + 2 * link.Impairments.Latency);
    }

    private void Enqueue(in Flight flight, Instant at)
    {
        if (!_freeSlots.TryPop(out var slot))
        {
            slot = _used++;
            if (slot == _flights.Length)
                Array.Resize(ref _flights, 2 * slot);
        }

        _flights[slot] = flight;
        _flying.Enqueue(slot, new FlightKey(at, _order++));
    }

    private readonly record struct FlightKey(Instant At, long Order) : IComparable<FlightKey>
    {
        public int CompareTo(FlightKey other) => At == other.At ? Order.CompareTo(other.Order) : At.CompareTo(other.At);
    }

    private struct Flight
    {
        public SimHost To;
        public PacketBuffer Packet;
        public IpReceiveInfo Info;
        public SimFlow? Flow;
        public SimMark Mark;

        /// <summary>This is an ICMP error, which names this MTU, and the packet is what it quotes; 0: it is not.</summary>
        public int TooBigFor;
    }
}
