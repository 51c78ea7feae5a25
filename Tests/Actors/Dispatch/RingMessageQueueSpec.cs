using System.Collections.Concurrent;
using Akka.Actor;
using Akka.Event;
using Tapwire.Actors.Dispatch;
using Tapwire.Tests.Actors.Support;
using Tapwire.Tests.Support;
using Xunit;

namespace Tapwire.Tests.Actors.Dispatch;

/// <summary>The queue of every actor's mailbox, by itself: its receiver is a probe that gets nothing from it.</summary>
public sealed class RingMessageQueueSpec : ActorSpec
{
    private readonly RingMessageQueue _queue = new();
    private readonly ConcurrentQueue<object> _late = new();

    public RingMessageQueueSpec()
    {
        var listener = Sys.ActorOf(Props.Create(() => new Late(_late)).WithDispatcher(VirtualTime.Dispatcher));
        Sys.EventStream.Subscribe(listener, typeof(AllDeadLetters));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(64)]
    [InlineData(100_000)]
    public void Messages_come_out_in_the_order_in_which_they_went_in_however_many_there_are(int count)
    {
        for (var round = 0; round < 2; round++)
        {
            Put(0, count);
            Assert.Equal(count, _queue.Count);
            Assert.Equal(Enumerable.Range(0, count), Take());
            Assert.Equal(0, _queue.Count);
        }
    }

    [Fact]
    public void The_order_stays_while_it_grows_and_is_taken_from_in_turns()
    {
        var (put, taken) = (0, 0);
        var random = new Random(1);
        while (put < 50_000)
        {
            var more = random.Next(100);
            Put(put, more);
            put += more;
            for (var less = random.Next(100); less > 0 && _queue.TryDequeue(out var envelope); less--)
                Assert.Equal(taken++, envelope.Message);
            Assert.Equal(put - taken, _queue.Count);
            Assert.Equal(put > taken, _queue.HasMessages);
        }

        Assert.Equal(Enumerable.Range(taken, put - taken), Take());
    }

    [Fact]
    public void The_sender_comes_out_with_the_message()
    {
        _queue.Enqueue(TestActor, new Envelope("first", TestActor));
        _queue.Enqueue(TestActor, new Envelope("second", ActorRefs.NoSender));
        Assert.True(_queue.TryDequeue(out var first));
        Assert.True(_queue.TryDequeue(out var second));
        Assert.Equal(("first", TestActor), (first.Message, first.Sender));
        Assert.Equal(("second", null), (second.Message, second.Sender));
    }

    /// <summary>A stash puts back what it has, the last first.</summary>
    [Fact]
    public void What_is_put_back_the_last_first_comes_out_before_all_others_in_its_old_order()
    {
        Put(0, 5);
        var stashed = new Stack<Envelope>();
        for (var i = 0; i < 3; i++)
        {
            Assert.True(_queue.TryDequeue(out var envelope));
            stashed.Push(envelope);
        }

        foreach (var envelope in stashed)
            _queue.EnqueueFirst(envelope);
        Put(5, 1);
        Assert.Equal((true, 6), (_queue.HasMessages, _queue.Count));
        Assert.Equal(Enumerable.Range(0, 6), Take());
        Assert.False(_queue.HasMessages);
    }

    [Fact]
    public void A_queue_that_nobody_has_put_anything_into_is_empty()
    {
        Assert.Equal((false, 0), (_queue.HasMessages, _queue.Count));
        Assert.False(_queue.TryDequeue(out _));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(1000)]
    public void When_the_actor_has_ended_what_is_there_and_what_comes_later_are_dead_letters(int count)
    {
        Put(0, count);
        var dead = new RingMessageQueue();
        _queue.CleanUp(TestActor, dead);
        Assert.Equal(Enumerable.Range(0, count), Take(dead));
        Assert.False(_queue.HasMessages);

        Put(count, 10);
        Assert.Equal(Enumerable.Range(count, 10), _late.Cast<int>());
        Assert.False(_queue.TryDequeue(out _));
        _queue.CleanUp(TestActor, dead);
        Assert.False(dead.HasMessages);
    }

    [Fact]
    public void What_has_been_put_back_is_a_dead_letter_too()
    {
        Put(1, 2);
        _queue.EnqueueFirst(new Envelope(0, TestActor));
        var dead = new RingMessageQueue();
        _queue.CleanUp(TestActor, dead);
        Assert.Equal([0, 1, 2], Take(dead));
    }

    /// <summary>Three threads put, a fourth takes and then ends the actor in the midst of it: each message is in exactly one place, and in its thread's order.</summary>
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    [InlineData(5)]
    public void Of_many_threads_messages_none_is_lost_and_none_comes_twice(int seed)
    {
        const int Producers = 3;
        const int Each = 20_000;
        var random = new Random(seed);
        var endsAfter = random.Next(Producers * Each);
        var dead = new RingMessageQueue();
        var taken = new List<int>();
        var receiver = TestActor;
        var producers = Enumerable.Range(0, Producers).Select(producer => new Thread(() =>
        {
            var pauses = new Random((seed * 31) + producer);
            for (var i = 0; i < Each; i++)
            {
                _queue.Enqueue(receiver, new Envelope((producer * Each) + i, receiver));
                if (pauses.Next(200) == 0)
                    Thread.Yield();
            }
        })).ToList();
        producers.ForEach(static producer => producer.Start());
        while (taken.Count < endsAfter)
        {
            if (_queue.TryDequeue(out var envelope))
                taken.Add((int)envelope.Message);
            else
                Thread.Yield();
        }

        _queue.CleanUp(receiver, dead);
        producers.ForEach(static producer => producer.Join());
        var ended = Take(dead);
        var late = _late.Cast<int>().ToList();
        Assert.Equal(Enumerable.Range(0, Producers * Each), taken.Concat(ended).Concat(late).Order());
        Assert.All(Enumerable.Range(0, Producers), producer =>
        {
            var ofOne = taken.Concat(ended).Concat(late).Where(message => message / Each == producer).ToList();
            Assert.Equal(ofOne.Order(), ofOne);
        });
        Assert.False(_queue.HasMessages);
    }

    [Fact]
    public void A_queue_that_has_grown_allocates_nothing_for_a_message()
    {
        object message = 1;
        Assert.Equal(0, Allocated.Least(Turn));

        void Turn()
        {
            for (var turn = 0; turn < 200; turn++)
            {
                for (var i = 0; i < 50; i++)
                    _queue.Enqueue(TestActor, new Envelope(message, ActorRefs.NoSender));
                while (_queue.TryDequeue(out _))
                {
                }
            }
        }
    }

    [Fact]
    public void An_idle_actors_queue_costs_forty_bytes()
    {
        const int Count = 1000;
        var queues = new RingMessageQueue[Count];
        Assert.Equal(40 * Count, Allocated.Least(() =>
        {
            for (var i = 0; i < Count; i++)
                queues[i] = new RingMessageQueue();
        }));
        GC.KeepAlive(queues);
    }

    private void Put(int first, int count)
    {
        for (var i = first; i < first + count; i++)
            _queue.Enqueue(TestActor, new Envelope(i, TestActor));
    }

    private List<int> Take(RingMessageQueue? queue = null)
    {
        var taken = new List<int>();
        while ((queue ?? _queue).TryDequeue(out var envelope))
            taken.Add((int)envelope.Message);
        return taken;
    }

    private sealed class Late : ReceiveActor
    {
        public Late(ConcurrentQueue<object> late) => Receive<AllDeadLetters>(letter => late.Enqueue(letter.Message));
    }
}
