using Akka.Actor;
using Akka.Event;
using Tapwire.Messages;
using Tapwire.Stack;
using Tapwire.Stack.Buffers;

namespace Tapwire.Actors;

/// <summary>The other stack actors of a driver with several shards: the conversation of Messages/Shards.cs. A stack that is alone has none.</summary>
/// <param name="actor">The owner of the timers.</param>
internal sealed class ShardSiblings(StackDesk desk, StackWires wires, IWithTimers actor)
{
    /// <summary>Time in which another shard's thread may still have to learn that an application has closed the socket with the port.</summary>
    private static readonly TimeSpan CloseIsHeardWithin = TimeSpan.FromMilliseconds(20);

    private IReadOnlyList<IActorRef> _siblings = [];

    /// <summary>Frames and packets passed to another shard.</summary>
    public long Crossings { get; private set; }

    /// <returns>False: the message belongs to another conversation.</returns>
    public bool Handle(object message)
    {
        switch (message)
        {
            case Crossing crossing:
                desk.Stack.ReceiveCrossing(crossing.Packet, crossing.ShardsTried, desk.Now);
                desk.PostPoll();
                return true;
            case Siblings siblings:
                _siblings = siblings.Stacks;
                wires.Open();
                return true;
            case Again again:
                again.Try();
                return true;
            default:
                return false;
        }
    }

    /// <summary>Takes a frame. One from a sibling, not off the wire, is known to be for this shard.</summary>
    public void TakeFrame(PacketBuffer frame, StackShard shard, IActorRef sender)
    {
        if (wires.IsTap(sender))
            Steer(frame, shard);
        else
            wires.Enqueue(frame);
    }

    /// <summary>
    /// With several shards, tries a port in use once more before it is reported: on a single thread the close of its socket would have been processed before.
    /// </summary>
    /// <param name="attempt">Tries to take the port. Its argument is true for the last try, which answers in any case. It returns false to be called again
    /// later.</param>
    public void TryTwice(Func<bool, bool> attempt)
    {
        if (attempt(desk.Stack.Options.Shard is null))
            return;
        var again = new Again(() => attempt(true));
        actor.Timers.StartSingleTimer(again, again, CloseIsHeardWithin);
    }

    /// <summary>Moves a frame from this shard's queue of the wire to the shard that it is for.</summary>
    private void Steer(PacketBuffer frame, StackShard shard)
    {
        var owner = shard.Steering.OwnerOfFrame(frame.Span, wires.MediumOf(frame), shard.Index);
        if (owner == shard.Index)
        {
            wires.Enqueue(frame);
            return;
        }

        Crossings++;
        if (owner != FlowSteering.All)
        {
            _siblings[owner].Tell(Frame.Of(frame));
            return;
        }

        for (var i = 0; i < _siblings.Count; i++)
        {
            if (i == shard.Index)
                continue;
            var copy = desk.Context.Pool.RentCopy(frame.Span);
            copy.Interface = frame.Interface;
            _siblings[i].Tell(Frame.Of(copy));
        }

        wires.Enqueue(frame);
    }

    /// <summary>Passes packets on to the shards that they are for.</summary>
    public void PassOn()
    {
        while (desk.Stack.TryDequeueCrossing(out var crossing))
        {
            Crossings++;
            _siblings[crossing.Shard].Tell(new Crossing(crossing.Packet, crossing.ShardsTried));
        }
    }

    private sealed record Again(Action Try) : IDeadLetterSuppression;
}
