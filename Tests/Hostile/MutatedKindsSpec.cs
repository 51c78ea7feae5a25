using System.Globalization;
using Tapwire.Stack;
using Tapwire.Stack.Dhcp;
using Tapwire.Stack.Interfaces;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Multicast;
using Tapwire.Stack.Packets;
using Tapwire.Stack.Udp;
using Tapwire.Tests.Stack.Dhcp;
using Tapwire.Tests.Support;
using Xunit;
using Xunit.Abstractions;

namespace Tapwire.Tests.Hostile;

/// <summary>
/// Changed messages of one kind at a time, so that each kind gets as many as all together elsewhere: no exception, no leak, tables and memory within their bounds, and who is attacked still works. A part of
/// a million of each; TAPWIRE_HOSTILE_MESSAGES=1000000 sends all of them. (DNS, multicast DNS and DHCPv6 have such specs of their own.)
/// </summary>
public sealed class MutatedKindsSpec(ITestOutputHelper output)
{
    private const int Seed = 20261201;

    private static readonly IpAddress GroupV4 = IpAddress.Parse("239.1.2.3");
    private static readonly IpAddress GroupV6 = IpAddress.Parse("ff15::123");

    private static readonly int Messages =
        int.TryParse(Environment.GetEnvironmentVariable("TAPWIRE_HOSTILE_MESSAGES"), NumberStyles.None, CultureInfo.InvariantCulture, out var count) ? count : 20_000;

    public static TheoryData<string> Kinds => ["arp", "icmp", "igmp", "options", "fragments", "ndp", "icmpv6", "mld", "extension headers", "ipv6 fragments"];

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Changed_frames_of_one_kind_do_no_harm(string kind)
    {
        using var h = new StackHarness(new StackOptions
        {
            Interfaces = [new() { HardwareAddress = StackHarness.OwnMac, Autoconfiguration = new() { Secret = new byte[16] } }],
            Neighbors = new() { Entries = 64 },
            Fragments = new() { Memory = 512 << 10 },
        });
        BuildV6.Add(h, $"{BuildV6.Own}/64");
        Assert.Equal(StackError.None, h.Stack.Udp.Bind(new IpEndpoint(default, 53), new(), out var receiver));
        foreach (var group in (IpAddress[])[GroupV4, GroupV6])
            receiver!.ChangeMembership(new MembershipChange(MembershipAction.Join, group) { Interface = 0 });
        h.Advance(TimeSpan.FromSeconds(3));
        h.Frames();
        var templates = TemplatesOf(kind);
        var random = new Random(Seed);
        var rented = 0L;
        for (var i = 0; i < Messages; i++)
        {
            var frame = Tampering.Mutated(templates[random.Next(templates.Count)], templates, random);
            if (random.Next(3) != 0)
                Tampering.Repair(frame);
            var before = AccountedFor(h);
            h.Receive(frame);
            Assert.True(AccountedFor(h) > before, $"No counter says what has become of frame {i}: {Convert.ToHexString(frame)}");
            if (i % 64 != 0)
                continue;
            h.Frames();
            while (receiver!.TryReceive(out var payload, out _))
                payload.Release();
            rented = Math.Max(rented, h.Pool.Rented);
            Assert.InRange(h.Stack.FragmentMemory, 0, 512 << 10);
            Assert.InRange(h.Stack.Neighbors.Count, 0, 64);
            Assert.InRange(h.Stack.Routes.Count, 0, 80);
            Assert.InRange(h.Stack.Addresses.Count, 1, 64);
            h.Advance(TimeSpan.FromMilliseconds(random.Next(20) == 0 ? random.Next(100_000) : random.Next(10)));
        }

        output.WriteLine($"{Messages} frames, at most {rented} buffers; {string.Join(", ", h.Counters.All().Where(static counter => counter.Value > 0).Select(static counter => $"{counter.Name} {counter.Value}"))}");
        Assert.InRange(rented, 0, 4000);
        // All that hangs on time comes to its end, and both families are still served.
        h.Advance(TimeSpan.FromHours(3));
        h.Frames();
        receiver!.Close();
        h.Frames();
        h.Advance(TimeSpan.FromSeconds(30)); // it leaves its groups
        h.Frames();
        if (h.Stack.Addresses.Any(static own => own.Address == StackHarness.OwnIp))
        {
            h.Receive(Build.Arp(new ArpPacket(ArpOperation.Request, StackHarness.PeerMac, StackHarness.PeerIp, default, StackHarness.OwnIp), MacAddress.Broadcast));
            h.Frames();
            Assert.Contains(h.Answers(Build.Icmp(Icmpv4Header.EchoRequest(7, 7), "still there"u8)), static answer => answer.AsSpan().IndexOf("still there"u8) >= 0);
        }
        else
        {
            Assert.Equal("arp", kind); // another station has claimed it often enough (RFC 5227, 2.4)
        }

        h.Receive(BuildV6.Solicitation(BuildV6.Own));
        h.Frames();
        h.Receive(BuildV6.Echo(56));
        Assert.NotEmpty(h.Frames());
    }

    [Fact]
    public void Changed_answers_of_dhcp_servers_do_no_harm()
    {
        var random = new Random(Seed);
        var h = new DhcpClientHarness(5);
        h.Start();
        for (var i = 0; i < Messages; i++)
        {
            if (random.Next(10) == 0)
                h.Advance(TimeSpan.FromSeconds(random.Next(1, random.Next(10) == 0 ? 4000 : 10)));
            if (h.Sent.Count == 0)
                continue;
            var message = (random.Next(4) switch
            {
                0 => h.Nak(),
                1 => h.Answer(DhcpMessageType.Ack, seconds: (uint)random.Next(10, 5000)).With(DhcpOption.DomainSearch, 1, 97, 0, 1, 98, 0xC0, 0),
                2 => h.Answer(DhcpMessageType.Ack).With(DhcpOption.Router, "192.0.2.254").With(DhcpOption.ClasslessStaticRoute, 8, 10, 192, 0, 2, 9),
                _ => h.Answer(DhcpMessageType.Offer).With(DhcpOption.InterfaceMtu, 5, 120),
            }).ToArray();
            for (var changes = random.Next(4); changes > 0; changes--)
                message[random.Next(message.Length)] = (byte)random.Next(256);
            h.Receive(message[..(random.Next(8) == 0 ? random.Next(message.Length + 1) : message.Length)]);
            Assert.True(h.Client.Lease is null || h.Client.Expires > h.Now, $"message {i}: the lease is over.");
            if (h.Client.Lease is { } lease)
                Assert.True(lease.Routes.Count <= DhcpLease.MostRoutes && lease.NameServers.Count <= DhcpLease.MostNameServers && lease.Domains.Count <= DhcpLease.MostDomains, $"message {i}");
        }

        // A week later it has an address if somebody gives one.
        h.Advance(TimeSpan.FromDays(7));
        h.Receive(h.Answer(DhcpMessageType.Offer));
        h.Receive(h.Answer(DhcpMessageType.Ack));
        h.Advance(TimeSpan.FromMinutes(1));
        Assert.NotNull(h.Client.Lease);
    }

    /// <summary>What all counters say but those of frames and packets that have come, and of what was sent.</summary>
    private static long AccountedFor(StackHarness h)
    {
        var sum = 0L;
        foreach (var (name, value) in h.Counters.All())
            sum += s_arrivals.Contains(name) || name.Contains("Out", StringComparison.Ordinal) ? 0 : value;
        return sum;
    }

    private static readonly HashSet<string> s_arrivals = ["InFrames", "InBytes", "IpInReceives"];

    private static List<byte[]> TemplatesOf(string kind)
    {
        List<byte[]> v4 = HostileTemplates.Make(1), v6 = HostileTemplates.MakeV6(1);
        var datagram = Build.Udp(4000, 53, new byte[200]).AsSpan(EthernetHeader.Length + Ipv4Header.Length).ToArray();
        return kind switch
        {
            "arp" => [.. v4.Where(static frame => frame[13] == 6), Build.Arp(new ArpPacket(ArpOperation.Reply, StackHarness.PeerMac, StackHarness.OwnIp, default, StackHarness.OwnIp), MacAddress.Broadcast)],
            "icmp" => [.. v4.Where(static frame => frame[13] == 0 && frame[23] == IpProtocol.Icmp), Build.Icmp(Icmpv4Header.EchoRequest(1, 2), new byte[20], destination: GroupV4)],
            "igmp" => [.. GroupTargets.IgmpSeeds.Select(static query => Build.Ipv4WithOptions(IpProtocol.Igmp, [0x94, 4, 0, 0], query)).Select(static frame => ToGroup(frame, "224.0.0.1"))],
            "options" => [.. v4.Where(static frame => frame[13] == 0 && frame[14] != 0x45), Build.Ipv4WithOptions(IpProtocol.Udp, [7, 11, 4, 0, 0, 0, 0, 0, 0, 0, 0, 1], datagram), Build.Ipv4WithOptions(IpProtocol.Udp, [131, 7, 4, 10, 0, 0, 2, 0], datagram),
                Build.Ipv4WithOptions(IpProtocol.Udp, [68, 12, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0], datagram)],
            "fragments" => [FragmentOf(datagram, 1, 0, 104, true), FragmentOf(datagram, 1, 104, 104, false), FragmentOf(datagram, 2, 0, 8, true), FragmentOf(datagram, 2, 65_528 - 8, 8, false), FragmentOf(datagram, 3, 96, 16, true)],
            "ndp" => [.. v6.Where(static frame => frame[20] == IpProtocol.Icmpv6 && frame[54] is Icmpv6Type.NeighborSolicitation or Icmpv6Type.NeighborAdvertisement), .. Routers()],
            "icmpv6" => [.. v6.Where(static frame => frame[20] == IpProtocol.Icmpv6 && frame[54] is < 130 and not 0)],
            "mld" => [.. GroupTargets.MldSeeds.Select(static query => BuildV6.Packet(0, [IpProtocol.Icmpv6, 0, 5, 2, 0, 0, 1, 0, .. query], IpAddress.Parse("fe80::2"), IpAddress.AllNodes, hopLimit: 1))],
            "extension headers" => [.. v6.Where(static frame => frame[20] == 0),
                BuildV6.Packet(Ipv6Extension.DestinationOptions, [IpProtocol.Udp, 0, 1, 4, 0, 0, 0, 0, .. BuildV6.UdpDatagram(4000, 53, new byte[20])]),
                BuildV6.Packet(Ipv6Extension.Routing, [IpProtocol.Udp, 0, 0, 0, 0, 0, 0, 0, .. BuildV6.UdpDatagram(4000, 53, new byte[20])]),
                BuildV6.Packet(Ipv6Extension.HopByHop, [Ipv6Extension.Routing, 0, 0xC3, 4, 0, 0, 0, 0, Ipv6Extension.DestinationOptions, 0, 0, 0, 0, 0, 0, 0, IpProtocol.Udp, 0, 1, 4, 0, 0, 0, 0, .. BuildV6.UdpDatagram(4000, 53, new byte[20])])],
            _ => [.. v6.Where(static frame => frame[20] == Ipv6Extension.Fragment), BuildV6.Fragment(IpProtocol.Udp, 7, new byte[1200], 0, true), BuildV6.Fragment(IpProtocol.Udp, 7, new byte[1200], 64_000, false), BuildV6.Fragment(IpProtocol.Udp, 8, new byte[8], 65_520, false)],
        };
    }

    private static IEnumerable<byte[]> Routers()
    {
        var router = IpAddress.Parse("fe80::a");
        byte[] prefix = [NdpOption.PrefixInformation, 4, 64, 0xC0, 0, 0, 0x0E, 0x10, 0, 0, 0x0E, 0x10, 0, 0, 0, 0, .. IpBytes("2001:db8::")];
        byte[] servers = [NdpOption.RecursiveDnsServer, 3, 0, 0, 0, 0, 0, 100, .. IpBytes("2001:db8::53")];
        byte[] route = [NdpOption.RouteInformation, 3, 48, 0, 0, 0, 2, 0x58, .. IpBytes("2001:db8:77::")];
        byte[] mtu = [NdpOption.Mtu, 1, 0, 0, 0, 0, 5, 0x78];
        byte[] head = [0, 0, 0, 0, 0, 0, 0, 0];
        foreach (var options in (byte[][])[prefix, [.. servers, .. mtu], [.. route, .. prefix]])
            yield return BuildV6.Icmp(new Icmpv6Header(Icmpv6Type.RouterAdvertisement, 0, 0x40000708), [.. head, .. options], router, IpAddress.AllNodes, 255);
        // A redirect (RFC 4861, 4.5).
        yield return BuildV6.Icmp(new Icmpv6Header(137, 0, 0), [.. IpBytes("fe80::b"), .. IpBytes("2001:db8:9::1"), NdpOption.TargetLinkLayerAddress, 1, 2, 0, 0, 0, 0, 9], router, BuildV6.Own, 255);
    }

    private static byte[] FragmentOf(byte[] datagram, ushort identification, int offset, int length, bool more)
    {
        var part = new byte[length];
        datagram.AsSpan(Math.Min(offset, datagram.Length), Math.Max(0, Math.Min(length, datagram.Length - offset))).CopyTo(part);
        var frame = Build.Ipv4(IpProtocol.Udp, part);
        var field = offset / 8 | (more ? 0x2000 : 0);
        (frame[18], frame[19], frame[20], frame[21]) = ((byte)(identification >> 8), (byte)identification, (byte)(field >> 8), (byte)field);
        Tampering.FixIpChecksum(frame.AsSpan(EthernetHeader.Length));
        return frame;
    }

    private static byte[] ToGroup(byte[] frame, string group)
    {
        var address = IpAddress.Parse(group);
        IpBytes(group).CopyTo(frame, EthernetHeader.Length + 16);
        frame[22] = 1;
        new EthernetHeader(MacAddress.OfGroup(address), StackHarness.PeerMac, EtherType.Ipv4).Emit(frame);
        Tampering.FixIpChecksum(frame.AsSpan(EthernetHeader.Length));
        return frame;
    }

    private static byte[] IpBytes(string address) => System.Net.IPAddress.Parse(address).GetAddressBytes();
}
