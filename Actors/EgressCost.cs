using Tapwire.Stack.Buffers;
using Tapwire.Wires;

namespace Tapwire.Actors;

/// <summary>
/// What a frame takes of the credit between stack and wire: one for each frame that the driver writes, so one for each segment where it cuts super-frames
/// itself. Work between two looks at the device is bounded by it, and so are the acknowledgements that this work calls forth before somebody reads them.
/// </summary>
/// <param name="cuts">The driver cuts super-frames for that wire itself.</param>
internal readonly struct EgressCost(bool cuts)
{
    public EgressCost(IWire wire)
        : this(Cuts(wire))
    {
    }

    /// <summary>The driver cuts super-frames for the wire, since the device does not.</summary>
    public static bool Cuts(IWire wire) => (wire.SoftwareOffloads & WireOffloads.TcpSegmentationV4) != 0;

    public int Of(PacketBuffer frame)
    {
        ref readonly var note = ref frame.Offload;
        if (!cuts || note.Segmentation == Segmentation.None)
            return 1;
        return Math.Max(1, (frame.TotalLength - note.HeaderLength + note.SegmentSize - 1) / note.SegmentSize);
    }
}
