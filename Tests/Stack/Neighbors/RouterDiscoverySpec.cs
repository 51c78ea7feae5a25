using System.Buffers.Binary;
using Tapwire.Stack;
using Tapwire.Stack.Dhcp.V6;
using Tapwire.Stack.Interfaces;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Neighbors;
using Tapwire.Stack.Packets;
using Tapwire.Stack.Tcp;
using Tapwire.Tests.Support;
using Xunit;

namespace Tapwire.Tests.Stack.Neighbors;

/// <summary>Router discovery and autoconfiguration (RFC 4861, 6.3; RFC 4862, 5.5; RFC 4191; RFC 7217; RFC 7559; RFC 8106; RFC 8981).</summary>
public sealed class RouterDiscoverySpec : IDisposable
{
    private const uint Hour = 3600;
    private const uint Day = 24 * Hour;
    private static readonly IpAddress RouterA = IpAddress.Parse("fe80::a");
    private static readonly IpAddress RouterB = IpAddress.Parse("fe80::b");
    private static readonly IpPrefix Everywhere = IpPrefix.Parse("::/0");

    private StackHarness _h = Make();

    public void Dispose() => _h.Dispose();

    [Fact]
    public void Routers_are_asked_for_until_one_answers_ever_more_seldom()
    {
        var asked = new List<double>();
        var started = _h.Now;
        for (var i = 0; i < 4000; i++)
        {
            _h.Advance(TimeSpan.FromSeconds(1));
            asked.AddRange(_h.Frames().Where(IsSolicitation).Select(_ => (_h.Now - started).TotalSeconds));
        }

        Assert.InRange(asked.Count, 10, 12); // 4, 8, 16 ... seconds
        Assert.InRange(asked[0], 0, 1.1);
        Assert.InRange(asked[1] - asked[0], 2.5, 5.5);
        Assert.All(asked.Zip(asked.Skip(1)).Skip(2), pair => Assert.True(pair.Second - pair.First > 10));
        _h.Receive(Advertisement(RouterA));
        _h.Advance(TimeSpan.FromSeconds(1799));
        Assert.DoesNotContain(_h.Frames(), IsSolicitation);

        static bool IsSolicitation(byte[] frame) => frame[14] >> 4 == 6 && BuildV6.ReadIcmp(frame).Message[0] == Icmpv6Type.RouterSolicitation;
    }

    [Fact]
    public void A_prefix_brings_an_address_and_the_router_a_default_route()
    {
        _h.Receive(Advertisement(RouterA, Prefix("2001:db8::/64")));
        var address = Assert.Single(Addresses());
        Assert.Equal(IpPrefix.Parse("2001:db8::/64").Network, address.Network);
        Assert.Equal(["2001:db8::/64 via ::", "::/0 via fe80::a", "fe80::/64 via ::"], Routes());
        Assert.Equal(StackError.None, _h.Stack.Udp.Bind(default, new(), out var socket));
        Assert.Equal(StackError.None, socket!.Connect(new IpEndpoint(IpAddress.Parse("2001:db8:9::1"), 53)));
        Assert.Equal(address.Address, socket.Local.Address);
    }

    [Fact]
    public void A_stable_address_is_the_same_at_every_start_and_another_in_every_network_and_with_every_secret()
    {
        var made = new List<IpAddress>();
        foreach (var (prefix, secret) in new[] { ("2001:db8:1::/64", 1), ("2001:db8:1::/64", 1), ("2001:db8:2::/64", 1), ("2001:db8:1::/64", 2) })
        {
            using var h = Make(secret: (byte)secret);
            h.Receive(Advertisement(RouterA, Prefix(prefix)));
            made.Add(h.Stack.Addresses[^1].Address);
        }

        Assert.Equal(made[0], made[1]);
        Assert.NotEqual(made[0].Halves.Low, made[2].Halves.Low);
        Assert.NotEqual(made[0].Halves.Low, made[3].Halves.Low);
        Assert.NotEqual(StackHarness.OwnMac.LinkLocal.Halves.Low, made[0].Halves.Low);
    }

    [Fact]
    public void An_address_that_another_station_has_is_replaced_three_times()
    {
        var seen = new HashSet<IpAddress>();
        _h.Receive(Advertisement(RouterA, Prefix("2001:db8::/64")));
        for (var i = 0; i < 4; i++)
        {
            var address = Assert.Single(Addresses()).Address;
            Assert.True(seen.Add(address));
            _h.Receive(BuildV6.Advertisement(address, NeighborMessage.Override, destination: IpAddress.AllNodes));
        }

        Assert.Empty(Addresses());
    }

    [Fact]
    public void An_address_is_deprecated_and_ends_when_its_lifetimes_do()
    {
        _h.Receive(Advertisement(RouterA, Prefix("2001:db8:1::/64", valid: 8 * Hour, preferred: Hour), Prefix("2001:db8:2::/64", valid: Day, preferred: Day)));
        var (first, second) = (Addresses()[0].Address, Addresses()[1].Address);
        Assert.Equal(StackError.None, _h.Stack.Tcp.Connect(new IpEndpoint(IpAddress.Parse("2001:db8:1::99"), 80), default(IpEndpoint), default, _h.Now, out var socket));
        Assert.Equal(first, socket!.Local.Address);
        socket.Abort(_h.Now);
        Go(TimeSpan.FromMinutes(61));
        Assert.Equal(StackError.None, _h.Stack.Udp.Bind(default, new(), out var later));
        Assert.Equal(StackError.None, later!.Connect(new IpEndpoint(IpAddress.Parse("2001:db8:1::99"), 80)));
        Assert.Equal(second, later.Local.Address); // though the deprecated one has the longer match
        Assert.Equal(StackError.None, _h.Stack.Udp.Bind(new IpEndpoint(first, 0), new(), out var bound));
        Go(TimeSpan.FromHours(7));
        Assert.DoesNotContain(_h.Stack.Addresses, a => a.Address == first);
        Assert.Equal(StackError.ConnectionAborted, bound!.TakeError());
    }

    [Theory]
    [InlineData(8 * Hour, 1, 2 * Hour)] // cut to two hours at most
    [InlineData(Hour, 1, Hour)] // and what is left below that stays
    [InlineData(Hour, 3 * Hour, 3 * Hour)]
    [InlineData(8 * Hour, 3 * Hour, 3 * Hour)]
    public void A_forged_advertisement_cannot_end_an_address_at_once(uint before, uint advertised, uint expected)
    {
        _h.Receive(Advertisement(RouterA, Prefix("2001:db8::/64", before, before)));
        _h.Receive(Advertisement(RouterA, Prefix("2001:db8::/64", advertised, advertised)));
        Go(TimeSpan.FromSeconds(expected - 2));
        Assert.Single(Addresses());
        Go(TimeSpan.FromSeconds(4));
        Assert.Empty(Addresses());
    }

    [Fact]
    public void A_temporary_address_has_no_successor_when_its_prefix_ends_and_no_more_is_heard_of_the_router()
    {
        _h.Dispose();
        _h = Make(temporary: true);
        _h.Receive(Advertisement(RouterA, Prefix("2001:db8::/64", valid: 60, preferred: 30)));
        Assert.Equal(2, Addresses().Count);
        for (var i = 0; i < 59; i++)
        {
            _h.Advance(TimeSpan.FromSeconds(1));
            Assert.Equal(2, Addresses().Count);
        }

        _h.Advance(TimeSpan.FromSeconds(2));
        Assert.Empty(Addresses());
    }

    [Fact]
    public void A_temporary_address_is_preferred_and_changes_every_day()
    {
        _h.Dispose();
        _h = Make(temporary: true);
        var used = new HashSet<IpAddress>();
        for (var hour = 0; hour < 7 * 24; hour++)
        {
            _h.Receive(Advertisement(RouterA, lifetime: 9000, options: Prefix("2001:db8::/64", 30 * Day, 7 * Day)));
            Go(TimeSpan.FromHours(1));
            Assert.Equal(StackError.None, _h.Stack.Udp.Bind(default, new(), out var socket));
            Assert.Equal(StackError.None, socket!.Connect(new IpEndpoint(IpAddress.Parse("2001:db8:9::1"), 53)));
            used.Add(socket.Local.Address);
            socket.Close();
            Assert.InRange(Addresses().Count, 2, 5); // the stable one, the one in use, and those of the last two days
        }

        Assert.InRange(used.Count, 7, 12);
        Assert.DoesNotContain(Stable(), used);

        IpAddress Stable()
        {
            using var h = Make();
            h.Receive(Advertisement(RouterA, Prefix("2001:db8::/64")));
            return h.Stack.Addresses[^1].Address;
        }
    }

    [Fact]
    public void The_preferred_router_is_used_and_another_when_it_goes_or_is_silent()
    {
        _h.Receive(Advertisement(RouterA, Prefix("2001:db8::/64")));
        _h.Receive(Advertisement(RouterB, preference: RouterPreference.High));
        Assert.Equal(RouterB, DefaultRouter());
        _h.Receive(Advertisement(RouterB, lifetime: 0));
        Assert.Equal(RouterA, DefaultRouter());
        _h.Receive(Advertisement(RouterB, preference: RouterPreference.Low));
        Assert.Equal(RouterA, DefaultRouter());
        // A is silent.
        Assert.Equal(StackError.None, _h.Stack.Udp.Bind(default, new(), out var socket));
        Assert.Equal(StackError.None, socket!.Send(_h.Payload(1), new IpEndpoint(IpAddress.Parse("2001:db8:9::1"), 53), _h.Now));
        Go(TimeSpan.FromSeconds(5));
        Assert.Equal(RouterB, DefaultRouter());
        _h.Receive(Advertisement(RouterA));
        Assert.Equal(RouterA, DefaultRouter());
        Go(TimeSpan.FromSeconds(1801));
        Assert.DoesNotContain(_h.Stack.Routes, r => r.Destination == Everywhere);
    }

    [Fact]
    public void Routes_MTU_and_hop_limit_are_taken()
    {
        _h.Receive(Advertisement(RouterA, Prefix("2001:db8::/64"), Route("2001:db8:77::/48", 600), [NdpOption.Mtu, 1, 0, 0, 0, 0, 5, 0x78]));
        Assert.Contains("2001:db8:77::/48 via fe80::a", Routes());
        Assert.Equal(StackError.None, _h.Stack.FindPath(IpAddress.Parse("2001:db8:77::1"), default, Tapwire.Stack.Udp.MtuDiscovery.Want, _h.Now, out var mtu, out _));
        Assert.Equal(1400, mtu);
        _h.Receive(BuildV6.Solicitation(Addresses()[0].Address, IpAddress.Parse("2001:db8::2")));
        _h.Frames();
        var (header, _) = BuildV6.ReadIcmp(_h.Exchange(BuildV6.Echo(source: IpAddress.Parse("2001:db8::2"), destination: Addresses()[0].Address)));
        Assert.Equal(33, header.HopLimit);
        Go(TimeSpan.FromSeconds(601));
        Assert.DoesNotContain("2001:db8:77::/48 via fe80::a", Routes());
    }

    [Fact]
    public void Name_servers_and_search_domains_are_taken_for_their_lifetime()
    {
        var device = _h.Stack.Interfaces[0];
        byte[] servers = [NdpOption.RecursiveDnsServer, 5, 0, 0, 0, 0, 0, 100, .. Bytes("2001:db8::53"), .. Bytes("fe80::53")];
        byte[] domains = [NdpOption.DnsSearchList, 4, 0, 0, 0, 0, 0, 200, 6, .. "office"u8, 4, .. "test"u8, 0, 2, .. "ab"u8, 0, 0, 0, 0, 0, 0, 0, 0];
        _h.Receive(Advertisement(RouterA, servers, domains));
        Assert.Equal([IpAddress.Parse("2001:db8::53"), IpAddress.Parse("fe80::53")], device.NameServers);
        Assert.Equal(["office.test", "ab"], device.SearchDomains);
        var version = device.NamesVersion;
        _h.Receive(Advertisement(RouterA, servers, domains));
        Assert.Equal(version, device.NamesVersion);
        Go(TimeSpan.FromSeconds(101));
        Assert.Empty(device.NameServers);
        Assert.NotEqual(version, device.NamesVersion);
        Go(TimeSpan.FromSeconds(100));
        Assert.Empty(device.SearchDomains);
    }

    [Fact]
    public void What_routers_say_ends_with_the_interface_and_the_owners_stays()
    {
        Assert.Equal(StackError.None, _h.Stack.AddRoute(Everywhere, RouterB, _h.Stack.Interfaces[0]));
        _h.Receive(Advertisement(RouterA, Prefix("2001:db8::/64")));
        Assert.Equal(RouterB, DefaultRouter());
        Go(TimeSpan.FromSeconds(1801));
        Assert.Equal(RouterB, DefaultRouter());
        var other = _h.Stack.AddInterface(new()
        {
            Name = "other", HardwareAddress = new MacAddress(0x02_00_00_00_00_09), Autoconfiguration = new() { Secret = new byte[16] },
        });
        _h.Stack.WireUp(other!, _h.Now);
        var advertisement = Advertisement(RouterA, Prefix("2001:db8:5::/64"), Route("2001:db8:77::/48", 600));
        var frame = _h.Pool.RentCopy(advertisement);
        frame.Interface = other!.Index;
        _h.Stack.Receive(frame, _h.Now);
        Assert.Contains(other.Addresses, a => IpPrefix.Parse("2001:db8:5::/64").Contains(a.Address));
        Assert.Contains("2001:db8:77::/48 via fe80::a", Routes());
        Assert.True(_h.Stack.RemoveInterface(other, _h.Now));
        Assert.DoesNotContain(_h.Stack.Routes, r => r.Interface == other.Index);
        Assert.DoesNotContain(_h.Stack.Addresses, a => IpPrefix.Parse("2001:db8:5::/64").Contains(a.Address));
        other.DropFrames();
    }

    public static TheoryData<string, byte[]> Bad => new()
    {
        { "no link-local source", Advertisement(IpAddress.Parse("2001:db8::1"), Prefix("2001:db8::/64")) },
        { "a hop limit of another link", Advertisement(RouterA, hop: 254, options: Prefix("2001:db8::/64")) },
        { "too short", BuildV6.Icmp(new Icmpv6Header(Icmpv6Type.RouterAdvertisement, 0, 0), new byte[7], RouterA, IpAddress.AllNodes, 255) },
        { "an option of length 0", Advertisement(RouterA, options: [3, 0, 0, 0, 0, 0, 0, 0]) },
        { "half a prefix", Advertisement(RouterA, options: [3, 2, 64, 0xC0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]) },
        { "preferred for longer than valid", Advertisement(RouterA, Prefix("2001:db8::/64", 100, 200)) },
        { "the link-local prefix", Advertisement(RouterA, Prefix("fe80::/64")) },
        { "a group's prefix", Advertisement(RouterA, Prefix("ff02::/64")) },
        { "mapped addresses", Advertisement(RouterA, PrefixOf(IpAddress.FromHalves(0, 0x0000_FFFF_0000_0000), 96)) },
        { "no room for an identifier", Advertisement(RouterA, Prefix("2001:db8::/72")) },
        { "no lifetime", Advertisement(RouterA, Prefix("2001:db8::/64", 0, 0)) },
    };

    [Theory]
    [MemberData(nameof(Bad))]
    public void No_address_comes_of(string what, byte[] frame)
    {
        _h.Receive(frame);
        Assert.True(_h.Stack.Addresses.All(a => a.Address.IsV4 || a.Address.IsLinkLocal), what);
    }

    [Fact]
    public void A_flood_of_advertisements_stays_within_the_tables()
    {
        var random = new Random(1);
        for (var i = 0; i < 5000; i++)
        {
            var options = new List<byte>();
            for (var k = 0; k < 20; k++)
            {
                options.AddRange(Prefix($"2001:db8:{random.Next(65536):x}:{random.Next(65536):x}::/64"));
                options.AddRange(Route($"2001:{random.Next(65536):x}::/32", 5000));
                options.AddRange([NdpOption.RecursiveDnsServer, 3, 0, 0, 0, 0, 9, 9, .. Bytes($"2001:db8::{random.Next(65536):x}")]);
                options.AddRange([NdpOption.DnsSearchList, 2, 0, 0, 0, 0, 9, 9, 5, .. random.GetItems("abcdefgh"u8.ToArray(), 5), 0, 0]);
            }

            _h.Receive(Advertisement(IpAddress.FromHalves(0xFE80_0000_0000_0000, (ulong)random.Next(1000) + 2), options: [.. options]));
            _h.Frames();
        }

        var device = _h.Stack.Interfaces[0];
        Assert.InRange(_h.Stack.Addresses.Count, 1, 18);
        Assert.InRange(_h.Stack.Routes.Count, 1, 60);
        Assert.InRange(device.NameServers.Count(), 1, 8);
        Assert.InRange(device.SearchDomains.Count(), 1, 8);
        Assert.True(_h.Counters.NdpRouterTableFull > 0);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void Changed_advertisements_do_no_harm(int seed)
    {
        var random = new Random(seed);
        byte[] servers = [NdpOption.RecursiveDnsServer, 3, 0, 0, 0, 0, 0, 100, .. Bytes("2001:db8::53")];
        byte[] domains = [NdpOption.DnsSearchList, 3, 0, 0, 0, 0, 0, 200, 6, .. "office"u8, 4, .. "test"u8, 0, 0, 0, 0];
        List<byte[]> templates = [Advertisement(RouterA, Prefix("2001:db8::/64")), Advertisement(RouterB, servers, domains), Advertisement(RouterA, Route("2001:db8:77::/48", 10))];
        for (var i = 0; i < 100_000; i++)
        {
            var frame = Tampering.Mutated(templates[random.Next(templates.Count)], templates, random);
            Tampering.Repair(frame);
            _h.Receive(frame);
            if (i % 16 == 0)
                _h.Frames();
            if (i % 256 == 0)
                Go(TimeSpan.FromSeconds(random.Next(4000)));
        }

        Assert.True(_h.Counters.NdpInRouterAdvertisements > 1000 && _h.Counters.NdpBadFormat > 1000);
    }

    [Fact]
    public void Without_autoconfiguration_routers_are_not_heard()
    {
        using var h = BuildV6.Harness();
        h.Receive(Advertisement(RouterA, Prefix("2001:db8::/64")));
        h.Receive(BuildV6.Neighbor(new NeighborMessage(Icmpv6Type.Redirect, 0, RouterA), new byte[16], RouterA, hopLimit: 255));
        Assert.Equal((1, 1), (h.Counters.NdpInRoutersIgnored, h.Counters.NdpInRedirectsIgnored));
        Assert.DoesNotContain(h.Stack.Addresses, a => IpPrefix.Parse("2001:db8::/64").Contains(a.Address));
    }

    private static StackHarness Make(bool temporary = false, byte secret = 1)
    {
        var key = new byte[16];
        key.AsSpan().Fill(secret);
        var h = new StackHarness(new StackOptions
        {
            Interfaces = [new() { HardwareAddress = StackHarness.OwnMac, Autoconfiguration = new() { Secret = key, UsesTemporaryAddresses = temporary } }],
        });
        h.Stack.WireUp(h.Stack.Interfaces[0], h.Now);
        h.Frames();
        return h;
    }

    /// <summary>Moves time on; what the stack sends meanwhile is of no interest.</summary>
    private void Go(TimeSpan time)
    {
        _h.Advance(time);
        _h.Frames();
    }

    private List<IpPrefix> Addresses() => [.. _h.Stack.Addresses.Where(a => a.Address.IsV6 && !a.Address.IsLinkLocal)];

    private IEnumerable<string> Routes() => _h.Stack.Routes.Where(r => r.Destination.Address.IsV6).Select(r => $"{r.Destination} via {r.Gateway}").Order(StringComparer.Ordinal);

    private IpAddress DefaultRouter() => _h.Stack.Routes.First(r => r.Destination == Everywhere).Gateway;

    private static byte[] Bytes(string address) => System.Net.IPAddress.Parse(address).GetAddressBytes();

    private static byte[] Prefix(string prefix, uint valid = Day, uint preferred = Day) => PrefixOf(IpPrefix.Parse(prefix).Address, IpPrefix.Parse(prefix).Length, valid, preferred);

    private static byte[] PrefixOf(IpAddress address, int length, uint valid = Day, uint preferred = Day)
    {
        var option = new byte[32];
        (option[0], option[1], option[2], option[3]) = (NdpOption.PrefixInformation, 4, (byte)length, 0xC0);
        BinaryPrimitives.WriteUInt32BigEndian(option.AsSpan(4), valid);
        BinaryPrimitives.WriteUInt32BigEndian(option.AsSpan(8), preferred);
        address.CopyTo16(option.AsSpan(16));
        return option;
    }

    private static byte[] Route(string prefix, uint lifetime)
    {
        var destination = IpPrefix.Parse(prefix);
        var option = new byte[24];
        (option[0], option[1], option[2]) = (NdpOption.RouteInformation, 3, (byte)destination.Length);
        BinaryPrimitives.WriteUInt32BigEndian(option.AsSpan(4), lifetime);
        destination.Address.CopyTo16(option.AsSpan(8));
        return option;
    }

    [Theory]
    [InlineData(0, 0, 30, 1)] // not said: those of the options
    [InlineData(60_000, 250, 60, 0.25)]
    [InlineData(1, 1, 5, 0.1)] // and bounded
    [InlineData(300_000, uint.MaxValue, 300, 10)]
    public void Times_of_neighbours_are_those_that_routers_say_within_bounds(uint reachable, uint retransmit, double confirmedFor, double pause)
    {
        _h.Receive(Times(reachable, retransmit));
        _h.Advance(TimeSpan.FromSeconds(3));
        _h.Frames();
        var neighbor = IpAddress.Parse("fe80::77");
        BuildV6.Add(_h, "fd00::1/64");
        _h.Advance(TimeSpan.FromSeconds(30));
        _h.Frames();
        Assert.Equal(StackError.None, _h.Stack.Udp.Bind(default, new(), out var socket));
        var asked = new List<double>();
        var began = _h.Now;
        Assert.Equal(StackError.None, socket!.Send(_h.Payload(1), new IpEndpoint(neighbor, 9), _h.Now));
        for (var i = 0; i < 3500; i++)
        {
            asked.AddRange(_h.Frames().Where(IsSolicitation).Select(_ => (_h.Now - began).TotalSeconds));
            _h.Advance(TimeSpan.FromMilliseconds(10));
        }

        Assert.Equal(3, asked.Count);
        Assert.Equal(pause, asked[1] - asked[0], 0.03);
        Assert.Equal(pause, asked[2] - asked[1], 0.03);

        // Now it answers: for half to one and a half of that time it is not asked again.
        Assert.Equal(StackError.None, socket.Send(_h.Payload(1), new IpEndpoint(neighbor, 9), _h.Now));
        Assert.Contains(_h.Frames(), IsSolicitation);
        _h.Receive(BuildV6.Advertisement(neighbor, NeighborMessage.Solicited | NeighborMessage.Override, destination: StackHarness.OwnMac.LinkLocal));
        _h.Frames();
        Assert.False(IsAskedAfter(confirmedFor * 0.45), "A neighbour that has just answered is asked.");
        Assert.True(IsAskedAfter(confirmedFor * 1.1), "A neighbour is believed for too long.");

        bool IsAskedAfter(double seconds)
        {
            _h.Advance(TimeSpan.FromSeconds(seconds));
            Assert.Equal(StackError.None, socket.Send(_h.Payload(1), new IpEndpoint(neighbor, 9), _h.Now));
            var frames = _h.Frames();
            _h.Advance(TimeSpan.FromSeconds(5.1)); // DELAY_FIRST_PROBE_TIME
            frames.AddRange(_h.Frames());
            return frames.Exists(IsSolicitation);
        }

        bool IsSolicitation(byte[] frame) => frame[14] >> 4 == 6 && BuildV6.Read(frame) is { Header.NextHeader: IpProtocol.Icmpv6 } read && read.Payload[0] == Icmpv6Type.NeighborSolicitation
            && IpAddress.FromBytes(read.Payload.AsSpan(8, 16)) == neighbor;
    }

    [Fact]
    public void Times_of_neighbours_have_bounds_above_too_and_are_those_of_IPv6_only()
    {
        var times = new NeighborTimes(new NeighborOptions());
        times.Advertised(TimeSpan.FromDays(40), TimeSpan.FromDays(40));
        Assert.Equal((TimeSpan.FromHours(1), TimeSpan.FromSeconds(10)), (times.Reachable(RouterA), times.Retransmit(RouterA)));
        Assert.Equal((TimeSpan.FromSeconds(30), TimeSpan.FromSeconds(1)), (times.Reachable(StackHarness.PeerIp), times.Retransmit(StackHarness.PeerIp)));
    }

    [Fact]
    public void The_flags_of_routers_say_what_is_to_be_had_by_dhcp_and_none_takes_it_back()
    {
        var only = _h.Stack.Interfaces[0];
        Assert.Equal(RouterAdvice.None, only.RouterAdvice);
        _h.Receive(Advertisement(RouterA));
        Assert.Equal(RouterAdvice.None, only.RouterAdvice);
        _h.Receive(Flagged(0x40));
        Assert.Equal(RouterAdvice.OtherConfiguration, only.RouterAdvice);
        _h.Receive(Flagged(0x80));
        Assert.Equal(RouterAdvice.Addresses, only.RouterAdvice);
        _h.Receive(Advertisement(RouterB));
        Assert.Equal(RouterAdvice.Addresses, only.RouterAdvice);
        _h.Stack.WireUp(only, _h.Now); // perhaps on another network
        Assert.Equal(RouterAdvice.None, only.RouterAdvice);
        _h.Frames();
    }

    private static byte[] Flagged(byte flags) =>
        BuildV6.Icmp(new Icmpv6Header(Icmpv6Type.RouterAdvertisement, 0, 33u << 24 | (uint)flags << 16 | 1800), new byte[8], RouterA, IpAddress.AllNodes, 255);

    private static byte[] Times(uint reachable, uint retransmit)
    {
        var rest = new byte[8];
        BinaryPrimitives.WriteUInt32BigEndian(rest, reachable);
        BinaryPrimitives.WriteUInt32BigEndian(rest.AsSpan(4), retransmit);
        return BuildV6.Icmp(new Icmpv6Header(Icmpv6Type.RouterAdvertisement, 0, 33u << 24 | 1800), rest, RouterA, IpAddress.AllNodes, 255);
    }

    private static byte[] Advertisement(IpAddress router, params byte[][] options) => Advertisement(router, options: [.. options.SelectMany(o => o)]);

    private static byte[] Advertisement(
        IpAddress router, RouterPreference preference = RouterPreference.Medium, ushort lifetime = 1800, byte hop = 255, byte[]? options = null)
    {
        byte[] rest = [0, 0, 0, 0, 0, 0, 0, 0, .. options ?? []];
        var header = new Icmpv6Header(Icmpv6Type.RouterAdvertisement, 0, 33u << 24 | (uint)((int)preference & 3) << 19 | lifetime);
        return BuildV6.Icmp(header, rest, router, IpAddress.AllNodes, hop);
    }
}
