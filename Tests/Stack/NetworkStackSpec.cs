using System.Buffers.Binary;
using Tapwire.Stack;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Interfaces;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Packets;
using Tapwire.Tests.Support;
using Xunit;

namespace Tapwire.Tests.Stack;

public sealed class NetworkStackSpec
{
    [Fact]
    public void Options_out_of_range_are_refused_by_name()
    {
        Refused(new() { Interfaces = [new() { HardwareAddress = default }] }, "HardwareAddress");
        Refused(new() { Interfaces = [new() { HardwareAddress = MacAddress.Broadcast }] }, "HardwareAddress");
        Refused(new() { Interfaces = [new() { HardwareAddress = StackHarness.OwnMac, Mtu = 67 }] }, "Mtu");
        Refused(new() { Interfaces = [new() { HardwareAddress = StackHarness.OwnMac, Mtu = 65536 }] }, "Mtu");
        Refused(new() { Interfaces = [new() { HardwareAddress = StackHarness.OwnMac, SuperFrame = 65535 }] }, "SuperFrame");
        Refused(new() { Interfaces = [new() { HardwareAddress = StackHarness.OwnMac, SuperFrame = 1499, ChecksumOffload = true }] }, "SuperFrame");
        Refused(new() { Interfaces = [new() { HardwareAddress = StackHarness.OwnMac }], HopLimit = 0 }, "HopLimit");
        Refused(new() { Interfaces = [new() { HardwareAddress = StackHarness.OwnMac, EgressFrames = 0 }] }, "EgressFrames");
        Refused(new() { Interfaces = [new() { HardwareAddress = StackHarness.OwnMac, EgressBytes = 1 }] }, "EgressBytes");
        Refused(new() { Interfaces = [new() { HardwareAddress = StackHarness.OwnMac }], LoopbackFrames = 0 }, "LoopbackFrames");
        Refused(new() { Interfaces = [new() { HardwareAddress = StackHarness.OwnMac }], Neighbors = new() { Solicitations = 0 } }, "Solicitations");
        Refused(new() { Interfaces = [new() { HardwareAddress = StackHarness.OwnMac }], Neighbors = new() { RetransmitTime = TimeSpan.Zero } }, "RetransmitTime");
        Refused(new() { Interfaces = [new() { HardwareAddress = StackHarness.OwnMac }], Icmp = new() { ErrorBurst = 0 } }, "ErrorBurst");
        Refused(new() { Interfaces = [new() { HardwareAddress = StackHarness.OwnMac }], Udp = new() { Sockets = 0 } }, "Sockets");
        _ = new NetworkStack(new StackOptions { Interfaces = [new() { Medium = Medium.Ip }] }, new BufferPool(), new byte[32]);
        Assert.Throws<ArgumentException>(() => new NetworkStack(new StackOptions { Interfaces = [new() { Medium = Medium.Ip }] }, new BufferPool(), new byte[31]));
    }

    [Fact]
    public void An_idle_stack_has_no_deadline()
    {
        using var h = new StackHarness();
        Assert.Equal(Instant.Never, h.Stack.PollAt);
        h.Stack.Poll(h.Now);
        Assert.Equal(Instant.Never, h.Stack.PollAt);
    }

    [Fact]
    public void Packets_to_own_addresses_come_back_in_the_next_poll()
    {
        using var h = new StackHarness();
        Assert.Equal(StackError.None, h.Stack.Udp.Bind(new IpEndpoint(default, 53), new(), out var server));
        Assert.Equal(StackError.None, h.Stack.Udp.Bind(default, new(), out var client));
        Assert.Equal(StackError.None, client!.Send(h.Payload(new byte[60000]), new IpEndpoint(StackHarness.OwnIp, 53), h.Now));
        Assert.Equal(Instant.Zero, h.Stack.PollAt);
        Assert.False(server!.TryReceive(out _, out _));
        h.Silent();
        Assert.True(server.TryReceive(out var payload, out var from));
        Assert.Equal((60000, new IpEndpoint(StackHarness.OwnIp, client.Local.Port)), (payload.Length, from));
        payload.Release();
        Assert.Equal(1, h.Counters.LoopbackPackets);
    }

    /// <summary>127.0.0.0/8 is the stack itself (RFC 1122, 3.2.1.3). As in Linux, who has no address there speaks as 127.0.0.1.</summary>
    [Theory]
    [InlineData("127.0.0.1")]
    [InlineData("127.8.9.10")]
    public void Loopback_is_the_stack_itself(string address)
    {
        using var h = new StackHarness();
        var own = IpAddress.Parse(address);
        Assert.Equal(StackError.None, h.Stack.Udp.Bind(new IpEndpoint(own, 53), new(), out var server));
        Assert.Equal(StackError.None, h.Stack.Udp.Bind(default, new(), out var client));
        Assert.Equal(StackError.None, client!.Send(h.Payload(7), new IpEndpoint(own, 53), h.Now));
        h.Silent();
        Assert.True(server!.TryReceive(out var payload, out var from));
        payload.Release();
        Assert.Equal(new IpEndpoint(IpAddress.LoopbackV4, client.Local.Port), from);
        Assert.Equal(StackError.None, server.Send(h.Payload(8), from, h.Now));
        h.Silent();
        Assert.True(client.TryReceive(out payload, out from));
        payload.Release();
        Assert.Equal(new IpEndpoint(own, 53), from);
    }

    [Fact]
    public void What_loopback_sends_never_leaves()
    {
        using var h = new StackHarness();
        h.TeachPeer();
        Assert.Equal(StackError.None, h.Stack.Udp.Bind(new IpEndpoint(IpAddress.LoopbackV4, 0), new(), out var client));
        Assert.Equal(StackError.NetworkUnreachable, client!.Send(h.Payload(7), new IpEndpoint(StackHarness.PeerIp, 53), h.Now));
        h.Silent();
        Assert.Equal(StackError.None, h.Stack.Udp.Bind(new IpEndpoint(default, 53), new(), out var server));
        Assert.Equal(StackError.None, client.Send(h.Payload(7), new IpEndpoint(StackHarness.OwnIp, 53), h.Now));
        h.Silent();
        Assert.True(server!.TryReceive(out var payload, out _));
        payload.Release();
    }

    [Fact]
    public void A_ping_to_ourselves_is_answered()
    {
        using var h = new StackHarness();
        Assert.Equal(StackError.None, h.Stack.Icmp.Open(out var ping));
        Assert.Equal(StackError.None, ping!.Send(StackHarness.OwnIp, 1, "abc"u8, h.Now));
        h.Silent();
        Assert.True(ping.TryReceive(out var result));
        Assert.Equal((StackHarness.OwnIp, StackError.None, 3), (result.From, result.Error, result.Bytes));
    }

    [Fact]
    public void A_refused_datagram_to_ourselves_is_reported()
    {
        using var h = new StackHarness();
        Assert.Equal(StackError.None, h.Stack.Udp.Bind(default, new(), out var client));
        Assert.Equal(StackError.None, client!.Connect(new IpEndpoint(StackHarness.OwnIp, 9)));
        Assert.Equal(StackError.None, client.Send(h.Payload(1), null, h.Now));
        h.Silent();
        Assert.Equal(StackError.ConnectionRefused, client.TakeError());
    }

    [Fact]
    public void The_loopback_queue_is_bounded_and_senders_wait()
    {
        using var h = new StackHarness(new StackOptions { Interfaces = [new() { HardwareAddress = StackHarness.OwnMac }], LoopbackFrames = 8 });
        Assert.Equal(StackError.None, h.Stack.Udp.Bind(new IpEndpoint(default, 53), new(), out var server));
        Assert.Equal(StackError.None, h.Stack.Udp.Bind(default, new(), out var client));
        for (byte i = 0; i < 100; i++)
            Assert.Equal(StackError.None, client!.Send(h.Payload(i), new IpEndpoint(StackHarness.OwnIp, 53), h.Now));
        h.Silent();
        for (byte i = 0; i < 100; i++)
        {
            Assert.True(server!.TryReceive(out var payload, out _));
            Assert.Equal(i, payload.Span[0]);
            payload.Release();
        }

        Assert.Equal(0, h.Counters.LoopbackOverflow);
    }

    [Fact]
    public void Egress_is_bounded_in_frames_and_answers_beyond_are_counted()
    {
        using var h = new StackHarness(new StackOptions { Interfaces = [new() { HardwareAddress = StackHarness.OwnMac, EgressFrames = 16 }] });
        h.TeachPeer();
        for (var i = 0; i < 100; i++)
            h.Receive(Build.Icmp(Icmpv4Header.EchoRequest(1, (ushort)i), []));
        Assert.Equal(19, h.Frames().Count);
        Assert.Equal(81, h.Counters.EgressOverflow);
        h.Receive(Build.Icmp(Icmpv4Header.EchoRequest(1, 1), []));
        h.Single();
    }

    [Fact]
    public void Egress_is_bounded_in_bytes()
    {
        using var h = new StackHarness(new StackOptions { Interfaces = [new() { HardwareAddress = StackHarness.OwnMac, EgressBytes = 64 << 10 }] });
        h.TeachPeer();
        for (var i = 0; i < 100; i++)
            h.Receive(Build.Icmp(Icmpv4Header.EchoRequest(1, (ushort)i), new byte[1400]));
        Assert.InRange(h.Frames().Sum(f => f.Length), 64 << 10, 74 << 10);
    }

    [Fact]
    public void With_checksum_offload_the_pseudo_header_sum_and_a_note_go_out()
    {
        using var h = new StackHarness(new StackOptions { Interfaces = [new() { HardwareAddress = StackHarness.OwnMac, ChecksumOffload = true }] });
        h.TeachPeer();
        Assert.Equal(StackError.None, h.Stack.Udp.Bind(default, new(), out var socket));
        Assert.Equal(StackError.None, socket!.Send(h.Payload(1, 2, 3), new IpEndpoint(StackHarness.PeerIp, 9), h.Now));
        Assert.True(h.Stack.TryDequeueFrame(out var frame));
        Assert.Equal(
            (ChecksumState.Partial, (ushort)34, (ushort)6, Segmentation.None),
            (frame.Offload.Checksum, frame.Offload.ChecksumStart, frame.Offload.ChecksumOffset, frame.Offload.Segmentation));
        Assert.Equal(
            Checksum.PseudoHeader(StackHarness.OwnIp, StackHarness.PeerIp, IpProtocol.Udp, 11),
            BinaryPrimitives.ReadUInt16BigEndian(frame.Span[40..]));
        // What the device does: sum from the start on, and put the complement where the note says.
        BinaryPrimitives.WriteUInt16BigEndian(frame.Span[40..], Checksum.Finish(Checksum.Sum(frame, 34)));
        Assert.Equal(
            0xFFFFu, Checksum.Sum(frame.Span[34..], Checksum.PseudoHeader(StackHarness.OwnIp, StackHarness.PeerIp, IpProtocol.Udp, 11)));
        frame.Release();
    }

    [Fact]
    public void A_super_frame_carries_a_segmentation_note()
    {
        using var h = new StackHarness(new StackOptions { Interfaces = [new() { HardwareAddress = StackHarness.OwnMac, ChecksumOffload = true, SuperFrame = 65535 }] });
        h.TeachPeer();
        var (route, send) = Transport(h.Stack);
        Assert.Equal((StackError.None, 1500, 65535), route);
        var packet = h.Pool.Rent(20020, BufferPool.HeaderRoom);
        packet.Append(20020).Clear();
        packet.Span[12] = 0x50;
        packet.Span[13] = 0x80;
        send(packet, h.Now, 1460);
        Assert.True(h.Stack.TryDequeueFrame(out var frame));
        var note = frame.Offload;
        Assert.Equal(
            (ChecksumState.Partial, Segmentation.TcpV4, (ushort)1460, (ushort)54, (ushort)34, (ushort)16, true),
            (note.Checksum, note.Segmentation, note.SegmentSize, note.HeaderLength, note.ChecksumStart, note.ChecksumOffset, note.Ecn));
        Assert.Equal(20040, BinaryPrimitives.ReadUInt16BigEndian(frame.Span[16..]));
        frame.Release();

        packet = h.Pool.Rent(1480, BufferPool.HeaderRoom);
        packet.Append(1480).Clear();
        send(packet, h.Now, 1460);
        Assert.True(h.Stack.TryDequeueFrame(out frame));
        Assert.Equal(Segmentation.None, frame.Offload.Segmentation);
        frame.Release();
    }

    [Fact]
    public void A_packet_larger_than_the_mtu_is_not_sent()
    {
        using var h = new StackHarness();
        h.TeachPeer();
        var (_, send) = Transport(h.Stack);
        var packet = h.Pool.Rent(1481, BufferPool.HeaderRoom);
        packet.Append(1481).Clear();
        send(packet, h.Now, 0);
        h.Silent();
        Assert.Equal(1, h.Counters.IpOutTooBig);
    }

    [Fact]
    public void Packets_are_sent_with_the_default_hop_limit_and_must_not_be_fragmented()
    {
        using var h = new StackHarness(new StackOptions { Interfaces = [new() { HardwareAddress = StackHarness.OwnMac }], HopLimit = 33 });
        h.TeachPeer();
        Assert.Equal(StackError.None, h.Stack.Udp.Bind(default, new(), out var socket));
        socket!.Send(h.Payload(1), new IpEndpoint(StackHarness.PeerIp, 9), h.Now);
        socket.HopLimit = 7;
        socket.TrafficClass = 0xB8;
        socket.Send(h.Payload(1), new IpEndpoint(StackHarness.PeerIp, 9), h.Now);
        var frames = h.Frames();
        Assert.Equal([33, 7], frames.Select(f => f[22]));
        Assert.Equal([0, 0xB8], frames.Select(f => f[15]));
        Assert.All(frames, f => Assert.Equal(0x4000, BinaryPrimitives.ReadUInt16BigEndian(f.AsSpan(20))));
        Assert.All(frames, f => Assert.Equal(0xFFFFu, Checksum.Sum(f.AsSpan(14, 20))));
    }

    [Fact]
    public void A_frame_in_fragments_is_taken_like_any_other()
    {
        using var h = new StackHarness();
        h.TeachPeer();
        var bytes = Build.Icmp(Icmpv4Header.EchoRequest(1, 1), "abc"u8);
        var source = h.Pool.Rent(bytes.Length);
        bytes.CopyTo(source.Append(bytes.Length));
        var frame = h.Pool.Rent(0);
        frame.AddFragment(source, 0, 20);
        frame.AddFragment(source, 20, bytes.Length - 20);
        source.Release();
        h.Stack.Receive(frame, h.Now);
        Assert.Equal("abc"u8.ToArray(), h.Single()[42..]);
    }

    [Fact]
    public void Counters_have_names_and_values()
    {
        using var h = new StackHarness();
        h.Receive([1, 2, 3]);
        var all = h.Counters.All().ToList();
        Assert.Contains(("EthernetTooShort", 1L), all);
        Assert.Contains(("InBytes", 3L), all);
        Assert.Contains(all, c => c.Name == "TcpInSegs");
        Assert.Equal(all.Count, all.Select(c => c.Name).Distinct().Count());
    }

    [Fact]
    public void The_same_secret_gives_the_same_run()
    {
        static string Run()
        {
            using var h = new StackHarness();
            h.TeachPeer();
            Assert.Equal(StackError.None, h.Stack.Udp.Bind(default, new(), out var socket));
            Assert.Equal(StackError.None, h.Stack.Icmp.Open(out var ping));
            return $"{socket!.Local} {ping!.Identifier}";
        }

        Assert.Equal(Run(), Run());
    }

    private static void Refused(StackOptions options, string name) => Assert.Equal(
        name, Assert.ThrowsAny<ArgumentOutOfRangeException>(() => new NetworkStack(options, new BufferPool(), new byte[32])).ParamName);

    /// <summary>The stack as a transport sees it: a route to the peer, and a way to send TCP packets there.</summary>
    private static ((StackError Error, int Mtu, int SuperFrame) Route, Action<PacketBuffer, Instant, int> Send) Transport(NetworkStack stack)
    {
        var ip = stack.Udp.Ip;
        var error = ip.Route(StackHarness.PeerIp, default, out var route);
        return ((error, route.Mtu, route.SuperFrame), (packet, now, segmentSize) => ip.Send(
            packet,
            new IpSendInfo
            {
                Source = route.Source, Destination = StackHarness.PeerIp, Protocol = IpProtocol.Tcp, ChecksumOffset = 16, SegmentSize = segmentSize,
            },
            now));
    }
}
