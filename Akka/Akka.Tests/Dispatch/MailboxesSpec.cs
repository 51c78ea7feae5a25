using Akka.Actor;
using Akka.Configuration;
using Akka.Dispatch;
using Akka.Dispatch.MessageQueues;
using Akka.Event;
using Xunit;

namespace Akka.Tests.Dispatch;

public class MailboxesSpec : Akka.TestKit.Xunit2.TestKit
{
    public MailboxesSpec() : base(ConfigurationFactory.ParseString("""
        bounded { mailbox-type = "Akka.Dispatch.BoundedMailbox", mailbox-capacity = 2, mailbox-push-timeout-time = 0s }
        waiting { mailbox-type = "Akka.Dispatch.BoundedMailbox", mailbox-capacity = 1, mailbox-push-timeout-time = 60s }
        priority { mailbox-type = "Akka.Tests.Dispatch.MailboxesSpec+ByNumber, Akka.Tests" }
        stable { mailbox-type = "Akka.Tests.Dispatch.MailboxesSpec+ByTens, Akka.Tests" }
        with-mailbox { type = Dispatcher, mailbox-type = "Akka.Tests.Dispatch.MailboxesSpec+ByNumber, Akka.Tests" }
        unsuitable { mailbox-type = "Akka.Dispatch.UnboundedMailbox" }
        akka.actor.deployment { /deployed { mailbox = priority } }
        """)) { }

    [Fact]
    public void What_a_full_bounded_mailbox_does_not_take_is_a_dead_letter()
    {
        Sys.EventStream.Subscribe(TestActor, typeof(DeadLetter));
        using var gate = new ManualResetEventSlim();
        var actor = Blocked("bounded", gate);
        for (var i = 0; i < 4; i++)
            actor.Tell(i, TestActor);
        Assert.Equal(2, ExpectMsg<DeadLetter>().Message);
        Assert.Equal(3, ExpectMsg<DeadLetter>().Message);
        gate.Set();
        ExpectMsg(0);
        ExpectMsg(1);
    }

    [Fact]
    public async Task A_send_to_a_full_bounded_mailbox_waits_for_room()
    {
        using var gate = new ManualResetEventSlim();
        var actor = Blocked("waiting", gate);
        actor.Tell(0, TestActor);
        var send = Task.Run(() => actor.Tell(1, TestActor));
        Assert.NotSame(send, await Task.WhenAny(send, Task.Delay(50)));
        gate.Set();
        await send;
        ExpectMsg(0);
        ExpectMsg(1);
    }

    [Fact]
    public void A_priority_mailbox_gives_the_smallest_number_first() => ExpectOrder("priority", [5, 3, 9, 1], [1, 3, 5, 9]);

    [Fact]
    public void A_stable_priority_mailbox_keeps_the_order_among_equals() =>
        ExpectOrder("stable", [21, 15, 11, 23, 12, 3], [3, 15, 11, 12, 21, 23]);

    [Fact]
    public void The_deployment_names_the_mailbox_of_a_path()
    {
        using var gate = new ManualResetEventSlim();
        var actor = Sys.ActorOf(Props.Create(() => new Gated(gate)), "deployed");
        ExpectOrder(actor, gate, [2, 1], [1, 2]);
    }

    [Fact]
    public void A_dispatcher_may_bring_the_mailbox()
    {
        using var gate = new ManualResetEventSlim();
        var actor = Sys.ActorOf(Props.Create(() => new Gated(gate)).WithDispatcher("with-mailbox"));
        ExpectOrder(actor, gate, [2, 1], [1, 2]);
    }

    [Fact]
    public void What_an_actor_requires_is_what_it_gets()
    {
        Assert.Equal(typeof(IUnboundedDequeBasedMessageQueueSemantics), Sys.Mailboxes.GetRequiredType(typeof(WithStash)));
        Assert.IsType<UnboundedDequeBasedMailbox>(Sys.Mailboxes.LookupByQueueType(typeof(IUnboundedDequeBasedMessageQueueSemantics)));
        Assert.False(Sys.Mailboxes.HasRequiredType(typeof(Gated)));
    }

    [Fact]
    public void A_mailbox_that_does_not_meet_what_an_actor_requires_is_refused() =>
        Assert.ThrowsAny<Exception>(() => Sys.ActorOf(Props.Create(() => new WithStash()).WithMailbox("unsuitable")));

    [Fact]
    public void A_deque_gives_what_was_put_in_front_first()
    {
        var queue = new UnboundedDequeMessageQueue();
        queue.Enqueue(TestActor, new Envelope("b", TestActor));
        queue.EnqueueFirst(new Envelope("a", TestActor));
        Assert.Equal(2, queue.Count);
        Assert.True(queue.TryDequeue(out var first));
        Assert.Equal("a", first.Message);
        Assert.True(queue.TryDequeue(out var second));
        Assert.Equal("b", second.Message);
        Assert.False(queue.HasMessages);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(4)]
    [InlineData(5)]
    [InlineData(1000)]
    public void A_queue_that_grows_and_shrinks_gives_all_in_order(int burst)
    {
        var queue = new UnboundedMessageQueue();
        var next = 0;
        var expected = 0;
        for (var round = 0; round < 5; round++)
        {
            for (var i = 0; i < burst; i++)
                queue.Enqueue(TestActor, new Envelope(next++, TestActor));
            Assert.Equal(next - expected, queue.Count);
            for (var i = 0; i < burst - (round % 2); i++)
            {
                Assert.True(queue.TryDequeue(out var envelope));
                Assert.Equal(expected++, envelope.Message);
            }
        }

        while (queue.TryDequeue(out var envelope))
            Assert.Equal(expected++, envelope.Message);
        Assert.Equal(next, expected);
        Assert.False(queue.HasMessages);
    }

    private void ExpectOrder(string mailbox, int[] sent, int[] received)
    {
        using var gate = new ManualResetEventSlim();
        ExpectOrder(Sys.ActorOf(Props.Create(() => new Gated(gate)).WithMailbox(mailbox)), gate, sent, received);
    }

    private void ExpectOrder(IActorRef actor, ManualResetEventSlim gate, int[] sent, int[] received)
    {
        actor.Tell("block", TestActor);
        ExpectMsg("blocked");
        foreach (var number in sent)
            actor.Tell(number, TestActor);
        gate.Set();
        foreach (var number in received)
            ExpectMsg(number);
    }

    private IActorRef Blocked(string mailbox, ManualResetEventSlim gate)
    {
        var actor = Sys.ActorOf(Props.Create(() => new Gated(gate)).WithMailbox(mailbox));
        actor.Tell("block", TestActor);
        ExpectMsg("blocked");
        return actor;
    }

    public sealed class ByNumber(Settings settings, Config config) : UnboundedPriorityMailbox(settings, config)
    {
        protected override int PriorityGenerator(object message) => message as int? ?? 0;
    }

    public sealed class ByTens(Settings settings, Config config) : UnboundedStablePriorityMailbox(settings, config)
    {
        protected override int PriorityGenerator(object message) => (message as int? ?? 0) / 10;
    }

    private sealed class Gated(ManualResetEventSlim gate) : UntypedActor
    {
        protected override void OnReceive(object message)
        {
            if (message is not "block")
            {
                Sender.Tell(message);
                return;
            }

            Sender.Tell("blocked");
            gate.Wait();
        }
    }

    private sealed class WithStash : UntypedActor, IWithUnboundedStash
    {
        public IStash Stash { get; set; } = null!;

        protected override void OnReceive(object message) { }
    }
}
