namespace Tapwire.Stack.Buffers;

/// <summary>
/// Bytes that are written once and sent many times, by any number of buffers at once (<see cref="BufferPool.Rent(ConstantBytes, int, int)"/>). Sending them
/// copies nothing, and a range that is small enough stays in the processor's cache. They live as long as a buffer refers to them.
/// </summary>
public sealed class ConstantBytes
{
    /// <param name="length">1 or more.</param>
    /// <param name="fill">Writes the bytes; called once.</param>
    public ConstantBytes(int length, Action<Span<byte>> fill)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(length);
        Array = GC.AllocateUninitializedArray<byte>(length, pinned: true);
        fill(Array);
    }

    public int Length => Array.Length;

    internal byte[] Array { get; }
}
