using Tapwire.Stack.Neighbors;
using Tapwire.Stack;
using Tapwire.Stack.Interfaces;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Packets;
using Tapwire.Tests.Support;
using Xunit;

namespace Tapwire.Tests.Stack.Neighbors;

public sealed class ArpSpec : IDisposable
{
    private static readonly MacAddress Other = new(0x02_00_00_00_00_33);

    private readonly StackHarness _h = new();

    public void Dispose() => _h.Dispose();

    [Fact]
    public void A_request_for_an_own_address_is_answered_to_the_asker()
    {
        var reply = Arp(_h.Exchange(Request(StackHarness.PeerIp, StackHarness.PeerMac, StackHarness.OwnIp)), out var to);
        Assert.Equal(StackHarness.PeerMac, to);
        Assert.Equal(
            new ArpPacket(ArpOperation.Reply, StackHarness.OwnMac, StackHarness.OwnIp, StackHarness.PeerMac, StackHarness.PeerIp), reply);
        Assert.Equal(NeighborState.Stale, _h.StateOf(StackHarness.PeerIp));
    }

    [Fact]
    public void A_request_for_another_address_is_not_answered_and_teaches_nothing()
    {
        _h.Receive(Request(StackHarness.PeerIp, StackHarness.PeerMac, IpAddress.Parse("10.0.0.77")));
        _h.Silent();
        Assert.Equal(1, _h.Counters.ArpNotForUs);
        Assert.Empty(_h.Stack.Neighbors);
    }

    [Fact]
    public void A_probe_for_an_own_address_is_answered_and_teaches_nothing()
    {
        var reply = Arp(_h.Exchange(Request(IpAddress.AnyV4, StackHarness.PeerMac, StackHarness.OwnIp)), out _);
        Assert.Equal(StackHarness.OwnMac, reply.SenderHardware);
        Assert.Empty(_h.Stack.Neighbors);
    }

    [Fact]
    public void Short_and_malformed_packets_are_counted_by_reason()
    {
        var good = Request(StackHarness.PeerIp, StackHarness.PeerMac, StackHarness.OwnIp);
        for (var length = EthernetHeader.Length; length < good.Length; length++)
            _h.Receive(good.AsSpan(0, length));
        Assert.Equal(ArpPacket.Length, _h.Counters.ArpTooShort);
        foreach (var offset in new[] { 14, 15, 16, 17, 18, 19 })
            _h.Receive(Changed(good, offset));
        Assert.Equal(6, _h.Counters.ArpBadFormat);
        _h.Receive(Changed(good, 21));
        _h.Receive(Changed(good, 20));
        Assert.Equal(2, _h.Counters.ArpBadOperation);
        _h.Receive(Request(StackHarness.PeerIp, default, StackHarness.OwnIp));
        _h.Receive(Build.Ethernet(EtherType.Arp, Request(StackHarness.PeerIp, MacAddress.Broadcast, StackHarness.OwnIp).AsSpan(14)));
        _h.Receive(Request(IpAddress.Parse("10.0.0.255"), StackHarness.PeerMac, StackHarness.OwnIp));
        _h.Receive(Request(IpAddress.Parse("224.0.0.5"), StackHarness.PeerMac, StackHarness.OwnIp));
        _h.Receive(Request(IpAddress.Parse("127.0.0.1"), StackHarness.PeerMac, StackHarness.OwnIp));
        Assert.Equal(5, _h.Counters.ArpBadSender);
        _h.Receive(Build.Ethernet(EtherType.Arp, Request(StackHarness.OwnIp, StackHarness.OwnMac, StackHarness.PeerIp).AsSpan(14)));
        Assert.Equal(1, _h.Counters.ArpOwnSender);
        _h.Silent();
        Assert.Empty(_h.Stack.Neighbors);
    }

    [Fact]
    public void Packets_wait_for_the_answer_and_go_out_in_order()
    {
        var socket = Socket();
        for (byte i = 0; i < 3; i++)
            Assert.Equal(StackError.None, socket.Send(_h.Payload(i), Peer(9), _h.Now));
        var request = Arp(_h.Single(), out var to);
        Assert.Equal(MacAddress.Broadcast, to);
        Assert.Equal(new ArpPacket(ArpOperation.Request, StackHarness.OwnMac, StackHarness.OwnIp, default, StackHarness.PeerIp), request);
        Assert.Equal(NeighborState.Incomplete, _h.StateOf(StackHarness.PeerIp));

        _h.Receive(Reply(StackHarness.PeerIp, StackHarness.PeerMac));
        var frames = _h.Frames();
        Assert.Equal([0, 1, 2], frames.Select(f => f[^1]));
        Assert.All(frames, f => Assert.Equal(StackHarness.PeerMac, MacAddress.FromBytes(f)));
        Assert.Equal(NeighborState.Reachable, _h.StateOf(StackHarness.PeerIp));
    }

    [Fact]
    public void Three_requests_a_second_apart_go_unanswered_and_the_sender_hears_of_it()
    {
        var socket = Socket();
        Assert.Equal(StackError.None, socket.Connect(Peer(9)));
        Assert.Equal(StackError.None, socket.Send(_h.Payload(1), null, _h.Now));
        var requests = new List<double>();
        var start = _h.Now;
        for (var i = 0; i < 60; i++)
        {
            requests.AddRange(_h.Frames().Select(_ => (_h.Now - start).TotalSeconds));
            _h.Advance(TimeSpan.FromMilliseconds(100));
        }

        Assert.Equal([0.0, 1.0, 2.0], requests);
        Assert.Equal(SocketEvents.Readable, _h.EventsOf(socket));
        Assert.Equal(StackError.HostUnreachable, socket.TakeError());
        Assert.Equal(NeighborState.Failed, _h.StateOf(StackHarness.PeerIp));
        Assert.Equal(1, _h.Counters.NeighborQueueDropped);
        Assert.Equal(1, _h.Counters.NeighborUnreachable);
    }

    [Fact]
    public void An_unreachable_neighbour_is_asked_again_when_it_is_needed_but_not_more_than_once_a_second()
    {
        var socket = Socket();
        for (var i = 0; i < 200; i++)
        {
            socket.Send(_h.Payload(1), Peer(9), _h.Now);
            socket.TakeError();
            _h.Advance(TimeSpan.FromMilliseconds(50));
        }

        Assert.InRange(_h.Frames().Count, 9, 11);
    }

    [Fact]
    public void The_queue_for_one_neighbour_is_bounded_and_the_oldest_give_way()
    {
        var socket = Socket();
        for (var i = 0; i < 100; i++)
            socket.Send(_h.Payload((byte)i), Peer(9), _h.Now);
        _h.Single();
        Assert.Equal(36, _h.Counters.NeighborQueueOverflow);
        _h.Receive(Reply(StackHarness.PeerIp, StackHarness.PeerMac));
        Assert.Equal(Enumerable.Range(36, 64), _h.Frames().Select(f => (int)f[^1]));
    }

    [Fact]
    public void The_bytes_that_wait_for_one_neighbour_and_for_all_are_bounded()
    {
        var options = new StackOptions
        {
            Interfaces = [new() { HardwareAddress = StackHarness.OwnMac }],
            Neighbors = new NeighborOptions { QueuedBytes = 4096, AllQueuedBytes = 64 << 10 },
        };
        using var h = new StackHarness(options);
        Assert.Equal(StackError.None, h.Stack.Udp.Bind(default, new(), out var socket));
        for (var i = 0; i < 5; i++)
            socket!.Send(h.Payload(new byte[1000]), Peer(9), h.Now);
        Assert.Equal(2, h.Counters.NeighborQueueOverflow);
        Assert.Equal(3, h.Stack.Neighbors[0].QueuedPackets);

        for (var i = 0; i < 100; i++)
            socket!.Send(h.Payload(new byte[1000]), new IpEndpoint(IpAddress.FromV4(0x0A000010 + (uint)i), 9), h.Now);
        Assert.Equal((64 << 10) / 1028, h.Stack.Neighbors.Sum(n => n.QueuedPackets));
    }

    [Fact]
    public void The_table_is_bounded_and_forgets_what_was_not_used_for_longest()
    {
        var options = new StackOptions { Interfaces = [new() { HardwareAddress = StackHarness.OwnMac }], Neighbors = new NeighborOptions { Entries = 10 } };
        using var h = new StackHarness(options);
        Assert.Equal(StackError.None, h.Stack.Udp.Bind(default, new(), out var socket));
        socket!.Send(h.Payload(1), Peer(9), h.Now);
        h.Receive(Reply(StackHarness.PeerIp, StackHarness.PeerMac));

        // A flood of made-up neighbours does not push out the one that is in use.
        for (uint i = 0; i < 100; i++)
            h.Receive(Request(IpAddress.FromV4(0x0A000010 + i), new MacAddress(0x02_00_00_00_01_00UL + i), StackHarness.OwnIp));
        Assert.Equal(10, h.Stack.Neighbors.Count);
        Assert.Equal(NeighborState.Reachable, h.StateOf(StackHarness.PeerIp));
        Assert.Equal(91, h.Counters.NeighborTableOverflow);
    }

    [Fact]
    public void A_reply_nobody_asked_for_makes_no_entry()
    {
        _h.Receive(Reply(StackHarness.PeerIp, StackHarness.PeerMac));
        Assert.Equal(1, _h.Counters.ArpUnsolicited);
        Assert.Empty(_h.Stack.Neighbors);
    }

    [Fact]
    public void An_entry_in_use_is_verified_by_unicast_and_kept_if_it_answers()
    {
        var socket = Reach();
        _h.Advance(TimeSpan.FromSeconds(46));
        socket.Send(_h.Payload(1), Peer(9), _h.Now);
        Assert.Equal(StackHarness.PeerMac, MacAddress.FromBytes(_h.Single()));
        Assert.Equal(NeighborState.Delay, _h.StateOf(StackHarness.PeerIp));
        _h.Advance(TimeSpan.FromSeconds(5));
        Assert.Equal(NeighborState.Probe, _h.StateOf(StackHarness.PeerIp));
        var probe = Arp(_h.Single(), out var to);
        Assert.Equal((ArpOperation.Request, StackHarness.PeerMac), (probe.Operation, to));
        _h.Receive(Reply(StackHarness.PeerIp, StackHarness.PeerMac));
        Assert.Equal(NeighborState.Reachable, _h.StateOf(StackHarness.PeerIp));
        _h.Silent();
    }

    [Fact]
    public void A_silent_neighbour_is_asked_by_unicast_then_by_broadcast_then_given_up()
    {
        var socket = Reach();
        _h.Advance(TimeSpan.FromSeconds(46));
        socket.Send(_h.Payload(1), Peer(9), _h.Now);
        _h.Single();
        _h.Advance(TimeSpan.FromSeconds(12));
        var destinations = _h.Frames().Select(f => MacAddress.FromBytes(f)).ToList();
        Assert.Equal([.. Enumerable.Repeat(StackHarness.PeerMac, 3), .. Enumerable.Repeat(MacAddress.Broadcast, 3)], destinations);
        Assert.Equal(NeighborState.Failed, _h.StateOf(StackHarness.PeerIp));
    }

    [Fact]
    public void An_unused_entry_is_forgotten_and_an_idle_stack_has_no_deadline()
    {
        Reach();
        _h.Advance(TimeSpan.FromMinutes(11));
        Assert.Empty(_h.Stack.Neighbors);
        Assert.Equal(Instant.Never, _h.Stack.PollAt);
    }

    [Fact]
    public void A_claim_on_a_confirmed_neighbour_makes_us_ask_the_holder_who_keeps_it_by_answering()
    {
        var socket = Reach();
        _h.Advance(TimeSpan.FromSeconds(2));
        _h.Receive(Gratuitous(StackHarness.PeerIp, Other));
        var probe = Arp(_h.Single(), out var to);
        Assert.Equal((StackHarness.PeerIp, StackHarness.PeerMac), (probe.TargetProtocol, to));
        Assert.Equal(1, _h.Counters.ArpMovesRefused);
        for (var i = 0; i < 1000; i++)
            _h.Receive(Reply(StackHarness.PeerIp, Other));
        _h.Silent();
        _h.Receive(Reply(StackHarness.PeerIp, StackHarness.PeerMac));
        socket.Send(_h.Payload(1), Peer(9), _h.Now);
        Assert.Equal(StackHarness.PeerMac, MacAddress.FromBytes(_h.Single()));
        Assert.Equal(0, _h.Counters.ArpMoves);
    }

    [Fact]
    public void A_claim_on_a_neighbour_that_no_longer_answers_is_followed()
    {
        var socket = Reach();
        _h.Advance(TimeSpan.FromSeconds(2));
        _h.Receive(Gratuitous(StackHarness.PeerIp, Other));
        _h.Advance(TimeSpan.FromSeconds(3.5));
        _h.Frames();
        _h.Receive(Reply(StackHarness.PeerIp, Other));
        socket.Send(_h.Payload(1), Peer(9), _h.Now);
        Assert.Equal(Other, MacAddress.FromBytes(_h.Single()));
    }

    /// <summary>A fail-over to a station with a hardware address of its own.</summary>
    [Fact]
    public void A_neighbour_that_moves_is_found_within_a_fifth_of_a_second()
    {
        var socket = Reach();
        _h.Advance(TimeSpan.FromSeconds(2));
        _h.Receive(Gratuitous(StackHarness.PeerIp, Other));
        var asked = new List<MacAddress>();
        for (var passed = 0; passed <= 150; passed += 10)
        {
            asked.AddRange(_h.Frames().Select(frame => MacAddress.FromBytes(frame)));
            _h.Advance(TimeSpan.FromMilliseconds(10));
        }

        Assert.Equal([StackHarness.PeerMac, StackHarness.PeerMac, StackHarness.PeerMac, MacAddress.Broadcast], asked);
        socket.Send(_h.Payload(1), Peer(9), _h.Now);
        _h.Silent();
        _h.Receive(Reply(StackHarness.PeerIp, Other));
        Assert.Equal(Other, MacAddress.FromBytes(_h.Single()));
        Assert.Equal(NeighborState.Reachable, _h.StateOf(StackHarness.PeerIp));
    }

    /// <summary>Whoever claims what is not his may not have us ask without end.</summary>
    [Fact]
    public void Claims_make_us_ask_a_burst_a_second_at_most()
    {
        Reach();
        _h.Advance(TimeSpan.FromSeconds(2));
        var asked = 0;
        for (var passed = 0; passed < 10_000; passed += 5)
        {
            _h.Receive(Gratuitous(StackHarness.PeerIp, Other));
            foreach (var frame in _h.Frames())
            {
                asked++;
                Assert.Equal(StackHarness.PeerMac, MacAddress.FromBytes(frame));
                _h.Receive(Reply(StackHarness.PeerIp, StackHarness.PeerMac));
            }

            _h.Advance(TimeSpan.FromMilliseconds(5));
        }

        Assert.InRange(asked, 9, 11);
        Assert.Equal(0, _h.Counters.ArpMoves);
    }

    [Fact]
    public void A_claim_on_an_unconfirmed_neighbour_moves_it()
    {
        _h.Exchange(Request(StackHarness.PeerIp, StackHarness.PeerMac, StackHarness.OwnIp));
        _h.Receive(Gratuitous(StackHarness.PeerIp, Other));
        Assert.Equal(1, _h.Counters.ArpMoves);
        Assert.Equal(Other, _h.Stack.Neighbors[0].HardwareAddress);
    }

    [Fact]
    public void After_the_link_was_down_neighbours_are_asked_anew()
    {
        var socket = Reach();
        _h.Stack.Interface.WireDown();
        Assert.Empty(_h.Stack.Neighbors);
        socket.Send(_h.Payload(1), Peer(9), _h.Now);
        Arp(_h.Single(), out var to);
        Assert.Equal(MacAddress.Broadcast, to);
        _h.Receive(Reply(StackHarness.PeerIp, Other));
        Assert.Equal(Other, MacAddress.FromBytes(_h.Single()));
    }

    [Fact]
    public void A_flood_of_gratuitous_packets_leaves_nothing_behind()
    {
        for (uint i = 0; i < 5000; i++)
            _h.Receive(Gratuitous(IpAddress.FromV4(0x0A000000 + i % 250 + 2), new MacAddress(0x02_00_00_01_00_00UL + i)));
        _h.Silent();
        Assert.Empty(_h.Stack.Neighbors);
    }

    [Fact]
    public void A_new_address_is_announced_twice()
    {
        using var h = new StackHarness(address: false);
        h.Stack.AddAddress(IpPrefix.Parse("10.0.0.1/24"), h.Now);
        var first = Arp(h.Single(), out var to);
        Assert.Equal(MacAddress.Broadcast, to);
        Assert.Equal((StackHarness.OwnIp, StackHarness.OwnIp, StackHarness.OwnMac), (first.SenderProtocol, first.TargetProtocol, first.SenderHardware));
        h.Advance(TimeSpan.FromSeconds(1.9));
        h.Silent();
        h.Advance(TimeSpan.FromSeconds(0.2));
        Assert.Equal(first, Arp(h.Single(), out _));
        h.Advance(TimeSpan.FromMinutes(1));
        h.Silent();
    }

    [Fact]
    public void Another_station_with_our_address_is_counted_and_told_once_in_ten_seconds()
    {
        for (var i = 0; i < 5; i++)
            _h.Receive(Gratuitous(StackHarness.OwnIp, Other));
        var defence = Arp(_h.Single(), out _);
        Assert.Equal((StackHarness.OwnIp, StackHarness.OwnMac), (defence.SenderProtocol, defence.SenderHardware));
        Assert.Equal(5, _h.Counters.ArpAddressConflicts);
        _h.Advance(TimeSpan.FromSeconds(10));
        _h.Receive(Gratuitous(StackHarness.OwnIp, Other));
        _h.Single();
    }

    private static ArpPacket Arp(byte[] frame, out MacAddress to)
    {
        Assert.True(EthernetView.TryParse(frame, out var ethernet));
        Assert.Equal(EtherType.Arp, ethernet.EtherType);
        Assert.Equal(StackHarness.OwnMac, ethernet.Source);
        to = ethernet.Destination;
        Assert.True(ArpView.TryParse(frame.AsSpan(EthernetHeader.Length), out var arp));
        return arp.ToPacket();
    }

    private static byte[] Request(IpAddress sender, MacAddress hardware, IpAddress target)
    {
        var frame = Build.Arp(new ArpPacket(ArpOperation.Request, hardware, sender, default, target), MacAddress.Broadcast);
        StackHarness.PeerMac.CopyTo(frame.AsSpan(6));
        return frame;
    }

    private static byte[] Reply(IpAddress sender, MacAddress hardware) =>
        Build.Arp(new ArpPacket(ArpOperation.Reply, hardware, sender, StackHarness.OwnMac, StackHarness.OwnIp));

    private static byte[] Gratuitous(IpAddress address, MacAddress hardware) =>
        Build.Arp(new ArpPacket(ArpOperation.Request, hardware, address, default, address), MacAddress.Broadcast);

    private static byte[] Changed(byte[] frame, int offset)
    {
        var copy = (byte[])frame.Clone();
        copy[offset] ^= 0x40;
        return copy;
    }

    private static IpEndpoint Peer(ushort port) => new(StackHarness.PeerIp, port);

    private Tapwire.Stack.Udp.UdpSocket Socket()
    {
        Assert.Equal(StackError.None, _h.Stack.Udp.Bind(default, new(), out var socket));
        return socket!;
    }

    private Tapwire.Stack.Udp.UdpSocket Reach()
    {
        var socket = Socket();
        socket.Send(_h.Payload(1), Peer(9), _h.Now);
        _h.Single();
        _h.Receive(Reply(StackHarness.PeerIp, StackHarness.PeerMac));
        _h.Single();
        Assert.Equal(NeighborState.Reachable, _h.StateOf(StackHarness.PeerIp));
        return socket;
    }
}
