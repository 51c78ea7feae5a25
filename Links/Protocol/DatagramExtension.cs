using System.Buffers.Binary;
using Tapwire.Posix;
using Tapwire.Stack.Ip;

namespace Tapwire.Links.Protocol;

/// <summary>Which parts of a <see cref="DatagramExtension"/> are meant. Towards the application each bit is a control message that it gets.</summary>
[Flags]
public enum DatagramParts : uint
{
    None = 0,

    /// <summary>IP_PKTINFO. From the application, in either family's form: the source address, or else the interface.</summary>
    PacketInfo = 1,

    /// <summary>IPV6_PKTINFO, an IPv4 address in its mapped form.</summary>
    PacketInfoV6 = 2,

    /// <summary>IP_TTL. From the application, in either family's form.</summary>
    HopLimit = 4,

    /// <summary>IP_TOS. From the application, in either family's form.</summary>
    TrafficClass = 8,

    /// <summary>IP_ORIGDSTADDR.</summary>
    OriginalDestination = 0x10,

    /// <summary>UDP_GRO, and UDP_SEGMENT from the application.</summary>
    SegmentSize = 0x40,

    /// <summary>SO_RXQ_OVFL.</summary>
    Drops = 0x80,

    /// <summary>SO_TIMESTAMP_OLD.</summary>
    Timestamp = 0x100,

    /// <summary>SO_TIMESTAMPNS_OLD.</summary>
    TimestampNs = 0x200,

    /// <summary>SO_TIMESTAMPING_OLD.</summary>
    Timestamping = 0x400,

    /// <summary>SO_TIMESTAMP_NEW.</summary>
    TimestampNew = 0x800,

    /// <summary>SO_TIMESTAMPNS_NEW.</summary>
    TimestampNsNew = 0x1000,

    /// <summary>SO_TIMESTAMPING_NEW.</summary>
    TimestampingNew = 0x2000,

    /// <summary>MSG_MORE from the application: the payload is the beginning of a datagram, or goes on with it.</summary>
    More = 0x4000,

    /// <summary>IPV6_HOPLIMIT.</summary>
    HopLimitV6 = 0x8000,

    /// <summary>IPV6_TCLASS.</summary>
    TrafficClassV6 = 0x1_0000,

    /// <summary>IPV6_ORIGDSTADDR.</summary>
    OriginalDestinationV6 = 0x2_0000,

    /// <summary>What only an IPv4 packet comes with.</summary>
    OnlyV4 = PacketInfo | HopLimit | TrafficClass | OriginalDestination,

    /// <summary>What only an IPv6 packet comes with.</summary>
    OnlyV6 = HopLimitV6 | TrafficClassV6 | OriginalDestinationV6,

    AnyTimestamp = Timestamp | TimestampNs | Timestamping | TimestampNew | TimestampNsNew | TimestampingNew,

    /// <summary>No datagram, but an error about one that was sent. Its header has the errno.</summary>
    Error = 0x8000_0000,
}

/// <summary>
/// What may stand between the header and the payload of a message on a datagram socket's descriptor, if the header's family has the bit
/// <see cref="DatagramHeader.Extended"/>: what control messages say. docs/link-protocol.md has the layout.
/// </summary>
/// <param name="Parts">Which of the fields are meant.</param>
public readonly record struct DatagramExtension(DatagramParts Parts)
{
    public const int Size = 64;

    /// <summary>The interface by the number that programs see: 1 is loopback, the stack's are from 2 on; 0: any.</summary>
    public int Interface { get; init; }

    /// <summary>The address that the datagram was sent to; with an error, who has reported it.</summary>
    public IpAddress Destination { get; init; }

    /// <summary>The own address that an answer comes from, or the datagram is sent from; with an error, where the datagram was sent to.</summary>
    public IpAddress Local { get; init; }

    public byte HopLimit { get; init; }

    public byte TrafficClass { get; init; }

    public ushort SegmentSize { get; init; }

    /// <summary>The port of <see cref="Destination"/>; with an error, that of <see cref="Local"/>.</summary>
    public ushort Port { get; init; }

    /// <summary>With an error: the family of the socket.</summary>
    public SocketFamily Family { get; init; }

    /// <summary>Datagrams dropped by then; with an error: TTL of the ICMP message, and its TOS in the second byte.</summary>
    public uint Drops { get; init; }

    /// <summary>With an error: the MTU, where that is the reason.</summary>
    public uint Mtu { get; init; }

    /// <summary>Nanoseconds since 1970 (UTC).</summary>
    public long Stamp { get; init; }

    /// <summary>Writes <see cref="Size"/> bytes.</summary>
    public void WriteTo(Span<byte> destination)
    {
        destination = destination[..Size];
        destination.Clear();
        BinaryPrimitives.WriteUInt32LittleEndian(destination, (uint)Parts);
        BinaryPrimitives.WriteInt32LittleEndian(destination[4..], Interface);
        Destination.CopyTo16(destination[8..]);
        Local.CopyTo16(destination[24..]);
        destination[40] = HopLimit;
        destination[41] = TrafficClass;
        BinaryPrimitives.WriteUInt16LittleEndian(destination[42..], SegmentSize);
        BinaryPrimitives.WriteUInt16BigEndian(destination[44..], Port);
        BinaryPrimitives.WriteUInt16LittleEndian(destination[46..], (ushort)Family);
        BinaryPrimitives.WriteUInt32LittleEndian(destination[48..], Drops);
        BinaryPrimitives.WriteUInt32LittleEndian(destination[52..], Mtu);
        BinaryPrimitives.WriteInt64LittleEndian(destination[56..], Stamp);
    }

    /// <summary>Reads <see cref="Size"/> bytes. Nothing in them can be wrong.</summary>
    public static DatagramExtension Read(ReadOnlySpan<byte> source)
    {
        source = source[..Size];
        return new((DatagramParts)BinaryPrimitives.ReadUInt32LittleEndian(source))
        {
            Interface = BinaryPrimitives.ReadInt32LittleEndian(source[4..]),
            Destination = IpAddress.FromBytes(source.Slice(8, 16)),
            Local = IpAddress.FromBytes(source.Slice(24, 16)),
            HopLimit = source[40],
            TrafficClass = source[41],
            SegmentSize = BinaryPrimitives.ReadUInt16LittleEndian(source[42..]),
            Port = BinaryPrimitives.ReadUInt16BigEndian(source[44..]),
            Family = (SocketFamily)BinaryPrimitives.ReadUInt16LittleEndian(source[46..]),
            Drops = BinaryPrimitives.ReadUInt32LittleEndian(source[48..]),
            Mtu = BinaryPrimitives.ReadUInt32LittleEndian(source[52..]),
            Stamp = BinaryPrimitives.ReadInt64LittleEndian(source[56..]),
        };
    }
}
