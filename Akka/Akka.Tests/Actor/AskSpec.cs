using Akka.Actor;
using Akka.Event;
using Xunit;

namespace Akka.Tests.Actor;

public class AskSpec : Akka.TestKit.Xunit2.TestKit
{
    [Fact]
    public async Task The_answer_is_the_tasks_result() => Assert.Equal("echo", await Echo().Ask<string>("echo"));

    [Fact]
    public async Task An_answer_of_another_type_fails_the_task() =>
        await Assert.ThrowsAsync<ArgumentException>(() => Echo().Ask<int>("echo"));

    [Fact]
    public async Task No_answer_in_time_is_an_AskTimeoutException() =>
        await Assert.ThrowsAsync<AskTimeoutException>(() => TestActor.Ask<string>("?", TimeSpan.FromMilliseconds(10)));

    [Fact]
    public async Task A_token_cancels_the_task()
    {
        using var source = new CancellationTokenSource();
        var task = TestActor.Ask<string>("?", source.Token);
        source.Cancel();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => task);
    }

    [Fact]
    public async Task A_Failure_is_the_tasks_exception()
    {
        var task = TestActor.Ask<string>("?");
        ExpectMsg("?");
        LastSender.Tell(new Status.Failure(new ArithmeticException("no")));
        await Assert.ThrowsAsync<ArithmeticException>(() => task);
    }

    [Fact]
    public async Task A_message_may_be_made_out_of_the_handle_to_answer_to()
    {
        var task = TestActor.Ask<string>(replyTo => replyTo, null, CancellationToken.None);
        ExpectMsg<IActorRef>().Tell("answer");
        Assert.Equal("answer", await task);
    }

    [Fact]
    public async Task The_handle_to_answer_to_can_be_found_by_its_path()
    {
        var task = TestActor.Ask<string>("?");
        ExpectMsg("?");
        var path = LastSender.Path;
        Assert.Equal("temp", path.Parent.Name);
        Sys.ActorSelection(path).Tell("by path");
        Assert.Equal("by path", await task);
    }

    [Fact]
    public async Task A_second_answer_is_a_dead_letter()
    {
        var task = TestActor.Ask<string>("?");
        ExpectMsg("?");
        var sender = LastSender;
        sender.Tell("first");
        await task;
        Sys.EventStream.Subscribe(TestActor, typeof(DeadLetter));
        sender.Tell("second");
        Assert.Equal("second", ExpectMsg<DeadLetter>().Message);
    }

    [Fact]
    public async Task PipeTo_sends_the_result_or_the_failure()
    {
        await Task.FromResult("result").PipeTo(TestActor);
        ExpectMsg("result");
        await Task.FromException<string>(new ArithmeticException("no")).PipeTo(TestActor);
        Assert.IsType<ArithmeticException>(ExpectMsg<Status.Failure>().Cause);
    }

    [Fact]
    public async Task PipeTo_makes_messages_of_its_own()
    {
        await Task.FromResult(1).PipeTo(TestActor, success: i => $"got {i}");
        ExpectMsg("got 1");
        await Task.FromException<int>(new ArithmeticException("no")).PipeTo(TestActor, failure: e => e.Message);
        ExpectMsg("no");
        await Task.CompletedTask.PipeTo(TestActor, success: () => "done");
        ExpectMsg("done");
        await ValueTask.FromResult(2).PipeTo(TestActor, success: i => i);
        ExpectMsg(2);
    }

    [Fact]
    public async Task PipeTo_keeps_the_sender()
    {
        var probe = CreateTestProbe();
        await Task.FromResult("result").PipeTo(TestActor, sender: probe);
        ExpectMsg("result");
        Assert.Equal(probe.Ref, LastSender);
    }

    [Fact]
    public async Task PipeTo_of_a_cancelled_task_is_a_failure()
    {
        await Task.FromCanceled<string>(new CancellationToken(canceled: true)).PipeTo(TestActor);
        Assert.IsAssignableFrom<OperationCanceledException>(ExpectMsg<Status.Failure>().Cause);
    }

    [Fact]
    public async Task GracefulStop_is_done_when_the_actor_has_stopped()
    {
        var actor = Echo();
        Watch(actor);
        Assert.True(await actor.GracefulStop(TimeSpan.FromSeconds(10)));
        ExpectTerminated(actor);
    }

    [Fact]
    public async Task GracefulStop_is_cancelled_when_the_actor_does_not_stop() =>
        await Assert.ThrowsAsync<TaskCanceledException>(() => Echo().GracefulStop(TimeSpan.FromMilliseconds(10), "please"));

    private IActorRef Echo() => Sys.ActorOf(Props.Create(() => new EchoActor()));

    private sealed class EchoActor : UntypedActor
    {
        protected override void OnReceive(object message) => Sender.Tell(message);
    }
}
