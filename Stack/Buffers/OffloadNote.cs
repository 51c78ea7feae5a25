namespace Tapwire.Stack.Buffers;

/// <summary>The state of a frame's transport checksum.</summary>
public enum ChecksumState : byte
{
    /// <summary>Nothing is known: the receiver verifies; the sender has filled the field in.</summary>
    None,

    /// <summary>The device, or a sender on the same machine, vouches for the checksum: the receiver need not verify it.</summary>
    Verified,

    /// <summary>
    /// The checksum field holds only the pseudo-header's sum. The device that puts the frame on a physical wire adds the rest from
    /// <see cref="OffloadNote.ChecksumStart"/> on. A received frame in this state never crossed a wire and counts as verified.
    /// </summary>
    Partial,
}

/// <summary>How the device that puts a super-frame on a physical wire cuts it into segments.</summary>
public enum Segmentation : byte
{
    None,
    TcpV4,
    TcpV6,
    Udp,

    /// <summary>No device's work: the egress queue cuts the packet into IPv4 fragments, with <see cref="OffloadNote.SegmentSize"/> bytes of IP payload each.</summary>
    Ipv4Fragments,

    /// <summary>As <see cref="Ipv4Fragments"/>, of IPv6: the packet has a fragment header behind its IP header.</summary>
    Ipv6Fragments,
}

/// <summary>
/// The checksum and segmentation note that travels with a frame, as the virtio network header carries it (virtio 1.2, 5.1.6).
/// Offsets are in bytes from the first byte of the frame.
/// </summary>
public struct OffloadNote
{
    public ChecksumState Checksum;

    public Segmentation Segmentation;

    /// <summary>The frame carries CWR, which belongs in its first segment only (RFC 3168, 6.1.2).</summary>
    public bool Ecn;

    /// <summary>Where the checksummed range begins: the transport header.</summary>
    public ushort ChecksumStart;

    /// <summary>Offset of the checksum field from <see cref="ChecksumStart"/>.</summary>
    public ushort ChecksumOffset;

    /// <summary>Length of all headers, which precede each segment.</summary>
    public ushort HeaderLength;

    /// <summary>Payload bytes of each segment but the last; 0 without segmentation.</summary>
    public ushort SegmentSize;
}
