using System.Buffers.Binary;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Packets;

namespace Tapwire.Tests.Wires.Offload;

/// <summary>An Ethernet frame with a TCP segment, 10.0.0.1 to 10.0.0.2 or fd00::a00:1 to fd00::a00:2, or the super-frame of several; a spec changes what it is about.</summary>
internal sealed record SegmentFrame
{
    public const int EthernetLength = 14;
    public const byte Ack = 16;
    public const byte Psh = 8;

    public static readonly byte[] Timestamp = [1, 1, 8, 10, 0, 0, 0, 7, 0, 0, 0, 5];

    /// <summary>Over IPv6, which has neither identification nor fragment field.</summary>
    public bool IsV6 { get; init; }

    public string Macs { get; init; } = "020000000002020000000001";

    public byte TrafficClass { get; init; }

    public ushort Identification { get; init; }

    /// <summary>"Don't fragment", unless a spec says otherwise.</summary>
    public ushort FragmentField { get; init; } = 0x4000;

    /// <summary>Of IPv6.</summary>
    public uint FlowLabel { get; init; } = 0x12345;

    public byte HopLimit { get; init; } = 64;

    /// <summary>The source address, or its end.</summary>
    public uint Source { get; init; } = 0x0A000001;

    public byte[] IpOptions { get; init; } = [];

    /// <summary>Extension headers of IPv6, the last one of which names TCP, and the number of the first.</summary>
    public byte[] Extensions { get; init; } = [];

    /// <inheritdoc cref="Extensions"/>
    public byte FirstExtension { get; init; } = IpProtocol.Tcp;

    public ushort SourcePort { get; init; } = 1000;

    public ushort DestinationPort { get; init; } = 80;

    public uint Sequence { get; init; } = 1;

    public uint Acknowledgment { get; init; } = 5000;

    public byte Reserved { get; init; }

    public byte Flags { get; init; } = Ack;

    public ushort Window { get; init; } = 8192;

    public ushort UrgentPointer { get; init; }

    public byte[] Options { get; init; } = Timestamp;

    public byte[] Payload { get; init; } = [];

    /// <summary>Of the segment's own, without the link's padding.</summary>
    public int HeaderLength => TcpAt + IpOptions.Length + TcpHeader.MinLength + Options.Length;

    /// <summary>Where TCP's header is without IP options and extension headers.</summary>
    public int TcpAt => EthernetLength + (IsV6 ? Ipv6Header.Length : Ipv4Header.Length);

    public Segmentation Segmentation => IsV6 ? Segmentation.TcpV6 : Segmentation.TcpV4;

    /// <summary>The frame with both checksums, or with the pseudo-header's sum in TCP's field.</summary>
    public byte[] ToBytes(bool partial = false)
    {
        var tcpLength = TcpHeader.MinLength + Options.Length + Payload.Length;
        var ipLength = TcpAt - EthernetLength + IpOptions.Length + Extensions.Length;
        var frame = new byte[EthernetLength + ipLength + tcpLength];
        Convert.FromHexString(Macs).CopyTo(frame, 0);
        BinaryPrimitives.WriteUInt16BigEndian(frame.AsSpan(12), IsV6 ? EtherType.Ipv6 : EtherType.Ipv4);
        var ip = frame.AsSpan(EthernetLength);
        var addresses = IsV6 ? PutIpv6(ip) : PutIpv4(ip, ipLength);
        var tcp = ip[ipLength..];
        BinaryPrimitives.WriteUInt16BigEndian(tcp, SourcePort);
        BinaryPrimitives.WriteUInt16BigEndian(tcp[2..], DestinationPort);
        BinaryPrimitives.WriteUInt32BigEndian(tcp[4..], Sequence);
        BinaryPrimitives.WriteUInt32BigEndian(tcp[8..], Acknowledgment);
        tcp[12] = (byte)((TcpHeader.MinLength + Options.Length) / 4 << 4 | Reserved);
        tcp[13] = Flags;
        BinaryPrimitives.WriteUInt16BigEndian(tcp[14..], Window);
        BinaryPrimitives.WriteUInt16BigEndian(tcp[18..], UrgentPointer);
        Options.CopyTo(tcp[20..]);
        Payload.CopyTo(tcp[(20 + Options.Length)..]);
        var pseudo = Sum(addresses, (uint)(IpProtocol.Tcp + tcpLength));
        BinaryPrimitives.WriteUInt16BigEndian(tcp[16..], partial ? (ushort)pseudo : (ushort)~Sum(tcp, pseudo));
        return frame;
    }

    /// <summary>The super-frame that is cut into segments of so much payload, in pieces as random as given; without, in one piece.</summary>
    public PacketBuffer ToSuperFrame(BufferPool pool, int segmentSize, Random? pieces = null)
    {
        var bytes = ToBytes(partial: true);
        var first = pieces is null ? bytes.Length : HeaderLength + pieces.Next(2) * pieces.Next(Payload.Length);
        var frame = pool.Rent(first);
        bytes.AsSpan(0, first).CopyTo(frame.Append(first));
        for (var at = first; at < bytes.Length;)
        {
            var last = frame.FragmentCount == PacketBuffer.MaxFragments - 1;
            var count = last ? bytes.Length - at : Math.Min(bytes.Length - at, pieces!.Next(1, 1 + (bytes.Length / pieces.Next(1, 20))));
            var piece = pool.Rent(count + 10);
            bytes.AsSpan(at, count).CopyTo(piece.Append(count + 10)[7..]);
            frame.AddFragment(piece, 7, count);
            piece.Release();
            at += count;
        }

        frame.Offload = new OffloadNote
        {
            Checksum = ChecksumState.Partial, Segmentation = Segmentation, ChecksumStart = (ushort)TcpAt, ChecksumOffset = 16,
            HeaderLength = (ushort)HeaderLength, SegmentSize = (ushort)segmentSize, Ecn = (Flags & 128) != 0,
        };
        return frame;
    }

    /// <summary>The payload in segments, as a sender without offloads makes them; it may be more than one packet could carry.</summary>
    public List<byte[]> ToSegments(int segmentSize)
    {
        var segments = new List<byte[]>();
        for (var at = 0; at < Payload.Length; at += segmentSize)
        {
            var last = at + segmentSize >= Payload.Length;
            var flags = Flags & (last ? 0xFF : ~(1 | Psh)) & (at == 0 ? 0xFF : ~128);
            segments.Add((this with
            {
                Sequence = Sequence + (uint)at, Identification = (ushort)(Identification + segments.Count), Flags = (byte)flags,
                Payload = Payload[at..Math.Min(Payload.Length, at + segmentSize)],
            }).ToBytes());
        }

        return segments;
    }

    /// <summary>A super-frame as chance has it.</summary>
    public static SegmentFrame Chance(Random random, int least, int most, bool isV6 = false)
    {
        var payload = new byte[random.Next(least, most)];
        random.NextBytes(payload);
        return new SegmentFrame
        {
            IsV6 = isV6, FlowLabel = (uint)random.Next(1 << 20), TrafficClass = (byte)random.Next(256), Identification = (ushort)random.Next(65536), FragmentField = (ushort)(random.Next(2) * 0x4000),
            HopLimit = (byte)random.Next(1, 256), Source = (uint)random.Next(), SourcePort = (ushort)random.Next(65536), Sequence = (uint)random.NextInt64(1L << 32),
            Acknowledgment = (uint)random.Next(), Window = (ushort)random.Next(65536), Options = random.Next(2) == 0 ? [] : Timestamp, Payload = payload,
            Flags = (byte)(Ack | random.Next(2) * Psh),
        };
    }

    public static byte[] BytesOf(PacketBuffer frame)
    {
        var bytes = new byte[frame.TotalLength];
        frame.CopyTo(bytes);
        return bytes;
    }

    /// <returns>The addresses.</returns>
    private Span<byte> PutIpv4(Span<byte> ip, int length)
    {
        ip[0] = (byte)(0x40 | length / 4);
        ip[1] = TrafficClass;
        BinaryPrimitives.WriteUInt16BigEndian(ip[2..], (ushort)ip.Length);
        BinaryPrimitives.WriteUInt16BigEndian(ip[4..], Identification);
        BinaryPrimitives.WriteUInt16BigEndian(ip[6..], FragmentField);
        ip[8] = HopLimit;
        ip[9] = IpProtocol.Tcp;
        BinaryPrimitives.WriteUInt32BigEndian(ip[12..], Source);
        BinaryPrimitives.WriteUInt32BigEndian(ip[16..], 0x0A000002);
        IpOptions.CopyTo(ip[20..]);
        BinaryPrimitives.WriteUInt16BigEndian(ip[10..], (ushort)~Sum(ip[..length], 0));
        return ip.Slice(12, 8);
    }

    /// <inheritdoc cref="PutIpv4"/>
    private Span<byte> PutIpv6(Span<byte> ip)
    {
        BinaryPrimitives.WriteUInt32BigEndian(ip, 6u << 28 | (uint)TrafficClass << 20 | FlowLabel);
        BinaryPrimitives.WriteUInt16BigEndian(ip[4..], (ushort)(ip.Length - Ipv6Header.Length));
        ip[6] = FirstExtension;
        ip[7] = HopLimit;
        foreach (var (at, end) in (ReadOnlySpan<(int, uint)>)[(8, Source), (24, 0x0A000002)])
        {
            ip[at] = 0xFD;
            BinaryPrimitives.WriteUInt32BigEndian(ip[(at + 12)..], end);
        }

        Extensions.CopyTo(ip[Ipv6Header.Length..]);
        return ip.Slice(8, 32);
    }

    /// <summary>The sum of RFC 1071 word by word: another way than the one it checks.</summary>
    private static uint Sum(ReadOnlySpan<byte> data, uint sum)
    {
        for (var i = 0; i < data.Length; i += 2)
            sum += (uint)(data[i] << 8 | (i + 1 < data.Length ? data[i + 1] : 0));
        while (sum > 0xFFFF)
            sum = (sum & 0xFFFF) + (sum >> 16);
        return sum;
    }
}
