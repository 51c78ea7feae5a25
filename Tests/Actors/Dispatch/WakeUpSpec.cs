using Akka.Actor;
using Xunit;

namespace Tapwire.Tests.Actors.Dispatch;

/// <summary>A message that comes while its actor's turn ends is not left in the mailbox until the next one comes: with our mailbox, on any dispatcher.</summary>
public sealed class WakeUpSpec() : Akka.TestKit.Xunit2.TestKit("""
    akka.actor.default-mailbox.mailbox-type = "Tapwire.Actors.Dispatch.RingMailbox, Tapwire.Actors"
    reactor { type = "Tapwire.Actors.Dispatch.ReactorDispatcherConfigurator, Tapwire.Actors", throughput = 64 }
    """)
{
    private const int Messages = 2_000_000;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    [Theory]
    [InlineData("reactor")]
    [InlineData("akka.actor.default-dispatcher")]
    public void Whoever_tells_at_the_end_of_a_turn_is_heard(string dispatcher)
    {
        var counter = new Counter();
        var actor = Sys.ActorOf(Props.Create(() => new Counts(counter)).WithDispatcher(dispatcher));
        for (var told = 1; told <= Messages; told++)
        {
            actor.Tell(counter);

            // The sooner the next message follows, the more often it meets the end of the turn.
            for (var spins = 0; spins < 10_000 && Volatile.Read(ref counter.Count) != told; spins++)
            {
            }

            if (Volatile.Read(ref counter.Count) != told)
                Assert.True(SpinWait.SpinUntil(() => Volatile.Read(ref counter.Count) == told, Patience), $"Message {told} is not handled.");
        }
    }

    private sealed class Counter
    {
        public int Count;
    }

    private sealed class Counts(Counter counter) : UntypedActor
    {
        protected override void OnReceive(object message) => Volatile.Write(ref counter.Count, counter.Count + 1);
    }
}
