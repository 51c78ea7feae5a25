using Akka.Actor;
using Akka.Configuration;
using Akka.TestKit;
using Xunit;

namespace Akka.Tests.Actor;

/// <summary>Timers and the receive timeout, in virtual time.</summary>
public class TimersSpec : Akka.TestKit.Xunit2.TestKit
{
    public TimersSpec() : base(ConfigurationFactory.ParseString(
        "akka.scheduler.implementation = \"Akka.TestKit.TestScheduler, Akka.TestKit\"")) { }

    private TestScheduler Time => (TestScheduler)Sys.Scheduler;

    [Fact]
    public void A_single_timer_fires_once()
    {
        var actor = Timed();
        Do(actor, t => t.StartSingleTimer("key", "tick", TimeSpan.FromSeconds(1)));
        Time.Advance(TimeSpan.FromSeconds(1));
        ExpectMsg("tick");
        Time.Advance(TimeSpan.FromSeconds(5));
        Do(actor, t => TestActor.Tell(t.IsTimerActive("key")));
        ExpectMsg(false);
    }

    [Fact]
    public void A_periodic_timer_fires_until_it_is_cancelled()
    {
        var actor = Timed();
        Do(actor, t => t.StartPeriodicTimer("key", "tick", TimeSpan.FromSeconds(1)));
        for (var i = 0; i < 3; i++)
        {
            Time.Advance(TimeSpan.FromSeconds(1));
            ExpectMsg("tick");
        }

        Do(actor, t => t.Cancel("key"));
        Time.Advance(TimeSpan.FromSeconds(3));
        Do(actor, _ => TestActor.Tell("end"));
        ExpectMsg("end");
    }

    [Fact]
    public void A_tick_that_is_in_the_mailbox_when_its_timer_is_cancelled_is_not_delivered()
    {
        var actor = Timed();
        Do(actor, t => t.StartSingleTimer("key", "tick", TimeSpan.FromSeconds(1)));
        Do(actor, t =>
        {
            Time.Advance(TimeSpan.FromSeconds(1));
            t.Cancel("key");
        });
        Do(actor, _ => TestActor.Tell("end"));
        ExpectMsg("end");
    }

    [Fact]
    public void A_timer_started_anew_under_its_key_drops_the_tick_of_the_old_one()
    {
        var actor = Timed();
        Do(actor, t => t.StartSingleTimer("key", "old", TimeSpan.FromSeconds(1)));
        Do(actor, t =>
        {
            Time.Advance(TimeSpan.FromSeconds(1));
            t.StartSingleTimer("key", "new", TimeSpan.FromSeconds(1));
        });
        Time.Advance(TimeSpan.FromSeconds(1));
        ExpectMsg("new");
    }

    [Fact]
    public void A_restart_cancels_the_timers()
    {
        var actor = Timed();
        Do(actor, t => t.StartPeriodicTimer("key", "tick", TimeSpan.FromSeconds(1)));
        Do(actor, _ => throw new ApplicationException("bang"));
        Do(actor, t => TestActor.Tell(t.IsTimerActive("key")));
        ExpectMsg(false);
        Time.Advance(TimeSpan.FromSeconds(2));
        Do(actor, _ => TestActor.Tell("end"));
        ExpectMsg("end");
    }

    [Fact]
    public void A_timer_can_bring_a_PoisonPill()
    {
        var actor = Timed();
        Watch(actor);
        Do(actor, t => t.StartSingleTimer("key", PoisonPill.Instance, TimeSpan.FromSeconds(1)));
        Time.Advance(TimeSpan.FromSeconds(1));
        ExpectTerminated(actor);
    }

    [Fact]
    public void The_receive_timeout_comes_after_silence_and_again_after_more()
    {
        var actor = Sys.ActorOf(Props.Create(() => new Silent(TestActor)));
        Say(actor, "ready?");
        Time.Advance(TimeSpan.FromSeconds(1));
        ExpectMsg("silence");
        AwaitAdvance("silence");
    }

    [Fact]
    public void A_message_puts_the_receive_timeout_off()
    {
        var actor = Sys.ActorOf(Props.Create(() => new Silent(TestActor)));
        for (var i = 0; i < 3; i++)
        {
            Say(actor, "ready?");
            AwaitTurn(actor);
            Time.Advance(TimeSpan.FromMilliseconds(900));
        }

        ExpectNoMsg(TimeSpan.Zero);
        Time.Advance(TimeSpan.FromMilliseconds(100));
        ExpectMsg("silence");
    }

    [Fact]
    public void A_message_that_does_not_influence_it_does_not_put_the_receive_timeout_off()
    {
        var actor = Sys.ActorOf(Props.Create(() => new Silent(TestActor)));
        Say(actor, "ready?");
        AwaitTurn(actor);
        Time.Advance(TimeSpan.FromMilliseconds(900));
        AwaitTurn(actor);
        Time.Advance(TimeSpan.FromMilliseconds(100));
        ExpectMsg("silence");
    }

    [Fact]
    public void The_receive_timeout_can_be_ended()
    {
        var actor = Sys.ActorOf(Props.Create(() => new Silent(TestActor)));
        Say(actor, "enough");
        AwaitTurn(actor);
        Time.Advance(TimeSpan.FromSeconds(5));
        ExpectNoMsg(TimeSpan.FromMilliseconds(50));
    }

    private IActorRef Timed() => Sys.ActorOf(Props.Create(() => new TimedActor(TestActor)));

    /// <summary>Runs in the actor's turn, and returns when that turn is over.</summary>
    private static void Do(IActorRef actor, Action<ITimerScheduler> action)
    {
        actor.Tell(action);
        AwaitTurn(actor);
    }

    private static void Say(IActorRef actor, string what) => actor.Ask<string>(what).Wait();

    /// <summary>Returns when the actor's turn before this one is over; does not influence its receive timeout.</summary>
    private static void AwaitTurn(IActorRef actor) => actor.Ask<ActorIdentity>(new Identify(null)).Wait();

    private void AwaitAdvance(string message) => AwaitAssert(() =>
    {
        Time.Advance(TimeSpan.FromSeconds(1));
        ExpectMsg(message, TimeSpan.FromMilliseconds(100));
    });

    private sealed class TimedActor : ReceiveActor, IWithTimers
    {
        public TimedActor(IActorRef to)
        {
            Receive<Action<ITimerScheduler>>(a => a(Timers));
            ReceiveAny(to.Tell);
        }

        public ITimerScheduler Timers { get; set; } = null!;
    }

    private sealed class Silent : ReceiveActor
    {
        public Silent(IActorRef to)
        {
            SetReceiveTimeout(TimeSpan.FromSeconds(1));
            Receive<ReceiveTimeout>(_ => to.Tell("silence"));
            Receive<string>(s =>
            {
                if (s == "enough")
                    SetReceiveTimeout(null);
                Sender.Tell(s);
            });
        }
    }
}
