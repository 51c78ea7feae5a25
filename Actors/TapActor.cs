using Akka.Actor;
using Akka.Event;
using Tapwire.Actors.Capture;
using Tapwire.Actors.Dispatch;
using Tapwire.Actors.Settings;
using Tapwire.Links.Protocol;
using Tapwire.Messages;
using Tapwire.Posix;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Interfaces;
using Tapwire.Wires;
using Tapwire.Wires.Capture;

namespace Tapwire.Actors;

/// <summary>The context of a tap actor. The caller opens the first wire, so that it can tell the user why it does not open; the actor opens later
/// ones.</summary>
/// <param name="Open">Opens the wire again after a failure; throws <see cref="WireException"/>.</param>
/// <param name="ReadBatch">Frames read before the stack has its turn, 1..1024.</param>
/// <param name="QueueFrames">Frames that may wait for a full wire; one more is dropped and counted.</param>
public sealed record TapContext(IWire Wire, Func<IWire> Open, IReactor Reactor, BufferPool Pool, TimeProvider Clock, int ReadBatch, int QueueFrames,
    TimeSpan ReopenMinimum, TimeSpan ReopenMaximum)
{
    /// <summary>The name of the wire's interface, by which a capture knows it.</summary>
    public string Interface { get; init; } = "";
}

/// <summary>
/// Owns one wire: reads frames when the reactor reports them, and writes the stack's frames. A wire that fails is opened again, with growing pauses. Meanwhile
/// frames are dropped and counted, and the stack keeps its sockets.
/// </summary>
/// <remarks>
/// An exception outside a wire's contract is a fault of its code. While a frame is written, the fault costs that frame, because the wire would fail on it again
/// after an outage. Any other counts as the wire's failure: the wire may never report again, and only a new one is known to.
/// </remarks>
public sealed class TapActor : OwningActor, IWithTimers
{
    /// <summary>Credit goes back to the stack in lots of this many frames, to save messages. It is far below the stack's whole credit.</summary>
    internal const int CreditLot = 32;

    /// <summary>Pause before a wire is read again after a failed allocation.</summary>
    internal static readonly TimeSpan MemoryPause = TimeSpan.FromMilliseconds(10);

    /// <summary>Bytes logged of a frame on which the wire's code fails: all headers.</summary>
    private const int FaultBytes = 128;

    private readonly ILoggingAdapter _log = Context.GetLogger();
    private readonly TapContext _tap;
    private readonly EgressCost _cost;
    private readonly WireReopening _reopening;
    private readonly PacketBuffer[] _batch;
    private readonly PacketBuffer[] _one = new PacketBuffer[1];
    private readonly Queue<PacketBuffer> _waiting = new();
    private IWire _wire;
    private IActorRef _stack = ActorRefs.Nobody;
    private byte _interface;

    // What the stack has been told.
    private bool _isUp;
    private int _credit;
    private (long Frames, long Bytes) _received;
    private (long Frames, long Bytes) _sent;
    private long _framesDropped;
    private long _refusedBefore;
    private Captures? _captures;

    public TapActor(TapContext tap)
    {
        _tap = tap;
        _wire = tap.Wire;
        _cost = new EgressCost(tap.Wire);
        _reopening = new WireReopening(this, tap.Open, tap.ReopenMinimum, tap.ReopenMaximum);
        _batch = new PacketBuffer[tap.ReadBatch];
        Running();
    }

    public ITimerScheduler Timers { get; set; } = null!;

    public static Props Props(TapContext tap) => Akka.Actor.Props.Create(() => new TapActor(tap));

    protected override void PostStop()
    {
        _wire.Dispose();
        while (_waiting.TryDequeue(out var frame))
            frame.Release();
    }

    private void Running()
    {
        Receive<Frame>(frame => Write(frame.Buffer));
        Receive<WireReady>(ready => Handle(ready.Readiness));
        Receive<OpenWire>(open =>
        {
            Belong(open);
            Start();
        });
        Receive<RereadWire>(_ => Reread());
        ReceiveCapture();
        Receive<GetStatus>(_ => Sender.Tell(Status(isOpen: true)));
    }

    private void Down()
    {
        Receive<WireReopening.Due>(_ => TryReopen());
        Receive<Frame>(frame => Drop(frame.Buffer));
        Receive<WireReady>(_ => { });
        Receive<OpenWire>(Belong);
        // It is read when the wire is opened again.
        Receive<RereadWire>(_ => { });
        ReceiveCapture();
        Receive<GetStatus>(_ => Sender.Tell(Status(isOpen: false)));
    }

    private void ReceiveCapture()
    {
        Receive<JoinCapture>(HandleCapture);
        Receive<LeaveCapture>(HandleCapture);
    }

    private void HandleCapture(object message)
    {
        Captures.Handle(message, ref _captures, () => new Captures(_tap.Pool, _tap.Clock, drops: null), [], Self);
        ShowTunnel();
    }

    /// <summary>Has the wire show its tunnel's datagrams if a capture wants them.</summary>
    private void ShowTunnel()
    {
        if (_wire.Protocol is { } protocol)
            protocol.TunnelObserver = _captures is { WantsOuter: true } captures ? new TunnelCapture(captures, _tap.Pool, new CapturePlace(_tap.Interface, Medium.Ip, _wire.Mtu, IsOuter: true)) : null;
    }

    private void Belong(OpenWire open)
    {
        _stack = Sender;
        _interface = open.Interface;
    }

    private void Start()
    {
        var self = Self;
        ShowTunnel();
        try
        {
            _wire.Start(_tap.Reactor, readiness =>
                self.Tell(readiness == Readiness.Readable ? WireReady.Readable : new WireReady(readiness), ActorRefs.NoSender));
        }
        catch (Exception e)
        {
            Fail(e);
            return;
        }

        if (_wire.HasCarrier)
            TellUp();
        _log.Info("Wire {Wire} is {State}: MTU {Mtu}, offloads {Offloads}", _wire.Name, _wire.HasCarrier ? "up" : "open", _wire.Mtu, WireStatuses.OffloadsOf(_wire));
    }

    private void TellUp()
    {
        _isUp = true;
        _stack.Tell(new WireUp(_interface, _wire.Name, _wire.HardwareAddress, _wire.Mtu));
    }

    /// <summary>Tells the stack that somebody has come to, or gone from, the other end of a wire that stays.</summary>
    private void LookAtCarrier()
    {
        if (!_isUp && _wire.HasCarrier)
            TellUp();
        else if (_isUp && !_wire.HasCarrier)
            TellDown("There is nobody at its other end.");
    }

    private void TellDown(string reason)
    {
        _isUp = false;
        _stack.Tell(new WireDown(_interface, _wire.Name, reason));
    }

    private void Handle(Readiness readiness)
    {
        try
        {
            if ((readiness & Readiness.Writable) != 0)
                WriteWaiting();
            if ((readiness & ~Readiness.Writable) != 0)
                Read();
            LogNotices();
            LookAtCarrier();
        }
        catch (Exception e) when (MemoryFaults.IsOne(e))
        {
            // The wire is intact. The frames read so far are lost, as when a device's queue is full; the others wait in the device.
            MemoryFaults.Of(Context.System).Warn(_log, "Out of memory: wire {Wire} is not read for {Pause}", _wire.Name, Duration.Format(MemoryPause));
            ReleaseBatch();
            Timers.StartSingleTimer(WireReady.Readable, WireReady.Readable, MemoryPause);
        }
        catch (Exception e)
        {
            Fail(e);
        }
    }

    /// <summary>Reads one batch. When there may be more, others have their turn first. (A small count does not mean that the device is empty: frames may have
    /// been merged.)</summary>
    private void Read()
    {
        var count = _wire.Read(_tap.Pool, _batch, out var more);
        var now = _tap.Clock.GetTimestamp();
        for (var i = 0; i < count; i++)
        {
            var frame = _batch[i];
            _batch[i] = null!;
            frame.ReceivedAt = now;
            frame.Interface = _interface;
            _received.Frames++;
            _received.Bytes += frame.TotalLength;
            _stack.Tell(Frame.Of(frame));
        }

        if (more)
            Context.GoOnLater(WireReady.TellReadable);
    }

    private void Reread()
    {
        _wire.Protocol?.Reread();
        LogNotices();
    }

    /// <summary>Logs what a wire with a protocol of its own has to say.</summary>
    private void LogNotices()
    {
        if (_wire.Protocol is not { } protocol)
            return;
        while (protocol.TryTakeNotice(out var notice))
        {
            const string Template = "Wire {Wire}: {Notice}";
            if (notice.Level == WireNoticeLevel.Warning)
                _log.Warning(Template, _wire.Name, notice.Text);
            else if (notice.Level == WireNoticeLevel.Information)
                _log.Info(Template, _wire.Name, notice.Text);
            else
                _log.Debug(Template, _wire.Name, notice.Text);
        }
    }

    private void Write(PacketBuffer frame)
    {
        try
        {
            if (_waiting.Count == 0 && TryWrite(frame))
                return;
        }
        catch (WireException e)
        {
            Drop(frame);
            Fail(e);
            return;
        }
        catch (Exception e)
        {
            DropFaulty(frame, e);
            return;
        }

        if (_waiting.Count < _tap.QueueFrames)
            _waiting.Enqueue(frame);
        else
            Drop(frame);
    }

    private void WriteWaiting()
    {
        while (_waiting.TryPeek(out var frame))
        {
            try
            {
                if (!TryWrite(frame))
                    return;
                _waiting.Dequeue();
            }
            catch (Exception e) when (e is not WireException)
            {
                _waiting.Dequeue();
                DropFaulty(frame, e);
            }
        }
    }

    /// <summary>Writes and releases a frame. False if the wire is full; the frame is then still the caller's.</summary>
    private bool TryWrite(PacketBuffer frame)
    {
        _one[0] = frame;
        if (_wire.Write(_one) == 0)
            return false;
        _sent.Frames++;
        _sent.Bytes += frame.TotalLength;
        GiveCredit(frame);
        frame.Release();
        return true;
    }

    private void DropFaulty(PacketBuffer frame, Exception cause)
    {
        if (MemoryFaults.IsOne(cause))
            MemoryFaults.Of(Context.System).Warn(_log, "Out of memory: a frame is not written to wire {Wire}", _wire.Name);
        else
            LogFaulty(frame, cause);
        Drop(frame);
    }

    private void LogFaulty(PacketBuffer frame, Exception cause) =>
        _log.Error(cause, "Wire {Wire} failed on a frame that begins with {FrameBytes}", _wire.Name,
            Convert.ToHexString(frame.Span[..Math.Min(frame.Length, FaultBytes)]));

    /// <summary>Drops a frame of the stack's. A capture has had it when it was sent here, and has it once more, with the reason.</summary>
    private void Drop(PacketBuffer frame)
    {
        _framesDropped++;
        _captures?.Add(frame, new CapturePlace(_tap.Interface, _wire.Medium, _wire.Mtu), CaptureDirection.Outbound, "FramesDropped");
        _captures?.Flush();
        GiveCredit(frame);
        frame.Release();
    }

    private void GiveCredit(PacketBuffer frame)
    {
        _credit += _cost.Of(frame);
        if (_credit < CreditLot)
            return;
        _stack.Tell(FramesWritten.Of(_interface, _credit));
        _credit = 0;
    }

    private void Fail(Exception cause)
    {
        if (cause is WireException)
            _log.Warning("Wire {Wire} failed: {Reason} Trying again in {Pause}", _wire.Name, cause.Message, Duration.Format(_tap.ReopenMinimum));
        else
            _log.Error(cause, "Wire {Wire} failed by a fault of its code; trying again in {Pause}", _wire.Name, Duration.Format(_tap.ReopenMinimum));
        _refusedBefore += _wire.Refused;
        _wire.Dispose();

        // The state changes before anything else can fail: an actor that still relied on a closed wire would never open another.
        Become(Down);
        _reopening.Begin();
        TellDown(cause.Message);
        ReleaseBatch();
        while (_waiting.TryDequeue(out var frame))
            Drop(frame);
    }

    /// <summary>Releases the frames that a read had filled in when it threw.</summary>
    private void ReleaseBatch()
    {
        foreach (var frame in _batch)
        {
            if (frame is null)
                continue;
            _framesDropped++;
            frame.Release();
        }

        Array.Clear(_batch);
    }

    private void TryReopen()
    {
        if (_reopening.TryOpen(out var failure) is { } wire)
        {
            _wire = wire;
            Become(Running);
            Start();
        }
        else if (failure is WireException)
        {
            _log.Debug("Wire {Wire} does not open: {Reason} Trying again in {Pause}", _wire.Name, failure.Message, Duration.Format(_reopening.Pause));
        }
        else
        {
            _log.Error(failure, "Wire {Wire} does not open by a fault; trying again in {Pause}", _wire.Name, Duration.Format(_reopening.Pause));
        }
    }

    private TapStatus Status(bool isOpen) => new(new WireStatus(
        _wire.Name, isOpen && _wire.HasCarrier, _wire.Mtu, _wire.HardwareAddress?.ToString(), WireStatuses.OffloadsOf(_wire),
        _received.Frames, _received.Bytes, _sent.Frames, _sent.Bytes, _refusedBefore + (isOpen ? _wire.Refused : 0), _framesDropped)
    {
        Peers = isOpen && _wire.Protocol is { } protocol ? [.. protocol.Peers.Select(WireStatuses.PeerOf)] : [],
        Counters = isOpen && _wire.Protocol is { } counting ? counting.Counters : WireStatus.NoCounters,
    });

    /// <summary>The wire's reactor → TapActor: the wire can be read or written again.</summary>
    private sealed record WireReady(Readiness Readiness) : IDeadLetterSuppression
    {
        public static readonly WireReady Readable = new(Readiness.Readable);
        public static readonly Action<object?> TellReadable = static tap => ((IActorRef)tap!).Tell(Readable, ActorRefs.NoSender);
    }
}
