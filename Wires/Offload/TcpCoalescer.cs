using Tapwire.Stack.Buffers;

namespace Tapwire.Wires.Offload;

/// <summary>
/// Merges received TCP segments over IPv4 that follow each other into super-frames, by the rules of Linux's tcp_gro_receive. What does not merge passes as it is,
/// and the frames of a flow keep their order. Segments are looked at before one is copied: a super-frame's buffer has the size that is needed.
/// </summary>
/// <param name="linkHeader">14 on Ethernet, 0 on raw IP.</param>
internal sealed class TcpCoalescer(int linkHeader)
{
    /// <summary>Flows that are looked at side by side, as many as in Linux (MAX_GRO_SKBS).</summary>
    public const int MaxFlows = 8;

    // The first _count are open, the oldest first.
    private readonly OpenSuperFrame[] _open = [.. Enumerable.Range(0, MaxFlows).Select(_ => new OpenSuperFrame(linkHeader))];
    private int _count;

    /// <summary>Takes frames and puts what becomes of them in their place.</summary>
    /// <returns>How many frames that is; what lies behind them is cleared. Nothing is kept for another call.</returns>
    public int Coalesce(BufferPool pool, Span<PacketBuffer> frames)
    {
        // A frame put out was taken before: the two never meet.
        var output = new Output(pool, frames);
        foreach (ref var slot in frames)
        {
            var frame = slot;
            slot = null!;
            Take(frame, ref output);
        }

        while (_count > 0)
            Close(0, ref output);
        return output.Count;
    }

    private void Take(PacketBuffer frame, ref Output output)
    {
        switch (TcpSegmentView.Read(frame, linkHeader, out var segment))
        {
            case SegmentKind.Foreign:
                output.Put(frame);
                break;
            case SegmentKind.Odd:
                // Of whose flow it is, it does not say where it should.
                while (_count > 0)
                    Close(0, ref output);
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

    private void Merge(PacketBuffer frame, in TcpSegmentView segment, ref Output output)
    {
        if (!segment.Verify(frame))
        {
            CloseFlow(segment, ref output);
            output.Put(frame);
            return;
        }

        var index = Find(segment);
        if (index >= 0)
        {
            if (_open[index].TryAppend(frame, segment))
            {
                if (_open[index].IsComplete)
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
        _open[_count++].Begin(frame, segment);
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
        output.Put(closed.Finish(output.Pool));
        _count--;
        _open.AsSpan(index + 1, _count - index).CopyTo(_open.AsSpan(index));
        _open[_count] = closed;
    }

    private ref struct Output(BufferPool pool, Span<PacketBuffer> frames)
    {
        private readonly Span<PacketBuffer> _frames = frames;

        public int Count { get; private set; }

        public readonly BufferPool Pool => pool;

        public void Put(PacketBuffer frame) => _frames[Count++] = frame;
    }
}
