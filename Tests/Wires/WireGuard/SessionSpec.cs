using Tapwire.Stack;
using Tapwire.Stack.Ip;
using Tapwire.Wires.WireGuard;
using Tapwire.Wires.WireGuard.Crypto;
using Xunit;

namespace Tapwire.Tests.Wires.WireGuard;

/// <summary>Two or more engines in virtual time.</summary>
public sealed class SessionSpec : IDisposable
{
    private readonly WireGuardNetwork _net = new();

    public void Dispose() => _net.Dispose();

    [Fact]
    public void The_first_packet_waits_for_the_handshake_and_arrives()
    {
        var (a, b) = _net.Pair();
        Assert.Equal(SendOutcome.Staged, a.Send("10.0.0.1", "10.0.0.2", 100, 0x61));
        _net.RunSeconds(1);

        Assert.Equal(InnerPackets.Make("10.0.0.1", "10.0.0.2", 100, 0x61), Assert.Single(b.Packets));
        Assert.Equal([1, 2, 4], _net.Sent.Select(static each => each.Type));
        Assert.Equal([148, 92], _net.Sent.Take(2).Select(static each => each.Bytes.Length));
        Assert.Equal(1, a.Counters.Handshakes);
        Assert.Equal(1, b.Counters.Handshakes);
        Assert.NotNull(a.Peer.LastHandshake);
        Assert.NotNull(b.Peer.LastHandshake);
        Assert.Equal(0, a.Counters.AllDrops + b.Counters.AllDrops);
    }

    [Theory]
    [InlineData("10.0.0.1", "10.0.0.2")]
    [InlineData("fd00::1", "fd00::2")]
    public void Packets_of_both_families_go_both_ways_in_order(string own, string other)
    {
        var (a, b) = _net.Pair();
        for (byte i = 0; i < 50; i++)
            a.Send(own, other, i, i);
        _net.RunSeconds(1);
        for (byte i = 0; i < 50; i++)
            Assert.Equal(SendOutcome.Sent, b.Send(other, own, i, i));
        _net.RunSeconds(1);
        for (byte i = 0; i < 50; i++)
        {
            Assert.Equal(InnerPackets.Make(own, other, i, i), b.Packets[i]);
            Assert.Equal(InnerPackets.Make(other, own, i, i), a.Packets[i]);
        }
    }

    [Fact]
    public void A_packet_is_padded_to_sixteen_bytes_and_not_beyond_the_MTU()
    {
        var (a, _) = _net.Pair();
        a.Send("10.0.0.1", "10.0.0.2");
        _net.RunSeconds(1);
        _net.Sent.Clear();
        foreach (var length in (int[])[20, 21, 32, 33, 1408, 1409, 1420])
            a.Send("10.0.0.1", "10.0.0.2", length - 20);
        Assert.Equal([32, 32, 32, 48, 1408, 1420, 1420], _net.Sent.Select(static each => each.Bytes.Length - 32));
    }

    [Fact]
    public void A_preshared_key_must_be_the_same_at_both_ends()
    {
        using var key = new SecretKey(Enumerable.Repeat((byte)9, 32).ToArray());
        using var wrong = new SecretKey(Enumerable.Repeat((byte)8, 32).ToArray());
        var (a, b) = _net.Pair();
        a.Knows(b, ["10.0.0.2/32"], preshared: key);
        b.Knows(a, ["10.0.0.1/32"], preshared: wrong);
        a.Send("10.0.0.1", "10.0.0.2");
        _net.RunSeconds(4);
        Assert.Empty(b.Packets);
        Assert.Equal(1, a.Counters[WireGuardDrop.InvalidHandshake]);
        Assert.Equal(0, a.Counters.Handshakes);

        b.Knows(a, ["10.0.0.1/32"], preshared: key);
        _net.RunSeconds(10);
        Assert.Single(b.Packets);
    }

    [Fact]
    public void Cryptokey_routing_takes_the_longest_prefix_both_ways()
    {
        var (hub, near, far) = (_net.Add("192.0.2.1"), _net.Add("192.0.2.2"), _net.Add("192.0.2.3"));
        hub.Knows(near, ["10.1.0.0/16"]);
        hub.Knows(far, ["10.0.0.0/8", "fd00::/16"]);
        near.Knows(hub, ["0.0.0.0/0"]);
        far.Knows(hub, ["0.0.0.0/0", "::/0"]);
        hub.Send("10.9.9.9", "10.1.2.3");
        hub.Send("10.9.9.9", "10.2.2.3");
        hub.Send("fd99::1", "fd00::77");
        Assert.Equal(SendOutcome.Dropped, hub.Send("10.9.9.9", "172.16.0.1"));
        Assert.Equal(SendOutcome.Dropped, hub.Send("fd99::1", "fe00::1"));
        _net.RunSeconds(1);
        Assert.Single(near.Packets);
        Assert.Equal(2, far.Packets.Count);
        Assert.Equal(2, hub.Counters[WireGuardDrop.NoPeer]);

        // The far peer has all of 10.0.0.0/8 but what the near one has.
        far.Send("10.2.0.1", "10.9.9.9");
        far.Send("10.1.0.1", "10.9.9.9");
        far.Send("172.16.0.1", "10.9.9.9");
        _net.RunSeconds(1);
        Assert.Single(hub.Packets);
        Assert.Equal(2, hub.Counters[WireGuardDrop.DisallowedSource]);
    }

    [Fact]
    public void A_peer_is_known_by_its_key_and_an_unknown_one_is_not_answered()
    {
        var (a, b) = _net.Pair();
        var stranger = _net.Add("192.0.2.9");
        stranger.Knows(b, ["10.0.0.2/32"]);
        stranger.Send("10.0.0.9", "10.0.0.2");
        _net.RunSeconds(4);
        Assert.Equal([1], _net.Sent.Select(static each => each.Type));
        Assert.Equal(1, b.Counters[WireGuardDrop.UnknownPeer]);
        Assert.Equal(0, a.Counters.AllDrops);
        Assert.Equal(0, b.Engine.Indices);
    }

    [Fact]
    public void Both_ends_may_begin_at_the_same_time()
    {
        var (a, b) = _net.Pair();
        a.Send("10.0.0.1", "10.0.0.2");
        b.Send("10.0.0.2", "10.0.0.1");
        _net.RunSeconds(0.2);
        Assert.Single(b.Packets);
        Assert.Single(a.Packets);
        for (var i = 0; i < 5; i++)
        {
            a.Send("10.0.0.1", "10.0.0.2");
            b.Send("10.0.0.2", "10.0.0.1");
        }

        _net.RunSeconds(1);
        Assert.Equal((6, 6), (a.Packets.Count, b.Packets.Count));
    }

    [Fact]
    public void The_initiator_rekeys_after_two_minutes_without_loss()
    {
        var (a, b) = _net.Pair();
        for (var i = 0; i < 4000; i++)
        {
            a.Send("10.0.0.1", "10.0.0.2");
            b.Send("10.0.0.2", "10.0.0.1");
            _net.RunSeconds(0.1);
        }

        _net.RunSeconds(1);
        Assert.Equal((4000, 4000), (a.Packets.Count, b.Packets.Count));
        // 400 seconds: both at 0, and then one of them at 120, 240 and 360.
        Assert.InRange(_net.Sent.Count(static each => each.Type == 1), 4, 8);
        Assert.InRange(a.Counters.Handshakes, 4, 8);
        Assert.Equal(0, a.Counters.AllDrops + b.Counters.AllDrops);
        Assert.InRange(a.Engine.Indices, 1, 3);
        Assert.InRange(b.Engine.Indices, 1, 3);
    }

    [Fact]
    public void Keys_end_after_three_minutes_and_are_erased_after_nine()
    {
        var (a, b) = _net.Pair();
        a.Send("10.0.0.1", "10.0.0.2");
        _net.RunSeconds(1);
        var old = _net.Sent.Single(static each => each.Type == 4);
        _net.RunSeconds(185);
        // A message of an old session, which the receiver no longer takes.
        _net.Deliver(old);
        Assert.Equal(1, b.Counters[WireGuardDrop.ExpiredSession]);
        Assert.True(a.Peer.Keys.HasAny);
        _net.RunSeconds(360);
        Assert.False(a.Peer.Keys.HasAny);
        Assert.False(b.Peer.Keys.HasAny);
        Assert.Equal((0, 0), (a.Engine.Indices, b.Engine.Indices));
        _net.Deliver(old);
        Assert.Equal(1, b.Counters[WireGuardDrop.UnknownIndex]);

        Assert.Equal(SendOutcome.Staged, a.Send("10.0.0.1", "10.0.0.2"));
        _net.RunSeconds(1);
        Assert.Equal(2, b.Packets.Count);
    }

    [Fact]
    public void A_message_is_taken_once()
    {
        var (a, b) = _net.Pair();
        a.Send("10.0.0.1", "10.0.0.2");
        _net.RunSeconds(1);
        foreach (var datagram in _net.Sent.ToList())
            _net.Deliver(datagram);
        Assert.Single(b.Packets);
        Assert.Equal(1, b.Counters[WireGuardDrop.ReplayedData]);
        Assert.Equal(1, b.Counters[WireGuardDrop.ReplayedHandshake]);
        Assert.Equal(1, a.Counters[WireGuardDrop.UnknownIndex]);
    }

    [Fact]
    public void A_silent_peer_is_asked_every_five_seconds_and_given_up_after_ninety()
    {
        var (a, _) = _net.Pair();
        _net.Passes = static _ => false;
        a.Send("10.0.0.1", "10.0.0.2");
        _net.RunSeconds(6);
        Assert.Equal(2, _net.Sent.Count);
        Assert.Equal(["unanswered"], a.Events);
        Assert.Equal(Instant.Zero, a.Peer.UnansweredSince);
        _net.RunSeconds(200);
        Assert.Equal(1 + WireGuardTimers.MaxHandshakeAttempts, _net.Sent.Count);
        Assert.Equal(1, a.Counters[WireGuardDrop.NoSession]);
        Assert.False(a.Peer.HasStaged);

        // It is not asked again before there is something to send, and then it may answer.
        _net.Passes = static _ => true;
        _net.RunSeconds(1000);
        Assert.Equal(1 + WireGuardTimers.MaxHandshakeAttempts, _net.Sent.Count);
        a.Send("10.0.0.1", "10.0.0.2");
        _net.RunSeconds(1);
        Assert.Null(a.Peer.UnansweredSince);
        Assert.NotNull(a.Peer.LastHandshake);
    }

    [Fact]
    public void What_waits_for_a_session_is_bounded_and_the_oldest_gives_way()
    {
        var (a, b) = _net.Pair(WireGuardLimits.Default with { StagedPackets = 4 });
        for (byte i = 0; i < 10; i++)
            a.Send("10.0.0.1", "10.0.0.2", 10, i);
        _net.RunSeconds(1);
        Assert.Equal([6, 7, 8, 9], b.Packets.Select(static each => each[^1]));
        Assert.Equal(6, a.Counters[WireGuardDrop.NoSession]);
    }

    [Fact]
    public void A_received_packet_is_answered_by_a_keepalive_after_ten_seconds()
    {
        var (a, b) = _net.Pair();
        a.Send("10.0.0.1", "10.0.0.2");
        _net.RunSeconds(9);
        Assert.Equal(0, b.Counters.KeepalivesSent);
        _net.RunSeconds(2);
        Assert.Equal(1, b.Counters.KeepalivesSent);
        Assert.Equal(1, a.Counters.KeepalivesReceived);
        _net.RunSeconds(100);
        Assert.Equal(1, b.Counters.KeepalivesSent);
        Assert.Equal(1, _net.Sent.Count(static each => each.Type == 1));
    }

    [Fact]
    public void A_peer_that_was_started_again_is_found_out_within_fifteen_seconds()
    {
        var (a, b) = _net.Pair();
        a.Send("10.0.0.1", "10.0.0.2");
        _net.RunSeconds(1);
        // As if it had forgotten its keys.
        b.Peer.Keys.Erase();
        a.Send("10.0.0.1", "10.0.0.2");
        _net.RunSeconds(1);
        Assert.Equal(1, b.Counters[WireGuardDrop.UnknownIndex]);
        _net.RunSeconds(16);
        Assert.Equal(2, _net.Sent.Count(static each => each.Type == 1));
        a.Send("10.0.0.1", "10.0.0.2");
        _net.RunSeconds(1);
        Assert.Equal(2, b.Packets.Count);
    }

    [Fact]
    public void Persistent_keepalives_begin_at_once_and_go_on()
    {
        var (a, b) = _net.Pair();
        a.Knows(b, ["10.0.0.2/32"], keepalive: 25);
        _net.RunSeconds(1);
        Assert.Equal(1, a.Counters.Handshakes);
        var before = b.Counters.KeepalivesReceived;
        _net.RunSeconds(100);
        Assert.InRange(b.Counters.KeepalivesReceived - before, 4, 5);
        _net.RunSeconds(900);
        // The session is renewed, although nothing else is sent.
        Assert.InRange(a.Counters.Handshakes, 5, 9);
        a.Knows(b, ["10.0.0.2/32"]);
        _net.RunSeconds(20);
        before = b.Counters.KeepalivesReceived;
        _net.RunSeconds(200);
        Assert.Equal(before, b.Counters.KeepalivesReceived);
    }

    [Fact]
    public void Messages_follow_a_peer_that_moves()
    {
        var (a, b) = _net.Pair();
        a.Send("10.0.0.1", "10.0.0.2");
        _net.RunSeconds(1);
        a.Address = new IpEndpoint(IpAddress.Parse("198.51.100.7"), 4500);
        a.Send("10.0.0.1", "10.0.0.2");
        _net.RunSeconds(1);
        b.Send("10.0.0.2", "10.0.0.1");
        _net.RunSeconds(1);
        Assert.Single(a.Packets);
        Assert.Contains("192.0.2.1:51820 -> 198.51.100.7:4500", b.Events);

        // And the other end moves, too.
        b.Address = new IpEndpoint(IpAddress.Parse("2001:db8::2"), 7);
        b.Send("10.0.0.2", "10.0.0.1");
        _net.RunSeconds(1);
        a.Send("10.0.0.1", "10.0.0.2");
        _net.RunSeconds(1);
        Assert.Equal(3, b.Packets.Count);
    }

    [Fact]
    public void A_forged_message_moves_nobody()
    {
        var (a, b) = _net.Pair();
        a.Send("10.0.0.1", "10.0.0.2");
        _net.RunSeconds(1);
        var data = _net.Sent.Single(static each => each.Type == 4);
        var forged = data.Bytes.ToArray();
        forged[8] = 9;
        _net.Deliver(new Datagram(new IpEndpoint(IpAddress.Parse("203.0.113.1"), 1), b.Address, forged));
        _net.Deliver(data with { From = new IpEndpoint(IpAddress.Parse("203.0.113.1"), 1) });
        Assert.Equal(1, b.Counters[WireGuardDrop.InvalidData]);
        Assert.Equal(1, b.Counters[WireGuardDrop.ReplayedData]);
        Assert.Equal(a.Address, b.Peer.Endpoint);
    }

    [Fact]
    public void A_peer_without_an_endpoint_is_answered_where_it_calls_from()
    {
        var (a, b) = (_net.Add("192.0.2.1"), _net.Add("192.0.2.2"));
        a.Knows(b, ["10.0.0.2/32"]);
        b.Knows(a, ["10.0.0.1/32"], withEndpoint: false);
        Assert.Equal(SendOutcome.Staged, b.Send("10.0.0.2", "10.0.0.1"));
        _net.RunSeconds(100);
        Assert.Empty(_net.Sent);
        a.Send("10.0.0.1", "10.0.0.2");
        _net.RunSeconds(1);
        Assert.Single(b.Packets);
        Assert.Single(a.Packets);
    }

    [Fact]
    public void What_waits_goes_when_the_address_is_known()
    {
        var (a, b) = (_net.Add("192.0.2.1"), _net.Add("192.0.2.2"));
        a.Knows(b, ["10.0.0.2/32"], withEndpoint: false);
        b.Knows(a, ["10.0.0.1/32"], withEndpoint: false);
        a.Send("10.0.0.1", "10.0.0.2");
        _net.RunSeconds(3);
        a.Engine.SetEndpoint(a.Peer, b.Address, _net.Now);
        _net.RunSeconds(1);
        Assert.Single(b.Packets);
    }

    [Fact]
    public void Much_is_lost_and_sessions_go_on()
    {
        var (a, b) = _net.Pair();
        (_net.Loss, _net.Duplication, _net.Reordering) = (0.2, 0.1, 0.3);
        for (var i = 0; i < 6000; i++)
        {
            a.Send("10.0.0.1", "10.0.0.2", i % 1400);
            b.Send("10.0.0.2", "10.0.0.1", i % 1400);
            _net.RunSeconds(0.1);
        }

        Assert.InRange(b.Packets.Count, 4500, 5100);
        Assert.InRange(a.Packets.Count, 4500, 5100);
        Assert.True(a.Counters[WireGuardDrop.ReplayedData] > 300);
        Assert.InRange(a.Engine.Indices, 1, 4);
    }

    [Fact]
    public void A_run_repeats_from_its_seed()
    {
        Assert.Equal(Run(7), Run(7));
        Assert.NotEqual(Run(7), Run(8));

        static string Run(int seed)
        {
            using var net = new WireGuardNetwork(seed) { Loss = 0.1, Reordering = 0.1 };
            var (a, b) = net.Pair();
            for (var i = 0; i < 300; i++)
            {
                a.Send("10.0.0.1", "10.0.0.2");
                net.RunSeconds(1);
            }

            return string.Join(",", net.Sent.Select(static each => Convert.ToHexString(each.Bytes)));
        }
    }

    [Fact]
    public void A_removed_peer_is_forgotten_and_a_changed_one_keeps_its_session()
    {
        var (a, b) = _net.Pair();
        a.Send("10.0.0.1", "10.0.0.2");
        _net.RunSeconds(1);
        a.Knows(b, ["10.0.0.0/24"]);
        Assert.Equal(SendOutcome.Sent, a.Send("10.0.0.1", "10.0.0.77"));
        a.Engine.RemovePeer(b.Engine.PublicKey);
        Assert.Equal(SendOutcome.Dropped, a.Send("10.0.0.1", "10.0.0.2"));
        Assert.Empty(a.Engine.Peers);
        Assert.Equal(0, a.Engine.Indices);
    }

    [Fact]
    public void A_public_key_of_small_order_is_no_peer()
    {
        var a = _net.Add("192.0.2.1");
        Assert.False(a.Engine.SetPeer(new WireGuardPeerOptions(default, []), _net.Now));
        Assert.False(a.Engine.SetPeer(new WireGuardPeerOptions(a.Engine.PublicKey, []), _net.Now));
        Assert.Empty(a.Engine.Peers);
    }

    [Fact]
    public void A_full_socket_loses_messages_and_nothing_else()
    {
        var (a, b) = _net.Pair();
        a.Send("10.0.0.1", "10.0.0.2");
        _net.RunSeconds(1);
        a.IsFull = true;
        Assert.Equal(SendOutcome.Dropped, a.Send("10.0.0.1", "10.0.0.2"));
        Assert.Equal(1, a.Counters[WireGuardDrop.SocketFull]);
        _net.RunSeconds(300);
        a.IsFull = false;
        a.Send("10.0.0.1", "10.0.0.2");
        _net.RunSeconds(10);
        Assert.Equal(2, b.Packets.Count);
    }
}
