using System.Diagnostics.CodeAnalysis;
using Tapwire.Stack.Buffers;

namespace Tapwire.Actors;

/// <summary>
/// Frames between tap and stack, bounded in frames and in bytes of memory held. When it is full the newest frame is dropped, as in a network card (P2).
/// </summary>
internal sealed class FrameQueue(int maxFrames, long maxBytes)
{
    private BufferQueue _frames;
    private long _memory;

    public int Count => _frames.Count;

    public bool TryEnqueue(PacketBuffer frame)
    {
        if (_frames.Count == maxFrames || _memory + frame.Capacity > maxBytes)
            return false;
        _frames.Enqueue(frame);
        _memory += frame.Capacity;
        return true;
    }

    public bool TryDequeue([NotNullWhen(true)] out PacketBuffer? frame)
    {
        if (!_frames.TryDequeue(out frame))
            return false;
        _memory -= frame.Capacity;
        return true;
    }

    public void Clear()
    {
        _frames.Clear();
        _memory = 0;
    }
}
