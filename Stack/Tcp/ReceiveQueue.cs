using Tapwire.Stack.Buffers;

namespace Tapwire.Stack.Tcp;

/// <summary>
/// A chain of received payloads. The memory it holds stays within about twice its bytes: what would waste more is copied together.
/// </summary>
internal struct ReceiveQueue
{
    /// <summary>Memory beyond twice the bytes that a queue may hold before it starts to copy: a quick reader never pays for copies.</summary>
    private const int Slack = 32 << 10;

    public PacketBuffer? First { get; private set; }

    private PacketBuffer? _last;

    public int Bytes { get; private set; }

    /// <summary>Capacity of all buffers held.</summary>
    public int Memory { get; private set; }

    /// <summary>Takes over a payload of at least one byte.</summary>
    /// <param name="isTight">Memory is short: what is large and mostly empty is copied at once.</param>
    /// <returns>True if it was copied behind the last one.</returns>
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

    /// <summary>Takes over a payload as it is.</summary>
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

    /// <summary>Puts another queue's payloads behind this one's and leaves it empty.</summary>
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

    /// <summary>Gives the chain away.</summary>
    public PacketBuffer? Take()
    {
        var first = First;
        this = default;
        return first;
    }

    public void Clear() => PacketBuffer.ReleaseChain(Take());

    /// <summary>A copy with as much room again, up to a class of buffers that fits the queue: the next small payloads follow there.</summary>
    private readonly PacketBuffer Compact(PacketBuffer payload, BufferPool pool)
    {
        var copy = pool.Rent(Math.Max(payload.Length, Math.Min(Bytes, 16384)));
        payload.Span.CopyTo(copy.Append(payload.Length));
        payload.Release();
        return copy;
    }
}
