using Tapwire.Stack.Dhcp;
using Tapwire.Stack.Dhcp.V6;
using Tapwire.Stack.Ip;
using Xunit;

namespace Tapwire.Tests.Stack.Dhcp.V6;

/// <summary>DHCPv6 messages, byte by byte (RFC 8415, 8 and 21; RFC 3646; RFC 4704).</summary>
public sealed class Dhcp6MessageSpecs
{
    private const uint Transaction = 0x12_3456;

    [Fact]
    public void A_solicitation_has_these_bytes()
    {
        var message = new Dhcp6Message
        {
            Type = Dhcp6MessageType.Solicit,
            Transaction = Transaction,
            Client = Dhcp6Reply.Client,
            Association = Dhcp6Reply.Association,
            Addresses = [IpAddress.Parse("2001:db8::50")],
            HostName = "box",
            RapidCommit = true,
        };
        Assert.Equal("01123456" + "0001000A00030001020000000002" + "000800020000" + "00060006001700180052" + "000E0000" + "0027000501" + "03626F78"
            + "000300280A0B0C0D0000000000000000" + "0005001820010DB80000000000000000000000500000000000000000", Convert.ToHexString(message.Emit()));
    }

    [Fact]
    public void A_decline_names_its_server_and_says_nothing_of_no_use()
    {
        var message = new Dhcp6Message
        {
            Type = Dhcp6MessageType.Decline,
            Transaction = Transaction,
            Client = Dhcp6Reply.Client,
            Server = Dhcp6Reply.Server,
            Association = Dhcp6Reply.Association,
            Addresses = [IpAddress.Parse("2001:db8::50")],
            Elapsed = TimeSpan.FromMilliseconds(1230),
            HostName = "box",
        };
        Assert.Equal("09123456" + "0001000A00030001020000000002" + "0002000A00030001020000000001" + "00080002007B"
            + "000300280A0B0C0D0000000000000000" + "0005001820010DB80000000000000000000000500000000000000000", Convert.ToHexString(message.Emit()));
    }

    [Theory]
    [InlineData("box.lan.test", "0103626F78036C616E047465737400")]
    [InlineData("box", "0103626F78")]
    [InlineData("", "")]
    [InlineData("a..b", "")]
    public void A_whole_name_ends_and_a_part_of_one_does_not(string name, string expected)
    {
        var message = new Dhcp6Message { Type = Dhcp6MessageType.Request, Transaction = 1, Client = Dhcp6Reply.Client, HostName = name }.Emit();
        Assert.Equal(expected, Convert.ToHexString(Dhcp6Reply.Read(message.AsSpan(4)).GetValueOrDefault(Dhcp6Option.ClientName, [])));
    }

    [Fact]
    public void A_reply_is_read_with_all_that_it_has()
    {
        var answer = Read(Grant().With(Dhcp6Option.NameServers, Dhcp6Reply.Addresses("2001:db8::53 fe80::53")).With(Dhcp6Option.DomainSearch, [3, .. "Lan"u8, 0, 1, (byte)'a', 1, (byte)'b', 0])
            .With(Dhcp6Option.Preference, 9).With32(Dhcp6Option.SolicitMaxRt, 120).With32(Dhcp6Option.InformationMaxRt, 90).With32(Dhcp6Option.InformationRefreshTime, 1200).With((Dhcp6Option)999, 1, 2, 3));
        var lease = answer.Lease!;
        Assert.Equal(new Dhcp6Address(IpAddress.Parse("2001:db8::50"), TimeSpan.FromHours(1), TimeSpan.FromHours(2)), Assert.Single(lease.Addresses));
        Assert.Equal((1800.0, 2880.0, 7200.0), (lease.RenewalTime.TotalSeconds, lease.RebindingTime.TotalSeconds, lease.Lifetime.TotalSeconds));
        Assert.Equal(["2001:db8::53", "fe80::53"], lease.NameServers.Select(static server => server.ToString()));
        Assert.Equal(["lan", "a.b"], lease.Domains);
        Assert.Equal((9, 120.0, 90.0, 1200.0), (answer.Preference, answer.SolicitMaxRt!.Value.TotalSeconds, answer.InformationMaxRt!.Value.TotalSeconds, answer.Refresh.TotalSeconds));
        Assert.Equal(Dhcp6Reply.Server, answer.Server);
    }

    [Theory]
    [InlineData(100, 200, 3600, 7200, 100, 200)]
    [InlineData(0, 200, 3600, 7200, 100, 200)] // T1 is below T2 always
    [InlineData(100, 0, 3600, 7200, 100, 2880)]
    [InlineData(2, 200, 3600, 7200, 100, 200)] // too often
    [InlineData(100, 7200, 3600, 7200, 100, 2880)]
    [InlineData(0, 0, 0, 7200, 3600, 5760)]
    [InlineData(0, 0, 5, 20, 5, 8)]
    public void Times_are_those_of_the_server_where_they_make_sense(uint first, uint second, uint preferred, uint valid, double renewal, double rebinding)
    {
        var lease = Read(Bare().With(Dhcp6Option.NonTemporaryAddresses, Dhcp6Reply.Ia(Dhcp6Reply.Association, first, second, Dhcp6Reply.Address("2001:db8::50", preferred, valid)))).Lease!;
        Assert.Equal((renewal, rebinding), (lease.RenewalTime.TotalSeconds, lease.RebindingTime.TotalSeconds));
    }

    [Fact]
    public void Lists_are_read_up_to_their_bounds_and_what_cannot_be_is_left_out()
    {
        var counters = new DhcpCounters();
        var many = Enumerable.Range(1, 9).SelectMany(static i => Dhcp6Reply.Address($"2001:db8::{i}", 3600, 7200)).ToArray();
        byte[] bad =
        [
            .. Dhcp6Reply.Address("ff02::1", 3600, 7200), .. Dhcp6Reply.Address("::1", 3600, 7200), .. Dhcp6Reply.Address("fe80::9", 3600, 7200), .. Dhcp6Reply.Address("::ffff:1.2.3.4", 3600, 7200),
            .. Dhcp6Reply.Address("2001:db8::a", 7201, 7200), .. Dhcp6Reply.Address("2001:db8::b", 3, 9), .. Dhcp6Reply.Address("2001:db8::c", 3600, 7200, Dhcp6Reply.StatusOption(Dhcp6Status.NoAddrsAvail)),
            .. Dhcp6Reply.Option(Dhcp6Option.Address, 1, 2, 3),
        ];
        var reply = Bare().With(Dhcp6Option.NonTemporaryAddresses, Dhcp6Reply.Ia(1, 0, 0, Dhcp6Reply.Address("2001:db8::dead", 3600, 7200)))
            .With(Dhcp6Option.NonTemporaryAddresses, Dhcp6Reply.Ia(Dhcp6Reply.Association, 0, 0, [.. bad, .. many]))
            .With(Dhcp6Option.NameServers, Dhcp6Reply.Addresses("ff02::53 " + string.Join(' ', Enumerable.Range(1, 20).Select(static i => $"2001:db8::{i}"))))
            .With(Dhcp6Option.DomainSearch, [1, (byte)'a', 0, 200, 1]);
        Assert.Equal(DhcpDrop.None, Dhcp6Answer.Read(reply.ToArray(), Transaction, Dhcp6Reply.Client, Dhcp6Reply.Association, counters, out var answer));
        Assert.Equal(["2001:db8::1", "2001:db8::2", "2001:db8::3", "2001:db8::4"], answer!.Lease!.Addresses.Select(static each => each.Address.ToString()));
        Assert.Equal((DhcpLease.MostNameServers, "a"), (answer.NameServers.Count, Assert.Single(answer.Domains)));
        Assert.Equal((4, 2, 1, 1, 1, 1), (counters[DhcpDrop.BadAddress], counters[DhcpDrop.BadLeaseTime], counters[DhcpDrop.BadStatus], counters[DhcpDrop.BadOption], counters[DhcpDrop.BadNameServer], counters[DhcpDrop.BadDomain]));
    }

    [Theory]
    [InlineData("empty", DhcpDrop.BadLength)]
    [InlineData("short", DhcpDrop.BadLength)]
    [InlineData("long", DhcpDrop.BadLength)]
    [InlineData("solicit", DhcpDrop.BadType)]
    [InlineData("relay", DhcpDrop.BadType)]
    [InlineData("reconfigure", DhcpDrop.Reconfigure)]
    [InlineData("transaction", DhcpDrop.OtherTransaction)]
    [InlineData("past end", DhcpDrop.OptionPastEnd)]
    [InlineData("half a header", DhcpDrop.OptionPastEnd)]
    [InlineData("too many", DhcpDrop.OptionPastEnd)]
    [InlineData("no client", DhcpDrop.OtherClient)]
    [InlineData("other client", DhcpDrop.OtherClient)]
    [InlineData("client twice", DhcpDrop.OtherClient)]
    [InlineData("no server", DhcpDrop.BadServer)]
    [InlineData("empty server", DhcpDrop.BadServer)]
    [InlineData("long server", DhcpDrop.BadServer)]
    [InlineData("server twice", DhcpDrop.BadServer)]
    [InlineData("status one", DhcpDrop.BadOption)]
    [InlineData("status twice", DhcpDrop.BadOption)]
    [InlineData("preference two", DhcpDrop.BadOption)]
    [InlineData("rapid one", DhcpDrop.BadOption)]
    [InlineData("max rt short", DhcpDrop.BadOption)]
    [InlineData("refresh long", DhcpDrop.BadOption)]
    [InlineData("servers 17", DhcpDrop.BadOption)]
    [InlineData("ia short", DhcpDrop.BadOption)]
    [InlineData("ia past end", DhcpDrop.BadOption)]
    [InlineData("ia status one", DhcpDrop.BadOption)]
    public void What_is_wrong_is_dropped_for_that_reason(string fault, DhcpDrop reason)
    {
        Assert.Equal(reason, Dhcp6Answer.Read(Faulty(fault), Transaction, Dhcp6Reply.Client, Dhcp6Reply.Association, new DhcpCounters(), out var answer));
        Assert.Null(answer);
    }

    [Fact]
    public void Times_in_the_wrong_order_cost_the_association()
    {
        var answer = Read(Bare().With(Dhcp6Option.NonTemporaryAddresses, Dhcp6Reply.Ia(Dhcp6Reply.Association, 300, 200, Dhcp6Reply.Address("2001:db8::50", 3600, 7200))));
        Assert.Null(answer.Lease);
    }

    /// <summary>What is read of mutated messages keeps its promises, and nothing is thrown.</summary>
    [Fact]
    public void A_million_mutated_answers_are_read_without_a_fault()
    {
        const int Seed = 20261130;
        var random = new Random(Seed);
        byte[][] templates =
        [
            Grant().With(Dhcp6Option.NameServers, Dhcp6Reply.Addresses("2001:db8::53")).With(Dhcp6Option.DomainSearch, [3, .. "lan"u8, 0]).With32(Dhcp6Option.SolicitMaxRt, 120).ToArray(),
            Bare().With(Dhcp6Option.NonTemporaryAddresses, Dhcp6Reply.Ia(Dhcp6Reply.Association, 100, 200,
                [.. Dhcp6Reply.Address("2001:db8::50", 3600, 7200, Dhcp6Reply.StatusOption(Dhcp6Status.Success)), .. Dhcp6Reply.Address("2001:db8::51", 0, 0)])).Status(Dhcp6Status.Success).ToArray(),
            Bare().Status(Dhcp6Status.NoBinding).With32(Dhcp6Option.InformationRefreshTime, 1200).With(Dhcp6Option.RapidCommit).With(Dhcp6Option.Preference, 1).ToArray(),
        ];
        var counters = new DhcpCounters();
        var read = 0;
        for (var i = 0; i < 1_000_000; i++)
        {
            var message = templates[random.Next(templates.Length)].ToArray();
            for (var n = random.Next(1, 6); n > 0; n--)
                message[random.Next(4) == 0 ? random.Next(message.Length) : random.Next(32, message.Length)] = (byte)random.Next(256);
            var length = random.Next(8) == 0 ? random.Next(message.Length + 1) : message.Length;
            try
            {
                if (Dhcp6Answer.Read(message.AsSpan(0, length), Transaction, Dhcp6Reply.Client, Dhcp6Reply.Association, counters, out var answer) != DhcpDrop.None)
                    continue;
                read++;
                Check(answer!);
            }
            catch (Exception e)
            {
                Assert.Fail($"seed {Seed}, message {i}: {Convert.ToHexString(message.AsSpan(0, length))}\n{e}");
            }
        }

        Assert.InRange(read, 10_000, 990_000);
    }

    internal static void Check(Dhcp6Answer answer)
    {
        Assert.InRange(answer.Server.Length, 1, Dhcp6.MaxDuid);
        Assert.True(answer.NameServers.Count <= DhcpLease.MostNameServers && answer.Domains.Count <= DhcpLease.MostDomains && answer.Removed.Count <= Dhcp6Lease.MostAddresses);
        Assert.All(answer.NameServers, static server => Assert.False(server.IsV4 || server.IsMulticast || server.IsLoopback || server.IsUnspecified));
        Assert.All(answer.Domains, static domain => Assert.InRange(domain.Length, 1, 253));
        Assert.True(answer.Refresh >= TimeSpan.FromMinutes(10));
        Assert.InRange((answer.SolicitMaxRt ?? TimeSpan.FromMinutes(1)).TotalSeconds, 60, 86400);
        if (answer.Lease is not { } lease)
            return;
        Assert.InRange(lease.Addresses.Count, 1, Dhcp6Lease.MostAddresses);
        Assert.Equal(lease.Addresses.Count, lease.Addresses.Select(static each => each.Address).Distinct().Count());
        Assert.All(lease.Addresses, static each => Assert.True(each.Address.IsV6 && !each.Address.IsLinkLocal && !each.Address.IsMulticast && each.Valid >= DhcpLease.ShortestLifetime && each.Preferred <= each.Valid));
        Assert.True(lease.RenewalTime >= TimeSpan.FromSeconds(4) && (lease.RenewalTime < lease.RebindingTime || lease.RenewalTime == DhcpLease.Endless));
        Assert.True(lease.RebindingTime < lease.Lifetime || lease.RebindingTime == DhcpLease.Endless);
    }

    private static byte[] Faulty(string fault) => fault switch
    {
        "empty" => [],
        "short" => [7, 0, 0],
        "long" => Grant().With((Dhcp6Option)999, new byte[1500]).ToArray(),
        "solicit" => new Dhcp6Reply(Dhcp6MessageType.Solicit, Transaction).ToArray(),
        "relay" => new Dhcp6Reply((Dhcp6MessageType)13, Transaction).ToArray(),
        "reconfigure" => new Dhcp6Reply(Dhcp6MessageType.Reconfigure, Transaction).ToArray(),
        "transaction" => Dhcp6Reply.Lease(Dhcp6MessageType.Reply, Transaction + 1).ToArray(),
        "past end" => Grant().Raw(0, 23, 0, 200, 1).ToArray(),
        "half a header" => Grant().Raw(0, 23, 0).ToArray(),
        "too many" => Enumerable.Range(0, 80).Aggregate(Grant(), static (reply, _) => reply.With((Dhcp6Option)999)).ToArray(),
        "no client" => Grant().Without(Dhcp6Option.ClientIdentifier).ToArray(),
        "other client" => Dhcp6Reply.Lease(Dhcp6MessageType.Reply, Transaction, client: [0, 3, 0, 1, 9]).ToArray(),
        "client twice" => Grant().With(Dhcp6Option.ClientIdentifier, Dhcp6Reply.Client).ToArray(),
        "no server" => Grant().Without(Dhcp6Option.ServerIdentifier).ToArray(),
        "empty server" => Grant().Instead(Dhcp6Option.ServerIdentifier).ToArray(),
        "long server" => Grant().Instead(Dhcp6Option.ServerIdentifier, new byte[131]).ToArray(),
        "server twice" => Grant().With(Dhcp6Option.ServerIdentifier, Dhcp6Reply.Server).ToArray(),
        "status one" => Grant().With(Dhcp6Option.StatusCode, 0).ToArray(),
        "status twice" => Grant().Status(Dhcp6Status.Success).Status(Dhcp6Status.NoBinding).ToArray(),
        "preference two" => Grant().With(Dhcp6Option.Preference, 1, 2).ToArray(),
        "rapid one" => Grant().With(Dhcp6Option.RapidCommit, 1).ToArray(),
        "max rt short" => Grant().With(Dhcp6Option.SolicitMaxRt, 1, 2, 3).ToArray(),
        "refresh long" => Grant().With(Dhcp6Option.InformationRefreshTime, new byte[8]).ToArray(),
        "servers 17" => Grant().With(Dhcp6Option.NameServers, new byte[17]).ToArray(),
        "ia short" => Bare().With(Dhcp6Option.NonTemporaryAddresses, new byte[11]).ToArray(),
        "ia past end" => Bare().With(Dhcp6Option.NonTemporaryAddresses, Dhcp6Reply.Ia(Dhcp6Reply.Association, 0, 0, 0, 5, 0, 24, 1)).ToArray(),
        _ => Bare().With(Dhcp6Option.NonTemporaryAddresses, Dhcp6Reply.Ia(Dhcp6Reply.Association, 0, 0, Dhcp6Reply.Option(Dhcp6Option.StatusCode, 1))).ToArray(),
    };

    private static Dhcp6Reply Grant() => Dhcp6Reply.Lease(Dhcp6MessageType.Reply, Transaction);

    private static Dhcp6Reply Bare() => new(Dhcp6MessageType.Reply, Transaction);

    private static Dhcp6Answer Read(Dhcp6Reply reply)
    {
        Assert.Equal(DhcpDrop.None, Dhcp6Answer.Read(reply.ToArray(), Transaction, Dhcp6Reply.Client, Dhcp6Reply.Association, new DhcpCounters(), out var answer));
        return answer!;
    }
}
