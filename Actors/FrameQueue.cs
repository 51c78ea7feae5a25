using Tapwire.Stack.Buffers;

namespace Tapwire.Actors;

/// <summary>
/// Frames between tap and stack, bounded in frames and in bytes of memory held. When it is full the newest frame is dropped, as a network card does (P2).
/// </summary>
internal sealed class FrameQueue(int maxFrames, long maxBytes)
{
    private PacketBuffer? _head;
    private PacketBuffer? _tail;
    private long _bytes;

    public int Count { get; private set; }

    public bool TryEnqueue(PacketBuffer frame)
    {
        if (Count == maxFrames || _bytes + frame.Capacity > maxBytes)
            return false;
        if (_tail is null)
            _head = frame;
        else
            _tail.Next = frame;
        _tail = frame;
        _bytes += frame.Capacity;
        Count++;
        return true;
    }

    public PacketBuffer Dequeue()
    {
        var frame = _head ?? throw new InvalidOperationException("The frame queue is empty.");
        _head = frame.Next;
        if (_head is null)
            _tail = null;
        frame.Next = null;
        _bytes -= frame.Capacity;
        Count--;
        return frame;
    }

    public void Clear()
    {
        while (Count > 0)
            Dequeue().Release();
    }
}
