using System.Runtime.CompilerServices;
using Akka.Actor;
using Akka.Configuration;
using Akka.Dispatch;
using Akka.Dispatch.MessageQueues;
using Akka.Event;

namespace Tapwire.Actors.Dispatch;

/// <summary>
/// The mailbox of every actor whose props name no other. Like Akka.NET's own it is unbounded, and messages can be put at its front. But for an idle actor it
/// costs 40 bytes instead of the 1,080 of a <c>ConcurrentQueue</c>: a driver has an actor for each of very many connections. Named in <c>akka.hocon</c> as
/// <c>"Tapwire.Actors.Dispatch.RingMailbox, Tapwire.Actors"</c>, for actors with and without a stash.
/// </summary>
public sealed class RingMailbox(Akka.Actor.Settings settings, Config config) : MailboxType(settings, config), IProducesMessageQueue<RingMessageQueue>
{
    public override IMessageQueue Create(IActorRef owner, ActorSystem system) => new RingMessageQueue();
}

/// <summary>
/// The queue of a <see cref="RingMailbox"/>: any number of producers, one consumer, no bound. It is a chain of rings; all but the last are closed to producers,
/// and removed once they are drained. The slots of a ring are reused, so that a queue which has grown to the actor's backlog allocates nothing per message. A
/// queue that has never held a message has no ring.
/// <para>A message becomes a dead letter if it arrives after the actor has ended, from a thread that already held the mailbox. Akka.NET's own queues keep such
/// a message for ever, with the buffer or the descriptor that it owns.</para>
/// </summary>
public sealed class RingMessageQueue : IMessageQueue, IUnboundedDequeBasedMessageQueueSemantics
{
    private const int FirstCapacity = 2;
    private const int LargestCapacity = 1 << 15;

    // Null until the first message arrives. The consumer takes from the head, producers put into the tail.
    private Ring? _head;
    private Ring? _tail;

    // Messages put back by the actor (a stash). Only the consumer uses it; null while there is none.
    private Stack<Envelope>? _first;

    public bool HasMessages
    {
        get
        {
            if (_first is not null)
                return true;
            for (var ring = Volatile.Read(ref _head); ring is not null; ring = Volatile.Read(ref ring.Next))
            {
                if (ring.HasMessages)
                    return true;
                if (!ring.IsDrained)
                    return false;
            }

            return false;
        }
    }

    /// <summary>The number of messages; an approximation while producers and the consumer are at work.</summary>
    public int Count
    {
        get
        {
            var count = _first?.Count ?? 0;
            for (var ring = Volatile.Read(ref _head); ring is not null; ring = Volatile.Read(ref ring.Next))
                count += ring.Count;
            return count;
        }
    }

    public void Enqueue(IActorRef receiver, Envelope envelope)
    {
        var ring = Volatile.Read(ref _tail);
        if (ring is null || !ring.TryEnqueue(envelope.Message, envelope.Sender))
            EnqueueSlow(receiver, envelope);
    }

    /// <summary>Puts a message at the front. Called only in the consumer's turn.</summary>
    public void EnqueueFirst(Envelope envelope) => (_first ??= new Stack<Envelope>()).Push(envelope);

    public bool TryDequeue(out Envelope envelope)
    {
        if (_first is { } first)
        {
            envelope = first.Pop();
            if (first.Count == 0)
                _first = null;
            return true;
        }

        for (var ring = _head; ring is not null; ring = _head)
        {
            if (ring.TryDequeue(out envelope))
                return true;
            if (!ring.IsDrained)
                break;
            var next = Volatile.Read(ref ring.Next);
            if (next is null)
                break;
            Volatile.Write(ref _head, next);
        }

        envelope = default;
        return false;
    }

    /// <summary>The actor has ended: all messages, and those that still arrive, become dead letters.</summary>
    public void CleanUp(IActorRef owner, IMessageQueue deadletters)
    {
        lock (this)
        {
            if (_tail == Ring.Ended)
                return;
            _tail?.Close();
            Volatile.Write(ref _tail, Ring.Ended);
        }

        while (!IsDrained)
        {
            if (TryDequeue(out var envelope))
                deadletters.Enqueue(owner, envelope);
            else
                Thread.SpinWait(1); // another thread is about to fill the slot that it has drawn
        }
    }

    /// <summary>Everything has been taken, and nothing more can arrive.</summary>
    private bool IsDrained => _first is null && (_head is null || (_head.IsDrained && Volatile.Read(ref _head.Next) is null));

    [MethodImpl(MethodImplOptions.NoInlining)]
    private void EnqueueSlow(IActorRef receiver, Envelope envelope)
    {
        var (message, sender) = (envelope.Message, envelope.Sender);
        lock (this)
        {
            var ring = _tail;
            if (ring is null)
            {
                ring = new Ring(FirstCapacity);
                ring.TryEnqueue(message, sender);
                Volatile.Write(ref _head, ring);
                Volatile.Write(ref _tail, ring);
                return;
            }

            if (ring != Ring.Ended)
            {
                if (ring.TryEnqueue(message, sender))
                    return;
                ring.Close();
                var next = new Ring(Math.Min(ring.Capacity * 2, LargestCapacity));
                next.TryEnqueue(message, sender);
                Volatile.Write(ref ring.Next, next);
                Volatile.Write(ref _tail, next);
                return;
            }
        }

        ((IInternalActorRef)receiver).Provider.DeadLetters.Tell(new DeadLetter(message, sender, receiver), sender);
    }

    private struct Slot
    {
        public object? Message;
        public IActorRef? Sender;

        // The tail's ticket while the slot is free for it, one more once it is filled.
        public uint Turn;
    }

    /// <summary>A bounded ring: producers draw tickets from the tail by compare-and-swap; only the consumer moves the head.</summary>
    private sealed class Ring
    {
        /// <summary>The tail of a queue whose actor has ended; it takes nothing.</summary>
        public static readonly Ring Ended = MakeEnded();

        public Ring? Next;
        private readonly Slot[] _slots;
        private uint _head;
        private uint _tail;
        private uint _closedAt;
        private int _closed;

        public Ring(int capacity)
        {
            _slots = new Slot[capacity];
            for (var i = 1; i < capacity; i++)
                _slots[i].Turn = (uint)i;
        }

        private static Ring MakeEnded()
        {
            var ring = new Ring(1);
            ring.Close();
            return ring;
        }

        public int Capacity => _slots.Length;

        public int Count
        {
            get
            {
                var end = Volatile.Read(ref _closed) != 0 ? _closedAt : Volatile.Read(ref _tail);
                return (int)Math.Clamp((int)(end - Volatile.Read(ref _head)), 0, _slots.Length);
            }
        }

        public bool HasMessages
        {
            get
            {
                var head = Volatile.Read(ref _head);
                return Volatile.Read(ref _slots[head & (uint)(_slots.Length - 1)].Turn) == head + 1;
            }
        }

        /// <summary>Producers are turned away, and all their messages have been taken.</summary>
        public bool IsDrained => Volatile.Read(ref _closed) != 0 && _closedAt == Volatile.Read(ref _head);

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public bool TryEnqueue(object message, IActorRef sender)
        {
            var slots = _slots;
            while (true)
            {
                var tail = Volatile.Read(ref _tail);
                ref var slot = ref slots[tail & (uint)(slots.Length - 1)];
                var lead = (int)(Volatile.Read(ref slot.Turn) - tail);
                if (lead == 0)
                {
                    if (Interlocked.CompareExchange(ref _tail, tail + 1, tail) != tail)
                        continue;
                    slot.Message = message;
                    slot.Sender = sender;

                    // A full fence, not only a release. After this Akka.NET reads whether the mailbox is idle; the thread that ends a turn writes that and then
                    // looks for messages. If the two reads could pass the writes, the message would stay until the next one arrives, as was seen once in a
                    // million messages.
                    Interlocked.Exchange(ref slot.Turn, tail + 1);
                    return true;
                }

                // The ring is full, or closed.
                if (lead < 0)
                    return false;
            }
        }

        /// <summary>Turns producers away for good: moves the tail so far ahead that no slot's turn can reach it. Called once, under the queue's lock.</summary>
        public void Close()
        {
            while (true)
            {
                var tail = Volatile.Read(ref _tail);
                if (Interlocked.CompareExchange(ref _tail, tail + (1u << 30), tail) != tail)
                    continue;
                _closedAt = tail;
                Volatile.Write(ref _closed, 1);
                return;
            }
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public bool TryDequeue(out Envelope envelope)
        {
            var head = _head;
            ref var slot = ref _slots[head & (uint)(_slots.Length - 1)];
            if (Volatile.Read(ref slot.Turn) != head + 1)
            {
                envelope = default;
                return false;
            }

            envelope = new Envelope(slot.Message!, slot.Sender!);
            slot.Message = null;
            slot.Sender = null;
            Volatile.Write(ref slot.Turn, head + (uint)_slots.Length);
            Volatile.Write(ref _head, head + 1);
            return true;
        }
    }
}
