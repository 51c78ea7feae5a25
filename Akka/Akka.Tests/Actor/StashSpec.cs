using Akka.Actor;
using Akka.Configuration;
using Xunit;

namespace Akka.Tests.Actor;

public class StashSpec : Akka.TestKit.Xunit2.TestKit
{
    [Fact]
    public void Unstashed_messages_come_before_all_others_and_in_their_order()
    {
        var actor = Sys.ActorOf(Props.Create(() => new Opening(TestActor)));
        foreach (var message in (string[])["one", "two", "open", "three"])
            actor.Tell(message, ActorRefs.NoSender);
        ExpectMsg("one");
        ExpectMsg("two");
        ExpectMsg("three");
    }

    [Fact]
    public void The_sender_of_a_stashed_message_is_kept()
    {
        var probe = CreateTestProbe();
        var actor = Sys.ActorOf(Props.Create(() => new Opening(ActorRefs.Nobody)));
        actor.Tell("one", probe);
        actor.Tell("open", TestActor);
        probe.ExpectMsg("thanks for one");
    }

    [Fact]
    public void A_message_can_be_stashed_once_only()
    {
        var actor = Sys.ActorOf(Props.Create(() => new StashesTwice(TestActor)));
        actor.Tell("one");
        ExpectMsg<IllegalActorStateException>();
    }

    [Fact]
    public void Stashed_messages_survive_a_restart()
    {
        var actor = Sys.ActorOf(Props.Create(() => new Opening(TestActor)));
        foreach (var message in (string[])["one", "two", "boom", "open"])
            actor.Tell(message, ActorRefs.NoSender);
        ExpectMsg("one");
        ExpectMsg("two");
    }

    [Fact]
    public void Messages_in_the_stash_of_an_actor_that_stops_are_dead_letters()
    {
        var actor = Sys.ActorOf(Props.Create(() => new Opening(TestActor)));
        EventFilter.DeadLetter<string>().ExpectOne(() =>
        {
            actor.Tell("one");
            actor.Tell(PoisonPill.Instance);
        });
    }

    [Fact]
    public void A_full_stash_refuses()
    {
        var actor = Sys.ActorOf(Props.Create(() => new Opening(TestActor)).WithDeploy(Deploy.Local).WithMailbox("small"));
        actor.Tell("one");
        actor.Tell("two");
        actor.Tell("three");
        ExpectMsg<StashOverflowException>();
    }

    [Fact]
    public void Unstash_gives_back_the_oldest_only()
    {
        var actor = Sys.ActorOf(Props.Create(() => new Opening(TestActor)));
        foreach (var message in (string[])["one", "two", "open one", "three"])
            actor.Tell(message, ActorRefs.NoSender);
        ExpectMsg("one");
        ExpectMsg("three");
    }

    public StashSpec() : base(ConfigurationFactory.ParseString("""
        small {
          mailbox-type = "Akka.Dispatch.UnboundedDequeBasedMailbox"
          stash-capacity = 2
        }
        """)) { }

    private sealed class Opening(IActorRef to) : UntypedActor, IWithUnboundedStash
    {
        public IStash Stash { get; set; } = null!;

        protected override void OnReceive(object message)
        {
            switch (message)
            {
                case "boom":
                    throw new ApplicationException("bang");
                case "open":
                    Become(Open);
                    Stash.UnstashAll();
                    break;
                case "open one":
                    Become(Open);
                    Stash.Unstash();
                    break;
                default:
                    TryStash();
                    break;
            }
        }

        private void TryStash()
        {
            try
            {
                Stash.Stash();
            }
            catch (StashOverflowException e)
            {
                to.Tell(e);
            }
        }

        private void Open(object message)
        {
            to.Tell(message);
            Sender.Tell($"thanks for {message}");
        }
    }

    private sealed class StashesTwice(IActorRef to) : UntypedActor, IWithUnboundedStash
    {
        public IStash Stash { get; set; } = null!;

        protected override void OnReceive(object message)
        {
            Stash.Stash();
            try
            {
                Stash.Stash();
            }
            catch (IllegalActorStateException e)
            {
                to.Tell(e);
            }
        }
    }
}
