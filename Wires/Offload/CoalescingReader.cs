using Tapwire.Stack.Buffers;

namespace Tapwire.Wires.Offload;

/// <summary>
/// Reads frames and merges them in place. Each frame is read behind the payload of the super-frame that has grown last, in the hope that it is the next segment, whose
/// payload then needs no copy. A frame that turns out to be something else is copied to a buffer of its own.
/// </summary>
internal sealed class CoalescingReader(IDirectReadWire wire, TcpCoalescer coalescer) : IDisposable
{
    /// <summary>What comes in larger bursts is read until nothing is left, so that all of it is merged.</summary>
    private const int FewFrames = 4;

    private BurstGauge _burst = new();

    // What the next frame is read into, kept from one read to the next: a small buffer for one that stands alone, and a large one to go on in.
    private PacketBuffer? _head;
    private PacketBuffer? _large;

    /// <summary>The wire can read into the reader's buffers now.</summary>
    public bool CanRead => wire.FrameRoom > 0;

    /// <summary>As <see cref="IWire.Read"/>.</summary>
    public int Read(BufferPool pool, Span<PacketBuffer> frames, out bool more)
    {
        var output = new TcpCoalescer.Output(pool, frames);
        var repeats = wire.BeginRead();
        var limit = repeats && _burst.Limit <= FewFrames ? Math.Min(frames.Length, _burst.Limit) : frames.Length;
        var read = 0;
        int length;
        try
        {
            // An unusable frame ends the batch: the wire may not read directly any more.
            while ((length = ReadFrame(ref output)) > 0 && ++read < limit)
            {
            }
        }
        finally
        {
            coalescer.Flush(ref output);
        }

        if (repeats)
            _burst.Read(read, limit);
        more = !repeats && length >= 0;
        return output.Count;
    }

    public void Dispose()
    {
        _head?.Release();
        _large?.Release();
    }

    /// <returns>As <see cref="IDirectReadWire.ReadFrame"/>.</returns>
    private int ReadFrame(ref TcpCoalescer.Output output)
    {
        if (coalescer.Latest is { } open)
        {
            var place = open.Cover(_large ??= output.Pool.RentFilled(BufferPool.MaxCapacity));
            if (place.Length >= wire.FrameRoom)
                return ReadBehind(open, place, ref output);
        }

        return ReadAlone(ref output);
    }

    private int ReadBehind(OpenSuperFrame open, Span<byte> place, ref TcpCoalescer.Output output)
    {
        var length = wire.ReadFrame(place);
        if (length <= 0)
        {
            open.Uncover();
            return length;
        }

        if (coalescer.TryTakeInPlace(place[..length], ref _large, ref output))
            return length;
        coalescer.Take(TakeAway(open, place[..length], output.Pool), ref output);
        return length;
    }

    /// <summary>Copies a frame that is something else, and makes the super-frame what it was; also where there is no buffer for the copy.</summary>
    private static PacketBuffer TakeAway(OpenSuperFrame open, ReadOnlySpan<byte> frame, BufferPool pool)
    {
        try
        {
            return pool.RentCopy(frame);
        }
        finally
        {
            open.Uncover();
        }
    }

    private int ReadAlone(ref TcpCoalescer.Output output)
    {
        _head ??= output.Pool.RentFilled(wire.FrameRoom);
        var length = wire.ReadFrame(_head.Span);
        if (length <= 0)
            return length;
        var frame = _head;
        _head = null;
        frame.Truncate(length);
        coalescer.Take(frame, ref output);
        return length;
    }
}
