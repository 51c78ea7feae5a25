using Akka.Actor;
using Xunit;

namespace Akka.Tests.Actor;

public class SupervisionSpec : Akka.TestKit.Xunit2.TestKit
{
    [Fact]
    public void Resume_keeps_the_state()
    {
        var child = ChildOf(new OneForOneStrategy(_ => Directive.Resume));
        child.Tell("up");
        child.Tell("boom");
        child.Tell("up");
        child.Tell("get", TestActor);
        ExpectMsg(2);
    }

    [Fact]
    public void Restart_begins_anew()
    {
        var child = ChildOf(new OneForOneStrategy(_ => Directive.Restart));
        child.Tell("up");
        child.Tell("boom");
        child.Tell("up");
        child.Tell("get", TestActor);
        ExpectMsg(1);
    }

    [Fact]
    public void Stop_ends_the_child()
    {
        var child = ChildOf(new OneForOneStrategy(_ => Directive.Stop));
        Watch(child);
        child.Tell("boom");
        ExpectTerminated(child);
    }

    [Fact]
    public void Escalate_makes_the_failure_the_parents_own()
    {
        var strategy = new OneForOneStrategy(e =>
        {
            TestActor.Tell(e.Message);
            return Directive.Stop;
        });
        var top = Sys.ActorOf(Props.Create(() => new Parent(strategy)));
        var middle = Ask(top, Props.Create(() => new Parent(new OneForOneStrategy(_ => Directive.Escalate))));
        var child = Ask(middle, Props.Create(() => new Child()));
        Watch(middle);
        child.Tell("boom");
        ExpectMsg("bang");
        ExpectTerminated(middle);
    }

    [Fact]
    public void A_child_is_restarted_as_often_as_allowed_and_then_stopped()
    {
        var child = ChildOf(new OneForOneStrategy(2, -1, _ => Directive.Restart));
        Watch(child);
        for (var i = 0; i < 2; i++)
        {
            child.Tell("boom");
            child.Tell("get", TestActor);
            ExpectMsg(0);
        }

        child.Tell("boom");
        ExpectTerminated(child);
    }

    [Fact]
    public void Within_a_window_the_restarts_are_counted()
    {
        var child = ChildOf(new OneForOneStrategy(1, TimeSpan.FromHours(1), _ => Directive.Restart));
        Watch(child);
        child.Tell("boom");
        child.Tell("get", TestActor);
        ExpectMsg(0);
        child.Tell("boom");
        ExpectTerminated(child);
    }

    [Fact]
    public void Zero_retries_stop_the_child_at_once()
    {
        var child = ChildOf(new OneForOneStrategy(0, -1, _ => Directive.Restart));
        Watch(child);
        child.Tell("boom");
        ExpectTerminated(child);
    }

    [Fact]
    public void AllForOne_restarts_the_siblings_too()
    {
        var parent = Sys.ActorOf(Props.Create(() => new Parent(new AllForOneStrategy(_ => Directive.Restart))));
        var first = Ask(parent, Props.Create(() => new Child()));
        var second = Ask(parent, Props.Create(() => new Child()));
        second.Tell("up");
        second.Tell("get", TestActor);
        ExpectMsg(1);
        first.Tell("boom");
        first.Tell("get", TestActor);
        ExpectMsg(0);
        AwaitAssert(() =>
        {
            second.Tell("get", TestActor);
            ExpectMsg(0);
        });
    }

    [Fact]
    public void AllForOne_stops_all_when_one_has_failed_too_often()
    {
        var parent = Sys.ActorOf(Props.Create(() => new Parent(new AllForOneStrategy(1, -1, _ => Directive.Restart))));
        var first = Ask(parent, Props.Create(() => new Child()));
        var second = Ask(parent, Props.Create(() => new Child()));
        Watch(first);
        Watch(second);
        first.Tell("boom");
        first.Tell("get", TestActor);
        ExpectMsg(0);
        first.Tell("boom");
        Assert.Equal(
            new[] { first, second }.Order(),
            new[] { ExpectMsg<Terminated>().ActorRef, ExpectMsg<Terminated>().ActorRef }.Order());
    }

    [Fact]
    public void By_default_a_killed_child_is_stopped_and_one_that_failed_is_restarted()
    {
        var child = ChildOf(SupervisorStrategy.DefaultStrategy);
        Watch(child);
        child.Tell("boom");
        child.Tell("get", TestActor);
        ExpectMsg(0);
        child.Tell(Kill.Instance);
        ExpectTerminated(child);
    }

    [Fact]
    public void The_strategy_of_the_props_goes_before_the_actors_own()
    {
        var parent = Sys.ActorOf(Props.Create(() => new Parent(new OneForOneStrategy(_ => Directive.Restart)))
            .WithSupervisorStrategy(new OneForOneStrategy(_ => Directive.Stop)));
        var child = Ask(parent, Props.Create(() => new Child()));
        Watch(child);
        child.Tell("boom");
        ExpectTerminated(child);
    }

    [Fact]
    public void A_failed_actors_children_handle_nothing_until_it_has_been_dealt_with()
    {
        using var gate = new ManualResetEventSlim();
        var strategy = new OneForOneStrategy(_ =>
        {
            TestActor.Tell("deciding");
            gate.Wait();
            return Directive.Resume;
        });
        var top = Sys.ActorOf(Props.Create(() => new Parent(strategy)));
        var middle = Ask(top, Props.Create(() => new Parent(SupervisorStrategy.DefaultStrategy)));
        var child = Ask(middle, Props.Create(() => new Child()));
        middle.Tell("boom");
        ExpectMsg("deciding");
        child.Tell("get", TestActor);
        ExpectNoMsg(TimeSpan.FromMilliseconds(50));
        gate.Set();
        ExpectMsg(0);
    }

    [Fact]
    public void A_decider_made_of_pairs_takes_the_first_that_fits()
    {
        var decider = Decider.From(Directive.Escalate, Directive.Stop.When<ArgumentNullException>(), Directive.Resume.When<ArgumentException>());
        Assert.Equal(Directive.Stop, decider.Decide(new ArgumentNullException()));
        Assert.Equal(Directive.Resume, decider.Decide(new ArgumentOutOfRangeException()));
        Assert.Equal(Directive.Escalate, decider.Decide(new InvalidOperationException()));
    }

    [Fact]
    public void The_failure_is_logged_with_the_childs_path()
    {
        var child = ChildOf(SupervisorStrategy.DefaultStrategy);
        EventFilter.Error(source: child.Path.ToString(), contains: "bang").ExpectOne(() => child.Tell("boom"));
    }

    private IActorRef ChildOf(SupervisorStrategy strategy) =>
        Ask(Sys.ActorOf(Props.Create(() => new Parent(strategy))), Props.Create(() => new Child()));

    private static IActorRef Ask(IActorRef parent, Props props) => parent.Ask<IActorRef>(props).Result;

    private sealed class Parent(SupervisorStrategy strategy) : UntypedActor
    {
        protected override void OnReceive(object message)
        {
            if (message is not Props props)
                throw new ApplicationException("bang");
            Sender.Tell(Context.ActorOf(props));
        }

        protected override SupervisorStrategy SupervisorStrategy() => strategy;
    }

    private sealed class Child : UntypedActor
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
}
