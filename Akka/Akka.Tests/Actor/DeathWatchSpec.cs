using Akka.Actor;
using Xunit;

namespace Akka.Tests.Actor;

public class DeathWatchSpec : Akka.TestKit.Xunit2.TestKit
{
    [Fact]
    public void A_watcher_is_told_of_the_end_once()
    {
        var subject = Idle();
        Watch(subject);
        Watch(subject);
        subject.Tell(PoisonPill.Instance);
        var terminated = ExpectTerminated(subject);
        Assert.True(terminated.ExistenceConfirmed);
        ExpectNoMsg(TimeSpan.FromMilliseconds(50));
    }

    [Fact]
    public void A_watcher_of_an_actor_that_has_stopped_is_told_at_once()
    {
        var subject = Idle();
        Watch(subject);
        Sys.Stop(subject);
        ExpectTerminated(subject);
        var late = CreateTestProbe();
        late.Watch(subject);
        Assert.False(late.ExpectMsg<Terminated>().ExistenceConfirmed);
    }

    [Fact]
    public void A_watcher_of_an_actor_that_never_was_is_told_that_it_is_not()
    {
        var nobody = ((ExtendedActorSystem)Sys).Provider.ResolveActorRef(Sys.DeadLetters.Path.Root / "user" / "nobody");
        Watch(nobody);
        var terminated = ExpectMsg<Terminated>();
        Assert.False(terminated.ExistenceConfirmed);
        Assert.Equal(nobody.Path, terminated.ActorRef.Path);
    }

    [Fact]
    public void Who_unwatches_is_not_told()
    {
        var subject = Idle();
        Watch(subject);
        Unwatch(subject);
        var other = CreateTestProbe();
        other.Watch(subject);
        Sys.Stop(subject);
        other.ExpectTerminated(subject);
        ExpectNoMsg(TimeSpan.FromMilliseconds(50));
    }

    [Fact]
    public void Unwatch_drops_a_Terminated_that_is_in_the_mailbox_already()
    {
        var subject = Idle();
        var watcher = Sys.ActorOf(Props.Create(() => new Watcher(TestActor)));
        watcher.Tell(subject);
        ExpectMsg("watching");
        var gate = new TaskCompletionSource();
        watcher.Tell(gate.Task);
        ExpectMsg("blocked");
        Watch(subject);
        Sys.Stop(subject);
        ExpectTerminated(subject); // the watcher, which is busy, has been notified too
        watcher.Tell(new Watcher.Forget(subject));
        watcher.Tell("end");
        gate.SetResult();
        ExpectMsg("end");
        watcher.Tell("later");
        ExpectMsg("later");
    }

    [Fact]
    public void Unwatch_in_the_turn_in_which_the_subject_stops_drops_the_notice()
    {
        var subject = Idle();
        var watcher = Sys.ActorOf(Props.Create(() => new Watcher(TestActor)));
        watcher.Tell(subject);
        ExpectMsg("watching");
        watcher.Tell(new Watcher.StopAndForget(subject));
        ExpectMsg("forgotten");
        watcher.Tell("end");
        ExpectMsg("end");
    }

    [Fact]
    public void WatchWith_delivers_the_message_asked_for()
    {
        var subject = Idle();
        var watcher = Sys.ActorOf(Props.Create(() => new WatchesTwice(TestActor, subject)));
        watcher.Tell("once");
        Sys.Stop(subject);
        ExpectMsg("gone");
    }

    [Fact]
    public void Watching_again_with_another_message_is_refused()
    {
        var subject = Idle();
        var watcher = Sys.ActorOf(Props.Create(() => new WatchesTwice(TestActor, subject)));
        watcher.Tell("go");
        ExpectMsg<InvalidOperationException>();
    }

    [Fact]
    public void A_parent_that_watches_is_told_after_the_child_has_been_removed()
    {
        var parent = Sys.ActorOf(Props.Create(() => new WatchingParent(TestActor)));
        parent.Tell("stop child");
        ExpectMsg("terminated, children: 0, name free: True");
    }

    [Fact]
    public async Task An_unhandled_Terminated_is_a_death_pact()
    {
        var subject = Idle();
        var watcher = Sys.ActorOf(Props.Create(() => new Pact(subject)));
        Watch(watcher);
        await watcher.Ask<string>("ready?");
        Sys.Stop(subject);
        ExpectTerminated(watcher);
    }

    [Fact]
    public void A_stopped_watcher_is_forgotten_by_its_subject()
    {
        var subject = Idle();
        var watcher = Sys.ActorOf(Props.Create(() => new Watcher(TestActor)));
        watcher.Tell(subject);
        ExpectMsg("watching");
        Watch(watcher);
        Sys.Stop(watcher);
        ExpectTerminated(watcher);
        EventFilter.DeadLetter<Terminated>().Expect(0, () =>
        {
            Watch(subject);
            Sys.Stop(subject);
            ExpectTerminated(subject);
        });
    }

    private IActorRef Idle() => Sys.ActorOf(Props.Create(() => new IdleActor()));

    private sealed class IdleActor : UntypedActor
    {
        protected override void OnReceive(object message) { }
    }

    private sealed class Watcher(IActorRef to) : UntypedActor
    {
        protected override void OnReceive(object message)
        {
            switch (message)
            {
                case IActorRef subject:
                    Context.Watch(subject);
                    to.Tell("watching");
                    break;
                case Task gate:
                    to.Tell("blocked");
                    gate.Wait();
                    break;
                case Forget forget:
                    Context.Unwatch(forget.Subject);
                    break;
                case StopAndForget forget:
                    Context.Stop(forget.Subject);
                    Context.Unwatch(forget.Subject);
                    to.Tell("forgotten");
                    break;
                default:
                    to.Tell(message);
                    break;
            }
        }

        internal sealed record Forget(IActorRef Subject);

        internal sealed record StopAndForget(IActorRef Subject);
    }

    private sealed class WatchesTwice(IActorRef to, IActorRef subject) : UntypedActor
    {
        protected override void OnReceive(object message)
        {
            if (message is not "go")
            {
                if (message is "once")
                    Context.WatchWith(subject, "gone");
                else
                    to.Tell(message);
                return;
            }

            Context.Watch(subject);
            try
            {
                Context.WatchWith(subject, "other");
            }
            catch (InvalidOperationException e)
            {
                to.Tell(e);
            }
        }
    }

    private sealed class WatchingParent : ReceiveActor
    {
        public WatchingParent(IActorRef to)
        {
            var child = Context.Watch(Context.ActorOf(Props.Create(() => new IdleActor()), "child"));
            Receive<string>(_ => Context.Stop(child));
            Receive<Terminated>(_ =>
            {
                var children = Context.GetChildren().Count();
                var free = !Context.ActorOf(Props.Create(() => new IdleActor()), "child").Equals(child);
                to.Tell($"terminated, children: {children}, name free: {free}");
            });
        }
    }

    private sealed class Pact : ReceiveActor
    {
        public Pact(IActorRef subject)
        {
            Context.Watch(subject);
            Receive<string>(_ => Sender.Tell("yes"));
        }
    }
}
