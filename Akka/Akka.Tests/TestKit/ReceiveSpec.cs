using System.Collections;
using Akka.Actor;
using Xunit;
using Xunit.Sdk;

namespace Akka.Tests.TestKit;

public class ReceiveSpec : Akka.TestKit.Xunit2.TestKit
{
    private static readonly TimeSpan Short = TimeSpan.FromMilliseconds(20);

    private void Tell(params object[] messages)
    {
        foreach (var message in messages)
            TestActor.Tell(message);
    }

    [Fact]
    public async Task One_message_is_received_or_peeked_at()
    {
        Tell("a", "b", "c", "d");
        Assert.Null(ReceiveOne(TimeSpan.FromMilliseconds(-5)));
        Assert.Equal("a", PeekOne());
        Assert.Equal("a", ReceiveOne());
        Assert.Equal("b", await PeekOneAsync());
        Assert.Equal("b", await ReceiveOneAsync());
        Assert.True(TryReceiveOne(out var envelope));
        Assert.Equal(("c", TestActor), (envelope.Message, envelope.Sender));
        var (success, last) = await TryReceiveOneAsync(TimeSpan.Zero);
        Assert.True(success);
        Assert.Equal("d", last.Message);
        Assert.Null(ReceiveOne(TimeSpan.Zero));
        Assert.Null(ReceiveOne(Short));
        Assert.Null(await ReceiveOneAsync(Short));
        Assert.False(TryReceiveOne(out _, Short));
        Assert.Throws<IllegalActorStateException>(() => LastMessage);
        Assert.Throws<IllegalActorStateException>(() => LastSender);
    }

    [Fact]
    public async Task So_many_messages_are_received()
    {
        Tell(1, 2, 3, 4, 5);
        Assert.Equal([1, 2], ReceiveN(2));
        Assert.Equal([3], ReceiveN(1, Short));
        var rest = new List<object>();
        await foreach (var message in ReceiveNAsync(2, Short))
            rest.Add(message);
        Assert.Equal([4, 5], rest);
        Tell(6);
        Assert.ThrowsAny<XunitException>(() => ReceiveN(2, Short));
    }

    [Fact]
    public async Task Messages_are_received_while_they_match()
    {
        Tell(1, "x", 2, 30, 4);
        Assert.Equal([1, 2], ReceiveWhile<int>(i => i < 10));
        Assert.Equal(2, LastMessage);
        Assert.Equal(30, PeekOne());
        Assert.Equal(["30"], ReceiveWhile(Short, message => message is 30 ? message.ToString() : null));
        Tell(5, 6, "y", 7);
        Assert.Equal([4, 5], ReceiveWhile<int>(_ => true, msgs: 2));
        Assert.Equal([6], ReceiveWhile<int>(_ => true, shouldIgnoreOtherMessageTypes: false));
        Assert.Equal("y", ReceiveOne());
        Assert.Equal([7], ReceiveWhile<int>(_ => true, idle: Short));
        Tell(8, 9);
        var received = new List<int>();
        await foreach (var message in ReceiveWhileAsync<int>(i => i < 9))
            received.Add(message);
        Assert.Equal([8], received);
        Assert.Equal(9, ReceiveOne());
        Assert.Empty(ReceiveWhile<object>(Short, message => message));
    }

    [Fact]
    public async Task Fishing_throws_away_what_does_not_match()
    {
        Tell("a", 1, 2, "b", 3);
        Assert.Equal(2, FishForMessage<int>(i => i == 2));
        Assert.Equal("b", FishForMessage(message => message is "b"));
        var thrownAway = new ArrayList();
        Tell("c", 4);
        Assert.Equal(4, await FishForMessageAsync<int>(i => i == 4, thrownAway));
        Assert.Equal(new object[] { 3, "c" }, thrownAway.ToArray());
        Tell(5);
        Assert.ThrowsAny<XunitException>(() => FishForMessage<string>(_ => true, Short));
        Tell(6);
        await FishUntilMessageAsync<string>(Short);
        Tell("d");
        await Assert.ThrowsAnyAsync<XunitException>(() => FishUntilMessageAsync<string>(Short));
    }

    [Fact]
    public async Task A_pause_can_be_awaited()
    {
        Tell(1, 2);
        Assert.Equal(new object[] { 1, 2 }, (await WaitForRadioSilenceAsync(Short)).ToArray());
        Tell(1, 2);
        await Assert.ThrowsAnyAsync<XunitException>(() => WaitForRadioSilenceAsync(Short, maxMessages: 1));
    }

    [Fact]
    public void Messages_can_be_ignored()
    {
        IgnoreMessages<string>();
        Tell("a", 1);
        ExpectMsg(1);
        IgnoreMessages<int>(i => i > 1);
        Tell(2, "b", 1);
        ExpectMsg("b");
        ExpectMsg(1);
        IgnoreMessages(message => message is "c");
        Tell("c", 3);
        ExpectMsg(3);
        IgnoreNoMessages();
        Tell("c");
        ExpectMsg("c");
    }

    [Fact]
    public void What_nobody_looked_at_becomes_dead_letters_at_the_end()
    {
        var probe = CreateTestProbe();
        Tell("unseen");
        Sys.EventStream.Subscribe(probe.Ref, typeof(Akka.Event.DeadLetter));
        Sys.Stop(TestActor);
        probe.FishForMessage<Akka.Event.DeadLetter>(letter => letter.Message is "unseen");
    }
}
