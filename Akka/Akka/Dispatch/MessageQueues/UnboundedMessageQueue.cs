using System.Runtime.CompilerServices;
using Akka.Actor;

namespace Akka.Dispatch.MessageQueues;

/// <summary>
/// The queue of the default mailbox: any number of producers, one consumer, no bound. It is a chain of rings, of which all but the last are
/// closed to producers and vanish once they are drained. A ring's slots are used again and again, so that a queue which has grown to the
/// actor's backlog allocates nothing per message; one that has never held a message has no ring at all.
/// </summary>
public class UnboundedMessageQueue : IMessageQueue, IUnboundedMessageQueueSemantics
{
    private const int FirstCapacity = 2;
    private const int LargestCapacity = 1 << 15;

    private Ring _head; // where the consumer takes
    private Ring _tail; // where producers put

    public bool HasMessages
    {
        get
        {
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

    /// <summary>How many messages there are; while producers and the consumer are at work, about how many.</summary>
    public int Count
    {
        get
        {
            var count = 0;
            for (var ring = Volatile.Read(ref _head); ring is not null; ring = Volatile.Read(ref ring.Next))
                count += ring.Count;
            return count;
        }
    }

    public void Enqueue(IActorRef receiver, Envelope envelope)
    {
        var ring = Volatile.Read(ref _tail);
        if (ring is null || !ring.TryEnqueue(envelope.Message, envelope.Sender))
            EnqueueSlow(envelope.Message, envelope.Sender);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private void EnqueueSlow(object message, IActorRef sender)
    {
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

            if (ring.TryEnqueue(message, sender))
                return;
            ring.Close();
            var next = new Ring(Math.Min(ring.Capacity * 2, LargestCapacity));
            next.TryEnqueue(message, sender);
            Volatile.Write(ref ring.Next, next);
            Volatile.Write(ref _tail, next);
        }
    }

    public bool TryDequeue(out Envelope envelope)
    {
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

    public void CleanUp(IActorRef owner, IMessageQueue deadletters)
    {
        while (TryDequeue(out var envelope))
            deadletters.Enqueue(owner, envelope);
    }

    private struct Slot
    {
        public object Message;
        public IActorRef Sender;
        public uint Turn; // equals the tail's ticket when free for it, ticket + 1 when filled
    }

    /// <summary>A bounded ring: producers draw tickets from the tail by compare-and-swap; only the consumer moves the head.</summary>
    private sealed class Ring
    {
        public Ring Next;
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

        /// <summary>Whether producers have been turned away and all that they put has been taken.</summary>
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
                    Volatile.Write(ref slot.Turn, tail + 1);
                    return true;
                }

                if (lead < 0)
                    return false; // full, or closed
            }
        }

        /// <summary>Turns producers away for good: puts the tail so far ahead that no slot's turn can reach it. Called once, under the queue's lock.</summary>
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

            envelope = new Envelope(slot.Message, slot.Sender);
            slot.Message = null;
            slot.Sender = null;
            Volatile.Write(ref slot.Turn, head + (uint)_slots.Length);
            Volatile.Write(ref _head, head + 1);
            return true;
        }
    }
}
