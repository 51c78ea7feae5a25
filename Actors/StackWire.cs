using Akka.Actor;
using Tapwire.Actors.Capture;
using Tapwire.Messages;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Interfaces;
using Tapwire.Wires.Capture;

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

    public CapturePlace Place { get; } = CapturePlace.Of(owner);

    /// <summary>Received frames that wait for a turn.</summary>
    public FrameQueue Received => received;

    /// <summary>The <see cref="NetworkInterface.NamesVersion"/> that the driver has been told of.</summary>
    public int NamesTold { get; set; }

    /// <summary>Received frames for which there was no room.</summary>
    public long Dropped { get; private set; }

    /// <summary>Takes a frame over.</summary>
    /// <param name="captures">Who sees a frame that is dropped; null: nobody.</param>
    /// <returns>False: there was no room, and the frame has been dropped and counted.</returns>
    public bool TryEnqueue(PacketBuffer frame, Captures? captures)
    {
        if (received.TryEnqueue(frame))
            return true;
        Dropped++;
        captures?.Add(frame, Place, CaptureDirection.Inbound, "FrameQueueDrops");
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
    /// <param name="captures">Who sees them; null: nobody.</param>
    /// <returns>True: at least one frame was sent.</returns>
    public bool SendQueued(Captures? captures)
    {
        var before = _credit;
        while (_credit > 0 && owner.TryDequeueFrame(out var frame))
        {
            _credit -= cost.Of(frame);
            captures?.Add(frame, Place, CaptureDirection.Outbound);
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
