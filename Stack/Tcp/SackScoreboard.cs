using Tapwire.Stack.Packets;

namespace Tapwire.Stack.Tcp;

/// <summary>
/// What the peer has reported as arrived above <c>SndUna</c> (RFC 6675): sorted, disjoint ranges. A connection has one only while there are any.
/// </summary>
internal sealed class SackScoreboard
{
    /// <summary>A peer that reports more islands than that is not believed beyond them.</summary>
    public const int MaxRanges = 512;

    private SackBlock[] _ranges = new SackBlock[8];

    public int Count { get; private set; }

    /// <summary>Bytes in all ranges.</summary>
    public int Bytes { get; private set; }

    public SackBlock this[int index] => _ranges[index];

    public void Clear()
    {
        Count = 0;
        Bytes = 0;
    }

    /// <summary>Adds a range.</summary>
    /// <returns>False if there are too many ranges already, and nothing was added.</returns>
    public bool Add(SackBlock block)
    {
        // Most reports repeat or extend the last ranges: look from the end.
        var after = Count;
        while (after > 0 && Seq.Gt(_ranges[after - 1].Start, block.End))
            after--;
        var first = after;
        while (first > 0 && Seq.Ge(_ranges[first - 1].End, block.Start))
            first--;
        if (first == after)
            return Insert(first, block);
        var start = Seq.Min(_ranges[first].Start, block.Start);
        var end = Seq.Max(_ranges[after - 1].End, block.End);
        for (var i = first; i < after; i++)
            Bytes -= Length(_ranges[i]);
        _ranges[first] = new SackBlock(start, end);
        Bytes += Length(_ranges[first]);
        Array.Copy(_ranges, after, _ranges, first + 1, Count - after);
        Count -= after - first - 1;
        return true;
    }

    /// <summary>Forgets everything below a sequence number: it is acknowledged.</summary>
    public void RemoveBelow(uint sequence)
    {
        var gone = 0;
        while (gone < Count && Seq.Le(_ranges[gone].End, sequence))
            Bytes -= Length(_ranges[gone++]);
        if (gone > 0)
        {
            Array.Copy(_ranges, gone, _ranges, 0, Count - gone);
            Count -= gone;
        }

        if (Count > 0 && Seq.Lt(_ranges[0].Start, sequence))
        {
            Bytes -= (int)(sequence - _ranges[0].Start);
            _ranges[0] = _ranges[0] with { Start = sequence };
        }
    }

    /// <summary>Bytes of the ranges that lie below a sequence number.</summary>
    public int BytesBelow(uint sequence)
    {
        // Counted from the end that is nearer in practice: most holes are at the front while recovery goes on.
        var bytes = 0;
        for (var i = 0; i < Count && Seq.Lt(_ranges[i].Start, sequence); i++)
            bytes += (int)(Seq.Min(_ranges[i].End, sequence) - _ranges[i].Start);
        return bytes;
    }

    /// <summary>
    /// Below which sequence number everything that has not arrived counts as lost (RFC 6675, 4, IsLost): three ranges, or more than two segments'
    /// worth of bytes, have arrived above.
    /// </summary>
    /// <returns><paramref name="lowest"/> if nothing does.</returns>
    public uint LostBelow(uint lowest, int segmentSize)
    {
        var bytes = 0;
        for (var i = Count - 1; i >= 0; i--)
        {
            bytes += Length(_ranges[i]);
            if (bytes > 2 * segmentSize || Count - i >= 3)
                return _ranges[i].Start;
        }

        return lowest;
    }

    /// <summary>The first gap at or above a sequence number.</summary>
    /// <param name="end">Where it ends: at the next range, or at <paramref name="limit"/>.</param>
    public uint NextGap(uint sequence, uint limit, out uint end)
    {
        var low = 0;
        var high = Count;
        while (low < high)
        {
            var middle = (low + high) / 2;
            if (Seq.Le(_ranges[middle].End, sequence))
                low = middle + 1;
            else
                high = middle;
        }

        for (; low < Count && Seq.Le(_ranges[low].Start, sequence); low++)
            sequence = _ranges[low].End;
        end = low < Count ? Seq.Min(_ranges[low].Start, limit) : limit;
        return sequence;
    }

    private static int Length(SackBlock block) => (int)(block.End - block.Start);

    private bool Insert(int index, SackBlock block)
    {
        if (Count == MaxRanges)
            return false;
        if (Count == _ranges.Length)
            Array.Resize(ref _ranges, Math.Min(Count * 2, MaxRanges));
        Array.Copy(_ranges, index, _ranges, index + 1, Count - index);
        _ranges[index] = block;
        Count++;
        Bytes += Length(block);
        return true;
    }
}
