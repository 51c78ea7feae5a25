using System.Diagnostics.CodeAnalysis;
using Tapwire.Stack.Buffers;

namespace Tapwire.Stack.Interfaces;

/// <summary>
/// Frames that wait for the wire. Transports hold back when the limit is reached (<see cref="HasRoom"/>). Frames that cannot wait (answers, errors, resets, ARP) have
/// an eighth more room, so that bulk data does not shut them out; beyond that they are dropped and counted.
/// </summary>
internal sealed class EgressQueue
{
    private readonly int _frames;
    private readonly int _bytes;
    private readonly StackCounters _counters;
    private BufferQueue _queue;

    public EgressQueue(InterfaceOptions options, StackCounters counters)
    {
        _frames = options.EgressFrames;
        _bytes = options.EgressBytes;
        _counters = counters;
    }

    public bool IsEmpty => _queue.IsEmpty;

    public bool HasRoom => _queue.Count < _frames && _queue.Bytes < _bytes;

    /// <summary>Takes the frame over, even if it drops it.</summary>
    public void Enqueue(PacketBuffer frame)
    {
        if (_queue.Count >= _frames + (_frames >> 3) + 1 || _queue.Bytes >= _bytes + (_bytes >> 3))
        {
            _counters.EgressOverflow++;
            frame.Release();
            return;
        }

        _counters.OutFrames++;
        _counters.OutBytes += frame.TotalLength;
        _queue.Enqueue(frame);
    }

    public bool TryDequeue([NotNullWhen(true)] out PacketBuffer? frame) => _queue.TryDequeue(out frame);
}
