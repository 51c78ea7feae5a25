using Tapwire.Stack.Buffers;

namespace Tapwire.Wires.Offload;

/// <summary>
/// Reads frames and merges them in place. Each frame is read behind the payload of the super-frame that grew last: if it is the next segment, its payload needs
/// no copy. Any other frame is copied to a buffer of its own.
/// </summary>
internal sealed class CoalescingReader(IDirectReadWire wire, TcpCoalescer coalescer) : IDisposable
{
    /// <summary>A larger burst is read until nothing is left, so that all of it is merged.</summary>
    private const int FewFrames = 4;

    private BurstGauge _burst = new();

    // The buffers for the next frame, kept from one read to the next: a small one for a single frame, and a large one for a super-frame.
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
            // An unusable frame ends the batch, because the wire may no longer read directly.
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

    /// <summary>Copies a frame that is no next segment, and restores the super-frame, even if there is no buffer for the copy.</summary>
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
