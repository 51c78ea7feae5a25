using Akka.Actor;
using Akka.TestKit;
using Tapwire.Actors;
using Tapwire.Messages;
using Tapwire.Stack.Buffers;
using Tapwire.Tests.Actors.Support;
using Tapwire.Tests.Support;
using Tapwire.Tests.Wires;
using Tapwire.Wires;
using Xunit;

namespace Tapwire.Tests.Actors;

/// <summary>The relay between two devices in memory, in virtual time.</summary>
public sealed class CableActorSpecs : ActorSpec
{
    private const int Batch = 4;

    private readonly ManualTime _time = new();
    private readonly DiagnosingBufferPool _pool = new();
    private readonly MemoryWire _a = new("a");
    private readonly MemoryWire _b = new("b");
    private readonly Queue<MemoryWire> _nextB = new();
    private readonly List<TimeSpan> _attempts = [];
    private Cable _cable = null!;
    private IActorRef _actor = ActorRefs.Nobody;

    public CableActorSpecs()
    {
    }

    [Fact]
    public void Frames_cross_in_both_directions_in_order()
    {
        Start(new CableOptions());
        _a.DeliverAll(Enumerable.Range(0, 50).Select(Numbered));
        _b.DeliverAll(Enumerable.Range(100, 50).Select(Numbered));
        Assert.Equal(Enumerable.Range(0, 50), Sent(_b));
        Assert.Equal(Enumerable.Range(100, 50), Sent(_a));
        Assert.Equal((50, 50), (_cable.AToB.Frames, _cable.BToA.Frames));
    }

    [Fact]
    public void What_a_device_holds_before_the_cable_is_there_crosses_it()
    {
        _a.Deliver(Numbered(1));
        Start(new CableOptions());
        Assert.Equal([1], Sent(_b));
    }

    [Fact]
    public void Latency_holds_frames_back_and_the_way_back_has_its_own()
    {
        Start(new CableOptions
        {
            AToB = new CableImpairments { Latency = TimeSpan.FromMilliseconds(10) },
            BToA = new CableImpairments { Latency = TimeSpan.FromMilliseconds(3) },
        });
        _a.Deliver(Numbered(1));
        _b.Deliver(Numbered(2));
        _time.Advance(TimeSpan.FromMilliseconds(3));
        Assert.Empty(_b.Sent);
        Assert.Equal([2], Sent(_a));
        _time.Advance(TimeSpan.FromMilliseconds(7));
        Assert.Equal([1], Sent(_b));
    }

    [Fact]
    public void Every_frame_arrives_or_is_counted()
    {
        Start(new CableOptions
        {
            AToB = new CableImpairments
            {
                Loss = 0.1, LossBurst = 3, Duplicate = 0.1, Reorder = 0.1, BitsPerSecond = 1_000_000, QueueFrames = 20,
            },
        });
        for (var i = 0; i < 1000; i++)
        {
            _a.Deliver(Numbered(i));
            _time.Advance(TimeSpan.FromMicroseconds(450));
        }

        _time.Advance(TimeSpan.FromSeconds(1));
        var counters = _cable.AToB;
        Assert.Equal(counters.Frames, Sent(_b).Count);
        Assert.Equal(1000 + counters.Duplicated, counters.Frames + counters.Lost + counters.QueueFull);
        Assert.All([counters.Lost, counters.Duplicated, counters.Reordered, counters.QueueFull], count => Assert.NotEqual(0, count));
    }

    [Fact]
    public void Frames_wait_for_a_device_that_is_full_back_to_where_they_came_from_and_none_is_lost()
    {
        Start(new CableOptions { ReceiveBytes = BufferPool.MaxCapacity });
        _b.Room = 0;
        foreach (var number in Enumerable.Range(0, 1000))
            _a.Deliver(Numbered(number));
        Assert.Empty(_b.Sent);
        Assert.InRange(_a.Reads.Sum(), 1, 300);
        _b.BecomeWritable(10);
        Assert.Equal(Enumerable.Range(0, 10), Sent(_b));
        _b.BecomeWritable(-1);
        Assert.Equal(Enumerable.Range(10, 990), Sent(_b));
    }

    [Fact]
    public void What_a_device_reports_while_its_frames_wait_for_the_cable_is_not_forgotten()
    {
        Start(new CableOptions { ReceiveBytes = BufferPool.MaxCapacity });
        _b.Room = 0;

        // Until one batch, which is not a full one, is read and not taken by the cable.
        var number = 0;
        while (_a.Reads.Sum() == number)
            _a.Deliver(Numbered(number++));
        _b.BecomeWritable(-1);
        Assert.Equal(Enumerable.Range(0, number), Sent(_b));
        _a.Deliver(Numbered(number));
        Assert.Equal([number], Sent(_b));
    }

    [Fact]
    public void A_device_that_fails_costs_the_frames_for_it_and_is_opened_again_with_growing_pauses()
    {
        Start(new CableOptions());
        _b.Break();
        Assert.True(_b.Disposed);
        _a.DeliverAll(Enumerable.Range(0, 10).Select(Numbered));
        Assert.Equal(new CableStatus(new CablePortStatus("a", true, 0, 0), new CablePortStatus("b", false, 10, 0)), Status());

        Advance(TimeSpan.FromMilliseconds(800));
        Assert.Equal([100, 300, 700], _attempts.Select(at => at.TotalMilliseconds));
        var second = new MemoryWire("second");
        _nextB.Enqueue(second);
        Advance(TimeSpan.FromMilliseconds(700));
        _a.Deliver(Numbered(11));
        second.Deliver(Numbered(12));
        Assert.Equal([11], Sent(second));
        Assert.Equal([12], Sent(_a));
        Assert.Equal(new CablePortStatus("second", true, 10, 0), Status().B);
    }

    [Fact]
    public void A_device_that_fails_while_frames_wait_for_it_takes_none_of_them_to_its_successor()
    {
        Start(new CableOptions());
        _b.Room = 0;
        _a.DeliverAll(Enumerable.Range(0, 10).Select(Numbered));
        _b.Break();
        Assert.Equal(10, Status().B.FramesDropped);
        var second = new MemoryWire("second");
        _nextB.Enqueue(second);
        Advance(TimeSpan.FromMilliseconds(100));
        Assert.Empty(second.Sent);
    }

    [Fact]
    public void A_device_that_opens_and_does_not_start_counts_as_one_that_has_failed()
    {
        Start(new CableOptions());
        _b.Break();
        var stillborn = new MemoryWire("stillborn") { FailsToStart = true };
        _nextB.Enqueue(stillborn);
        Advance(TimeSpan.FromMilliseconds(100));
        Assert.True(stillborn.Disposed);
        _nextB.Enqueue(new MemoryWire("third"));
        Advance(TimeSpan.FromMilliseconds(100));
        Assert.Equal(("third", true), (Status().B.Name, Status().B.Up));
    }

    [Fact]
    public void What_a_device_or_the_cable_refuses_is_counted_over_all_devices()
    {
        Start(new CableOptions { Mtu = 100 });
        _b.Refused = 2;
        _b.Deliver(new byte[115]);
        Assert.Equal(3, Status().B.FramesRefused);
        _b.Break();
        Assert.Equal(3, Status().B.FramesRefused);
    }

    [Fact]
    public void A_fault_of_a_port_ends_the_cable_and_closes_both_devices()
    {
        Start(new CableOptions());
        Watch(_actor);
        _b.Dispose();
        EventFilter.Exception<ObjectDisposedException>().ExpectOne(() => _a.Deliver(Numbered(1)));
        ExpectTerminated(_actor);
        Assert.True(_a.Disposed);
    }

    [Fact]
    public void A_device_that_fails_by_a_fault_while_it_is_read_takes_no_frame_with_it()
    {
        Start(new CableOptions());
        Watch(_actor);
        _a.ReadFault = new FormatException("A fault on purpose.");
        using var muted = EventFilter.Error(contains: "and the cable with it").Mute();
        EventFilter.Exception<FormatException>().ExpectOne(() => _a.DeliverAll([Numbered(1), Numbered(2)]));
        ExpectTerminated(_actor);
        Assert.True(_b.Disposed);
    }

    [Fact]
    public void Questions_that_overlap_have_each_their_answer()
    {
        Start(new CableOptions());
        var askers = Enumerable.Range(0, 3).Select(_ => CreateTestProbe()).ToList();
        askers.ForEach(asker => asker.Send(_actor, GetStatus.Instance));
        Assert.All(askers, asker => asker.ExpectMsg<CableStatus>());
    }

    protected override void AfterAll()
    {
        try
        {
            // Frames waiting in ports and under way on the cable go back to the pool with it.
            _a.Deliver(Numbered(1));
            Watch(_actor);
            _actor.Tell(PoisonPill.Instance);
            ExpectTerminated(_actor);
            Assert.True(_a.Disposed);
            _pool.AssertAllReturned();
        }
        finally
        {
            base.AfterAll();
        }
    }

    private static byte[] Numbered(int number)
    {
        var frame = new byte[60];
        BitConverter.TryWriteBytes(frame, number);
        return frame;
    }

    private static List<int> Sent(MemoryWire wire)
    {
        var numbers = new List<int>();
        while (wire.Sent.TryDequeue(out var frame))
            numbers.Add(BitConverter.ToInt32(frame));
        return numbers;
    }

    private void Start(CableOptions options)
    {
        var reactor = new ManualReactor();
        _cable = new Cable(options, _time);
        CablePort Port(MemoryWire device, IWire end, Func<IWire> open) => new(device, open, end, reactor, _pool, Batch,
            TimeSpan.FromMilliseconds(100), TimeSpan.FromMilliseconds(800));
        _actor = Sys.ActorOf(CableActor.Props(
            Port(_a, _cable.A, () => throw new WireException("a: no such device.")),
            Port(_b, _cable.B, () =>
            {
                _attempts.Add(Scheduler.Elapsed);
                return _nextB.TryDequeue(out var wire) ? wire : throw new WireException("b: no such device.");
            }), VirtualTime.Dispatcher).WithDispatcher(VirtualTime.Dispatcher), "cable");
    }

    private CableStatus Status()
    {
        var asker = CreateTestProbe();
        asker.Send(_actor, GetStatus.Instance);
        return asker.ExpectMsg<CableStatus>();
    }

    private void Advance(TimeSpan time)
    {
        for (var left = time; left > TimeSpan.Zero; left -= TimeSpan.FromMilliseconds(10))
            Scheduler.Advance(TimeSpan.FromMilliseconds(10));
    }
}
