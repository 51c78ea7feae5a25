using System.Diagnostics.CodeAnalysis;
using Tapwire.Stack.Buffers;

namespace Tapwire.Stack;

/// <summary>A first-in, first-out queue of buffers, linked through the buffers themselves.</summary>
internal struct FrameQueue
{
    private PacketBuffer? _head;
    private PacketBuffer? _tail;

    public int Count { get; private set; }

    /// <summary>Of all frames, fragments included.</summary>
    public int Bytes { get; private set; }

    public readonly bool IsEmpty => _head is null;

    public readonly PacketBuffer? Head => _head;

    public void Enqueue(PacketBuffer frame)
    {
        frame.Next = null;
        if (_tail is null)
            _head = frame;
        else
            _tail.Next = frame;
        _tail = frame;
        Count++;
        Bytes += frame.TotalLength;
    }

    public bool TryDequeue([NotNullWhen(true)] out PacketBuffer? frame)
    {
        frame = _head;
        if (frame is null)
            return false;
        _head = frame.Next;
        if (_head is null)
            _tail = null;
        frame.Next = null;
        Count--;
        Bytes -= frame.TotalLength;
        return true;
    }
}
