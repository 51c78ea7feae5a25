using Akka.Actor;
using Akka.Actor.Internal;

namespace Akka.Event;

/// <summary>The event bus of an actor system. Subscribers get the events of a type and of all types derived from it, until they stop.</summary>
public class EventStream : LoggingBus
{
    private readonly bool _debug;
    private readonly Lock _lock = new();
    private List<IActorRef> _waiting = []; // for the unsubscriber to start
    private IActorRef _unsubscriber;

    public EventStream(bool debug) => _debug = debug;

    public override bool Subscribe(IActorRef subscriber, Type channel)
    {
        ArgumentNullException.ThrowIfNull(subscriber);
        Register(subscriber);
        if (_debug)
            Publish(new Debug(SimpleName(this), GetType(), "subscribing " + subscriber + " to channel " + channel));
        return base.Subscribe(subscriber, channel);
    }

    public override bool Unsubscribe(IActorRef subscriber, Type channel)
    {
        ArgumentNullException.ThrowIfNull(subscriber);
        var changed = base.Unsubscribe(subscriber, channel);
        if (_debug)
            Publish(new Debug(SimpleName(this), GetType(), "unsubscribing " + subscriber + " from channel " + channel));
        return changed;
    }

    public override bool Unsubscribe(IActorRef subscriber)
    {
        ArgumentNullException.ThrowIfNull(subscriber);
        var changed = base.Unsubscribe(subscriber);
        if (_debug)
            Publish(new Debug(SimpleName(this), GetType(), "unsubscribing " + subscriber + " from all channels"));
        return changed;
    }

    /// <summary>From now on subscribers that stop are unsubscribed.</summary>
    public void StartUnsubscriber(ActorSystemImpl system)
    {
        var unsubscriber = system.SystemActorOf(Props.Create<EventStreamUnsubscriber>(this, _debug), "EventStreamUnsubscriber");
        List<IActorRef> waiting;
        lock (_lock)
        {
            _unsubscriber = unsubscriber;
            waiting = _waiting;
            _waiting = null;
        }

        foreach (var subscriber in waiting)
            unsubscriber.Tell(new EventStreamUnsubscriber.Register(subscriber), ActorRefs.NoSender);
    }

    private void Register(IActorRef subscriber)
    {
        if (subscriber is MinimalActorRef)
            return; // it never stops
        lock (_lock)
        {
            if (_unsubscriber is null)
            {
                _waiting.Add(subscriber);
                return;
            }
        }

        _unsubscriber.Tell(new EventStreamUnsubscriber.Register(subscriber), ActorRefs.NoSender);
    }
}

public static class EventStreamExtensions
{
    public static bool Subscribe<TChannel>(this EventStream eventStream, IActorRef subscriber) => eventStream.Subscribe(subscriber, typeof(TChannel));

    public static bool Unsubscribe<TChannel>(this EventStream eventStream, IActorRef subscriber) =>
        eventStream.Unsubscribe(subscriber, typeof(TChannel));
}

/// <summary>Watches the subscribers and unsubscribes those that stop.</summary>
internal sealed class EventStreamUnsubscriber : ActorBase
{
    private readonly EventStream _eventStream;
    private readonly bool _debug;

    public EventStreamUnsubscriber(EventStream eventStream, bool debug)
    {
        _eventStream = eventStream;
        _debug = debug;
    }

    protected override bool Receive(object message)
    {
        switch (message)
        {
            case Register register:
                if (_debug)
                    Publish($"watching {register.Actor} in order to unsubscribe from EventStream when it terminates");
                Context.Watch(register.Actor);
                return true;
            case Terminated terminated:
                if (_debug)
                    Publish($"unsubscribe {terminated.ActorRef} from {_eventStream}, because it was terminated");
                _eventStream.Unsubscribe(terminated.ActorRef);
                return true;
            default:
                return false;
        }
    }

    private void Publish(string text) => _eventStream.Publish(new Debug(Logging.SimpleName(GetType()), GetType(), text));

    internal sealed record Register(IActorRef Actor);
}
