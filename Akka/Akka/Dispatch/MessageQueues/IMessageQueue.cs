using Akka.Actor;

namespace Akka.Dispatch.MessageQueues;

/// <summary>The queue of a mailbox: many threads enqueue, one at a time dequeues.</summary>
public interface IMessageQueue
{
    bool HasMessages { get; }

    int Count { get; }

    void Enqueue(IActorRef receiver, Envelope envelope);

    bool TryDequeue(out Envelope envelope);

    /// <summary>Moves what is left to the dead letters, when the owner has stopped.</summary>
    void CleanUp(IActorRef owner, IMessageQueue deadletters);
}
