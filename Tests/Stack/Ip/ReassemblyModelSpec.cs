using System.Buffers.Binary;
using Tapwire.Stack;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Packets;
using Tapwire.Stack.Udp;
using Tapwire.Tests.Support;
using Xunit;

namespace Tapwire.Tests.Stack.Ip;

/// <summary>Fragments at random, of which many overlap, repeat or contradict others, beside a model that keeps a flag for each byte; and floods of them.</summary>
public sealed class ReassemblyModelSpec
{
    private const ushort Port = 53;

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    public void What_is_delivered_is_what_a_simple_model_delivers(int seed)
    {
        using var h = Harness(new FragmentOptions(), out var socket);
        var random = new Random(seed);
        var model = new Dictionary<ushort, Model>();
        long completed = 0, overlaps = 0, duplicates = 0, contradictions = 0;
        for (var i = 0; i < 20_000; i++)
        {
            // Few datagrams at a time, and few places, so that all of them meet.
            var id = (ushort)random.Next(8);
            var (start, length) = (8 * random.Next(5), 8 * random.Next(1, 3));
            // A fragment that is the first and the last one is none.
            var isLast = start > 0 && random.Next(4) == 0;
            var expected = model.TryGetValue(id, out var datagram) ? datagram : model[id] = new Model();
            switch (expected.Add(start, start + length, isLast))
            {
                case FragmentPlace.Overlap:
                    overlaps++;
                    model.Remove(id);
                    break;
                case FragmentPlace.Contradiction:
                    contradictions++;
                    model.Remove(id);
                    break;
                case FragmentPlace.Duplicate:
                    duplicates++;
                    break;
                case FragmentPlace.Missing when expected.IsComplete:
                    completed++;
                    model.Remove(id);
                    break;
            }

            h.Receive(Fragmented.Piece(DatagramOf(id), start, start + length, !isLast, id));
            Assert.Equal((completed, overlaps, duplicates, contradictions),
                (h.Counters.IpReasmOKs, h.Counters.IpReasmOverlaps, h.Counters.IpReasmDuplicates, h.Counters.IpReasmMalformed));
            if (socket.TryReceive(out var payload, out _))
            {
                Assert.Equal(DatagramOf(id)[(Fragmented.Headers + UdpHeader.Length)..][..payload.Length], payload.Span.ToArray());
                payload.Release();
            }
        }

        Assert.True(completed > 100 && overlaps > 100 && duplicates > 100 && contradictions > 100, $"{completed} {overlaps} {duplicates} {contradictions}");
        h.Advance(TimeSpan.FromSeconds(31));
        Assert.Equal((0, h.Counters.IpReasmTimeout + overlaps + contradictions), (h.Stack.FragmentMemory, h.Counters.IpReasmFails));
        socket.Close();
    }

    [Theory]
    [InlineData(1, 1)]
    [InlineData(2, 200)]
    [InlineData(3, 100_000)]
    public void A_flood_stays_within_its_bounds_and_is_forgotten(int seed, int sources)
    {
        var options = new FragmentOptions { Memory = 1 << 20, MemoryPerSource = 512 << 10, Datagrams = 2000 };
        using var h = Harness(options, out var socket);
        var random = new Random(seed);
        for (var i = 0; i < 30_000; i++)
        {
            var frame = Build.Udp(9, Port, new byte[random.Next(10) == 0 ? 9000 : 1500], source: IpAddress.FromV4(0xCB00_0000u + (uint)random.Next(sources)));
            var start = 8 * random.Next(180);
            var length = random.Next(3) == 0 ? 8 : 8 * random.Next(1, (frame.Length - Fragmented.Headers - start) / 8 + 1);
            h.Receive(Fragmented.Piece(frame, start, start + length, hasMore: random.Next(50) != 0, id: (ushort)random.Next(65536)));
            Assert.InRange(h.Stack.FragmentMemory, 0, sources == 1 ? options.MemoryPerSource : options.Memory);
            if (random.Next(1000) == 0)
                h.Advance(TimeSpan.FromSeconds(1));
        }

        Assert.True(h.Counters.IpReasmEvicted > 1000);
        h.Advance(TimeSpan.FromSeconds(31));
        h.Frames();
        Assert.Equal(0, h.Stack.FragmentMemory);
        Assert.Equal(Instant.Never, PollAtWithoutNeighbors(h));
        while (socket.TryReceive(out var payload, out _))
            payload.Release();
        socket.Close();
    }

    [Fact]
    public void One_senders_flood_costs_other_senders_nothing()
    {
        using var h = Harness(new FragmentOptions { Memory = 2 << 20, MemoryPerSource = 512 << 10, Datagrams = 65536 }, out var socket);
        var pieces = Fragmented.Pieces(Build.Udp(9, Port, new byte[8000], source: IpAddress.Parse("203.0.113.9")), 1480);
        foreach (var piece in pieces[..^1])
            h.Receive(piece);
        for (ushort id = 0; id < 20_000; id++)
            h.Receive(Fragmented.Piece(Build.Udp(9, Port, new byte[1000]), 8, 208, id: id));
        Assert.True(h.Counters.IpReasmEvicted > 10_000);
        h.Receive(pieces[^1]);
        Assert.True(socket.TryReceive(out var payload, out _));
        Assert.Equal(8000, payload.Length);
        payload.Release();
        socket.Close();
    }

    [Fact]
    public void The_oldest_datagram_gives_way()
    {
        using var h = Harness(new FragmentOptions { Datagrams = 3 }, out var socket);
        var frames = Enumerable.Range(0, 4).Select(static i => Build.Udp(9, Port, [.. Enumerable.Repeat((byte)i, 100)])).ToArray();
        for (ushort i = 0; i < 4; i++)
            h.Receive(Fragmented.Piece(frames[i], 0, 64, id: i));
        Assert.Equal(1, h.Counters.IpReasmEvicted);
        foreach (var i in new ushort[] { 1, 2, 3 })
        {
            h.Receive(Fragmented.Piece(frames[i], 64, 108, id: i));
            Assert.True(socket.TryReceive(out var payload, out _));
            Assert.Equal(i, payload.Span[0]);
            payload.Release();
        }

        socket.Close();
    }

    [Fact]
    public void A_datagram_that_alone_takes_more_than_there_may_be_is_given_up()
    {
        using var h = Harness(new FragmentOptions { Memory = 512 << 10, MemoryPerSource = 512 << 10, PerDatagram = 8192 }, out var socket);
        var frame = Build.Udp(9, Port, new byte[60_000]);
        for (var start = 0; start < 60_000; start += 16)
        {
            h.Receive(Fragmented.Piece(frame, start, start + 8, hasMore: true));
            Assert.InRange(h.Stack.FragmentMemory, 0, 512 << 10);
        }

        Assert.NotEqual(0, h.Counters.IpReasmEvicted);
        socket.Close();
    }

    private static StackHarness Harness(FragmentOptions options, out UdpSocket socket)
    {
        var h = new StackHarness(new StackOptions { Interfaces = [new() { HardwareAddress = StackHarness.OwnMac }], Fragments = options });
        h.TeachPeer();
        Assert.Equal(StackError.None, h.Stack.Udp.Bind(new IpEndpoint(IpAddress.AnyV4, Port), new() { ReceiveBuffer = 64 << 20 }, out var bound));
        socket = bound!;
        return h;
    }

    private static Instant PollAtWithoutNeighbors(StackHarness h)
    {
        h.Advance(TimeSpan.FromHours(1));
        h.Frames();
        return h.Stack.PollAt;
    }

    /// <summary>A datagram without a checksum, and shorter than its fragments may make it, so that it is valid wherever it ends.</summary>
    private static byte[] DatagramOf(ushort id)
    {
        var frame = Build.Udp(9, Port, [.. Enumerable.Range(0, 200).Select(i => (byte)(id + i))]);
        var udp = frame.AsSpan(Fragmented.Headers);
        BinaryPrimitives.WriteUInt16BigEndian(udp[4..], UdpHeader.Length);
        udp.Slice(UdpHeader.ChecksumOffset, 2).Clear();
        return frame;
    }

    /// <summary>Which bytes of a datagram there are.</summary>
    private sealed class Model
    {
        private readonly bool[] _there = new bool[256];
        private int _end = -1;

        public bool IsComplete => _end >= 0 && _there.AsSpan(0, _end).IndexOf(false) < 0;

        public FragmentPlace Add(int start, int end, bool isLast)
        {
            var highest = Array.LastIndexOf(_there, true) + 1;
            if (_end >= 0 ? end > _end || (isLast && end != _end) : isLast && end < highest)
                return FragmentPlace.Contradiction;
            var bytes = _there.AsSpan(start, end - start);
            if (bytes.IndexOf(false) < 0)
                return FragmentPlace.Duplicate;
            if (bytes.IndexOf(true) >= 0)
                return FragmentPlace.Overlap;
            bytes.Fill(true);
            if (isLast)
                _end = end;
            return FragmentPlace.Missing;
        }
    }
}
