using Akka.Actor;
using Akka.TestKit;
using Akka.TestKit.TestActors;
using Xunit;

namespace Akka.Tests.TestKit;

public class TestProbeSpec : Akka.TestKit.Xunit2.TestKit
{
    [Fact]
    public async Task A_probe_is_asked_and_answers()
    {
        var probe = CreateTestProbe();
        var answer = probe.Ref.Ask<string>("question", TimeSpan.FromSeconds(3));
        probe.ExpectMsg("question");
        probe.Reply("answer");
        Assert.Equal("answer", await answer);
    }

    [Fact]
    public void A_probe_stands_for_an_actor_reference()
    {
        var probe = CreateTestProbe("named");
        Sys.ActorOf(ForwardActor.Props(probe)).Tell("a");
        probe.ExpectMsg("a");
        Assert.Equal(TestActor, probe.Sender);
        Assert.True(probe.Equals(probe.Ref));
        Assert.Equal("named", probe.Ref.Path.Name);
        Assert.NotEqual(CreateTestProbe().Ref, CreateTestProbe().Ref);
    }

    [Fact]
    public void A_probe_sends_and_forwards()
    {
        var (one, two) = (CreateTestProbe(), CreateTestProbe());
        one.Send(two.Ref, "a");
        two.ExpectMsgFrom(one.Ref, "a");
        two.Forward(TestActor);
        ExpectMsgFrom(one.Ref, "a");
        two.Forward(TestActor, "b");
        ExpectMsgFrom(one.Ref, "b");
    }

    [Fact]
    public void Each_probe_has_its_own_messages_and_watches()
    {
        var (one, two) = (CreateTestProbe(), CreateTestProbe());
        var actor = Sys.ActorOf(Props.Empty);
        one.Watch(actor);
        two.Watch(actor);
        two.Unwatch(actor);
        Sys.Stop(actor);
        one.ExpectTerminated(actor);
        two.ExpectNoMsg(TimeSpan.FromMilliseconds(20));
        Assert.False(HasMessages);
    }

    [Fact]
    public void A_pilot_answers_for_the_probe()
    {
        var probe = CreateTestProbe();
        probe.SetAutoPilot(new DelegateAutoPilot((sender, message) =>
        {
            sender.Tell($"pilot: {message}", ActorRefs.NoSender);
            return message is "last" ? AutoPilot.NoAutoPilot : AutoPilot.KeepRunning;
        }));
        foreach (var message in new[] { "first", "last", "after" })
            probe.Ref.Tell(message);
        ExpectMsg("pilot: first");
        ExpectMsg("pilot: last");
        Assert.False(HasMessages);
        probe.ExpectMsgAllOf("first", "last", "after");
    }

    [Fact]
    public void A_pilot_may_hand_over_to_another()
    {
        var second = new DelegateAutoPilot((sender, _) =>
        {
            sender.Tell("second", ActorRefs.NoSender);
            return AutoPilot.KeepRunning;
        });
        SetAutoPilot(new DelegateAutoPilot((_, _) => second));
        var probe = CreateTestProbe();
        probe.Send(TestActor, 1);
        probe.Send(TestActor, 2);
        probe.ExpectMsg("second");
        Assert.False(probe.HasMessages);
    }

    [Fact]
    public void A_probe_has_children()
    {
        var probe = CreateTestProbe();
        var child = probe.ChildActorOf<SimpleEchoActor>("child");
        Assert.Equal(probe.Ref.Path / "child", child.Path);
        child.Tell("a");
        ExpectMsg("a");
    }
}
