using Akka.Dispatch.MessageQueues;

namespace Akka.Dispatch;

/// <summary>Names what a mailbox's queue can do; the base of the interfaces below.</summary>
public interface ISemantics;

public interface IUnboundedMessageQueueSemantics : ISemantics;

public interface IBoundedMessageQueueSemantics : ISemantics
{
    /// <summary>How long a send to a full queue waits.</summary>
    TimeSpan PushTimeOut { get; }
}

public interface IMultipleConsumerSemantics : ISemantics;

public interface IBlockingMessageQueueSemantics : IMultipleConsumerSemantics
{
    TimeSpan BlockTimeOut { get; set; }
}

/// <summary>The queue takes envelopes at its front too, which a stash needs.</summary>
public interface IDequeBasedMessageQueueSemantics : ISemantics
{
    void EnqueueFirst(Actor.Envelope envelope);
}

public interface IUnboundedDequeBasedMessageQueueSemantics : IDequeBasedMessageQueueSemantics, IUnboundedMessageQueueSemantics;

public interface IBoundedDequeBasedMessageQueueSemantics : IDequeBasedMessageQueueSemantics, IBoundedMessageQueueSemantics;

/// <summary>An actor that needs a queue of this kind implements this; <c>akka.actor.mailbox.requirements</c> says which mailbox has it.</summary>
public interface IRequiresMessageQueue<T> where T : ISemantics;

/// <summary>Says which queue a <see cref="MailboxType"/> makes.</summary>
public interface IProducesMessageQueue<TQueue> where TQueue : IMessageQueue;

public interface IProducesPushTimeoutSemanticsMailbox
{
    TimeSpan PushTimeout { get; }
}
