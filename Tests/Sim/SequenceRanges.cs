using Tapwire.Stack.Packets;
using Tapwire.Stack.Tcp;

namespace Tapwire.Tests.Sim;

/// <summary>Sequence numbers that something has happened to: all below <see cref="Next"/>, and islands above.</summary>
internal sealed class SequenceRanges(uint first)
{
    private readonly List<SackBlock> _islands = [];

    /// <summary>The first number that is missing.</summary>
    public uint Next { get; private set; } = first;

    public void Add(uint start, uint end)
    {
        if (Seq.Le(end, Next))
            return;
        if (Seq.Gt(start, Next))
        {
            Insert(start, end);
            return;
        }

        Next = end;
        var absorbed = 0;
        for (; absorbed < _islands.Count && Seq.Le(_islands[absorbed].Start, Next); absorbed++)
            Next = Seq.Max(Next, _islands[absorbed].End);
        _islands.RemoveRange(0, absorbed);
    }

    public bool Covers(uint start, uint end)
    {
        start = Seq.Max(start, Next);
        if (Seq.Ge(start, end))
            return true;
        foreach (var island in _islands)
        {
            if (Seq.Le(island.Start, start) && Seq.Ge(island.End, end))
                return true;
        }

        return false;
    }

    private void Insert(uint start, uint end)
    {
        var index = _islands.Count;
        while (index > 0 && Seq.Ge(_islands[index - 1].End, start))
            index--;
        var last = index;
        for (; last < _islands.Count && Seq.Le(_islands[last].Start, end); last++)
        {
            start = Seq.Min(start, _islands[last].Start);
            end = Seq.Max(end, _islands[last].End);
        }

        _islands.RemoveRange(index, last - index);
        _islands.Insert(index, new SackBlock(start, end));
    }
}
