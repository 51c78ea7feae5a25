using Akka.Actor;
using Akka.Event;
using Tapwire.Actors.Dispatch;
using Tapwire.Actors.Sockets;
using Tapwire.Messages;
using Tapwire.Stack;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Dhcp;
using Tapwire.Stack.Forwarding;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Tcp;
using Tapwire.Stack.Udp;

namespace Tapwire.Actors;

/// <summary>The context of a stack actor.</summary>
/// <param name="Wires">The wires of the stack's initial interfaces, in the same order.</param>
/// <param name="Clock">Monotonic time for the engine; a test gives its own.</param>
/// <param name="QueueFrames">Frames of each wire that may wait for a poll, at least 1; one more is dropped and counted.</param>
/// <param name="QueueBytes">Memory that those frames may hold.</param>
/// <param name="FramesPerPoll">Frames processed per <see cref="Poll"/>; the rest waits for the next.</param>
/// <param name="EgressCredit">Frames that may be on their way to each wire; see <see cref="EgressCost"/>.</param>
/// <param name="MaximumTick">Longest time between two polls, or infinite: no tick while nothing is due.</param>
public sealed record StackContext(NetworkStack Stack, IReadOnlyList<WireTap> Wires, BufferPool Pool, TimeProvider Clock,
    int QueueFrames, long QueueBytes, int FramesPerPoll, int EgressCredit, TimeSpan MaximumTick)
{
    /// <summary>The watch of the memory that is left; null without one.</summary>
    public MemoryWatch? Memory { get; init; }
}

/// <summary>The tap actor of a wire.</summary>
/// <param name="CutsSuperFrames">See <see cref="AttachInterface.CutsSuperFrames"/>.</param>
public readonly record struct WireTap(IActorRef Tap, bool CutsSuperFrames = false);

/// <summary>
/// Owns one <see cref="NetworkStack"/>, and is its only caller. Frames are queued. The first frame in an empty queue posts <see cref="Poll"/>; so does a socket
/// call, once for all calls in the mailbox; and the scheduler posts it at the engine's next deadline, never while nothing is due.
/// </summary>
public sealed partial class StackActor : UntypedActor, IWithTimers
{
    /// <summary>Bytes logged of a frame on which the engine fails: all headers.</summary>
    private const int FaultBytes = 128;

    /// <summary>Runs behind the actors that have been told something before, so that they have had a turn to answer.</summary>
    private static readonly Action<object?> TellAnswered = static stack => ((IActorRef)stack!).Tell(Poll.Answered, ActorRefs.NoSender);

    private static readonly TimeSpan FaultPause = TimeSpan.FromMilliseconds(10);

    private readonly ILoggingAdapter _log = Context.GetLogger();
    private readonly RefusalLog _refusals = new(Context.System.Scheduler);
    private readonly StackContext _context;
    private readonly StackDesk _desk;
    private readonly NetworkStack _stack;
    private readonly PollTurns _turns;
    private readonly StackWires _wires;
    private readonly StackMemory _memory;
    private readonly ShardSiblings _siblings;
    private readonly StreamSockets _streams;
    private readonly ListeningSockets _listeners;
    private readonly DatagramSockets _datagrams;
    private readonly EchoRequests _echoes;
    private readonly DhcpSockets _dhcp;
    private readonly InterfaceWatchers _watchers;
    private readonly AutoconfigurationLog _autoconfiguration;
    private readonly OptionRequests _options;
    private readonly ForwardedTraffic _forwarded;
    private long _engineFaults;
    private ICancelable? _tick;
    private Instant _tickAt = Instant.Never;

    /// <summary>The latest time that the engine was given. The engine's time must not go back.</summary>
    private Instant _engineTime;

    public StackActor(StackContext context)
    {
        _context = context;
        _stack = context.Stack;
        _desk = new StackDesk(context, Self, _log, _refusals);
        _turns = _desk.Turns;
        _wires = new StackWires(_desk);
        _memory = new StackMemory(_desk);
        _siblings = new ShardSiblings(_desk, _wires, this);
        _listeners = new ListeningSockets(_desk, _siblings);
        _streams = new StreamSockets(_desk, _listeners);
        _datagrams = new DatagramSockets(_desk, _siblings);
        _echoes = new EchoRequests(_desk, this);
        _dhcp = new DhcpSockets(_desk);
        _watchers = new InterfaceWatchers(_desk);
        _autoconfiguration = new AutoconfigurationLog(_desk);
        _options = new OptionRequests(_desk);
        _forwarded = new ForwardedTraffic(_desk);
    }

    public ITimerScheduler Timers { get; set; } = null!;

    private Instant Now => _desk.Now;

    public static Props Props(StackContext context) => Akka.Actor.Props.Create(() => new StackActor(context));

    /// <summary>Messages that come with every packet are handled first; every other conversation has its own object.</summary>
    protected override void OnReceive(object message)
    {
        switch (message)
        {
            case Frame frame:
                if (_stack.Options.Shard is { } shard)
                    _siblings.TakeFrame(frame.Buffer, shard, Sender);
                else
                    _wires.Enqueue(frame.Buffer);
                break;
            case Poll poll:
                HandlePoll(poll);
                break;
            case FramesWritten written:
                // Credit makes a poll necessary only if output has waited for room, or connections are being reset.
                if (_wires.AddCredit(written) || _resets)
                    _desk.PostPoll();
                break;
            case GetStatus asked:
                Sender.Tell(StackStatuses.Of(_desk, OwnCounters, asked.ListsSockets));
                break;
            case GetSockets wanted:
                Sender.Tell(StackStatuses.PageOf(_desk, wanted));
                break;
            default:
                if (!HandleRare(message))
                    Unhandled(message);
                break;
        }
    }

    /// <summary>Shards open the wire after <see cref="Siblings"/> arrives.</summary>
    protected override void PreStart()
    {
        if (_stack.Options.Shard is null)
            _wires.Open();
    }

    protected override void PostStop()
    {
        _tick?.Cancel();
        _echoes.Refuse();
        _stack.Close(Now);

        // The last frames go out as far as the wires take them.
        _wires.SendQueued();
        _wires.Clear();
        _desk.Captures?.Flush();
    }

    private IEnumerable<KeyValuePair<string, long>> OwnCounters =>
    [
        new("FrameQueueDrops", _wires.Dropped),
        new("EngineFaults", _engineFaults),
        new("ShardCrossings", _siblings.Crossings),
    ];

    private bool HandleRare(object message) =>
        _streams.Handle(message, Sender) || _datagrams.Handle(message, Sender) || _listeners.Handle(message, Sender) || _options.Handle(message, Sender)
        || _forwarded.Handle(message, Sender) || _echoes.Handle(message, Sender) || _dhcp.Handle(message, Sender) || _watchers.Handle(message, Sender) || _wires.Handle(message, Sender) || _desk.HandleCapture(message) || HandleStop(message) || _siblings.Handle(message);

    /// <summary>Runs a turn, or the next round of one: <see cref="PollTurns"/> has the diagram.</summary>
    private void HandlePoll(Poll poll)
    {
        if (ReferenceEquals(poll, Poll.Due))
            _tickAt = Instant.Never;
        if (!_turns.TryBegin(poll))
            return;

        var now = Now;
        _memory.Watch(now);
        if (!ReferenceEquals(poll, Poll.Answered))
            Digest(now);

        if (_turns.TryGoRound())
        {
            // The engine's own answers (to a SYN, an echo request) do not wait for the poll.
            _wires.SendQueued();
            _desk.Captures?.Flush();
            Context.GoOnLater(TellAnswered);
            return;
        }

        Output(now);
        _desk.Captures?.Flush();
        StopWhenDone();
    }

    private void Digest(Instant now)
    {
        var captures = _desk.Captures;
        for (var budget = _context.FramesPerPoll; budget > 0 && _wires.TryDequeue(out var frame); budget--)
        {
            var faults = _engineFaults;
            captures?.Arrives(frame, _wires.PlaceOf(frame));
            Digest(frame, now);
            captures?.HasArrived(_engineFaults != faults);
        }

        TellEvents();
    }

    /// <summary>Tells of addresses that the engine has given up, and of name servers that routers have named.</summary>
    private void TellConfiguration()
    {
        // All shards have seen it, and one tells.
        var tells = _stack.Options.Shard is null or { Index: 0 };
        while (_stack.TryTakeDuplicate(out var duplicate))
        {
            if (!tells)
                continue;
            _log.Error("The address {Address} is not used on {Interface}: another station has it{Holder}", duplicate.Address, duplicate.Interface,
                duplicate.Holder == default ? "" : $", {duplicate.Holder}");
            _dhcp.Tell(duplicate);
        }

        _autoconfiguration.Tell(tells);
        _watchers.Tell();
        if (!tells)
            return;
        _wires.TellNames(Context.Parent);
        _dhcp.TellAdvice();
    }

    private void Output(Instant now)
    {
        if (_resets)
            ResetConnections(now);
        var notBefore = PollEngine(now) ? now : now + FaultPause;
        TellEvents();
        TellConfiguration();
        _turns.Output();
        Emit(now);
        _siblings.PassOn();
        if (_wires.HaveReceived)
            _desk.PostPoll();
        else
            Arm(now, notBefore);
    }

    /// <summary>Processes a frame. If the engine throws, its code is at fault: the frame is dropped and its bytes are logged.</summary>
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

    /// <summary>The arrival time of a frame. Round trips and losses are measured by it, so it excludes the time that the frame has waited for its turn.</summary>
    private Instant ArrivalOf(PacketBuffer frame, Instant now)
    {
        if (frame.ReceivedAt == 0)
            return now;
        return Instant.Max(_engineTime, Instant.Min(_desk.InstantOf(frame.ReceivedAt), now));
    }

    /// <summary>Runs timers and output. An exception costs the turn and a pause, which keeps a persistent fault from becoming a loop.</summary>
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

    /// <summary>Sends frames to the wires within their credit, and lets sockets fill the room that becomes free.</summary>
    private void Emit(Instant now)
    {
        _wires.SendQueued();
        while (_stack.PollAt <= now)
        {
            if (!PollEngine(now) || !_wires.SendQueued())
                return;
        }
    }

    /// <summary>Passes the engine's events on to the owners of the sockets.</summary>
    private void TellEvents()
    {
        while (_stack.TryDequeueEvent(out var socket, out var events))
        {
            if (socket is IcmpEchoSocket echo)
                _echoes.Tell(echo);
            if (socket is DhcpPort dhcp)
                _dhcp.Tell(dhcp);
            if (socket is StackForwarder forwarder)
                _forwarded.Tell(forwarder);
            if (socket.Owner is not SocketEntry entry)
                continue;
            _telling = entry;
            switch (socket)
            {
                case TcpSocket stream:
                    _streams.Tell(entry, stream, events);
                    break;
                case TcpListener listener:
                    _listeners.Tell(entry, listener);
                    break;
                case UdpSocket datagrams:
                    _datagrams.Tell(entry, datagrams, events);
                    break;
            }
        }

        _telling = null;
    }

    /// <summary>
    /// Has the scheduler post a poll at the engine's next deadline. A tick that is set for an earlier time stays: most deadlines move with every segment, and one early poll
    /// is cheaper than a cancelled timer for each segment.
    /// </summary>
    private void Arm(Instant now, Instant notBefore)
    {
        var due = Instant.Max(_stack.PollAt, notBefore);
        if (_context.MaximumTick != Timeout.InfiniteTimeSpan)
            due = Instant.Min(due, now + _context.MaximumTick);
        if (due == Instant.Never || _tickAt <= due)
            return;
        if (due <= now)
        {
            _desk.PostPoll();
            return;
        }

        _tick?.Cancel();
        _tick = Context.System.Scheduler.ScheduleTellOnceCancelable(due - now, Self, Poll.Due, ActorRefs.NoSender);
        _tickAt = due;
    }
}
