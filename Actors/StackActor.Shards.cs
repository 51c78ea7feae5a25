using Akka.Actor;
using Tapwire.Messages;
using Tapwire.Stack;
using Tapwire.Stack.Buffers;

namespace Tapwire.Actors;

// One of several with the same addresses: the conversation of Messages/Shards.cs.
public sealed partial class StackActor
{
    private IReadOnlyList<IActorRef> _siblings = [];
    private long _crossings;

    private void ReceiveShards(StackShard shard)
    {
        Receive<Siblings>(siblings =>
        {
            _siblings = siblings.Stacks;
            _context.Tap.Tell(OpenWire.Instance);
        });
        Receive<Frame>(frame =>
        {
            // A sibling has found out already that it is for this one.
            if (Sender.Equals(_context.Tap))
                Steer(frame.Buffer, shard);
            else
                Enqueue(frame.Buffer);
        });
        Receive<Crossing>(crossing =>
        {
            _stack.ReceiveCrossing(crossing.Content, Now);
            PostPoll();
        });
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
                _siblings[i].Tell(Frame.Of(Copy(frame)));
        }

        Enqueue(frame);
    }

    private PacketBuffer Copy(PacketBuffer frame)
    {
        var copy = _context.Pool.Rent(frame.Length);
        frame.Span.CopyTo(copy.Append(frame.Length));
        return copy;
    }

    /// <summary>Hands packets to the shards that they are for.</summary>
    private void PassOn()
    {
        while (_stack.TryDequeueCrossing(out var crossing))
        {
            _crossings++;
            _siblings[crossing.Shard].Tell(new Crossing(crossing));
        }
    }
}
