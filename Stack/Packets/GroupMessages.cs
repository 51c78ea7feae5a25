using System.Buffers.Binary;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Ip;

namespace Tapwire.Stack.Packets;

/// <summary>IGMP message types (RFC 1112, RFC 2236, RFC 3376). Those of MLD are in <see cref="Icmpv6Type"/>.</summary>
public static class IgmpType
{
    public const byte Query = 0x11;
    public const byte ReportV1 = 0x12;
    public const byte ReportV2 = 0x16;
    public const byte Leave = 0x17;
    public const byte ReportV3 = 0x22;
}

/// <summary>What a record of a report says (RFC 3376, 4.2.12; RFC 3810, 5.2.12).</summary>
public enum GroupRecordType : byte
{
    ModeIsInclude = 1,
    ModeIsExclude = 2,
    ChangeToInclude = 3,
    ChangeToExclude = 4,
    AllowNewSources = 5,
    BlockOldSources = 6,
}

/// <summary>A record of an IGMPv3 or MLDv2 report.</summary>
/// <param name="Sources">At most 65,535, of the group's family.</param>
public readonly record struct GroupRecord(GroupRecordType Type, IpAddress Group, IReadOnlyList<IpAddress> Sources)
{
    /// <summary>Bytes on the wire.</summary>
    public int Length => HeaderLength(Group) + Sources.Count * Group.Length;

    /// <summary>Bytes of a record without sources.</summary>
    public static int HeaderLength(IpAddress group) => 4 + group.Length;
}

/// <summary>A query of any version of IGMP or MLD (RFC 3376, 4.1 and 7.1; RFC 3810, 5.1 and 8.1).</summary>
public readonly ref struct GroupQuery
{
    private const int IgmpLength = 8;
    private const int IgmpV3Length = 12;
    private const int MldLength = 24;
    private const int MldV2Length = 28;
    private const int AddressLengthV6 = 16;

    /// <summary>Of IGMPv1, which has no field for it (RFC 3376, 8.3).</summary>
    private static readonly TimeSpan DefaultMaxResponse = TimeSpan.FromSeconds(10);

    private readonly ReadOnlySpan<byte> _sources;

    private GroupQuery(int version, TimeSpan maxResponse, IpAddress group, ReadOnlySpan<byte> more, int sources)
    {
        Version = version;
        MaxResponse = maxResponse;
        Group = group;
        if (more.IsEmpty)
            return;
        Robustness = more[0] & 7;
        Interval = TimeSpan.FromSeconds(Decode8(more[1]));
        _sources = more[4..(4 + sources * group.Length)];
    }

    /// <summary>1..3 of IGMP, 1 and 2 of MLD.</summary>
    public int Version { get; }

    /// <summary>How long an answer may wait.</summary>
    public TimeSpan MaxResponse { get; }

    /// <summary>The group that is asked about; unspecified: all.</summary>
    public IpAddress Group { get; }

    /// <summary>The querier's robustness variable; 0: it says none.</summary>
    public int Robustness { get; }

    /// <summary>The querier's query interval; zero: it says none.</summary>
    public TimeSpan Interval { get; }

    /// <summary>Sources that are asked about; 0: all.</summary>
    public int SourceCount => _sources.IsEmpty ? 0 : _sources.Length / Group.Length;

    /// <param name="index">Below <see cref="SourceCount"/>.</param>
    public IpAddress Source(int index) => IpAddress.FromBytes(_sources.Slice(index * Group.Length, Group.Length));

    /// <summary>Reads an IGMP query, whose type has been looked at.</summary>
    /// <returns>False: its length is none of a query, or its sources are beyond its end.</returns>
    public static bool TryParseIgmp(ReadOnlySpan<byte> message, out GroupQuery query)
    {
        query = default;
        if (message.Length < IgmpLength)
            return false;
        var group = IpAddress.FromBytes(message.Slice(4, 4));
        var code = message[1];
        if (message.Length == IgmpLength)
        {
            query = code == 0 ? new GroupQuery(1, DefaultMaxResponse, group, default, 0) : new GroupQuery(2, Tenths(code), group, default, 0);
            return true;
        }

        if (message.Length < IgmpV3Length)
            return false;
        int sources = BinaryPrimitives.ReadUInt16BigEndian(message[10..]);
        if (message.Length < IgmpV3Length + sources * group.Length)
            return false;
        query = new GroupQuery(3, Tenths(Decode8(code)), group, message[IgmpLength..], sources);
        return true;
    }

    /// <summary>Reads an MLD query, whose type has been looked at.</summary>
    /// <inheritdoc cref="TryParseIgmp"/>
    public static bool TryParseMld(ReadOnlySpan<byte> message, out GroupQuery query)
    {
        query = default;
        if (message.Length < MldLength)
            return false;
        var group = IpAddress.FromBytes(message.Slice(8, AddressLengthV6));
        int code = BinaryPrimitives.ReadUInt16BigEndian(message[4..]);
        // A group in IPv6's form of an IPv4 address would be one of the other family here.
        if (group.IsV4)
            return false;
        if (message.Length == MldLength)
        {
            query = new GroupQuery(1, TimeSpan.FromMilliseconds(code), group, default, 0);
            return true;
        }

        if (message.Length < MldV2Length)
            return false;
        int sources = BinaryPrimitives.ReadUInt16BigEndian(message[26..]);
        if (message.Length < MldV2Length + sources * AddressLengthV6)
            return false;
        var delay = code < 0x8000 ? code : ((code & 0xFFF) | 0x1000) << (((code >> 12) & 7) + 3);
        query = new GroupQuery(2, TimeSpan.FromMilliseconds(delay), group, message[MldLength..], sources);
        return true;
    }

    private static TimeSpan Tenths(int count) => TimeSpan.FromMilliseconds(100 * count);

    /// <summary>RFC 3376, 4.1.1: large numbers as a mantissa and an exponent.</summary>
    private static int Decode8(byte code) => code < 0x80 ? code : ((code & 0xF) | 0x10) << (((code >> 4) & 7) + 3);
}

/// <summary>Makes whole packets with what a host reports. They say "router alert", and go no further than the link.</summary>
public static class GroupReport
{
    /// <summary>Bytes of IP header and option before the message.</summary>
    public const int HeadersV4 = Ipv4Header.Length + 4;

    /// <inheritdoc cref="HeadersV4"/>
    public const int HeadersV6 = Ipv6Header.Length + 8;

    /// <summary>Bytes of a report without records.</summary>
    public const int Length = 8;

    /// <summary>224.0.0.22, all IGMPv3 routers.</summary>
    private static readonly IpAddress RoutersV3 = IpAddress.FromV4(0xE000_0016);

    /// <summary>224.0.0.2, all routers.</summary>
    private static readonly IpAddress RoutersV4 = IpAddress.FromV4(0xE000_0002);

    /// <summary>ff02::16, all MLDv2 routers.</summary>
    private static readonly IpAddress RoutersMld = IpAddress.FromHalves(0xFF02_0000_0000_0000, 0x16);

    /// <summary>DSCP CS6, "internetwork control" (RFC 3376, 4).</summary>
    private const byte TrafficClass = 0xC0;

    private static ReadOnlySpan<byte> RouterAlertV4 => [0x94, 4, 0, 0];

    /// <summary>A hop-by-hop options header with router alert 0, MLD (RFC 2711), and padding.</summary>
    private static ReadOnlySpan<byte> RouterAlertV6 => [IpProtocol.Icmpv6, 0, 5, 2, 0, 0, 1, 0];

    /// <summary>An IGMPv3 or MLDv2 report.</summary>
    /// <param name="source">An address of the interface; unspecified where there is none yet (RFC 3376, 4.2.13; RFC 3810, 5.2.13).</param>
    /// <param name="records">All of one family, which fit a packet together.</param>
    public static PacketBuffer Make(BufferPool pool, IpAddress source, IReadOnlyList<GroupRecord> records)
    {
        var isV6 = records[0].Group.IsV6;
        var length = Length;
        foreach (var record in records)
            length += record.Length;
        var packet = Begin(pool, isV6, length, out var message);
        message[0] = isV6 ? Icmpv6Type.MulticastListenerReportV2 : IgmpType.ReportV3;
        BinaryPrimitives.WriteUInt16BigEndian(message[6..], (ushort)records.Count);
        var rest = message[Length..];
        foreach (var record in records)
        {
            rest[0] = (byte)record.Type;
            BinaryPrimitives.WriteUInt16BigEndian(rest[2..], (ushort)record.Sources.Count);
            record.Group.CopyTo(rest[4..]);
            rest = rest[GroupRecord.HeaderLength(record.Group)..];
            foreach (var each in record.Sources)
            {
                each.CopyTo(rest);
                rest = rest[each.Length..];
            }
        }

        Finish(packet, source, isV6 ? RoutersMld : RoutersV3);
        return packet;
    }

    /// <summary>A report of an older version, to the group itself.</summary>
    /// <param name="oldest">IGMPv1's.</param>
    public static PacketBuffer MakeOlder(BufferPool pool, IpAddress source, IpAddress group, bool oldest) =>
        MakeOlder(pool, source, group, group, group.IsV6 ? Icmpv6Type.MulticastListenerReport : oldest ? IgmpType.ReportV1 : IgmpType.ReportV2);

    /// <summary>IGMPv2's "leave group", or MLDv1's "done".</summary>
    public static PacketBuffer MakeLeave(BufferPool pool, IpAddress source, IpAddress group) =>
        MakeOlder(pool, source, group, group.IsV6 ? IpAddress.AllRouters : RoutersV4, group.IsV6 ? Icmpv6Type.MulticastListenerDone : IgmpType.Leave);

    private static PacketBuffer MakeOlder(BufferPool pool, IpAddress source, IpAddress group, IpAddress destination, byte type)
    {
        var packet = Begin(pool, group.IsV6, group.IsV6 ? 24 : 8, out var message);
        message[0] = type;
        group.CopyTo(message[(group.IsV6 ? 8 : 4)..]);
        Finish(packet, source, destination);
        return packet;
    }

    private static PacketBuffer Begin(BufferPool pool, bool isV6, int length, out Span<byte> message)
    {
        var headers = isV6 ? HeadersV6 : HeadersV4;
        var packet = pool.Rent(headers + length, BufferPool.HeaderRoom);
        var bytes = packet.Append(headers + length);
        bytes.Clear();
        message = bytes[headers..];
        return packet;
    }

    private static void Finish(PacketBuffer packet, IpAddress source, IpAddress destination)
    {
        var bytes = packet.Span;
        if (destination.IsV6)
        {
            var message = bytes[HeadersV6..];
            new Ipv6Header { Source = source, Destination = destination, NextHeader = Ipv6Extension.HopByHop, HopLimit = 1, PayloadLength = (ushort)(bytes.Length - Ipv6Header.Length) }.Emit(bytes);
            RouterAlertV6.CopyTo(bytes[Ipv6Header.Length..]);
            PutChecksum(message, Checksum.PseudoHeader(source, destination, IpProtocol.Icmpv6, message.Length));
            return;
        }

        new Ipv4Header
        {
            Source = source, Destination = destination, Protocol = IpProtocol.Igmp, HopLimit = 1, TrafficClass = TrafficClass, DontFragment = true,
            PayloadLength = (ushort)(bytes.Length - Ipv4Header.Length),
        }.Emit(bytes);
        RouterAlertV4.CopyTo(bytes[Ipv4Header.Length..]);
        bytes[Ipv4Field.VersionAndLength] = 0x40 | HeadersV4 / 4;
        bytes.Slice(Ipv4Field.Checksum, 2).Clear();
        BinaryPrimitives.WriteUInt16BigEndian(bytes[Ipv4Field.Checksum..], Checksum.Finish(Checksum.Sum(bytes[..HeadersV4])));
        PutChecksum(bytes[HeadersV4..], 0);
    }

    /// <summary>IGMP and ICMPv6 have it in the same place.</summary>
    private static void PutChecksum(Span<byte> message, uint sum) =>
        BinaryPrimitives.WriteUInt16BigEndian(message[Icmpv6Header.ChecksumOffset..], Checksum.Finish(Checksum.Sum(message, sum)));
}
