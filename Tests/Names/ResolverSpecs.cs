using Tapwire.Names;
using Tapwire.Stack.Ip;
using Xunit;
using static Tapwire.Tests.Names.ResolverHarness;

namespace Tapwire.Tests.Names;

/// <summary>What is asked of whom, when, and what comes of it.</summary>
public sealed class ResolverSpecs
{
    private static readonly string[] Three = ["10.0.0.1", "10.0.0.2", "10.0.0.3"];

    private readonly FakeZone _zone = new()
    {
        Hosts =
        {
            ["www.example.org"] = ["192.0.2.1", "192.0.2.2", "2001:db8::1"],
            ["v4.example.org"] = ["192.0.2.4"],
            ["db.corp.example"] = ["192.0.2.9"],
            ["empty.example.org"] = [],
        },
        Pointers = { ["1.2.0.192.in-addr.arpa"] = "www.example.org" },
    };

    [Fact]
    public void A_name_has_the_addresses_of_both_families_those_of_IPv4_first()
    {
        var h = new ResolverHarness();
        var answer = h.Look("WWW.example.org", _zone, LookupKind.Addresses);
        Assert.Equal(LookupResult.Found, answer.Result);
        Assert.Equal(["192.0.2.1", "192.0.2.2", "2001:db8::1"], answer.Addresses.Select(static address => address.ToString()));
        Assert.Equal("WWW.example.org", answer.Name);
        Assert.Equal([DnsType.A, DnsType.Aaaa], h.Sent.Select(static sent => ReplyBuilder.TypeOf(sent.Message.Span)));
        Assert.Empty(h.Open);
    }

    [Fact]
    public void One_family_is_asked_for_alone()
    {
        var h = new ResolverHarness();
        Assert.Equal("2001:db8::1", Assert.Single(h.Look("www.example.org", _zone, LookupKind.AddressesV6).Addresses).ToString());
        Assert.Equal(LookupResult.NoData, h.Look("v4.example.org", _zone, LookupKind.AddressesV6).Result);
        Assert.All(h.Sent, static sent => Assert.Equal(DnsType.Aaaa, ReplyBuilder.TypeOf(sent.Message.Span)));
    }

    [Fact]
    public void A_server_that_is_silent_about_one_family_delays_the_other_by_a_second()
    {
        var h = new ResolverHarness();
        var number = h.Ask("www.example.org", LookupKind.Addresses);
        h.Reply(h.Sent[0], _zone);
        h.Advance(TimeSpan.FromSeconds(0.99));
        Assert.False(h.HasEnded(number));
        h.Advance(TimeSpan.FromSeconds(0.02));
        Assert.Equal(2, h.AnswerOf(number).Addresses.Count);

        // The answer that comes later is kept for others.
        h.Reply(h.Sent[1], _zone);
        Assert.Equal("2001:db8::1", Assert.Single(h.AnswerOf(h.Ask("www.example.org", LookupKind.AddressesV6)).Addresses).ToString());
    }

    [Fact]
    public void An_address_has_a_name()
    {
        var h = new ResolverHarness();
        var number = h.AskName("192.0.2.1");
        h.Reply(h.Last, _zone);
        Assert.Equal("www.example.org", h.AnswerOf(number).Name);
        number = h.AskName("192.0.2.77");
        h.Reply(h.Last, _zone);
        Assert.Equal(LookupResult.NoSuchName, h.AnswerOf(number).Result);
        Assert.Equal("1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa", DnsName.OfAddress(IpAddress.Parse("2001:db8::1")).ToString());
    }

    [Fact]
    public void Each_server_is_asked_in_turn_with_the_patience_of_glibc_and_all_of_them_twice()
    {
        var h = new ResolverHarness(new ResolverOptions { Routes = [Route(".", Three)] });
        var number = h.Ask("www.example.org");
        // 5 s, 10 / 3 s, 20 / 3 s: 15 s a round.
        foreach (var (seconds, sent) in new[] { (4.99, 1), (0.02, 2), (3.32, 2), (0.02, 3), (6.64, 3), (0.02, 4), (14.9, 6) })
        {
            h.Advance(TimeSpan.FromSeconds(seconds));
            Assert.Equal(sent, h.Sent.Count);
        }

        Assert.Equal([.. Three, .. Three], h.Sent.Select(static each => each.Server.Address.ToString()));
        Assert.False(h.HasEnded(number));
        h.Advance(TimeSpan.FromSeconds(0.2));
        Assert.Equal(LookupResult.TimedOut, h.AnswerOf(number).Result);
        Assert.Empty(h.Open);
        Assert.Equal(0, h.Resolver.QuestionCount);
    }

    [Fact]
    public void A_server_that_refuses_the_datagram_is_left_at_once_and_asked_last_for_half_a_minute()
    {
        var h = new ResolverHarness(new ResolverOptions { Routes = [Route(".", "10.0.0.1", "10.0.0.2")] });
        var number = h.Ask("www.example.org");
        h.Fail(h.Last);
        Assert.Equal("10.0.0.2", h.Last.Server.Address.ToString());
        h.Reply(h.Last, _zone);
        Assert.Equal(LookupResult.Found, h.AnswerOf(number).Result);

        h.Ask("other.example.org");
        Assert.Equal("10.0.0.2", h.Last.Server.Address.ToString());
        h.Reply(h.Last, _zone);
        h.Advance(NameServer.Suspension);
        h.Ask("third.example.org");
        Assert.Equal("10.0.0.1", h.Last.Server.Address.ToString());
    }

    [Fact]
    public void The_late_answer_of_a_slow_server_counts()
    {
        var h = new ResolverHarness(new ResolverOptions { Routes = [Route(".", "10.0.0.1", "10.0.0.2")] });
        var number = h.Ask("www.example.org");
        h.Advance(TimeSpan.FromSeconds(6));
        Assert.Equal(2, h.Sent.Count);
        h.Reply(h.Sent[0], _zone);
        Assert.Equal(LookupResult.Found, h.AnswerOf(number).Result);
        Assert.Empty(h.Open);
    }

    [Theory]
    [InlineData(DnsResponseCode.ServerFailure)]
    [InlineData(DnsResponseCode.Refused)]
    public void A_server_that_cannot_say_is_not_asked_again(DnsResponseCode code)
    {
        var h = new ResolverHarness(new ResolverOptions { Routes = [Route(".", "10.0.0.1", "10.0.0.2")], Attempts = 3 });
        var number = h.Ask("www.example.org");
        h.Reply(h.Last, new ReplyBuilder(h.Last.Message.Span) { Code = code });
        Assert.Equal("10.0.0.2", h.Last.Server.Address.ToString());
        h.Reply(h.Last, new ReplyBuilder(h.Last.Message.Span) { Code = code });
        Assert.Equal(LookupResult.ServerFailure, h.AnswerOf(number).Result);
        Assert.Equal(2, h.Sent.Count);

        // RFC 9520: nor for another look-up at once.
        Assert.Equal(LookupResult.ServerFailure, h.AnswerOf(h.Ask("www.example.org")).Result);
        h.Advance(TimeSpan.FromSeconds(1.1));
        h.Ask("www.example.org");
        Assert.Equal(3, h.Sent.Count);
    }

    [Fact]
    public void A_server_that_looks_nothing_up_for_others_is_left()
    {
        var h = new ResolverHarness(new ResolverOptions { Routes = [Route(".", "10.0.0.1", "10.0.0.2")] });
        h.Ask("www.example.org");
        h.Reply(h.Last, new ReplyBuilder(h.Last.Message.Span) { Flags = 0x8100 });
        Assert.Equal("10.0.0.2", h.Last.Server.Address.ToString());
    }

    [Fact]
    public void Rotation_begins_with_each_server_in_turn()
    {
        var h = new ResolverHarness(new ResolverOptions { Routes = [Route(".", Three)], Rotate = true });
        foreach (var name in new[] { "a.example", "b.example", "c.example", "d.example" })
            h.Look(name, _zone);
        Assert.Equal([.. Three, Three[0]], h.Sent.Select(static each => each.Server.Address.ToString()));
    }

    [Theory]
    [InlineData(DnsResponseCode.FormatError, true)]
    [InlineData(DnsResponseCode.FormatError, false)]
    [InlineData(DnsResponseCode.NotImplemented, true)]
    public void A_server_without_EDNS_is_asked_without_it_from_then_on(DnsResponseCode code, bool repeatsQuestion)
    {
        var h = new ResolverHarness();
        var number = h.Ask("www.example.org");
        Assert.Equal([0, 0, 41, 0x04, 0xD0], h.Last.Message.Span[^11..^6].ToArray());
        var refusal = new ReplyBuilder(h.Last.Message.Span) { Code = code };
        if (!repeatsQuestion)
            refusal.Question = [];
        h.Reply(h.Last, refusal);
        Assert.Equal(2, h.Sent.Count);
        Assert.Equal(h.Sent[0].Message.Length - 11, h.Last.Message.Length);
        h.Reply(h.Last, _zone);
        Assert.Equal(LookupResult.Found, h.AnswerOf(number).Result);
        h.Ask("other.example.org");
        Assert.Equal(0, h.Last.Message.Span[11]);
    }

    [Fact]
    public void A_server_of_another_version_of_EDNS_is_asked_without_it()
    {
        var h = new ResolverHarness();
        h.Ask("www.example.org");
        h.Reply(h.Last, new ReplyBuilder(h.Last.Message.Span).Options(highCode: 1));
        Assert.Equal(2, h.Sent.Count);
        Assert.Equal(0, h.Last.Message.Span[11]);
    }

    [Fact]
    public void What_does_not_fit_a_datagram_is_asked_for_by_TCP()
    {
        var h = new ResolverHarness();
        _zone.MaxDatagram = 40;
        var answer = h.Look("www.example.org", _zone);
        Assert.Equal(2, answer.Addresses.Count);
        Assert.Equal([DnsTransport.Udp, DnsTransport.Tcp], h.Sent.Select(static sent => sent.Transport));
        Assert.Empty(h.Open);
    }

    [Fact]
    public void A_server_without_TCP_is_left_for_the_next()
    {
        var h = new ResolverHarness(new ResolverOptions { Routes = [Route(".", "10.0.0.1", "10.0.0.2")] });
        h.Ask("www.example.org");
        h.Reply(h.Last, new ReplyBuilder(h.Last.Message.Span) { IsTruncated = true });
        h.Fail(h.Last);
        Assert.Equal(("10.0.0.2", DnsTransport.Udp), (h.Last.Server.Address.ToString(), h.Last.Transport));
    }

    [Fact]
    public void Aliases_are_followed_within_an_answer_and_beyond_it()
    {
        var h = new ResolverHarness();
        var number = h.Ask("a.example");
        h.Reply(h.Last, new ReplyBuilder(h.Last.Message.Span).Alias("a.example", "b.example", 30).Alias("b.example", "c.example"));
        Assert.Equal("c.example", ReplyBuilder.NameOf(h.Last.Message.Span));
        h.Reply(h.Last, new ReplyBuilder(h.Last.Message.Span).Alias("c.example", "d.example").Address("d.example", "192.0.2.4"));
        Assert.Equal(("d.example", "192.0.2.4"), (h.AnswerOf(number).Name, Assert.Single(h.AnswerOf(number).Addresses).ToString()));

        // The whole is kept as long as its shortest part.
        h.Advance(TimeSpan.FromSeconds(29));
        Assert.True(h.HasEnded(h.Ask("a.example")));
        h.Advance(TimeSpan.FromSeconds(2));
        Assert.False(h.HasEnded(h.Ask("a.example")));
    }

    [Fact]
    public void Aliases_in_a_circle_end()
    {
        var h = new ResolverHarness();
        var number = h.Ask("a.example");
        h.Reply(h.Last, new ReplyBuilder(h.Last.Message.Span).Alias("a.example", "b.example").Alias("b.example", "a.example"));
        Assert.Equal(LookupResult.ServerFailure, h.AnswerOf(number).Result);

        number = h.Ask("x.example");
        for (var i = 0; !h.HasEnded(number); i++)
        {
            Assert.True(i <= AnswerReading.MaxAliases, "An endless line of aliases is followed.");
            h.Reply(h.Last, new ReplyBuilder(h.Last.Message.Span).Alias(ReplyBuilder.NameOf(h.Last.Message.Span), $"x{i}.example"));
        }

        Assert.Equal(LookupResult.ServerFailure, h.AnswerOf(number).Result);
    }

    [Fact]
    public void That_there_is_no_name_is_kept_for_all_types_as_long_as_its_zone_says()
    {
        var h = new ResolverHarness();
        Assert.Equal(LookupResult.NoSuchName, h.Look("none.example.org", _zone).Result);
        Assert.Equal(LookupResult.NoSuchName, h.AnswerOf(h.Ask("none.example.org", LookupKind.AddressesV6)).Result);
        Assert.Equal(LookupResult.NoData, h.Look("empty.example.org", _zone).Result);
        Assert.Equal(LookupResult.NoData, h.AnswerOf(h.Ask("empty.example.org")).Result);
        Assert.Equal(2, h.Sent.Count);
        h.Advance(TimeSpan.FromSeconds(59));
        Assert.True(h.HasEnded(h.Ask("none.example.org")));
        h.Advance(TimeSpan.FromSeconds(2));
        Assert.False(h.HasEnded(h.Ask("none.example.org")));
    }

    [Fact]
    public void That_there_is_none_is_not_kept_when_no_zone_says_so_or_another_one_does()
    {
        var h = new ResolverHarness();
        var number = h.Ask("none.example.org");
        h.Reply(h.Last, new ReplyBuilder(h.Last.Message.Span) { Code = DnsResponseCode.NoSuchName }.Zone("example.com", 60));
        Assert.Equal(LookupResult.NoSuchName, h.AnswerOf(number).Result);
        Assert.False(h.HasEnded(h.Ask("none.example.org")));
    }

    [Fact]
    public void An_address_without_a_lifetime_is_for_those_who_wait_only()
    {
        var h = new ResolverHarness();
        var numbers = new[] { h.Ask("www.example.org"), h.Ask("www.example.org") };
        Assert.Single(h.Sent);
        h.Reply(h.Last, new ReplyBuilder(h.Last.Message.Span).Address("www.example.org", "192.0.2.1", lifetime: 0));
        Assert.All(numbers, number => Assert.Equal(LookupResult.Found, h.AnswerOf(number).Result));
        h.Ask("www.example.org");
        Assert.Equal(2, h.Sent.Count);
    }

    [Fact]
    public void Servers_of_the_longest_domain_are_asked_and_those_of_a_name_in_none_are_not_there()
    {
        var h = new ResolverHarness(new ResolverOptions { Routes = [Route("example", "10.0.0.1"), Route("corp.example", "10.0.0.2")] });
        foreach (var (name, server) in new[] { ("www.example", "10.0.0.1"), ("corp.example", "10.0.0.2"), ("a.b.corp.example", "10.0.0.2"), ("xcorp.example", "10.0.0.1") })
        {
            h.Ask(name);
            Assert.Equal(server, h.Last.Server.Address.ToString());
        }

        Assert.Equal(LookupResult.NoServer, h.AnswerOf(h.Ask("www.example.org")).Result);
    }

    [Fact]
    public void An_alias_is_followed_to_the_servers_of_its_own_domain()
    {
        var h = new ResolverHarness(new ResolverOptions { Routes = [Route(".", "10.0.0.1"), Route("corp.example", "10.0.0.2")] });
        h.Ask("www.example.org");
        h.Reply(h.Last, new ReplyBuilder(h.Last.Message.Span).Alias("www.example.org", "www.corp.example"));
        Assert.Equal("10.0.0.2", h.Last.Server.Address.ToString());
    }

    [Theory]
    [InlineData("db", 1, "db.corp.example db.example db")]
    [InlineData("db.x", 1, "db.x db.x.corp.example db.x.example")]
    [InlineData("db.x", 2, "db.x.corp.example db.x.example db.x")]
    [InlineData("db", 0, "db db.corp.example db.example")]
    [InlineData("db.", 1, "db")]
    public void Domains_are_searched_as_resolv_conf_says(string name, int dots, string tried)
    {
        var h = new ResolverHarness(new ResolverOptions { Routes = [Route(".", "10.0.0.1")], Search = [Name("corp.example"), Name("example")], Dots = dots });
        Assert.Equal(LookupResult.NoSuchName, h.Look(name, new FakeZone()).Result);
        Assert.Equal(tried, string.Join(' ', h.Sent.Select(static sent => ReplyBuilder.NameOf(sent.Message.Span))));
    }

    [Fact]
    public void A_short_name_is_found_in_the_first_domain_that_has_it_and_bears_its_whole_name()
    {
        var h = new ResolverHarness(new ResolverOptions { Routes = [Route(".", "10.0.0.1")], Search = [Name("example.org"), Name("corp.example")] });
        var answer = h.Look("db", _zone);
        Assert.Equal(("db.corp.example", 2), (answer.Name, h.Sent.Count));
    }

    [Fact]
    public void Where_nobody_answers_no_further_domain_is_searched()
    {
        var h = new ResolverHarness(new ResolverOptions { Routes = [Route(".", "10.0.0.1")], Search = [Name("corp.example")], Attempts = 1 });
        var number = h.Ask("db");
        h.Advance(TimeSpan.FromSeconds(6));
        Assert.Equal((LookupResult.TimedOut, 1), (h.AnswerOf(number).Result, h.Sent.Count));
    }

    [Theory]
    [InlineData("localhost", LookupResult.Found)]
    [InlineData("a.localhost.", LookupResult.Found)]
    [InlineData("printer.local", LookupResult.NoSuchName)]
    [InlineData("x.invalid", LookupResult.NoSuchName)]
    [InlineData("abc.onion", LookupResult.NoSuchName)]
    [InlineData("192.0.2.7", LookupResult.Found)]
    [InlineData("10.1", LookupResult.NotAName)]
    [InlineData("a b", LookupResult.NotAName)]
    [InlineData("a..b", LookupResult.NotAName)]
    [InlineData("", LookupResult.NotAName)]
    [InlineData(".", LookupResult.NotAName)]
    public void Some_names_are_nobodys_business(string name, LookupResult result)
    {
        var h = new ResolverHarness();
        Assert.Equal(result, h.AnswerOf(h.Ask(name)).Result);
        Assert.Empty(h.Sent);
    }

    [Fact]
    public void Local_names_are_asked_for_where_the_settings_say_whom()
    {
        var h = new ResolverHarness(new ResolverOptions { Routes = [Route(".", "10.0.0.1"), Route("local", "10.0.0.2")] });
        h.Ask("printer.local");
        Assert.Equal("10.0.0.2", h.Last.Server.Address.ToString());
    }

    [Fact]
    public void No_server_makes_a_name_an_alias_of_the_host_itself()
    {
        var h = new ResolverHarness();
        var number = h.Ask("evil.example");
        h.Reply(h.Last, new ReplyBuilder(h.Last.Message.Span).Alias("evil.example", "localhost"));
        Assert.Equal(LookupResult.NoSuchName, h.AnswerOf(number).Result);
    }

    [Fact]
    public void Own_names_are_complete_and_those_of_the_hosts_file_are_asked_for_where_a_family_is_missing()
    {
        var h = new ResolverHarness(new ResolverOptions
        {
            Routes = [Route(".", "10.0.0.1")],
            Hosts = HostsTable.Of([(Name("own.example"), IpAddress.Parse("192.0.2.50"))]),
        });
        h.Resolver.HostsFile = HostsTable.Parse("192.0.2.60 file.example file # comment\n192.0.2.61 own.example\nfe80::1%eth0 zone.example\nnonsense\n");
        Assert.Equal("192.0.2.50", Assert.Single(h.AnswerOf(h.Ask("own.example", LookupKind.Addresses)).Addresses).ToString());
        Assert.Equal(LookupResult.NoData, h.AnswerOf(h.Ask("own.example", LookupKind.AddressesV6)).Result);
        var file = h.AnswerOf(h.Ask("FILE", LookupKind.Addresses));
        Assert.Equal(("file.example", "192.0.2.60"), (file.Name, Assert.Single(file.Addresses).ToString()));
        Assert.Equal("own.example", h.AnswerOf(h.AskName("192.0.2.50")).Name);
        Assert.Equal("file.example", h.AnswerOf(h.AskName("192.0.2.60")).Name);
        Assert.Empty(h.Sent);
        h.Ask("file.example", LookupKind.AddressesV6);
        Assert.Single(h.Sent);
    }

    [Fact]
    public void There_is_a_limit_to_questions_and_one_to_lookups()
    {
        var h = new ResolverHarness(new ResolverOptions { Routes = [Route(".", "10.0.0.1")], MaxQuestions = 2, MaxLookups = 3 });
        h.Ask("a.example");
        h.Ask("b.example");
        Assert.Equal(LookupResult.Busy, h.AnswerOf(h.Ask("c.example")).Result);
        var third = h.Ask("a.example");
        Assert.Equal(LookupResult.Busy, h.AnswerOf(h.Ask("a.example")).Result);
        Assert.False(h.HasEnded(third));
        h.Reply(h.Sent[0], _zone);
        h.Reply(h.Sent[1], _zone);
        Assert.Equal((0, 0), (h.Resolver.LookupCount, h.Resolver.QuestionCount));
        Assert.Equal(2, h.Resolver.Counters.Busy);
    }

    [Fact]
    public void The_cache_keeps_its_bounds_and_what_is_used()
    {
        var h = new ResolverHarness(new ResolverOptions { Routes = [Route(".", "10.0.0.1")], CacheEntries = 10, CacheBytes = 1 << 14 });
        for (var i = 0; i < 100; i++)
        {
            h.Look("www.example.org", _zone);
            h.Look($"n{i}.example.org", _zone);
        }

        Assert.Equal(10, h.Resolver.Cached.Count);
        Assert.Equal(101, h.Sent.Count);
        var bytes = new AnswerCache(1000, 2000);
        for (var i = 0; i < 100; i++)
        {
            bytes.Add(Name($"n{i}.example"), DnsType.A, new DnsAnswer(LookupResult.Found, [IpAddress.LoopbackV4], Name("x.example"), TimeSpan.FromHours(1)), default);
            Assert.InRange(bytes.Bytes, 1, 2000);
        }
    }

    [Fact]
    public void A_run_repeats_from_its_secret_and_ids_do_not_follow_each_other()
    {
        var one = new ResolverHarness();
        var other = new ResolverHarness();
        for (var i = 0; i < 50; i++)
        {
            one.Ask($"n{i}.example");
            other.Ask($"n{i}.example");
        }

        Assert.Equal(one.Sent.Select(static sent => Convert.ToHexString(sent.Message.Span)), other.Sent.Select(static sent => Convert.ToHexString(sent.Message.Span)));
        var ids = one.Sent.Select(static sent => (sent.Message.Span[0] << 8) | sent.Message.Span[1]).ToList();
        Assert.True(ids.Distinct().Count() > 45);
        Assert.DoesNotContain(ids.Zip(ids.Skip(1)), static pair => pair.Second == pair.First + 1);
    }
}
