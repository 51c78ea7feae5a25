using Tapwire.Links;
using Tapwire.Posix;
using Tapwire.Stack.Buffers;

namespace Tapwire.Tests.Links.Support;

internal static class Bytes
{
    /// <summary>Bytes that differ from their neighbours and from those a page away.</summary>
    public static byte[] Pattern(int length, int seed = 1)
    {
        var bytes = new byte[length];
        new Random(seed).NextBytes(bytes);
        return bytes;
    }

    /// <summary>A chain of buffers of the given length each.</summary>
    public static PacketBuffer? Chain(this BufferPool pool, byte[] data, int piece)
    {
        PacketBuffer? first = null;
        PacketBuffer? last = null;
        for (var at = 0; at < data.Length; at += piece)
        {
            var count = Math.Min(piece, data.Length - at);
            var buffer = pool.Rent(count);
            data.AsSpan(at, count).CopyTo(buffer.Append(count));
            if (last is null)
                first = buffer;
            else
                last.Next = buffer;
            last = buffer;
        }

        return first;
    }

    /// <summary>Reads the link until it gives no more data, and returns the bytes and what came instead.</summary>
    public static (byte[] Data, ReadResult End) Drain(this StreamLink link, BufferPool pool, int max = int.MaxValue)
    {
        using var bytes = new MemoryStream();
        while (true)
        {
            var result = link.Read(pool, max, out var buffer);
            if (result != ReadResult.Data)
                return (bytes.ToArray(), result);
            bytes.Write(buffer!.Span);
            buffer.Release();
        }
    }
}
