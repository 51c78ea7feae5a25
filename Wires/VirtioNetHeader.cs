using System.Buffers.Binary;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Packets;

namespace Tapwire.Wires;

/// <summary>
/// struct virtio_net_hdr (virtio 1.2, 5.1.6; linux/virtio_net.h), which precedes each frame of a TAP device with IFF_VNET_HDR: the kernel's form of
/// <see cref="OffloadNote"/>. It has ten bytes in native order, which is little-endian on the architectures supported.
/// </summary>
internal static class VirtioNetHeader
{
    public const int Length = 10;

    private const byte NeedsChecksum = 1;
    private const byte DataValid = 2;

    private const byte GsoNone = 0;
    private const byte GsoTcpV4 = 1;
    private const byte GsoTcpV6 = 4;
    private const byte GsoUdp = 5;
    private const byte GsoEcn = 0x80;

    private const int FlagsAt = 0;
    private const int GsoTypeAt = 1;
    private const int HeaderLengthAt = 2;
    private const int GsoSizeAt = 4;
    private const int ChecksumStartAt = 6;
    private const int ChecksumOffsetAt = 8;


    /// <summary>Reads a header that came with a frame.</summary>
    /// <param name="frame">The contiguous part of the frame that has been read; at least its headers.</param>
    /// <param name="linkHeader">14 on Ethernet, 0 on raw IP: the checksummed range may not begin before it.</param>
    /// <returns>False for a header that contradicts itself or the frame, which is then unusable.</returns>
    /// <remarks>The header's own length field is only a hint (Linux puts the length of the first memory piece there), so <see cref="OffloadNote.HeaderLength"/>
    /// comes from the transport header itself.</remarks>
    public static bool TryParse(ReadOnlySpan<byte> header, ReadOnlySpan<byte> frame, int linkHeader, out OffloadNote note)
    {
        note = default;
        var flags = header[FlagsAt];
        if ((flags & NeedsChecksum) != 0)
        {
            note.Checksum = ChecksumState.Partial;
            note.ChecksumStart = BinaryPrimitives.ReadUInt16LittleEndian(header[ChecksumStartAt..]);
            note.ChecksumOffset = BinaryPrimitives.ReadUInt16LittleEndian(header[ChecksumOffsetAt..]);
            if (note.ChecksumStart < linkHeader || note.ChecksumStart + note.ChecksumOffset + 2 > frame.Length)
                return false;
        }
        else if ((flags & DataValid) != 0)
        {
            note.Checksum = ChecksumState.Verified;
        }

        var gso = header[GsoTypeAt];
        return gso == GsoNone || TryParseSegmentation(header, gso, frame, linkHeader, ref note);
    }

    /// <summary>Writes the header for a frame.</summary>
    /// <param name="frame">The frame with its note.</param>
    /// <param name="offloads">The device's offloads.</param>
    /// <returns>False if the note asks for an offload that the device does not have, or contradicts the frame.</returns>
    public static bool TryEmit(PacketBuffer frame, WireOffloads offloads, Span<byte> header)
    {
        ref readonly var note = ref frame.Offload;
        header[..Length].Clear();
        if (note.Checksum == ChecksumState.Partial)
        {
            if ((offloads & WireOffloads.Checksum) == 0 || note.ChecksumStart + note.ChecksumOffset + 2 > frame.Length)
                return false;
            header[FlagsAt] = NeedsChecksum;
            BinaryPrimitives.WriteUInt16LittleEndian(header[ChecksumStartAt..], note.ChecksumStart);
            BinaryPrimitives.WriteUInt16LittleEndian(header[ChecksumOffsetAt..], note.ChecksumOffset);
        }

        // A verified checksum is not announced: it is in the frame, and the tun driver ignores DATA_VALID.
        return note.Segmentation == Segmentation.None || TryEmitSegmentation(frame, offloads, header);
    }

    private static bool TryParseSegmentation(ReadOnlySpan<byte> header, byte gso, ReadOnlySpan<byte> frame, int linkHeader, ref OffloadNote note)
    {
        // A sender of super-frames must leave the checksum to the receiver (virtio 1.2, 5.1.6.2): csum_start gives the transport header.
        if (note.Checksum != ChecksumState.Partial)
            return false;
        note.Ecn = (gso & GsoEcn) != 0;
        note.SegmentSize = BinaryPrimitives.ReadUInt16LittleEndian(header[GsoSizeAt..]);
        note.Segmentation = (gso & ~GsoEcn) switch
        {
            GsoTcpV4 => Segmentation.TcpV4,
            GsoTcpV6 => Segmentation.TcpV6,
            GsoUdp => Segmentation.Udp,
            _ => Segmentation.None,
        };
        if (note.Segmentation == Segmentation.None || note.SegmentSize == 0 || !FamilyMatches(note.Segmentation, frame, linkHeader))
            return false;

        int headers = note.ChecksumStart;
        if (note.Segmentation == Segmentation.Udp)
        {
            headers += UdpHeader.Length;
            if (note.Ecn || note.ChecksumOffset != UdpHeader.ChecksumOffset)
                return false;
        }
        else
        {
            if (note.ChecksumOffset != TcpField.Checksum || headers + TcpField.MinLength > frame.Length)
                return false;
            var tcpHeader = (frame[headers + 12] >> 4) * 4;
            if (tcpHeader < TcpField.MinLength)
                return false;
            headers += tcpHeader;
        }

        // A super-frame without a payload would be cut into no segment.
        if (headers >= Math.Min(frame.Length, ushort.MaxValue + 1))
            return false;
        note.HeaderLength = (ushort)headers;
        return true;
    }

    /// <summary>The frame has the IP version of its segmentation. (A VLAN tag in that place is no version: super-frames are never tagged.)</summary>
    private static bool FamilyMatches(Segmentation segmentation, ReadOnlySpan<byte> frame, int linkHeader)
    {
        if (frame.Length <= linkHeader)
            return false;
        return (frame[linkHeader] >> 4) switch
        {
            4 => segmentation != Segmentation.TcpV6,
            6 => segmentation != Segmentation.TcpV4,
            _ => false,
        };
    }

    private static bool TryEmitSegmentation(PacketBuffer frame, WireOffloads offloads, Span<byte> header)
    {
        ref readonly var note = ref frame.Offload;
        var (gso, offload) = note.Segmentation switch
        {
            Segmentation.TcpV4 => (GsoTcpV4, WireOffloads.TcpSegmentationV4),
            Segmentation.TcpV6 => (GsoTcpV6, WireOffloads.TcpSegmentationV6),
            _ => (GsoUdp, WireOffloads.UdpSegmentation),
        };
        if ((offloads & offload) == 0
            || note.Checksum != ChecksumState.Partial
            || note.SegmentSize == 0
            || note.HeaderLength <= note.ChecksumStart
            || note.HeaderLength > frame.Length
            || note.HeaderLength >= frame.TotalLength)
        {
            return false;
        }

        header[GsoTypeAt] = note.Ecn ? (byte)(gso | GsoEcn) : gso;
        BinaryPrimitives.WriteUInt16LittleEndian(header[HeaderLengthAt..], note.HeaderLength);
        BinaryPrimitives.WriteUInt16LittleEndian(header[GsoSizeAt..], note.SegmentSize);
        return true;
    }
}
