using Akka.Actor;
using Akka.TestKit;
using Xunit;
using Xunit.Sdk;

namespace Akka.Tests.TestKit;

public class ExpectSpec : Akka.TestKit.Xunit2.TestKit
{
    private static readonly TimeSpan Short = TimeSpan.FromMilliseconds(20);

    private void Tell(params object[] messages)
    {
        foreach (var message in messages)
            TestActor.Tell(message);
    }

    private static void Fails(Action action) => Assert.ThrowsAny<XunitException>(action);

    private static Task FailsAsync(Func<Task> action) => Assert.ThrowsAnyAsync<XunitException>(action);

    [Fact]
    public void A_message_of_the_type_is_expected()
    {
        Tell("a", 1, new[] { 1, 2 });
        Assert.Equal("a", ExpectMsg<string>());
        Assert.Equal(1, ExpectMsg<object>());
        Assert.Equal([1, 2], ExpectMsg<IEnumerable<int>>());
        Tell("b");
        Fails(() => ExpectMsg<int>());
        Assert.False(HasMessages);
    }

    [Fact]
    public void An_equal_message_is_expected()
    {
        Tell("a", 1, new List<int> { 1, 2 }, "b");
        Assert.Equal("a", ExpectMsg("a"));
        Assert.Equal(1, ExpectMsg(1, Short, "hint"));
        ExpectMsg(new List<int> { 1, 2 });
        Fails(() => ExpectMsg("a"));
    }

    [Fact]
    public void A_matching_message_is_expected()
    {
        Tell(1, 2, 3, "four", "five", 6);
        ExpectMsg<int>(i => i == 1);
        Fails(() => ExpectMsg<int>(i => i == 1, Short, "hint {with} braces"));
        ExpectMsg<int>(i => Assert.Equal(3, i));
        ExpectMsg<string>((message, sender) => message == "four" && sender.Equals(TestActor));
        Fails(() => ExpectMsg<string>((message, sender) => sender.Equals(Sys.DeadLetters)));
        ExpectMsg(60, (expected, actual) => expected == actual * 10);
        Tell(7);
        Assert.ThrowsAny<InvalidOperationException>(() => ExpectMsg<int>((_, _) => throw new InvalidOperationException()));
    }

    [Fact]
    public void Nothing_in_time_fails()
    {
        Fails(() => ExpectMsg<string>(Short));
        Fails(() => ExpectMsg("a", Short));
        Assert.Throws<ArgumentException>(() => ExpectMsg("a", Timeout.InfiniteTimeSpan));
    }

    [Fact]
    public async Task The_asynchronous_twins_do_the_same()
    {
        Tell("a", 1, 2, 3, "four", 6);
        Assert.Equal("a", await ExpectMsgAsync<string>());
        await ExpectMsgAsync(1);
        await ExpectMsgAsync<int>(i => i == 2);
        await ExpectMsgAsync<int>(i => Assert.Equal(3, i));
        await ExpectMsgAsync<string>((message, sender) => sender.Equals(TestActor));
        await ExpectMsgAsync(60, (expected, actual) => expected == actual * 10);
        await FailsAsync(async () => await ExpectMsgAsync<string>(Short));
        var later = ExpectMsgAsync("later").AsTask();
        Assert.False(later.IsCompleted);
        Tell("later");
        await later;
        using var cancellation = new CancellationTokenSource();
        var never = ExpectMsgAsync<string>(cancellationToken: cancellation.Token).AsTask();
        await cancellation.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => never);
    }

    [Fact]
    public void The_sender_can_be_expected()
    {
        var (probe, other) = (CreateTestProbe(), CreateTestProbe());
        for (var i = 0; i < 6; i++)
            probe.Send(TestActor, i);
        ExpectMsgFrom<int>(probe.Ref);
        ExpectMsgFrom(probe.Ref, 1);
        ExpectMsgFrom<int>(probe.Ref, i => i == 2);
        ExpectMsgFrom<int>(sender => sender.Equals(probe.Ref), i => i == 3);
        Fails(() => ExpectMsgFrom<int>(other.Ref));
        Fails(() => ExpectMsgFrom(probe.Ref, 1));
        Assert.Equal(probe.Ref, LastSender);
        Assert.Equal(5, LastMessage);
    }

    [Fact]
    public async Task The_sender_can_be_expected_asynchronously()
    {
        var probe = CreateTestProbe();
        for (var i = 0; i < 4; i++)
            probe.Send(TestActor, i);
        await ExpectMsgFromAsync<int>(probe.Ref);
        await ExpectMsgFromAsync(probe.Ref, 1);
        await ExpectMsgFromAsync<int>(probe.Ref, i => i == 2);
        await FailsAsync(async () => await ExpectMsgFromAsync<int>(TestActor));
    }

    [Fact]
    public void Silence_can_be_expected()
    {
        ExpectNoMsg(Short);
        ExpectNoMsg(20);
        Within(Short, () => ExpectNoMsg());
        Tell("a");
        Fails(() => ExpectNoMsg(Short));
    }

    [Fact]
    public async Task Silence_can_be_expected_asynchronously()
    {
        await ExpectNoMsgAsync(Short);
        Tell("a");
        await FailsAsync(async () => await ExpectNoMsgAsync(20));
    }

    [Fact]
    public async Task One_of_several_messages_can_be_expected()
    {
        Tell("b", "x", "a");
        Assert.Equal("b", ExpectMsgAnyOf(["a", "b"]));
        Fails(() => ExpectMsgAnyOf(["a", "b"]));
        Assert.Equal("a", await ExpectMsgAnyOfAsync(["a", "b"]));
    }

    [Fact]
    public async Task Several_messages_can_be_expected_in_any_order()
    {
        Tell(3, 1, 2);
        Assert.Equal([3, 1, 2], ExpectMsgAllOf(1, 2, 3));
        Tell(1, 5);
        Fails(() => ExpectMsgAllOf(1, 2));
        Tell(1);
        Fails(() => ExpectMsgAllOf(Short, 1, 2));
        Tell(2, 1);
        var received = new List<int>();
        await foreach (var message in ExpectMsgAllOfAsync<int>(Short, [1, 2]))
            received.Add(message);
        Assert.Equal([2, 1], received);
        Tell("a", 1);
        Assert.Equal(2, ExpectMsgAllOfMatchingPredicates(PredicateInfo.Create<int>(i => i == 1), PredicateInfo.Create<string>(s => s == "a")).Count);
        Tell("a", 2);
        Fails(() => ExpectMsgAllOfMatchingPredicates(PredicateInfo.Create<int>(i => i == 1), PredicateInfo.Create<string>(s => s == "a")));
    }

    [Fact]
    public void The_end_of_a_watched_actor_can_be_expected()
    {
        var actor = Watch(Sys.ActorOf(Props.Empty));
        Sys.Stop(actor);
        Assert.Equal(actor, ExpectTerminated(actor).ActorRef);
        var other = Watch(Sys.ActorOf(Props.Empty));
        Unwatch(other);
        Sys.Stop(other);
        ExpectNoMsg(Short);
    }

    [Fact]
    public async Task A_blocking_expectation_needs_no_other_thread()
    {
        // All threads that the pool gives out at once are held; the message still arrives, as the test actor runs on its sender's thread.
        using var release = new ManualResetEventSlim();
        ThreadPool.GetMinThreads(out var threads, out _);
        var held = Enumerable.Range(0, threads).Select(_ => Task.Run(release.Wait)).ToArray();
        var sender = new Thread(() => TestActor.Tell("a", ActorRefs.NoSender));
        sender.Start();
        try
        {
            ExpectMsg("a");
        }
        finally
        {
            release.Set();
            sender.Join();
            await Task.WhenAll(held);
        }
    }
}
