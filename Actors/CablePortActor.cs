using Akka.Actor;
using Akka.Event;
using Tapwire.Actors.Capture;
using Tapwire.Actors.Dispatch;
using Tapwire.Actors.Settings;
using Tapwire.Messages;
using Tapwire.Posix;
using Tapwire.Stack.Buffers;
using Tapwire.Wires;
using Tapwire.Wires.Capture;

namespace Tapwire.Actors;

/// <summary>The context of a cable port's actor.</summary>
/// <param name="Device">The wire to plug in; the actor owns it from now on.</param>
/// <param name="Open">Opens the device again after a failure; throws <see cref="WireException"/>.</param>
/// <param name="End">This port's end of the cable; the actor owns it from now on.</param>
/// <param name="Batch">Frames moved before other actors have their turn, 1..1024.</param>
public sealed record CablePort(IWire Device, Func<IWire> Open, IWire End, IReactor Reactor, BufferPool Pool, int Batch,
    TimeSpan ReopenMinimum, TimeSpan ReopenMaximum)
{
    /// <summary>Stamps captured packets.</summary>
    public TimeProvider Clock { get; init; } = TimeProvider.System;
}

/// <summary>
/// Joins one device to one end of a cable, in both directions. A frame for which the other side has no room stays where it is, even in the device that it came
/// from. A device that fails is opened again, with growing pauses; meanwhile frames for it are dropped and counted.
/// </summary>
public sealed class CablePortActor : OwningActor, IWithTimers
{
    private readonly ILoggingAdapter _log = Context.GetLogger();
    private readonly CablePort _port;
    private readonly WirePump _inward;
    private readonly WirePump _outward;
    private readonly WireReopening _reopening;
    private IWire _device;
    private long _dropped;
    private long _refusedBefore;
    private Captures? _captures;

    public CablePortActor(CablePort port)
    {
        _port = port;
        _device = port.Device;
        _inward = new WirePump(port.Pool, port.Batch);
        _outward = new WirePump(port.Pool, port.Batch);
        _reopening = new WireReopening(this, port.Open, port.ReopenMinimum, port.ReopenMaximum);
        Running();
    }

    public ITimerScheduler Timers { get; set; } = null!;

    public static Props Props(CablePort port) => Akka.Actor.Props.Create(() => new CablePortActor(port));

    protected override void PreStart()
    {
        var self = Self;
        _port.End.Start(_port.Reactor, readiness => self.Tell(Ready.End(readiness), ActorRefs.NoSender));
        StartDevice();
    }

    protected override void PostStop()
    {
        _inward.Clear();
        _outward.Clear();
        _device.Dispose();
        _port.End.Dispose();
    }

    private void Running()
    {
        Receive<Ready>(Move);
        ReceiveCapture();
        Receive<GetStatus>(_ => Sender.Tell(Status(up: true)));
    }

    private void Down()
    {
        Receive<WireReopening.Due>(_ => TryReopen());
        Receive<Ready>(_ => _dropped += _outward.Drain(_port.End));
        ReceiveCapture();
        Receive<GetStatus>(_ => Sender.Tell(Status(up: false)));
    }

    private void ReceiveCapture()
    {
        Receive<JoinCapture>(HandleCapture);
        Receive<LeaveCapture>(HandleCapture);
    }

    /// <summary>Frames are captured where they come from the device, before the cable, and where they go to it, behind the cable.</summary>
    private void HandleCapture(object message)
    {
        Captures.Handle(message, ref _captures, () => new Captures(_port.Pool, _port.Clock, drops: null), [Place], Self);
        _inward.HasRead = _captures is null ? null : frame => _captures?.Add(frame, Place, CaptureDirection.Inbound);
        _outward.HasWritten = _captures is null ? null : frame => _captures?.Add(frame, Place, CaptureDirection.Outbound);
    }

    private CapturePlace Place => new(_device.Name, _device.Medium, _device.Mtu);

    private void StartDevice()
    {
        var self = Self;
        try
        {
            _device.Start(_port.Reactor, readiness => self.Tell(Ready.Device(readiness), ActorRefs.NoSender));
            _log.Info("{Device} is plugged in", _device.Name);
        }
        catch (WireException e)
        {
            Fail(e);
        }
    }

    /// <summary>Moves one batch. When there is more, other actors on this reactor have their turn first.</summary>
    private void Move(Ready ready)
    {
        try
        {
            if (ready.Inward && _inward.Run(_device, _port.End) == PumpState.More)
                Context.GoOnLater(Ready.TellMoreInward);
            if (ready.Outward && _outward.Run(_port.End, _device) == PumpState.More)
                Context.GoOnLater(Ready.TellMoreOutward);
        }
        catch (WireException e)
        {
            Fail(e);
        }

        _captures?.Flush();
    }

    private void Fail(WireException cause)
    {
        _log.Warning("{Device} failed: {Reason} Trying again in {Pause}", _device.Name, cause.Message, Duration.Format(_port.ReopenMinimum));
        _refusedBefore += _device.Refused;
        _device.Dispose();
        Become(Down);
        _reopening.Begin();
        _dropped += _inward.Clear() + _outward.Drain(_port.End);
    }

    private void TryReopen()
    {
        if (_reopening.TryOpen(out var failure) is { } device)
        {
            _device = device;
            Become(Running);
            StartDevice();
        }
        else if (failure is WireException)
        {
            _log.Debug("{Device} does not open: {Reason} Trying again in {Pause}", _device.Name, failure.Message, Duration.Format(_reopening.Pause));
        }
        else
        {
            _log.Error(failure, "{Device} does not open by a fault; trying again in {Pause}", _device.Name, Duration.Format(_reopening.Pause));
        }
    }

    private CablePortStatus Status(bool up) =>
        new(_device.Name, up, _dropped, _refusedBefore + (up ? _device.Refused : 0) + _port.End.Refused);

    /// <summary>A wire → its port: frames can be moved from the device inward, or outward to it.</summary>
    private sealed record Ready(bool Inward, bool Outward) : IDeadLetterSuppression
    {
        public static readonly Ready MoreInward = new(Inward: true, Outward: false);
        public static readonly Ready MoreOutward = new(Inward: false, Outward: true);
        public static readonly Action<object?> TellMoreInward = static port => ((IActorRef)port!).Tell(MoreInward, ActorRefs.NoSender);
        public static readonly Action<object?> TellMoreOutward = static port => ((IActorRef)port!).Tell(MoreOutward, ActorRefs.NoSender);
        private static readonly Ready Both = new(Inward: true, Outward: true);

        public static Ready Device(Readiness readiness) => Of(readiness, MoreInward, MoreOutward);

        public static Ready End(Readiness readiness) => Of(readiness, MoreOutward, MoreInward);

        /// <summary>Translates readiness. A hang-up counts as readable, because the next read reports it.</summary>
        private static Ready Of(Readiness readiness, Ready readable, Ready writable) =>
            readiness == Readiness.Writable ? writable : (readiness & Readiness.Writable) == 0 ? readable : Both;
    }
}
