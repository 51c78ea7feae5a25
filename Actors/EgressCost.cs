using Tapwire.Stack.Buffers;
using Tapwire.Wires;

namespace Tapwire.Actors;

/// <summary>
/// The cost of a frame in the credit between stack and wire: the number of frames that the driver writes, so one per segment where it cuts super-frames itself.
/// This bounds the work between two reads of the device, and so the number of acknowledgements that this work elicits before they are read.
/// </summary>
/// <param name="cuts">The driver itself cuts super-frames for that wire.</param>
internal readonly struct EgressCost(bool cuts)
{
    public EgressCost(IWire wire)
        : this(Cuts(wire))
    {
    }

    /// <summary>The driver cuts super-frames for the wire, because the device does not. Devices cut those of both families or of none.</summary>
    public static bool Cuts(IWire wire) => (wire.SoftwareOffloads & (WireOffloads.TcpSegmentationV4 | WireOffloads.TcpSegmentationV6)) != 0;

    public int Of(PacketBuffer frame)
    {
        ref readonly var note = ref frame.Offload;
        if (!cuts || note.Segmentation == Segmentation.None)
            return 1;
        return Math.Max(1, (frame.TotalLength - note.HeaderLength + note.SegmentSize - 1) / note.SegmentSize);
    }
}
