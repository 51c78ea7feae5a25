using Tapwire.Stack.Buffers;
using Tapwire.Wires;

namespace Tapwire.Actors;

/// <summary>
/// What a frame takes of the credit between stack and wire: one for each frame that the driver writes, so one for each segment where it cuts super-frames
/// itself. Work between two looks at the device is bounded by it, and so are the acknowledgements that this work calls forth before somebody reads them.
/// </summary>
internal readonly struct EgressCost(IWire wire)
{
    private readonly bool _cuts = (wire.SoftwareOffloads & WireOffloads.TcpSegmentationV4) != 0;

    public int Of(PacketBuffer frame)
    {
        ref readonly var note = ref frame.Offload;
        if (!_cuts || note.Segmentation == Segmentation.None)
            return 1;
        return Math.Max(1, (frame.TotalLength - note.HeaderLength + note.SegmentSize - 1) / note.SegmentSize);
    }
}
