using System.Buffers.Binary;
using System.Diagnostics;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Interfaces;
using Tapwire.Tests.Live.Support;
using Tapwire.Wires;
using Tapwire.Wires.Offload;
using Tapwire.Posix;
using Xunit;

namespace Tapwire.Tests.Live.Wires;

/// <summary>
/// The end of a TAP device without any stack: it answers what a spec tells it to. The kernel's end is 10.99.0.1 and fd99::1, this one 10.99.0.2, for which
/// the kernel has to ask by ARP, and fd99::2, which it knows.
/// </summary>
internal sealed class TapPeer : IDisposable
{
    public const string KernelAddress = "10.99.0.1";
    public const string Address = "10.99.0.2";
    public const string AddressV6 = "fd99::2";
    private const int EtherTypeArp = 0x0806;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);
    private static readonly byte[] AddressBytes = [10, 99, 0, 2];

    private readonly NetworkNamespace _namespace;
    private readonly Reactor _reactor = new("tap-peer", e => Environment.FailFast("The reactor's handler has thrown.", e));
    private readonly SemaphoreSlim _ready = new(0);
    private readonly Queue<PacketBuffer> _frames = new();

    // The device, or the software offload over it.
    private readonly IWire _used;

    public TapPeer(TapWireOptions options, bool softwareOffload = false)
    {
        _namespace = NetworkNamespace.Create();
        Wire = _namespace.OpenTap(options);
        _used = softwareOffload ? SoftwareOffloadWire.Over(Wire, Pool) : Wire;
        _namespace.Ip($"addr add {KernelAddress}/24 dev {Wire.Name}");
        _namespace.Ip($"addr add fd99::1/64 dev {Wire.Name} nodad");
        _namespace.Ip($"neigh add {AddressV6} lladdr {Wire.HardwareAddress} dev {Wire.Name}");
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

    /// <summary>An IPv4 packet or an IPv6 packet without extension headers, of a protocol.</summary>
    public static bool IsIp(PacketBuffer frame, byte protocol) => EtherType(frame) switch
    {
        0x0800 => frame.Span[23] == protocol,
        0x86DD => frame.Span[20] == protocol,
        _ => false,
    };

    /// <summary>The next frame that is looked for; others are passed over, and ARP requests for this end are answered.</summary>
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
                if (IsArpRequest(frame))
                    Send(ArpReply(frame));
                frame.Release();
            }

            var count = _used.Read(Pool, frames, out _);
            foreach (var frame in frames.AsSpan(0, count))
                _frames.Enqueue(frame);
            if (count == 0)
                Assert.True(_ready.Wait(Patience - clock.Elapsed), "The frame that was waited for did not come.");
        }
    }

    public PacketBuffer ArpReply(PacketBuffer request)
    {
        var reply = Copy(request, request.Length);
        var bytes = reply.Span;
        request.Span.Slice(6, 6).CopyTo(bytes);
        Wire.HardwareAddress!.Value.CopyTo(bytes[6..]);
        bytes[21] = 2;
        request.Span.Slice(22, 10).CopyTo(bytes[32..]);
        Wire.HardwareAddress!.Value.CopyTo(bytes[22..]);
        AddressBytes.CopyTo(bytes[28..]);
        return reply;
    }

    /// <summary>The first bytes of a packet with the addresses of both layers swapped: the beginning of an answer.</summary>
    public PacketBuffer Answer(PacketBuffer packet, int length)
    {
        var answer = Copy(packet, length);
        var from = packet.Span;
        var to = answer.Span;
        from.Slice(0, 6).CopyTo(to[6..]);
        from.Slice(6, 6).CopyTo(to);
        var (source, size) = from[14] >> 4 == 4 ? (26, 4) : (22, 16);
        from.Slice(source, size).CopyTo(to[(source + size)..]);
        from.Slice(source + size, size).CopyTo(to[source..]);
        return answer;
    }

    /// <summary>Writes the length, and what depends on it, into the IP header.</summary>
    /// <param name="length">Of the IP packet, with payload that is not in the buffer yet.</param>
    public static void SealIp(PacketBuffer packet, int length)
    {
        var header = packet.Span[14..];
        if (header[0] >> 4 == 6)
        {
            BinaryPrimitives.WriteUInt16BigEndian(header[4..], (ushort)(length - 40));
            return;
        }

        BinaryPrimitives.WriteUInt16BigEndian(header[2..], (ushort)length);
        BinaryPrimitives.WriteUInt16BigEndian(header[10..], 0);
        BinaryPrimitives.WriteUInt16BigEndian(header[10..], Checksum.Finish(Checksum.Sum(header[..20])));
    }

    public static ushort PseudoHeaderSum(PacketBuffer packet, byte protocol, int length)
    {
        var addresses = packet.Span[14] >> 4 == 4 ? packet.Span.Slice(26, 8) : packet.Span.Slice(22, 32);
        return (ushort)Checksum.Fold(Checksum.Sum(addresses) + protocol + (uint)length);
    }

    /// <summary>Writes a frame and releases it.</summary>
    public void Send(PacketBuffer frame)
    {
        Assert.Equal(1, _used.Write([frame]));
        frame.Release();
    }

    /// <summary>Gives up the device, and with it all buffers that are kept for it.</summary>
    public void CloseWire() => _used.Dispose();

    public void Dispose()
    {
        CloseWire();
        _reactor.Dispose();
        _ready.Dispose();
        _namespace.Dispose();
    }

    private PacketBuffer Copy(PacketBuffer frame, int length)
    {
        var copy = Pool.Rent(length);
        frame.Span[..length].CopyTo(copy.Append(length));
        return copy;
    }

    private static int EtherType(PacketBuffer frame) => BinaryPrimitives.ReadUInt16BigEndian(frame.Span[12..]);
}
