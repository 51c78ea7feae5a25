using Tapwire.Stack.Buffers;

namespace Tapwire.Stack.Tcp;

/// <summary>
/// A chain of received payloads. It holds at most about twice its bytes in memory: payloads that would waste more are copied together.
/// </summary>
internal struct ReceiveQueue
{
    /// <summary>Memory beyond twice the bytes that a queue may hold before it starts to copy, so that a fast reader never pays for copies.</summary>
    private const int Slack = 32 << 10;

    public PacketBuffer? First { get; private set; }

    private PacketBuffer? _last;

    public int Bytes { get; private set; }

    /// <summary>Capacity of all buffers held.</summary>
    public int Memory { get; private set; }

    /// <summary>Takes over a payload of at least one byte.</summary>
    /// <param name="isTight">Memory is short: a large and mostly empty buffer is copied at once.</param>
    /// <returns>True if the payload was copied behind the last one.</returns>
    public bool Append(PacketBuffer payload, BufferPool pool, bool isTight = false)
    {
        var length = payload.Length;
        if (_last is not null && length <= _last.Tailroom && length * 2 < payload.Capacity && _last.IsExclusive)
        {
            payload.Span.CopyTo(_last.Append(length));
            Bytes += length;
            payload.Release();
            return true;
        }

        if (length * 2 < payload.Capacity && Memory + payload.Capacity > 2 * (Bytes + length) + (isTight ? 0 : Slack))
            payload = Compact(payload, pool);
        Link(payload);
        return false;
    }

    /// <summary>Takes over a payload without copying.</summary>
    public void Link(PacketBuffer payload)
    {
        if (_last is null)
            First = payload;
        else
            _last.Next = payload;
        _last = payload;
        Bytes += payload.Length;
        Memory += payload.Capacity;
    }

    /// <summary>Moves another queue's payloads behind this one's.</summary>
    public void Append(ref ReceiveQueue other)
    {
        if (other.First is null)
            return;
        if (_last is null)
            First = other.First;
        else
            _last.Next = other.First;
        _last = other._last;
        Bytes += other.Bytes;
        Memory += other.Memory;
        other = default;
    }

    /// <summary>Gives the chain to the caller.</summary>
    public PacketBuffer? Take()
    {
        var first = First;
        this = default;
        return first;
    }

    public void Clear() => PacketBuffer.ReleaseChain(Take());

    /// <summary>Copies a payload to a buffer with as much room again, up to a buffer size that fits the queue; the next small payloads go there.</summary>
    private readonly PacketBuffer Compact(PacketBuffer payload, BufferPool pool)
    {
        var copy = pool.Rent(Math.Max(payload.Length, Math.Min(Bytes, 16384)));
        payload.Span.CopyTo(copy.Append(payload.Length));
        payload.Release();
        return copy;
    }
}
