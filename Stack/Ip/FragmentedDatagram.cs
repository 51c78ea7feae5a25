using Tapwire.Stack.Buffers;

namespace Tapwire.Stack.Ip;

/// <summary>What fragments of one datagram have in common (RFC 791, 3.2).</summary>
/// <param name="Interface">The index of the interface on which they arrive.</param>
internal readonly record struct FragmentKey(IpAddress Source, IpAddress Destination, uint Identification, byte Protocol, byte Interface)
{
    /// <summary>With the seed of the process, so that nobody can choose identifications that share a place in a table.</summary>
    public override int GetHashCode() => HashCode.Combine(Source, Destination, Identification, Protocol, Interface);
}

/// <summary>What a fragment is to a datagram.</summary>
internal enum FragmentPlace
{
    /// <summary>Its bytes were missing.</summary>
    Missing,

    /// <summary>All its bytes have arrived before.</summary>
    Duplicate,

    /// <summary>Some of its bytes have arrived before (RFC 5722).</summary>
    Overlap,

    /// <summary>It ends elsewhere than the last fragment says, or beyond it.</summary>
    Contradiction,
}

/// <summary>
/// A datagram of which some fragments have arrived, in their order. It owns their buffers, each of which begins with its piece of the IP payload; before that of the first fragment
/// is still the IP header.
/// </summary>
internal sealed class FragmentedDatagram(FragmentTable table) : Timer
{
    private const int FewPieces = 8;

    private Piece[] _pieces = new Piece[FewPieces];
    private int _bytes;
    private int _length;
    private AgeLinks _ofAll;
    private AgeLinks _ofSource;

    public FragmentKey Key { get; private set; }

    /// <summary>The other datagrams of the sender.</summary>
    public FragmentGroup Source { get; private set; } = null!;

    /// <summary>Fragments that have arrived.</summary>
    public int Count { get; private set; }

    /// <summary>Bytes of memory that it is charged with.</summary>
    public int Memory { get; set; }

    /// <summary>The ECN fields that its fragments had, a bit for each of the four values.</summary>
    public byte Ecn { get; set; }

    /// <summary>What the first fragment says that the whole is of, once that has arrived.</summary>
    public byte Protocol { get; set; }

    /// <summary>Of IPv6: the offset of the byte that announces the first fragment's fragment header.</summary>
    public int NextHeaderAt { get; set; }

    /// <summary>The header of the first fragment, once that has arrived.</summary>
    public IpReceiveInfo Info { get; private set; }

    public bool IsComplete => _length >= 0 && _bytes == _length;

    /// <summary>The first fragment's payload; null until it has arrived.</summary>
    public PacketBuffer? First => Count > 0 && _pieces[0].Start == 0 ? _pieces[0].Payload : null;

    /// <summary>Bytes of the whole payload, if it is complete.</summary>
    public int Length => _length;

    /// <summary>Begins anew with another datagram.</summary>
    public void Begin(in FragmentKey key, FragmentGroup source)
    {
        Key = key;
        Source = source;
        Memory = 0;
        Ecn = 0;
        Info = default;
        _bytes = 0;
        _length = -1;
    }

    /// <summary>Says what a fragment is to this datagram.</summary>
    /// <param name="start">Where its payload begins, in bytes.</param>
    /// <param name="end">Where it ends; beyond <paramref name="start"/>.</param>
    /// <param name="index">With <see cref="FragmentPlace.Missing"/>: its place in the order.</param>
    public FragmentPlace PlaceOf(int start, int end, bool isLast, out int index)
    {
        index = IndexBehind(start);
        if (_length >= 0 ? end > _length || (isLast && end != _length) : isLast && Count > 0 && end < _pieces[Count - 1].End)
            return FragmentPlace.Contradiction;
        if (index > 0 && _pieces[index - 1].End > start)
            return EndOfRun(index - 1) >= end ? FragmentPlace.Duplicate : FragmentPlace.Overlap;
        return index < Count && _pieces[index].Start < end ? FragmentPlace.Overlap : FragmentPlace.Missing;
    }

    /// <summary>Takes a fragment over.</summary>
    /// <param name="payload">Begins with the fragment's payload.</param>
    /// <param name="info">The fragment's header.</param>
    public void Insert(PacketBuffer payload, int index, int start, int end, bool isLast, in IpReceiveInfo info)
    {
        if (Count == _pieces.Length)
            Array.Resize(ref _pieces, 2 * Count);
        Array.Copy(_pieces, index, _pieces, index + 1, Count - index);
        _pieces[index] = new Piece((ushort)start, (ushort)end, payload);
        Count++;
        _bytes += end - start;
        if (isLast)
            _length = end;
        if (start == 0)
            Info = info;
    }

    /// <summary>Writes the whole payload, <see cref="Length"/> bytes.</summary>
    public void CopyTo(Span<byte> destination)
    {
        foreach (ref readonly var piece in _pieces.AsSpan(0, Count))
            piece.Payload.Span.CopyTo(destination[piece.Start..]);
    }

    /// <summary>Releases the fragments.</summary>
    public void Clear()
    {
        foreach (ref readonly var piece in _pieces.AsSpan(0, Count))
            piece.Payload.Release();
        Array.Clear(_pieces, 0, Count);
        Count = 0;
        // An object that is kept for reuse is small.
        if (_pieces.Length > FewPieces)
            _pieces = new Piece[FewPieces];
    }

    /// <summary>Its neighbours by age: among all datagrams, or those of the same sender.</summary>
    public ref AgeLinks LinksIn(bool ofSource) => ref (ofSource ? ref _ofSource : ref _ofAll);

    protected internal override void Fire(Instant now) => table.TimedOut(this, now);

    /// <summary>The index of the first piece that begins behind that place.</summary>
    private int IndexBehind(int start)
    {
        var (low, high) = (0, Count);
        while (low < high)
        {
            var middle = (low + high) / 2;
            if (_pieces[middle].Start > start)
                high = middle;
            else
                low = middle + 1;
        }

        return low;
    }

    /// <summary>Where the bytes end that have arrived without a gap from a piece on.</summary>
    private int EndOfRun(int index)
    {
        while (index + 1 < Count && _pieces[index + 1].Start == _pieces[index].End)
            index++;
        return _pieces[index].End;
    }

    private readonly record struct Piece(ushort Start, ushort End, PacketBuffer Payload);
}
