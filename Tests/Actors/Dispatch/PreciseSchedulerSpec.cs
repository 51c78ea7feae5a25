using Akka.Actor;
using Tapwire.Actors.Dispatch;
using Xunit;

namespace Tapwire.Tests.Actors.Dispatch;

/// <summary>What every scheduler of Akka.NET does, of ours. Order and cancellation only: how exactly it keeps time depends on the machine.</summary>
public sealed class PreciseSchedulerSpec()
    : Akka.TestKit.Xunit2.TestKit("akka.scheduler.implementation = \"Tapwire.Actors.Dispatch.PreciseScheduler, Tapwire.Actors\"")
{
    private static readonly TimeSpan Soon = TimeSpan.FromMilliseconds(10);
    private static readonly TimeSpan Later = TimeSpan.FromMilliseconds(60);
    private static readonly TimeSpan Never = TimeSpan.FromHours(10);

    [Fact]
    public void What_is_due_first_comes_first()
    {
        Sys.Scheduler.ScheduleTellOnce(TimeSpan.FromMilliseconds(500), TestActor, "later", ActorRefs.NoSender);
        Sys.Scheduler.ScheduleTellOnce(Never, TestActor, "never", ActorRefs.NoSender);
        Sys.Scheduler.ScheduleTellOnce(Soon, TestActor, "soon", ActorRefs.NoSender);
        ExpectMsg("soon");
        ExpectMsg("later");
    }

    [Fact]
    public void Nothing_comes_before_its_time()
    {
        var began = Sys.Scheduler.HighResMonotonicClock;
        Sys.Scheduler.ScheduleTellOnce(Later, TestActor, "later", ActorRefs.NoSender);
        ExpectMsg("later");
        Assert.True(Sys.Scheduler.HighResMonotonicClock - began >= Later - TimeSpan.FromMilliseconds(1));
    }

    [Fact]
    public void What_is_cancelled_does_not_come()
    {
        var delay = TimeSpan.FromMilliseconds(500); // long enough for this thread to be held up
        var cancelable = Sys.Scheduler.ScheduleTellOnceCancelable(delay, TestActor, "cancelled", ActorRefs.NoSender);
        cancelable.Cancel();
        Sys.Scheduler.ScheduleTellOnce(delay + Later, TestActor, "later", ActorRefs.NoSender);
        ExpectMsg("later");
        Assert.True(cancelable.IsCancellationRequested);
    }

    [Fact]
    public void What_was_cancelled_before_is_not_scheduled()
    {
        Sys.Scheduler.ScheduleTellOnce(TimeSpan.Zero, TestActor, "cancelled", ActorRefs.NoSender, Cancelable.CreateCanceled());
        Sys.Scheduler.ScheduleTellOnce(Soon, TestActor, "soon", ActorRefs.NoSender);
        ExpectMsg("soon");
    }

    [Fact]
    public void A_repeating_message_comes_until_it_is_cancelled()
    {
        var cancelable = Sys.Scheduler.ScheduleTellRepeatedlyCancelable(TimeSpan.Zero, Soon, TestActor, "tick", ActorRefs.NoSender);
        for (var i = 0; i < 3; i++)
            ExpectMsg("tick");
        cancelable.Cancel();
        Sys.Scheduler.ScheduleTellOnce(TimeSpan.Zero, TestActor, "end", ActorRefs.NoSender);
        FishForMessage<string>(m => m == "end");
        Sys.Scheduler.ScheduleTellOnce(Later, TestActor, "later", ActorRefs.NoSender);
        ExpectMsg("later");
    }

    [Fact]
    public void The_sender_is_the_one_given()
    {
        var probe = CreateTestProbe();
        Sys.Scheduler.ScheduleTellOnce(TimeSpan.Zero, TestActor, "hello", probe);
        ExpectMsg("hello");
        Assert.Equal(probe.Ref, LastSender);
    }

    [Fact]
    public void Code_runs_once_or_repeatedly()
    {
        Sys.Scheduler.Advanced.ScheduleOnce(Soon, () => TestActor.Tell("once"));
        ExpectMsg("once");
        var cancelable = Sys.Scheduler.Advanced.ScheduleRepeatedlyCancelable(Soon, Soon, () => TestActor.Tell("again"));
        ExpectMsg("again");
        ExpectMsg("again");
        cancelable.Cancel();
    }

    [Fact]
    public void Code_that_throws_stops_nothing()
    {
        EventFilter.Exception<ApplicationException>().ExpectOne(
            () => Sys.Scheduler.Advanced.ScheduleOnce(TimeSpan.Zero, () => throw new ApplicationException("bang")));
        Sys.Scheduler.ScheduleTellOnce(Soon, TestActor, "soon", ActorRefs.NoSender);
        ExpectMsg("soon");
    }

    [Fact]
    public void Negative_delays_and_intervals_of_nothing_are_refused()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => Sys.Scheduler.ScheduleTellOnce(-Soon, TestActor, "x", TestActor));
        Assert.Throws<ArgumentOutOfRangeException>(() => Sys.Scheduler.ScheduleTellRepeatedly(Soon, TimeSpan.Zero, TestActor, "x", TestActor));
    }

    [Fact]
    public void Of_thousands_of_timers_the_cancelled_do_not_come_and_the_others_do()
    {
        var random = new Random(1);
        var cancelables = new List<ICancelable>();
        var expected = 0;
        for (var i = 0; i < 5000; i++)
        {
            var delay = TimeSpan.FromMilliseconds(random.Next(1000, 2000));
            cancelables.Add(Sys.Scheduler.ScheduleTellOnceCancelable(delay, TestActor, "cancelled", ActorRefs.NoSender));
            if (i % 10 != 0)
                continue;
            Sys.Scheduler.ScheduleTellOnce(TimeSpan.FromMilliseconds(random.Next(50)), TestActor, "due", ActorRefs.NoSender);
            expected++;
        }

        foreach (var cancelable in cancelables)
            cancelable.Cancel();
        for (var i = 0; i < expected; i++)
            ExpectMsg("due");
        ExpectNoMsg(TimeSpan.FromMilliseconds(20));
    }

    [Fact]
    public void CancelAfter_cancels_after_a_while()
    {
        var cancelable = new Cancelable(Sys.Scheduler, Soon);
        cancelable.Token.Register(() => TestActor.Tell("cancelled"));
        ExpectMsg("cancelled");
        Assert.True(cancelable.IsCancellationRequested);
    }

    [Fact]
    public void A_linked_cancelable_is_cancelled_with_any_of_the_others()
    {
        var one = new Cancelable(Sys.Scheduler);
        var linked = Cancelable.CreateLinkedCancelable(Sys.Scheduler, one, new Cancelable(Sys.Scheduler));
        Assert.False(linked.IsCancellationRequested);
        one.Cancel();
        Assert.True(linked.IsCancellationRequested);
    }

    [Fact]
    public void It_is_the_one_that_was_named() => Assert.IsType<PreciseScheduler>(Sys.Scheduler);
}
