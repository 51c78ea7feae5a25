using Tapwire.Posix;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Interfaces;
using Tapwire.Stack.Packets;

namespace Tapwire.Wires.Offload;

/// <summary>
/// Adds the offloads that a wire's device does not have: cuts TCP super-frames of either family into segments (GSO), completes checksums, and merges received
/// segments into super-frames (GRO). The stack then processes one frame instead of up to 45; only the work here is done for each.
/// </summary>
/// <remarks>Nothing is held back: each frame is delivered by the call that has read it, merged or not.</remarks>
public sealed class SoftwareOffloadWire : IWire
{
    private const WireOffloads Segmentations = WireOffloads.TcpSegmentationV4 | WireOffloads.TcpSegmentationV6;
    private const WireOffloads Done = WireOffloads.Checksum | Segmentations;

    private readonly IWire _inner;
    private readonly bool _completesChecksums;
    private readonly bool _cutsV4;
    private readonly bool _cutsV6;
    private readonly TcpSegmenter _segmenter;
    private readonly TcpCoalescer _coalescer;
    private readonly CoalescingReader? _reader;
    private long _refused;
    private bool _disposed;

    private SoftwareOffloadWire(IWire inner, BufferPool pool)
    {
        var linkHeader = inner.Medium == Medium.Ethernet ? EthernetHeader.Length : 0;
        _inner = inner;
        _completesChecksums = (inner.Offloads & WireOffloads.Checksum) == 0;
        _cutsV4 = (inner.Offloads & WireOffloads.TcpSegmentationV4) == 0;
        _cutsV6 = (inner.Offloads & WireOffloads.TcpSegmentationV6) == 0;
        _segmenter = new TcpSegmenter(pool, linkHeader);
        _coalescer = new TcpCoalescer(linkHeader);
        if (inner is IDirectReadWire direct)
            _reader = new CoalescingReader(direct, _coalescer);
    }

    public string Name => _inner.Name;

    public Medium Medium => _inner.Medium;

    public int Mtu => _inner.Mtu;

    public MacAddress? HardwareAddress => _inner.HardwareAddress;

    public WireOffloads Offloads => _inner.Offloads | Done;

    public WireOffloads SoftwareOffloads => Done & ~_inner.Offloads;

    public IProtocolWire? Protocol => _inner.Protocol;

    public bool HasCarrier => _inner.HasCarrier;

    public long Refused => _inner.Refused + _refused;

    /// <summary>Returns the wire itself if its device cuts TCP segments of both families, otherwise a wire over it that does, and that owns it from then on.</summary>
    /// <param name="pool">Rents buffers for the segments' headers.</param>
    public static IWire Over(IWire wire, BufferPool pool) =>
        (wire.Offloads & Segmentations) == Segmentations ? wire : new SoftwareOffloadWire(wire, pool);

    public void Start(IReactor reactor, Action<Readiness> ready) => _inner.Start(reactor, ready);

    public int Read(BufferPool pool, Span<PacketBuffer> frames, out bool more) => _reader is { CanRead: true }
        ? _reader.Read(pool, frames, out more)
        : _coalescer.Coalesce(pool, frames[.._inner.Read(pool, frames, out more)]);

    public int Write(ReadOnlySpan<PacketBuffer> frames)
    {
        var taken = 0;
        while (taken < frames.Length)
        {
            var whole = taken;
            while (whole < frames.Length && IsWhole(frames[whole]))
                whole++;
            if (whole > taken)
            {
                taken += _inner.Write(frames[taken..whole]);
                if (taken < whole)
                    return taken;
            }
            else if (WriteSegments(frames[taken]))
            {
                taken++;
            }
            else
            {
                return taken;
            }
        }

        return taken;
    }

    public void Dispose()
    {
        if (_disposed)
            return;
        _disposed = true;
        _segmenter.Dispose();
        _reader?.Dispose();
        _inner.Dispose();
    }

    /// <summary>The frame goes to the inner wire uncut, perhaps after its checksum is completed.</summary>
    private bool IsWhole(PacketBuffer frame)
    {
        if (frame.Offload.Segmentation switch { Segmentation.TcpV4 => _cutsV4, Segmentation.TcpV6 => _cutsV6, _ => false })
            return false;
        if (_completesChecksums && frame.Offload is { Checksum: ChecksumState.Partial, Segmentation: Segmentation.None })
            PartialChecksum.TryComplete(frame);
        return true;
    }

    /// <summary>Returns false if the wire was full before the last segment. The frame must be offered again, and continues from there.</summary>
    private bool WriteSegments(PacketBuffer frame)
    {
        if (!_segmenter.TryBegin(frame))
        {
            _refused++;
            return true;
        }

        while (_segmenter.Cut() is { IsEmpty: false } segments)
        {
            var taken = 0;
            try
            {
                taken = _inner.Write(segments);
            }
            finally
            {
                _segmenter.Sent(taken);
            }

            if (taken < segments.Length)
                return false;
        }

        return true;
    }
}
