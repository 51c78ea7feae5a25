using Akka.Actor;

namespace Akka.Dispatch.MessageQueues;

/// <summary>A queue behind a lock.</summary>
public abstract class BlockingMessageQueue : IMessageQueue, IBlockingMessageQueueSemantics
{
    private readonly Lock _lock = new();

    protected abstract int LockedCount { get; }

    public TimeSpan BlockTimeOut { get; set; } = TimeSpan.FromSeconds(1);

    public bool HasMessages => Count > 0;

    public int Count
    {
        get
        {
            lock (_lock)
                return LockedCount;
        }
    }

    public void Enqueue(IActorRef receiver, Envelope envelope)
    {
        lock (_lock)
            LockedEnqueue(envelope);
    }

    public bool TryDequeue(out Envelope envelope)
    {
        lock (_lock)
            return LockedTryDequeue(out envelope);
    }

    public void CleanUp(IActorRef owner, IMessageQueue deadletters)
    {
        while (TryDequeue(out var envelope))
            deadletters.Enqueue(owner, envelope);
    }

    protected abstract void LockedEnqueue(Envelope envelope);

    protected abstract bool LockedTryDequeue(out Envelope envelope);
}

/// <summary>Gives the message with the smallest number first; among equals the order is not defined.</summary>
public class UnboundedPriorityMessageQueue : BlockingMessageQueue, IUnboundedDequeBasedMessageQueueSemantics
{
    private readonly PriorityQueue<Envelope, int> _queue;
    private readonly Stack<Envelope> _front = new();
    private readonly Func<object, int> _priorityGenerator;

    public UnboundedPriorityMessageQueue(Func<object, int> priorityGenerator, int initialCapacity)
    {
        _priorityGenerator = priorityGenerator;
        _queue = new PriorityQueue<Envelope, int>(initialCapacity);
    }

    protected override int LockedCount => _queue.Count + _front.Count;

    /// <summary>Puts an envelope before all others; only the consumer may.</summary>
    public void EnqueueFirst(Envelope envelope) => _front.Push(envelope);

    protected override void LockedEnqueue(Envelope envelope) => _queue.Enqueue(envelope, _priorityGenerator(envelope.Message));

    protected override bool LockedTryDequeue(out Envelope envelope) =>
        _front.TryPop(out envelope) || _queue.TryDequeue(out envelope, out _);
}

/// <summary>Gives the message with the smallest number first, among equals the one that came first.</summary>
public class UnboundedStablePriorityMessageQueue : BlockingMessageQueue, IUnboundedDequeBasedMessageQueueSemantics
{
    private readonly PriorityQueue<Envelope, (int Priority, long Arrival)> _queue;
    private readonly Stack<Envelope> _front = new();
    private readonly Func<object, int> _priorityGenerator;
    private long _arrivals;

    public UnboundedStablePriorityMessageQueue(Func<object, int> priorityGenerator, int initialCapacity)
    {
        _priorityGenerator = priorityGenerator;
        _queue = new PriorityQueue<Envelope, (int, long)>(initialCapacity);
    }

    protected override int LockedCount => _queue.Count + _front.Count;

    /// <summary>Puts an envelope before all others; only the consumer may.</summary>
    public void EnqueueFirst(Envelope envelope) => _front.Push(envelope);

    protected override void LockedEnqueue(Envelope envelope) =>
        _queue.Enqueue(envelope, (_priorityGenerator(envelope.Message), _arrivals++));

    protected override bool LockedTryDequeue(out Envelope envelope) =>
        _front.TryPop(out envelope) || _queue.TryDequeue(out envelope, out _);
}
