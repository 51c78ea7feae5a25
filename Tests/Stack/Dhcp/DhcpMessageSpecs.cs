using System.Text;
using Tapwire.Stack.Dhcp;
using Tapwire.Stack.Interfaces;
using Tapwire.Stack.Ip;
using Xunit;

namespace Tapwire.Tests.Stack.Dhcp;

/// <summary>DHCP messages, byte by byte, and what becomes of those that are not right.</summary>
public sealed class DhcpMessageSpecs
{
    private const uint Transaction = 0x1234_5678;

    private static readonly MacAddress Hardware = MacAddress.Parse("02:00:00:00:00:02");

    /// <summary>What is wrong with a message, and the reason for which it is dropped.</summary>
    public static TheoryData<string, DhcpDrop> Faults => new()
    {
        { "empty", DhcpDrop.BadLength },
        { "short", DhcpDrop.BadLength },
        { "long", DhcpDrop.BadLength },
        { "request", DhcpDrop.BadOperation },
        { "token ring", DhcpDrop.BadHardwareType },
        { "hlen", DhcpDrop.BadHardwareType },
        { "transaction", DhcpDrop.OtherTransaction },
        { "station", DhcpDrop.OtherStation },
        { "cookie", DhcpDrop.BadCookie },
        { "no end", DhcpDrop.NoEnd },
        { "past end", DhcpDrop.OptionPastEnd },
        { "length at end", DhcpDrop.OptionPastEnd },
        { "overload 0", DhcpDrop.BadOption },
        { "overload long", DhcpDrop.BadOption },
        { "overloaded file without end", DhcpDrop.NoEnd },
        { "overloaded name past end", DhcpDrop.OptionPastEnd },
        { "no type", DhcpDrop.BadType },
        { "type twice", DhcpDrop.BadType },
        { "discover", DhcpDrop.BadType },
        { "no server", DhcpDrop.BadServer },
        { "server 0", DhcpDrop.BadServer },
        { "server group", DhcpDrop.BadServer },
        { "server long", DhcpDrop.BadServer },
        { "yours 0.0.0.0", DhcpDrop.BadAddress },
        { "yours 0.1.2.3", DhcpDrop.BadAddress },
        { "yours 127.0.0.1", DhcpDrop.BadAddress },
        { "yours 224.0.0.1", DhcpDrop.BadAddress },
        { "yours 240.0.0.1", DhcpDrop.BadAddress },
        { "yours 255.255.255.255", DhcpDrop.BadAddress },
        { "yours 192.0.2.0", DhcpDrop.BadAddress },
        { "yours 192.0.2.255", DhcpDrop.BadAddress },
        { "mask 255.0.255.0", DhcpDrop.BadMask },
        { "mask 0.0.0.0", DhcpDrop.BadMask },
        { "mask 254.0.0.0", DhcpDrop.BadMask },
        { "mask 0.0.0.255", DhcpDrop.BadMask },
        { "mask short", DhcpDrop.BadMask },
        { "no lease", DhcpDrop.BadLeaseTime },
        { "lease 0", DhcpDrop.BadLeaseTime },
        { "lease 9", DhcpDrop.BadLeaseTime },
        { "lease short", DhcpDrop.BadLeaseTime },
        { "t1 short", DhcpDrop.BadOption },
        { "t2 long", DhcpDrop.BadOption },
        { "broadcast short", DhcpDrop.BadOption },
        { "router short", DhcpDrop.BadOption },
        { "router five", DhcpDrop.BadOption },
        { "dns six", DhcpDrop.BadOption },
        { "mtu one", DhcpDrop.BadOption },
        { "routes empty", DhcpDrop.BadOption },
        { "routes 33", DhcpDrop.BadOption },
        { "routes cut", DhcpDrop.BadOption },
    };

    [Fact]
    public void A_discovery_is_these_bytes()
    {
        var sent = new DhcpMessage
        {
            Type = DhcpMessageType.Discover,
            Transaction = Transaction,
            Hardware = Hardware,
            Seconds = 3,
            Broadcast = true,
            ClientIdentifier = new byte[] { 1, 2, 0, 0, 0, 0, 2 },
            HostName = "box",
            RequestedAddress = IpAddress.Parse("192.0.2.5"),
            MaximumSize = 1500,
        };
        var expected = new byte[300];
        Convert.FromHexString("0101060012345678000380000000000000000000000000000000000002000000000200000000000000000000").CopyTo(expected, 0);
        Convert.FromHexString("63825363" + "350101" + "3d0701020000000002" + "3204c0000205" + "390205dc" + "370b017903060f771a1c333a3b" + "0c03626f78" + "ff").CopyTo(expected, 236);
        Assert.Equal(Convert.ToHexString(expected), Convert.ToHexString(sent.Emit()));
    }

    [Fact]
    public void A_request_for_more_time_has_its_address_in_the_fixed_part_only()
    {
        var bytes = new DhcpMessage { Type = DhcpMessageType.Request, Transaction = 1, Hardware = Hardware, ClientAddress = IpAddress.Parse("192.0.2.5") }.Emit();
        Assert.Equal("C0000205", Convert.ToHexString(bytes.AsSpan(12, 4)));
        Assert.Equal("0000", Convert.ToHexString(bytes.AsSpan(10, 2)));
        Assert.Equal("350103370B", Convert.ToHexString(bytes.AsSpan(240, 5)));
        Assert.Equal(300, bytes.Length);
    }

    [Fact]
    public void The_longest_texts_fit()
    {
        var bytes = new DhcpMessage
        {
            Type = DhcpMessageType.Request,
            Transaction = 1,
            Hardware = Hardware,
            ClientIdentifier = new byte[DhcpMessage.MaxText],
            HostName = new string('n', DhcpMessage.MaxText),
            RequestedAddress = IpAddress.LoopbackV4,
            Server = IpAddress.LoopbackV4,
            MaximumSize = 1500,
        }.Emit();
        Assert.Equal(255, bytes[^1]);
        Assert.Equal(240 + 3 + 66 + 6 + 6 + 4 + 13 + 66 + 1, bytes.Length);
    }

    [Fact]
    public void A_grant_says_all_this()
    {
        var lease = Read(Grant()
            .With32(DhcpOption.RenewalTime, 600).With32(DhcpOption.RebindingTime, 1200)
            .With(DhcpOption.Router, "192.0.2.254").With(DhcpOption.DomainNameServer, "192.0.2.53 198.51.100.53").With(DhcpOption.DomainName, Encoding.ASCII.GetBytes("corp.example"))
            .With(DhcpOption.InterfaceMtu, 5, 120).With(DhcpOption.BroadcastAddress, "192.0.2.255"));
        Assert.Equal(("192.0.2.50/24", "192.0.2.1"), (lease.Address.ToString(), lease.Server.ToString()));
        Assert.Equal((3600, 600, 1200), (lease.Lifetime.TotalSeconds, lease.RenewalTime.TotalSeconds, lease.RebindingTime.TotalSeconds));
        Assert.Equal(["0.0.0.0/0 by 192.0.2.254"], Routes(lease));
        Assert.Equal(["192.0.2.53", "198.51.100.53"], lease.NameServers.Select(static server => server.ToString()));
        Assert.Equal(["corp.example"], lease.Domains);
        Assert.Equal(1400, lease.Mtu);
    }

    [Fact]
    public void Without_times_of_its_own_a_lease_is_renewed_at_a_half_and_at_seven_eighths()
    {
        foreach (var (first, second) in new (uint?, uint?)[] { (null, null), (3600, 3600), (0, 0), (uint.MaxValue, uint.MaxValue) })
        {
            var reply = Grant();
            if (first is { } t1 && second is { } t2)
                reply.With32(DhcpOption.RenewalTime, t1).With32(DhcpOption.RebindingTime, t2);
            var lease = Read(reply);
            Assert.Equal((1800, 3150), (lease.RenewalTime.TotalSeconds, lease.RebindingTime.TotalSeconds));
        }
    }

    [Fact]
    public void A_lease_of_all_ones_never_ends() => Assert.True(Read(Grant(seconds: uint.MaxValue)).IsEndless);

    [Fact]
    public void A_mask_that_is_missing_is_that_of_the_class() => Assert.Equal("10.1.2.3/8", Read(Grant("10.1.2.3").Without(DhcpOption.SubnetMask)).Address.ToString());

    [Theory]
    [InlineData("255.255.255.255", "192.0.2.50/32")]
    [InlineData("255.255.255.254", "192.0.2.50/31")]
    [InlineData("255.0.0.0", "192.0.2.50/8")]
    public void Masks_of_hosts_and_links_between_two_may_be(string mask, string address) =>
        Assert.Equal(address, Read(Grant().Instead(DhcpOption.SubnetMask, DhcpReply.Addresses(mask))).Address.ToString());

    [Fact]
    public void Classless_routes_go_before_the_router()
    {
        // 10/8 by 192.0.2.9, everything by 192.0.2.8, and 198.51.100.128/25 on the link.
        var lease = Read(Grant().With(DhcpOption.Router, "192.0.2.254")
            .With(DhcpOption.ClasslessStaticRoute, 8, 10, 192, 0, 2, 9, 0, 192, 0, 2, 8, 25, 198, 51, 100, 129, 0, 0, 0, 0));
        Assert.Equal(["198.51.100.128/25 by 0.0.0.0", "10.0.0.0/8 by 192.0.2.9", "0.0.0.0/0 by 192.0.2.8"], Routes(lease));
    }

    [Fact]
    public void A_host_route_makes_a_router_reachable_that_the_mask_does_not()
    {
        var lease = Read(Grant().Instead(DhcpOption.SubnetMask, 255, 255, 255, 255).With(DhcpOption.ClasslessStaticRoute, 0, 10, 0, 0, 1, 32, 10, 0, 0, 1, 0, 0, 0, 0));
        Assert.Equal(["10.0.0.1/32 by 0.0.0.0", "0.0.0.0/0 by 10.0.0.1"], Routes(lease));
    }

    [Theory]
    [InlineData("router", DhcpDrop.BadRouter)]
    [InlineData("own", DhcpDrop.BadRouter)]
    [InlineData("route", DhcpDrop.BadRouter)]
    [InlineData("destination", DhcpDrop.BadRouter)]
    [InlineData("dns", DhcpDrop.BadNameServer)]
    [InlineData("domain", DhcpDrop.BadDomain)]
    [InlineData("search", DhcpDrop.BadDomain)]
    [InlineData("mtu", DhcpDrop.BadMtu)]
    [InlineData("broadcast", DhcpDrop.BadBroadcast)]
    public void A_part_of_little_weight_that_is_wrong_is_left_out_and_counted(string part, DhcpDrop reason)
    {
        var reply = part switch
        {
            "router" => Grant().With(DhcpOption.Router, "198.51.100.1"),
            "own" => Grant().With(DhcpOption.Router, "192.0.2.50"),
            "route" => Grant().With(DhcpOption.ClasslessStaticRoute, 8, 10, 198, 51, 100, 1),
            "destination" => Grant().With(DhcpOption.ClasslessStaticRoute, 8, 127, 192, 0, 2, 9),
            "dns" => Grant().With(DhcpOption.DomainNameServer, "127.0.0.1"),
            "domain" => Grant().With(DhcpOption.DomainName, Encoding.ASCII.GetBytes("a..b; rm")),
            "search" => Grant().With(DhcpOption.DomainSearch, 1, (byte)'a', 0xC0, 2),
            "mtu" => Grant().With(DhcpOption.InterfaceMtu, 0, 68),
            _ => Grant().With(DhcpOption.BroadcastAddress, "192.0.2.7"),
        };
        var counters = new DhcpCounters();
        Assert.Equal(DhcpDrop.None, DhcpAnswer.Read(reply.ToArray(), Transaction, Hardware, counters, out var answer));
        var lease = answer!.Lease!;
        Assert.Equal((0, 0, 0, 0), (lease.Routes.Count, lease.NameServers.Count, lease.Domains.Count, lease.Mtu));
        Assert.Equal([KeyValuePair.Create(reason, 1L)], counters.Drops);
    }

    [Fact]
    public void Domains_to_search_are_compressed_and_may_come_in_several_parts()
    {
        // eng.corp.example, then marketing with a pointer to corp.example (RFC 3397), cut in the middle (RFC 3396).
        byte[] all = [3, .. "eng"u8, 4, .. "corp"u8, 7, .. "example"u8, 0, 9, .. "marketing"u8, 0xC0, 4];
        var lease = Read(Grant().With(DhcpOption.DomainSearch, all[..7]).With(DhcpOption.DomainName, Encoding.ASCII.GetBytes("other")).With(DhcpOption.DomainSearch, all[7..]));
        Assert.Equal(["eng.corp.example", "marketing.corp.example"], lease.Domains);
    }

    [Fact]
    public void Options_may_go_on_in_file_and_name()
    {
        var lease = Read(Grant().With(DhcpOption.Overload, 3).With(DhcpOption.DomainNameServer, "192.0.2.3")
            .At(108, [6, 4, 192, 0, 2, 4, 255]).At(44, [0, 6, 4, 192, 0, 2, 5, 255]));
        Assert.Equal(["192.0.2.3", "192.0.2.4", "192.0.2.5"], lease.NameServers.Select(static server => server.ToString()));
    }

    [Fact]
    public void Lists_are_read_up_to_their_bounds()
    {
        var lease = Read(Grant().With(DhcpOption.DomainNameServer, string.Join(' ', Enumerable.Range(1, 40).Select(static i => $"192.0.2.{i}")))
            .With(DhcpOption.ClasslessStaticRoute, Many(0)).With(DhcpOption.ClasslessStaticRoute, Many(40)));
        Assert.Equal(DhcpLease.MostNameServers, lease.NameServers.Count);
        Assert.Equal(DhcpLease.MostRoutes, lease.Routes.Count);

        static byte[] Many(int from) => [.. Enumerable.Range(from, 40).SelectMany(static i => new byte[] { 8, (byte)(i + 1), 192, 0, 2, 9 })];
    }

    [Theory]
    [MemberData(nameof(Faults))]
    public void What_is_wrong_is_dropped_for_that_reason(string fault, DhcpDrop reason)
    {
        Assert.Equal(reason, DhcpAnswer.Read(Faulty(fault), Transaction, Hardware, new DhcpCounters(), out var answer));
        Assert.Null(answer);
    }

    /// <summary>What is read of mutated messages keeps its promises, and nothing is thrown.</summary>
    [Fact]
    public void A_million_mutated_answers_are_read_without_a_fault()
    {
        const int Seed = 20261130;
        var random = new Random(Seed);
        byte[][] templates =
        [
            Grant().With(DhcpOption.Router, "192.0.2.254").With(DhcpOption.DomainNameServer, "192.0.2.53").With(DhcpOption.DomainSearch, [3, .. "eng"u8, 4, .. "corp"u8, 0, 1, (byte)'a', 0xC0, 4])
                .With(DhcpOption.ClasslessStaticRoute, 8, 10, 192, 0, 2, 9, 0, 192, 0, 2, 8).With(DhcpOption.InterfaceMtu, 5, 120).With32(DhcpOption.RenewalTime, 600).ToArray(),
            Grant().With(DhcpOption.Overload, 3).At(108, [6, 4, 192, 0, 2, 4, 255]).At(44, [119, 3, 1, 97, 0, 255]).With(DhcpOption.DomainName, [.. "corp"u8]).ToArray(),
            new DhcpReply(DhcpMessageType.Nak, Transaction, Hardware).With(DhcpOption.ServerIdentifier, "192.0.2.1").ToArray(),
        ];
        var counters = new DhcpCounters();
        var read = 0;
        for (var i = 0; i < 1_000_000; i++)
        {
            var message = templates[random.Next(templates.Length)].ToArray();
            for (var n = random.Next(1, 6); n > 0; n--)
                message[random.Next(4) == 0 ? random.Next(message.Length) : random.Next(Math.Min(240, message.Length), message.Length)] = (byte)random.Next(256);
            var length = random.Next(8) == 0 ? random.Next(message.Length + 1) : message.Length;
            try
            {
                if (DhcpAnswer.Read(message.AsSpan(0, length), Transaction, Hardware, counters, out var answer) != DhcpDrop.None)
                    continue;
                read++;
                if (answer!.Lease is { } lease)
                    Check(lease);
            }
            catch (Exception e)
            {
                Assert.Fail($"seed {Seed}, message {i}: {Convert.ToHexString(message.AsSpan(0, length))}\n{e}");
            }
        }

        Assert.InRange(read, 10_000, 990_000);
    }

    private static void Check(DhcpLease lease)
    {
        Assert.True(lease.Lifetime >= DhcpLease.ShortestLifetime);
        Assert.True(lease.IsEndless || (lease.RenewalTime > TimeSpan.Zero && lease.RenewalTime < lease.RebindingTime && lease.RebindingTime < lease.Lifetime));
        Assert.InRange(lease.Address.Length, 8, 32);
        Assert.All(lease.NameServers.Append(lease.Server).Append(lease.Address.Address), static address => Assert.False(address.IsMulticast || address.IsLoopback || address.IsUnspecified || address.IsLimitedBroadcast));
        Assert.All(lease.Domains, static domain => Assert.InRange(domain.Length, 1, 253));
        Assert.True(lease.Mtu is 0 or >= DhcpLease.LeastMtu);
        Assert.True(lease.Routes.Count <= DhcpLease.MostRoutes && lease.NameServers.Count <= DhcpLease.MostNameServers && lease.Domains.Count <= DhcpLease.MostDomains);
    }

    private static byte[] Faulty(string fault) => fault switch
    {
        "empty" => [],
        "short" => Grant().ToArray()[..239],
        "long" => [.. Grant().ToArray(), .. new byte[1400]],
        "request" => Grant().At(0, 1).ToArray(),
        "token ring" => Grant().At(1, 6).ToArray(),
        "hlen" => Grant().At(2, 16).ToArray(),
        "transaction" => Grant().At(7, 0x79).ToArray(),
        "station" => Grant().At(33, 3).ToArray(),
        "cookie" => Grant().At(239, 0).ToArray(),
        "no end" => new Func<byte[]>(static () =>
        {
            var reply = Grant();
            reply.HasEnd = false;
            return reply.ToArray();
        })(),
        "past end" => Grant().Raw(6, 200, 1).ToArray(),
        "length at end" => [.. Grant().ToArray()[..^1], 6],
        "overload 0" => Grant().With(DhcpOption.Overload, (byte)0).ToArray(),
        "overload long" => Grant().With(DhcpOption.Overload, 1, 1).ToArray(),
        "overloaded file without end" => Grant().With(DhcpOption.Overload, (byte)1).ToArray(),
        "overloaded name past end" => Grant().With(DhcpOption.Overload, (byte)2).At(44, 6, 63).ToArray(),
        "no type" => Grant().Without(DhcpOption.MessageType).ToArray(),
        "type twice" => Grant().With(DhcpOption.MessageType, (byte)5).ToArray(),
        "discover" => Grant().Instead(DhcpOption.MessageType, 1).ToArray(),
        "no server" => Grant().Without(DhcpOption.ServerIdentifier).ToArray(),
        "server 0" => Grant().Instead(DhcpOption.ServerIdentifier, 0, 0, 0, 0).ToArray(),
        "server group" => Grant().Instead(DhcpOption.ServerIdentifier, 224, 0, 0, 1).ToArray(),
        "server long" => Grant().Instead(DhcpOption.ServerIdentifier, 192, 0, 2, 1, 0).ToArray(),
        "mask short" => Grant().Instead(DhcpOption.SubnetMask, 255, 255, 255).ToArray(),
        "no lease" => Grant().Without(DhcpOption.LeaseTime).ToArray(),
        "lease 0" => Grant(seconds: 0).ToArray(),
        "lease 9" => Grant(seconds: 9).ToArray(),
        "lease short" => Grant().Instead(DhcpOption.LeaseTime, 255).ToArray(),
        "t1 short" => Grant().With(DhcpOption.RenewalTime, 1, 2).ToArray(),
        "t2 long" => Grant().With(DhcpOption.RebindingTime, 0, 0, 0, 9, 9).ToArray(),
        "broadcast short" => Grant().With(DhcpOption.BroadcastAddress, (byte)1).ToArray(),
        "router short" => Grant().With(DhcpOption.Router, 192, 0).ToArray(),
        "router five" => Grant().With(DhcpOption.Router, 192, 0, 2, 1, 1).ToArray(),
        "dns six" => Grant().With(DhcpOption.DomainNameServer, 192, 0, 2, 1, 1, 1).ToArray(),
        "mtu one" => Grant().With(DhcpOption.InterfaceMtu, (byte)1).ToArray(),
        "routes empty" => Grant().With(DhcpOption.ClasslessStaticRoute, []).ToArray(),
        "routes 33" => Grant().With(DhcpOption.ClasslessStaticRoute, 33, 10, 0, 0, 0, 0, 192, 0, 2, 1).ToArray(),
        "routes cut" => Grant().With(DhcpOption.ClasslessStaticRoute, 24, 10, 0, 0, 192, 0, 2).ToArray(),
        _ when fault.StartsWith("yours ", StringComparison.Ordinal) => Grant(fault[6..]).ToArray(),
        _ => Grant().Instead(DhcpOption.SubnetMask, DhcpReply.Addresses(fault[5..])).ToArray(),
    };

    private static DhcpReply Grant(string address = "192.0.2.50", uint seconds = 3600) => DhcpReply.Lease(DhcpMessageType.Ack, Transaction, Hardware, address, seconds: seconds);

    private static DhcpLease Read(DhcpReply reply)
    {
        Assert.Equal(DhcpDrop.None, DhcpAnswer.Read(reply.ToArray(), Transaction, Hardware, new DhcpCounters(), out var answer));
        return answer!.Lease!;
    }

    private static IEnumerable<string> Routes(DhcpLease lease) => lease.Routes.Select(static route => $"{route.Destination} by {route.Gateway}");
}
