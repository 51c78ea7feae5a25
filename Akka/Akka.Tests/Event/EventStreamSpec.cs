using Akka.Actor;
using Akka.Event;
using Xunit;

namespace Akka.Tests.Event;

public class EventStreamSpec : Akka.TestKit.Xunit2.TestKit
{
    [Fact]
    public void A_subscriber_gets_events_of_the_type_and_of_derived_types()
    {
        Assert.True(Sys.EventStream.Subscribe(TestActor, typeof(Base)));
        Assert.False(Sys.EventStream.Subscribe(TestActor, typeof(Base)));
        Sys.EventStream.Publish(new Base());
        Sys.EventStream.Publish(new Derived());
        Sys.EventStream.Publish("not this");
        Assert.IsType<Base>(ExpectMsg<Base>());
        ExpectMsg<Derived>();
        ExpectNoMsg(TimeSpan.FromMilliseconds(20));
    }

    [Fact]
    public void A_subscriber_of_a_type_and_of_its_base_gets_an_event_once()
    {
        Sys.EventStream.Subscribe(TestActor, typeof(Base));
        Sys.EventStream.Subscribe(TestActor, typeof(Derived));
        Sys.EventStream.Publish(new Derived());
        ExpectMsg<Derived>();
        ExpectNoMsg(TimeSpan.FromMilliseconds(20));
    }

    [Fact]
    public void A_subscriber_of_an_interface_gets_what_implements_it()
    {
        Sys.EventStream.Subscribe<IMark>(TestActor);
        Sys.EventStream.Publish(new Derived());
        ExpectMsg<Derived>();
    }

    [Fact]
    public void Unsubscribing_ends_it()
    {
        Sys.EventStream.Subscribe(TestActor, typeof(Base));
        Assert.True(Sys.EventStream.Unsubscribe(TestActor));
        Assert.False(Sys.EventStream.Unsubscribe(TestActor));
        Sys.EventStream.Publish(new Base());
        ExpectNoMsg(TimeSpan.FromMilliseconds(20));
    }

    [Fact]
    public void One_of_two_types_can_be_unsubscribed()
    {
        Sys.EventStream.Subscribe(TestActor, typeof(Base));
        Sys.EventStream.Subscribe(TestActor, typeof(string));
        Sys.EventStream.Unsubscribe(TestActor, typeof(Base));
        Sys.EventStream.Publish(new Base());
        Sys.EventStream.Publish("text");
        ExpectMsg("text");
    }

    [Fact]
    public void A_subscriber_that_stops_is_unsubscribed()
    {
        var subscriber = CreateTestProbe();
        Sys.EventStream.Subscribe(subscriber, typeof(Base));
        Watch(subscriber);
        Sys.Stop(subscriber);
        ExpectTerminated(subscriber);
        AwaitCondition(() => !Sys.EventStream.Unsubscribe(subscriber));
    }

    [Fact]
    public void A_dead_letter_says_what_whence_and_whither()
    {
        var actor = CreateTestProbe().Ref;
        Watch(actor);
        Sys.Stop(actor);
        ExpectTerminated(actor);
        Sys.EventStream.Subscribe(TestActor, typeof(DeadLetter));
        actor.Tell("hello", TestActor);
        var letter = ExpectMsg<DeadLetter>();
        Assert.Equal("hello", letter.Message);
        Assert.Equal(TestActor, letter.Sender);
        Assert.Equal(actor, letter.Recipient);
    }

    [Fact]
    public void A_suppressed_message_is_no_DeadLetter_but_a_SuppressedDeadLetter()
    {
        Sys.EventStream.Subscribe(TestActor, typeof(AllDeadLetters));
        Sys.DeadLetters.Tell(new Quiet(), TestActor);
        Assert.IsType<Quiet>(ExpectMsg<SuppressedDeadLetter>().Message);
    }

    [Fact]
    public void Messages_left_in_the_mailbox_of_an_actor_that_stops_are_dead_letters()
    {
        using var gate = new ManualResetEventSlim();
        var actor = Sys.ActorOf(Props.Create(() => new Waits(gate)));
        Sys.EventStream.Subscribe(TestActor, typeof(DeadLetter));
        actor.Tell("handled", TestActor);
        actor.Tell(PoisonPill.Instance);
        actor.Tell("left", TestActor);
        gate.Set();
        Assert.Equal("left", ExpectMsg<DeadLetter>().Message);
    }

    private interface IMark;

    private class Base;

    private sealed class Derived : Base, IMark;

    private sealed class Quiet : IDeadLetterSuppression;

    private sealed class Waits(ManualResetEventSlim gate) : UntypedActor
    {
        protected override void OnReceive(object message) => gate.Wait();
    }
}
