using Akka.Actor;
using Akka.TestKit;
using Xunit;

namespace Akka.Tests.TestKit;

public class LatchSpec : Akka.TestKit.Xunit2.TestKit
{
    private static readonly TimeSpan Short = TimeSpan.FromMilliseconds(20);

    [Fact]
    public void A_latch_opens_when_it_has_been_counted_down()
    {
        var latch = CreateTestLatch(2);
        latch.CountDown();
        Assert.False(latch.IsOpen);
        Assert.Throws<TimeoutException>(() => latch.Ready(Short));
        latch.CountDown();
        Assert.True(latch.IsOpen);
        latch.Ready();
        latch.Reset();
        Assert.False(latch.IsOpen);
        latch.Open();
        latch.Ready(TimeSpan.Zero);
        Assert.Throws<TimeoutException>(() => new TestLatch(1, Short).Ready());
    }

    [Fact]
    public void A_barrier_opens_when_all_have_come()
    {
        var barrier = CreateTestBarrier(2);
        Assert.Throws<TimeoutException>(() => barrier.Await(Short));
        barrier.Reset();
        var other = new Thread(barrier.Await);
        other.Start();
        barrier.Await();
        other.Join();
    }

    [Fact]
    public void The_calling_threads_dispatcher_can_be_named()
    {
        var thread = 0;
        Action<int> report = id => thread = id;
        var actor = Sys.ActorOf(
            Props.Create(() => new Reporting(report)).WithDispatcher(CallingThreadDispatcher.Id));
        actor.Tell("thread?");
        Assert.Equal(Environment.CurrentManagedThreadId, thread);
    }

    private sealed class Reporting : ReceiveActor
    {
        public Reporting(Action<int> report) => ReceiveAny(_ =>
        {
            report(Environment.CurrentManagedThreadId);
            Sender.Tell(Environment.CurrentManagedThreadId);
        });
    }
}
