using Akka.Actor;
using Akka.TestKit;
using Akka.TestKit.Configs;
using Xunit;

namespace Akka.Tests.TestKit;

public class TestSchedulerSpec : Akka.TestKit.Xunit2.TestKit
{
    private static readonly TimeSpan Second = TimeSpan.FromSeconds(1);

    public TestSchedulerSpec()
        : base("akka.scheduler.implementation = \"Akka.TestKit.TestScheduler, Akka.TestKit\"")
    {
    }

    [Fact]
    public void The_test_kit_has_the_configuration_ready()
    {
        Assert.Equal("Akka.TestKit.TestScheduler, Akka.TestKit", TestConfigs.TestSchedulerConfig.GetString("akka.scheduler.implementation"));
        Assert.Equal(3, TestConfigs.DefaultConfig.GetTimeSpan("akka.test.single-expect-default").TotalSeconds);
    }

    private TestScheduler Scheduler => (TestScheduler)Sys.Scheduler;

    [Fact]
    public void Nothing_happens_before_its_time()
    {
        Scheduler.ScheduleTellOnce(Second, TestActor, "due", ActorRefs.NoSender);
        Scheduler.Advance(Second - TimeSpan.FromTicks(1));
        Assert.False(HasMessages);
        Scheduler.Advance(TimeSpan.FromTicks(1));
        ExpectMsg("due");
        Scheduler.Advance(Second);
        Assert.False(HasMessages);
    }

    [Fact]
    public void What_is_due_runs_in_the_order_of_its_times()
    {
        Scheduler.ScheduleTellOnce(3 * Second, TestActor, 3, ActorRefs.NoSender);
        Scheduler.ScheduleTellOnce(Second, TestActor, 1, ActorRefs.NoSender);
        Scheduler.ScheduleTellOnce(2 * Second, TestActor, 2, ActorRefs.NoSender);
        Scheduler.ScheduleTellOnce(2 * Second, TestActor, "2, too", ActorRefs.NoSender);
        Scheduler.Advance(3 * Second);
        foreach (var expected in new object[] { 1, 2, "2, too", 3 })
            ExpectMsg(expected);
    }

    [Fact]
    public void Time_is_virtual()
    {
        var start = Scheduler.Now;
        Assert.Equal(start, Scheduler.Now);
        Scheduler.Advance(Second);
        Assert.Equal(start + Second, Scheduler.Now);
        Scheduler.AdvanceTo(start + 2 * Second);
        Assert.Equal(start + 2 * Second, Scheduler.Now);
        Assert.Throws<InvalidOperationException>(() => Scheduler.AdvanceTo(start));
    }

    [Fact]
    public void What_repeats_runs_once_an_advance_and_is_due_an_interval_later()
    {
        Scheduler.ScheduleTellRepeatedly(Second, 2 * Second, TestActor, "tick", ActorRefs.NoSender);
        Scheduler.Advance(Second);
        ExpectMsg("tick");
        Scheduler.Advance(Second);
        Assert.False(HasMessages);
        Scheduler.Advance(10 * Second);
        ExpectMsg("tick");
        Assert.False(HasMessages);
        Scheduler.Advance(2 * Second);
        ExpectMsg("tick");
    }

    [Fact]
    public void What_is_cancelled_does_not_run()
    {
        var cancelable = Scheduler.ScheduleTellRepeatedlyCancelable(Second, Second, TestActor, "tick", ActorRefs.NoSender);
        Scheduler.Advance(Second);
        ExpectMsg("tick");
        cancelable.Cancel();
        Scheduler.Advance(Second);
        Assert.False(HasMessages);
        Scheduler.ScheduleTellOnceCancelable(Second, TestActor, "once", ActorRefs.NoSender).Cancel();
        Scheduler.Advance(Second);
        Assert.False(HasMessages);
    }

    [Fact]
    public void Actions_run_on_the_thread_that_advances()
    {
        var thread = 0;
        Scheduler.Advanced.ScheduleOnce(Second, () => thread = Environment.CurrentManagedThreadId);
        Scheduler.Advance(Second);
        Assert.Equal(Environment.CurrentManagedThreadId, thread);
        var runs = 0;
        Scheduler.Advanced.ScheduleRepeatedly(Second, Second, () => runs++);
        Scheduler.Advance(Second);
        Scheduler.Advance(Second);
        Assert.Equal(2, runs);
    }

    [Fact]
    public void What_is_scheduled_meanwhile_waits_for_the_next_advance()
    {
        Scheduler.Advanced.ScheduleOnce(
            Second, () => Scheduler.ScheduleTellOnce(TimeSpan.Zero, TestActor, "next", ActorRefs.NoSender));
        Scheduler.Advance(2 * Second);
        Assert.False(HasMessages);
        Scheduler.Advance(TimeSpan.Zero);
        ExpectMsg("next");
    }

    [Fact]
    public void What_an_action_throws_reaches_the_test_and_the_rest_runs_with_the_next_advance()
    {
        Scheduler.Advanced.ScheduleOnce(Second, (Action)(() => throw new NotSupportedException("broken on purpose")));
        Scheduler.ScheduleTellOnce(Second, TestActor, "rest", ActorRefs.NoSender);
        Assert.Throws<NotSupportedException>(() => Scheduler.Advance(2 * Second));
        Assert.False(HasMessages);
        Scheduler.Advance(TimeSpan.Zero);
        ExpectMsg("rest");
    }

    [Fact]
    public void An_actors_timers_follow_the_virtual_time()
    {
        var actor = ActorOfAsTestActorRef(() => new Ticking(TestActor));
        Scheduler.Advance(Second);
        ExpectMsg("tick");
        actor.Tell("stop");
        Scheduler.Advance(Second);
        Assert.False(HasMessages);
    }

    private sealed class Ticking : ReceiveActor, IWithTimers
    {
        public Ticking(IActorRef target)
        {
            Receive<string>(message => message == "stop", _ => Timers.Cancel("key"));
            Receive<string>(target.Tell);
        }

        public ITimerScheduler Timers { get; set; } = null!;

        protected override void PreStart() => Timers.StartPeriodicTimer("key", "tick", Second, Second);
    }
}
