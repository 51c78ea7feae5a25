using Tapwire.Stack.Buffers;

namespace Tapwire;

/// <summary>The bytes of a buffer and its fragments, taken as one.</summary>
internal static class PacketBytes
{
    /// <summary>Copies bytes from an offset on.</summary>
    /// <returns>How many: as many as fit, or are there.</returns>
    public static int Copy(PacketBuffer buffer, int offset, Span<byte> destination)
    {
        var count = CopyPiece(buffer.Span, ref offset, destination);
        for (var i = 0; i < buffer.FragmentCount && count < destination.Length; i++)
            count += CopyPiece(buffer.GetFragment(i), ref offset, destination[count..]);
        return count;
    }

    private static int CopyPiece(ReadOnlySpan<byte> piece, ref int offset, Span<byte> destination)
    {
        var skipped = Math.Min(offset, piece.Length);
        offset -= skipped;
        piece = piece[skipped..];
        if (piece.Length > destination.Length)
            piece = piece[..destination.Length];
        piece.CopyTo(destination);
        return piece.Length;
    }
}
