using Tapwire.Stack.Buffers;
using Tapwire.Stack.Packets;

namespace Tapwire.Stack.Tcp;

/// <summary>A contiguous range of bytes that arrived ahead of a gap.</summary>
internal sealed class ReassemblyRange : SequenceNode<ReassemblyRange>
{
    public uint End;

    /// <summary>When it last grew, as a count of insertions.</summary>
    public ulong Touched;

    public ReceiveQueue Payloads;

    /// <summary>Neighbours in the order of growth, because SACK reports the latest first (RFC 2018, 4).</summary>
    public ReassemblyRange? Older;
    public ReassemblyRange? Newer;
}

/// <summary>Unused ranges and lists, shared by the connections of a layer.</summary>
/// <param name="seed">Must not be guessable: see <see cref="TreePriorities"/>.</param>
internal sealed class ReassemblyRangePool(ulong seed)
{
    private const int Limit = 4096;

    private readonly Stack<ReassemblyList> _lists = new();
    private TreePriorities _priorities = new(seed);
    private ReassemblyRange? _free;
    private int _count;

    /// <summary>Ranges visited to find a place, over all lists: specs count them in place of time.</summary>
    public long Steps { get; set; }

    public ReassemblyList RentList() => _lists.TryPop(out var list) ? list : new ReassemblyList();

    /// <param name="list">An empty list.</param>
    public void Return(ReassemblyList list)
    {
        if (_lists.Count < Limit)
            _lists.Push(list);
    }

    public ReassemblyRange Rent()
    {
        var range = _free;
        if (range is null)
        {
            range = new ReassemblyRange();
        }
        else
        {
            _free = range.Newer;
            range.Newer = null;
            _count--;
        }

        range.Priority = _priorities.Next();
        return range;
    }

    public void Return(ReassemblyRange range)
    {
        range.Payloads.Clear();
        if (_count == Limit)
            return;
        range.Older = null;
        range.Newer = _free;
        _free = range;
        _count++;
    }
}

/// <summary>Data that arrived ahead of a gap. Most connections never have any, so the list exists only while there is a gap.</summary>
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
    public SackBlock TakeInOrder(ref uint expected, ref ReceiveQueue queue, ReassemblyRangePool ranges)
    {
        if (_list is null)
            return default;
        var duplicate = _list.TakeInOrder(ref expected, ref queue, ranges);
        Leave(ranges);
        return duplicate;
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
        if (_list is not { IsEmpty: true })
            return;
        ranges.Return(_list);
        _list = null;
    }
}

/// <summary>
/// The bytes that arrived ahead of a gap, as a tree of ranges with gaps between them. Their number is that of gaps, not of segments. A place next to the last
/// arrival, or at the end, where new data arrives, is found at once; any other in the tree.
/// </summary>
internal sealed class ReassemblyList
{
    /// <summary>More gaps than this mean an attack or a hopeless path; the farthest range is dropped.</summary>
    public const int MaxRanges = 2048;

    private SequenceTree<ReassemblyRange> _ranges;

    /// <summary>The range that grew last.</summary>
    private ReassemblyRange? _newest;
    private ulong _touched;
    private ulong _reported;

    public bool IsEmpty => _ranges.First is null;

    /// <summary>Number of contiguous ranges held.</summary>
    public int Ranges => _ranges.Count;

    /// <summary>Number of ranges that are new, or have grown, since the last report.</summary>
    public int Unreported { get; private set; }

    /// <summary>Capacity of all buffers held.</summary>
    public long Memory { get; private set; }

    /// <summary>Takes over a payload that begins beyond the next expected byte.</summary>
    /// <returns>The bytes at its front that were held already, for a duplicate report (RFC 2883).</returns>
    public SackBlock Insert(uint start, PacketBuffer payload, BufferPool pool, ReassemblyRangePool ranges)
    {
        var end = start + (uint)payload.Length;
        var previous = Preceding(start, ranges);
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

        var next = previous is null ? _ranges.First : previous.Next;
        while (next is not null && Seq.Le(next.End, end))
        {
            // The new payload covers the whole range and replaces it.
            duplicate = new SackBlock(next.Start, next.End);
            Remove(next, ranges);
            next = previous is null ? _ranges.First : previous.Next;
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

    /// <summary>Moves the data that follows the expected byte without a gap to the receive queue.</summary>
    /// <param name="expected">The next expected byte, before and after the call.</param>
    /// <returns>The first range of bytes that were held here and have now arrived in order as well, for a duplicate report (RFC 2883).</returns>
    public SackBlock TakeInOrder(ref uint expected, ref ReceiveQueue queue, ReassemblyRangePool ranges)
    {
        var arrived = expected;
        var duplicate = default(SackBlock);
        while (_ranges.First is { } range && Seq.Le(range.Start, expected))
        {
            if (duplicate.IsEmpty && Seq.Lt(range.Start, arrived))
                duplicate = new SackBlock(range.Start, Seq.Min(range.End, arrived));
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

        return duplicate;
    }

    /// <summary>Drops the farthest range.</summary>
    public void DropLast(ReassemblyRangePool ranges)
    {
        Remove(_ranges.Last!, ranges);
    }

    public void Clear(ReassemblyRangePool ranges)
    {
        while (_ranges.First is { } first)
            Remove(first, ranges);
    }

    /// <summary>Writes up to <paramref name="room"/> blocks, the range that grew last first.</summary>
    /// <returns>Number of blocks written from <paramref name="at"/> on.</returns>
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
        // The segment that filled the gap reaches into the range: the duplicate bytes are dropped.
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
    private ReassemblyRange? Preceding(uint start, ReassemblyRangePool ranges)
    {
        if (_newest is { } newest && Seq.Le(newest.Start, start) && (newest.Next is null || Seq.Gt(newest.Next.Start, start)))
        {
            ranges.Steps++;
            return newest;
        }

        var found = _ranges.Find(start, out var steps);
        ranges.Steps += steps;
        return found;
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
            _ranges.InsertAfter(previous, range);
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
        if (IsReported(range))
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

    /// <summary>The range has not grown since the last report.</summary>
    private bool IsReported(ReassemblyRange range) => range.Touched <= _reported;

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
        if (!IsReported(range))
            Unreported--;
        LeaveOrder(range);
        _ranges.Remove(range);
        Memory -= range.Payloads.Memory;
        ranges.Return(range);
    }
}
