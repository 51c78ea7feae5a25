using Tapwire.Stack;
using Tapwire.Stack.Dhcp;
using Tapwire.Stack.Dhcp.V6;
using Xunit;
using static Tapwire.Stack.Dhcp.V6.Dhcp6MessageType;

namespace Tapwire.Tests.Stack.Dhcp.V6;

/// <summary>The client's states (RFC 8415, 18.2), each in virtual time.</summary>
public sealed class Dhcp6ClientSpecs
{
    private static readonly byte[] OtherServer = [0, 3, 0, 1, 2, 0, 0, 0, 0, 9];

    private readonly Dhcp6ClientHarness _h = new();

    private static TimeSpan Seconds(double seconds) => TimeSpan.FromSeconds(seconds);

    [Fact]
    public void An_address_comes_by_solicitation_advertisement_request_and_reply()
    {
        _h.Start();
        Assert.Empty(_h.Sent);
        _h.AwaitSent(1);
        Assert.True(_h.Now.Milliseconds <= 1200, "The first message is late.");
        Assert.Equal(Solicit, _h.LastType);
        Assert.Equal(Dhcp6Reply.Client, _h.Options[Dhcp6Option.ClientIdentifier]);
        Assert.True(_h.Options.ContainsKey(Dhcp6Option.RapidCommit));
        Assert.False(_h.Options.ContainsKey(Dhcp6Option.ServerIdentifier));
        Assert.Equal([0, 0], _h.Options[Dhcp6Option.ElapsedTime]);
        var transaction = _h.Transaction;

        _h.Receive(_h.Answer(Advertise));
        Assert.Equal(Dhcp6State.Soliciting, _h.Client.State); // others may advertise something better
        _h.Advance(Seconds(1.2));
        Assert.Equal((Request, Dhcp6State.Requesting, 2), (_h.LastType, _h.Client.State, _h.Sent.Count));
        Assert.NotEqual(transaction, _h.Transaction);
        Assert.Equal(Dhcp6Reply.Server, _h.Options[Dhcp6Option.ServerIdentifier]);
        Assert.Equal(["2001:db8::50"], _h.Asked);

        _h.Receive(_h.Answer().With(Dhcp6Option.NameServers, Dhcp6Reply.Addresses("2001:db8::53 fe80::53")).With(Dhcp6Option.DomainSearch, [3, .. "lan"u8, 4, .. "test"u8, 0]));
        Assert.Equal((Dhcp6State.Bound, "2001:db8::50", 2), (_h.Client.State, _h.Addresses, _h.Client.Counters.Received));
        Assert.Equal("2001:db8::53 fe80::53|lan.test", $"{string.Join(' ', _h.Configuration.NameServers)}|{string.Join(' ', _h.Configuration.Domains)}");
        Assert.Null(_h.Only<Dhcp6Bound>().Before);
        Assert.Equal(_h.Now + Seconds(7200), _h.Client.Expires);
    }

    [Fact]
    public void The_highest_preference_is_taken_and_the_first_of_equal_ones()
    {
        _h.Start();
        _h.AwaitSent(1);
        _h.Receive(_h.Answer(Advertise, "2001:db8::1"));
        _h.Receive(_h.Answer(Advertise, "2001:db8::2", server: OtherServer).With(Dhcp6Option.Preference, 7));
        _h.Receive(_h.Answer(Advertise, "2001:db8::3").With(Dhcp6Option.Preference, 7));
        _h.Advance(Seconds(1.2));
        Assert.Equal(OtherServer, _h.Options[Dhcp6Option.ServerIdentifier]);
        Assert.Equal(["2001:db8::2"], _h.Asked);
    }

    [Fact]
    public void The_preference_255_and_after_the_first_pause_any_advertisement_is_taken_at_once()
    {
        _h.Start();
        _h.AwaitSent(1);
        _h.Receive(_h.Answer(Advertise).With(Dhcp6Option.Preference, 255));
        Assert.Equal(Request, _h.LastType);

        var late = new Dhcp6ClientHarness();
        late.Start();
        late.AwaitSent(2);
        Assert.Equal(Solicit, late.LastType);
        late.Receive(late.Answer(Advertise));
        Assert.Equal(Request, late.LastType);
    }

    [Fact]
    public void A_rapid_grant_is_taken_at_once_and_an_unasked_one_is_not()
    {
        _h.Start();
        _h.AwaitSent(1);
        _h.Receive(_h.Answer());
        Assert.Equal((Dhcp6State.Soliciting, 1), (_h.Client.State, _h.Dropped(DhcpDrop.NotExpected)));
        _h.Receive(_h.Answer().With(Dhcp6Option.RapidCommit));
        Assert.Equal((Dhcp6State.Bound, "2001:db8::50", 1), (_h.Client.State, _h.Addresses, _h.Sent.Count));
    }

    [Fact]
    public void Without_an_answer_it_asks_again_after_growing_pauses_up_to_an_hour_and_says_so_once()
    {
        _h.Start();
        _h.AwaitSent(16);
        var pauses = _h.Sent.Zip(_h.Sent.Skip(1), static (one, next) => (next.At - one.At).TotalSeconds).ToList();
        Assert.InRange(pauses[0], 1, 1.1); // never less than a second (18.2.1)
        Assert.All(pauses.Zip(pauses.Skip(1)).Take(11), static pair => Assert.InRange(pair.Second / pair.First, 1.9, 2.1));
        Assert.All(pauses.TakeLast(3), static pause => Assert.InRange(pause, 3240, 3960));
        Assert.Single(_h.Sent.Select(static each => Convert.ToHexString(each.Message.AsSpan(1, 3))).Distinct());
        Assert.Equal([0xFF, 0xFF], _h.Options[Dhcp6Option.ElapsedTime]);
        _h.Only<DhcpUnanswered>();
    }

    [Theory]
    [InlineData(60u, 66)]
    [InlineData(59u, 3960)] // out of its bounds it does not count (21.24)
    [InlineData(86401u, 3960)]
    public void A_server_may_bound_the_pauses_even_by_an_answer_that_is_of_no_other_use(uint seconds, int longest)
    {
        _h.Start();
        _h.AwaitSent(1);
        _h.Receive(_h.Bare(Advertise).Status(Dhcp6Status.NoAddrsAvail).With32(Dhcp6Option.SolicitMaxRt, seconds));
        Assert.Equal(1, _h.Dropped(DhcpDrop.BadStatus));
        _h.AwaitSent(16);
        Assert.InRange((_h.Sent[^1].At - _h.Sent[^2].At).TotalSeconds, longest * 0.8, longest);
    }

    [Fact]
    public void Two_clients_do_not_ask_in_step()
    {
        var other = new Dhcp6ClientHarness(seed: 1);
        _h.Start();
        other.Start();
        _h.AwaitSent(4);
        other.AwaitSent(4);
        Assert.NotEqual(_h.Transaction, other.Transaction);
        Assert.DoesNotContain(_h.Sent.Zip(other.Sent), static pair => pair.First.At == pair.Second.At);
    }

    [Fact]
    public void A_request_is_sent_ten_times_and_then_all_begins_anew()
    {
        _h.Start();
        _h.AwaitSent(1);
        _h.Receive(_h.Answer(Advertise).With(Dhcp6Option.Preference, 255));
        _h.AwaitSent(11);
        Assert.All(_h.Sent.Skip(1), static each => Assert.Equal((byte)Request, each.Message[0]));
        var pauses = _h.Sent.Skip(1).Zip(_h.Sent.Skip(2), static (one, next) => (next.At - one.At).TotalSeconds).ToList();
        Assert.InRange(pauses[0], 0.9, 1.1);
        Assert.All(pauses.TakeLast(3), static pause => Assert.InRange(pause, 27, 33));
        _h.AwaitSent(12);
        Assert.Equal(Solicit, _h.LastType);
    }

    [Fact]
    public void A_lost_reply_is_asked_for_again_and_only_the_asked_server_may_answer()
    {
        _h.Start();
        _h.AwaitSent(1);
        _h.Receive(_h.Answer(Advertise).With(Dhcp6Option.Preference, 255));
        _h.Receive(_h.Answer(server: OtherServer));
        _h.Receive(_h.Answer(Advertise));
        Assert.Equal((1, 1, Dhcp6State.Requesting), (_h.Dropped(DhcpDrop.OtherServer), _h.Dropped(DhcpDrop.NotExpected), _h.Client.State));
        _h.AwaitSent(3);
        _h.Receive(_h.Answer());
        Assert.Equal(Dhcp6State.Bound, _h.Client.State);
    }

    [Theory]
    [InlineData(Dhcp6Status.NoAddrsAvail)]
    [InlineData(Dhcp6Status.NotOnLink)]
    [InlineData(Dhcp6Status.NoBinding)]
    public void A_refused_request_begins_anew_after_growing_pauses(Dhcp6Status status)
    {
        _h.Start();
        for (var i = 0; i < 7; i++)
        {
            var began = _h.Now;
            _h.AwaitSent(2 * i + 1);
            Assert.True(i == 0 || _h.Now - began >= Seconds(Math.Min(1 << (i - 1), 16)), "It asks too soon.");
            Assert.Equal(Solicit, _h.LastType);
            _h.Receive(_h.Answer(Advertise).With(Dhcp6Option.Preference, 255));
            _h.Receive(i % 2 == 0 ? _h.Bare().Status(status) : _h.Bare().With(Dhcp6Option.NonTemporaryAddresses, Dhcp6Reply.Ia(Dhcp6Reply.Association, 0, 0, Dhcp6Reply.StatusOption(status))));
            Assert.Equal(Dhcp6State.Soliciting, _h.Client.State);
        }

        Assert.Equal(7, _h.Told.OfType<Dhcp6Refused>().Count(refused => refused.Status == status));
    }

    [Theory]
    [InlineData(Dhcp6Status.UnspecFail)]
    [InlineData(Dhcp6Status.UseMulticast)]
    [InlineData((Dhcp6Status)99)]
    public void A_server_that_only_complains_is_asked_again_in_due_time(Dhcp6Status status)
    {
        _h.Start();
        _h.AwaitSent(1);
        _h.Receive(_h.Answer(Advertise).With(Dhcp6Option.Preference, 255));
        _h.Receive(_h.Answer().Status(status));
        Assert.Equal((Dhcp6State.Requesting, 1, 2), (_h.Client.State, _h.Dropped(DhcpDrop.BadStatus), _h.Sent.Count));
        _h.AwaitSent(3);
        _h.Receive(_h.Answer());
        Assert.Equal(Dhcp6State.Bound, _h.Client.State);
    }

    [Fact]
    public void A_lease_is_renewed_at_half_of_its_preferred_time_by_its_server()
    {
        _h.Bind();
        var bound = _h.Now;
        _h.AwaitSent(3);
        Assert.InRange((_h.Now - bound).TotalSeconds, 1800 * 15 / 16.0, 1800);
        Assert.Equal((Renew, Dhcp6State.Renewing), (_h.LastType, _h.Client.State));
        Assert.Equal(Dhcp6Reply.Server, _h.Options[Dhcp6Option.ServerIdentifier]);
        Assert.Equal(["2001:db8::50"], _h.Asked);
        var configured = _h.Told.OfType<Dhcp6Configured>().Count();
        _h.Receive(_h.Answer());
        Assert.Equal((Dhcp6State.Bound, _h.Now + Seconds(7200)), (_h.Client.State, _h.Client.Expires));
        Assert.Equal(configured, _h.Told.OfType<Dhcp6Configured>().Count());
        Assert.NotNull(_h.Told.OfType<Dhcp6Bound>().Last().Before);
    }

    [Fact]
    public void The_times_of_the_server_count_where_they_make_sense()
    {
        _h.Start();
        _h.AwaitSent(1);
        _h.Receive(_h.Answer(Advertise).With(Dhcp6Option.Preference, 255));
        _h.Receive(_h.Bare().With(Dhcp6Option.NonTemporaryAddresses, Dhcp6Reply.Ia(Dhcp6Reply.Association, 100, 200, Dhcp6Reply.Address("2001:db8::50", 3600, 7200))));
        var bound = _h.Now;
        _h.AwaitSent(3);
        Assert.InRange((_h.Now - bound).TotalSeconds, 93, 100);
        _h.Advance(Seconds(200) - (_h.Now - bound));
        Assert.Equal((Rebind, Dhcp6State.Rebinding), (_h.LastType, _h.Client.State));
    }

    [Fact]
    public void When_its_server_is_silent_all_are_asked_then_the_address_is_deprecated_and_at_last_it_goes()
    {
        _h.Bind();
        var bound = _h.Now;
        _h.Advance(Seconds(2879));
        Assert.Equal(Renew, _h.LastType);
        _h.Advance(Seconds(2));
        Assert.Equal((Rebind, Dhcp6State.Rebinding), (_h.LastType, _h.Client.State));
        Assert.False(_h.Options.ContainsKey(Dhcp6Option.ServerIdentifier));
        _h.Advance(Seconds(3599) - (_h.Now - bound));
        Assert.Equal("2001:db8::50", _h.Addresses);
        _h.Advance(Seconds(2));
        Assert.Equal("(2001:db8::50)", _h.Addresses);
        _h.Advance(Seconds(7199) - (_h.Now - bound));
        Assert.Equal("(2001:db8::50)", _h.Addresses);
        var sent = _h.Sent.Count;
        Assert.InRange(sent, 10, 40);
        _h.Advance(Seconds(2));
        Assert.Equal(("", DhcpLoss.Expired, Dhcp6State.Soliciting), (_h.Addresses, _h.Only<Dhcp6Lost>().Reason, _h.Client.State));
        _h.AwaitSent(sent + 1);
        Assert.Equal((Solicit, "2001:db8::50"), (_h.LastType, _h.Asked[0])); // as a wish
    }

    [Fact]
    public void Another_server_may_give_more_time_and_a_deprecated_address_is_preferred_again()
    {
        _h.Bind();
        _h.Advance(Seconds(3700));
        Assert.Equal("(2001:db8::50)", _h.Addresses);
        _h.AwaitSent(_h.Sent.Count + 1);
        _h.Receive(_h.Answer(server: OtherServer));
        Assert.Equal((Dhcp6State.Bound, "2001:db8::50"), (_h.Client.State, _h.Addresses));
        Assert.Equal(OtherServer, _h.Client.Lease!.Server.ToArray());
    }

    [Fact]
    public void A_server_that_knows_nothing_of_the_lease_is_asked_for_it_and_meanwhile_the_address_stays()
    {
        _h.Bind();
        _h.AwaitSent(3);
        _h.Receive(_h.Bare().With(Dhcp6Option.NonTemporaryAddresses, Dhcp6Reply.Ia(Dhcp6Reply.Association, 0, 0, Dhcp6Reply.StatusOption(Dhcp6Status.NoBinding))));
        Assert.Equal((Request, Dhcp6State.Requesting, "2001:db8::50"), (_h.LastType, _h.Client.State, _h.Addresses));
        _h.Receive(_h.Answer());
        Assert.Equal((Dhcp6State.Bound, "2001:db8::50"), (_h.Client.State, _h.Addresses));

        // A server that refuses that, too, takes it away.
        _h.AwaitSent(5);
        _h.Receive(_h.Bare().Status(Dhcp6Status.NoBinding));
        _h.Receive(_h.Bare().Status(Dhcp6Status.NoAddrsAvail));
        Assert.Equal(("", DhcpLoss.Refused, Dhcp6State.Soliciting), (_h.Addresses, _h.Only<Dhcp6Lost>().Reason, _h.Client.State));
    }

    [Fact]
    public void A_request_that_nobody_answers_for_a_lease_that_is_there_becomes_a_rebinding()
    {
        _h.Bind();
        _h.AwaitSent(3);
        _h.Receive(_h.Bare().Status(Dhcp6Status.NoBinding));
        _h.AwaitSent(14);
        Assert.Equal((Rebind, "2001:db8::50"), (_h.LastType, _h.Addresses));
    }

    [Fact]
    public void An_address_that_comes_with_no_time_is_taken_back_and_one_that_is_not_named_stays()
    {
        _h.Bind();
        _h.AwaitSent(3);
        _h.Receive(_h.Answer(address: "2001:db8::51"));
        Assert.Equal("2001:db8::50 2001:db8::51", _h.Addresses);
        _h.AwaitSent(4);
        Assert.Equal(["2001:db8::50", "2001:db8::51"], _h.Asked);
        _h.Receive(_h.Answer(address: "2001:db8::50", valid: 0, preferred: 0));
        Assert.Equal(("2001:db8::51", Dhcp6State.Renewing), (_h.Addresses, _h.Client.State));
        _h.Receive(_h.Answer(address: "2001:db8::51", valid: 0, preferred: 0));
        Assert.Equal(("", DhcpLoss.Refused), (_h.Addresses, _h.Only<Dhcp6Lost>().Reason));
    }

    [Fact]
    public void A_lease_without_end_is_kept_for_ever()
    {
        _h.Bind(uint.MaxValue, uint.MaxValue);
        Assert.Equal((Instant.Never, Instant.Never), (_h.Client.PollAt, _h.Client.Expires));
    }

    [Fact]
    public void An_address_that_another_station_has_is_declined_until_the_server_knows()
    {
        _h.Bind();
        _h.Duplicate("2001:db8::51");
        Assert.Equal(Dhcp6State.Bound, _h.Client.State);
        _h.Duplicate("2001:db8::50");
        Assert.Equal((Decline, Dhcp6State.Declining, "", "2001:db8::50"), (_h.LastType, _h.Client.State, _h.Addresses, _h.Asked[0]));
        Assert.Equal(Dhcp6Reply.Server, _h.Options[Dhcp6Option.ServerIdentifier]);
        _h.Only<Dhcp6Declined>();
        _h.AwaitSent(4);
        Assert.Equal(Decline, _h.LastType);
        _h.Receive(_h.Bare(server: OtherServer).Status(Dhcp6Status.Success));
        Assert.Equal(Dhcp6State.Declining, _h.Client.State);
        _h.Receive(_h.Bare().Status(Dhcp6Status.Success));
        var told = _h.Now;
        _h.AwaitSent(5);
        Assert.Equal((Solicit, 0), (_h.LastType, _h.Asked.Count));
        Assert.True(_h.Now - told >= Seconds(10), "It asks too soon.");
    }

    [Fact]
    public void A_decline_that_nobody_answers_is_sent_four_times()
    {
        _h.Bind();
        _h.Duplicate("2001:db8::50");
        _h.AwaitSent(7);
        Assert.Equal([Request, Decline, Decline, Decline, Decline, Solicit], _h.Sent.Skip(1).Select(static each => (Dhcp6MessageType)each.Message[0]));
    }

    [Fact]
    public void When_the_wire_is_back_the_servers_are_asked_whether_the_address_fits()
    {
        _h.Bind();
        _h.Client.WireDown();
        _h.Advance(Seconds(60));
        Assert.Equal(2, _h.Sent.Count);
        _h.WireUp();
        _h.AwaitSent(3);
        Assert.Equal((Confirm, Dhcp6State.Confirming, "2001:db8::50"), (_h.LastType, _h.Client.State, _h.Asked[0]));
        Assert.False(_h.Options.ContainsKey(Dhcp6Option.ServerIdentifier));
        _h.Receive(_h.Bare(server: OtherServer).Status(Dhcp6Status.Success));
        Assert.Equal((Dhcp6State.Bound, "2001:db8::50"), (_h.Client.State, _h.Addresses));
        _h.AwaitSent(4);
        Assert.Equal(Renew, _h.LastType);
    }

    [Fact]
    public void An_address_that_does_not_fit_goes_and_one_that_nobody_speaks_of_stays()
    {
        _h.Bind();
        _h.Client.WireDown();
        _h.WireUp();
        _h.AwaitSent(3);
        var began = _h.Now;
        _h.Advance(Seconds(12));
        Assert.Equal((Dhcp6State.Bound, "2001:db8::50"), (_h.Client.State, _h.Addresses));
        Assert.All(_h.Sent.Skip(2), each => Assert.True(each.Message[0] == (byte)Confirm && each.At - began < Seconds(10)));

        _h.Client.WireDown();
        _h.WireUp();
        _h.AwaitSent(_h.Sent.Count + 1);
        _h.Receive(_h.Bare().Status(Dhcp6Status.NotOnLink));
        Assert.Equal(("", Dhcp6State.Soliciting), (_h.Addresses, _h.Client.State));
        _h.AwaitSent(_h.Sent.Count + 1);
        Assert.Empty(_h.Asked);
    }

    [Fact]
    public void An_address_whose_time_is_over_while_the_wire_is_down_goes()
    {
        _h.Bind();
        _h.Client.WireDown();
        _h.Advance(Seconds(7201));
        Assert.Equal("", _h.Addresses);
        _h.WireUp();
        _h.AwaitSent(3);
        Assert.Equal(Solicit, _h.LastType);
    }

    [Fact]
    public void At_the_next_start_the_servers_are_asked_whether_the_kept_address_fits()
    {
        var lease = Dhcp6Lease.Read(_h.Bind().Message.Span, Dhcp6Reply.Association)!;
        var next = new Dhcp6ClientHarness(seed: 3);
        next.Start(lease, Seconds(3000));
        next.AwaitSent(1);
        Assert.Equal((Confirm, ""), (next.LastType, next.Addresses));
        next.Receive(next.Bare().Status(Dhcp6Status.Success));
        Assert.Equal((Dhcp6State.Rebinding, "(2001:db8::50)"), (next.Client.State, next.Addresses)); // its times have gone on meanwhile
        Assert.Equal(Seconds(3000).TotalSeconds, (next.Client.Expires - Instant.FromMilliseconds(1000)).TotalSeconds, 3);

        var alone = new Dhcp6ClientHarness();
        alone.Start(lease, Seconds(3000));
        alone.Advance(Seconds(13));
        Assert.Equal((Dhcp6State.Soliciting, Solicit, "2001:db8::50", ""), (alone.Client.State, alone.LastType, alone.Asked[0], alone.Addresses));

        var late = new Dhcp6ClientHarness();
        late.Start(lease, TimeSpan.Zero);
        late.AwaitSent(1);
        Assert.Equal((Solicit, "2001:db8::50"), (late.LastType, late.Asked[0]));
        Assert.Null(Dhcp6Lease.Read(lease.Message.Span, Dhcp6Reply.Association + 1));
    }

    [Fact]
    public void A_lease_is_given_back_if_that_is_wanted_and_otherwise_nothing_is_said()
    {
        _h.Bind();
        _h.Stop(release: true);
        Assert.Equal((Release, "2001:db8::50", Dhcp6State.Stopped), (_h.LastType, _h.Asked[0], _h.Client.State));
        Assert.Equal(Dhcp6Reply.Server, _h.Options[Dhcp6Option.ServerIdentifier]);
        _h.Only<Dhcp6Released>();
        _h.Receive(_h.Bare().Status(Dhcp6Status.Success));
        Assert.Equal((Instant.Never, 3), (_h.Client.PollAt, _h.Sent.Count));

        var other = new Dhcp6ClientHarness();
        other.Bind();
        other.Stop(release: false);
        Assert.Equal(2, other.Sent.Count);
    }

    [Fact]
    public void Without_a_routers_word_nothing_is_asked_for_and_its_flags_say_what()
    {
        var h = new Dhcp6ClientHarness(followsRouters: true);
        h.Start();
        h.Advance(TimeSpan.FromHours(5));
        Assert.Equal((0, Dhcp6State.Idle), (h.Sent.Count, h.Client.State));
        h.Follow(RouterAdvice.OtherConfiguration);
        h.AwaitSent(1);
        Assert.Equal((InformationRequest, Dhcp6State.Informing), (h.LastType, h.Client.State));
        Assert.False(h.Options.ContainsKey(Dhcp6Option.NonTemporaryAddresses));
        Assert.Equal([0, 23, 0, 24, 0, 32, 0, 83], h.Options[Dhcp6Option.OptionRequest]);
        h.Receive(h.Bare().With(Dhcp6Option.NameServers, Dhcp6Reply.Addresses("2001:db8::53")));
        Assert.Equal((Dhcp6State.Informed, "2001:db8::53", ""), (h.Client.State, h.Configuration.NameServers[0].ToString(), h.Addresses));

        h.Follow(RouterAdvice.Addresses);
        h.AwaitSent(2);
        Assert.Equal(Solicit, h.LastType);
        h.Receive(h.Answer().With(Dhcp6Option.RapidCommit));
        Assert.Equal(("2001:db8::50", "2001:db8::53"), (h.Addresses, h.Configuration.NameServers[0].ToString()));
        h.Follow(RouterAdvice.None);
        Assert.Equal((Dhcp6State.Bound, "2001:db8::50"), (h.Client.State, h.Addresses)); // what is there stays
    }

    [Theory]
    [InlineData(null, 86400)]
    [InlineData(1200u, 1200)]
    [InlineData(5u, 600)] // not more often (21.23)
    public void Stateless_configuration_is_asked_for_again_in_due_time(uint? refresh, int seconds)
    {
        var h = new Dhcp6ClientHarness(followsRouters: true);
        h.Start();
        h.Follow(RouterAdvice.OtherConfiguration);
        h.AwaitSent(1);
        h.Receive(refresh is { } told ? h.Bare().With32(Dhcp6Option.InformationRefreshTime, told) : h.Bare());
        var informed = h.Now;
        h.AwaitSent(2);
        Assert.Equal(InformationRequest, h.LastType);
        Assert.InRange((h.Now - informed).TotalSeconds, seconds, seconds + 1);
        h.Receive(h.Bare().With32(Dhcp6Option.InformationRefreshTime, uint.MaxValue));
        Assert.Equal(Instant.Never, h.Client.PollAt);
    }

    [Fact]
    public void A_server_may_bound_the_pauses_of_stateless_questions()
    {
        var h = new Dhcp6ClientHarness(followsRouters: true);
        h.Start();
        h.Follow(RouterAdvice.OtherConfiguration);
        h.AwaitSent(1);
        h.Receive(h.Bare().With32(Dhcp6Option.InformationMaxRt, 100).With32(Dhcp6Option.InformationRefreshTime, 600));
        h.AwaitSent(14);
        Assert.InRange((h.Sent[^1].At - h.Sent[^2].At).TotalSeconds, 90, 110);
        h.Only<DhcpUnanswered>();
    }

    [Fact]
    public void Forged_answers_change_nothing_and_are_counted()
    {
        _h.Start();
        _h.AwaitSent(1);
        _h.Receive(Dhcp6Reply.Lease(Advertise, _h.Transaction ^ 1));
        _h.Receive(Dhcp6Reply.Lease(Advertise, _h.Transaction, client: OtherServer));
        _h.Receive(_h.Answer(Advertise), "2001:db8::1");
        _h.Receive(_h.Answer(Advertise).Without(Dhcp6Option.ServerIdentifier));
        _h.Receive(new Dhcp6Reply(Reconfigure, 0));
        _h.Receive(_h.Answer(Advertise, address: "fe80::50"));
        Assert.Equal((1, 1, 1, 1, 1, 1), (_h.Dropped(DhcpDrop.OtherTransaction), _h.Dropped(DhcpDrop.OtherClient), _h.Dropped(DhcpDrop.BadSource), _h.Dropped(DhcpDrop.BadServer),
            _h.Dropped(DhcpDrop.Reconfigure), _h.Dropped(DhcpDrop.NoAddress)));
        Assert.Equal(1, _h.Dropped(DhcpDrop.BadAddress));
        Assert.Equal(0, _h.Client.Counters.Received);
        _h.AwaitSent(2);
        Assert.Equal(Solicit, _h.LastType);

        // A client that is at rest hears nothing.
        _h.Receive(_h.Answer().With(Dhcp6Option.RapidCommit));
        Assert.Equal(Dhcp6State.Bound, _h.Client.State);
        _h.Receive(_h.Answer(address: "2001:db8::66"));
        _h.Receive(_h.Bare().Status(Dhcp6Status.NotOnLink));
        Assert.Equal(("2001:db8::50", 2), (_h.Addresses, _h.Dropped(DhcpDrop.NotExpected)));
    }

    /// <summary>Whatever comes, time goes on in steps, addresses are bounded, and the events keep their promises.</summary>
    [Fact]
    public void A_hundred_thousand_mutated_answers_leave_a_client_that_works()
    {
        const int Seed = 20261130;
        var random = new Random(Seed);
        var h = new Dhcp6ClientHarness(seed: 5);
        h.Start();
        for (var i = 0; i < 100_000; i++)
        {
            if (random.Next(20) == 0)
                h.Advance(TimeSpan.FromSeconds(random.Next(1, 4000)));
            if (h.Sent.Count == 0)
                continue;
            var answer = random.Next(4) switch
            {
                0 => h.Answer(Advertise).With(Dhcp6Option.Preference, (byte)random.Next(256)),
                1 => h.Answer(valid: (uint)random.Next(20000), preferred: (uint)random.Next(9000)).With(Dhcp6Option.RapidCommit),
                2 => h.Bare().Status((Dhcp6Status)random.Next(7)),
                _ => h.Answer(address: $"2001:db8::{random.Next(1, 40):x}").With32(Dhcp6Option.InformationRefreshTime, (uint)random.Next(9000)),
            };
            var message = answer.ToArray();
            for (var n = random.Next(3); n > 0; n--)
                message[random.Next(message.Length)] = (byte)random.Next(256);
            h.Receive(message[..(random.Next(8) == 0 ? random.Next(message.Length + 1) : message.Length)]);
            if (random.Next(50) == 0 && h.Client.Addresses.Any())
                h.Duplicate(h.Client.Addresses.First().ToString());
            Assert.True(h.Configuration.Addresses.Count <= Dhcp6Lease.MostAddresses, $"seed {Seed}, message {i}");
            Assert.Equal(h.Client.Addresses.Any(), h.Client.HasLease);
        }

        h.Advance(TimeSpan.FromDays(2));
        Assert.True(h.Told.OfType<Dhcp6Bound>().Count() > 10);
    }
}
