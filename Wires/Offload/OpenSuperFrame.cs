using System.Buffers.Binary;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Packets;

namespace Tapwire.Wires.Offload;

/// <summary>
/// Collects consecutive segments of one flow. The first one stays in its buffer while it is alone; the second one brings a large buffer, in which payload
/// follows payload. One object is used for many super-frames.
/// </summary>
/// <param name="linkHeader">14 on Ethernet, 0 on raw IP.</param>
internal sealed class OpenSuperFrame(int linkHeader)
{
    private const byte Psh = (byte)TcpFlags.Psh;

    // A super-frame up to this size is copied once more, while it is in the cache, because queues count the memory of buffers.
    private const int SmallLength = 16384;

    // The bytes of the super-frame under the headers of a frame that is read behind its payload.
    private readonly byte[] _covered = new byte[linkHeader + Ipv6Header.Length + TcpField.MaxLength];

    /// <summary>The first segment's fields, except for the sequence number, which is the next one expected.</summary>
    private TcpSegmentView _view;
    private PacketBuffer? _first;
    private PacketBuffer? _merged;

    /// <summary>Length of headers and payload so far.</summary>
    private int _length;

    /// <summary>No segment may follow: the last one was short or had PSH.</summary>
    public bool IsComplete { get; private set; }

    public bool IsOf(in TcpSegmentView segment) => segment.Ports == _view.Ports && segment.Addresses == _view.Addresses && segment.IsV6 == _view.IsV6;

    /// <summary>Takes the first segment; it is held until <see cref="Finish"/>.</summary>
    public void Begin(PacketBuffer frame, in TcpSegmentView segment)
    {
        _view = segment;
        _view.Sequence += (uint)segment.Payload;
        _first = frame;
        _length = segment.Length;
        IsComplete = false;
    }

    /// <summary>A segment of this flow can be the next one: it follows, and differs in nothing that a super-frame cannot express.</summary>
    public bool IsNext(in TcpSegmentView segment, ReadOnlySpan<byte> frame) =>
        segment.Sequence == _view.Sequence && segment.Acknowledgment == _view.Acknowledgment && segment.OffsetAndWindow == _view.OffsetAndWindow
        && segment.Ip == _view.Ip && segment.EthernetHigh == _view.EthernetHigh && segment.EthernetLow == _view.EthernetLow
        && segment.Payload <= _view.Payload && _length - linkHeader + segment.Payload <= ushort.MaxValue
        && OptionsOf(frame).SequenceEqual(OptionsOf((_first ?? _merged!).Span));

    /// <summary>Takes the next segment from its own buffer, and releases that.</summary>
    public void Append(BufferPool pool, PacketBuffer frame, in TcpSegmentView segment)
    {
        if (_merged is null)
            MoveTo(pool.RentFilled(BufferPool.MaxCapacity));
        frame.Span.Slice(segment.Headers, segment.Payload).CopyTo(_merged!.Span[_length..]);
        frame.Release();
        Count(segment);
    }

    /// <summary>
    /// The place to read a frame to so that its payload, if it is the next segment, follows the payload so far. Its headers then cover payload until
    /// <see cref="AppendInPlace"/> or <see cref="Uncover"/>; a frame that is no next segment must be copied away before.
    /// </summary>
    /// <param name="spare">A buffer with all <see cref="BufferPool.MaxCapacity"/> bytes as data, for a super-frame that has no buffer yet.</param>
    /// <returns>The available room; it may be too little for a frame.</returns>
    public Span<byte> Cover(PacketBuffer spare)
    {
        var place = (_merged ?? spare).Span[(_length - _view.Headers)..];
        if (_merged is not null)
            place[.._view.Headers].CopyTo(_covered);
        return place;
    }

    public void Uncover()
    {
        if (_merged is not null)
            _covered.AsSpan(0, _view.Headers).CopyTo(_merged.Span[(_length - _view.Headers)..]);
    }

    /// <summary>Takes the next segment, which was read to the place that <see cref="Cover"/> returned.</summary>
    /// <returns>True if this object has taken <paramref name="spare"/> over.</returns>
    public bool AppendInPlace(PacketBuffer spare, in TcpSegmentView segment)
    {
        var takes = _merged is null;
        if (takes)
            MoveTo(spare);
        else
            Uncover();
        Count(segment);
        return takes;
    }

    /// <summary>Returns the single segment unchanged, or a super-frame of several, with the note that a device with offloads would give it.</summary>
    public PacketBuffer Finish(BufferPool pool)
    {
        if (_first is { } first)
        {
            _first = null;
            return first;
        }

        var frame = Fitted(pool, _merged!);
        _merged = null;
        Mend(frame.Span);
        frame.Offload = new OffloadNote
        {
            Checksum = ChecksumState.Partial,
            Segmentation = _view.IsV6 ? Segmentation.TcpV6 : Segmentation.TcpV4,
            ChecksumStart = (ushort)_view.TcpAt,
            ChecksumOffset = TcpField.Checksum,
            HeaderLength = (ushort)_view.Headers,
            SegmentSize = (ushort)_view.Payload,
        };
        return frame;
    }

    private void MoveTo(PacketBuffer large)
    {
        _first!.Span.CopyTo(large.Span);
        _first.Release();
        _first = null;
        _merged = large;
    }

    private void Count(in TcpSegmentView segment)
    {
        _view.Sequence += (uint)segment.Payload;
        _length += segment.Payload;
        _view.Pushes = segment.Pushes;
        IsComplete = segment.Pushes || segment.Payload < _view.Payload;
    }

    private PacketBuffer Fitted(BufferPool pool, PacketBuffer merged)
    {
        if (_length > SmallLength)
        {
            merged.Truncate(_length);
            return merged;
        }

        // If no buffer can be had here, nothing has changed, and the super-frame is finished later.
        var small = pool.RentCopy(merged.Span[.._length]);
        merged.Release();
        return small;
    }

    /// <summary>Turns the first segment's headers into those of the super-frame.</summary>
    private void Mend(Span<byte> frame)
    {
        var ip = frame[linkHeader..];
        var tcpLength = _length - _view.TcpAt;
        if (_view.IsV6)
            BinaryPrimitives.WriteUInt16BigEndian(ip[Ipv6Field.PayloadLength..], (ushort)tcpLength);
        else
            MendV4(ip, (ushort)(Ipv4Header.Length + tcpLength));
        var tcp = frame[_view.TcpAt..];
        if (_view.Pushes)
            tcp[TcpField.Flags] |= Psh;

        // Only the pseudo-header's sum: the rest is filled in when it is cut again.
        BinaryPrimitives.WriteUInt16BigEndian(tcp[TcpField.Checksum..], (ushort)_view.PseudoHeader(frame, tcpLength));
    }

    private static void MendV4(Span<byte> ip, ushort length)
    {
        var before = BinaryPrimitives.ReadUInt16BigEndian(ip[Ipv4Field.TotalLength..]);
        var checksum = BinaryPrimitives.ReadUInt16BigEndian(ip[Ipv4Field.Checksum..]);
        BinaryPrimitives.WriteUInt16BigEndian(ip[Ipv4Field.TotalLength..], length);
        BinaryPrimitives.WriteUInt16BigEndian(ip[Ipv4Field.Checksum..], Checksum.Update(checksum, before, length));
    }

    private ReadOnlySpan<byte> OptionsOf(ReadOnlySpan<byte> frame) => frame[(_view.TcpAt + TcpField.MinLength).._view.Headers];
}
