using System.Buffers.Binary;
using Tapwire.Stack;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Interfaces;
using Tapwire.Stack.Packets;
using Tapwire.Stack.Udp;
using Tapwire.Tests.Support;
using Xunit;

namespace Tapwire.Tests.Stack.Udp;

public sealed class UdpSpec : IDisposable
{
    private readonly StackHarness _h = new();
    private readonly List<UdpSocket> _sockets = [];

    public UdpSpec() => _h.TeachPeer();

    public void Dispose()
    {
        _sockets.ForEach(s => s.Close());
        _h.Dispose();
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(1200)]
    [InlineData(1471)]
    [InlineData(1472)]
    public void A_datagram_arrives_whole_with_its_true_sender(int size)
    {
        var socket = Bind("0.0.0.0", 53);
        var payload = new byte[size];
        new Random(size).NextBytes(payload);
        _h.Receive(Build.Udp(4000, 53, payload));
        Assert.Equal(SocketEvents.Readable, _h.EventsOf(socket));
        var (from, received) = Read(socket);
        Assert.Equal(Peer(4000), from);
        Assert.Equal(payload, received);
        _h.Silent();
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(1472)]
    public void A_datagram_leaves_whole_with_a_right_checksum(int size)
    {
        var socket = Bind("0.0.0.0", 53);
        var payload = new byte[size];
        new Random(size).NextBytes(payload);
        Assert.Equal(StackError.None, socket.Send(_h.Payload(payload), Peer(9), _h.Now));
        var frame = _h.Single();
        Assert.True(UdpView.TryParse(frame.AsSpan(34), out var udp));
        Assert.Equal(new UdpHeader(53, 9, (ushort)size), udp.ToHeader());
        Assert.Equal(payload, frame[42..]);
        var sum = Checksum.PseudoHeader(StackHarness.OwnIp, StackHarness.PeerIp, IpProtocol.Udp, 8 + size);
        Assert.Equal(0xFFFFu, Checksum.Sum(frame.AsSpan(34), sum));
        Assert.NotEqual(0, udp.Checksum);
    }

    [Fact]
    public void A_checksum_that_comes_out_as_zero_is_sent_as_all_ones()
    {
        var socket = Bind("0.0.0.0", 53);
        Assert.Equal(StackError.None, socket.Send(_h.Payload(0, 0), Peer(9), _h.Now));
        var zero = _h.Single();
        var rest = BinaryPrimitives.ReadUInt16BigEndian(zero.AsSpan(40));
        // With the complement of the rest in the payload the sum is all ones, and its complement zero.
        var payload = _h.Payload((byte)(rest >> 8), (byte)rest);
        Assert.Equal(StackError.None, socket.Send(payload, Peer(9), _h.Now));
        Assert.Equal(0xFFFF, BinaryPrimitives.ReadUInt16BigEndian(_h.Single().AsSpan(40)));
    }

    [Fact]
    public void A_payload_without_headroom_is_sent_without_being_changed()
    {
        var socket = Bind("0.0.0.0", 53);
        var payload = _h.Pool.Rent(5);
        "abcde"u8.CopyTo(payload.Append(5));
        payload.Retain();
        Assert.Equal(StackError.None, socket.Send(payload, Peer(9), _h.Now));
        var frame = _h.Single();
        Assert.Equal("abcde"u8.ToArray(), frame[42..]);
        Assert.Equal("abcde"u8.ToArray(), payload.Span.ToArray());
        Assert.Equal(
            0xFFFFu, Checksum.Sum(frame.AsSpan(34), Checksum.PseudoHeader(StackHarness.OwnIp, StackHarness.PeerIp, IpProtocol.Udp, 13)));
        payload.Release();
    }

    [Fact]
    public void A_received_payload_that_is_sent_on_does_not_take_its_note_along()
    {
        var socket = Bind("0.0.0.0", 53);
        var payload = _h.Payload(1, 2, 3);
        payload.Offload = new OffloadNote { Checksum = ChecksumState.Partial, ChecksumStart = 99, SegmentSize = 7, Segmentation = Segmentation.TcpV4 };
        Assert.Equal(StackError.None, socket.Send(payload, Peer(9), _h.Now));
        Assert.True(_h.Stack.TryDequeueFrame(out var frame));
        Assert.Equal(default, frame.Offload);
        frame.Release();
    }

    [Fact]
    public void A_datagram_to_a_group_stays_on_the_network_unless_the_socket_says_otherwise()
    {
        var group = new IpEndpoint(IpAddress.Parse("224.0.0.251"), 5353);
        var socket = Bind("0.0.0.0", 53);
        socket.HopLimit = 7;
        Assert.Equal(StackError.None, socket.Send(_h.Payload(1), group, _h.Now));
        Assert.Equal(1, _h.Single()[22]);
        socket.MulticastHopLimit = 33;
        Assert.Equal(StackError.None, socket.Send(_h.Payload(1), group, _h.Now));
        Assert.Equal(33, _h.Single()[22]);
        socket.MulticastHopLimit = 0;
        Assert.Equal(StackError.None, socket.Send(_h.Payload(1), group, _h.Now));
        _h.Silent();
        Assert.Equal(StackError.None, socket.Send(_h.Payload(1), Peer(9), _h.Now));
        Assert.Equal(7, _h.Single()[22]);
    }

    [Fact]
    public void Buffers_can_be_resized_within_limits()
    {
        var socket = Bind("0.0.0.0", 53);
        socket.ReceiveBuffer = 2 * 2048;
        socket.SendBuffer = 1;
        Assert.Equal((4096, 2048, 2048), (socket.ReceiveBuffer, socket.SendBuffer, socket.SendRoom));
        for (byte i = 0; i < 5; i++)
            _h.Receive(Build.Udp(4000, 53, new byte[1000]));
        Assert.Equal(3, _h.Counters.UdpRcvbufErrors);
        socket.ReceiveBuffer = int.MaxValue;
        Assert.Equal(64 << 20, socket.ReceiveBuffer);
    }

    [Fact]
    public void Two_datagrams_stay_two()
    {
        var socket = Bind("0.0.0.0", 53);
        _h.Receive(Build.Udp(4000, 53, "one"u8));
        _h.Receive(Build.Udp(4001, 53, "two"u8));
        Assert.Equal("one"u8.ToArray(), Read(socket).Payload);
        Assert.Equal("two"u8.ToArray(), Read(socket).Payload);
        Assert.False(socket.TryReceive(out _, out _));
    }

    [Fact]
    public void Lengths_below_the_header_or_beyond_the_packet_are_dropped()
    {
        var socket = Bind("0.0.0.0", 53);
        for (var length = 0; length < 8; length++)
            _h.Receive(Build.Ipv4(IpProtocol.Udp, Build.Udp(1, 53, []).AsSpan(34, length)));
        Assert.Equal(8, _h.Counters.UdpInTruncated);
        foreach (var length in new ushort[] { 0, 7, 13, 65535 })
        {
            var datagram = Build.Udp(1, 53, new byte[4])[34..];
            BinaryPrimitives.WriteUInt16BigEndian(datagram.AsSpan(4), length);
            BinaryPrimitives.WriteUInt16BigEndian(datagram.AsSpan(6), 0);
            _h.Receive(Build.Ipv4(IpProtocol.Udp, datagram));
        }

        Assert.Equal(4, _h.Counters.UdpInBadLength);
        Assert.False(socket.TryReceive(out _, out _));
        _h.Silent();
    }

    [Fact]
    public void Bytes_after_the_udp_length_are_not_payload()
    {
        var socket = Bind("0.0.0.0", 53);
        byte[] datagram = [.. Build.Udp(1, 53, "abc"u8)[34..], 9, 9, 9];
        _h.Receive(Build.Ipv4(IpProtocol.Udp, datagram));
        Assert.Equal("abc"u8.ToArray(), Read(socket).Payload);
    }

    [Fact]
    public void A_wrong_checksum_is_dropped_but_none_is_right()
    {
        var socket = Bind("0.0.0.0", 53);
        var frame = Build.Udp(1, 53, "abc"u8);
        frame[41] ^= 1;
        _h.Receive(frame);
        Assert.Equal(1, _h.Counters.UdpInCsumErrors);
        (frame[40], frame[41]) = (0, 0);
        _h.Receive(frame);
        Assert.Equal("abc"u8.ToArray(), Read(socket).Payload);
    }

    [Theory]
    [InlineData(ChecksumState.Verified)]
    [InlineData(ChecksumState.Partial)]
    public void A_checksum_that_the_device_vouches_for_is_not_looked_at(ChecksumState state)
    {
        var socket = Bind("0.0.0.0", 53);
        var frame = Build.Udp(1, 53, "abc"u8);
        frame[41] ^= 1;
        _h.Receive(frame, state);
        Assert.Equal("abc"u8.ToArray(), Read(socket).Payload);
    }

    [Fact]
    public void A_closed_port_is_answered_with_port_unreachable()
    {
        var frame = Build.Udp(4000, 53, "abc"u8);
        var error = _h.Exchange(frame);
        Assert.Equal((Icmpv4Type.DestinationUnreachable, Icmpv4Unreachable.Port), (error[34], error[35]));
        Assert.Equal(frame[14..], error[42..]);
        Assert.Equal(1, _h.Counters.UdpNoPorts);
    }

    [Fact]
    public void Nobody_answers_a_broadcast_to_a_closed_port()
    {
        _h.Receive(Build.Udp(4000, 53, "abc"u8, destination: IpAddress.BroadcastV4, to: MacAddress.Broadcast));
        _h.Silent();
        Assert.Equal(1, _h.Counters.UdpNoPorts);
    }

    [Fact]
    public void A_datagram_to_port_zero_is_dropped()
    {
        _h.Receive(Build.Udp(4000, 0, "abc"u8));
        _h.Silent();
        Assert.Equal(1, _h.Counters.UdpInBadPort);
    }

    [Fact]
    public void An_address_is_taken_by_one_socket_unless_all_allow_sharing()
    {
        Bind("10.0.0.1", 53);
        Assert.Equal(StackError.AddressInUse, TryBind("10.0.0.1", 53));
        Assert.Equal(StackError.AddressInUse, TryBind("0.0.0.0", 53));
        Assert.Equal(StackError.AddressInUse, TryBind("0.0.0.0", 53, reuse: true));
        Assert.Equal(StackError.AddressNotAvailable, TryBind("10.0.0.7", 54));
        _h.Stack.AddAddress(IpPrefix.Parse("10.0.0.7/24"), _h.Now);
        Assert.Equal(StackError.None, TryBind("10.0.0.7", 53));
        Assert.Equal(StackError.None, TryBind("0.0.0.0", 60, reuse: true));
        Assert.Equal(StackError.None, TryBind("0.0.0.0", 60, reuse: true));
        Assert.Equal(StackError.AddressInUse, TryBind("0.0.0.0", 60));
        _sockets[0].Close();
        Assert.Equal(StackError.None, TryBind("10.0.0.1", 53));
    }

    [Fact]
    public void Port_zero_takes_a_port_that_those_before_do_not_tell()
    {
        var ports = new HashSet<int>();
        var ascending = 0;
        for (var i = 0; i < 500; i++)
        {
            var socket = Bind("0.0.0.0", 0);
            Assert.InRange(socket.Local.Port, 32768, 60999);
            Assert.True(ports.Add(socket.Local.Port));
            if (ports.Contains(socket.Local.Port - 1))
                ascending++;
        }

        Assert.True(ascending < 50, "Ports can be guessed from those before.");
    }

    [Fact]
    public void Port_zero_finds_the_last_free_port_and_then_none()
    {
        for (var port = 32768; port <= 60999; port++)
        {
            if (port != 44444)
                Bind("0.0.0.0", (ushort)port);
        }

        Assert.Equal(44444, Bind("0.0.0.0", 0).Local.Port);
        Assert.Equal(StackError.AddressInUse, TryBind("0.0.0.0", 0));
    }

    [Fact]
    public void The_number_of_sockets_is_limited()
    {
        using var h = new StackHarness(new StackOptions { Interfaces = [new() { HardwareAddress = StackHarness.OwnMac }], Udp = new UdpOptions { Sockets = 1 } });
        Assert.Equal(StackError.None, h.Stack.Udp.Bind(default, new(), out var first));
        Assert.Equal(StackError.NoBufferSpace, h.Stack.Udp.Bind(default, new(), out _));
        first!.Close();
        Assert.Equal(0, h.Stack.Udp.Count);
        Assert.Equal(StackError.None, h.Stack.Udp.Bind(default, new(), out _));
    }

    [Fact]
    public void A_connected_socket_is_preferred_then_a_specific_address_then_the_newest_of_all()
    {
        var any = Bind("0.0.0.0", 53, reuse: true);
        var specific = Bind("10.0.0.1", 53, reuse: true);
        var connected = Bind("10.0.0.1", 53, reuse: true);
        Assert.Equal(StackError.None, connected.Connect(Peer(4000)));
        _h.Receive(Build.Udp(4000, 53, "c"u8));
        _h.Receive(Build.Udp(4001, 53, "s"u8));
        Assert.Equal("c"u8.ToArray(), Read(connected).Payload);
        Assert.Equal("s"u8.ToArray(), Read(specific).Payload);
        specific.Close();
        _h.Receive(Build.Udp(4001, 53, "a"u8));
        Assert.Equal("a"u8.ToArray(), Read(any).Payload);
        Assert.Equal(StackError.None, connected.Connect(default));
        Assert.False(connected.IsConnected);
        _h.Receive(Build.Udp(4001, 53, "d"u8));
        Assert.Equal("d"u8.ToArray(), Read(connected).Payload);
    }

    [Fact]
    public void A_connected_socket_knows_both_ends_and_receives_from_its_peer_only()
    {
        var socket = Bind("0.0.0.0", 53);
        Assert.Equal(StackError.None, socket.Connect(Peer(4000)));
        Assert.Equal((new IpEndpoint(StackHarness.OwnIp, 53), Peer(4000)), (socket.Local, socket.Remote));
        _h.Receive(Build.Udp(4001, 53, "x"u8));
        _h.Single();
        Assert.False(socket.TryReceive(out _, out _));
        Assert.Equal(StackError.None, socket.Send(_h.Payload(1), null, _h.Now));
        Assert.Equal(4000, BinaryPrimitives.ReadUInt16BigEndian(_h.Single().AsSpan(36)));
        Assert.Equal(StackError.None, socket.Connect(default));
        Assert.Equal(IpAddress.AnyV4, socket.Local.Address);
    }

    [Fact]
    public void Of_sockets_that_have_both_ends_in_common_the_newest_has_the_datagrams()
    {
        var first = Bind("10.0.0.1", 53, reuse: true);
        var second = Bind("10.0.0.1", 53, reuse: true);
        var third = Bind("10.0.0.1", 53, reuse: true);
        foreach (var socket in new[] { first, first, second, third })
            Assert.Equal(StackError.None, socket.Connect(Peer(4000)));
        Expect(third);
        Assert.Equal(StackError.None, second.Connect(default));
        Expect(third);
        Assert.Equal(StackError.None, third.Connect(Peer(4001)));
        Expect(first);
        Assert.Equal(StackError.None, third.Connect(Peer(4000)));
        third.Close();
        Expect(first);

        void Expect(UdpSocket receiver)
        {
            _h.Receive(Build.Udp(4000, 53, "x"u8));
            Assert.Equal("x"u8.ToArray(), Read(receiver).Payload);
        }
    }

    [Fact]
    public void A_broadcast_reaches_every_socket_on_its_port_and_needs_permission_to_send()
    {
        var one = Bind("0.0.0.0", 67, reuse: true);
        var two = Bind("0.0.0.0", 67, reuse: true);
        var specific = Bind("10.0.0.1", 67, reuse: true);
        _h.Receive(Build.Udp(68, 67, "dhcp"u8, destination: IpAddress.BroadcastV4, to: MacAddress.Broadcast));
        Assert.Equal("dhcp"u8.ToArray(), Read(one).Payload);
        Assert.Equal("dhcp"u8.ToArray(), Read(two).Payload);
        Assert.False(specific.TryReceive(out _, out _));
        Assert.Equal(StackError.AccessDenied, one.Send(_h.Payload(1), new IpEndpoint(IpAddress.BroadcastV4, 67), _h.Now));
        Assert.Equal(StackError.AccessDenied, one.Connect(new IpEndpoint(IpAddress.Parse("10.0.0.255"), 67)));
        one.Broadcast = true;
        Assert.Equal(StackError.None, one.Send(_h.Payload(1), new IpEndpoint(IpAddress.BroadcastV4, 67), _h.Now));
        _h.Single();
    }

    [Fact]
    public void A_slow_reader_loses_the_newest_and_they_are_counted()
    {
        var socket = Bind("0.0.0.0", 53, receiveBuffer: 10 * 2048);
        for (byte i = 0; i < 20; i++)
            _h.Receive(Build.Udp(4000, 53, Enumerable.Repeat(i, 1000).ToArray()));
        Assert.Equal(10, _h.Counters.UdpRcvbufErrors);
        for (byte i = 0; i < 10; i++)
            Assert.Equal(i, Read(socket).Payload[0]);
        _h.Receive(Build.Udp(4000, 53, [99]));
        Assert.Equal(99, Read(socket).Payload[0]);
    }

    [Fact]
    public void The_number_of_waiting_datagrams_is_limited_too()
    {
        using var h = new StackHarness(new StackOptions { Interfaces = [new() { HardwareAddress = StackHarness.OwnMac }], Udp = new UdpOptions { QueuedDatagrams = 3 } });
        Assert.Equal(StackError.None, h.Stack.Udp.Bind(new IpEndpoint(default, 53), new(), out var socket));
        for (byte i = 0; i < 5; i++)
            h.Receive(Build.Udp(4000, 53, [i]));
        Assert.Equal(2, h.Counters.UdpRcvbufErrors);
        socket!.Close();
    }

    [Fact]
    public void A_small_datagram_does_not_hold_on_to_a_large_buffer()
    {
        var socket = Bind("0.0.0.0", 53);
        var frame = Build.Udp(4000, 53, "abc"u8);
        var buffer = _h.Pool.Rent(65536);
        frame.CopyTo(buffer.Append(frame.Length));
        _h.Stack.Receive(buffer, _h.Now);
        Assert.True(socket.TryReceive(out var payload, out _));
        Assert.Equal(256, payload.Capacity);
        Assert.Equal("abc"u8.ToArray(), payload.Span.ToArray());
        payload.Release();
    }

    [Fact]
    public void A_refused_datagram_is_reported_once_on_a_connected_socket()
    {
        var socket = Bind("0.0.0.0", 53);
        Assert.Equal(StackError.None, socket.Connect(Peer(9)));
        Assert.Equal(StackError.None, socket.Send(_h.Payload(1), null, _h.Now));
        _h.Receive(Build.Icmp(Icmpv4Header.Unreachable(Icmpv4Unreachable.Port), _h.Single().AsSpan(14)));
        Assert.Equal(SocketEvents.Readable, _h.EventsOf(socket));
        Assert.Equal(StackError.ConnectionRefused, socket.Send(_h.Payload(2), null, _h.Now));
        _h.Silent();
        Assert.Equal(StackError.None, socket.TakeError());
        Assert.Equal(StackError.None, socket.Send(_h.Payload(2), null, _h.Now));
        _h.Single();
    }

    [Fact]
    public void An_unconnected_socket_hears_of_no_errors()
    {
        var socket = Bind("0.0.0.0", 53);
        Assert.Equal(StackError.None, socket.Send(_h.Payload(1), Peer(9), _h.Now));
        _h.Receive(Build.Icmp(Icmpv4Header.Unreachable(Icmpv4Unreachable.Port), _h.Single().AsSpan(14)));
        Assert.Equal(StackError.None, socket.TakeError());
    }

    [Fact]
    public void What_cannot_be_sent_is_refused_with_the_reason()
    {
        var socket = Bind("0.0.0.0", 53);
        Assert.Equal(StackError.MessageTooLong, socket.Send(_h.Payload(new byte[65508]), Peer(9), _h.Now));
        Assert.Equal(StackError.DestinationRequired, socket.Send(_h.Payload(1), null, _h.Now));
        Assert.Equal(StackError.InvalidArgument, socket.Send(_h.Payload(1), Peer(0), _h.Now));
        Assert.Equal(StackError.NetworkUnreachable, socket.Send(_h.Payload(1), new IpEndpoint(IpAddress.Parse("203.0.113.1"), 9), _h.Now));
        Assert.Equal(StackError.NetworkUnreachable, socket.Connect(new IpEndpoint(IpAddress.Parse("203.0.113.1"), 9)));
        socket.Close();
        Assert.Equal(StackError.InvalidArgument, socket.Send(_h.Payload(1), Peer(9), _h.Now));
        _h.Silent();
    }

    [Fact]
    public void Datagrams_wait_while_egress_is_full_then_go_out_in_order()
    {
        using var h = new StackHarness(new StackOptions { Interfaces = [new() { HardwareAddress = StackHarness.OwnMac, EgressFrames = 4 }] });
        h.TeachPeer();
        Assert.Equal(StackError.None, h.Stack.Udp.Bind(default, new() { SendBuffer = 2048 }, out var socket));
        var sent = 0;
        StackError error;
        while ((error = socket!.Send(h.Payload([(byte)sent, .. new byte[499]]), Peer(9), h.Now)) == StackError.None)
            sent++;
        Assert.Equal((StackError.NoBufferSpace, 8, 48), (error, sent, socket.SendRoom));
        Assert.Equal(1, h.Counters.UdpSndbufErrors);
        Assert.NotEqual(Instant.Zero, h.Stack.PollAt);
        Assert.Equal([0, 1, 2, 3], h.Frames().Select(f => f[42]));
        Assert.Equal(Instant.Zero, h.Stack.PollAt);
        Assert.Equal(SocketEvents.None, h.EventsOf(socket));
        Assert.Equal([4, 5, 6, 7], h.Frames().Select(f => f[42]));
        Assert.Equal(SocketEvents.Writable, h.EventsOf(socket));
        Assert.Equal(2048, socket.SendRoom);
        Assert.Equal(0, h.Counters.EgressOverflow);
    }

    [Fact]
    public void Sockets_take_turns_when_egress_is_short()
    {
        using var h = new StackHarness(new StackOptions { Interfaces = [new() { HardwareAddress = StackHarness.OwnMac, EgressFrames = 2 }] });
        h.TeachPeer();
        Assert.Equal(StackError.None, h.Stack.Udp.Bind(default, new(), out var greedy));
        Assert.Equal(StackError.None, h.Stack.Udp.Bind(default, new(), out var modest));
        for (byte i = 0; i < 50; i++)
            greedy!.Send(h.Payload(1), Peer(9), h.Now);
        modest!.Send(h.Payload(2), Peer(9), h.Now);
        Assert.Equal([1, 1], h.Frames().Select(f => f[42]));
        Assert.Equal([1, 2], h.Frames().Select(f => f[42]));
        greedy!.Close();
        h.Frames();
    }

    [Fact]
    public void A_socket_whose_address_is_removed_is_told_and_ends()
    {
        var bound = Bind("10.0.0.1", 53);
        var any = Bind("0.0.0.0", 54);
        var connected = Bind("0.0.0.0", 55);
        Assert.Equal(StackError.None, connected.Connect(Peer(9)));
        _h.Receive(Build.Udp(4000, 53, "kept"u8));
        _h.EventsOf(bound);
        Assert.True(_h.Stack.RemoveAddress(StackHarness.OwnIp, _h.Now));
        Assert.Equal(1, _h.Stack.Udp.Count);
        Assert.Equal(SocketEvents.Closed, _h.EventsOf(bound));
        Assert.Equal(StackError.ConnectionAborted, bound.TakeError());
        Assert.Equal(StackError.ConnectionAborted, connected.Send(_h.Payload(1), null, _h.Now));
        Assert.Equal(StackError.NetworkUnreachable, any.Send(_h.Payload(1), Peer(9), _h.Now));
        Assert.Equal("kept"u8.ToArray(), Read(bound).Payload);
    }

    [Theory]
    [InlineData(3000, 1000, 3)]
    [InlineData(3001, 1000, 4)]
    [InlineData(999, 1000, 1)]
    [InlineData(40_000, 1200, 34)]
    public void A_super_frame_is_delivered_as_the_datagrams_that_it_holds(int bytes, ushort size, int count)
    {
        var socket = Bind("0.0.0.0", 53);
        var payload = new byte[bytes];
        new Random(bytes).NextBytes(payload);
        ReceiveSuperFrame(Build.Udp(4000, 53, payload), size);
        var received = Enumerable.Range(0, count).Select(_ => Read(socket)).ToList();
        Assert.False(socket.TryReceive(out _, out _));
        Assert.All(received, r => Assert.Equal(Peer(4000), r.From));
        Assert.All(received.SkipLast(1), r => Assert.Equal(size, r.Payload.Length));
        Assert.Equal(payload, received.SelectMany(r => r.Payload));
        Assert.Equal(count, _h.Stack.Counters.UdpInDatagrams);
    }

    [Fact]
    public void Of_a_super_frame_a_full_queue_drops_the_datagrams_that_do_not_fit_and_counts_them()
    {
        var socket = Bind("0.0.0.0", 53, receiveBuffer: 8192);
        ReceiveSuperFrame(Build.Udp(4000, 53, new byte[40_000]), 1000);
        var received = 0;
        for (; socket.TryReceive(out var payload, out _); received++)
            payload!.Release();
        Assert.InRange(received, 1, 8);
        Assert.Equal(40 - received, _h.Stack.Counters.UdpRcvbufErrors);
    }

    [Fact]
    public void A_super_frame_to_a_group_reaches_all_its_sockets_as_datagrams()
    {
        UdpSocket[] sockets = [Bind("0.0.0.0", 53, reuse: true), Bind("0.0.0.0", 53, reuse: true)];
        ReceiveSuperFrame(Build.Udp(4000, 53, new byte[2500], destination: IpAddress.Parse("10.0.0.255"), to: MacAddress.Broadcast), 1000);
        foreach (var socket in sockets)
        {
            Assert.Equal([1000, 1000, 500], Enumerable.Range(0, 3).Select(_ => Read(socket).Payload.Length));
            Assert.False(socket.TryReceive(out _, out _));
        }
    }

    private void ReceiveSuperFrame(byte[] frame, ushort size)
    {
        var buffer = _h.Pool.Rent(frame.Length);
        frame.CopyTo(buffer.Append(frame.Length));
        buffer.Offload = new OffloadNote
        {
            Checksum = ChecksumState.Partial, ChecksumStart = 34, ChecksumOffset = 6, Segmentation = Segmentation.Udp, SegmentSize = size, HeaderLength = 42,
        };
        _h.Stack.Receive(buffer, _h.Now);
    }

    private static IpEndpoint Peer(ushort port) => new(StackHarness.PeerIp, port);

    private static (IpEndpoint From, byte[] Payload) Read(UdpSocket socket)
    {
        Assert.True(socket.TryReceive(out var payload, out var from));
        var bytes = payload.Span.ToArray();
        payload.Release();
        return (from, bytes);
    }

    private StackError TryBind(string address, ushort port, bool reuse = false, int receiveBuffer = 212_992)
    {
        var error = _h.Stack.Udp.Bind(
            new IpEndpoint(IpAddress.Parse(address), port), new UdpSocketOptions { ReuseAddress = reuse, ReceiveBuffer = receiveBuffer }, out var socket);
        if (socket is not null)
            _sockets.Add(socket);
        return error;
    }

    private UdpSocket Bind(string address, ushort port, bool reuse = false, int receiveBuffer = 212_992)
    {
        Assert.Equal(StackError.None, TryBind(address, port, reuse, receiveBuffer));
        return _sockets[^1];
    }
}
