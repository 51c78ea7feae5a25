using Akka.Dispatch;

namespace Akka.Actor;

public delegate bool Receive(object message);

public delegate void UntypedReceive(object message);

/// <summary>Makes actors and finds them.</summary>
public interface IActorRefFactory
{
    /// <param name="name">Unique among the siblings; null for a name that the runtime chooses.</param>
    /// <exception cref="InvalidActorNameException">The name is malformed or taken.</exception>
    /// <exception cref="Configuration.ConfigurationException">The dispatcher or the mailbox that the props name is not configured.</exception>
    IActorRef ActorOf(Props props, string name = null);

    ActorSelection ActorSelection(ActorPath actorPath);

    ActorSelection ActorSelection(string actorPath);
}

/// <summary>Watches actors for their end.</summary>
public interface ICanWatch
{
    /// <summary>Asks for <see cref="Terminated"/> once the subject has stopped.</summary>
    IActorRef Watch(IActorRef subject);

    /// <summary>Asks for a message of one's own once the subject has stopped.</summary>
    IActorRef WatchWith(IActorRef subject, object message);

    /// <summary>Takes the request back; a notice that is under way is not delivered either.</summary>
    IActorRef Unwatch(IActorRef subject);
}

/// <summary>What an actor can do and know, during its turn only.</summary>
public interface IActorContext : IActorRefFactory, ICanWatch
{
    IActorRef Self { get; }

    Props Props { get; }

    /// <summary>Who sent the message that is being handled; the dead letters when it said nobody.</summary>
    IActorRef Sender { get; }

    ActorSystem System { get; }

    IActorRef Parent { get; }

    MessageDispatcher Dispatcher { get; }

    TimeSpan? ReceiveTimeout { get; }

    void Become(Receive receive);

    void BecomeStacked(Receive receive);

    void UnbecomeStacked();

    /// <summary>The child of that name, or <see cref="ActorRefs.Nobody"/>.</summary>
    IActorRef Child(string name);

    IEnumerable<IActorRef> GetChildren();

    /// <summary>Asks for <see cref="Actor.ReceiveTimeout"/> whenever nothing has come for that long; null ends it.</summary>
    void SetReceiveTimeout(TimeSpan? timeout);

    void Stop(IActorRef child);
}

public interface IUntypedActorContext : IActorContext
{
    void Become(UntypedReceive receive);

    void BecomeStacked(UntypedReceive receive);
}

public static class ActorRefFactoryExtensions
{
    public static IActorRef ActorOf<TActor>(this IActorRefFactory factory, string name = null) where TActor : ActorBase, new() =>
        factory.ActorOf(Props.Create<TActor>(), name);

    public static ActorSelection ActorSelection(this IActorRefFactory factory, IActorRef anchorRef, string actorPath) =>
        ActorRefFactoryShared.ActorSelection(anchorRef, actorPath);
}
