using Akka.Actor;
using Akka.Configuration;
using Akka.Event;

namespace Akka.Dispatch.MessageQueues;

/// <summary>A queue of at most so many messages. A send to a full one waits for the push time-out; then the message is a dead letter.</summary>
public class BoundedMessageQueue : IMessageQueue, IBoundedMessageQueueSemantics
{
    private readonly Queue<Envelope> _queue = new();
    private readonly int _capacity;
    private int _waiting;

    public BoundedMessageQueue(Config config)
        : this(config.GetInt("mailbox-capacity"), config.GetTimeSpan("mailbox-push-timeout-time")) { }

    public BoundedMessageQueue(int boundedCapacity, TimeSpan pushTimeOut)
    {
        if (boundedCapacity < 0)
            throw new ArgumentException("The capacity for BoundedMessageQueue can not be negative", nameof(boundedCapacity));
        _capacity = boundedCapacity;
        PushTimeOut = pushTimeOut;
    }

    public TimeSpan PushTimeOut { get; set; }

    public bool HasMessages => Count > 0;

    public int Count
    {
        get
        {
            lock (_queue)
                return _queue.Count;
        }
    }

    public void Enqueue(IActorRef receiver, Envelope envelope)
    {
        lock (_queue)
        {
            if (_queue.Count < _capacity || WaitForRoom())
            {
                _queue.Enqueue(envelope);
                return;
            }
        }

        ((IInternalActorRef)receiver).Provider.DeadLetters.Tell(new DeadLetter(envelope.Message, envelope.Sender, receiver), envelope.Sender);
    }

    public bool TryDequeue(out Envelope envelope)
    {
        lock (_queue)
        {
            if (!_queue.TryDequeue(out envelope))
                return false;
            if (_waiting > 0)
                Monitor.Pulse(_queue);
            return true;
        }
    }

    public void CleanUp(IActorRef owner, IMessageQueue deadletters)
    {
        while (TryDequeue(out var envelope))
            deadletters.Enqueue(owner, envelope);
    }

    /// <remarks>A negative time-out waits for ever, as documented.</remarks>
    private bool WaitForRoom()
    {
        var deadline = Environment.TickCount64 + (long)PushTimeOut.TotalMilliseconds;
        _waiting++;
        try
        {
            while (_queue.Count >= _capacity)
            {
                if (PushTimeOut < TimeSpan.Zero)
                {
                    Monitor.Wait(_queue);
                    continue;
                }

                var left = deadline - Environment.TickCount64;
                if (left <= 0 || !Monitor.Wait(_queue, (int)Math.Min(left, int.MaxValue)))
                    return _queue.Count < _capacity;
            }

            return true;
        }
        finally
        {
            _waiting--;
        }
    }
}
