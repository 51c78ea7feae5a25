using Tapwire.Names;
using Tapwire.Names.Mdns;
using Tapwire.Stack;
using Tapwire.Stack.Ip;
using Xunit;
using static Tapwire.Tests.Names.Mdns.MdnsNetwork;

namespace Tapwire.Tests.Names.Mdns;

/// <summary>A host's name on a link: how it is taken, told, defended and given back (RFC 6762).</summary>
public sealed class MdnsResponderSpecs
{
    private static readonly MdnsService Http = new("http", IsTcp: true, 80);

    private readonly MdnsNetwork _network = new();
    private readonly MdnsHost _box;

    public MdnsResponderSpecs() => _box = _network.Add(1);

    private static IEnumerable<DnsType> TypesOf(MdnsSent sent) => sent.Message.Answers.Select(static record => record.Type);

    private IEnumerable<MdnsSent> Responses => _box.Sent.Where(static sent => sent.Message.IsResponse);

    private void Establish(params MdnsService[] services)
    {
        _box.Publish("box", services);
        _network.RunUntil(() => _box.Engine.State == MdnsState.Established);
        _network.Run(TimeSpan.FromSeconds(2));
        _box.Sent.Clear();
    }

    [Fact]
    public void A_name_is_asked_for_three_times_and_then_told_twice()
    {
        var began = _network.Now;
        _box.Publish("box");
        _network.Run(TimeSpan.FromSeconds(10));
        var probes = _box.Sent.Where(static sent => !sent.Message.IsResponse).ToList();
        Assert.Equal(3, probes.Count);
        Assert.InRange(probes[0].At - began, TimeSpan.Zero, TimeSpan.FromMilliseconds(250));
        Assert.Equal([250, 250], probes.Zip(probes.Skip(1)).Select(static pair => (pair.Second.At - pair.First.At).TotalMilliseconds));
        foreach (var probe in probes)
        {
            Assert.Equal(new MdnsQuestion(ResolverHarness.Name("box.local"), DnsType.Any, WantsUnicast: true), Assert.Single(probe.Message.Questions));
            Assert.Equal([DnsType.A, DnsType.Aaaa], probe.Message.Authority.Select(static record => record.Type));
            Assert.All(probe.Message.Authority, static record => Assert.False(record.IsUnique));
        }

        var told = Responses.ToList();
        Assert.Equal([250, 1250], told.Select(sent => (sent.At - probes[2].At).TotalMilliseconds));
        Assert.All(told, static sent => Assert.Equal([DnsType.A, DnsType.Pointer, DnsType.Aaaa, DnsType.Pointer, DnsType.NextSecure], TypesOf(sent)));
        Assert.All(told, static sent => Assert.All(sent.Message.Answers, static record => Assert.Equal((true, 120u), (record.IsUnique, record.Lifetime))));
        Assert.All(_box.Sent, static sent => Assert.Equal(MdnsFamilies.V4 | MdnsFamilies.V6, sent.Families));
        Assert.Equal(["box"], _box.Established);
        Assert.Equal(Instant.Never, _box.Engine.PollAt);
    }

    [Fact]
    public void A_name_that_is_taken_gets_a_number()
    {
        Establish();
        var other = _network.Add(2);
        other.Publish("box", Http);
        _network.RunUntil(() => other.Engine.State == MdnsState.Established);
        Assert.Equal(new MdnsRenamed("box", "box-2"), Assert.Single(other.Renamed));
        Assert.Equal(("box", "box-2"), (_box.Engine.Label, other.Engine.Label));
        var third = _network.Add(3);
        third.Publish("BOX");
        _network.RunUntil(() => third.Engine.State == MdnsState.Established);
        Assert.Equal("BOX-3", third.Engine.Label);
        Assert.Empty(_box.Renamed);
    }

    [Fact]
    public void A_long_name_stays_a_label_with_its_number()
    {
        var label = new string('x', 63);
        _box.Publish(label);
        _network.RunUntil(() => _box.Engine.State == MdnsState.Established);
        var other = _network.Add(2);
        other.Publish(label);
        _network.RunUntil(() => other.Engine.State == MdnsState.Established);
        Assert.Equal(new string('x', 61) + "-2", other.Engine.Label);
    }

    /// <summary>RFC 6762, 8.2: 10.0.0.2 is later in order than 10.0.0.1.</summary>
    [Fact]
    public void Of_two_that_want_a_name_at_the_same_time_the_later_in_order_has_it()
    {
        var other = _network.Add(2);
        _box.Publish("box");
        other.Publish("box");
        _network.Run(TimeSpan.FromSeconds(10));
        Assert.Equal(("box-2", "box"), (_box.Engine.Label, other.Engine.Label));
        Assert.Empty(other.Renamed);
    }

    [Fact]
    public void An_equal_probe_is_no_dispute()
    {
        _box.Publish("box");
        _network.Run(TimeSpan.FromMilliseconds(260));
        _box.Receive(_box.V4, Query("box.local", DnsType.Any, claims: [Address("box.local", "10.0.0.1"), Address("box.local", "fe80::1")]));
        _network.Run(TimeSpan.FromSeconds(1));
        Assert.Equal(["box"], _box.Established);
    }

    [Fact]
    public void Whoever_claims_an_established_name_makes_it_be_asked_for_again_and_kept_if_he_does_not_answer()
    {
        Establish();
        _box.Receive(IpAddress.Parse("10.0.0.9"), Response(Address("box.local", "10.0.0.9")));
        Assert.Equal(MdnsState.Probing, _box.Engine.State);
        _network.Run(TimeSpan.FromSeconds(3));
        Assert.Equal((MdnsState.Established, "box", 1L), (_box.Engine.State, _box.Engine.Label, _box.Counters.Conflicts));
    }

    [Fact]
    public void Two_networks_that_become_one_end_with_two_names()
    {
        var other = _network.Add(2);
        other.IsApart = true;
        Establish();
        other.Publish("box");
        _network.RunUntil(() => other.Engine.State == MdnsState.Established);
        other.IsApart = false;
        _box.Engine.LinkUp(_network.Now);
        _network.Run(TimeSpan.FromSeconds(10));
        Assert.Equal(["box", "box-2"], new[] { _box.Engine.Label, other.Engine.Label }.Order());
        Assert.Equal((MdnsState.Established, MdnsState.Established), (_box.Engine.State, other.Engine.State));
    }

    [Fact]
    public void Many_conflicts_make_the_host_wait_before_each_further_name()
    {
        _network.Loses = (_, sent) =>
        {
            foreach (var name in sent.Message.Questions)
                _box.Engine.Received(new IpEndpoint(IpAddress.Parse("10.0.0.9"), MdnsLink.Port), MdnsLink.GroupV4, Response(MdnsRecord.OfAddress(name.Name, IpAddress.Parse("10.0.0.9"))), _network.Now);
            return true;
        };
        _box.Publish("box");
        _network.Run(TimeSpan.FromSeconds(20));
        Assert.InRange(_box.Renamed.Count, 15, 20);
        Assert.InRange(_box.Sent.Count, 15, 20);
    }

    [Fact]
    public void A_question_is_answered_at_once_with_what_will_be_asked_for_next()
    {
        Establish(Http);
        _box.Receive(IpAddress.Parse("10.0.0.9"), Query("box.local", DnsType.A));
        _network.Run(TimeSpan.FromMilliseconds(10));
        var sent = Assert.Single(_box.Sent);
        Assert.Equal((MdnsFamilies.V4, null), (sent.Families, sent.To));
        Assert.Equal([DnsType.A], TypesOf(sent));
        Assert.Equal([DnsType.Aaaa, DnsType.NextSecure], sent.Message.Additional.Select(static record => record.Type));
    }

    [Fact]
    public void What_several_hosts_may_answer_waits_for_20_to_120_milliseconds()
    {
        Establish(Http);
        var asked = _network.Now;
        _box.Receive(IpAddress.Parse("fe80::9"), Query("_http._tcp.local", DnsType.Pointer));
        _network.Run(TimeSpan.FromSeconds(1));
        var sent = Assert.Single(_box.Sent);
        Assert.InRange(sent.At - asked, TimeSpan.FromMilliseconds(20), TimeSpan.FromMilliseconds(120));
        Assert.Equal(MdnsFamilies.V6, sent.Families);
        Assert.Equal((false, "box._http._tcp.local"), (sent.Message.Answers[0].IsUnique, sent.Message.Answers[0].Target.ToString()));
        Assert.Equal([DnsType.Service, DnsType.Text, DnsType.NextSecure, DnsType.A, DnsType.Aaaa, DnsType.NextSecure], sent.Message.Additional.Select(static record => record.Type));
        Assert.Equal(80, sent.Message.Additional[0].Data[5]);
    }

    [Fact]
    public void Services_are_found_by_kind_and_by_name()
    {
        Establish(Http, new MdnsService("http", IsTcp: true, 8080), new MdnsService("ntp", IsTcp: false, 123));
        Assert.Equal(["_http._tcp.local", "_ntp._udp.local"], Answers("_services._dns-sd._udp.local", DnsType.Pointer).Select(static record => record.Target.ToString()).Order(StringComparer.Ordinal));
        Assert.Equal(["box-8080._http._tcp.local", "box._http._tcp.local"], Answers("_http._tcp.local", DnsType.Pointer).Select(static record => record.Target.ToString()).Order(StringComparer.Ordinal));
        var service = Assert.Single(Answers("box-8080._http._tcp.local", DnsType.Service));
        Assert.Equal(("box.local", 0x1F, 0x90), (service.Target.ToString(), service.Data[4], service.Data[5]));
        Assert.Equal([0], Assert.Single(Answers("box._ntp._udp.local", DnsType.Text)).Data.ToArray());
        var none = Assert.Single(Answers("box._ntp._udp.local", DnsType.A));
        Assert.Equal((DnsType.NextSecure, true, false), (none.Type, none.HasType(DnsType.Service), none.HasType(DnsType.A)));

        IReadOnlyList<MdnsRecord> Answers(string name, DnsType type)
        {
            _network.Run(TimeSpan.FromSeconds(2));
            _box.Sent.Clear();
            _box.Receive(IpAddress.Parse("10.0.0.9"), Query(name, type));
            _network.Run(TimeSpan.FromSeconds(1));
            return Assert.Single(_box.Sent).Message.Answers;
        }
    }

    [Fact]
    public void An_address_has_its_name()
    {
        Establish();
        _box.Receive(IpAddress.Parse("10.0.0.9"), Query("1.0.0.10.in-addr.arpa", DnsType.Pointer));
        _network.Run(TimeSpan.FromSeconds(1));
        Assert.Equal("box.local", Assert.Single(Assert.Single(_box.Sent).Message.Answers).Target.ToString());
    }

    [Fact]
    public void A_record_is_told_once_in_a_second_however_often_it_is_asked_for()
    {
        Establish();
        for (var i = 0; i < 1000; i++)
        {
            _box.Receive(IpAddress.Parse("10.0.0.9"), Query("box.local", DnsType.A));
            _network.Run(TimeSpan.FromMilliseconds(5));
        }

        var times = _box.Sent.Where(static sent => TypesOf(sent).Contains(DnsType.A)).Select(static sent => sent.At).ToList();
        Assert.InRange(times.Count, 4, 6);
        Assert.All(times.Zip(times.Skip(1)), static pair => Assert.True(pair.Second - pair.First >= TimeSpan.FromSeconds(1)));
    }

    [Fact]
    public void A_probe_for_the_name_is_answered_again_after_a_quarter_of_a_second()
    {
        Establish();
        for (var i = 0; i < 4; i++)
        {
            _box.Receive(IpAddress.Parse("10.0.0.9"), Query("box.local", DnsType.Any, claims: [Address("box.local", "10.0.0.9")]));
            _network.Run(TimeSpan.FromMilliseconds(250));
        }

        Assert.Equal(4, _box.Sent.Count);
    }

    [Theory]
    [InlineData(60, 0)]
    [InlineData(59, 1)]
    public void What_the_asker_knows_for_half_its_life_is_not_said(uint lifetime, int answers)
    {
        Establish();
        _box.Receive(IpAddress.Parse("10.0.0.9"), Query("box.local", DnsType.A, known: [Address("box.local", "10.0.0.1", lifetime)]));
        _network.Run(TimeSpan.FromSeconds(1));
        Assert.Equal(answers, _box.Sent.Count);
    }

    [Theory]
    [InlineData(true, 0)]
    [InlineData(false, 1)]
    public void A_question_in_several_messages_is_answered_when_all_known_answers_have_come(bool knows, int answers)
    {
        Establish();
        var asked = _network.Now;
        _box.Receive(IpAddress.Parse("10.0.0.9"), Query("box.local", DnsType.A, isTruncated: true));
        _network.Run(TimeSpan.FromMilliseconds(100));
        // What somebody else knows does not count.
        _box.Receive(IpAddress.Parse(knows ? "10.0.0.9" : "10.0.0.8"), Query("", DnsType.A, known: [Address("box.local", "10.0.0.1")]));
        _network.Run(TimeSpan.FromSeconds(1));
        Assert.Equal(answers, _box.Sent.Count);
        Assert.All(_box.Sent, sent => Assert.InRange(sent.At - asked, TimeSpan.FromMilliseconds(400), TimeSpan.FromMilliseconds(500)));
    }

    [Fact]
    public void What_another_host_has_just_said_is_not_said_again()
    {
        Establish(Http);
        _box.Receive(IpAddress.Parse("10.0.0.9"), Query("_services._dns-sd._udp.local", DnsType.Pointer));
        _box.Receive(IpAddress.Parse("10.0.0.8"), Response(MdnsRecord.OfPointer(MdnsNames.AllServices, ResolverHarness.Name("_http._tcp.local"), isUnique: false)));
        _network.Run(TimeSpan.FromSeconds(1));
        Assert.Empty(_box.Sent);
    }

    [Fact]
    public void What_another_host_takes_back_is_said_again_where_it_is_still_true()
    {
        Establish(Http);
        var shared = MdnsRecord.OfPointer(MdnsNames.AllServices, ResolverHarness.Name("_http._tcp.local"), isUnique: false);
        _box.Receive(IpAddress.Parse("10.0.0.8"), Response(shared.With(lifetime: 0, isUnique: false)));
        _network.Run(TimeSpan.FromSeconds(1));
        Assert.True(shared.IsSame(Assert.Single(Assert.Single(_box.Sent).Message.Answers)));
        Assert.Equal(MdnsState.Established, _box.Engine.State);
    }

    [Fact]
    public void Who_wants_the_answer_alone_gets_it_while_the_others_still_know()
    {
        Establish();
        _box.Receive(IpAddress.Parse("10.0.0.9"), Query("box.local", DnsType.A, wantsUnicast: true));
        Assert.Equal(new IpEndpoint(IpAddress.Parse("10.0.0.9"), MdnsLink.Port), Assert.Single(_box.Sent).To);
        _network.Run(TimeSpan.FromSeconds(31));
        _box.Receive(IpAddress.Parse("10.0.0.9"), Query("box.local", DnsType.A, wantsUnicast: true));
        _network.Run(TimeSpan.FromSeconds(1));
        Assert.Null(_box.Sent[1].To);
    }

    [Fact]
    public void Who_wants_the_answer_alone_and_is_not_on_the_link_does_not_get_it()
    {
        Establish();
        _box.Receive(IpAddress.Parse("192.0.2.9"), Query("box.local", DnsType.A, wantsUnicast: true));
        _box.Receive(IpAddress.Parse("192.0.2.9"), Query("box.local", DnsType.A), port: 1234);
        _network.Run(TimeSpan.FromSeconds(1));
        Assert.Null(Assert.Single(_box.Sent).To);
        _box.Receive(IpAddress.Parse("192.0.2.9"), Query("box.local", DnsType.A), to: _box.V4);
        _network.Run(TimeSpan.FromSeconds(2));
        Assert.Equal((1, 1L), (_box.Sent.Count, _box.Counters.OffLink));
    }

    [Fact]
    public void A_plain_resolver_gets_a_plain_answer()
    {
        Establish();
        _box.Receive(IpAddress.Parse("10.0.0.9"), Query("box.local", DnsType.A, id: 0x1234), port: 40000);
        var sent = Assert.Single(_box.Sent);
        Assert.Equal((new IpEndpoint(IpAddress.Parse("10.0.0.9"), 40000), (ushort)0x1234), (sent.To, sent.Message.Id));
        Assert.Equal("box.local", Assert.Single(sent.Message.Questions).Name.ToString());
        Assert.All(sent.Message.Answers.Concat(sent.Message.Additional), static record => Assert.Equal((false, 10u), (record.IsUnique, record.Lifetime)));
    }

    [Fact]
    public void Askers_alone_get_no_more_answers_in_a_second_than_there_may_be()
    {
        Establish();
        for (var i = 0; i < 1000; i++)
        {
            _box.Receive(IpAddress.Parse("10.0.0.9"), Query("box.local", DnsType.A), port: (ushort)(40000 + i));
            _network.Run(TimeSpan.FromMilliseconds(1));
        }

        Assert.InRange(_box.Sent.Count, 50, 80);
        Assert.Equal(1000 - _box.Sent.Count, _box.Counters.RateLimited);
    }

    [Fact]
    public void A_new_address_is_told_and_one_that_goes_is_taken_back()
    {
        Establish();
        _box.Engine.UseAddresses([new IpPrefix(IpAddress.Parse("10.0.0.7"), 24), _box.Prefixes[1]], _network.Now);
        _network.Deliver();
        var gone = _box.Sent[0].Message.Answers;
        Assert.Equal([("box.local", 0u), ("1.0.0.10.in-addr.arpa", 0u)], gone.Select(static record => (record.Owner.ToString(), record.Lifetime)));
        Assert.Contains(_box.Sent[1].Message.Answers, static record => record.Type == DnsType.A && record.Address == IpAddress.Parse("10.0.0.7"));
        _network.Run(TimeSpan.FromSeconds(5));
        Assert.Equal(3, _box.Sent.Count);
        Assert.Equal(MdnsState.Established, _box.Engine.State);
    }

    [Fact]
    public void The_last_address_takes_the_name_with_it_and_the_first_brings_it_back()
    {
        Establish();
        _box.Engine.UseAddresses([], _network.Now);
        _network.Deliver();
        Assert.All(Assert.Single(_box.Sent).Message.Answers, static record => Assert.Equal(0u, record.Lifetime));
        Assert.Equal(MdnsState.Off, _box.Engine.State);
        _box.Engine.UseAddresses(_box.Prefixes, _network.Now);
        _network.Run(TimeSpan.FromSeconds(3));
        Assert.Equal(MdnsState.Established, _box.Engine.State);
    }

    [Fact]
    public void All_is_taken_back_at_the_end()
    {
        Establish(Http);
        _box.Engine.Stop();
        _network.Deliver();
        var last = Assert.Single(_box.Sent);
        Assert.All(last.Message.Answers, static record => Assert.Equal(0u, record.Lifetime));
        Assert.Equal(10, last.Message.Answers.Count);
        Assert.Equal(Instant.Never, _box.Engine.PollAt);
    }

    [Fact]
    public void A_name_that_is_not_established_is_not_answered_for_nor_taken_back()
    {
        _box.Publish("box");
        _box.Receive(IpAddress.Parse("10.0.0.9"), Query("box.local", DnsType.A));
        _box.Engine.Stop();
        _network.Run(TimeSpan.FromSeconds(5));
        Assert.Empty(_box.Sent);
    }

    [Fact]
    public void Many_services_make_several_messages_each_of_which_fits_the_link()
    {
        _box.Publish("box", [.. Enumerable.Range(0, 60).Select(static i => new MdnsService($"service-{i}", IsTcp: true, (ushort)(1000 + i)))]);
        _network.Run(TimeSpan.FromSeconds(10));
        Assert.Equal(MdnsState.Established, _box.Engine.State);
        Assert.All(_box.Sent, static sent => Assert.InRange(sent.Length, 13, 1452));
        Assert.Equal(33, _box.Sent.Where(static sent => !sent.Message.IsResponse).SelectMany(static sent => sent.Message.Questions).Distinct().Count());
    }
}
