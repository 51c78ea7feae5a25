using System.Buffers.Binary;
using Tapwire.Posix;
using Tapwire.Stack.Buffers;
using Tapwire.Tests.Support;
using Tapwire.Wires;
using Xunit;

namespace Tapwire.Tests.Wires;

public sealed class CableSpec
{
    private readonly ManualTime _time = new();
    private readonly BufferPool _pool = new();

    [Fact]
    public void Without_impairments_a_frame_has_arrived_when_the_write_returns()
    {
        using var line = Line(CableImpairments.None);
        line.Send(1, 2, 3);
        Assert.Equal([1, 2, 3], line.Receive());
        Assert.Equal(0, _time.ArmedTimers);
    }

    [Fact]
    public void The_receiver_gets_a_copy_with_fragments_in_one_piece()
    {
        using var line = Line(CableImpairments.None);
        var payload = _pool.Rent(100);
        payload.Append(100).Fill(0x77);
        var frame = _pool.Rent(14);
        frame.Append(14).Fill(0x11);
        frame.AddFragment(payload, 10, 50);
        Assert.Equal(1, line.Cable.A.Write([frame]));
        frame.Span.Clear();
        payload.Span.Clear();

        var received = line.ReceiveFrame();
        Assert.Equal((64, 0), (received.Length, received.FragmentCount));
        Assert.Equal([.. Enumerable.Repeat((byte)0x11, 14), .. Enumerable.Repeat((byte)0x77, 50)], received.Span.ToArray());
    }

    [Fact]
    public void Readiness_is_reported_once_until_the_reader_has_found_nothing()
    {
        using var line = Line(CableImpairments.None);
        line.Send(1);
        line.Send(2);
        Assert.Equal([Readiness.Readable], line.ReportsB);

        // Both fit, and the batch is full: the reader must look again before it is told again.
        Assert.Equal([1, 2], line.Receive(2, once: true));
        line.Send(3);
        Assert.Single(line.ReportsB);
        Assert.Equal([3], line.Receive(2, once: true));
        line.Send(4);
        Assert.Equal([Readiness.Readable, Readiness.Readable], line.ReportsB);
    }

    [Fact]
    public void What_came_before_the_start_is_reported_at_the_start()
    {
        using var cable = new Cable(new CableOptions(), _time);
        Assert.Equal(1, cable.A.Write([Numbered(1)]));
        var reports = new List<Readiness>();
        cable.B.Start(NoReactor.Instance, reports.Add);
        Assert.Equal([Readiness.Readable], reports);
        Assert.Throws<InvalidOperationException>(() => cable.B.Start(NoReactor.Instance, reports.Add));
    }

    [Fact]
    public void A_full_cable_takes_no_more_and_reports_room_once_half_of_it_is_free()
    {
        using var line = Line(CableImpairments.None, o => o with { ReceiveBytes = BufferPool.MaxCapacity });
        var frames = Enumerable.Range(0, 387).Select(i => Numbered(i)).ToArray();
        var taken = line.Cable.A.Write(frames);

        // 60-byte frames are in buffers of 256.
        Assert.Equal(BufferPool.MaxCapacity / 256, taken);
        Assert.Equal(0, line.Cable.A.Write(frames[taken..]));
        Assert.Empty(line.ReportsA);
        Assert.Equal(taken / 2 - 1, line.Receive(taken / 2 - 1, once: true).Count);
        Assert.Empty(line.ReportsA);
        Assert.Single(line.Receive(1, once: true));
        Assert.Equal([Readiness.Writable], line.ReportsA);
        Assert.Equal(387 - taken, line.Cable.A.Write(frames[taken..]));
        Assert.Equal(Enumerable.Range(taken / 2, 387 - taken / 2), line.Receive());
        Assert.Single(line.ReportsA);
        Assert.Equal(387, line.Cable.AToB.Frames);
    }

    [Fact]
    public void Frames_under_way_are_bounded_and_room_is_reported_when_they_arrive()
    {
        using var line = Line(new CableImpairments { Latency = TimeSpan.FromMilliseconds(10) }, o => o with { InFlightBytes = BufferPool.MaxCapacity });
        var frames = Enumerable.Range(0, 300).Select(i => Numbered(i)).ToArray();
        Assert.Equal(258, line.Cable.A.Write(frames));
        _time.Advance(TimeSpan.FromMilliseconds(9));
        Assert.Empty(line.ReportsA);
        _time.Advance(TimeSpan.FromMilliseconds(1));
        Assert.Equal([Readiness.Writable], line.ReportsA);
        Assert.Equal(42, line.Cable.A.Write(frames[258..]));
    }

    [Fact]
    public void Latency_delays_every_frame_by_exactly_that_much()
    {
        using var line = Line(new CableImpairments { Latency = TimeSpan.FromMicroseconds(2500) });
        line.Send(1);
        _time.Advance(TimeSpan.FromMicroseconds(1000));
        line.Send(2);
        _time.Advance(TimeSpan.FromMicroseconds(1499.9));
        Assert.Empty(line.ReportsB);
        _time.Advance(TimeSpan.FromMicroseconds(0.1));
        Assert.Equal([Readiness.Readable], line.ReportsB);
        Assert.Equal([1], line.Receive());
        _time.Advance(TimeSpan.FromMicroseconds(1000));
        Assert.Equal([2], line.Receive());
        Assert.Equal(0, _time.ArmedTimers);
    }

    [Fact]
    public void The_two_directions_are_independent()
    {
        using var cable = new Cable(new CableOptions { AToB = new CableImpairments { Loss = 1 } }, _time);
        cable.A.Write([Numbered(1)]);
        cable.B.Write([Numbered(2)]);
        var frames = new PacketBuffer[4];
        Assert.Equal(0, cable.B.Read(_pool, frames, out _));
        Assert.Equal(1, cable.A.Read(_pool, frames, out _));
        Assert.Equal((1, 0), (cable.AToB.Lost, cable.BToA.Lost));
    }

    [Fact]
    public void Jitter_spreads_the_latency_evenly_and_keeps_the_order()
    {
        var arrivals = new List<double>();
        using var line = Line(new CableImpairments { Latency = TimeSpan.FromMilliseconds(10), Jitter = TimeSpan.FromMilliseconds(4) });
        for (var i = 0; i < 2000; i++)
        {
            line.Send(i);
            var sent = _time.Now;
            while (line.ReportsB.Count == i)
                _time.Advance(TimeSpan.FromMicroseconds(50));
            arrivals.Add((_time.Now - sent).TotalMilliseconds);
            Assert.Equal([i], line.Receive());
        }

        Assert.InRange(arrivals.Min(), 6, 6.1);
        Assert.InRange(arrivals.Max(), 13.9, 14.05);
        Assert.InRange(arrivals.Average(), 9.8, 10.2);

        line.Send([.. Enumerable.Range(0, 1000)]);
        _time.Advance(TimeSpan.FromMilliseconds(20));
        Assert.Equal(Enumerable.Range(0, 1000), line.Receive());
    }

    [Fact]
    public void The_line_takes_one_frame_after_the_other_at_its_rate()
    {
        // 1000 bytes at 8 Mbit/s are a millisecond.
        using var line = Line(new CableImpairments { BitsPerSecond = 8_000_000, Latency = TimeSpan.FromMilliseconds(5) });
        line.Cable.A.Write([Numbered(1, 1000), Numbered(2, 500), Numbered(3, 1000)]);
        Assert.Equal([(6.0, 1), (6.5, 2), (7.5, 3)], Arrivals(line, TimeSpan.FromMilliseconds(10)));

        // The line has been idle: no credit was saved up.
        line.Cable.A.Write([Numbered(4, 1000)]);
        Assert.Equal([(6.0, 4)], Arrivals(line, TimeSpan.FromMilliseconds(10)));
    }

    [Fact]
    public void A_long_transfer_takes_as_long_as_the_rate_says()
    {
        // 7 Mbit/s: a frame of 1500 bytes is 1714285.714 ns.
        using var line = Line(new CableImpairments { BitsPerSecond = 7_000_000 });
        line.Cable.A.Write([.. Enumerable.Range(0, 1000).Select(i => Numbered(i, 1500))]);
        var arrivals = Arrivals(line, TimeSpan.FromSeconds(2));
        Assert.Equal(1000, arrivals.Count);
        Assert.InRange(arrivals[^1].At, 1714.28, 1714.29);
    }

    [Fact]
    public void A_queue_that_is_full_in_frames_drops_the_newest()
    {
        using var line = Line(new CableImpairments { BitsPerSecond = 8_000_000, QueueFrames = 3 });
        line.Cable.A.Write([.. Enumerable.Range(1, 5).Select(i => Numbered(i, 1000))]);
        Assert.Equal(2, line.Cable.AToB.QueueFull);
        _time.Advance(TimeSpan.FromMilliseconds(1));
        line.Cable.A.Write([Numbered(6, 1000), Numbered(7, 1000)]);
        Assert.Equal(3, line.Cable.AToB.QueueFull);
        _time.Advance(TimeSpan.FromMilliseconds(10));
        Assert.Equal([1, 2, 3, 6], line.Receive());
    }

    [Fact]
    public void A_queue_that_is_full_in_bytes_drops_the_newest_but_takes_any_frame_when_empty()
    {
        using var line = Line(new CableImpairments { BitsPerSecond = 8_000_000, QueueBytes = 900 });
        line.Cable.A.Write([Numbered(1, 1000), Numbered(2, 100)]);
        _time.Advance(TimeSpan.FromMilliseconds(1));
        line.Cable.A.Write([Numbered(3, 500), Numbered(4, 400), Numbered(5, 60)]);
        _time.Advance(TimeSpan.FromMilliseconds(1));
        Assert.Equal([1, 3, 4], line.Receive());
        Assert.Equal(2, line.Cable.AToB.QueueFull);
    }

    [Theory]
    [InlineData(0.01)]
    [InlineData(0.3)]
    public void Loss_hits_its_share(double share)
    {
        const int Count = 100_000;
        using var line = Line(new CableImpairments { Loss = share });
        var received = 0;
        for (var i = 0; i < Count / 1000; i++)
        {
            line.Send([.. Enumerable.Range(0, 1000)]);
            received += line.Receive().Count;
        }

        // Four standard deviations.
        var tolerance = 4 * Math.Sqrt(Count * share * (1 - share));
        Assert.InRange(Count - received, Count * share - tolerance, Count * share + tolerance);
        Assert.Equal((Count - received, received), (line.Cable.AToB.Lost, line.Cable.AToB.Frames));
    }

    [Fact]
    public void Loss_of_everything_and_of_nothing_is_exact()
    {
        using var all = Line(new CableImpairments { Loss = 1 });
        all.Send([.. Enumerable.Range(0, 1000)]);
        Assert.Empty(all.Receive());
        using var none = Line(new CableImpairments { Loss = 0, Duplicate = 0, Corrupt = 0 });
        none.Send([.. Enumerable.Range(0, 1000)]);
        Assert.Equal(1000, none.Receive().Count);
    }

    [Fact]
    public void A_duplicate_follows_its_original()
    {
        using var line = Line(new CableImpairments { Duplicate = 0.5 });
        line.Send([.. Enumerable.Range(0, 2000)]);
        var received = line.Receive();
        var twice = received.GroupBy(i => i).Count(g => g.Count() == 2);
        Assert.Equal(received.Order(), received);
        Assert.Equal((2000 + twice, twice), (received.Count, (int)line.Cable.AToB.Duplicated));
        Assert.InRange(twice, 900, 1100);
    }

    [Fact]
    public void A_corrupted_frame_differs_in_one_bit()
    {
        using var line = Line(new CableImpairments { Corrupt = 0.25 });
        var original = Numbered(1);
        var places = new HashSet<int>();
        var corrupted = 0;
        for (var i = 0; i < 2000; i++)
        {
            line.Cable.A.Write([original]);
            var received = line.ReceiveFrame();
            var differences = Enumerable.Range(0, 60 * 8).Where(bit => ((received.Span[bit / 8] ^ original.Span[bit / 8]) >> (bit % 8) & 1) != 0).ToList();
            Assert.InRange(differences.Count, 0, 1);
            corrupted += differences.Count;
            places.UnionWith(differences);
            received.Release();
        }

        Assert.Equal(corrupted, line.Cable.AToB.Corrupted);
        Assert.InRange(corrupted, 420, 580);
        Assert.True(places.Count > 200, $"{places.Count} different bits were hit.");
    }

    [Fact]
    public void A_reordered_frame_is_overtaken_by_those_sent_in_the_delay()
    {
        using var line = Line(new CableImpairments { Reorder = 0.1, ReorderDelay = TimeSpan.FromMilliseconds(3) });
        for (var i = 0; i < 1000; i++)
        {
            line.Send(i);
            _time.Advance(TimeSpan.FromMilliseconds(1));
        }

        _time.Advance(TimeSpan.FromMilliseconds(3));
        var received = line.Receive();
        Assert.Equal(Enumerable.Range(0, 1000), received.Order());
        var late = received.Select((number, place) => (number, place)).Where(r => r.place < received.Count - 1 && received[r.place + 1] < r.number).ToList();
        Assert.InRange(line.Cable.AToB.Reordered, 60, 140);
        Assert.InRange(late.Count, line.Cable.AToB.Reordered / 2, line.Cable.AToB.Reordered);
        Assert.All(received.Select((number, place) => Math.Abs(number - place)), distance => Assert.InRange(distance, 0, 3));
    }

    [Fact]
    public void The_same_seed_gives_the_same_fate_and_another_one_another()
    {
        Assert.Equal(Fate(1), Fate(1));
        Assert.NotEqual(Fate(1), Fate(2));

        List<(double, int)> Fate(ulong seed)
        {
            var time = new ManualTime();
            var impairments = new CableImpairments
            {
                Latency = TimeSpan.FromMilliseconds(5), Jitter = TimeSpan.FromMilliseconds(2), BitsPerSecond = 10_000_000,
                Loss = 0.1, Duplicate = 0.1, Corrupt = 0.1, Reorder = 0.1,
            };
            using var line = new CableLine(new CableOptions { Seed = seed, AToB = impairments }, time);
            line.Cable.A.Write([.. Enumerable.Range(0, 200).Select(i => Numbered(i, 60 + i))]);
            return Arrivals(line, TimeSpan.FromMilliseconds(100), time);
        }
    }

    [Fact]
    public void Another_impairment_leaves_the_pattern_of_losses_as_it_was()
    {
        Assert.Equal(Survivors(new CableImpairments { Loss = 0.2 }), Survivors(new CableImpairments { Loss = 0.2, Duplicate = 0.5, Corrupt = 0.0, Reorder = 0.3 }));

        List<int> Survivors(CableImpairments impairments)
        {
            using var line = Line(impairments);
            line.Send([.. Enumerable.Range(0, 1000)]);
            _time.Advance(TimeSpan.FromSeconds(1));
            return [.. line.Receive().Distinct().Order()];
        }
    }

    [Fact]
    public void A_partial_checksum_is_completed_where_the_receiver_is_to_verify_it()
    {
        using var line = Line(CableImpairments.None);
        line.Cable.A.Write([Partial(out var pseudo)]);
        var received = line.ReceiveFrame();
        Assert.Equal(ChecksumState.None, received.Offload.Checksum);
        Assert.Equal(0xFFFFu, Checksum.Sum(received.Span[34..], pseudo));
    }

    [Theory]
    [InlineData(WireOffloads.TcpSegmentationV4, Segmentation.TcpV4)]
    [InlineData(WireOffloads.TcpSegmentationV6, Segmentation.TcpV6)]
    public void With_offloads_notes_and_super_frames_pass_as_they_are(WireOffloads offload, Segmentation segmentation)
    {
        using var line = Line(CableImpairments.None, o => o with { Offloads = WireOffloads.Checksum | offload });
        var frame = Partial(out _, 30_000);
        frame.Offload = frame.Offload with { Segmentation = segmentation, SegmentSize = 1460, HeaderLength = 54 };
        line.Cable.A.Write([frame]);
        var received = line.ReceiveFrame();
        Assert.Equal(frame.Offload, received.Offload);
        Assert.Equal(frame.Span, received.Span);
    }

    [Fact]
    public void A_corrupted_frame_is_always_recognisable_as_such()
    {
        using var line = Line(new CableImpairments { Corrupt = 1 }, o => o with { Offloads = WireOffloads.Checksum });
        for (var i = 0; i < 200; i++)
        {
            line.Cable.A.Write([Partial(out var pseudo)]);
            var received = line.ReceiveFrame();
            Assert.Equal(ChecksumState.None, received.Offload.Checksum);
            var original = Partial(out _);
            var inHeaders = !received.Span[..34].SequenceEqual(original.Span[..34]);
            Assert.Equal(inHeaders, Checksum.Sum(received.Span[34..], pseudo) == 0xFFFF);
        }
    }

    [Theory]
    [InlineData(WireOffloads.None, Segmentation.TcpV4)]
    [InlineData(WireOffloads.TcpSegmentationV4, Segmentation.TcpV6)]
    public void What_the_cable_cannot_carry_is_refused_and_counted(WireOffloads offloads, Segmentation segmentation)
    {
        using var line = Line(CableImpairments.None, o => o with { Offloads = offloads });
        var super = Partial(out _, 1400);
        super.Offload = super.Offload with { Segmentation = segmentation, SegmentSize = 500, HeaderLength = 54 };
        var contradictory = Numbered(0);
        contradictory.Offload = new OffloadNote { Checksum = ChecksumState.Partial, ChecksumStart = 50, ChecksumOffset = 16 };
        Assert.Equal(7, line.Cable.A.Write([Numbered(1), Numbered(2, 1515), super, Numbered(3, 1514), Short(13), contradictory, Numbered(4)]));
        Assert.Equal([1, 3, 4], line.Receive());
        Assert.Equal((4, 0), (line.Cable.A.Refused, line.Cable.B.Refused));
    }

    [Fact]
    public void Frames_to_a_disposed_end_are_dropped_and_counted()
    {
        var pool = new DiagnosingBufferPool();
        using var line = new CableLine(new CableOptions { AToB = new CableImpairments { Latency = TimeSpan.FromMilliseconds(1) } }, _time);
        Assert.Equal(0, line.Cable.B.Read(pool, new PacketBuffer[1], out _));
        line.Send(1, 2);
        line.Cable.B.Dispose();
        line.Send(3);
        Assert.Equal(0, pool.Rented);
        Assert.Equal((3, 0), (line.Cable.AToB.Disconnected, line.Cable.AToB.Frames));
        Assert.Equal(0, _time.ArmedTimers);
        Assert.Throws<ObjectDisposedException>(() => line.Cable.B.Write([Numbered(1)]));
    }

    [Fact]
    public void An_unplugged_cable_reports_a_hang_up_and_fails_as_a_removed_device()
    {
        using var line = Line(CableImpairments.None);
        line.Cable.Unplug();
        Assert.Equal([Readiness.HangUp], line.ReportsA);
        Assert.Equal([Readiness.HangUp], line.ReportsB);
        Assert.Equal("cable-a has been removed.", Assert.Throws<WireException>(() => line.Cable.A.Write([Numbered(1)])).Message);
        Assert.Throws<WireException>(() => line.Cable.B.Read(_pool, new PacketBuffer[1], out _));
    }

    [Fact]
    public void The_receivers_pool_holds_what_it_reads_and_nothing_leaks()
    {
        var pool = new DiagnosingBufferPool();
        using var line = new CableLine(new CableOptions { AToB = new CableImpairments { Duplicate = 0.3, Loss = 0.3, Corrupt = 0.3, BitsPerSecond = 1_000_000, QueueFrames = 10 } }, _time);
        line.Cable.B.Read(pool, new PacketBuffer[1], out _);
        for (var i = 0; i < 200; i++)
        {
            line.Send(i, i, i, i, i);
            _time.Advance(TimeSpan.FromMilliseconds(1));
        }

        _time.Advance(TimeSpan.FromMilliseconds(100));
        var frames = new PacketBuffer[2000];
        var count = line.Cable.B.Read(pool, frames, out _);
        Assert.True(line.Cable.AToB.QueueFull > 0);
        Assert.Equal(count, pool.Rented);
        foreach (var frame in frames.AsSpan(0, count))
            frame.Release();
        Assert.Equal(0, pool.Rented);
    }

    [Fact]
    public void Both_ends_may_be_used_from_threads_of_their_own()
    {
        const int Count = 20_000;
        using var line = Line(CableImpairments.None, o => o with { ReceiveBytes = BufferPool.MaxCapacity });
        using var room = new SemaphoreSlim(0);
        line.OnA = () => room.Release();
        var writer = new Thread(() =>
        {
            for (var i = 0; i < Count;)
            {
                using var frame = new Held(Numbered(i));
                if (line.Cable.A.Write([frame.Frame]) == 1)
                    i++;
                else
                    room.Wait();
            }
        });
        using var arrived = new SemaphoreSlim(0);
        line.OnB = () => arrived.Release();
        writer.Start();
        var received = new List<int>();
        while (received.Count < Count)
        {
            var some = line.Receive();
            received.AddRange(some);
            if (some.Count == 0)
                Assert.True(arrived.Wait(TimeSpan.FromSeconds(30)), "A report was lost.");
        }

        writer.Join();
        Assert.Equal(Enumerable.Range(0, Count), received);
    }

    [Theory]
    [InlineData("The cable's Mtu cannot be 67: 68 to 65535 is accepted.")]
    [InlineData("The cable's AToB.Loss cannot be 1.5: 0 to 1 is accepted.")]
    [InlineData("The cable's BToA.Jitter cannot be 00:00:00.0020000: 0 to the latency (00:00:00.0010000) is accepted.")]
    [InlineData("The cable's AToB.QueueFrames cannot be 0: 1 or more is accepted.")]
    [InlineData("The cable's BToA.ReorderDelay cannot be 00:00:00: more than 0, to 1 h, is accepted.")]
    public void A_wrong_option_is_named_with_what_is_accepted(string message)
    {
        var wrong = new Dictionary<string, CableOptions>
        {
            ["Mtu"] = new() { Mtu = 67 },
            ["Loss"] = new() { AToB = new CableImpairments { Loss = 1.5 } },
            ["Jitter"] = new() { BToA = new CableImpairments { Latency = TimeSpan.FromMilliseconds(1), Jitter = TimeSpan.FromMilliseconds(2) } },
            ["QueueFrames"] = new() { AToB = new CableImpairments { QueueFrames = 0 } },
            ["ReorderDelay"] = new() { BToA = new CableImpairments { ReorderDelay = TimeSpan.Zero } },
        };
        var options = wrong.Single(w => message.Contains(w.Key + " cannot", StringComparison.Ordinal)).Value;
        Assert.Equal(message, Assert.Throws<ArgumentException>(() => new Cable(options, _time)).Message);
    }

    private CableLine Line(CableImpairments impairments, Func<CableOptions, CableOptions>? change = null)
    {
        var options = new CableOptions { AToB = impairments };
        return new CableLine(change is null ? options : change(options), _time);
    }

    private List<(double At, int Number)> Arrivals(CableLine line, TimeSpan duration, ManualTime? time = null)
    {
        time ??= _time;
        var start = time.Now;
        var arrivals = new List<(double, int)>();
        line.OnB = () => arrivals.AddRange(line.Receive().Select(number => ((time.Now - start).TotalMilliseconds, number)));
        time.Advance(duration);
        line.OnB = null;
        return arrivals;
    }

    private PacketBuffer Numbered(int number, int length = 60)
    {
        var frame = Short(length);
        BinaryPrimitives.WriteInt32BigEndian(frame.Span[14..], number);
        return frame;
    }

    private PacketBuffer Short(int length)
    {
        var frame = _pool.Rent(length);
        frame.Append(length).Clear();
        return frame;
    }

    /// <summary>A TCP segment over IPv4 that lacks all of its checksum but the pseudo-header's sum.</summary>
    private PacketBuffer Partial(out uint pseudoHeader, int length = 200)
    {
        var frame = Short(length);
        for (var i = 14; i < length; i++)
            frame.Span[i] = (byte)(i * 31);
        pseudoHeader = 0x1234;
        BinaryPrimitives.WriteUInt16BigEndian(frame.Span[50..], (ushort)pseudoHeader);
        frame.Offload = new OffloadNote { Checksum = ChecksumState.Partial, ChecksumStart = 34, ChecksumOffset = 16 };
        return frame;
    }

    private readonly struct Held(PacketBuffer frame) : IDisposable
    {
        public PacketBuffer Frame { get; } = frame;

        public void Dispose() => Frame.Release();
    }

    /// <summary>A cable has no descriptor to be watched.</summary>
    private sealed class NoReactor : IReactor
    {
        public static readonly NoReactor Instance = new();

        public IRegistration Register(int descriptor, Readiness interest, Action<object?, Readiness> ready, object? state) => throw new NotSupportedException();
    }

    /// <summary>A cable used from A to B.</summary>
    private sealed class CableLine : IDisposable
    {
        private readonly BufferPool _pool = new();

        public CableLine(CableOptions options, TimeProvider time)
        {
            Cable = new Cable(options, time);
            Cable.A.Start(NoReactor.Instance, readiness =>
            {
                ReportsA.Add(readiness);
                OnA?.Invoke();
            });
            Cable.B.Start(NoReactor.Instance, readiness =>
            {
                ReportsB.Add(readiness);
                OnB?.Invoke();
            });
        }

        public Cable Cable { get; }

        public List<Readiness> ReportsA { get; } = [];

        public List<Readiness> ReportsB { get; } = [];

        public Action? OnA { get; set; }

        public Action? OnB { get; set; }

        public void Send(params int[] numbers)
        {
            var frames = numbers.Select(number =>
            {
                var frame = _pool.Rent(60);
                frame.Append(60).Clear();
                BinaryPrimitives.WriteInt32BigEndian(frame.Span[14..], number);
                return frame;
            }).ToArray();
            Assert.Equal(frames.Length, Cable.A.Write(frames));
            Array.ForEach(frames, f => f.Release());
        }

        /// <summary>The numbers of the frames that have arrived, in order.</summary>
        public List<int> Receive(int batch = 64, bool once = false)
        {
            var numbers = new List<int>();
            var frames = new PacketBuffer[batch];
            bool more;
            do
            {
                var count = Cable.B.Read(_pool, frames, out more);
                foreach (var frame in frames.AsSpan(0, count))
                {
                    numbers.Add(BinaryPrimitives.ReadInt32BigEndian(frame.Span[14..]));
                    frame.Release();
                }
            }
            while (more && !once);
            return numbers;
        }

        public PacketBuffer ReceiveFrame()
        {
            var frames = new PacketBuffer[1];
            Assert.Equal(1, Cable.B.Read(_pool, frames, out _));
            return frames[0];
        }

        public void Dispose() => Cable.Dispose();
    }
}
