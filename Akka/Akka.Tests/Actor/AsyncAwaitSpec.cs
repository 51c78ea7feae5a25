using Akka.Actor;
using Xunit;

namespace Akka.Tests.Actor;

public class AsyncAwaitSpec : Akka.TestKit.Xunit2.TestKit
{
    [Fact]
    public void No_other_message_is_handled_until_an_asynchronous_handler_is_done()
    {
        var actor = Sys.ActorOf(Props.Create(() => new Awaiting()));
        var gate = new TaskCompletionSource<string>();
        actor.Tell(gate.Task, TestActor);
        actor.Tell("after", TestActor);
        ExpectMsg("begun");
        ExpectNoMsg(TimeSpan.FromMilliseconds(50));
        gate.SetResult("awaited");
        ExpectMsg("awaited");
        ExpectMsg("after");
    }

    [Fact]
    public void Context_sender_and_self_hold_after_each_await()
    {
        var actor = Sys.ActorOf(Props.Create(() => new Awaiting()));
        var first = CreateTestProbe();
        var gate = new TaskCompletionSource<string>();
        actor.Tell(gate.Task, first);
        first.ExpectMsg("begun");
        actor.Tell("after", TestActor); // another sender waits behind
        gate.SetResult("awaited");
        first.ExpectMsg("awaited");
        Assert.Equal(actor, first.LastSender);
        ExpectMsg("after");
    }

    [Fact]
    public void An_exception_after_an_await_goes_to_the_supervisor()
    {
        var actor = Sys.ActorOf(Props.Create(() => new Awaiting()));
        var gate = new TaskCompletionSource<string>();
        actor.Tell(gate.Task, TestActor);
        ExpectMsg("begun");
        EventFilter.Exception<ArithmeticException>().ExpectOne(() => gate.SetException(new ArithmeticException("late")));
        actor.Tell("still there", TestActor);
        ExpectMsg("still there");
    }

    [Fact]
    public void An_exception_before_the_first_await_goes_to_the_supervisor()
    {
        var actor = Sys.ActorOf(Props.Create(() => new Awaiting()));
        EventFilter.Exception<ApplicationException>().ExpectOne(() => actor.Tell('!', TestActor));
        actor.Tell("still there", TestActor);
        ExpectMsg("still there");
    }

    [Fact]
    public void Messages_keep_their_order_over_many_asynchronous_handlers()
    {
        var actor = Sys.ActorOf(Props.Create(() => new Awaiting()));
        for (var i = 0; i < 200; i++)
            actor.Tell(i, TestActor);
        for (var i = 0; i < 200; i++)
            ExpectMsg(i);
    }

    [Fact]
    public void A_message_can_be_stashed_in_an_asynchronous_handler()
    {
        var actor = Sys.ActorOf(Props.Create(() => new StashesAsync()));
        actor.Tell("one", TestActor);
        actor.Tell("open", TestActor);
        ExpectMsg("one");
    }

    [Fact]
    public void An_actor_can_be_stopped_while_its_handler_awaits()
    {
        var actor = Sys.ActorOf(Props.Create(() => new Awaiting()));
        Watch(actor);
        actor.Tell(new TaskCompletionSource<string>().Task, TestActor);
        ExpectMsg("begun");
        Sys.Stop(actor);
        ExpectTerminated(actor);
    }

    private sealed class Awaiting : ReceiveActor
    {
        public Awaiting()
        {
            ReceiveAsync<Task<string>>(async task =>
            {
                Sender.Tell("begun");
                Sender.Tell(await task);
                await Task.Yield();
                _ = Context.Self;
            });
            ReceiveAsync<int>(async i =>
            {
                await Task.Yield();
                Sender.Tell(i);
            });
            ReceiveAsync<char>(_ => throw new ApplicationException("bang"));
            Receive<string>(s => Sender.Tell(s));
        }
    }

    private sealed class StashesAsync : ReceiveActor, IWithUnboundedStash
    {
        public StashesAsync()
        {
            ReceiveAsync<string>(async s =>
            {
                await Task.Yield();
                if (s != "open")
                {
                    Stash.Stash();
                    return;
                }

                Become(() => Receive<string>(m => Sender.Tell(m)));
                Stash.UnstashAll();
            });
        }

        public IStash Stash { get; set; } = null!;
    }
}
