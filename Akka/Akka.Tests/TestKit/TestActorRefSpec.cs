using Akka.Actor;
using Akka.TestKit;
using Xunit;

namespace Akka.Tests.TestKit;

public class TestActorRefSpec : Akka.TestKit.Xunit2.TestKit
{
    [Fact]
    public void A_message_has_been_handled_when_tell_returns()
    {
        var thread = 0;
        var actor = ActorOfAsTestActorRef<Counter>();
        actor.UnderlyingActor.OnCount = () => thread = Environment.CurrentManagedThreadId;
        actor.Tell(1);
        Assert.Equal(1, actor.UnderlyingActor.Count);
        Assert.Equal(Environment.CurrentManagedThreadId, thread);
    }

    [Fact]
    public void The_sender_is_the_test_actor_unless_another_is_named()
    {
        var actor = ActorOfAsTestActorRef<Counter>(Props.Create<Counter>(), "named");
        Assert.Equal("/user/named", actor.Path.ToStringWithoutAddress());
        actor.Tell("who?");
        ExpectMsg(TestActor);
        var probe = CreateTestProbe();
        actor.Tell("who?", probe);
        probe.ExpectMsg(probe.Ref);
    }

    [Fact]
    public void A_failure_goes_to_the_supervisor_if_told_and_to_the_test_if_received()
    {
        var actor = ActorOfAsTestActorRef<Counter>();
        actor.Tell(1);
        Assert.Throws<InvalidOperationException>(() => actor.Receive("fail"));
        Assert.Equal(1, actor.UnderlyingActor.Count);
        EventFilter.Exception<InvalidOperationException>().ExpectOne(() => actor.Tell("fail"));
        AwaitAssert(() => Assert.Equal(0, actor.UnderlyingActor.Count));
    }

    [Fact]
    public async Task An_asynchronous_handler_can_be_awaited()
    {
        var actor = ActorOfAsTestActorRef<Counter>();
        await actor.ReceiveAsync(TimeSpan.FromMilliseconds(5));
        Assert.Equal(1, actor.UnderlyingActor.Count);
        await actor.ReceiveAsync(1);
        Assert.Equal(2, actor.UnderlyingActor.Count);
        await Assert.ThrowsAsync<NotSupportedException>(() => actor.ReceiveAsync(TimeSpan.MaxValue));
        actor.Tell(1);
        Assert.Equal(3, actor.UnderlyingActor.Count);
    }

    [Fact]
    public async Task It_is_an_actor_like_any_other()
    {
        var actor = ActorOfAsTestActorRef<Counter>();
        Assert.True(actor == actor.Ref);
        Assert.False(actor != actor.Ref);
        Assert.False(actor == TestActor);
        Assert.Equal(actor.Ref, await Sys.ActorSelection(actor.Path).ResolveOne(TimeSpan.FromSeconds(3)));
        Watch(actor);
        actor.Tell(PoisonPill.Instance);
        ExpectTerminated(actor);
        Assert.Throws<IllegalActorStateException>(() => actor.UnderlyingActor);
    }

    [Fact]
    public void It_may_have_a_parent()
    {
        var parent = ActorOfAsTestActorRef<Counter>("parent");
        var child = ActorOfAsTestActorRef<Counter>(parent.Ref, "child");
        Assert.Equal(parent.Path / "child", child.Path);
        Watch(child);
        Sys.Stop(parent.Ref);
        ExpectTerminated(child);
    }

    private sealed class Counter : ReceiveActor
    {
        public Counter()
        {
            Receive<int>(_ =>
            {
                Count++;
                OnCount?.Invoke();
            });
            Receive<string>(message => message == "who?", _ => Sender.Tell(Sender));
            Receive<string>(_ => throw new InvalidOperationException("broken on purpose"));
            ReceiveAsync<TimeSpan>(async delay =>
            {
                if (delay == TimeSpan.MaxValue)
                {
                    await Task.Yield();
                    throw new NotSupportedException("broken on purpose");
                }
                await Task.Delay(delay);
                Count++;
            });
        }

        public int Count { get; private set; }

        public Action? OnCount { get; set; }
    }
}
