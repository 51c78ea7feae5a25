using Akka.Actor;
using Akka.Event;
using Tapwire.Actors.Capture;
using Tapwire.Links.Protocol;
using Tapwire.Messages;
using Tapwire.Wires.Capture;

namespace Tapwire.Actors;

/// <summary>
/// A cable between two devices: it has an actor for each port, and reports their counters on request. It ends when a port's actor ends, which only a fault in
/// that actor's code causes. A capture of all its packets ends before it does: on <see cref="Stopping"/>, which is answered by the same when the last packet has been written.
/// </summary>
public sealed class CableActor : ReceiveActor
{
    private readonly ILoggingAdapter _log = Context.GetLogger();
    private readonly CablePort _portA;
    private readonly CablePort _portB;
    private readonly string _dispatcher;
    private readonly Queue<IActorRef> _askers = new();
    private readonly Queue<CablePortStatus> _fromA = new();
    private readonly Queue<CablePortStatus> _fromB = new();
    private IActorRef _a = ActorRefs.Nobody;
    private IActorRef _b = ActorRefs.Nobody;
    private IActorRef _capture = ActorRefs.Nobody;
    private IActorRef _waitsForEnd = ActorRefs.Nobody;
    private CaptureFeed? _feed;

    public CableActor(CablePort a, CablePort b, string dispatcher)
    {
        _portA = a;
        _portB = b;
        _dispatcher = dispatcher;
        Receive<GetStatus>(request =>
        {
            _askers.Enqueue(Sender);
            _a.Tell(request);
            _b.Tell(request);
        });
        Receive<CablePortStatus>(Collect);
        Receive<StartCapture>(Capture);
        Receive<Stopping>(_ => EndCapture());
        Receive<Terminated>(gone =>
        {
            if (gone.ActorRef.Equals(_capture))
            {
                ForgetCapture();
                return;
            }

            _log.Error("Port {Port} has stopped, and the cable with it", gone.ActorRef.Path.Name);
            Context.Stop(Self);
        });
    }

    /// <param name="dispatcher">The id of the dispatcher of both ports.</param>
    public static Props Props(CablePort a, CablePort b, string dispatcher) => Akka.Actor.Props.Create(() => new CableActor(a, b, dispatcher));

    /// <summary>A port that has thrown no longer knows which frames it has moved, so it stops, and the cable with it.</summary>
    protected override SupervisorStrategy SupervisorStrategy() => Supervision.Stop;

    protected override void PreStart()
    {
        _a = Context.Watch(Context.ActorOf(CablePortActor.Props(_portA).WithDispatcher(_dispatcher), "a"));
        _b = Context.Watch(Context.ActorOf(CablePortActor.Props(_portB).WithDispatcher(_dispatcher), "b"));
    }

    private void Capture(StartCapture wanted)
    {
        if (_feed is not null)
        {
            Sender.Tell(wanted.Refuse(LinkErrno.Busy, "The cable has a capture already."));
            return;
        }

        _feed = new CaptureFeed(wanted.Options);
        _capture = Context.Watch(Context.ActorOf(CaptureActor.Props(_feed, wanted, _portA.Clock).WithDispatcher(Context.Props.Dispatcher), "capture"));
        foreach (var port in new[] { _a, _b })
            port.Tell(new JoinCapture(_feed, _capture));
        Sender.Tell(CaptureAnswer.Begun);
    }

    private void EndCapture()
    {
        if (_feed is null)
        {
            Sender.Tell(Stopping.Instance);
            return;
        }

        _waitsForEnd = Sender;
        _capture.Tell(Stopping.Instance);
    }

    private void ForgetCapture()
    {
        foreach (var port in new[] { _a, _b })
            port.Tell(new LeaveCapture(_feed!));
        (_feed, _capture) = (null, ActorRefs.Nobody);
        _waitsForEnd.Tell(Stopping.Instance);
        _waitsForEnd = ActorRefs.Nobody;
    }

    /// <summary>Pairs the ports' answers, which come in the order of the questions.</summary>
    private void Collect(CablePortStatus status)
    {
        (Sender.Equals(_a) ? _fromA : _fromB).Enqueue(status);
        if (_fromA.Count > 0 && _fromB.Count > 0)
            _askers.Dequeue().Tell(new CableStatus(_fromA.Dequeue(), _fromB.Dequeue()));
    }
}
