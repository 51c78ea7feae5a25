using Akka.Actor;
using Akka.TestKit.Xunit2;
using Xunit;

namespace Akka.Tests.Actor;

public class LifecycleSpec : Akka.TestKit.Xunit2.TestKit
{
    [Fact]
    public void An_actor_starts_before_its_first_message_and_stops_after_its_last()
    {
        var actor = Sys.ActorOf(Props.Create(() => new Reporter(TestActor, "a")));
        actor.Tell("one");
        actor.Tell(PoisonPill.Instance);
        ExpectMsg("a ctor");
        ExpectMsg("a preStart");
        ExpectMsg("a one");
        ExpectMsg("a postStop");
    }

    [Fact]
    public void A_restart_calls_preRestart_on_the_old_instance_and_postRestart_on_the_new_one()
    {
        var actor = Sys.ActorOf(Props.Create(() => new Reporter(TestActor, "a")));
        actor.Tell("boom");
        actor.Tell("next");
        foreach (var expected in (string[])["a ctor", "a preStart", "a preRestart bang boom", "a postStop", "a ctor", "a postRestart bang", "a preStart", "a next"])
            ExpectMsg(expected);
    }

    [Fact]
    public void A_restart_keeps_the_handle_and_the_mailbox_but_loses_the_message_that_failed()
    {
        var actor = Sys.ActorOf(Props.Create(() => new Counter()));
        actor.Tell("up");
        actor.Tell("boom");
        actor.Tell("up");
        actor.Tell("get", TestActor);
        ExpectMsg(1);
        Assert.Equal(actor, LastSender);
    }

    [Fact]
    public void A_restart_stops_the_children_before_the_new_instance_is_made()
    {
        IgnoreMessages(m => m is string s && s.StartsWith("parent", StringComparison.Ordinal) && !s.Contains("postRestart"));
        var actor = Sys.ActorOf(Props.Create(() => new Reporter(TestActor, "parent")));
        actor.Tell("child");
        ExpectMsg("child ctor");
        ExpectMsg("child preStart");
        actor.Tell("boom");
        ExpectMsg("child postStop");
        ExpectMsg("parent postRestart bang");
    }

    [Fact]
    public void An_actor_whose_constructor_throws_is_stopped()
    {
        var actor = Sys.ActorOf(Props.Create(() => new Unmade()));
        Watch(actor);
        ExpectTerminated(actor);
    }

    [Fact]
    public void The_supervisor_hears_of_a_failed_constructor_as_an_ActorInitializationException()
    {
        var parent = Sys.ActorOf(Props.Create(() => new Deciding(TestActor)));
        parent.Tell(Props.Create(() => new Unmade()));
        var failure = ExpectMsg<ActorInitializationException>();
        Assert.IsType<InvalidOperationException>(failure.InnerException);
    }

    [Fact]
    public void The_supervisor_hears_of_a_failed_preStart_as_an_ActorInitializationException()
    {
        var parent = Sys.ActorOf(Props.Create(() => new Deciding(TestActor)));
        parent.Tell(Props.Create(() => new FailsInPreStart()));
        Assert.IsType<InvalidOperationException>(ExpectMsg<ActorInitializationException>().InnerException);
    }

    [Fact]
    public void A_fresh_instance_that_fails_in_postRestart_is_reported_with_both_causes()
    {
        var parent = Sys.ActorOf(Props.Create(() => new Deciding(TestActor)));
        parent.Tell(Props.Create(() => new FailsInPostRestart()));
        ExpectMsg<ArithmeticException>();
        var second = ExpectMsg<PostRestartException>();
        Assert.IsType<ArithmeticException>(second.OriginalCause);
        Assert.IsType<InvalidOperationException>(second.InnerException);
    }

    [Fact]
    public Task An_actor_made_with_new_is_refused() => OutsideAnyTurn(() => Assert.Throws<ActorInitializationException>(() => new Counter()));

    [Fact]
    public void An_actor_that_is_disposable_is_disposed_after_postStop()
    {
        var actor = Sys.ActorOf(Props.Create(() => new Disposing(TestActor)));
        actor.Tell(PoisonPill.Instance);
        ExpectMsg("postStop");
        ExpectMsg("disposed");
    }

    [Fact]
    public async Task The_context_is_refused_outside_an_actors_turn()
    {
        var actor = Sys.ActorOf(Props.Create(() => new LeaksItsContext()));
        var leaked = await actor.Ask<Func<object>>("leak");
        await OutsideAnyTurn(() => Assert.Throws<NotSupportedException>(() => leaked()));
    }

    /// <remarks>A thread that has run a test counts as the test actor's, so this needs one that has not.</remarks>
    private static Task OutsideAnyTurn(Action action) =>
        Task.Factory.StartNew(action, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);

    private sealed class Reporter : UntypedActor
    {
        private readonly IActorRef _to;
        private readonly string _name;

        public Reporter(IActorRef to, string name)
        {
            _to = to;
            _name = name;
            Say("ctor");
        }

        protected override void OnReceive(object message)
        {
            switch (message)
            {
                case "boom":
                    throw new ApplicationException("bang");
                case "child":
                    Context.ActorOf(Props.Create(() => new Reporter(_to, "child")));
                    break;
                default:
                    Say(message.ToString()!);
                    break;
            }
        }

        protected override void PreStart() => Say("preStart");

        protected override void PostStop() => Say("postStop");

        protected override void PreRestart(Exception reason, object message)
        {
            Say($"preRestart {reason.Message} {message}");
            base.PreRestart(reason, message);
        }

        protected override void PostRestart(Exception reason)
        {
            Say($"postRestart {reason.Message}");
            base.PostRestart(reason);
        }

        private void Say(string what) => _to.Tell($"{_name} {what}");
    }

    private sealed class Counter : UntypedActor
    {
        private int _count;

        protected override void OnReceive(object message)
        {
            switch (message)
            {
                case "up":
                    _count++;
                    break;
                case "boom":
                    throw new ApplicationException("bang");
                default:
                    Sender.Tell(_count);
                    break;
            }
        }
    }

    private sealed class Unmade : UntypedActor
    {
        public Unmade() => throw new InvalidOperationException("not this time");

        protected override void OnReceive(object message) { }
    }

    private sealed class FailsInPreStart : UntypedActor
    {
        protected override void PreStart() => throw new InvalidOperationException("not this time");

        protected override void OnReceive(object message) { }
    }

    private sealed class FailsInPostRestart : UntypedActor
    {
        protected override void PreStart() => Self.Tell("boom");

        protected override void PostRestart(Exception reason) => throw new InvalidOperationException("not again");

        protected override void OnReceive(object message) => throw new ArithmeticException("first");
    }

    private sealed class Deciding(IActorRef to) : UntypedActor
    {
        protected override void OnReceive(object message) => Context.ActorOf((Props)message);

        protected override SupervisorStrategy SupervisorStrategy() => new OneForOneStrategy(e =>
        {
            to.Tell(e);
            return e is ActorInitializationException ? Directive.Stop : Directive.Restart;
        });
    }

    private sealed class Disposing(IActorRef to) : UntypedActor, IDisposable
    {
        public void Dispose() => to.Tell("disposed");

        protected override void PostStop() => to.Tell("postStop");

        protected override void OnReceive(object message) { }
    }

    private sealed class LeaksItsContext : UntypedActor
    {
        protected override void OnReceive(object message) => Sender.Tell(new Func<object>(() => Context));
    }
}
