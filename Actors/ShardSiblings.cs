using Akka.Actor;
using Akka.Event;
using Tapwire.Messages;
using Tapwire.Stack;
using Tapwire.Stack.Buffers;

namespace Tapwire.Actors;

/// <summary>The other stack actors of a driver with several shards: the conversation of Messages/Shards.cs. A stack that is alone has none.</summary>
/// <param name="actor">Has the timers.</param>
internal sealed class ShardSiblings(StackDesk desk, StackWires wires, IWithTimers actor)
{
    /// <summary>The thread of another shard may still have to hear that an application has closed the socket which had the port.</summary>
    private static readonly TimeSpan CloseIsHeardWithin = TimeSpan.FromMilliseconds(20);

    private IReadOnlyList<IActorRef> _siblings = [];

    /// <summary>Frames and packets that went to another shard.</summary>
    public long Crossings { get; private set; }

    /// <returns>False: the message is none of these.</returns>
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

    /// <summary>A frame that comes from a sibling, and not off the wire, is known to be for this one.</summary>
    public void TakeFrame(PacketBuffer frame, StackShard shard, IActorRef sender)
    {
        if (wires.IsTap(sender))
            Steer(frame, shard);
        else
            wires.Enqueue(frame);
    }

    /// <summary>
    /// A port that is in use is tried once more before that is said, where there are several shards: on one thread the close of its socket would have been heard
    /// before.
    /// </summary>
    /// <param name="attempt">Tries to take the port; true for the last time, and then it answers whatever comes of it. False: try again later.</param>
    public void TryTwice(Func<bool, bool> attempt)
    {
        if (attempt(desk.Stack.Options.Shard is null))
            return;
        var again = new Again(() => attempt(true));
        actor.Timers.StartSingleTimer(again, again, CloseIsHeardWithin);
    }

    /// <summary>Takes a frame off this shard's queue of the wire to the shard that it is for.</summary>
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

    /// <summary>Hands packets to the shards that they are for.</summary>
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
