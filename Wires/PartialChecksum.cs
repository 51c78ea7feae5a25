using System.Buffers.Binary;
using Tapwire.Stack.Buffers;

namespace Tapwire.Wires;

/// <summary>Completes the checksums that <see cref="ChecksumState.Partial"/> leaves to the device.</summary>
internal static class PartialChecksum
{
    /// <summary>Completes the checksum in the frame's own header, to which no other frame refers.</summary>
    /// <returns>False, with the frame unchanged: its note points outside of it.</returns>
    public static bool TryComplete(PacketBuffer frame)
    {
        ref var note = ref frame.Offload;
        var at = note.ChecksumStart + note.ChecksumOffset;
        if (at + sizeof(ushort) > frame.Length)
            return false;

        // The field holds the pseudo-header's sum, so summing it with the rest completes it. 0 would mean "none" in UDP; 0xFFFF is the same number.
        var checksum = Checksum.Finish(Checksum.Sum(frame, note.ChecksumStart));
        BinaryPrimitives.WriteUInt16BigEndian(frame.Span[at..], checksum == 0 ? (ushort)0xFFFF : checksum);
        note.Checksum = ChecksumState.None;
        return true;
    }
}
