using Tapwire.Stack.Buffers;
using Tapwire.Stack.Packets;

namespace Tapwire.Stack.Tcp;

/// <summary>A contiguous range of bytes that arrived ahead of a gap.</summary>
internal sealed class ReassemblyRange
{
    public uint Start;
    public uint End;

    /// <summary>When it last grew, in insertions.</summary>
    public uint Touched;

    public ReceiveQueue Payloads;

    /// <summary>Neighbours by sequence number.</summary>
    public ReassemblyRange? Next;
    public ReassemblyRange? Previous;

    /// <summary>Neighbours in the order of growth: SACK reports the latest first (RFC 2018, 4).</summary>
    public ReassemblyRange? Older;
    public ReassemblyRange? Newer;
}

/// <summary>Ranges and lists of them that are not in use, shared by the connections of a layer.</summary>
internal sealed class ReassemblyRangePool
{
    private const int Limit = 4096;

    private readonly Stack<ReassemblyList> _lists = new();
    private ReassemblyRange? _free;
    private int _count;

    public ReassemblyList RentList() => _lists.TryPop(out var list) ? list : new ReassemblyList();

    /// <param name="list">An idle one.</param>
    public void Return(ReassemblyList list)
    {
        if (_lists.Count < Limit)
            _lists.Push(list);
    }

    public ReassemblyRange Rent()
    {
        var range = _free;
        if (range is null)
            return new ReassemblyRange();
        _free = range.Next;
        range.Next = null;
        _count--;
        return range;
    }

    public void Return(ReassemblyRange range)
    {
        range.Payloads.Clear();
        if (_count == Limit)
            return;
        range.Previous = null;
        range.Older = null;
        range.Newer = null;
        range.Next = _free;
        _free = range;
        _count++;
    }
}

/// <summary>What has arrived ahead of a gap. Most connections never have anything there: the list is made when something comes, and goes when the gap is
/// filled.</summary>
internal struct Reassembly
{
    private ReassemblyList? _list;

    public readonly bool IsEmpty => _list is null || _list.IsEmpty;

    /// <inheritdoc cref="ReassemblyList.Ranges"/>
    public readonly int Ranges => _list?.Ranges ?? 0;

    /// <inheritdoc cref="ReassemblyList.Unreported"/>
    public readonly int Unreported => _list?.Unreported ?? 0;

    /// <inheritdoc cref="ReassemblyList.Memory"/>
    public readonly long Memory => _list?.Memory ?? 0;

    /// <inheritdoc cref="ReassemblyList.Insert"/>
    public SackBlock Insert(uint start, PacketBuffer payload, BufferPool pool, ReassemblyRangePool ranges) =>
        (_list ??= ranges.RentList()).Insert(start, payload, pool, ranges);

    /// <inheritdoc cref="ReassemblyList.TakeInOrder"/>
    public uint TakeInOrder(uint expected, ref ReceiveQueue queue, ReassemblyRangePool ranges)
    {
        if (_list is null)
            return expected;
        expected = _list.TakeInOrder(expected, ref queue, ranges);
        Leave(ranges);
        return expected;
    }

    /// <inheritdoc cref="ReassemblyList.DropLast"/>
    public void DropLast(ReassemblyRangePool ranges)
    {
        _list!.DropLast(ranges);
        Leave(ranges);
    }

    public void Clear(ReassemblyRangePool ranges)
    {
        _list?.Clear(ranges);
        Leave(ranges);
    }

    /// <inheritdoc cref="ReassemblyList.Report"/>
    public readonly int Report(ref SackBlocks blocks, int at, int room) => _list?.Report(ref blocks, at, room) ?? 0;

    private void Leave(ReassemblyRangePool ranges)
    {
        if (_list is not { IsIdle: true })
            return;
        ranges.Return(_list);
        _list = null;
    }
}

/// <summary>
/// The bytes that arrived ahead of a gap, as a sorted list of ranges with gaps between them. Its length is the number of gaps, not of segments. A place in it is
/// sought from the nearest of three: the front, where gaps are filled, the end, where data is new, and where something arrived last.
/// </summary>
internal sealed class ReassemblyList
{
    /// <summary>More gaps than that mean an attack or a hopeless path; the farthest range goes.</summary>
    public const int MaxRanges = 2048;

    private ReassemblyRange? _first;
    private ReassemblyRange? _last;

    /// <summary>What grew last.</summary>
    private ReassemblyRange? _newest;
    private uint _touched;
    private uint _reported;

    public bool IsEmpty => _first is null;

    /// <summary>Empty, and nothing is left to report: any connection may have it next.</summary>
    public bool IsIdle => _first is null && Unreported == 0;

    /// <summary>Contiguous ranges held.</summary>
    public int Ranges { get; private set; }

    /// <summary>Ranges that have come or grown since the last report.</summary>
    public int Unreported { get; private set; }

    public uint FirstStart => _first!.Start;

    /// <summary>Capacity of all buffers held.</summary>
    public long Memory { get; private set; }

    /// <summary>Takes over a payload that begins after the next expected byte.</summary>
    /// <returns>Bytes that were there already, at its front: for a duplicate report (RFC 2883).</returns>
    public SackBlock Insert(uint start, PacketBuffer payload, BufferPool pool, ReassemblyRangePool ranges)
    {
        var end = start + (uint)payload.Length;
        var previous = Preceding(start);
        var duplicate = default(SackBlock);
        if (previous is not null && Seq.Gt(previous.End, start))
        {
            duplicate = new SackBlock(start, Seq.Min(previous.End, end));
            if (Seq.Le(end, previous.End))
            {
                Touch(previous);
                payload.Release();
                return duplicate;
            }

            payload.TrimStart((int)(previous.End - start));
            start = previous.End;
        }

        var next = previous is null ? _first : previous.Next;
        while (next is not null && Seq.Le(next.End, end))
        {
            // The new payload covers the whole range: it replaces it.
            duplicate = new SackBlock(next.Start, next.End);
            Remove(next, ranges);
            next = previous is null ? _first : previous.Next;
        }

        if (next is not null && Seq.Lt(next.Start, end))
        {
            duplicate = new SackBlock(next.Start, end);
            payload.Truncate((int)(next.Start - start));
            end = next.Start;
        }

        Place(previous, next, start, end, payload, pool, ranges);
        return duplicate;
    }

    /// <summary>Moves what follows the expected byte without a gap to the receive queue.</summary>
    /// <returns>The byte expected next.</returns>
    public uint TakeInOrder(uint expected, ref ReceiveQueue queue, ReassemblyRangePool ranges)
    {
        while (_first is { } range && Seq.Le(range.Start, expected))
        {
            Memory -= range.Payloads.Memory;
            var skip = (int)(expected - range.Start);
            if (skip < (int)(range.End - range.Start))
            {
                Skip(ref range.Payloads, skip);
                queue.Append(ref range.Payloads);
                expected = range.End;
            }

            range.Payloads.Clear();
            Remove(range, ranges);
        }

        return expected;
    }

    /// <summary>Drops the range farthest away.</summary>
    public void DropLast(ReassemblyRangePool ranges)
    {
        Remove(_last!, ranges);
    }

    public void Clear(ReassemblyRangePool ranges)
    {
        while (_first is not null)
            Remove(_first, ranges);
    }

    /// <summary>Writes up to <paramref name="room"/> blocks, the range that grew last first.</summary>
    /// <returns>How many were written from <paramref name="at"/> on.</returns>
    public int Report(ref SackBlocks blocks, int at, int room)
    {
        _reported = _touched;
        Unreported = 0;
        var written = 0;
        for (var range = _newest; written < room && range is not null; range = range.Older)
            blocks[at + written++] = new SackBlock(range.Start, range.End);
        return written;
    }

    private static void Skip(ref ReceiveQueue payloads, int count)
    {
        if (count == 0)
            return;
        // The gap was filled by a segment that reaches into the range: what it brought again is let go.
        var chain = payloads.Take();
        while (chain is not null)
        {
            var next = chain.Next;
            chain.Next = null;
            if (count >= chain.Length)
            {
                count -= chain.Length;
                chain.Release();
            }
            else
            {
                chain.TrimStart(count);
                count = 0;
                payloads.Link(chain);
            }

            chain = next;
        }
    }

    /// <summary>The last range that begins at or below a sequence number.</summary>
    private ReassemblyRange? Preceding(uint start)
    {
        if (_first is null || Seq.Gt(_first.Start, start))
            return null;
        var from = _first;
        if ((int)(_last!.Start - start) < (int)(start - _first.Start))
            from = _last;
        if (Math.Abs((int)(_newest!.Start - start)) < Math.Abs((int)(from.Start - start)))
            from = _newest;
        while (Seq.Gt(from.Start, start))
            from = from.Previous!;
        while (from.Next is { } next && Seq.Le(next.Start, start))
            from = next;
        return from;
    }

    private void Place(
        ReassemblyRange? previous, ReassemblyRange? next, uint start, uint end, PacketBuffer payload, BufferPool pool, ReassemblyRangePool ranges)
    {
        var joinsNext = next is not null && next.Start == end;
        ReassemblyRange range;
        if (previous is not null && previous.End == start)
        {
            range = previous;
        }
        else
        {
            range = ranges.Rent();
            range.Start = start;
            range.Touched = 0;
            range.Next = next;
            range.Previous = previous;
            if (previous is null)
                _first = range;
            else
                previous.Next = range;
            if (next is null)
                _last = range;
            else
                next.Previous = range;
            Ranges++;
        }

        Memory -= range.Payloads.Memory;
        range.Payloads.Append(payload, pool);
        Memory += range.Payloads.Memory;
        range.End = end;
        Touch(range);
        if (!joinsNext)
            return;
        range.Payloads.Append(ref next!.Payloads);
        range.End = next.End;
        Remove(next, ranges);
    }

    private void Touch(ReassemblyRange range)
    {
        if (range.Touched <= _reported)
            Unreported++;
        range.Touched = ++_touched;
        if (_newest == range)
            return;
        LeaveOrder(range);
        range.Older = _newest;
        if (_newest is not null)
            _newest.Newer = range;
        _newest = range;
    }

    private void LeaveOrder(ReassemblyRange range)
    {
        if (_newest == range)
            _newest = range.Older;
        if (range.Newer is not null)
            range.Newer.Older = range.Older;
        if (range.Older is not null)
            range.Older.Newer = range.Newer;
        range.Newer = null;
        range.Older = null;
    }

    private void Remove(ReassemblyRange range, ReassemblyRangePool ranges)
    {
        LeaveOrder(range);
        if (range.Previous is null)
            _first = range.Next;
        else
            range.Previous.Next = range.Next;
        if (range.Next is null)
            _last = range.Previous;
        else
            range.Next.Previous = range.Previous;
        range.Next = null;
        range.Previous = null;
        Memory -= range.Payloads.Memory;
        Ranges--;
        ranges.Return(range);
    }
}
