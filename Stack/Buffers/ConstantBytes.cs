namespace Tapwire.Stack.Buffers;

/// <summary>
/// Bytes that are written once and sent many times, by as many buffers at once as there are readers (<see cref="BufferPool.Rent(ConstantBytes, int, int)"/>): sending
/// them copies nothing, and a range that is small enough stays in the processor's cache. They live as long as somebody refers to them.
/// </summary>
public sealed class ConstantBytes
{
    /// <param name="length">1 and more.</param>
    /// <param name="fill">Writes the bytes; it is not called again.</param>
    public ConstantBytes(int length, Action<Span<byte>> fill)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(length);
        Array = GC.AllocateUninitializedArray<byte>(length, pinned: true);
        fill(Array);
    }

    public int Length => Array.Length;

    internal byte[] Array { get; }
}
