using Akka.Dispatch;

namespace Akka.Actor;

/// <summary>Keeps messages for later.</summary>
public interface IStash
{
    /// <summary>Keeps the message that is being handled.</summary>
    /// <exception cref="IllegalActorStateException">It has been stashed already.</exception>
    /// <exception cref="StashOverflowException">The stash is full.</exception>
    void Stash();

    /// <summary>Puts the oldest message back, before all in the mailbox.</summary>
    void Unstash();

    /// <summary>Puts all messages back, before all in the mailbox and in the order in which they came.</summary>
    void UnstashAll();

    /// <summary>Puts back those that fit; the others are dropped.</summary>
    void UnstashAll(Func<Envelope, bool> predicate);

    /// <summary>Takes all messages out.</summary>
    IEnumerable<Envelope> ClearStash();

    /// <summary>Puts messages before those in the stash.</summary>
    void Prepend(IEnumerable<Envelope> envelopes);
}

/// <summary>An actor with a stash, which the runtime gives it after its constructor has run.</summary>
public interface IActorStash
{
    IStash Stash { get; set; }
}

/// <summary>A stash that says nothing about the mailbox.</summary>
public interface IWithUnrestrictedStash : IActorStash;

/// <summary>A stash with whatever double-ended mailbox the configuration gives.</summary>
public interface IWithStash : IWithUnrestrictedStash, IRequiresMessageQueue<IDequeBasedMessageQueueSemantics>;

/// <summary>A stash with an unbounded mailbox.</summary>
public interface IWithUnboundedStash : IWithUnrestrictedStash, IRequiresMessageQueue<IUnboundedDequeBasedMessageQueueSemantics>;

/// <summary>A stash with a bounded mailbox.</summary>
[Obsolete("Use `IWithStash` with a configured BoundedDeque-based mailbox instead.")]
public interface IWithBoundedStash : IWithUnrestrictedStash, IRequiresMessageQueue<IBoundedDequeBasedMessageQueueSemantics>;

public static class StashFactory
{
    public static IStash CreateStash<T>(this IActorContext context) where T : ActorBase => context.CreateStash(typeof(T));

    public static IStash CreateStash(this IActorContext context, IActorStash actorInstance) => context.CreateStash(actorInstance.GetType());

    /// <exception cref="ArgumentException">The type has no stash.</exception>
    public static IStash CreateStash(this IActorContext context, Type actorType)
    {
        if (!typeof(IActorStash).IsAssignableFrom(actorType))
            throw new ArgumentException($"Actor {actorType} implements an unrecognized subclass of {typeof(IActorStash)} - cannot instantiate", nameof(actorType));
        return new Internal.StashImpl((ActorCell)context);
    }
}
