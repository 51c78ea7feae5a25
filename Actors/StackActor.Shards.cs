using Akka.Actor;
using Akka.Event;
using Tapwire.Messages;
using Tapwire.Stack;
using Tapwire.Stack.Buffers;

namespace Tapwire.Actors;

// One of several with the same addresses: the conversation of Messages/Shards.cs.
public sealed partial class StackActor
{
    /// <summary>The thread of another shard may still have to hear that an application has closed the socket which had the port.</summary>
    private static readonly TimeSpan CloseIsHeardWithin = TimeSpan.FromMilliseconds(20);

    private IReadOnlyList<IActorRef> _siblings = [];
    private long _crossings;

    private bool IsOfShards(object message)
    {
        switch (message)
        {
            case Crossing crossing:
                _stack.ReceiveCrossing(crossing.Packet, crossing.ShardsTried, Now);
                PostPoll();
                return true;
            case Siblings siblings:
                _siblings = siblings.Stacks;
                _context.Tap.Tell(OpenWire.Instance);
                return true;
            case Again again:
                again.Try();
                return true;
            default:
                return false;
        }
    }

    /// <summary>A frame that comes from a sibling, and not off the wire, is known to be for this one.</summary>
    private void TakeFrame(Frame frame, StackShard shard)
    {
        if (Sender.Equals(_context.Tap))
            Steer(frame.Buffer, shard);
        else
            Enqueue(frame.Buffer);
    }

    /// <summary>
    /// A port that is in use is tried once more before that is said, where there are several shards: on one thread the close of its socket would have been heard
    /// before.
    /// </summary>
    /// <param name="attempt">Tries to take the port; true for the last time, and then it answers whatever comes of it. False: try again later.</param>
    private void TryTwice(Func<bool, bool> attempt)
    {
        if (attempt(_stack.Options.Shard is null))
            return;
        var again = new Again(() => attempt(true));
        Timers.StartSingleTimer(again, again, CloseIsHeardWithin);
    }

    /// <summary>Takes a frame off this shard's queue of the wire to the shard that it is for.</summary>
    private void Steer(PacketBuffer frame, StackShard shard)
    {
        var owner = shard.Steering.OwnerOfFrame(frame.Span, _stack.Options.Link, shard.Index);
        if (owner == shard.Index)
        {
            Enqueue(frame);
            return;
        }

        _crossings++;
        if (owner != FlowSteering.All)
        {
            _siblings[owner].Tell(Frame.Of(frame));
            return;
        }

        for (var i = 0; i < _siblings.Count; i++)
        {
            if (i != shard.Index)
                _siblings[i].Tell(Frame.Of(_context.Pool.RentCopy(frame.Span)));
        }

        Enqueue(frame);
    }

    /// <summary>Hands packets to the shards that they are for.</summary>
    private void PassOn()
    {
        while (_stack.TryDequeueCrossing(out var crossing))
        {
            _crossings++;
            _siblings[crossing.Shard].Tell(new Crossing(crossing.Packet, crossing.ShardsTried));
        }
    }

    private sealed record Again(Action Try) : IDeadLetterSuppression;
}
