using System.Buffers.Binary;
using System.Diagnostics;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Link;
using Tapwire.Tests.Live.Support;
using Tapwire.Wires;
using Tapwire.Wires.Posix;
using Xunit;

namespace Tapwire.Tests.Live.Wires;

/// <summary>The end of a TAP device without any stack: it answers what a spec tells it to. The kernel's end is 10.99.0.1, this one 10.99.0.2.</summary>
internal sealed class TapPeer : IDisposable
{
    public const string KernelAddress = "10.99.0.1";
    public const string Address = "10.99.0.2";
    private const int EtherTypeIp = 0x0800;
    private const int EtherTypeArp = 0x0806;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);
    private static readonly byte[] AddressBytes = [10, 99, 0, 2];

    private readonly NetworkNamespace _namespace;
    private readonly Reactor _reactor = new("tap-peer", e => Environment.FailFast("The reactor's handler has thrown.", e));
    private readonly SemaphoreSlim _ready = new(0);
    private readonly Queue<PacketBuffer> _frames = new();

    public TapPeer(TapWireOptions options)
    {
        _namespace = NetworkNamespace.Create();
        Wire = _namespace.OpenTap(options);
        _namespace.Ip($"addr add {KernelAddress}/24 dev {Wire.Name}");
        Wire.Start(_reactor, readiness =>
        {
            Reported |= readiness;
            _ready.Release();
        });
    }

    public BufferPool Pool { get; } = new();

    public TapWire Wire { get; }

    public NetworkNamespace Namespace => _namespace;

    public Readiness Reported { get; private set; }

    public static bool IsArpRequest(PacketBuffer frame) =>
        EtherType(frame) == EtherTypeArp && frame.Span[21] == 1 && frame.Span.Slice(38, 4).SequenceEqual(AddressBytes);

    public static bool IsIpv4(PacketBuffer frame, byte protocol) => EtherType(frame) == EtherTypeIp && frame.Span[23] == protocol;

    /// <summary>The next frame that is looked for; others are passed over.</summary>
    public PacketBuffer Receive(Func<PacketBuffer, bool> wanted)
    {
        var frames = new PacketBuffer[16];
        var clock = Stopwatch.StartNew();
        while (true)
        {
            while (_frames.TryDequeue(out var frame))
            {
                if (wanted(frame))
                    return frame;
                frame.Release();
            }

            var count = Wire.Read(Pool, frames);
            foreach (var frame in frames.AsSpan(0, count))
                _frames.Enqueue(frame);
            if (count == 0)
                Assert.True(_ready.Wait(Patience - clock.Elapsed), "The frame that was waited for did not come.");
        }
    }

    /// <summary>The next IPv4 packet of a protocol; ARP requests for this end are answered on the way.</summary>
    public PacketBuffer ReceiveIpv4(byte protocol) => Receive(frame =>
    {
        if (IsArpRequest(frame))
            Send(ArpReply(frame));
        return IsIpv4(frame, protocol);
    });

    public PacketBuffer ArpReply(PacketBuffer request)
    {
        var reply = Copy(request);
        var bytes = reply.Span;
        request.Span.Slice(6, 6).CopyTo(bytes);
        Wire.HardwareAddress!.Value.CopyTo(bytes[6..]);
        bytes[21] = 2;
        request.Span.Slice(22, 10).CopyTo(bytes[32..]);
        Wire.HardwareAddress!.Value.CopyTo(bytes[22..]);
        AddressBytes.CopyTo(bytes[28..]);
        return reply;
    }

    /// <summary>A copy with addresses of both layers swapped: the beginning of an answer.</summary>
    public PacketBuffer Answer(PacketBuffer packet)
    {
        var answer = Copy(packet);
        var from = packet.Span;
        var to = answer.Span;
        from.Slice(0, 6).CopyTo(to[6..]);
        from.Slice(6, 6).CopyTo(to);
        from.Slice(26, 4).CopyTo(to[30..]);
        from.Slice(30, 4).CopyTo(to[26..]);
        return answer;
    }

    /// <summary>Recomputes the IPv4 header's checksum.</summary>
    public static void SealIpv4(PacketBuffer packet)
    {
        var header = packet.Span.Slice(14, 20);
        BinaryPrimitives.WriteUInt16BigEndian(header[10..], 0);
        uint sum = 0;
        for (var i = 0; i < header.Length; i += 2)
            sum += BinaryPrimitives.ReadUInt16BigEndian(header[i..]);
        sum = (sum & 0xFFFF) + (sum >> 16);
        sum = (sum & 0xFFFF) + (sum >> 16);
        BinaryPrimitives.WriteUInt16BigEndian(header[10..], (ushort)~sum);
    }

    /// <summary>Writes a frame and releases it.</summary>
    public void Send(PacketBuffer frame)
    {
        Assert.Equal(1, Wire.Write([frame]));
        frame.Release();
    }

    public void Dispose()
    {
        Wire.Dispose();
        _reactor.Dispose();
        _ready.Dispose();
        _namespace.Dispose();
    }

    private PacketBuffer Copy(PacketBuffer frame)
    {
        var copy = Pool.Rent(frame.Length);
        frame.CopyTo(copy.Append(frame.Length));
        return copy;
    }

    private static int EtherType(PacketBuffer frame) => BinaryPrimitives.ReadUInt16BigEndian(frame.Span[12..]);
}
