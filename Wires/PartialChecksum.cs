using System.Buffers.Binary;
using Tapwire.Stack.Buffers;

namespace Tapwire.Wires;

/// <summary>Fills in what <see cref="ChecksumState.Partial"/> leaves to whoever puts a frame on a wire.</summary>
internal static class PartialChecksum
{
    /// <summary>Completes the checksum in the frame's own header, which no other frame refers to.</summary>
    /// <returns>False, and the frame is as it was: its note points outside of it.</returns>
    public static bool TryComplete(PacketBuffer frame)
    {
        ref var note = ref frame.Offload;
        var at = note.ChecksumStart + note.ChecksumOffset;
        if (at + sizeof(ushort) > frame.Length)
            return false;

        // The field holds the pseudo-header's sum and so is part of what is summed. 0 would mean "none" to UDP; 0xFFFF is the same number to all.
        var checksum = Checksum.Finish(Checksum.Sum(frame, note.ChecksumStart));
        BinaryPrimitives.WriteUInt16BigEndian(frame.Span[at..], checksum == 0 ? (ushort)0xFFFF : checksum);
        note.Checksum = ChecksumState.None;
        return true;
    }
}
