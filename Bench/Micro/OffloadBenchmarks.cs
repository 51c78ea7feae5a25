using System.Buffers.Binary;
using BenchmarkDotNet.Attributes;
using Tapwire.Posix;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Interfaces;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Packets;
using Tapwire.Wires;
using Tapwire.Wires.Offload;

namespace Tapwire.Bench.Micro;

/// <summary>A super-frame of 45 segments: cut, and merged again.</summary>
public class OffloadBenchmarks
{
    private const int Segments = 45;
    private const int SegmentSize = 1448;

    private readonly BufferPool _pool = new();
    private readonly PacketBuffer[] _frames = new PacketBuffer[Segments];
    private readonly byte[][] _segments = new byte[Segments][];
    private readonly TcpCoalescer _coalescer = new(EthernetHeader.Length);
    private readonly SegmentWire _wire = new();
    private CoalescingReader _reader = null!;
    private TcpSegmenter _segmenter = null!;
    private PacketBuffer _superFrame = null!;

    /// <summary>4 or 6.</summary>
    [Params(4, 6)]
    public int Family { get; set; }

    [GlobalSetup]
    public void Cut()
    {
        _segmenter = new TcpSegmenter(_pool, EthernetHeader.Length);
        _superFrame = MakeSuperFrame();
        _segmenter.TryBegin(_superFrame);
        var count = 0;
        while (_segmenter.Cut() is { IsEmpty: false } segments)
        {
            foreach (var segment in segments)
                segment.CopyTo(_segments[count++] = new byte[segment.TotalLength]);
            _segmenter.Sent(segments.Length);
        }

        _wire.Segments = _segments;
        _reader = new CoalescingReader(_wire, _coalescer);
    }

    [Benchmark(OperationsPerInvoke = Segments)]
    public void Segment()
    {
        _segmenter.TryBegin(_superFrame);
        while (_segmenter.Cut() is { IsEmpty: false } segments)
            _segmenter.Sent(segments.Length);
    }

    /// <summary>What <see cref="Coalesce"/> does besides: frames as they are read, and released.</summary>
    [Benchmark(OperationsPerInvoke = Segments)]
    public void OnlyRead()
    {
        Read();
        Release(Segments);
    }

    [Benchmark(OperationsPerInvoke = Segments)]
    public int Coalesce()
    {
        Read();
        var count = _coalescer.Coalesce(_pool, _frames);
        Release(count);
        return count;
    }

    /// <summary>Merged in place. The reading, a copy of each segment, is part of it.</summary>
    [Benchmark(OperationsPerInvoke = Segments)]
    public int Place()
    {
        var count = _reader.Read(_pool, _frames, out _);
        Release(count);
        return count;
    }

    private void Read()
    {
        for (var i = 0; i < Segments; i++)
        {
            _frames[i] = _pool.Rent(2048);
            _segments[i].CopyTo(_frames[i].Append(_segments[i].Length));
        }
    }

    private void Release(int count)
    {
        foreach (var frame in _frames.AsSpan(0, count))
            frame.Release();
    }

    private PacketBuffer MakeSuperFrame()
    {
        var header = new TcpHeader { SourcePort = 1, DestinationPort = 2, Flags = TcpFlags.Ack, Window = 65535, HasTimestamp = true };
        var frame = _pool.Rent(header.Length, BufferPool.HeaderRoom);
        header.Emit(frame.Append(header.Length));
        var payload = _pool.Rent(Segments * SegmentSize);
        new Random(1).NextBytes(payload.Append(Segments * SegmentSize));
        frame.AddFragment(payload, 0, payload.Length);
        payload.Release();
        var isV6 = Family == 6;
        var (source, destination) = isV6 ? (IpAddress.Parse("fd00::1"), IpAddress.Parse("fd00::2")) : (IpAddress.Parse("10.0.0.1"), IpAddress.Parse("10.0.0.2"));
        var sum = Checksum.PseudoHeader(source, destination, IpProtocol.Tcp, frame.TotalLength);
        BinaryPrimitives.WriteUInt16BigEndian(frame.Span[TcpHeader.ChecksumOffset..], (ushort)sum);
        var length = (ushort)frame.TotalLength;
        if (isV6)
        {
            new Ipv6Header { Source = source, Destination = destination, NextHeader = IpProtocol.Tcp, HopLimit = 64, FlowLabel = 0x12345, PayloadLength = length }
                .Emit(frame.Prepend(Ipv6Header.Length));
        }
        else
        {
            new Ipv4Header { Source = source, Destination = destination, Protocol = IpProtocol.Tcp, HopLimit = 64, DontFragment = true, PayloadLength = length }
                .Emit(frame.Prepend(Ipv4Header.Length));
        }

        new EthernetHeader(default, default, isV6 ? EtherType.Ipv6 : EtherType.Ipv4).Emit(frame.Prepend(EthernetHeader.Length));
        var tcpAt = frame.TotalLength - length;
        frame.Offload = new OffloadNote
        {
            Checksum = ChecksumState.Partial, Segmentation = isV6 ? Segmentation.TcpV6 : Segmentation.TcpV4, ChecksumStart = (ushort)tcpAt, ChecksumOffset = TcpHeader.ChecksumOffset,
            HeaderLength = (ushort)(tcpAt + header.Length), SegmentSize = SegmentSize,
        };
        return frame;
    }

    /// <summary>Gives the segments again and again.</summary>
    private sealed class SegmentWire : IDirectReadWire
    {
        private int _next;

        public byte[][] Segments { get; set; } = [];

        public int FrameRoom => 2048;

        public string Name => "segments";

        public Medium Medium => Medium.Ethernet;

        public int Mtu => 1500;

        public MacAddress? HardwareAddress => null;

        public WireOffloads Offloads => WireOffloads.None;

        public long Refused => 0;

        public bool BeginRead() => false;

        public int ReadFrame(Span<byte> room)
        {
            var segment = Segments[_next++ % Segments.Length];
            segment.CopyTo(room);
            return segment.Length;
        }

        public void Start(IReactor reactor, Action<Readiness> ready) => throw new NotSupportedException();

        public int Read(BufferPool pool, Span<PacketBuffer> frames, out bool more) => throw new NotSupportedException();

        public int Write(ReadOnlySpan<PacketBuffer> frames) => throw new NotSupportedException();

        public void Dispose()
        {
        }
    }
}
