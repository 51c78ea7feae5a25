namespace Tapwire.Tests.Sim;

/// <summary>What applications of a simulation send: bytes that can be told from their position.</summary>
internal static class SimPattern
{
    /// <summary>A prime, so that no power of two and no segment size hides a shift.</summary>
    private const int Period = 65521;

    private static readonly byte[] Bytes = Make();

    /// <param name="salt">Tells streams apart.</param>
    public static void Fill(Span<byte> span, long position, byte salt)
    {
        while (!span.IsEmpty)
        {
            var piece = At(position, salt, span.Length);
            piece.CopyTo(span);
            span = span[piece.Length..];
            position += piece.Length;
        }
    }

    public static void Check(ReadOnlySpan<byte> span, long position, byte salt)
    {
        while (!span.IsEmpty)
        {
            var piece = At(position, salt, span.Length);
            var same = span.CommonPrefixLength(piece);
            if (same < piece.Length)
                throw new InvalidOperationException($"Byte {position + same} is {span[same]}, not {piece[same]}.");
            span = span[piece.Length..];
            position += piece.Length;
        }
    }

    private static ReadOnlySpan<byte> At(long position, byte salt, int length)
    {
        var offset = (int)((position + salt * 7919L) % Period);
        return Bytes.AsSpan(offset, Math.Min(length, Period));
    }

    private static byte[] Make()
    {
        var bytes = new byte[2 * Period];
        new Random(1).NextBytes(bytes.AsSpan(0, Period));
        bytes.AsSpan(0, Period).CopyTo(bytes.AsSpan(Period));
        return bytes;
    }
}
