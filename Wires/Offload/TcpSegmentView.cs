using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Packets;

namespace Tapwire.Wires.Offload;

/// <summary>How the coalescer treats a frame.</summary>
internal enum SegmentKind
{
    /// <summary>The frame is not TCP over IP.</summary>
    Foreign,

    /// <summary>TCP whose ports are not at their usual place, or missing: IP options, a fragment, a wrong header or length. Behind IPv6 extension headers it may be something else.</summary>
    Odd,

    /// <summary>A segment that is not merged: without payload, with other flags than ACK and PSH, or already a super-frame.</summary>
    Whole,

    /// <summary>A segment that may be merged with others.</summary>
    Mergeable,
}

/// <summary>
/// The fields of a TCP segment over IPv4 or IPv6 that decide on merging, read once. Fields that are only compared stay in network order.
/// </summary>
internal struct TcpSegmentView
{
    private const byte Ack = (byte)TcpFlags.Ack;
    private const byte Psh = (byte)TcpFlags.Psh;

    /// <summary>Both IP addresses. Those of IPv4 are in the first eight bytes.</summary>
    public Vector256<byte> Addresses;

    /// <summary>Both ports.</summary>
    public uint Ports;

    /// <summary>The Ethernet addresses; 0 on raw IP. A segment to a group must not be merged with one to this station.</summary>
    public ulong EthernetHigh;

    /// <inheritdoc cref="EthernetHigh"/>
    public uint EthernetLow;

    /// <summary>IPv4: traffic class with ECN field, "don't fragment", TTL. IPv6: version, traffic class, flow label, hop limit. No value belongs to both.</summary>
    public ulong Ip;

    public uint Sequence;

    public uint Acknowledgment;

    /// <summary>Data offset, reserved bits, window, and the urgent pointer, which has no meaning here but must not be lost.</summary>
    public ulong OffsetAndWindow;

    /// <summary>Offset of the TCP header.</summary>
    public int TcpAt;

    /// <summary>Offset of the payload.</summary>
    public int Headers;

    /// <summary>Number of payload bytes.</summary>
    public int Payload;

    /// <summary>PSH is set.</summary>
    public bool Pushes;

    public bool IsV6;

    /// <summary>Length of the frame without the medium's padding.</summary>
    public readonly int Length => Headers + Payload;

    /// <summary>Reads a frame.</summary>
    /// <param name="linkHeader">14 on Ethernet, 0 on raw IP.</param>
    /// <param name="segment">All fields of a mergeable segment; addresses and ports of a whole one; otherwise nothing of use.</param>
    public static SegmentKind Read(ReadOnlySpan<byte> bytes, int linkHeader, out TcpSegmentView segment)
    {
        segment = default;
        if (bytes.Length < linkHeader + Ipv4Header.Length)
            return SegmentKind.Foreign;
        var ip = bytes[linkHeader..];
        return (ip[0] >> 4) switch
        {
            4 when linkHeader == 0 || TypeOf(bytes) == EtherType.Ipv4 => ReadV4(bytes, ip, ref segment),
            6 when linkHeader == 0 || TypeOf(bytes) == EtherType.Ipv6 => ReadV6(bytes, ip, ref segment),
            _ => SegmentKind.Foreign,
        };
    }

    /// <summary>Verifies the checksums of a mergeable segment; that of TCP only if the inner wire has not.</summary>
    /// <param name="frame">The frame; padding does no harm.</param>
    /// <param name="state">The inner wire's note about TCP's checksum.</param>
    public readonly bool Verify(ReadOnlySpan<byte> frame, ChecksumState state = ChecksumState.None)
    {
        if (!IsV6 && Checksum.Sum(frame.Slice(TcpAt - Ipv4Header.Length, Ipv4Header.Length)) != 0xFFFF)
            return false;
        if (state != ChecksumState.None)
            return true;
        var tcp = frame[TcpAt..Length];
        return Checksum.Sum(tcp, PseudoHeader(frame, tcp.Length)) == 0xFFFF;
    }

    /// <summary>The sum of the pseudo-header. In both families the addresses end where the TCP header begins.</summary>
    /// <param name="length">Bytes of TCP header and payload.</param>
    public readonly uint PseudoHeader(ReadOnlySpan<byte> frame, int length)
    {
        var addresses = IsV6 ? Ipv6Header.Length - Ipv6Field.Source : Ipv4Header.Length - Ipv4Field.Source;
        return Checksum.Sum(frame.Slice(TcpAt - addresses, addresses), (uint)(IpProtocol.Tcp + length));
    }

    private static ushort TypeOf(ReadOnlySpan<byte> bytes) => BinaryPrimitives.ReadUInt16BigEndian(bytes[EthernetField.Type..]);

    private static SegmentKind ReadV4(ReadOnlySpan<byte> bytes, ReadOnlySpan<byte> ip, ref TcpSegmentView segment)
    {
        if (ip[Ipv4Field.Protocol] != IpProtocol.Tcp)
            return SegmentKind.Foreign;
        var fragment = BinaryPrimitives.ReadUInt16BigEndian(ip[Ipv4Field.Fragment..]);
        int length = BinaryPrimitives.ReadUInt16BigEndian(ip[Ipv4Field.TotalLength..]);
        if (ip[Ipv4Field.VersionAndLength] != Ipv4Field.WithoutOptions || (fragment & Ipv4Field.IsFragmentMask) != 0 || length < Ipv4Header.Length + TcpField.MinLength || length > ip.Length)
            return SegmentKind.Odd;
        segment.Addresses = Vector256.CreateScalar(MemoryMarshal.Read<ulong>(ip[Ipv4Field.Source..])).AsByte();
        segment.Ip = (uint)(ip[Ipv4Field.TrafficClass] << 24 | ip[Ipv4Field.HopLimit] << 16 | fragment);
        return segment.ReadTcp(bytes, bytes.Length - ip.Length, Ipv4Header.Length, length);
    }

    private static SegmentKind ReadV6(ReadOnlySpan<byte> bytes, ReadOnlySpan<byte> ip, ref TcpSegmentView segment)
    {
        if (ip.Length < Ipv6Header.Length)
            return SegmentKind.Foreign;
        if (ip[Ipv6Field.NextHeader] != IpProtocol.Tcp)
            return MayHoldTcp(ip) ? SegmentKind.Odd : SegmentKind.Foreign;
        var length = Ipv6Header.Length + BinaryPrimitives.ReadUInt16BigEndian(ip[Ipv6Field.PayloadLength..]);
        if (length < Ipv6Header.Length + TcpField.MinLength || length > ip.Length)
            return SegmentKind.Odd;
        segment.IsV6 = true;
        segment.Addresses = Vector256.Create(ip[Ipv6Field.Source..Ipv6Header.Length]);
        segment.Ip = (ulong)BinaryPrimitives.ReadUInt32BigEndian(ip[Ipv6Field.VersionClassAndFlow..]) << 8 | ip[Ipv6Field.HopLimit];
        return segment.ReadTcp(bytes, bytes.Length - ip.Length, Ipv6Header.Length, length);
    }

    /// <summary>A packet whose first header is not TCP may be a segment behind extension headers. Of fragments the fragment header says more, so that a stream of long datagrams ends no
    /// super-frame.</summary>
    private static bool MayHoldTcp(ReadOnlySpan<byte> ip)
    {
        var next = ip[Ipv6Field.NextHeader];
        if (next == Ipv6Extension.Fragment && ip.Length > Ipv6Header.Length)
            next = ip[Ipv6Header.Length];
        return next is IpProtocol.Tcp or Ipv6Extension.HopByHop or Ipv6Extension.Routing or Ipv6Extension.Fragment or Ipv6Extension.Authentication or Ipv6Extension.DestinationOptions;
    }

    private SegmentKind ReadTcp(ReadOnlySpan<byte> bytes, int linkHeader, int ipHeader, int ipLength)
    {
        TcpAt = linkHeader + ipHeader;
        var tcp = bytes[TcpAt..(linkHeader + ipLength)];
        var header = TcpField.LengthOf(tcp[TcpField.DataOffset]);
        if (header < TcpField.MinLength || header > tcp.Length)
            return SegmentKind.Odd;
        Ports = MemoryMarshal.Read<uint>(tcp);
        var flags = tcp[TcpField.Flags];
        if (header == tcp.Length || (flags & ~Psh) != Ack)
            return SegmentKind.Whole;

        if (linkHeader != 0)
        {
            EthernetHigh = MemoryMarshal.Read<ulong>(bytes);
            EthernetLow = MemoryMarshal.Read<uint>(bytes[8..]);
        }

        Sequence = BinaryPrimitives.ReadUInt32BigEndian(tcp[TcpField.Sequence..]);
        Acknowledgment = MemoryMarshal.Read<uint>(tcp[TcpField.Acknowledgment..]);
        OffsetAndWindow = (ulong)tcp[TcpField.DataOffset] << 32 | (uint)(MemoryMarshal.Read<ushort>(tcp[TcpField.Window..]) << 16 | MemoryMarshal.Read<ushort>(tcp[TcpField.UrgentPointer..]));
        Headers = TcpAt + header;
        Payload = tcp.Length - header;
        Pushes = (flags & Psh) != 0;
        return SegmentKind.Mergeable;
    }
}
