using Tapwire.Stack;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Interfaces;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Packets;
using Tapwire.Stack.Udp;
using Tapwire.Tests.Support;
using Xunit;

namespace Tapwire.Tests.Stack.Ip;

/// <summary>Datagrams that are longer than the path takes: IP_MTU_DISCOVER of ip(7), RFC 791, 3.2.</summary>
public sealed class FragmentationSpec : IDisposable
{
    private const int Fits = 1500 - Ipv4Header.Length - UdpHeader.Length;

    private static readonly IpEndpoint Peer = new(StackHarness.PeerIp, 9);

    private readonly StackHarness _h = new();
    private readonly UdpSocket _socket;

    public FragmentationSpec()
    {
        _h.TeachPeer();
        _socket = Bind(_h);
    }

    public void Dispose()
    {
        _socket.Close();
        _h.Dispose();
    }

    public static TheoryData<MtuDiscovery, int, int, bool> Sent
    {
        get
        {
            var data = new TheoryData<MtuDiscovery, int, int, bool>();
            foreach (var discovery in Enum.GetValues<MtuDiscovery>())
            {
                data.Add(discovery, Fits, 1, discovery is MtuDiscovery.Want or MtuDiscovery.Do or MtuDiscovery.Probe);
                data.Add(discovery, Fits + 1, discovery.Fragments() ? 2 : 0, false);
                data.Add(discovery, 2952, discovery.Fragments() ? 2 : 0, false);
                data.Add(discovery, 2953, discovery.Fragments() ? 3 : 0, false);
                data.Add(discovery, 65507, discovery.Fragments() ? 45 : 0, false);
            }

            return data;
        }
    }

    [Theory]
    [MemberData(nameof(Sent))]
    public void A_long_datagram_leaves_in_fragments_or_is_refused_as_the_socket_wants(MtuDiscovery discovery, int length, int packets, bool dontFragment)
    {
        var payload = new byte[length];
        new Random(length).NextBytes(payload);
        _socket.MtuDiscovery = discovery;
        Assert.Equal(packets > 0 ? StackError.None : StackError.MessageTooLong, _socket.Send(_h.Payload(payload), Peer, _h.Now));
        var frames = _h.Frames();
        Assert.Equal(packets, frames.Count);
        if (packets == 0)
            return;
        Assert.All(frames, frame => Assert.Equal(dontFragment, Fragmented.HasDontFragment(frame)));
        AssertDatagram(payload, Fragmented.Join(frames, 1500));
        Assert.Equal((packets > 1 ? 1 : 0, packets > 1 ? packets : 0), (_h.Counters.IpFragOKs, _h.Counters.IpFragCreates));
    }

    [Fact]
    public void No_datagram_is_longer_than_65507_bytes()
    {
        Assert.Equal(StackError.MessageTooLong, _socket.Send(_h.Payload(new byte[65508]), Peer, _h.Now));
        Assert.Equal(StackError.MessageTooLong, _socket.Send(_h.Payload(new byte[65508]), Peer, new UdpSendOptions { SegmentSize = 1000 }, _h.Now));
        _h.Silent();
    }

    [Theory]
    [InlineData(MtuDiscovery.Dont, 1300, StackError.None, 2, false)]
    [InlineData(MtuDiscovery.Want, 1300, StackError.None, 2, false)]
    [InlineData(MtuDiscovery.Do, 1300, StackError.MessageTooLong, 0, false)]
    [InlineData(MtuDiscovery.Probe, 1500, StackError.None, 1, true)]
    [InlineData(MtuDiscovery.Interface, 1500, StackError.None, 1, false)]
    [InlineData(MtuDiscovery.Omit, 1500, StackError.None, 1, false)]
    public void What_a_router_says_counts_for_those_that_go_by_the_path(MtuDiscovery discovery, int mtu, StackError result, int packets, bool dontFragment)
    {
        Report(1300);
        Assert.Equal(StackError.None, _h.Stack.FindPath(Peer.Address, default, discovery, _h.Now, out var found, out _));
        Assert.Equal(mtu, found);
        _socket.MtuDiscovery = discovery;
        var payload = new byte[Fits];
        Assert.Equal(result, _socket.Send(_h.Payload(payload), Peer, _h.Now));
        var frames = _h.Frames();
        Assert.Equal(packets, frames.Count);
        Assert.All(frames, frame => Assert.Equal(dontFragment, Fragmented.HasDontFragment(frame)));
        if (packets > 0)
            AssertDatagram(payload, Fragmented.Join(frames, mtu));
    }

    [Theory]
    [InlineData(MtuDiscovery.Dont, 1300, StackError.None)]
    [InlineData(MtuDiscovery.Want, 1300, StackError.MessageTooLong)]
    [InlineData(MtuDiscovery.Do, 1300, StackError.MessageTooLong)]
    [InlineData(MtuDiscovery.Probe, 1300, StackError.MessageTooLong)]
    [InlineData(MtuDiscovery.Interface, 1500, StackError.MessageTooLong)]
    [InlineData(MtuDiscovery.Omit, 1500, StackError.MessageTooLong)]
    public void What_a_router_says_is_learnt_and_told_as_the_socket_wants(MtuDiscovery discovery, int learnt, StackError told)
    {
        _socket.MtuDiscovery = discovery;
        Report(1300);
        _h.Stack.FindPath(Peer.Address, default, MtuDiscovery.Want, _h.Now, out var mtu, out _);
        Assert.Equal((learnt, told), (mtu, _told));
    }

    [Fact]
    public void Where_the_path_takes_less_than_is_believed_routers_may_fragment()
    {
        Report(100);
        Assert.Equal(StackError.None, _socket.Send(_h.Payload(new byte[1000]), Peer, _h.Now));
        Assert.All(_h.Frames(), static frame => Assert.False(Fragmented.HasDontFragment(frame)));
        Assert.Equal(StackError.None, _socket.Send(_h.Payload(1), Peer, _h.Now));
        Assert.False(Fragmented.HasDontFragment(_h.Single()));
    }

    [Fact]
    public void Segments_are_not_fragmented()
    {
        Assert.Equal(StackError.MessageTooLong, _socket.Send(_h.Payload(new byte[4000]), Peer, new UdpSendOptions { SegmentSize = Fits + 1 }, _h.Now));
        _h.Silent();
    }

    [Fact]
    public void One_datagram_may_ask_for_something_else_than_the_socket()
    {
        Assert.Equal(StackError.MessageTooLong, _socket.Send(_h.Payload(new byte[Fits + 1]), Peer, new UdpSendOptions { MtuDiscovery = MtuDiscovery.Do }, _h.Now));
        _socket.MtuDiscovery = MtuDiscovery.Do;
        Assert.Equal(StackError.None, _socket.Send(_h.Payload(new byte[Fits + 1]), Peer, new UdpSendOptions { MtuDiscovery = MtuDiscovery.Dont }, _h.Now));
        Assert.Equal(2, _h.Frames().Count);
    }

    [Fact]
    public void A_long_ping_leaves_in_fragments()
    {
        Assert.Equal(StackError.None, _h.Stack.Icmp.Open(out var ping));
        Assert.Equal(StackError.None, ping!.Send(Peer.Address, 1, new byte[IcmpEchoSocket.MaxPayloadV4], _h.Now));
        var request = Fragmented.Join(_h.Frames(), 1500);
        Assert.Equal(StackError.MessageTooLong, ping.Send(Peer.Address, 2, new byte[IcmpEchoSocket.MaxPayloadV4 + 1], _h.Now));
        Assert.Equal(65515, request.Length);
        Assert.Equal(0xFFFFu, Checksum.Sum(request));
        request[0] = Icmpv4Type.EchoReply;
        request[2] = request[3] = 0;
        var sum = Checksum.Finish(Checksum.Sum(request));
        (request[2], request[3]) = ((byte)(sum >> 8), (byte)sum);
        foreach (var piece in Fragmented.Pieces(Build.Ipv4(IpProtocol.Icmp, request), 1480))
            _h.Receive(piece);
        Assert.True(ping.TryReceive(out var result));
        Assert.Equal((StackError.None, IcmpEchoSocket.MaxPayloadV4), (result.Error, result.Bytes));
        ping.Close();
    }

    [Fact]
    public void A_ping_learns_what_the_path_takes()
    {
        Assert.Equal(StackError.None, _h.Stack.Icmp.Open(out var ping));
        Assert.Equal(StackError.None, ping!.Send(Peer.Address, 1, new byte[1400], _h.Now));
        _h.Receive(Build.Icmp(Icmpv4Header.TooBig(1300), _h.Single().AsSpan(EthernetHeader.Length)));
        Assert.True(ping.TryReceive(out var result));
        Assert.Equal(StackError.MessageTooLong, result.Error);
        Assert.Equal(StackError.None, ping.Send(Peer.Address, 2, new byte[1400], _h.Now));
        Assert.Equal(1408, Fragmented.Join(_h.Frames(), 1300).Length);
        ping.Close();
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void A_datagram_in_fragments_has_its_checksum_where_the_device_completes_those_of_others(bool raw)
    {
        var medium = raw ? Medium.Ip : Medium.Ethernet;
        using var h = new StackHarness(new StackOptions
        {
            Interfaces = [new() { Medium = medium, HardwareAddress = StackHarness.OwnMac, ChecksumOffload = true, SuperFrame = 65535 }],
        });
        if (!raw)
            h.TeachPeer();
        using var socket = new Closing(Bind(h));
        var payload = new byte[5001];
        new Random(5).NextBytes(payload);
        Assert.Equal(StackError.None, socket.Socket.Send(h.Payload(payload), Peer, h.Now));
        h.Stack.Poll(h.Now);
        var frames = new List<byte[]>();
        while (h.Stack.TryDequeueFrame(out var frame))
        {
            Assert.Equal((ChecksumState.None, Segmentation.None), (frame.Offload.Checksum, frame.Offload.Segmentation));
            var bytes = new byte[(raw ? EthernetHeader.Length : 0) + frame.TotalLength];
            frame.CopyTo(bytes.AsSpan(raw ? EthernetHeader.Length : 0));
            frames.Add(bytes);
            frame.Release();
        }

        AssertDatagram(payload, Fragmented.Join(frames, 1500));
    }

    [Fact]
    public void A_payload_in_a_buffer_that_others_hold_is_not_changed()
    {
        var payload = _h.Payload(new byte[4000]);
        var held = payload.Retain();
        Assert.Equal(StackError.None, _socket.Send(payload, Peer, _h.Now));
        AssertDatagram(new byte[4000], Fragmented.Join(_h.Frames(), 1500));
        Assert.Equal(4000, held.Length);
        held.Release();
    }

    [Fact]
    public void Fragments_leave_whole_or_not_at_all()
    {
        using var h = new StackHarness(new StackOptions { Interfaces = [new() { HardwareAddress = StackHarness.OwnMac, EgressFrames = 4 }] });
        h.TeachPeer();
        using var socket = new Closing(Bind(h));
        Assert.Equal(StackError.None, socket.Socket.Send(h.Payload(new byte[60_000]), Peer, h.Now));
        Assert.Equal(StackError.None, socket.Socket.Send(h.Payload(new byte[60_001]), Peer, h.Now));
        // An answer does not wait. It finds the queue full, and is not there in part.
        foreach (var piece in Fragmented.Pieces(Build.Icmp(Icmpv4Header.EchoRequest(1, 1), new byte[5000]), 1480))
            h.Receive(piece);
        Assert.Equal(1, h.Counters.IpFragFails);
        List<byte[]> all = [.. h.Frames(), .. h.Frames()];
        Assert.Equal(82, all.Count);
        Assert.Equal(60_008, Fragmented.Join(all[..41], 1500).Length);
        Assert.Equal(60_009, Fragmented.Join(all[41..], 1500).Length);
    }

    [Fact]
    public void A_datagram_waits_whole_for_its_neighbour()
    {
        using var h = new StackHarness(new StackOptions { Interfaces = [new() { HardwareAddress = StackHarness.OwnMac }], Neighbors = new() { QueuedPackets = 2 } });
        using var socket = new Closing(Bind(h));
        Assert.Equal(StackError.None, socket.Socket.Connect(Peer));
        Assert.Equal(StackError.None, socket.Socket.Send(h.Payload(new byte[60_000]), null, h.Now));
        h.Single(); // who has 10.0.0.2?
        h.Receive(Build.Arp(new ArpPacket(ArpOperation.Reply, StackHarness.PeerMac, StackHarness.PeerIp, StackHarness.OwnMac, StackHarness.OwnIp)));
        Assert.Equal(60_008, Fragmented.Join(h.Frames(), 1500).Length);
    }

    [Fact]
    public void A_neighbour_that_is_not_there_costs_one_error()
    {
        using var h = new StackHarness();
        using var socket = new Closing(Bind(h));
        socket.Socket.ErrorReports = true;
        Assert.Equal(StackError.None, socket.Socket.Send(h.Payload(new byte[60_000]), Peer, h.Now));
        h.Advance(TimeSpan.FromSeconds(4));
        Assert.Equal(StackError.HostUnreachable, socket.Socket.TakeError());
        Assert.True(socket.Socket.TryTakeReport(out _));
        Assert.False(socket.Socket.TryTakeReport(out _));
    }

    [Theory]
    [InlineData(1, 0)]
    [InlineData(3, 2)]
    [InlineData(64, 63)]
    public void Identifications_do_not_repeat_and_are_not_those_of_another_shard(int shards, int shard)
    {
        var hash = new SipHash(1, 2);
        var here = new IpIdentifications(hash, shard, shards);
        var there = new IpIdentifications(hash, 0, shards);
        var seen = new HashSet<ushort>();
        for (var i = 0; i < 65536 / shards; i++)
            Assert.True(seen.Add(here.Next(StackHarness.OwnIp, StackHarness.PeerIp, IpProtocol.Udp)));
        for (var i = 0; shards > 1 && i < 65536 / shards; i++)
            Assert.True(seen.Add(there.Next(StackHarness.OwnIp, StackHarness.PeerIp, IpProtocol.Udp)));
    }

    [Fact]
    public void Identifications_say_nothing_about_others()
    {
        var ids = new IpIdentifications(new SipHash(1, 2), 0, 1);
        var steps = new HashSet<int>();
        var last = 0;
        for (var i = 0; i < 1000; i++)
        {
            var id = ids.Next(StackHarness.OwnIp, StackHarness.PeerIp, IpProtocol.Udp);
            steps.Add((ushort)(id - last));
            last = id;
        }

        Assert.InRange(steps.Count, 900, 1000);
    }

    [Theory]
    [InlineData(68, 0)]
    [InlineData(576, 0)]
    [InlineData(1280, 0)]
    [InlineData(1500, 0)]
    [InlineData(9000, 0)]
    [InlineData(1280, 0.01)]
    [InlineData(9000, 0.2)]
    public void Between_two_stacks_datagrams_of_every_size_arrive_whole_or_not_at_all(int mtu, double loss)
    {
        using var pair = new StackPair(host => new StackOptions
        {
            Interfaces = [new() { HardwareAddress = new MacAddress(0x02_00_00_00_00_00UL + (uint)host), Mtu = mtu, EgressFrames = 4096 }],
            Fragments = new FragmentOptions { PerDatagram = 2048, Memory = 4 << 20, MemoryPerSource = 4 << 20 },
        })
        { Loss = 0 };
        var (a, b) = (Bind(pair.A), Bind(pair.B, 9));
        var random = new Random(mtu);
        var payload = mtu - Ipv4Header.Length & ~7;
        int[] sizes = [0, 1, 7, 8, 9, payload - 9, payload - 8, payload - 7, 2 * payload - 8, 2 * payload - 7, 32768, 65506, 65507];
        var arrived = 0;
        Send(new byte[1]);
        pair.Loss = loss;
        foreach (var size in sizes)
        {
            var bytes = new byte[Math.Max(size, 0)];
            random.NextBytes(bytes);
            Send(bytes);
        }

        Assert.True(loss > 0 ? arrived > sizes.Length / 3 : arrived == sizes.Length + 1, $"{arrived} have arrived");
        a.Close();
        b.Close();

        void Send(byte[] bytes)
        {
            var buffer = pair.Pool.Rent(bytes.Length, BufferPool.HeaderRoom);
            bytes.CopyTo(buffer.Append(bytes.Length));
            Assert.Equal(StackError.None, a.Send(buffer, new IpEndpoint(StackPair.AddressB, 9), pair.Now));
            pair.Run(TimeSpan.FromSeconds(1));
            if (!b.TryReceive(out var received, out _))
                return;
            arrived++;
            Assert.Equal(bytes, received.Span.ToArray());
            received.Release();
        }
    }

    private StackError _told;

    /// <summary>A router reports that a datagram of the connected socket was too long.</summary>
    private void Report(ushort mtu)
    {
        Assert.Equal(StackError.None, _socket.Connect(Peer));
        Assert.Equal(StackError.None, _socket.Send(_h.Payload(new byte[Fits]), null, _h.Now));
        _h.Receive(Build.Icmp(Icmpv4Header.TooBig(mtu), _h.Single().AsSpan(EthernetHeader.Length, 100)));
        _told = _socket.TakeError();
        Assert.Equal(StackError.None, _socket.Connect(default));
    }

    private static void AssertDatagram(byte[] payload, byte[] datagram)
    {
        Assert.True(UdpView.TryParse(datagram, out var header));
        Assert.Equal(datagram.Length, header.Length);
        Assert.Equal(0xFFFFu, Checksum.Sum(datagram, Checksum.PseudoHeader(StackHarness.OwnIp, StackHarness.PeerIp, IpProtocol.Udp, datagram.Length)));
        Assert.Equal(payload, datagram[UdpHeader.Length..]);
    }

    private static UdpSocket Bind(StackHarness h) => Bind(h.Stack);

    private static UdpSocket Bind(NetworkStack stack, ushort port = 0)
    {
        Assert.Equal(StackError.None, stack.Udp.Bind(new IpEndpoint(IpAddress.AnyV4, port), new(), out var socket));
        return socket!;
    }

    private sealed class Closing(UdpSocket socket) : IDisposable
    {
        public UdpSocket Socket => socket;

        public void Dispose() => socket.Close();
    }
}
