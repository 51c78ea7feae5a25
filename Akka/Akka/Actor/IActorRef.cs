using Akka.Dispatch.SysMsg;

namespace Akka.Actor;

/// <summary>Something a message can be sent to.</summary>
public interface ICanTell
{
    void Tell(object message, IActorRef sender);
}

/// <summary>A handle to an actor. Equal handles have equal paths and uids.</summary>
public interface IActorRef : ICanTell, IEquatable<IActorRef>, IComparable<IActorRef>, IComparable
{
    ActorPath Path { get; }
}

/// <summary>Says whether an actor lives in this process.</summary>
public interface IActorRefScope
{
    bool IsLocal { get; }
}

/// <summary>What the runtime can do with any actor.</summary>
public interface IInternalActorRef : IActorRef, IActorRefScope
{
    IInternalActorRef Parent { get; }

    IActorRefProvider Provider { get; }

    [Obsolete("Use Context.Watch and Receive<Terminated> [1.1.0]")]
    bool IsTerminated { get; }

    /// <summary>The descendant that the names lead to, or <see cref="ActorRefs.Nobody"/>.</summary>
    IActorRef GetChild(IReadOnlyList<string> name);

    void Resume(Exception causedByFailure = null);

    void Start();

    void Stop();

    void Restart(Exception cause);

    void Suspend();

    void SendSystemMessage(ISystemMessage message);
}

/// <summary>The sender-less calls, which take the actor that is running as the sender.</summary>
public static class ActorRefImplicitSenderExtensions
{
    public static void Tell(this IActorRef receiver, object message) => receiver.Tell(message, ActorCell.GetCurrentSelfOrNoSender());

    /// <summary>Sends a message on under its original sender.</summary>
    public static void Forward(this IActorRef receiver, object message) => receiver.Tell(message, ActorCell.GetCurrentSenderOrNoSender());
}

public static class ActorRefExtensions
{
    /// <summary>Whether the handle is null or leads to nobody.</summary>
    public static bool IsNobody(this IActorRef actorRef) => actorRef is null or Nobody;

    public static IActorRef GetOrElse(this IActorRef actorRef, Func<IActorRef> elseValue) => actorRef.IsNobody() ? elseValue() : actorRef;
}

public static class ActorRefs
{
    /// <summary>There is no sender: null.</summary>
    public static readonly IActorRef NoSender = null;

    /// <summary>The actor that does not exist.</summary>
    public static readonly Nobody Nobody = Nobody.Instance;
}
