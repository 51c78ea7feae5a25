using Tapwire.Stack;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Packets;
using Tapwire.Stack.Udp;
using Tapwire.Tests.Support;
using Xunit;

namespace Tapwire.Tests.Stack.Ip;

/// <summary>Datagrams that arrive in fragments (RFC 791, 815; RFC 1122, 3.3.2).</summary>
public sealed class ReassemblySpec : IDisposable
{
    private const ushort Port = 53;
    private const ushort PeerPort = 4000;

    private static readonly IpAddress Stranger = IpAddress.Parse("203.0.113.9");

    private readonly StackHarness _h;
    private readonly UdpSocket _socket;

    public ReassemblySpec()
    {
        _h = new StackHarness();
        _h.TeachPeer();
        Assert.Equal(StackError.None, _h.Stack.Udp.Bind(new IpEndpoint(IpAddress.AnyV4, Port), new() { ReceiveBuffer = 64 << 20 }, out var socket));
        _socket = socket!;
    }

    public void Dispose()
    {
        _socket.Close();
        _h.Dispose();
    }

    [Theory]
    [InlineData(1, 9, 8)]
    [InlineData(2, 1473, 1480)]
    [InlineData(3, 8000, 1480)]
    [InlineData(4, 65507, 1480)]
    [InlineData(5, 65507, 528)]
    [InlineData(6, 65507, 16384)]
    public void Fragments_make_the_datagram_in_whatever_order_they_come(int seed, int length, int size)
    {
        var random = new Random(seed);
        var payload = new byte[length];
        random.NextBytes(payload);
        var pieces = Fragmented.Pieces(Build.Udp(PeerPort, Port, payload), size);
        foreach (var order in new[] { [.. pieces], [.. Enumerable.Reverse(pieces)], Shuffled(pieces, random), Shuffled([.. pieces, .. pieces[..^1]], random) })
        {
            foreach (var piece in order)
                _h.Receive(piece);
            Assert.Equal(payload, Received());
            // What is left of it, where a duplicate came last, waits in vain.
            _h.Advance(TimeSpan.FromSeconds(31));
        }

        _h.Frames();
        Assert.Equal((4, 0), (_h.Counters.IpReasmOKs, _h.Stack.FragmentMemory));
    }

    [Fact]
    public void A_long_echo_request_is_answered_in_fragments()
    {
        var data = new byte[5000];
        new Random(1).NextBytes(data);
        foreach (var piece in Fragmented.Pieces(Build.Icmp(Icmpv4Header.EchoRequest(3, 4), data), 1480))
            _h.Receive(piece);
        var reply = Fragmented.Join(_h.Frames(), 1500);
        Assert.Equal(Icmpv4Type.EchoReply, reply[0]);
        Assert.Equal(0xFFFFu, Checksum.Sum(reply));
        Assert.Equal(data, reply[Icmpv4Header.Length..]);
    }

    [Theory]
    [InlineData(ChecksumState.None)]
    [InlineData(ChecksumState.Verified)]
    [InlineData(ChecksumState.Partial)]
    public void The_checksum_of_the_whole_is_verified_whatever_the_device_says_of_its_fragments(ChecksumState state)
    {
        var frame = Build.Udp(PeerPort, Port, new byte[3000]);
        frame[^1] ^= 1;
        foreach (var piece in Fragmented.Pieces(frame, 1480))
            _h.Receive(piece, state);
        Assert.Null(Received());
        Assert.Equal((1, 1), (_h.Counters.IpReasmOKs, _h.Counters.UdpInCsumErrors));
    }

    [Theory]
    [InlineData(1480, 2960)] // the second one again
    [InlineData(8, 16)] // a part of the first one
    [InlineData(1472, 1488)] // parts of two that follow each other
    public void What_has_arrived_before_changes_nothing(int start, int end)
    {
        var frame = Build.Udp(PeerPort, Port, new byte[4000]);
        var pieces = Fragmented.Pieces(frame, 1480);
        _h.Receive(pieces[0]);
        _h.Receive(pieces[1]);
        _h.Receive(Fragmented.Piece(frame, start, end));
        _h.Receive(pieces[2]);
        Assert.NotNull(Received());
        Assert.Equal(1, _h.Counters.IpReasmDuplicates);
    }

    [Theory]
    [InlineData(1472, 1488)]
    [InlineData(1488, 2968)]
    [InlineData(0, 1488)]
    [InlineData(1400, 3000)]
    public void A_datagram_with_overlapping_fragments_is_dropped_whole(int start, int end)
    {
        var frame = Build.Udp(PeerPort, Port, new byte[4000]);
        var pieces = Fragmented.Pieces(frame, 1480);
        _h.Receive(start < 1480 ? pieces[0] : pieces[1]);
        _h.Receive(Fragmented.Piece(frame, start, end));
        Assert.Equal((1, 1, 0), (_h.Counters.IpReasmOverlaps, _h.Counters.IpReasmFails, _h.Stack.FragmentMemory));
        foreach (var piece in pieces[(start < 1480 ? 1 : 2)..])
            _h.Receive(piece);
        Assert.Null(Received());
    }

    [Theory]
    [InlineData(0, 0, true, "empty")]
    [InlineData(8, 8, false, "empty at its end")]
    [InlineData(0, 12, true, "cut within eight bytes")]
    [InlineData(65512, 65536, false, "beyond what a packet can have")]
    public void Fragments_that_no_host_makes_are_dropped(int start, int end, bool hasMore, string what)
    {
        var frame = new byte[Fragmented.Headers + Math.Max(end, 40)];
        Build.Udp(PeerPort, Port, []).AsSpan(0, Fragmented.Headers).CopyTo(frame);
        _h.Receive(Fragmented.Piece(frame, start, end, hasMore));
        Assert.True(_h.Counters.IpReasmMalformed == 1, what);
        Assert.Equal(0, _h.Stack.FragmentMemory);
    }

    [Fact]
    public void The_longest_packet_is_as_long_as_its_first_header_allows()
    {
        // 65,515 bytes of payload fit behind 20 bytes of header, and not behind 24.
        var frame = new byte[Fragmented.Headers + 65515];
        Build.Udp(PeerPort, Port, []).AsSpan(0, Fragmented.Headers).CopyTo(frame);
        var first = Build.Ipv4WithOptions(IpProtocol.Udp, [1, 1, 1, 1], frame.AsSpan(Fragmented.Headers, 8));
        _h.Receive(Build.Altered(first, static header => (header[4], header[5], header[6]) = (0, 1, 0x20)));
        _h.Receive(Fragmented.Piece(frame, 8, 65515));
        Assert.Equal((0, 1, 1), (_h.Counters.IpReasmOKs, _h.Counters.IpReasmMalformed, _h.Counters.IpReasmFails));
    }

    [Fact]
    public void The_options_of_the_first_fragment_are_the_packets()
    {
        var frame = Build.Udp(PeerPort, Port, new byte[24]);
        var first = Build.Ipv4WithOptions(IpProtocol.Udp, [1, 1, 1, 1], frame.AsSpan(Fragmented.Headers, 16));
        _h.Receive(Fragmented.Piece(frame, 16, 32));
        _h.Receive(Build.Altered(first, static header => (header[4], header[5], header[6]) = (0, 1, 0x20)));
        Assert.Equal(24, Received()?.Length);
    }

    [Theory]
    [InlineData(0, 8, true)]
    [InlineData(8, 32, false)]
    public void A_TCP_header_is_not_cut(int start, int end, bool hasMore)
    {
        _h.Receive(Fragmented.Piece(Build.Ipv4(IpProtocol.Tcp, new byte[40]), start, end, hasMore));
        Assert.Equal(1, _h.Counters.IpReasmMalformed);
    }

    [Theory]
    [InlineData(1480, 2000, false, 2960, 4008, false)] // two ends
    [InlineData(1480, 2000, false, 1480, 2960, true)] // more behind the end
    [InlineData(2960, 4008, true, 1480, 2000, false)] // an end before what is there
    public void Fragments_that_contradict_the_last_one_end_the_datagram(int start, int end, bool hasMore, int secondStart, int secondEnd, bool secondHasMore)
    {
        var frame = Build.Udp(PeerPort, Port, new byte[4000]);
        _h.Receive(Fragmented.Piece(frame, start, end, hasMore));
        _h.Receive(Fragmented.Piece(frame, secondStart, secondEnd, secondHasMore));
        Assert.Equal((1, 1, 0), (_h.Counters.IpReasmMalformed, _h.Counters.IpReasmFails, _h.Stack.FragmentMemory));
    }

    [Fact]
    public void What_is_missing_for_30_seconds_is_given_up_and_the_sender_told_if_the_first_fragment_is_there()
    {
        var frame = Build.Udp(PeerPort, Port, new byte[4000]);
        var pieces = Fragmented.Pieces(frame, 1480);
        _h.Receive(pieces[0]);
        _h.Advance(TimeSpan.FromSeconds(20));
        _h.Receive(pieces[2]);
        _h.Advance(TimeSpan.FromSeconds(9.9));
        _h.Silent();
        _h.Advance(TimeSpan.FromSeconds(0.2));
        var error = _h.Single();
        Assert.Equal((Icmpv4Type.TimeExceeded, 1), (error[Fragmented.Headers], error[Fragmented.Headers + 1]));
        Assert.Equal(pieces[0].AsSpan(14, 548).ToArray(), error[(Fragmented.Headers + Icmpv4Header.Length)..]);
        Assert.Equal((1, 1, 1, 0), (_h.Counters.IpReasmTimeout, _h.Counters.IpReasmFails, _h.Counters.IcmpOutTimeExcds, _h.Stack.FragmentMemory));

        // What comes afterwards begins anew.
        _h.Receive(pieces[1]);
        Assert.Null(Received());
        _h.Advance(TimeSpan.FromSeconds(31));
        Assert.Equal((2, 1), (_h.Counters.IpReasmTimeout, _h.Counters.IcmpOutTimeExcds));
    }

    [Theory]
    [InlineData(Icmpv4Type.Echo, 1)]
    [InlineData(Icmpv4Type.DestinationUnreachable, 0)]
    public void No_error_is_sent_about_an_ICMP_error(byte type, int errors)
    {
        _h.Receive(Fragmented.Pieces(Build.Icmp(new Icmpv4Header(type, 0, 0), new byte[100]), 64)[0]);
        _h.Advance(TimeSpan.FromSeconds(31));
        Assert.Equal(errors, _h.Frames().Count);
    }

    [Fact]
    public void Time_outs_are_told_no_more_often_than_other_errors()
    {
        for (ushort id = 0; id < 1000; id++)
            _h.Receive(Fragmented.Piece(Build.Udp(PeerPort, Port, new byte[24]), 0, 16, id: id));
        _h.Advance(TimeSpan.FromSeconds(31));
        Assert.InRange(_h.Frames().Count, 25, 200);
        Assert.Equal(1000, _h.Counters.IcmpOutTimeExcds + _h.Counters.IcmpOutRateLimited);
    }

    [Theory]
    [InlineData(new byte[] { 0, 0, 0 }, 0)]
    [InlineData(new byte[] { 1, 2, 1 }, 1)]
    [InlineData(new byte[] { 2, 3, 2 }, 3)]
    [InlineData(new byte[] { 1, 2, 3 }, 3)]
    [InlineData(new byte[] { 0, 3, 0 }, -1)]
    [InlineData(new byte[] { 0, 2, 2 }, -1)]
    [InlineData(new byte[] { 2, 2, 0 }, -1)]
    public void A_mark_of_congestion_is_kept_and_fragments_that_do_not_fit_together_are_dropped(byte[] ecn, int whole)
    {
        var pieces = Fragmented.Pieces(Build.Udp(PeerPort, Port, new byte[4000]), 1480);
        for (var i = 0; i < 3; i++)
            _h.Receive(Build.Altered(pieces[i], header => header[1] = ecn[i]));
        var received = _socket.TryReceive(out var payload, out _, out var info);
        payload?.Release();
        Assert.Equal(whole, received ? info.TrafficClass : -1);
        Assert.Equal(whole < 0 ? 1 : 0, _h.Counters.IpReasmBadEcn);
    }

    [Fact]
    public void Protocol_addresses_and_identification_tell_datagrams_apart()
    {
        var (one, other) = (Build.Udp(PeerPort, Port, [.. Enumerable.Repeat((byte)1, 100)]), Build.Udp(PeerPort, Port, [.. Enumerable.Repeat((byte)2, 100)], source: Stranger));
        _h.Receive(Fragmented.Piece(one, 0, 64));
        _h.Receive(Fragmented.Piece(other, 64, 108));
        _h.Receive(Build.Altered(Fragmented.Piece(one, 64, 108), static header => header[9] = IpProtocol.Icmp));
        _h.Receive(Fragmented.Piece(one, 64, 108, id: 2));
        Assert.Null(Received());
        _h.Receive(Fragmented.Piece(other, 0, 64));
        Assert.Equal(2, Received()![0]);
        _h.Receive(Fragmented.Piece(one, 64, 108));
        Assert.Equal(1, Received()![0]);
    }

    [Fact]
    public void Fragments_to_other_hosts_are_not_collected()
    {
        _h.Receive(Fragmented.Pieces(Build.Udp(PeerPort, Port, new byte[4000], destination: IpAddress.Parse("10.0.0.3")), 1480)[0]);
        Assert.Equal((0, 0, 1), (_h.Counters.IpReasmReqds, _h.Stack.FragmentMemory, _h.Counters.IpInAddrErrors));
    }

    [Fact]
    public void A_broadcast_in_fragments_arrives_and_nobody_is_told_of_one_that_does_not()
    {
        var frame = Build.Udp(PeerPort, Port, new byte[3000], destination: IpAddress.Parse("10.0.0.255"), to: Tapwire.Stack.Interfaces.MacAddress.Broadcast);
        var pieces = Fragmented.Pieces(frame, 1480);
        foreach (var piece in pieces)
            _h.Receive(piece);
        Assert.Equal(3000, Received()?.Length);
        _h.Receive(pieces[0]);
        _h.Advance(TimeSpan.FromSeconds(31));
        _h.Silent();
    }

    [Fact]
    public void Without_memory_on_the_machine_fragments_are_dropped()
    {
        _h.Stack.MemoryLevel = MemoryLevel.Exhausted;
        _h.Receive(Fragmented.Pieces(Build.Udp(PeerPort, Port, new byte[4000]), 1480)[0]);
        Assert.Equal((1, 0), (_h.Counters.IpReasmMemErrors, _h.Stack.FragmentMemory));
    }

    [Fact]
    public void One_datagram_has_no_more_fragments_than_it_may()
    {
        var frame = Build.Udp(PeerPort, Port, new byte[4000]);
        for (var i = 1; i <= 129; i++)
            _h.Receive(Fragmented.Piece(frame, 16 * i, 16 * i + 8));
        Assert.Equal((1, 0), (_h.Counters.IpReasmTooMany, _h.Stack.FragmentMemory));
    }

    [Fact]
    public void An_interface_that_goes_takes_its_fragments_along()
    {
        _h.Receive(Fragmented.Pieces(Build.Udp(PeerPort, Port, new byte[4000]), 1480)[0]);
        Assert.NotEqual(0, _h.Stack.FragmentMemory);
        Assert.NotNull(_h.Stack.AddInterface(new() { Medium = Tapwire.Stack.Interfaces.Medium.Ip }));
        _h.Stack.RemoveInterface(_h.Stack.Interfaces[0], _h.Now);
        Assert.Equal(0, _h.Stack.FragmentMemory);
    }

    [Fact]
    public void A_fragment_takes_no_memory_but_its_buffer()
    {
        const int Rounds = 50;
        using var h = new StackHarness(pool: new BufferPool());
        Assert.Equal(StackError.None, h.Stack.Udp.Bind(new IpEndpoint(IpAddress.AnyV4, Port), new(), out var socket));
        var pieces = Fragmented.Pieces(Build.Udp(PeerPort, Port, new byte[8000]), 1480);
        void Exchange()
        {
            foreach (var piece in pieces)
                h.Receive(piece);
            Assert.True(socket!.TryReceive(out var payload, out _));
            payload.Release();
            while (h.Stack.TryDequeueEvent(out _, out _))
            {
            }
        }

        for (var i = 0; i < Rounds; i++)
            Exchange();
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < Rounds; i++)
            Exchange();
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, Rounds * 16);
        socket!.Close();
    }

    private byte[]? Received()
    {
        if (!_socket.TryReceive(out var payload, out var from))
            return null;
        Assert.Equal(PeerPort, from.Port);
        var bytes = payload.Span.ToArray();
        payload.Release();
        return bytes;
    }

    private static List<byte[]> Shuffled(List<byte[]> frames, Random random)
    {
        var shuffled = frames.ToArray();
        random.Shuffle(shuffled);
        return [.. shuffled];
    }
}
