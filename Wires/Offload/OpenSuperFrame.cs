using System.Buffers.Binary;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Packets;

namespace Tapwire.Wires.Offload;

/// <summary>Segments of one flow that follow each other, as they are collected. One object serves many super-frames.</summary>
/// <param name="linkHeader">14 on Ethernet, 0 on raw IP.</param>
internal sealed class OpenSuperFrame(int linkHeader)
{
    private const int IpLengthAt = 2;
    private const int IpChecksumAt = 10;
    private const int IpAddressesAt = 12;
    private const int TcpFlagsAt = 13;
    private const int TcpChecksumAt = 16;
    private const int TcpMinimum = 20;
    private const byte Psh = 8;

    /// <summary>The first segment's, but for the sequence number, which is the next one expected.</summary>
    private TcpSegmentView _view;
    private PacketBuffer? _first;
    private PacketBuffer? _last;
    private int _payload;

    /// <summary>Nothing may follow: its last segment was a short one or said PSH.</summary>
    public bool IsComplete { get; private set; }

    public bool IsOf(in TcpSegmentView segment) => segment.Addresses == _view.Addresses && segment.Ports == _view.Ports;

    /// <summary>Takes the first segment; it is held until <see cref="Finish"/>.</summary>
    public void Begin(PacketBuffer frame, in TcpSegmentView segment)
    {
        _view = segment;
        _view.Sequence += (uint)segment.Payload;
        _first = _last = frame;
        _payload = segment.Payload;
        IsComplete = false;
    }

    /// <summary>Takes the next segment of the flow.</summary>
    /// <returns>False, and the frame is still the caller's: it does not follow, or differs in more than a super-frame can say.</returns>
    public bool TryAppend(PacketBuffer frame, in TcpSegmentView segment)
    {
        if (segment.Sequence != _view.Sequence || segment.Acknowledgment != _view.Acknowledgment || segment.OffsetAndWindow != _view.OffsetAndWindow
            || segment.Ip != _view.Ip || segment.EthernetHigh != _view.EthernetHigh || segment.EthernetLow != _view.EthernetLow
            || segment.Payload > _view.Payload || _view.Headers - linkHeader + _payload + segment.Payload > ushort.MaxValue
            || !OptionsOf(frame).SequenceEqual(OptionsOf(_first!)))
        {
            return false;
        }

        _last = _last!.Next = frame;
        _view.Sequence += (uint)segment.Payload;
        _payload += segment.Payload;
        _view.Pushes = segment.Pushes;
        IsComplete = segment.Pushes || segment.Payload < _view.Payload;
        return true;
    }

    /// <summary>Gives away the one segment as it came, or a super-frame of several, noted as a device with offloads would.</summary>
    public PacketBuffer Finish(BufferPool pool)
    {
        var first = _first!;
        _first = _last = null;
        if (first.Next is null)
            return first;
        var frame = pool.Rent(_view.Headers + _payload);
        first.Span[.._view.Headers].CopyTo(frame.Append(_view.Headers));
        for (var segment = first; segment is not null; segment = segment.Next)
        {
            var payload = segment.Span[_view.Headers..];
            payload.CopyTo(frame.Append(payload.Length));
        }

        PacketBuffer.ReleaseChain(first);
        Mend(frame.Span[linkHeader.._view.Headers], frame.Length - linkHeader);
        frame.Offload = new OffloadNote
        {
            Checksum = ChecksumState.Partial,
            Segmentation = Segmentation.TcpV4,
            ChecksumStart = (ushort)_view.TcpAt,
            ChecksumOffset = TcpChecksumAt,
            HeaderLength = (ushort)_view.Headers,
            SegmentSize = (ushort)_view.Payload,
        };
        return frame;
    }

    /// <summary>Makes the first segment's headers those of all.</summary>
    private void Mend(Span<byte> ip, int length)
    {
        var before = BinaryPrimitives.ReadUInt16BigEndian(ip[IpLengthAt..]);
        var checksum = BinaryPrimitives.ReadUInt16BigEndian(ip[IpChecksumAt..]);
        BinaryPrimitives.WriteUInt16BigEndian(ip[IpLengthAt..], (ushort)length);
        BinaryPrimitives.WriteUInt16BigEndian(ip[IpChecksumAt..], Checksum.Update(checksum, before, (ushort)length));
        var tcp = ip[Ipv4Header.Length..];
        if (_view.Pushes)
            tcp[TcpFlagsAt] |= Psh;

        // Whoever cuts it again fills the rest in; nobody else looks at it.
        var pseudo = Checksum.Sum(ip.Slice(IpAddressesAt, 8), (uint)(IpProtocol.Tcp + length - Ipv4Header.Length));
        BinaryPrimitives.WriteUInt16BigEndian(tcp[TcpChecksumAt..], (ushort)pseudo);
    }

    private ReadOnlySpan<byte> OptionsOf(PacketBuffer frame) => frame.Span[(_view.TcpAt + TcpMinimum).._view.Headers];
}
