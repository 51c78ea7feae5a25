using Akka.Actor;
using Akka.Event;
using Tapwire.Actors.Dispatch;
using Tapwire.Messages;
using Tapwire.Stack;
using Tapwire.Stack.Buffers;

namespace Tapwire.Actors;

/// <summary>What a stack actor works with.</summary>
/// <param name="Clock">Monotonic time for the engine; a test gives its own.</param>
/// <param name="QueueFrames">Frames that wait for a poll, 1 or more; one more is dropped and counted.</param>
/// <param name="QueueBytes">Memory that those frames may hold on to.</param>
/// <param name="FramesPerPoll">Frames digested per <see cref="Poll"/>; the rest waits for the next.</param>
/// <param name="EgressCredit">Frames that may be on their way to the wire; see <see cref="Cost"/>.</param>
/// <param name="MaximumTick">Longest time between two polls, or infinite: no tick while nothing is due.</param>
public sealed record StackContext(NetworkStack Stack, IActorRef Tap, BufferPool Pool, TimeProvider Clock,
    int QueueFrames, long QueueBytes, int FramesPerPoll, int EgressCredit, TimeSpan MaximumTick)
{
    /// <summary>As the tap actor reckons. One for each frame, unless told otherwise.</summary>
    internal EgressCost Cost { get; init; }

    /// <summary>Null: memory is not watched.</summary>
    public MemoryWatch? Memory { get; init; }
}

/// <summary>
/// Owns one <see cref="NetworkStack"/> and is the only one who calls it. Frames are queued; the first one in an empty queue posts <see cref="Poll"/>, and so
/// does every socket call, once for all that are in the mailbox; the scheduler posts it at the engine's next deadline, and never when nothing is due.
/// </summary>
public sealed partial class StackActor : UntypedActor, IWithTimers
{
    /// <summary>Of a frame that the engine fails on, so many bytes are logged: all headers.</summary>
    private const int FaultBytes = 128;

    /// <summary>Comes behind whoever was told something before, so that they have had their turn to answer.</summary>
    private static readonly Action<object?> TellAnswered = static stack => ((IActorRef)stack!).Tell(Poll.Answered, ActorRefs.NoSender);

    private static readonly TimeSpan FaultPause = TimeSpan.FromMilliseconds(10);

    private readonly ILoggingAdapter _log = Context.GetLogger();
    private readonly RefusalLog _refusals = new(Context.System.Scheduler);
    private readonly StackContext _context;
    private readonly NetworkStack _stack;
    private readonly FrameQueue _frames;
    private readonly SocketTable _sockets = new();
    private readonly long _origin;
    private readonly PollTurns _turns = new();
    private int _credit;
    private long _frameQueueDrops;
    private long _engineFaults;
    private ICancelable? _tick;
    private Instant _tickAt = Instant.Never;

    /// <summary>The latest time that the engine has been told with a frame or a poll: it must not go back.</summary>
    private Instant _engineTime;

    public StackActor(StackContext context)
    {
        _context = context;
        _stack = context.Stack;
        _frames = new FrameQueue(context.QueueFrames, context.QueueBytes);
        _credit = context.EgressCredit;
        _origin = context.Clock.GetTimestamp();
    }

    public ITimerScheduler Timers { get; set; } = null!;

    private Instant Now => new(_context.Clock.GetElapsedTime(_origin).Ticks);

    public static Props Props(StackContext context) => Akka.Actor.Props.Create(() => new StackActor(context));

    /// <summary>What comes for every packet is asked for first; every conversation has a file of its own.</summary>
    protected override void OnReceive(object message)
    {
        switch (message)
        {
            case Frame frame:
                if (_stack.Options.Shard is { } shard)
                    TakeFrame(frame, shard);
                else
                    Enqueue(frame.Buffer);
                break;
            case Poll poll:
                HandlePoll(poll);
                break;
            case FramesWritten written:
                AddCredit(written.Count);
                break;
            case WireUp:
                _stack.Announce(Now);
                PostPoll();
                break;
            case WireDown:
                _stack.LinkDown();
                break;
            default:
                if (!(IsOfStream(message) || IsOfListener(message) || IsOfDatagrams(message) || IsOfManagement(message) || IsOfStop(message) || IsOfShards(message)))
                    Unhandled(message);
                break;
        }
    }

    /// <summary>One of several waits for its siblings.</summary>
    protected override void PreStart()
    {
        if (_stack.Options.Shard is null)
            _context.Tap.Tell(OpenWire.Instance);
    }

    protected override void PostStop()
    {
        _tick?.Cancel();
        RefusePings();
        _frames.Clear();
        _stack.Close(Now);

        // The last words go out as far as the wire takes them.
        SendQueued();
        while (_stack.TryDequeueFrame(out var frame))
            frame.Release();
    }

    private void Enqueue(PacketBuffer frame)
    {
        if (_frames.TryEnqueue(frame))
        {
            PostPoll();
            return;
        }

        _frameQueueDrops++;
        frame.Release();
    }

    /// <summary>The wire has room again. Only output that has waited for it, or a reset of the last connections, has something to do with it.</summary>
    private void AddCredit(int frames)
    {
        var waited = _credit <= 0 || _resets;
        _credit += frames;
        if (waited)
            PostPoll();
    }

    private void PostPoll()
    {
        if (_turns.TryPost())
            Self.Tell(Poll.Now, ActorRefs.NoSender);
    }

    /// <summary>A turn, or the next round of one: <see cref="PollTurns"/> has the picture.</summary>
    private void HandlePoll(Poll poll)
    {
        if (ReferenceEquals(poll, Poll.Due))
            _tickAt = Instant.Never;
        if (!_turns.TryBegin(poll))
            return;

        var now = Now;
        WatchMemory(now);
        if (!ReferenceEquals(poll, Poll.Answered))
            Digest(now);

        if (_turns.TryGoRound())
        {
            // What the engine has answered by itself (a SYN, an echo request) has nothing to wait for.
            SendQueued();
            Context.GoOnLater(TellAnswered);
            return;
        }

        Output(now);
        StopWhenDone();
    }

    private void Digest(Instant now)
    {
        for (var budget = _context.FramesPerPoll; budget > 0 && _frames.TryDequeue(out var frame); budget--)
            Digest(frame, now);
        TellEvents(now);
    }

    private void Output(Instant now)
    {
        if (_resets)
            ResetConnections(now);
        var notBefore = PollEngine(now) ? now : now + FaultPause;
        TellEvents(now);
        _turns.Output();
        Emit(now);
        PassOn();
        if (_frames.Count > 0)
            PostPoll();
        else
            Arm(now, notBefore);
    }

    /// <summary>A frame that makes the engine throw is a fault of the engine: it costs that frame, is logged with its bytes, and nothing else.</summary>
    private void Digest(PacketBuffer frame, Instant now)
    {
        var bytes = frame.Span[..Math.Min(frame.Length, FaultBytes)];
        try
        {
            _stack.Receive(frame, _engineTime = ArrivalOf(frame, now));
        }
        catch (Exception e) when (MemoryFaults.IsOne(e))
        {
            _engineFaults++;
            _refusals.Warn(_log, "Out of memory: a frame is dropped");
        }
        catch (Exception e)
        {
            _engineFaults++;
            _log.Error(e, "The engine failed on a frame that begins with {FrameBytes}", Convert.ToHexString(bytes));
        }
    }

    /// <summary>When a frame has come. Round trips are measured by that, and losses told by them: the time that a frame has waited for its turn is not the path's.</summary>
    private Instant ArrivalOf(PacketBuffer frame, Instant now)
    {
        if (frame.ReceivedAt == 0)
            return now;
        var arrival = new Instant(_context.Clock.GetElapsedTime(_origin, frame.ReceivedAt).Ticks);
        return Instant.Max(_engineTime, Instant.Min(arrival, now));
    }

    /// <summary>Timers and output. What throws there costs that turn, and a pause, so that a fault that stays does not become a loop.</summary>
    private bool PollEngine(Instant now)
    {
        try
        {
            _engineTime = now;
            _stack.Poll(now);
            return true;
        }
        catch (Exception e) when (MemoryFaults.IsOne(e))
        {
            _engineFaults++;
            _refusals.Warn(_log, "Out of memory: output waits");
            return false;
        }
        catch (Exception e)
        {
            _engineFaults++;
            _log.Error(e, "The engine failed on its timers or its output");
            return false;
        }
    }

    /// <summary>Hands frames to the wire within its credit, and lets sockets fill the room that this makes.</summary>
    private void Emit(Instant now)
    {
        SendQueued();
        while (_credit > 0 && _stack.PollAt <= now)
        {
            var before = _credit;
            if (!PollEngine(now))
                return;
            SendQueued();
            if (_credit == before)
                return;
        }
    }

    private void SendQueued()
    {
        while (_credit > 0 && _stack.TryDequeueFrame(out var frame))
            Send(frame);
    }

    /// <summary>The last frame that the credit allows may overdraw it.</summary>
    private void Send(PacketBuffer frame)
    {
        _credit -= _context.Cost.Of(frame);
        _context.Tap.Tell(Frame.Of(frame));
    }

    /// <summary>
    /// Has the scheduler post a poll at the engine's next deadline. A tick that is set for an earlier time stays: most deadlines move on with every
    /// segment, and one early poll is cheaper than a cancelled timer for each.
    /// </summary>
    private void Arm(Instant now, Instant notBefore)
    {
        var due = Instant.Max(_stack.PollAt, notBefore);
        if (_credit <= 0 && due <= now)
            return; // the wire's credit, when it comes back, posts the poll
        if (_context.MaximumTick != Timeout.InfiniteTimeSpan)
            due = Instant.Min(due, now + _context.MaximumTick);
        if (due == Instant.Never || _tickAt <= due)
            return;
        if (due <= now)
        {
            PostPoll();
            return;
        }

        _tick?.Cancel();
        _tick = Context.System.Scheduler.ScheduleTellOnceCancelable(due - now, Self, Poll.Due, ActorRefs.NoSender);
        _tickAt = due;
    }
}
