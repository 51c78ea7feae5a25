using Tapwire.Posix;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Interfaces;
using Tapwire.Wires;

namespace Tapwire.Tests.Hostile;

/// <summary>A device without offloads that is two queues: what it is given to deliver, and what was written to it.</summary>
internal class FrameQueueWire(BufferPool pool, Medium medium) : IWire
{
    /// <summary>Frames are shorter, in bytes.</summary>
    public const int Limit = 2048;

    private BufferQueue _incoming;
    private BufferQueue _outgoing;

    public string Name => "queue";

    public Medium Medium => medium;

    public int Mtu => 1500;

    public MacAddress? HardwareAddress => null;

    public WireOffloads Offloads => WireOffloads.None;

    public long Refused => 0;

    public int Waiting => _incoming.Count;

    public void Deliver(PacketBuffer frame) => _incoming.Enqueue(frame);

    public bool TryTake(out PacketBuffer? frame) => _outgoing.TryDequeue(out frame);

    public void Start(IReactor reactor, Action<Readiness> ready)
    {
    }

    public int Read(BufferPool pool, Span<PacketBuffer> frames, out bool more)
    {
        var count = 0;
        while (count < frames.Length && _incoming.TryDequeue(out var frame))
            frames[count++] = frame;
        more = !_incoming.IsEmpty;
        return count;
    }

    public int Write(ReadOnlySpan<PacketBuffer> frames)
    {
        foreach (var frame in frames)
        {
            var copy = pool.RentFilled(frame.TotalLength);
            frame.CopyTo(copy.Span);
            _outgoing.Enqueue(copy);
        }

        return frames.Length;
    }

    public void Dispose()
    {
        PacketBuffer.ReleaseChain(_incoming.TakeChain());
        PacketBuffer.ReleaseChain(_outgoing.TakeChain());
    }

    protected bool TryRead(out PacketBuffer? frame) => _incoming.TryDequeue(out frame);
}

/// <summary>The same, as a device whose frames are read to where they are wanted; it writes over as much of the room as it may.</summary>
internal sealed class DirectReadFrameQueueWire(BufferPool pool, Medium medium) : FrameQueueWire(pool, medium), IDirectReadWire
{
    private const byte Scribble = 0xEE;

    public int FrameRoom => Limit;

    public bool BeginRead() => false;

    public int ReadFrame(Span<byte> room)
    {
        if (!TryRead(out var frame))
            return -1;
        var length = frame!.TotalLength;
        frame.CopyTo(room);
        frame.Release();
        room[length..FrameRoom].Fill(Scribble);
        return length;
    }
}
