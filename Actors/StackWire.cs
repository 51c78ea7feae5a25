using Akka.Actor;
using Tapwire.Messages;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Interfaces;

namespace Tapwire.Actors;

/// <summary>
/// The wire of one interface as the stack actor sees it: the tap actor, the received frames that wait for a turn, and the credit for frames to it. A wire that
/// is full, or flooded, does not affect the others.
/// </summary>
/// <param name="credit">Frames that may be on their way to the wire, counted by <paramref name="cost"/>.</param>
internal sealed class StackWire(NetworkInterface owner, IActorRef tap, EgressCost cost, int credit, FrameQueue received)
{
    private int _credit = credit;

    public NetworkInterface Interface => owner;

    public IActorRef Tap => tap;

    /// <summary>Received frames that wait for a turn.</summary>
    public FrameQueue Received => received;

    /// <summary>The <see cref="NetworkInterface.NamesVersion"/> that the driver has been told of.</summary>
    public int NamesTold { get; set; }

    /// <summary>Received frames for which there was no room.</summary>
    public long Dropped { get; private set; }

    /// <summary>Takes a frame over.</summary>
    /// <returns>False: there was no room, and the frame has been dropped and counted.</returns>
    public bool TryEnqueue(PacketBuffer frame)
    {
        if (received.TryEnqueue(frame))
            return true;
        Dropped++;
        frame.Release();
        return false;
    }

    /// <summary>The wire has room for more frames.</summary>
    /// <returns>True: output has waited for the room.</returns>
    public bool AddCredit(int frames)
    {
        var waited = _credit <= 0;
        _credit += frames;
        owner.IsHeldBack = _credit <= 0;
        return waited;
    }

    /// <summary>Sends frames to the wire within its credit. The last one that the credit allows may overdraw it.</summary>
    /// <returns>True: at least one frame was sent.</returns>
    public bool SendQueued()
    {
        var before = _credit;
        while (_credit > 0 && owner.TryDequeueFrame(out var frame))
        {
            _credit -= cost.Of(frame);
            tap.Tell(Frame.Of(frame));
        }

        owner.IsHeldBack = _credit <= 0;
        return _credit != before;
    }

    /// <summary>Releases all waiting frames, in both directions.</summary>
    public void Clear()
    {
        received.Clear();
        owner.DropFrames();
    }
}
