using Akka.Event;
using Tapwire.Stack.Buffers;

namespace Tapwire.Messages;

/// <summary>
/// One frame, or one super-frame with its checksum and segmentation note, in a pooled buffer that names its interface. TapActor → StackActor: a received frame;
/// the stack owns it from then on. StackActor → TapActor: a frame to be written; answered, a batch at a time, by <see cref="FramesWritten"/>. Sent in every
/// state; frames for an actor that has stopped go back to the pool.
/// </summary>
/// <remarks>The message object stays with its buffer for the buffer's life, so that a frame costs no allocation.</remarks>
public sealed class Frame : IOwnsBuffers, IDeadLetterSuppression
{
    internal Frame(PacketBuffer buffer) => Buffer = buffer;

    public PacketBuffer Buffer { get; }

    /// <summary>The frame message of a buffer. Ownership of the buffer goes with the message.</summary>
    public static Frame Of(PacketBuffer buffer) => BufferMessages.Of(buffer).Frame;

    public void Release() => Buffer.Release();
}

/// <summary>
/// TapActor → StackActor: that many frames have left the actor, written or dropped and counted, and as many may follow. A super-frame that the driver cuts
/// itself counts for each of its segments.
/// </summary>
/// <param name="Interface">See <see cref="OpenWire"/>.</param>
public sealed record FramesWritten(byte Interface, int Count) : IDeadLetterSuppression
{
    /// <inheritdoc cref="WriteDone.Of"/>
    public static FramesWritten Of(byte interfaceIndex, int count)
    {
        ref var recent = ref Recent<FramesWritten>.At(count);
        return recent?.Count == count && recent.Interface == interfaceIndex ? recent : recent = new FramesWritten(interfaceIndex, count);
    }
}
