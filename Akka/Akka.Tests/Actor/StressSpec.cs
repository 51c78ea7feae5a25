using Akka.Actor;
using Xunit;

namespace Akka.Tests.Actor;

public class StressSpec : Akka.TestKit.Xunit2.TestKit
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(1);

    [Theory]
    [InlineData("akka.actor.default-dispatcher")]
    [InlineData("akka.actor.default-fork-join-dispatcher")]
    public async Task Messages_of_each_of_many_producers_keep_their_order(string dispatcher)
    {
        const int Producers = 8;
        const int Messages = 20_000;
        var actor = Sys.ActorOf(Props.Create(() => new InOrder(Producers, Messages, TestActor)).WithDispatcher(dispatcher));
        await Task.WhenAll(Enumerable.Range(0, Producers).Select(p => Task.Factory.StartNew(
            () =>
            {
                for (var i = 0; i < Messages; i++)
                    actor.Tell((p, i), ActorRefs.NoSender);
            },
            TaskCreationOptions.LongRunning)));
        ExpectMsg("all in order", Patience);
    }

    [Fact]
    public void A_hundred_thousand_actors_start_and_stop()
    {
        var parent = Sys.ActorOf(Props.Create(() => new Parent(100_000, TestActor)));
        Watch(parent);
        parent.Tell("spawn");
        ExpectMsg("started", Patience);
        Sys.Stop(parent);
        ExpectTerminated(parent, Patience);
    }

    [Fact]
    public async Task Actors_that_are_stopped_while_they_are_told_lose_no_message_silently()
    {
        // What the actor has not handled is a dead letter, whichever way the race between the last sends and the end goes.
        const int Rounds = 200;
        const int Messages = 50;
        var letters = CreateTestProbe();
        Sys.EventStream.Subscribe(letters, typeof(Akka.Event.DeadLetter));
        for (var round = 0; round < Rounds; round++)
        {
            var seen = CreateTestProbe();
            var actor = Sys.ActorOf(Props.Create(() => new Forwarder(seen)));
            var stop = Task.Run(() => Sys.Stop(actor));
            for (var i = 0; i < Messages; i++)
                actor.Tell(new Numbered(i), ActorRefs.NoSender);
            await stop;
            Watch(actor);
            ExpectTerminated(actor, Patience);
            AwaitCondition(() => Count(seen) + Count(letters) == Messages, Patience);
            Sys.Stop(seen);
            _counts.Clear();
        }
    }

    private readonly Dictionary<IActorRef, int> _counts = [];

    private int Count(Akka.TestKit.TestProbe probe)
    {
        _counts.TryAdd(probe, 0);
        while (probe.HasMessages)
        {
            if (probe.ReceiveOne() is Numbered or Akka.Event.DeadLetter { Message: Numbered })
                _counts[probe]++;
        }

        return _counts[probe];
    }

    private sealed record Numbered(int Number);

    private sealed class Forwarder(IActorRef to) : UntypedActor
    {
        protected override void OnReceive(object message) => to.Tell(message);
    }

    private sealed class InOrder(int producers, int messages, IActorRef to) : UntypedActor
    {
        private readonly int[] _next = new int[producers];
        private int _left = producers * messages;

        protected override void OnReceive(object message)
        {
            var (producer, number) = ((int, int))message;
            if (_next[producer]++ != number)
                to.Tell($"producer {producer}: {number} is out of order");
            if (--_left == 0)
                to.Tell("all in order");
        }
    }

    private sealed class Parent(int children, IActorRef to) : UntypedActor
    {
        private int _started;

        protected override void OnReceive(object message)
        {
            if (message is "spawn")
            {
                var props = Props.Create(() => new Child(Self));
                for (var i = 0; i < children; i++)
                    Context.ActorOf(props);
            }
            else if (++_started == children)
            {
                to.Tell("started");
            }
        }
    }

    private sealed class Child(IActorRef parent) : UntypedActor
    {
        protected override void PreStart() => parent.Tell(1);

        protected override void OnReceive(object message) { }
    }
}
