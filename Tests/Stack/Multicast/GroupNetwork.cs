using System.Buffers.Binary;
using Tapwire.Stack;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Interfaces;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Multicast;
using Tapwire.Stack.Packets;
using Tapwire.Stack.Udp;
using Tapwire.Tests.Support;
using Xunit;

namespace Tapwire.Tests.Stack.Multicast;

/// <summary>A stack with sockets in groups of one family, and the routers and senders of its link, which the spec plays.</summary>
internal sealed class GroupNetwork : IDisposable
{
    public const ushort Port = 5000;

    private readonly List<UdpSocket> _sockets = [];

    public GroupNetwork(bool isV6)
    {
        IsV6 = isV6;
        Assert.Equal(StackError.None, Harness.Stack.AddAddress(IpPrefix.Parse("fd00::1/64"), Harness.Now));
        Harness.Advance(TimeSpan.FromSeconds(5));
        Harness.Frames();
    }

    public bool IsV6 { get; }

    public StackHarness Harness { get; } = new();

    public NetworkStack Stack => Harness.Stack;

    public IpAddress Group => At("239.1.2.3", "ff15::123");

    public IpAddress OtherGroup => At("239.9.9.9", "ff15::999");

    /// <summary>A sender of the link.</summary>
    public IpAddress Source => SourceAt(2);

    public IpAddress Own => At("10.0.0.1", "fd00::1");

    public IpAddress Router => At("10.0.0.9", "fe80::9");

    public IpAddress SourceAt(int number) => At($"10.0.{number >> 8}.{number & 255}", $"fd00::{number:x}");

    public UdpSocket Open(UdpSocketOptions? options = null, IpAddress bound = default, ushort port = Port)
    {
        Assert.Equal(StackError.None, Stack.Udp.Bind(new IpEndpoint(bound, port), options ?? new UdpSocketOptions { ReuseAddress = true }, out var socket));
        _sockets.Add(socket!);
        return socket!;
    }

    public UdpSocket Joined(UdpSocketOptions? options = null)
    {
        var socket = Open(options);
        Assert.Equal(StackError.None, Change(socket, MembershipAction.Join));
        return socket;
    }

    public StackError Change(UdpSocket socket, MembershipAction action, int source = 0, SourceFilter? filter = null, IpAddress? group = null) =>
        socket.ChangeMembership(new MembershipChange(action, group ?? Group) { Interface = 0, Source = source == 0 ? default : SourceAt(source), Filter = filter });

    /// <summary>A sender's datagram comes off the wire.</summary>
    public void Arrives(int source, byte payload = 1, IpAddress? group = null) => Harness.Receive(Datagram(source, payload, group));

    public byte[] Datagram(int source, byte payload = 1, IpAddress? group = null)
    {
        var to = group ?? Group;
        var mac = MacAddress.OfGroup(to);
        if (!IsV6)
            return Build.Udp(7000, Port, [payload], SourceAt(source), to, mac);
        var datagram = new byte[UdpHeader.Length + 1];
        new UdpHeader(7000, Port, 1).Emit(datagram);
        datagram[^1] = payload;
        var sum = Checksum.PseudoHeader(SourceAt(source), to, IpProtocol.Udp, datagram.Length);
        BinaryPrimitives.WriteUInt16BigEndian(datagram.AsSpan(UdpHeader.ChecksumOffset), Checksum.Finish(Checksum.Sum(datagram, sum)));
        return Build.Ethernet(EtherType.Ipv6, Ipv6(SourceAt(source), to, IpProtocol.Udp, 1, datagram), mac);
    }

    /// <summary>The payloads that a socket has received, the first byte of each.</summary>
    public static List<byte> Received(UdpSocket socket)
    {
        var all = new List<byte>();
        while (socket.TryReceive(out var payload, out _, out _))
        {
            all.Add(payload.Span[0]);
            payload.Release();
        }

        return all;
    }

    /// <summary>A query of the current version.</summary>
    /// <param name="group">Unspecified: about all groups.</param>
    public void Query(IpAddress group = default, int[]? sources = null, byte robustness = 2) => Send(QueryBytes(group, sources, robustness), group);

    /// <summary>IGMPv2's or MLDv1's, or IGMPv1's.</summary>
    public void QueryOlder(IpAddress group = default, bool oldest = false)
    {
        var message = new byte[IsV6 ? 24 : 8];
        message[0] = IsV6 ? Icmpv6Type.MulticastListenerQuery : IgmpType.Query;
        if (IsV6)
            BinaryPrimitives.WriteUInt16BigEndian(message.AsSpan(4), 1000);
        else
            message[1] = (byte)(oldest ? 0 : 10);
        if (!group.IsUnspecified)
            group.CopyTo(message.AsSpan(IsV6 ? 8 : 4));
        Send(message, group);
    }

    /// <summary>Another host's report of the older version.</summary>
    public void ReportOlder(IpAddress group)
    {
        var message = new byte[IsV6 ? 24 : 8];
        message[0] = IsV6 ? Icmpv6Type.MulticastListenerReport : IgmpType.ReportV2;
        group.CopyTo(message.AsSpan(IsV6 ? 8 : 4));
        Send(message, group);
    }

    public byte[] QueryBytes(IpAddress group, int[]? sources, byte robustness)
    {
        var size = IsV6 ? 16 : 4;
        var at = IsV6 ? 8 : 4;
        var message = new byte[at + size + 4 + (sources?.Length ?? 0) * size];
        message[0] = IsV6 ? Icmpv6Type.MulticastListenerQuery : IgmpType.Query;
        if (IsV6)
            BinaryPrimitives.WriteUInt16BigEndian(message.AsSpan(4), 1000);
        else
            message[1] = 10;
        if (!group.IsUnspecified)
            group.CopyTo(message.AsSpan(at));
        message[at + size] = robustness;
        message[at + size + 1] = 125;
        BinaryPrimitives.WriteUInt16BigEndian(message.AsSpan(at + size + 2), (ushort)(sources?.Length ?? 0));
        foreach (var (i, source) in (sources ?? []).Index())
            SourceAt(source).CopyTo(message.AsSpan(at + size + 4 + i * size));
        return message;
    }

    /// <param name="message">Its checksum is filled in.</param>
    /// <param name="to">Unspecified: all hosts.</param>
    public void Send(byte[] message, IpAddress to, byte hopLimit = 1, IpAddress? from = null, bool alert = true, bool spoilt = false)
    {
        var destination = to.IsUnspecified ? At("224.0.0.1", "ff02::1") : to;
        var source = from ?? Router;
        message.AsSpan(2, 2).Clear();
        var sum = IsV6 ? Checksum.PseudoHeader(source, destination, IpProtocol.Icmpv6, message.Length) : 0;
        BinaryPrimitives.WriteUInt16BigEndian(message.AsSpan(2), (ushort)(Checksum.Finish(Checksum.Sum(message, sum)) ^ (spoilt ? 1 : 0)));
        var mac = destination == Own ? StackHarness.OwnMac : MacAddress.OfGroup(destination);
        if (!IsV6)
            Harness.Receive(Build.Ipv4(IpProtocol.Igmp, message, source, destination, mac, hopLimit));
        else if (alert)
            Harness.Receive(Build.Ethernet(EtherType.Ipv6, Ipv6(source, destination, 0, hopLimit, [IpProtocol.Icmpv6, 0, 5, 2, 0, 0, 1, 0, .. message]), mac));
        else
            Harness.Receive(Build.Ethernet(EtherType.Ipv6, Ipv6(source, destination, IpProtocol.Icmpv6, hopLimit, message), mac));
    }

    /// <summary>What the stack has told the network since, a line for each record or message.</summary>
    public List<string> Reports() => [.. Harness.Frames().SelectMany(Describe)];

    /// <summary>The same after some time.</summary>
    public List<string> ReportsWithin(double seconds)
    {
        Harness.Advance(TimeSpan.FromSeconds(seconds));
        return Reports();
    }

    public void Dispose()
    {
        _sockets.ForEach(static socket => socket.Close());
        Harness.Advance(TimeSpan.Zero);
        foreach (var each in Stack.Interfaces)
            each.DropFrames();
        Harness.Dispose();
    }

    private IpAddress At(string v4, string v6) => IpAddress.Parse(IsV6 ? v6 : v4);

    private static byte[] Ipv6(IpAddress source, IpAddress destination, byte next, byte hopLimit, ReadOnlySpan<byte> payload)
    {
        var packet = new byte[Ipv6Header.Length + payload.Length];
        new Ipv6Header { Source = source, Destination = destination, NextHeader = next, HopLimit = hopLimit, PayloadLength = (ushort)payload.Length }.Emit(packet);
        payload.CopyTo(packet.AsSpan(Ipv6Header.Length));
        return packet;
    }

    private IEnumerable<string> Describe(byte[] frame)
    {
        var packet = frame.AsSpan(EthernetHeader.Length);
        var destination = IpAddress.FromBytes(IsV6 ? packet[24..40] : packet[16..20]);
        Assert.Equal(MacAddress.OfGroup(destination), MacAddress.FromBytes(frame));
        Assert.Equal(1, IsV6 ? packet[7] : packet[8]);
        var message = packet[(IsV6 ? GroupReport.HeadersV6 : GroupReport.HeadersV4)..];
        // A router alert in front of a message whose checksum is right.
        Assert.Equal(IsV6 ? [IpProtocol.Icmpv6, 0, 5, 2, 0, 0, 1, 0] : [0x94, 4, 0, 0], packet[(IsV6 ? 40 : 20)..(IsV6 ? 48 : 24)].ToArray());
        var sum = IsV6 ? Checksum.PseudoHeader(IpAddress.FromBytes(packet[8..24]), destination, IpProtocol.Icmpv6, message.Length) : 0;
        Assert.Equal(0xFFFFu, Checksum.Sum(message, sum));
        return (message[0], IsV6) switch
        {
            (Icmpv6Type.MulticastListenerReportV2, true) or (IgmpType.ReportV3, false) => Records(message),
            (Icmpv6Type.MulticastListenerReport, true) or (IgmpType.ReportV2, false) => [$"report {GroupOf(message)} to {destination}"],
            (Icmpv6Type.MulticastListenerDone, true) or (IgmpType.Leave, false) => [$"leave {GroupOf(message)} to {destination}"],
            (IgmpType.ReportV1, false) => [$"oldest report {GroupOf(message)} to {destination}"],
            var (type, _) => [$"type {type}"],
        };
    }

    private IpAddress GroupOf(ReadOnlySpan<byte> message) => IpAddress.FromBytes(IsV6 ? message[8..24] : message[4..8]);

    private List<string> Records(ReadOnlySpan<byte> message)
    {
        var size = IsV6 ? 16 : 4;
        var records = new List<string>();
        var rest = message[8..];
        for (int left = BinaryPrimitives.ReadUInt16BigEndian(message[6..]); left > 0; left--)
        {
            var group = IpAddress.FromBytes(rest.Slice(4, size));
            var sources = new List<int>();
            int count = BinaryPrimitives.ReadUInt16BigEndian(rest[2..]);
            for (var i = 0; i < count; i++)
                sources.Add(rest[4 + size + i * size + size - 1]);
            // Those of own addresses have a spec of their own.
            if (!IsV6 || group.SolicitedNode != group)
                records.Add($"{(GroupRecordType)rest[0]} {(group == Group ? "group" : group == OtherGroup ? "other" : $"{group}")} {{{string.Join(' ', sources)}}}");
            rest = rest[(4 + size + count * size)..];
        }

        Assert.True(rest.IsEmpty);
        return records;
    }
}
