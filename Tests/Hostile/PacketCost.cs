using Tapwire.Tests.Support;
using System.Buffers.Binary;
using System.Diagnostics;
using Tapwire.Stack;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Interfaces;
using Tapwire.Stack.Packets;
using Tapwire.Stack.Tcp;

namespace Tapwire.Tests.Hostile;

/// <summary>What one packet costs the engine, in real time: benign ones, and those that a hostile peer would send. To be run from a release build, on a machine that
/// does nothing else.</summary>
internal sealed class PacketCost
{
    private const int Batch = 16;
    private const int Batches = 2000;

    private static readonly MacAddress Mac = new(0x02_00_00_00_00_01);
    private static readonly MacAddress PeerMac = new(0x02_00_00_00_00_66);
    private static readonly IpAddress Ip = IpAddress.Parse("10.0.0.1");
    private static readonly IpAddress PeerIp = IpAddress.Parse("10.0.0.66");

    private readonly BufferPool _pool = new();
    private readonly Random _random = new(1);
    private readonly List<PacketBuffer> _out = [];
    private readonly NetworkStack _stack;
    private readonly RawTcpPeer _peer;
    private readonly TcpListener _listener;
    private TcpSocket? _socket;
    private Instant _now = Instant.FromMilliseconds(10_000);
    private int _fragments;

    private PacketCost(ushort service)
    {
        _stack = new NetworkStack(new StackOptions { Interfaces = [new() { HardwareAddress = Mac }] }, _pool, new byte[32]);
        _stack.AddAddress(new IpPrefix(Ip, 24), _now);
        _stack.Tcp.Listen(new IpEndpoint(Ip, service), 64, default, out var listener);
        _listener = listener!;
        Step(5000);
        var request = _pool.Rent(EthernetHeader.Length + ArpPacket.Length);
        new EthernetHeader(MacAddress.Broadcast, PeerMac, EtherType.Arp).Emit(request.Append(EthernetHeader.Length));
        new ArpPacket(ArpOperation.Request, PeerMac, PeerIp, default, Ip).Emit(request.Append(ArpPacket.Length));
        _stack.Receive(request, _now);
        _peer = new RawTcpPeer(_pool, PeerMac, Mac, new IpEndpoint(PeerIp, 5000), new IpEndpoint(Ip, service), frame => _stack.Receive(frame, _now), 1000);
        _peer.Connect();
        Step(1);
        Step(1);
        _socket = _listener.Accept() ?? throw new InvalidOperationException("No connection.");
        Step(1);
    }

    /// <summary>All kinds, benign ones first.</summary>
    /// <returns>Nanoseconds per packet, or for what happens once, in all.</returns>
    public static List<(string Name, double Nanoseconds)> All()
    {
        // Once for the compiler.
        Measure([]);
        List<(string, double)> costs = [];
        Measure(costs);
        return costs;
    }

    private static void Measure(List<(string, double)> costs)
    {
        costs.Add(("benign: data in order, 1448 bytes", Receiver(p => p.InOrder(1448))));
        costs.Add(("benign: the same, checksum to be verified", Receiver(p => p.Summed(p.InOrder(1448), isRight: true))));
        costs.Add(("benign: data in order, 1 byte", Receiver(p => p.InOrder(1))));
        costs.Add(("benign: acknowledgement of two segments", Sender().PerPacket(p => p.TwoSegments())));
        costs.Add(("benign: fragment of a long datagram, in order", Receiver(p => p.Fragment(at: p._fragments % 44, ofDatagram: p._fragments / 44))));
        costs.Add(("hostile: fragment of 8 bytes anywhere in a datagram", Receiver(p => p.Fragment(at: p._random.Next(4000) * 2, ofDatagram: p._fragments / 120, size: 8))));
        costs.Add(("hostile: fragment of another datagram each", Receiver(p => p.Fragment(at: 1, ofDatagram: p._fragments, size: 8))));
        costs.Add(("hostile: one byte out of order", Receiver(p => p.OutOfOrder(60_000))));
        costs.Add(("hostile: reset in the window", Receiver(p => p._peer.Frame(p._peer.Header(TcpFlags.Rst) with { Sequence = p._peer.SndNxt + 1 + (uint)p._random.Next(60_000) }))));
        costs.Add(("hostile: SYN in the window", Receiver(p => p._peer.Frame(p._peer.Header(TcpFlags.Syn) with { Sequence = p._peer.SndNxt + 1 }))));
        costs.Add(("hostile: old data, 1448 bytes", Receiver(p => p._peer.Frame(p._peer.Header() with { Sequence = p._peer.SndNxt - 1448 }, 1448))));
        costs.Add(("hostile: acknowledgement of what was not sent", Receiver(p => p._peer.Frame(p._peer.Header() with { Acknowledgment = p._peer.RcvNxt + 1000 }))));
        costs.Add(("hostile: old timestamp, 1448 bytes", Receiver(p => p._peer.Frame(p._peer.Header() with { TimestampValue = p._peer.Clock - 1000 }, 1448))));
        costs.Add(("hostile: bad checksum, 1448 bytes", Receiver(p => p.Summed(p._peer.Frame(p._peer.Header(), 1448), isRight: false))));
        costs.Add(("hostile: no connection", Receiver(p => p._peer.Frame(p._peer.Header() with { SourcePort = (ushort)p._random.Next(10_000, 60_000) }))));
        costs.Add(("hostile: SYN from anywhere", Receiver(p => p._peer.Frame(p._peer.Header(TcpFlags.Syn) with { SourcePort = (ushort)p._random.Next(10_000, 60_000), Mss = 1460 }))));
        costs.Add(("hostile: every second segment reported", Sender().PerPacket(p => p.Alternate(1448))));
        var sender = Sender();
        costs.Add(("hostile: every second byte reported", sender.PerPacket(p => p.Alternate(1))));
        costs.Add(("hostile: then all of it, once", sender.ReportAll()));
        sender = Sender();
        sender.PerPacket(p => p.Alternate(1));
        costs.Add(("hostile: every second byte, and silence: longest turn", sender.LongestWithin(TimeSpan.FromSeconds(2))));
    }

    private static double Receiver(Func<PacketCost, PacketBuffer> next) => new PacketCost(HostileWorld.DiscardPort).PerPacket(next);

    /// <summary>With a megabyte in flight.</summary>
    private static PacketCost Sender()
    {
        var sender = new PacketCost(HostileWorld.SourcePort);
        for (var round = 0; round < 2000 && sender._peer.RcvNxt - sender._peer.Una < 1_000_000; round++)
        {
            if (round % 2 == 0 && sender._peer.RcvNxt - sender._peer.Una < 900_000)
                sender._peer.Una += Math.Min(sender._peer.RcvNxt - sender._peer.Una, 400_000);
            sender._peer.Send(sender._peer.Header());
            sender.Step(1);
        }

        return sender;
    }

    private double PerPacket(Func<PacketCost, PacketBuffer> next)
    {
        var frames = new PacketBuffer[Batch];
        var ticks = new long[Batches];
        for (var batch = 0; batch < Batches; batch++)
        {
            for (var i = 0; i < Batch; i++)
                frames[i] = next(this);
            var begun = Stopwatch.GetTimestamp();
            foreach (var frame in frames)
                _stack.Receive(frame, _now);
            Work();
            ticks[batch] = Stopwatch.GetTimestamp() - begun;
            Hear();
            _now += TimeSpan.FromMicroseconds(2);
        }

        // Without the slowest hundredth: there something else had the processor.
        Array.Sort(ticks);
        return ticks.Take(Batches - Batches / 100).Average() * 1e9 / Stopwatch.Frequency / Batch;
    }

    /// <summary>The next fragment of a datagram to a closed port.</summary>
    /// <param name="at">Its number; the 44th is the last one.</param>
    private PacketBuffer Fragment(int at, int ofDatagram, int size = 1480)
    {
        var frame = _pool.Rent(EthernetHeader.Length + Ipv4Header.Length + size);
        new EthernetHeader(Mac, PeerMac, EtherType.Ipv4).Emit(frame.Append(EthernetHeader.Length));
        var header = frame.Append(Ipv4Header.Length);
        new Ipv4Header { Source = PeerIp, Destination = Ip, Protocol = IpProtocol.Udp, HopLimit = 64, Identification = (ushort)ofDatagram, PayloadLength = (ushort)size }.Emit(header);
        Ipv4Header.Refit(header, Ipv4Header.Length + size, at * size, hasMore: at != 43);
        frame.Append(size).Clear();
        _fragments++;
        return frame;
    }

    private double ReportAll()
    {
        var header = _peer.Header();
        header.SackCount = 1;
        header.Sacks[0] = new SackBlock(_peer.Una + 1448, _peer.RcvNxt);
        var frame = _peer.Frame(header);
        var begun = Stopwatch.GetTimestamp();
        _stack.Receive(frame, _now);
        Work();
        return (Stopwatch.GetTimestamp() - begun) * 1e9 / Stopwatch.Frequency;
    }

    /// <summary>The longest turn of the engine while time goes on.</summary>
    private double LongestWithin(TimeSpan time)
    {
        long longest = 0;
        for (var end = _now + time; _now < end; _now += TimeSpan.FromMilliseconds(1))
        {
            var begun = Stopwatch.GetTimestamp();
            Work();
            longest = Math.Max(longest, Stopwatch.GetTimestamp() - begun);
            Hear();
        }

        return longest * 1e9 / Stopwatch.Frequency;
    }

    private void Step(int milliseconds)
    {
        for (var i = 0; i < milliseconds; i += 10)
        {
            _now += TimeSpan.FromMilliseconds(Math.Min(milliseconds, 10));
            Work();
            Hear();
        }
    }

    /// <summary>The engine's part: timers, output, events, and what an application would read and write.</summary>
    private void Work()
    {
        do
        {
            _stack.Poll(_now);
            while (_stack.TryDequeueFrame(out var frame))
                _out.Add(frame);
            while (_stack.TryDequeueEvent(out _, out _))
            {
            }

            if (_socket is null)
                continue;
            _socket.TakeAcknowledged();
            PacketBuffer.ReleaseChain(_socket.Read(out var bytes, out _));
            if (bytes > 0)
                _socket.Consumed(bytes, _now);
            while (_socket.Local.Port == HostileWorld.SourcePort && _socket.State == TcpState.Established && _socket.SendRoom >= 65536)
            {
                var data = _pool.Rent(65536);
                data.Append(65536);
                _socket.Write(data, _now);
            }
        }
        while (_stack.PollAt == Instant.Zero);
    }

    private void Hear()
    {
        foreach (var frame in _out)
        {
            var length = frame.TotalLength;
            if (length >= 54 && length - 54 < 4000)
            {
                var head = new byte[length];
                frame.CopyTo(head);
                if (head[12] == 8 && head[13] == 0 && head[23] == IpProtocol.Tcp
                    && TcpHeader.TryParse(head.AsSpan(34), out var header, out var headerLength) == TcpParseResult.Ok && header.DestinationPort == _peer.Own.Port)
                    _peer.Hear(header, length - 34 - headerLength);
            }

            frame.Release();
        }

        _out.Clear();
    }

    private PacketBuffer InOrder(int length)
    {
        _peer.Una = _peer.RcvNxt;
        var frame = _peer.Frame(_peer.Header(), length);
        _peer.SndNxt += (uint)length;
        return frame;
    }

    private PacketBuffer OutOfOrder(int window) =>
        _peer.Frame(_peer.Header() with { Sequence = _peer.SndNxt + 1 + 2 * (uint)_random.Next(window / 2) }, 1);

    private PacketBuffer TwoSegments()
    {
        _peer.Una += Math.Min(2896, _peer.RcvNxt - _peer.Una);
        return _peer.Frame(_peer.Header());
    }

    /// <summary>Reports of pieces that no two of touch, anywhere in what is in flight.</summary>
    private PacketBuffer Alternate(int size)
    {
        var header = _peer.Header();
        var pieces = ((int)(_peer.RcvNxt - _peer.Una) - 1448) / (2 * size);
        while (header.SackCount < _peer.SackRoom)
        {
            var at = _peer.Una + (uint)(1448 + 2 * size * _random.Next(pieces));
            header.Sacks[header.SackCount++] = new SackBlock(at, at + (uint)size);
        }

        return _peer.Frame(header);
    }

    private PacketBuffer Summed(PacketBuffer frame, bool isRight)
    {
        frame.Offload.Checksum = ChecksumState.None;
        var segment = frame.Span[34..];
        var sum = Checksum.PseudoHeader(PeerIp, Ip, IpProtocol.Tcp, segment.Length);
        var value = Checksum.Finish(Checksum.Sum(segment, sum));
        BinaryPrimitives.WriteUInt16BigEndian(segment[TcpHeader.ChecksumOffset..], isRight ? value : (ushort)(value + 1));
        return frame;
    }
}
