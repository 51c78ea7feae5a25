using Akka.Actor;
using Akka.Configuration;
using Akka.Dispatch.MessageQueues;
using Tapwire.Scheduling;
using Xunit;

namespace Akka.Internals.Tests;

/// <summary>What the runtime may cost: allocations are exact numbers, so these specs do not depend on the machine's load.</summary>
public class CostSpec
{
    [Fact]
    public void A_queue_that_has_grown_to_its_backlog_allocates_nothing_per_message()
    {
        var queue = new UnboundedMessageQueue();
        var message = new object();
        Exchange(100, 100);
        var before = GC.GetAllocatedBytesForCurrentThread();
        Exchange(1000, 100);
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);

        void Exchange(int rounds, int backlog)
        {
            for (var round = 0; round < rounds; round++)
            {
                for (var i = 0; i < backlog; i++)
                    queue.Enqueue(ActorRefs.Nobody, new Envelope(message, ActorRefs.Nobody));
                for (var i = 0; i < backlog; i++)
                    queue.TryDequeue(out _);
            }
        }
    }

    [Fact]
    public void A_tell_allocates_nothing_for_the_sender()
    {
        using var system = Start();
        using var gate = new ManualResetEventSlim();
        var actor = system.ActorOf(Props.Create(() => new Waits(gate)));
        var message = new object();
        for (var i = 0; i < 3; i++)
        {
            gate.Reset();
            actor.Tell(message);
            Burst(); // the queue grows to the backlog
            gate.Set();
            Await(actor, new Identify(null));
        }

        gate.Reset();
        actor.Tell(message);
        var before = GC.GetAllocatedBytesForCurrentThread();
        Burst();
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 1000); // of 10,000 messages
        gate.Set();

        void Burst()
        {
            for (var i = 0; i < 10_000; i++)
                actor.Tell(message, ActorRefs.NoSender);
        }
    }

    [Fact]
    public void An_idle_actor_takes_less_than_700_bytes()
    {
        using var system = Start();
        const int Children = 20_000;
        // The smallest of three: what else lives in the process comes and goes.
        var bytes = Enumerable.Range(0, 3).Min(_ =>
        {
            var parent = system.ActorOf(Props.Create(() => new Parent()));
            var before = GC.GetTotalMemory(forceFullCollection: true);
            Await(parent, Children);
            return (GC.GetTotalMemory(forceFullCollection: true) - before) / Children;
        });
        Assert.InRange(bytes, 100, 700);
    }

    [Fact]
    public void Cancelled_timers_leave_the_queue_at_once()
    {
        using var queue = new TimerQueue("spec", _ => { });
        var kept = new ActionEntry(() => { });
        queue.Schedule(kept, TimeSpan.FromHours(1), TimeSpan.Zero, null);
        for (var i = 0; i < 10_000; i++)
        {
            var entry = new ActionEntry(() => { }) { Owner = queue };
            queue.Schedule(entry, TimeSpan.FromHours(1), TimeSpan.Zero, null);
            entry.Cancel();
        }

        Assert.Equal(1, queue.Count);
    }

    private static void Await(IActorRef actor, object question) => actor.Ask<ActorIdentity>(question).Wait();

    private static ActorSystem Start() => ActorSystem.Create("cost", ConfigurationFactory.ParseString("akka.loglevel = ERROR"));

    private sealed class Waits(ManualResetEventSlim gate) : UntypedActor
    {
        protected override void OnReceive(object message) => gate.Wait();
    }

    private sealed class Idle : UntypedActor
    {
        protected override void OnReceive(object message) { }
    }

    private sealed class Parent : UntypedActor
    {
        protected override void OnReceive(object message)
        {
            var props = Props.Create(() => new Idle());
            for (var i = 0; i < (int)message; i++)
                Context.ActorOf(props).Tell(new Identify(null), i == (int)message - 1 ? Sender : Context.System.DeadLetters);
        }
    }
}
