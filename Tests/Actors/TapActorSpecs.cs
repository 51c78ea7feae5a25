using Akka.Actor;
using Akka.TestKit;
using Tapwire.Actors;
using Tapwire.Links.Protocol;
using Tapwire.Messages;
using Tapwire.Tests.Actors.Support;
using Tapwire.Tests.Support;
using Tapwire.Tests.Wires.Offload;
using Tapwire.Wires;
using Tapwire.Wires.Offload;
using Xunit;

namespace Tapwire.Tests.Actors;

/// <summary>The tap actor alone: the wire is in memory, the stack a probe.</summary>
public sealed class TapActorSpecs : ActorSpec
{
    private const int ReadBatch = 4;
    private const int QueueFrames = 8;

    private readonly DiagnosingBufferPool _pool = new();
    private readonly MemoryWire _wire = new();
    private readonly Queue<MemoryWire> _next = new();
    private readonly List<TimeSpan> _attempts = [];
    private readonly TestProbe _stack;
    private Exception? _openFault;
    private readonly IActorRef _tap;

    public TapActorSpecs()
    {
        _stack = CreateTestProbe("stack");
        _tap = Sys.ActorOf(TapActor.Props(new TapContext(_wire, Reopen, new ManualReactor(), _pool, TimeProvider.System, ReadBatch, QueueFrames,
            TimeSpan.FromMilliseconds(100), TimeSpan.FromMilliseconds(800))).WithDispatcher(VirtualTime.Dispatcher), "tap");
    }

    private static byte[] Numbered(int number) => [.. Enumerable.Repeat((byte)number, 60)];

    [Fact]
    public void It_says_that_the_wire_is_up_when_the_stack_opens_it()
    {
        Open();
        Assert.False(_stack.HasMessages);
    }

    [Fact]
    public void A_wire_with_nobody_at_its_other_end_is_not_up_and_is_told_of_like_one_that_fails()
    {
        _wire.SetCarrier(false);
        _stack.Send(_tap, new OpenWire(0));
        Run();
        Assert.False(_stack.HasMessages);
        Assert.False(Status().Up);
        _wire.SetCarrier(true);
        Run();
        Assert.Equal(new WireUp(0, "memory", null, 1500), _stack.ExpectMsg<WireUp>());
        Assert.True(Status().Up);
        _wire.SetCarrier(false);
        Run();
        Assert.Equal("There is nobody at its other end.", _stack.ExpectMsg<WireDown>().Reason);
        Assert.False(Status().Up);
        Assert.Empty(_attempts);
    }

    [Fact]
    public void P4_frames_reach_the_stack_in_the_order_in_which_they_were_on_the_wire()
    {
        Open();
        _wire.DeliverAll(Enumerable.Range(0, 50).Select(Numbered));
        Assert.Equal(Enumerable.Range(0, 50), Enumerable.Range(0, 50).Select(_ => (int)TakeFrame()[0]));
        Assert.False(_stack.HasMessages);
    }

    [Fact]
    public void P3_a_burst_is_read_in_batches_and_other_messages_have_their_turn_in_between()
    {
        Open();
        var readWhenAsked = new List<long>();
        var asking = Sys.ActorOf(Props.Create(() => new AskingStack(_tap, readWhenAsked)).WithDispatcher(VirtualTime.Dispatcher));
        _tap.Tell(new OpenWire(0), asking);
        _wire.DeliverAll(Enumerable.Range(0, 10).Select(Numbered));
        Assert.Equal([ReadBatch, ReadBatch, 2], _wire.Reads);
        Assert.Equal([4, 4, 4, 4, 8, 8, 8, 8, 10, 10], readWhenAsked);
    }

    [Fact]
    public void P10_frames_wait_while_the_wire_is_full_and_go_out_in_order_when_it_is_writable()
    {
        Open();
        _wire.Room = 2;
        Send(0, 5);
        Assert.Equal([0, 1], Sent());
        _wire.BecomeWritable(1);
        Assert.Equal([2], Sent());
        Send(5, 1);
        _wire.BecomeWritable(-1);
        Assert.Equal([3, 4, 5], Sent());
    }

    [Fact]
    public void P10_what_does_not_fit_the_queue_is_dropped_newest_first_and_counted()
    {
        Open();
        _wire.Room = 0;
        Send(0, QueueFrames + 3);
        Assert.Equal(3, Status().FramesDropped);
        _wire.BecomeWritable(-1);
        Assert.Equal(Enumerable.Range(0, QueueFrames), Sent());
        Assert.Equal(QueueFrames, Status().FramesSent);
    }

    [Fact]
    public void A_batch_that_was_merged_is_no_reason_to_stop_reading()
    {
        var tap = OpenOffloading();
        _wire.DeliverAll(new SegmentFrame { Payload = new byte[1000] }.ToSegments(100));
        Assert.Equal([ReadBatch, ReadBatch, 2], _wire.Reads);
        Assert.Equal([466, 466, 266], Enumerable.Range(0, 3).Select(_ => TakeFrame().Length));
        Assert.Equal((3, "Checksum, TcpSegmentationV4, TcpSegmentationV6 (software)"), (Status(tap).FramesReceived, Status(tap).Offloads));
    }

    [Fact]
    public void A_super_frame_of_which_the_wire_took_a_part_goes_on_when_it_is_writable_and_counts_once()
    {
        var tap = OpenOffloading();
        var made = new SegmentFrame { Payload = new byte[1000] };
        _wire.Room = 3;
        tap.Tell(Frame.Of(made.ToSuperFrame(_pool, 100)));
        Assert.Equal(0, Status(tap).FramesSent);
        _wire.BecomeWritable(4);
        _wire.BecomeWritable(-1);
        Assert.Equal(made.ToSegments(100), _wire.Sent);
        Assert.Equal((1, 1066), (Status(tap).FramesSent, Status(tap).BytesSent));
        tap.Tell(PoisonPill.Instance);
    }

    [Fact]
    public void Credit_comes_back_for_every_frame_whether_written_or_dropped()
    {
        Open();
        _wire.Room = TapActor.CreditLot;
        Send(0, TapActor.CreditLot);
        Assert.Equal(TapActor.CreditLot, _stack.ExpectMsg<FramesWritten>().Count);

        // Eight wait, the others are dropped; waiting is not written yet.
        Send(0, QueueFrames + TapActor.CreditLot - 1);
        Assert.False(_stack.HasMessages);
        Send(0, 1);
        Assert.Equal(TapActor.CreditLot, _stack.ExpectMsg<FramesWritten>().Count);

        // The wire fails: what waited is dropped, and so is what still comes.
        _wire.Break();
        _stack.ExpectMsg<WireDown>();
        Send(0, TapActor.CreditLot - QueueFrames);
        Assert.Equal(TapActor.CreditLot, _stack.ExpectMsg<FramesWritten>().Count);
        Assert.Equal(2 * TapActor.CreditLot, Status().FramesDropped);
    }

    [Fact]
    public void Of_a_super_frame_that_the_driver_cuts_every_segment_counts()
    {
        var tap = OpenOffloading();
        var made = new SegmentFrame { Payload = new byte[(100 * TapActor.CreditLot) - 1] };
        tap.Tell(Frame.Of(made.ToSuperFrame(_pool, 100)));
        Assert.Equal(TapActor.CreditLot, _stack.ExpectMsg<FramesWritten>().Count);
        Assert.Equal(TapActor.CreditLot, _wire.Sent.Count);
        tap.Tell(PoisonPill.Instance);
    }

    [Fact]
    public void A_wire_that_fails_while_it_is_read_is_reported_and_disposed()
    {
        Open();
        EventFilter.Warning(contains: "no such device").ExpectOne(_wire.Break);
        var down = _stack.ExpectMsg<WireDown>();
        Assert.Equal("memory", down.Name);
        Assert.Contains("no such device", down.Reason, StringComparison.Ordinal);
        Assert.True(_wire.Disposed);
        Assert.False(Status().Up);
    }

    [Fact]
    public void A_wire_that_fails_while_it_is_written_costs_that_frame_and_is_reported()
    {
        Open();
        _wire.Broken = true;
        Send(0, 1);
        _stack.ExpectMsg<WireDown>();
        Assert.Equal(1, Status().FramesDropped);
        Assert.True(_wire.Disposed);
    }

    [Fact]
    public void Pauses_between_attempts_double_up_to_the_maximum()
    {
        Open();
        _wire.Break();
        Advance(TimeSpan.FromMilliseconds(3200));
        Assert.Equal([100, 300, 700, 1500, 2300, 3100], _attempts.Select(at => at.TotalMilliseconds));
    }

    [Fact]
    public void When_the_wire_is_back_the_stack_is_told_and_the_next_failure_begins_with_the_shortest_pause()
    {
        Open();
        _wire.Break();
        _stack.ExpectMsg<WireDown>();
        Advance(TimeSpan.FromMilliseconds(650));
        var second = new MemoryWire("second");
        _next.Enqueue(second);
        Assert.False(_stack.HasMessages);
        Advance(TimeSpan.FromMilliseconds(50));
        Assert.Equal("second", _stack.ExpectMsg<WireUp>().Name);
        second.Deliver(Numbered(7));
        Assert.Equal(7, TakeFrame()[0]);
        Send(9, 1);
        Assert.True(second.Sent.TryDequeue(out var sent));
        Assert.Equal(9, sent![0]);
        Assert.True(Status().Up);

        _attempts.Clear();
        second.Break();
        Advance(TimeSpan.FromMilliseconds(300));
        Assert.Equal([800, 1000], _attempts.Select(at => at.TotalMilliseconds));
    }

    [Fact]
    public void A_wire_that_opens_and_does_not_start_counts_as_one_that_has_failed()
    {
        Open();
        _wire.Break();
        _stack.ExpectMsg<WireDown>();
        var stillborn = new MemoryWire("stillborn") { FailsToStart = true };
        _next.Enqueue(stillborn);
        Advance(TimeSpan.FromMilliseconds(100));
        Assert.Equal("stillborn", _stack.ExpectMsg<WireDown>().Name);
        Assert.True(stillborn.Disposed);
        _next.Enqueue(new MemoryWire("third"));
        Advance(TimeSpan.FromMilliseconds(100));
        Assert.Equal("third", _stack.ExpectMsg<WireUp>().Name);
    }

    [Fact]
    public void A_stack_that_opens_the_wire_during_an_outage_hears_of_it_when_it_is_back()
    {
        Open();
        _wire.Break();
        var later = CreateTestProbe();
        later.Send(_tap, new OpenWire(0));
        Assert.False(later.HasMessages);
        _next.Enqueue(new MemoryWire("second"));
        Advance(TimeSpan.FromMilliseconds(100));
        later.ExpectMsg<WireUp>();
    }

    [Fact]
    public void Status_counts_frames_and_bytes_in_both_directions_over_all_wires()
    {
        Open();
        _wire.Refused = 3;
        _wire.DeliverAll([new byte[60], new byte[100]]);
        Send(0, 3);
        var status = Status();
        Assert.Equal(new WireStatus("memory", true, 1500, null, "None", 2, 160, 3, 180, 3, 0), status);

        _wire.Break();
        Send(0, 1);
        Assert.Equal(status with { Up = false, FramesDropped = 1 }, Status());
        _next.Enqueue(new MemoryWire("second") { Refused = 1 });
        Advance(TimeSpan.FromMilliseconds(100));
        Assert.Equal(status with { Name = "second", FramesRefused = 4, FramesDropped = 1 }, Status());
    }

    [Fact]
    public void When_it_stops_the_wire_is_disposed_and_waiting_frames_go_back_to_the_pool()
    {
        Open();
        _wire.Room = 0;
        Send(0, 3);
        Watch(_tap);
        _tap.Tell(PoisonPill.Instance);
        ExpectTerminated(_tap);
        Assert.True(_wire.Disposed);
        Assert.Equal(0, _pool.Rented);
    }

    protected override void AfterAll()
    {
        try
        {
            _tap.Tell(PoisonPill.Instance);
            while (_stack.HasMessages)
                (_stack.ReceiveOne(TimeSpan.Zero) as IOwnsBuffers)?.Release();
            _pool.AssertAllReturned();
        }
        finally
        {
            base.AfterAll();
        }
    }

    [Fact]
    public void A_read_that_throws_what_it_should_not_costs_the_wire_which_is_opened_again()
    {
        Open();
        _wire.ReadFault = new FormatException("A fault on purpose.");
        EventFilter.Exception<FormatException>().ExpectOne(() => _wire.DeliverAll([Numbered(1), Numbered(2)]));
        _stack.ExpectMsg<WireDown>();
        Assert.True(_wire.Disposed);
        var second = new MemoryWire("second");
        _next.Enqueue(second);
        Advance(TimeSpan.FromMilliseconds(100));
        _stack.ExpectMsg<WireUp>();
        second.Deliver(Numbered(3));
        Assert.Equal(3, TakeFrame()[0]);
    }

    [Fact]
    public void A_frame_on_which_the_wire_throws_what_it_should_not_is_dropped_and_logged_with_its_bytes()
    {
        Open();
        _wire.WriteFault = new FormatException("A fault on purpose.");
        EventFilter.Exception<FormatException>(contains: "010101").ExpectOne(() => Send(1, 2));
        Assert.Equal([2], Sent());
        Assert.Equal((1, true), (Status().FramesDropped, Status().Up));
    }

    [Fact]
    public void A_frame_that_has_waited_and_is_faulty_does_not_stand_in_the_way_of_those_behind_it()
    {
        Open();
        _wire.Room = 0;
        Send(1, 3);
        _wire.WriteFault = new FormatException("A fault on purpose.");
        EventFilter.Exception<FormatException>().ExpectOne(() => _wire.BecomeWritable(-1));
        Assert.Equal([2, 3], Sent());
        Assert.Equal(1, Status().FramesDropped);
    }

    [Fact]
    public void A_wire_whose_opening_throws_what_it_should_not_is_tried_again()
    {
        Open();
        EventFilter.Warning(contains: "no such device").ExpectOne(_wire.Break);
        _stack.ExpectMsg<WireDown>();
        _openFault = new FormatException("A fault on purpose.");
        EventFilter.Exception<FormatException>().ExpectOne(() => Advance(TimeSpan.FromMilliseconds(100)));
        _next.Enqueue(new MemoryWire("second"));
        Advance(TimeSpan.FromMilliseconds(200));
        Assert.Equal("second", _stack.ExpectMsg<WireUp>().Name);
    }

    private void Open()
    {
        _stack.Send(_tap, new OpenWire(0));
        Assert.Equal(new WireUp(0, "memory", null, 1500), _stack.ExpectMsg<WireUp>());
    }

    private void Send(int first, int count)
    {
        foreach (var number in Enumerable.Range(first, count))
        {
            var buffer = _pool.Rent(60);
            Numbered(number).CopyTo(buffer.Append(60));
            _stack.Send(_tap, Frame.Of(buffer));
        }
    }

    private List<int> Sent()
    {
        var numbers = new List<int>();
        while (_wire.Sent.TryDequeue(out var frame))
            numbers.Add(frame[0]);
        return numbers;
    }

    private byte[] TakeFrame()
    {
        var frame = _stack.ExpectMsg<Frame>();
        var bytes = frame.Buffer.Span.ToArray();
        frame.Release();
        return bytes;
    }

    private WireStatus Status(IActorRef? tap = null)
    {
        var asker = CreateTestProbe();
        asker.Send(tap ?? _tap, GetStatus.Instance);
        return asker.ExpectMsg<TapStatus>().Wire;
    }

    private IActorRef OpenOffloading()
    {
        var tap = Sys.ActorOf(TapActor.Props(new TapContext(SoftwareOffloadWire.Over(_wire, _pool), Reopen, new ManualReactor(), _pool, TimeProvider.System, ReadBatch, QueueFrames,
            TimeSpan.FromMilliseconds(100), TimeSpan.FromMilliseconds(800))).WithDispatcher(VirtualTime.Dispatcher));
        tap.Tell(new OpenWire(0), _stack);
        _stack.ExpectMsg<WireUp>();
        return tap;
    }

    private IWire Reopen()
    {
        _attempts.Add(Scheduler.Elapsed);
        if (Interlocked.Exchange(ref _openFault, null) is { } fault)
            throw fault;
        return _next.TryDequeue(out var wire) ? wire : throw new WireException("memory: no such device.");
    }

    /// <summary>A stack that, with every frame, asks the tap how many it has read so far.</summary>
    private sealed class AskingStack : ReceiveActor
    {
        public AskingStack(IActorRef tap, List<long> readWhenAsked)
        {
            Receive<Frame>(frame =>
            {
                frame.Release();
                tap.Tell(GetStatus.Instance);
            });
            Receive<TapStatus>(status => readWhenAsked.Add(status.Wire.FramesReceived));
            Receive<WireUp>(_ => { });
        }
    }

    [Fact]
    public void A_read_that_finds_no_memory_costs_what_it_has_read_and_the_wire_is_read_again_after_a_moment()
    {
        Open();
        _wire.ReadFault = new OutOfMemoryException("A refusal on purpose.");
        EventFilter.Warning(start: "Out of memory: wire").ExpectOne(() => _wire.DeliverAll([Numbered(1), Numbered(2)]));
        Assert.False(_wire.Disposed);
        Assert.False(_stack.HasMessages);
        Advance(Tapwire.Actors.TapActor.MemoryPause);
        Assert.Equal(2, TakeFrame()[0]);
        Assert.Equal((1, true), (Status().FramesDropped, Status().Up));
    }
}
