using System.Diagnostics.CodeAnalysis;

namespace Tapwire.Stack.Buffers;

/// <summary>A first-in, first-out queue of buffers, linked through the buffers themselves. It owns its buffers.</summary>
public struct BufferQueue
{
    private PacketBuffer? _head;
    private PacketBuffer? _tail;

    public int Count { get; private set; }

    /// <summary>Bytes in all buffers, fragments included.</summary>
    public int Bytes { get; private set; }

    public readonly bool IsEmpty => _head is null;

    public readonly PacketBuffer? Head => _head;

    public void Enqueue(PacketBuffer buffer)
    {
        buffer.Next = null;
        if (_tail is null)
            _head = buffer;
        else
            _tail.Next = buffer;
        _tail = buffer;
        Count++;
        Bytes += buffer.TotalLength;
    }

    /// <summary>Takes over a chain linked by <see cref="PacketBuffer.Next"/>. Null is an empty chain.</summary>
    public void EnqueueChain(PacketBuffer? chain)
    {
        while (chain is not null)
        {
            var next = chain.Next;
            Enqueue(chain);
            chain = next;
        }
    }

    public bool TryDequeue([NotNullWhen(true)] out PacketBuffer? buffer)
    {
        buffer = _head;
        if (buffer is null)
            return false;
        _head = buffer.Next;
        if (_head is null)
            _tail = null;
        buffer.Next = null;
        Count--;
        Bytes -= buffer.TotalLength;
        return true;
    }

    /// <summary>Drops bytes at the front of the first buffer, fewer than it has.</summary>
    public void TrimHead(int count)
    {
        _head!.TrimStart(count);
        Bytes -= count;
    }

    /// <summary>Gives the whole chain to the caller.</summary>
    public PacketBuffer? TakeChain()
    {
        var head = _head;
        this = default;
        return head;
    }

    /// <summary>Releases all buffers.</summary>
    public void Clear() => PacketBuffer.ReleaseChain(TakeChain());
}
