using Tapwire.Stack.Dhcp;
using Tapwire.Stack.Ip;
using Xunit;

namespace Tapwire.Tests.Stack.Dhcp;

/// <summary>The client's states (RFC 2131, Figure 5), each in virtual time.</summary>
public sealed class DhcpClientSpecs
{
    private readonly DhcpClientHarness _h = new();

    private static TimeSpan Seconds(double seconds) => TimeSpan.FromSeconds(seconds);

    [Fact]
    public void An_address_comes_by_discovery_offer_request_and_grant_and_after_a_look_at_the_neighbours()
    {
        _h.Start();
        Assert.Empty(_h.Sent);
        _h.AwaitSent(1);
        Assert.True(_h.Now.Milliseconds <= 1200, "The first message is late.");
        Assert.Equal((DhcpMessageType.Discover, "0.0.0.0", "255.255.255.255"), (_h.LastType, _h.Sent[^1].Send.Source.ToString(), _h.Sent[^1].Send.Destination.ToString()));
        Assert.Equal(0x80, _h.Last[10]);
        Assert.Empty(_h.Option(DhcpOption.ServerIdentifier));
        var transaction = _h.Transaction;

        _h.Receive(_h.Answer(DhcpMessageType.Offer));
        Assert.Equal((DhcpState.Requesting, DhcpMessageType.Request, transaction), (_h.Client.State, _h.LastType, _h.Transaction));
        Assert.Equal(DhcpReply.Addresses("192.0.2.50"), _h.Option(DhcpOption.RequestedAddress));
        Assert.Equal(DhcpReply.Addresses("192.0.2.1"), _h.Option(DhcpOption.ServerIdentifier));
        Assert.Equal("box"u8, _h.Option(DhcpOption.HostName));
        Assert.Equal("0.0.0.0", _h.ClientAddress.ToString());

        _h.Receive(_h.Answer(DhcpMessageType.Ack));
        Assert.Equal(DhcpState.Probing, _h.Client.State);
        Assert.Null(_h.Client.Lease);
        _h.Advance(Seconds(1));
        Assert.Equal(3, _h.Told.OfType<DhcpProbe>().Count());
        Assert.Equal("192.0.2.50/24", _h.Only<DhcpBound>().Lease.Address.ToString());
        Assert.Equal((DhcpState.Bound, 2, 2), (_h.Client.State, _h.Sent.Count, _h.Client.Counters.Received));
    }

    [Fact]
    public void Without_an_answer_it_asks_again_after_growing_pauses_and_says_so_once()
    {
        _h.Start();
        _h.AwaitSent(9);
        var pauses = _h.Sent.Zip(_h.Sent.Skip(1), static (one, next) => (next.At - one.At).TotalSeconds).ToList();
        Assert.All(pauses.Zip([4.0, 8, 16, 32, 64, 64, 64, 64]), static pair => Assert.InRange(pair.First, pair.Second - 1, pair.Second + 1));
        Assert.Equal(8, pauses.Distinct().Count());
        Assert.Single(_h.Sent.Select(static each => Convert.ToHexString(each.Send.Message.Span.Slice(4, 4))).Distinct());
        Assert.InRange(_h.Seconds, 240, 330);
        _h.Only<DhcpUnanswered>();
    }

    [Fact]
    public void Two_clients_do_not_ask_in_step()
    {
        var other = new DhcpClientHarness(seed: 1);
        _h.Start();
        other.Start();
        _h.AwaitSent(4);
        other.AwaitSent(4);
        Assert.NotEqual(_h.Transaction, other.Transaction);
        Assert.DoesNotContain(_h.Sent.Zip(other.Sent), static pair => pair.First.At == pair.Second.At);
    }

    [Fact]
    public void A_request_has_the_seconds_of_its_discovery_and_without_a_grant_all_begins_anew()
    {
        _h.Start();
        _h.AwaitSent(3);
        var seconds = _h.Seconds;
        Assert.InRange(seconds, 9, 15);
        _h.Advance(Seconds(2));
        _h.Receive(_h.Answer(DhcpMessageType.Offer));
        Assert.Equal(seconds, _h.Seconds);
        var transaction = _h.Transaction;
        _h.AwaitSent(7);
        Assert.All(_h.Sent.Skip(3), static each => Assert.Equal(3, each.Send.Message.Span[242]));
        _h.AwaitSent(8);
        Assert.Equal((DhcpMessageType.Discover, DhcpState.Selecting), (_h.LastType, _h.Client.State));
        Assert.NotEqual(transaction, _h.Transaction);
    }

    [Fact]
    public void A_lost_grant_is_asked_for_again()
    {
        _h.Start();
        _h.AwaitSent(1);
        _h.Receive(_h.Answer(DhcpMessageType.Offer));
        _h.AwaitSent(3);
        _h.Receive(_h.Answer(DhcpMessageType.Ack));
        _h.Advance(Seconds(1));
        Assert.Equal(DhcpState.Bound, _h.Client.State);

        // The lease counts from the first request: the server may have granted that one.
        Assert.Equal(_h.Sent[1].At + Seconds(3600), _h.Client.Expires);
    }

    [Fact]
    public void The_first_offer_is_taken_and_nothing_of_another_server()
    {
        _h.Start();
        _h.AwaitSent(1);
        _h.Receive(_h.Answer(DhcpMessageType.Offer));
        _h.Receive(_h.Answer(DhcpMessageType.Offer, "192.0.2.66", "192.0.2.66"));
        _h.Receive(_h.Answer(DhcpMessageType.Ack, "192.0.2.50", "192.0.2.66"));
        _h.Receive(_h.Nak("192.0.2.66"));
        _h.Receive(_h.Answer(DhcpMessageType.Ack, "192.0.2.66"));
        Assert.Equal(DhcpState.Requesting, _h.Client.State);
        Assert.Equal((1, 2, 1), (Dropped(DhcpDrop.NotExpected), Dropped(DhcpDrop.OtherServer), Dropped(DhcpDrop.OtherAddress)));
    }

    [Fact]
    public void A_refused_request_begins_anew_after_growing_pauses()
    {
        _h.Start();
        for (var i = 0; i < 8; i++)
        {
            var began = _h.Now;
            _h.AwaitSent(2 * i + 1);
            Assert.True(i == 0 || _h.Now - began >= Seconds(Math.Min(1 << (i - 1), 16)), "It asks too soon.");
            Assert.Equal(DhcpMessageType.Discover, _h.LastType);
            _h.Receive(_h.Answer(DhcpMessageType.Offer));
            _h.Receive(_h.Nak());
            Assert.Equal(DhcpState.Init, _h.Client.State);
        }

        Assert.Equal(8, _h.Told.OfType<DhcpRefused>().Count());
    }

    [Theory]
    [InlineData(0)]
    [InlineData(250)]
    public void An_address_that_a_neighbour_has_is_declined(int after)
    {
        _h.Start();
        _h.AwaitSent(1);
        _h.Receive(_h.Answer(DhcpMessageType.Offer));
        _h.Receive(_h.Answer(DhcpMessageType.Ack));
        _h.Advance(TimeSpan.FromMilliseconds(after));
        _h.Heard("192.0.2.51");
        Assert.Equal(DhcpState.Probing, _h.Client.State);
        _h.Heard("192.0.2.50");
        Assert.Equal((DhcpMessageType.Decline, DhcpState.Init), (_h.LastType, _h.Client.State));
        Assert.Equal(DhcpReply.Addresses("192.0.2.50"), _h.Option(DhcpOption.RequestedAddress));
        Assert.Equal(DhcpReply.Addresses("192.0.2.1"), _h.Option(DhcpOption.ServerIdentifier));
        Assert.Equal("02:00:00:00:00:99", _h.Only<DhcpDeclined>().By.ToString());
        Assert.Empty(_h.Told.OfType<DhcpBound>());

        // RFC 2131, 3.1 (5): not within ten seconds, and not for this address.
        var began = _h.Now;
        _h.AwaitSent(4);
        Assert.Equal(Seconds(10), _h.Now - began);
        Assert.Equal(DhcpMessageType.Discover, _h.LastType);
        Assert.Empty(_h.Option(DhcpOption.RequestedAddress));
    }

    [Fact]
    public void A_lease_is_renewed_by_its_server_at_T1()
    {
        var lease = _h.Bind();
        var asked = _h.Sent[1].At;
        Assert.InRange((_h.Client.Renews - asked).TotalSeconds, 1800 - 1350 / 16.0, 1800);
        _h.AwaitSent(3);
        Assert.Equal(_h.Client.Renews, _h.Now);
        Assert.Equal((DhcpMessageType.Request, DhcpState.Renewing, lease.Address.Address, lease.Server, lease.Address.Address),
            (_h.LastType, _h.Client.State, _h.Sent[^1].Send.Source, _h.Sent[^1].Send.Destination, _h.ClientAddress));
        Assert.Empty(_h.Option(DhcpOption.ServerIdentifier));
        Assert.Empty(_h.Option(DhcpOption.RequestedAddress));
        Assert.Equal(0, _h.Last[10]);
        var renewed = _h.Now;
        _h.Receive(_h.Answer(DhcpMessageType.Ack, "192.0.2.50", "192.0.2.9"));
        _h.Receive(_h.Nak("192.0.2.9"));
        Assert.Equal((DhcpState.Renewing, 2), (_h.Client.State, Dropped(DhcpDrop.OtherServer)));
        _h.Receive(_h.Answer(DhcpMessageType.Ack));
        Assert.Equal((DhcpState.Bound, renewed + Seconds(3600)), (_h.Client.State, _h.Client.Expires));
        Assert.Equal(2, _h.Told.OfType<DhcpBound>().Count());
        Assert.True(_h.Told.OfType<DhcpBound>().Last() is { Before: { } before, Lease: var after } && after.IsSameAs(before), "It is another lease.");
        Assert.Equal(3, _h.Told.OfType<DhcpProbe>().Count());
    }

    [Fact]
    public void Without_an_answer_to_that_every_server_is_asked_at_T2_and_the_address_goes_at_the_end()
    {
        _h.Bind();
        var asked = _h.Sent[1].At;
        _h.Advance(Seconds(4000));
        var renewals = _h.Sent.Skip(2).TakeWhile(static each => !each.Send.Destination.IsLimitedBroadcast).ToList();
        var rebindings = _h.Sent.Skip(2 + renewals.Count).TakeWhile(static each => !each.Send.Source.IsUnspecified).ToList();
        Assert.InRange(renewals.Count, 3, 8);
        Assert.InRange(rebindings.Count, 3, 8);
        Assert.Equal(asked + Seconds(3150), rebindings[0].At);
        Assert.All(rebindings, static each => Assert.Equal("192.0.2.50", each.Send.Source.ToString()));

        // RFC 2131, 4.4.5: a minute at least between two of them.
        foreach (var list in new[] { renewals, rebindings })
            Assert.All(list.Zip(list.Skip(1)), static pair => Assert.True(pair.Second.At - pair.First.At >= Seconds(60)));
        Assert.Equal(DhcpLoss.Expired, _h.Only<DhcpLost>().Reason);
        Assert.Null(_h.Client.Lease);
        var next = _h.Sent[2 + renewals.Count + rebindings.Count];
        Assert.Equal(asked + Seconds(3600), next.At);
        Assert.Equal(1, next.Send.Message.Span[242]);
        Assert.Equal(DhcpReply.Addresses("192.0.2.50"), _h.Option(DhcpOption.RequestedAddress));
    }

    [Fact]
    public void While_every_server_is_asked_another_one_may_give_more_time()
    {
        _h.Bind();
        _h.Advance(Seconds(3200));
        Assert.Equal(DhcpState.Rebinding, _h.Client.State);
        _h.Receive(_h.Answer(DhcpMessageType.Ack, server: "192.0.2.9"));
        Assert.Equal((DhcpState.Bound, "192.0.2.9"), (_h.Client.State, _h.Client.Lease!.Server.ToString()));
        Assert.Empty(_h.Told.OfType<DhcpLost>());
    }

    [Fact]
    public void A_server_that_refuses_more_time_has_the_address_go_at_once()
    {
        _h.Bind();
        _h.AwaitSent(3);
        _h.Receive(_h.Nak());
        Assert.Equal((DhcpLoss.Refused, DhcpState.Init), (_h.Only<DhcpLost>().Reason, _h.Client.State));
        _h.AwaitSent(4);
        Assert.Equal(DhcpMessageType.Discover, _h.LastType);
        Assert.Empty(_h.Option(DhcpOption.RequestedAddress));
    }

    [Fact]
    public void Short_leases_are_renewed_in_time()
    {
        _h.Bind(seconds: 12);
        var asked = _h.Sent[1].At;
        _h.Advance(Seconds(12));
        Assert.Contains(_h.Sent.Skip(2), each => each.Send.Destination.ToString() == "192.0.2.1" && each.At <= asked + Seconds(6));
        Assert.Contains(_h.Sent.Skip(2), each => each.Send.Destination.IsLimitedBroadcast && !each.Send.Source.IsUnspecified && each.At <= asked + Seconds(11));
    }

    [Fact]
    public void A_lease_without_end_is_never_renewed()
    {
        _h.Bind(seconds: uint.MaxValue);
        Assert.Equal(Tapwire.Stack.Instant.Never, _h.Client.PollAt);
    }

    [Fact]
    public void A_kept_lease_is_asked_for_again_and_looked_at_before_it_is_used()
    {
        var kept = new DhcpClientHarness(seed: 5).Bind();
        _h.Start(kept, Seconds(100));
        _h.AwaitSent(1);
        Assert.Equal((DhcpMessageType.Request, DhcpState.Rebooting, "255.255.255.255"), (_h.LastType, _h.Client.State, _h.Sent[^1].Send.Destination.ToString()));
        Assert.Equal(DhcpReply.Addresses("192.0.2.50"), _h.Option(DhcpOption.RequestedAddress));
        Assert.Empty(_h.Option(DhcpOption.ServerIdentifier));
        Assert.Equal("0.0.0.0", _h.ClientAddress.ToString());
        Assert.Null(_h.Client.Lease);
        _h.Receive(_h.Answer(DhcpMessageType.Ack, server: "192.0.2.7"));
        Assert.Equal(DhcpState.Probing, _h.Client.State);
        _h.Advance(Seconds(1));
        Assert.Equal((DhcpState.Bound, 1), (_h.Client.State, _h.Sent.Count));
    }

    [Fact]
    public void A_kept_lease_that_is_refused_or_of_which_nobody_knows_is_looked_for_anew()
    {
        var kept = new DhcpClientHarness(seed: 5).Bind();
        _h.Start(kept, Seconds(100));
        _h.AwaitSent(1);
        _h.Receive(_h.Nak("192.0.2.7"));
        _h.AwaitSent(2);
        Assert.Equal(DhcpMessageType.Discover, _h.LastType);
        Assert.Empty(_h.Told.OfType<DhcpLost>());

        var silent = new DhcpClientHarness(seed: 9);
        silent.Start(kept, Seconds(100));
        silent.AwaitSent(4);
        Assert.Equal([3, 3, 3, 1], silent.Sent.Select(static each => (int)each.Send.Message.Span[242]));
        Assert.Equal(DhcpReply.Addresses("192.0.2.50"), silent.Option(DhcpOption.RequestedAddress));
    }

    [Fact]
    public void Of_a_kept_lease_whose_time_is_over_only_the_address_is_wished_for()
    {
        _h.Start(new DhcpClientHarness(seed: 5).Bind(), TimeSpan.Zero);
        _h.AwaitSent(1);
        Assert.Equal(DhcpMessageType.Discover, _h.LastType);
        Assert.Equal(DhcpReply.Addresses("192.0.2.50"), _h.Option(DhcpOption.RequestedAddress));
    }

    [Fact]
    public void When_the_wire_is_back_the_address_stays_and_the_servers_are_asked_for_it()
    {
        _h.Bind();
        _h.Client.WireDown();
        _h.Advance(Seconds(2000));
        Assert.Equal(2, _h.Sent.Count);
        _h.WireUp();
        _h.AwaitSent(3);
        Assert.Equal((DhcpState.Rebooting, "0.0.0.0"), (_h.Client.State, _h.Sent[^1].Send.Source.ToString()));
        Assert.NotNull(_h.Client.Lease);
        var asked = _h.Now;
        _h.Receive(_h.Answer(DhcpMessageType.Ack));
        Assert.Equal((DhcpState.Bound, asked + Seconds(3600)), (_h.Client.State, _h.Client.Expires));
        Assert.Empty(_h.Told.OfType<DhcpLost>());

        // On another network a server says no.
        _h.Client.WireDown();
        _h.WireUp();
        _h.AwaitSent(4);
        _h.Receive(_h.Nak("198.51.100.1"));
        Assert.Equal(DhcpLoss.Refused, _h.Only<DhcpLost>().Reason);
    }

    [Fact]
    public void When_nobody_answers_after_the_wire_is_back_the_lease_goes_on()
    {
        _h.Bind();
        var expires = _h.Client.Expires;
        _h.Client.WireDown();
        _h.Advance(Seconds(2000));
        _h.WireUp();
        _h.AwaitSent(6);
        Assert.Equal((DhcpState.Renewing, expires, "192.0.2.1"), (_h.Client.State, _h.Client.Expires, _h.Sent[^1].Send.Destination.ToString()));
        Assert.Empty(_h.Told.OfType<DhcpLost>());
    }

    [Fact]
    public void A_lease_ends_while_the_wire_is_away_and_the_client_asks_when_it_is_back()
    {
        _h.Bind();
        _h.Client.WireDown();
        _h.Advance(Seconds(3600));
        Assert.Equal(DhcpLoss.Expired, _h.Only<DhcpLost>().Reason);
        _h.Advance(Seconds(3600));
        Assert.Equal(2, _h.Sent.Count);
        _h.WireUp();
        _h.AwaitSent(3);
        Assert.Equal(DhcpMessageType.Discover, _h.LastType);
    }

    [Fact]
    public void A_wire_that_comes_up_first_changes_nothing()
    {
        _h.Start();
        _h.AwaitSent(1);
        _h.WireUp();
        _h.Advance(Seconds(2));
        Assert.Equal((1, DhcpState.Selecting), (_h.Sent.Count, _h.Client.State));
    }

    [Theory]
    [InlineData(true, 1)]
    [InlineData(false, 0)]
    public void At_the_end_the_address_is_given_back_if_that_is_wanted(bool release, int messages)
    {
        var lease = _h.Bind();
        _h.Stop(release);
        Assert.Equal((2 + messages, DhcpState.Stopped, messages), (_h.Sent.Count, _h.Client.State, _h.Told.OfType<DhcpReleased>().Count()));
        Assert.Equal(Tapwire.Stack.Instant.Never, _h.Client.PollAt);
        if (!release)
            return;
        Assert.Equal((DhcpMessageType.Release, lease.Address.Address, lease.Server, lease.Address.Address),
            (_h.LastType, _h.Sent[^1].Send.Source, _h.Sent[^1].Send.Destination, _h.ClientAddress));
        Assert.Equal(DhcpReply.Addresses("192.0.2.1"), _h.Option(DhcpOption.ServerIdentifier));
    }

    [Fact]
    public void What_nobody_has_asked_for_is_dropped_and_counted()
    {
        _h.Start();
        var early = DhcpReply.Lease(DhcpMessageType.Offer, 0, DhcpClientHarness.Hardware);
        _h.Receive(early);
        _h.AwaitSent(1);
        _h.Receive(_h.Answer(DhcpMessageType.Ack));
        _h.Receive(_h.Nak());
        _h.Receive(DhcpReply.Lease(DhcpMessageType.Offer, _h.Transaction + 1, DhcpClientHarness.Hardware));
        _h.Receive([]);
        Assert.Equal((3, 1, 1, 0), (Dropped(DhcpDrop.NotExpected), Dropped(DhcpDrop.OtherTransaction), Dropped(DhcpDrop.BadLength), _h.Client.Counters.Received));
        _h.Receive(_h.Answer(DhcpMessageType.Offer));
        _h.Receive(_h.Answer(DhcpMessageType.Ack));
        _h.Receive(_h.Answer(DhcpMessageType.Ack));
        _h.Advance(Seconds(1));
        _h.Receive(_h.Nak());
        Assert.Equal((5, DhcpState.Bound), (Dropped(DhcpDrop.NotExpected), _h.Client.State));
    }

    /// <summary>Whatever servers say and whenever: no exception, no message without end, and an address only after a grant and three questions to the neighbours.</summary>
    [Fact]
    public void Servers_that_say_anything_at_any_time_do_no_harm()
    {
        for (var seed = 1; seed <= 300; seed++)
        {
            var random = new Random(seed);
            var h = new DhcpClientHarness(seed);
            h.Start();
            for (var i = 0; i < 200; i++)
            {
                h.Advance(Seconds(random.NextDouble() * (random.Next(10) == 0 ? 4000 : 5)));
                if (h.Sent.Count == 0)
                    continue;
                switch (random.Next(10))
                {
                    case 0:
                        h.Client.WireDown();
                        break;
                    case 1:
                        h.WireUp();
                        break;
                    case 2:
                        h.Heard("192.0.2.50");
                        break;
                    case 3:
                        h.Receive(h.Nak(random.Next(2) == 0 ? "192.0.2.1" : "192.0.2.9"));
                        break;
                    default:
                        h.Receive(h.Answer(random.Next(2) == 0 ? DhcpMessageType.Offer : DhcpMessageType.Ack, random.Next(8) == 0 ? "192.0.2.51" : "192.0.2.50", random.Next(8) == 0 ? "192.0.2.9" : "192.0.2.1",
                            (uint)random.Next(10, 5000)));
                        break;
                }

                Assert.True(h.Client.Lease is not null == h.Client.State is DhcpState.Bound or DhcpState.Renewing or DhcpState.Rebinding || h.Client.State == DhcpState.Rebooting, $"seed {seed}, step {i}: {h.Client.State}");
                Assert.True(h.Client.Lease is null || h.Client.Expires > h.Now, $"seed {seed}, step {i}: the lease is over.");
            }

            Assert.True(h.Sent.Zip(h.Sent.Skip(20)).All(static pair => pair.Second.At - pair.First.At > Seconds(2)), $"seed {seed}: it floods.");
        }
    }

    private long Dropped(DhcpDrop reason) => _h.Client.Counters[reason];
}
