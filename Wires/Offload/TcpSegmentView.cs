using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Packets;

namespace Tapwire.Wires.Offload;

/// <summary>How the coalescer treats a frame.</summary>
internal enum SegmentKind
{
    /// <summary>The frame is not TCP over IPv4.</summary>
    Foreign,

    /// <summary>TCP whose ports are not at their usual place, or missing: IP options, a fragment, a wrong header or length.</summary>
    Odd,

    /// <summary>A segment that is not merged: without payload, with other flags than ACK and PSH, or already a super-frame.</summary>
    Whole,

    /// <summary>A segment that may be merged with others.</summary>
    Mergeable,
}

/// <summary>
/// The fields of a TCP segment over IPv4 that decide on merging, read once. Fields that are only compared stay in network order.
/// </summary>
internal struct TcpSegmentView
{
    private const byte Ack = (byte)TcpFlags.Ack;
    private const byte Psh = (byte)TcpFlags.Psh;

    /// <summary>Both IP addresses.</summary>
    public ulong Addresses;

    /// <summary>Both ports.</summary>
    public uint Ports;

    /// <summary>The Ethernet addresses; 0 on raw IP. A segment to a group must not be merged with one to this station.</summary>
    public ulong EthernetHigh;

    /// <inheritdoc cref="EthernetHigh"/>
    public uint EthernetLow;

    /// <summary>Traffic class with ECN field, "don't fragment", TTL.</summary>
    public uint Ip;

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

    /// <summary>Length of the frame without the medium's padding.</summary>
    public readonly int Length => Headers + Payload;

    /// <summary>Reads a frame.</summary>
    /// <param name="linkHeader">14 on Ethernet, 0 on raw IP.</param>
    /// <param name="segment">All fields of a mergeable segment; addresses and ports of a whole one; otherwise nothing.</param>
    public static SegmentKind Read(ReadOnlySpan<byte> bytes, int linkHeader, out TcpSegmentView segment)
    {
        segment = default;
        if (bytes.Length < linkHeader + Ipv4Header.Length || bytes[linkHeader] >> 4 != 4)
            return SegmentKind.Foreign;
        if (linkHeader != 0 && BinaryPrimitives.ReadUInt16BigEndian(bytes[EthernetField.Type..]) != EtherType.Ipv4)
            return SegmentKind.Foreign;
        var ip = bytes[linkHeader..];
        if (ip[Ipv4Field.Protocol] != IpProtocol.Tcp)
            return SegmentKind.Foreign;
        var fragment = BinaryPrimitives.ReadUInt16BigEndian(ip[Ipv4Field.Fragment..]);
        int length = BinaryPrimitives.ReadUInt16BigEndian(ip[Ipv4Field.TotalLength..]);
        if (ip[Ipv4Field.VersionAndLength] != Ipv4Field.WithoutOptions || (fragment & Ipv4Field.IsFragmentMask) != 0 || length < Ipv4Header.Length + TcpField.MinLength || length > ip.Length)
            return SegmentKind.Odd;
        var tcp = ip[Ipv4Header.Length..length];
        var header = TcpField.LengthOf(tcp[TcpField.DataOffset]);
        if (header < TcpField.MinLength || header > tcp.Length)
            return SegmentKind.Odd;
        segment.Addresses = MemoryMarshal.Read<ulong>(ip[Ipv4Field.Source..]);
        segment.Ports = MemoryMarshal.Read<uint>(tcp);
        var flags = tcp[TcpField.Flags];
        if (header == tcp.Length || (flags & ~Psh) != Ack)
            return SegmentKind.Whole;

        if (linkHeader != 0)
        {
            segment.EthernetHigh = MemoryMarshal.Read<ulong>(bytes);
            segment.EthernetLow = MemoryMarshal.Read<uint>(bytes[8..]);
        }

        segment.Ip = (uint)(ip[Ipv4Field.TrafficClass] << 24 | ip[Ipv4Field.HopLimit] << 16 | fragment);
        segment.Sequence = BinaryPrimitives.ReadUInt32BigEndian(tcp[TcpField.Sequence..]);
        segment.Acknowledgment = MemoryMarshal.Read<uint>(tcp[TcpField.Acknowledgment..]);
        segment.OffsetAndWindow = (ulong)tcp[TcpField.DataOffset] << 32 | (uint)(MemoryMarshal.Read<ushort>(tcp[TcpField.Window..]) << 16 | MemoryMarshal.Read<ushort>(tcp[TcpField.UrgentPointer..]));
        segment.TcpAt = linkHeader + Ipv4Header.Length;
        segment.Headers = segment.TcpAt + header;
        segment.Payload = tcp.Length - header;
        segment.Pushes = (flags & Psh) != 0;
        return SegmentKind.Mergeable;
    }

    /// <summary>Verifies the checksums of a mergeable segment; that of TCP only if the inner wire has not.</summary>
    /// <param name="frame">The frame; padding does no harm.</param>
    /// <param name="state">The inner wire's note about TCP's checksum.</param>
    public readonly bool Verify(ReadOnlySpan<byte> frame, ChecksumState state = ChecksumState.None)
    {
        var ip = frame.Slice(TcpAt - Ipv4Header.Length, Ipv4Header.Length);
        if (Checksum.Sum(ip) != 0xFFFF)
            return false;
        if (state != ChecksumState.None)
            return true;
        var tcp = frame[TcpAt..Length];
        var pseudo = Checksum.Sum(ip.Slice(Ipv4Field.Source, 8), (uint)(IpProtocol.Tcp + tcp.Length));
        return Checksum.Sum(tcp, pseudo) == 0xFFFF;
    }
}
