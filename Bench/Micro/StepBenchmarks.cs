using System.Buffers.Binary;
using BenchmarkDotNet.Attributes;
using Tapwire.Stack;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Interfaces;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Packets;
using Tapwire.Stack.Tcp;

namespace Tapwire.Bench.Micro;

/// <summary>One step of one connection: a segment into <see cref="NetworkStack.Receive"/>, its bytes to the reader, and the acknowledgement out.</summary>
public class StepBenchmarks
{
    private const int SequenceOffset = Ipv4Header.Length + 4;
    private const uint PeerSequence = 1000;
    private const ushort PeerPort = 40000;
    private const ushort OwnPort = 80;

    private static readonly IpAddress Peer = IpAddress.Parse("10.0.0.1");
    private static readonly IpAddress Own = IpAddress.Parse("10.0.0.2");

    private readonly BufferPool _pool = new();
    private byte[] _segment = [];
    private NetworkStack _stack = null!;
    private TcpSocket _socket = null!;
    private uint _sequence = PeerSequence + 1;
    private Instant _now = Instant.FromMilliseconds(1);

    [Params(1, 1448, 65000)]
    public int Payload { get; set; }

    [GlobalSetup]
    public void Connect()
    {
        _stack = new NetworkStack(new StackOptions { Interfaces = [new() { Medium = Medium.Ip, ChecksumOffload = true }] }, _pool, new byte[32]);
        _stack.AddAddress(_stack.Interfaces[0], new IpPrefix(Own, 24), _now);
        _stack.Tcp.Listen(new IpEndpoint(default, OwnPort), 1, default, out var listener);
        Receive(Emit(TcpFlags.Syn, PeerSequence, 0, 0));
        _stack.Poll(_now);
        if (!_stack.Interfaces[0].TryDequeueFrame(out var answer))
            throw new InvalidOperationException("A SYN is not answered.");
        var own = BinaryPrimitives.ReadUInt32BigEndian(answer.Span[SequenceOffset..]);
        answer.Release();
        Receive(Emit(TcpFlags.Ack, _sequence, own + 1, 0));
        _stack.Poll(_now);
        _socket = listener!.Accept() ?? throw new InvalidOperationException("There is no connection.");
        _segment = Emit(TcpFlags.Ack | TcpFlags.Psh, _sequence, own + 1, Payload);
    }

    [Benchmark]
    public int SegmentToAcknowledgement()
    {
        BinaryPrimitives.WriteUInt32BigEndian(_segment.AsSpan(SequenceOffset), _sequence);
        Receive(_segment);
        while (_stack.TryDequeueEvent(out _, out _))
        {
        }

        PacketBuffer.ReleaseChain(_socket.Read(out var bytes, out _));
        _socket.Consumed(bytes, _now);
        _stack.Poll(_now);
        while (_stack.Interfaces[0].TryDequeueFrame(out var frame))
            frame.Release();
        _sequence += (uint)bytes;
        _now += TimeSpan.FromMicroseconds(10);
        return bytes;
    }

    private static byte[] Emit(TcpFlags flags, uint sequence, uint acknowledgment, int payload)
    {
        var header = new TcpHeader
        {
            SourcePort = PeerPort, DestinationPort = OwnPort, Flags = flags, Sequence = sequence, Acknowledgment = acknowledgment, Window = 65535,
        };
        if ((flags & TcpFlags.Syn) != 0)
        {
            header.Mss = 1460;
            header.HasWindowScale = true;
        }

        var packet = new byte[Ipv4Header.Length + header.Length + payload];
        new Ipv4Header
        {
            Source = Peer, Destination = Own, Protocol = IpProtocol.Tcp, HopLimit = 64, PayloadLength = (ushort)(header.Length + payload),
        }.Emit(packet);
        header.Emit(packet.AsSpan(Ipv4Header.Length));
        return packet;
    }

    /// <summary>As from a device that has looked at the checksum.</summary>
    private void Receive(byte[] packet)
    {
        var buffer = _pool.Rent(packet.Length, Math.Min(BufferPool.HeaderRoom, BufferPool.MaxCapacity - packet.Length));
        packet.CopyTo(buffer.Append(packet.Length));
        buffer.Offload.Checksum = ChecksumState.Verified;
        _stack.Receive(buffer, _now);
    }
}
