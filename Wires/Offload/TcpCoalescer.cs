using Tapwire.Stack.Buffers;

namespace Tapwire.Wires.Offload;

/// <summary>
/// Merges consecutive received TCP segments over IPv4 or IPv6 into super-frames, by the rules of Linux's tcp_gro_receive. Other frames pass unchanged, also
/// those with IP options or extension headers, and the frames of a flow keep their order.
/// </summary>
/// <param name="linkHeader">14 on Ethernet, 0 on raw IP.</param>
internal sealed class TcpCoalescer(int linkHeader)
{
    /// <summary>Number of flows merged side by side, as many as in Linux (MAX_GRO_SKBS).</summary>
    public const int MaxFlows = 8;

    // The first _count are open, the oldest first.
    private readonly OpenSuperFrame[] _open = [.. Enumerable.Range(0, MaxFlows).Select(_ => new OpenSuperFrame(linkHeader))];
    private int _count;

    /// <summary>The open super-frame that began or grew last: the next frame is most likely its next segment.</summary>
    public OpenSuperFrame? Latest { get; private set; }

    /// <summary>Merges frames, and puts the results in their place.</summary>
    /// <returns>Number of resulting frames; the places behind them are cleared. Nothing is kept for another call.</returns>
    public int Coalesce(BufferPool pool, Span<PacketBuffer> frames)
    {
        // Output never overtakes input, because each result was taken before.
        var output = new Output(pool, frames);
        foreach (ref var slot in frames)
        {
            var frame = slot;
            slot = null!;
            Take(frame, ref output);
        }

        Flush(ref output);
        return output.Count;
    }

    /// <summary>Takes a frame in its own buffer.</summary>
    public void Take(PacketBuffer frame, ref Output output)
    {
        switch (Read(frame, out var segment))
        {
            case SegmentKind.Foreign:
                output.Put(frame);
                break;
            case SegmentKind.Odd:
                // Ports unreadable: flush all flows to keep order.
                Flush(ref output);
                output.Put(frame);
                break;
            case SegmentKind.Whole:
                CloseFlow(segment, ref output);
                output.Put(frame);
                break;
            default:
                Merge(frame, segment, ref output);
                break;
        }
    }

    /// <summary>Takes a frame that was read behind the payload of <see cref="Latest"/>, if it is the next segment of that super-frame.</summary>
    /// <param name="spare">The buffer offered for it; null if it has been used.</param>
    public bool TryTakeInPlace(ReadOnlySpan<byte> frame, ref PacketBuffer? spare, ref Output output)
    {
        var open = Latest!;
        if (TcpSegmentView.Read(frame, linkHeader, out var segment) != SegmentKind.Mergeable || !open.IsOf(segment) || !open.IsNext(segment, frame)
            || !segment.Verify(frame))
        {
            return false;
        }

        if (open.AppendInPlace(spare!, segment))
            spare = null;
        if (open.IsComplete)
            Close(Find(segment), ref output);
        return true;
    }

    /// <summary>Finishes all open super-frames.</summary>
    public void Flush(ref Output output)
    {
        while (_count > 0)
            Close(0, ref output);
    }

    private SegmentKind Read(PacketBuffer frame, out TcpSegmentView segment)
    {
        var kind = TcpSegmentView.Read(frame.Span, linkHeader, out segment);
        if (kind != SegmentKind.Mergeable)
            return kind;
        if (frame.FragmentCount != 0 || frame.Offload.Segmentation != Segmentation.None)
            return SegmentKind.Whole;
        frame.Truncate(segment.Length);
        return kind;
    }

    private void Merge(PacketBuffer frame, in TcpSegmentView segment, ref Output output)
    {
        if (!segment.Verify(frame.Span, frame.Offload.Checksum))
        {
            CloseFlow(segment, ref output);
            output.Put(frame);
            return;
        }

        if (frame.Offload.Checksum == ChecksumState.None)
            frame.Offload.Checksum = ChecksumState.Verified;
        var index = Find(segment);
        if (index >= 0)
        {
            var open = _open[index];
            if (open.IsNext(segment, frame.Span))
            {
                open.Append(output.Pool, frame, segment);
                Latest = open;
                if (open.IsComplete)
                    Close(index, ref output);
                return;
            }

            Close(index, ref output);
        }

        if (segment.Pushes)
        {
            output.Put(frame);
            return;
        }

        if (_count == MaxFlows)
            Close(0, ref output);
        Latest = _open[_count++];
        Latest.Begin(frame, segment);
    }

    private int Find(in TcpSegmentView segment)
    {
        for (var i = _count - 1; i >= 0; i--)
        {
            if (_open[i].IsOf(segment))
                return i;
        }

        return -1;
    }

    private void CloseFlow(in TcpSegmentView segment, ref Output output)
    {
        var index = Find(segment);
        if (index >= 0)
            Close(index, ref output);
    }

    private void Close(int index, ref Output output)
    {
        var closed = _open[index];
        if (closed == Latest)
            Latest = null;
        output.Put(closed.Finish(output.Pool));
        _count--;
        _open.AsSpan(index + 1, _count - index).CopyTo(_open.AsSpan(index));
        _open[_count] = closed;
    }

    /// <summary>The places for finished frames.</summary>
    public ref struct Output(BufferPool pool, Span<PacketBuffer> frames)
    {
        private readonly Span<PacketBuffer> _frames = frames;

        public int Count { get; private set; }

        public readonly BufferPool Pool => pool;

        public void Put(PacketBuffer frame) => _frames[Count++] = frame;
    }
}
