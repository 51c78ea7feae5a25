using Tapwire.Names;
using Tapwire.Names.Mdns;
using Tapwire.Stack;
using Tapwire.Stack.Ip;
using Xunit;
using static Tapwire.Tests.Names.Mdns.MdnsNetwork;

namespace Tapwire.Tests.Names.Mdns;

/// <summary>Looking up what hosts on a link have to say of their names (RFC 6762).</summary>
public sealed class MdnsQuerierSpecs
{
    private static readonly IpAddress Other = IpAddress.Parse("10.0.0.9");

    private readonly MdnsNetwork _network = new();
    private readonly MdnsHost _asker;

    public MdnsQuerierSpecs() => _asker = _network.Add(1);

    private MdnsHost Peer(bool hasV6 = true)
    {
        var peer = _network.Add(2, hasV6);
        peer.Publish("peer");
        _network.RunUntil(() => peer.Engine.State == MdnsState.Established);
        return peer;
    }

    [Fact]
    public void A_host_is_found_by_both_families()
    {
        Peer();
        Assert.Equal("10.0.0.2", Assert.Single(_asker.Look("peer.local", DnsType.A).Addresses).ToString());
        Assert.Equal("fe80::2", Assert.Single(_asker.Look("PEER.local", DnsType.Aaaa).Addresses).ToString());
        Assert.Equal("peer.local", _asker.Look("2.0.0.10.in-addr.arpa", DnsType.Pointer).Target!.ToString());
        Assert.Equal((3L, 3L), (_asker.Counters.Asked + _asker.Counters.FromCache, _asker.Counters.Answered + _asker.Counters.FromCache));
    }

    [Fact]
    public void Both_families_are_asked_for_in_one_message()
    {
        Peer();
        var (v4, v6) = (_asker.Ask("peer.local", DnsType.A), _asker.Ask("peer.local", DnsType.Aaaa));
        _network.RunUntil(() => _asker.HasAnswer(v4) && _asker.HasAnswer(v6));
        Assert.Equal([DnsType.A, DnsType.Aaaa], Assert.Single(_asker.Sent).Message.Questions.Select(static question => question.Type));
    }

    [Fact]
    public void That_there_is_no_address_of_a_family_is_known_at_once()
    {
        Peer(hasV6: false);
        var asked = _network.Now;
        Assert.Equal(LookupResult.NoData, _asker.Look("peer.local", DnsType.Aaaa).Result);
        Assert.True(_network.Now - asked < TimeSpan.FromMilliseconds(50));
    }

    [Fact]
    public void A_type_that_a_name_has_is_still_asked_for()
    {
        var number = _asker.Ask("peer.local", DnsType.Aaaa);
        _network.Run(TimeSpan.FromMilliseconds(1));
        _asker.Receive(Other, Response(Address("peer.local", "10.0.0.9"), MdnsRecord.OfTypes(ResolverHarness.Name("peer.local"), 120, DnsType.A, DnsType.Aaaa)));
        Assert.False(_asker.HasAnswer(number));
        _asker.Receive(Other, Response(MdnsRecord.OfTypes(ResolverHarness.Name("peer.local"), 120, DnsType.A)));
        Assert.Equal(LookupResult.NoData, _asker.AnswerTo(number).Answer.Result);
    }

    [Fact]
    public void A_name_that_nobody_has_is_asked_for_twice_and_given_up_after_two_and_a_half_seconds()
    {
        var asked = _network.Now;
        Assert.Equal(LookupResult.NoSuchName, _asker.Look("none.local", DnsType.A).Result);
        Assert.Equal(2500, (_network.Now - asked).TotalMilliseconds);
        Assert.Equal([(0d, true), (1000d, false)], _asker.Sent.Select(sent => ((sent.At - asked).TotalMilliseconds, sent.Message.Questions[0].WantsUnicast)));
        Assert.Equal(1, _asker.Counters.TimedOut);
        Assert.Equal(Instant.Never, _asker.Engine.PollAt);
    }

    [Fact]
    public void An_answer_that_is_lost_comes_a_second_later()
    {
        var peer = Peer();
        var asked = _network.Now;
        _network.Loses = (from, sent) => from == peer && sent.At - asked < TimeSpan.FromMilliseconds(500);
        Assert.Equal(LookupResult.Found, _asker.Look("peer.local", DnsType.A).Result);
        Assert.Equal(2, _asker.Sent.Count);
    }

    [Fact]
    public void An_answer_is_kept_as_long_as_it_says()
    {
        var peer = Peer();
        _asker.Look("peer.local", DnsType.A);
        _network.Run(TimeSpan.FromSeconds(119));
        Assert.Equal(LookupResult.Found, _asker.Look("peer.local", DnsType.A).Result);
        Assert.Single(_asker.Sent);
        _network.Run(TimeSpan.FromSeconds(2));
        peer.IsApart = true;
        Assert.Equal(LookupResult.NoSuchName, _asker.Look("peer.local", DnsType.A).Result);
    }

    /// <summary>RFC 6762, 5.2: at 80 hundredths of the lifetime, and up to two more.</summary>
    [Fact]
    public void An_answer_that_is_used_is_asked_for_again_before_it_expires_and_one_that_is_not_is_let_go()
    {
        Peer();
        _asker.Look("peer.local", DnsType.A);
        _network.Run(TimeSpan.FromSeconds(10));
        var told = _network.Now - TimeSpan.FromSeconds(10);
        _asker.Look("peer.local", DnsType.A);
        _network.Run(TimeSpan.FromSeconds(100));
        var refresh = Assert.Single(_asker.Sent.Skip(1));
        Assert.InRange((refresh.At - told).TotalSeconds, 96, 98.5);
        Assert.Equal((DnsType.A, false, 0), (Assert.Single(refresh.Message.Questions).Type, refresh.Message.Questions[0].WantsUnicast, refresh.Message.Answers.Count));

        // Nobody has used it since: it lives to its end, which is later now, and no longer.
        _network.Run(TimeSpan.FromSeconds(105));
        Assert.Equal((2, 1L), (_asker.Sent.Count, _asker.Counters.Refreshed));
        Assert.Equal(LookupResult.Found, _asker.Look("peer.local", DnsType.A).Result);
        _network.Run(TimeSpan.FromSeconds(10));
        Assert.Equal(2, _asker.Sent.Count(static sent => !sent.Message.IsResponse));
        _network.Run(TimeSpan.FromSeconds(200));
        Assert.Equal(Instant.Never, _asker.Engine.PollAt);
    }

    [Fact]
    public void A_host_that_is_gone_is_asked_for_four_times_and_forgotten_in_time()
    {
        var peer = Peer();
        _asker.Look("peer.local", DnsType.A);
        var told = _network.Now;
        _asker.Look("peer.local", DnsType.A);
        peer.IsApart = true;
        _network.Run(TimeSpan.FromSeconds(125));
        var times = _asker.Sent.Skip(1).Select(sent => (sent.At - told).TotalSeconds).ToArray();
        Assert.Equal(4, times.Length);
        for (var i = 0; i < times.Length; i++)
            Assert.InRange(times[i], 120 * (0.80 + 0.05 * i) - 0.5, 120 * (0.82 + 0.05 * i) + 0.5);
        Assert.Equal(LookupResult.NoSuchName, _asker.Look("peer.local", DnsType.A).Result);
    }

    /// <summary>RFC 6762, 7.1: what is known for more than half of its lifetime yet is listed, so that who has told it says nothing.</summary>
    [Fact]
    public void What_is_known_is_listed_where_another_record_of_the_name_expires()
    {
        _asker.Ask("many.local", DnsType.A);
        _network.Run(TimeSpan.FromMilliseconds(1));
        _asker.Receive(Other, Response(Address("many.local", "10.0.0.77", lifetime: 100, isUnique: false), Address("many.local", "10.0.0.78", lifetime: 1000, isUnique: false)));
        _asker.Look("many.local", DnsType.A);
        _network.Run(TimeSpan.FromSeconds(83));
        var refresh = _asker.Sent[^1];
        Assert.Single(refresh.Message.Questions);
        var known = Assert.Single(refresh.Message.Answers);
        Assert.Equal("10.0.0.78", known.Address.ToString());
        Assert.InRange(known.Lifetime, 915u, 921u);
    }

    [Fact]
    public void A_host_that_says_goodbye_is_forgotten_after_a_second()
    {
        var peer = Peer();
        _asker.Look("peer.local", DnsType.A);
        peer.Engine.Stop();
        _network.Deliver();
        Assert.Equal(LookupResult.Found, _asker.Look("peer.local", DnsType.A).Result);
        _network.Run(TimeSpan.FromMilliseconds(1001));
        Assert.Equal(LookupResult.NoSuchName, _asker.Look("peer.local", DnsType.A).Result);
    }

    [Fact]
    public void What_a_host_says_replaces_what_it_has_said_before()
    {
        Peer();
        _asker.Look("peer.local", DnsType.A);
        _network.Run(TimeSpan.FromSeconds(5));
        _asker.Receive(Other, Response(Address("peer.local", "10.0.0.77")));
        Assert.Equal(2, _asker.Look("peer.local", DnsType.A).Addresses.Count);
        _network.Run(TimeSpan.FromMilliseconds(1001));
        Assert.Equal("10.0.0.77", Assert.Single(_asker.Look("peer.local", DnsType.A).Addresses).ToString());
    }

    [Fact]
    public void Addresses_that_a_host_shares_with_others_add_up()
    {
        var number = _asker.Ask("many.local", DnsType.A);
        _network.Run(TimeSpan.FromMilliseconds(1));
        _asker.Receive(Other, Response(Address("many.local", "10.0.0.77", isUnique: false), Address("many.local", "10.0.0.78", isUnique: false)));
        Assert.Equal(["10.0.0.77", "10.0.0.78"], _asker.AnswerTo(number).Answer.Addresses.Select(static address => address.ToString()));
    }

    [Fact]
    public void An_alias_leads_to_another_name()
    {
        var number = _asker.Ask("alias.local", DnsType.A);
        _network.Run(TimeSpan.FromMilliseconds(1));
        var alias = new MdnsRecord(ResolverHarness.Name("alias.local"), DnsType.CanonicalName, isUnique: true, 120, ResolverHarness.Name("real.local").Wire.ToArray());
        _asker.Receive(Other, Response(alias, Address("real.local", "10.0.0.77")));
        var answer = _asker.AnswerTo(number).Answer;
        Assert.Equal((true, "real.local"), (answer.IsAlias, answer.Target!.ToString()));
        Assert.Equal("10.0.0.77", Assert.Single(_asker.Look("real.local", DnsType.A).Addresses).ToString());
        Assert.Equal(1, _asker.Counters.Asked);
    }

    [Fact]
    public void A_question_that_another_host_has_just_asked_all_is_not_asked_again()
    {
        _asker.Ask("none.local", DnsType.A);
        _network.Run(TimeSpan.FromMilliseconds(500));
        _asker.Receive(Other, Query("none.local", DnsType.A));
        _network.Run(TimeSpan.FromSeconds(5));
        Assert.Single(_asker.Sent);
    }

    [Fact]
    public void The_own_name_needs_no_question()
    {
        _asker.Publish("box");
        _network.RunUntil(() => _asker.Engine.State == MdnsState.Established);
        _asker.Sent.Clear();
        Assert.Equal("10.0.0.1", Assert.Single(_asker.Look("box.local", DnsType.A).Addresses).ToString());
        Assert.DoesNotContain(_asker.Sent, static sent => !sent.Message.IsResponse);
    }

    [Fact]
    public void Answers_from_elsewhere_do_not_count()
    {
        var number = _asker.Ask("peer.local", DnsType.A);
        _network.Run(TimeSpan.FromMilliseconds(1));
        var answer = Response(Address("peer.local", "10.0.0.66"));
        _asker.Receive(IpAddress.Parse("192.0.2.66"), answer, to: _asker.V4);
        _asker.Receive(Other, answer, port: 40000);
        Assert.False(_asker.HasAnswer(number));
        Assert.Equal((1L, 1L), (_asker.Counters.OffLink, _asker.Counters.Foreign));
        _asker.Receive(Other, answer, to: _asker.V4);
        Assert.Equal("10.0.0.66", Assert.Single(_asker.AnswerTo(number).Answer.Addresses).ToString());
    }

    [Theory]
    [InlineData("127.0.0.1")]
    [InlineData("224.0.0.1")]
    [InlineData("0.0.0.0")]
    public void An_address_that_is_no_hosts_is_none(string address)
    {
        var number = _asker.Ask("peer.local", DnsType.A);
        _network.Run(TimeSpan.FromMilliseconds(1));
        _asker.Receive(Other, Response(Address("peer.local", address)));
        Assert.False(_asker.HasAnswer(number));
    }

    [Fact]
    public void Questions_beyond_the_limit_are_refused_and_all_others_end()
    {
        var numbers = Enumerable.Range(0, 300).Select(i => _asker.Ask($"n{i}.local", DnsType.A)).ToList();
        Assert.Equal(44, numbers.Count(_asker.HasAnswer));
        Assert.Equal(LookupResult.Busy, _asker.AnswerTo(numbers[^1]).Answer.Result);
        _network.Run(TimeSpan.FromSeconds(3));
        Assert.All(numbers, number => Assert.True(_asker.HasAnswer(number)));
        Assert.Equal(0, _asker.Engine.QuestionCount);
    }

    [Fact]
    public void Without_an_address_nobody_is_asked()
    {
        _asker.Engine.UseAddresses([], _network.Now);
        Assert.Equal(LookupResult.NoSuchName, _asker.Look("peer.local", DnsType.A).Result);
        Assert.Empty(_asker.Sent);
    }
}
