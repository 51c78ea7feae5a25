namespace Tapwire.Stack.Tcp;

/// <summary>
/// All bytes between SND.UNA and SND.NXT, as entries in two orders: by sequence number, in a tree, and by the time of sending, so that losses are found at the
/// front without a walk. Data sent in one turn is one entry until reports divide it, and adjacent data that has arrived is one entry again. So the number of
/// entries is that of batches and gaps, never more than that of segments. A connection has a log only while something is in flight.
/// </summary>
internal sealed class TransmissionLog(TransmissionPool pool)
{
    /// <summary>With more entries, reports that would divide one further are ignored.</summary>
    public const int MaxEntries = 1 << 13;

    /// <summary>Most bytes that one entry may cover when it is extended: one super-frame.</summary>
    private const int MaxLength = 1 << 16;

    /// <summary>With more entries, sent data extends the last one even if that was sent earlier: an application that sends thousands of single bytes loses
    /// precision instead of using memory.</summary>
    private const int CrowdedEntries = 1 << 12;

    private SequenceTree<Transmission> _entries;

    public int Count => _entries.Count;

    /// <summary>Bytes reported as arrived.</summary>
    public int ArrivedBytes { get; private set; }

    /// <summary>Bytes marked lost and not sent again.</summary>
    public int LostBytes { get; private set; }

    /// <summary>Bytes in flight that were sent again.</summary>
    public int RepeatedBytes { get; private set; }

    /// <summary>The entry that has been in flight longest.</summary>
    public Transmission? Oldest { get; private set; }

    /// <summary>The entry in flight that was sent last.</summary>
    public Transmission? Newest { get; private set; }

    public Transmission First => _entries.First!;

    public Transmission Last => _entries.Last!;

    /// <summary>The lost entry with the lowest sequence number.</summary>
    public Transmission? FirstLost => _entries.FirstMarked();

    /// <summary>Bytes sent now can extend the last entry.</summary>
    /// <param name="length">Count of sequence numbers.</param>
    /// <param name="segmentSize">Bytes in each segment sent now; the last may have fewer.</param>
    public bool CanExtend(uint start, Instant now, int length, int segmentSize)
    {
        if (Count == 0)
            return false;
        var last = Last;
        if (last != Newest || last.IsRepeated || last.IsMtuProbe || last.End != start || last.Length + length > MaxLength)
            return false;
        return Count >= CrowdedEntries || (last.SentAt == now && IsDividedAlike(last, length, segmentSize));
    }

    /// <summary>Extends the last entry by bytes sent now.</summary>
    public void Extend(uint end, int segmentSize, bool hasFin)
    {
        var last = Last;
        if (!IsDividedAlike(last, (int)(end - last.End), segmentSize))
            last.SegmentSize = Transmission.Undivided;
        last.End = end;
        last.HasFin = hasFin;
    }

    /// <summary>New data has been sent.</summary>
    /// <param name="segmentSize">Bytes in each of its segments; the last may have fewer.</param>
    public Transmission Append(uint start, uint end, Instant now, int segmentSize, bool hasFin = false)
    {
        var entry = pool.Rent();
        entry.Start = start;
        entry.End = end;
        entry.Origin = start;
        entry.SegmentSize = (uint)Math.Max(1, Math.Min(segmentSize, (int)(end - start)));
        entry.HasFin = hasFin;
        entry.SentAt = now;
        entry.State = TransmissionState.InFlight;
        entry.IsRepeated = false;
        entry.IsMtuProbe = false;
        _entries.InsertAfter(_entries.Last, entry);
        LinkAfter(Newest, entry);
        return entry;
    }

    /// <summary>The entry that contains a sequence number of the log.</summary>
    public Transmission Find(uint sequence)
    {
        var entry = _entries.Find(sequence, out var steps)!;
        pool.Steps += steps;
        return entry;
    }

    /// <summary>Divides an entry; the second part follows the first in both orders.</summary>
    /// <param name="isForSending">A part is about to be sent again. That is never refused, because it makes no more entries than there are segments.</param>
    /// <returns>False if there are too many entries already.</returns>
    public bool TrySplit(Transmission first, uint at, bool isForSending = false)
    {
        if (Count >= MaxEntries && !isForSending)
            return false;
        var second = pool.Rent();
        second.Start = at;
        second.End = first.End;
        second.Origin = first.Origin;
        second.SegmentSize = first.SegmentSize;
        second.HasFin = first.HasFin;
        second.SentAt = first.SentAt;
        second.FirstSentAt = first.FirstSentAt;
        second.Delivered = first.Delivered;
        second.DeliveredAt = first.DeliveredAt;
        second.Lost = first.Lost;
        second.InFlight = first.InFlight;
        second.State = first.State;
        second.IsRepeated = first.IsRepeated;
        second.IsApplicationLimited = first.IsApplicationLimited;
        second.IsMtuProbe = false;
        first.End = at;
        first.HasFin = false;
        _entries.InsertAfter(first, second);
        if (first.State == TransmissionState.InFlight)
            LinkAfter(first, second);
        else if (first.State == TransmissionState.Lost)
            SequenceTree<Transmission>.Mark(second, true);
        return true;
    }

    /// <summary>Marks an entry as arrived, and joins it with adjacent ones that have.</summary>
    /// <returns>The joined entry.</returns>
    public Transmission MarkArrived(Transmission entry)
    {
        Leave(entry);
        entry.State = TransmissionState.Arrived;
        ArrivedBytes += entry.Length;
        if (entry.Next is { State: TransmissionState.Arrived } next)
            Join(entry, next);
        if (entry.Previous is not { State: TransmissionState.Arrived } previous)
            return entry;
        Join(previous, entry);
        return previous;
    }

    public void MarkLost(Transmission entry)
    {
        Leave(entry);
        entry.State = TransmissionState.Lost;
        LostBytes += entry.Length;
        SequenceTree<Transmission>.Mark(entry, true);
    }

    /// <summary>An entry is sent once more.</summary>
    /// <param name="segmentSize">Bytes in each of its segments now; the last may have fewer.</param>
    public void MarkSent(Transmission entry, Instant now, int segmentSize)
    {
        Leave(entry);
        entry.State = TransmissionState.InFlight;
        entry.IsRepeated = true;
        entry.SentAt = now;
        entry.Origin = entry.Start;
        entry.SegmentSize = (uint)Math.Max(1, segmentSize);
        RepeatedBytes += entry.Length;
        LinkAfter(Newest, entry);
    }

    /// <summary>The losses were spurious: lost entries are in flight again, with their time of sending.</summary>
    public void ForgetLosses() => Revive(TransmissionState.Lost);

    /// <summary>The peer has reneged on its reports (RFC 2018, 8): arrived entries are in flight again.</summary>
    public void ForgetArrivals() => Revive(TransmissionState.Arrived);

    /// <summary>Removes the first entry, which is acknowledged.</summary>
    public void RemoveFirst()
    {
        Leave(First);
        Remove(First);
    }

    /// <summary>Removes acknowledged bytes from the front of the first entry.</summary>
    public void TrimFirst(uint start)
    {
        var first = First;
        var gone = (int)(start - first.Start);
        first.Start = start;
        switch (first.State)
        {
            case TransmissionState.Arrived:
                ArrivedBytes -= gone;
                break;
            case TransmissionState.Lost:
                LostBytes -= gone;
                break;
            case TransmissionState.InFlight when first.IsRepeated:
                RepeatedBytes -= gone;
                break;
        }
    }

    public void Clear()
    {
        for (var entry = _entries.First; entry is not null;)
        {
            var next = entry.Next;
            pool.Return(entry);
            entry = next;
        }

        _entries = default;
        Oldest = null;
        Newest = null;
        ArrivedBytes = 0;
        LostBytes = 0;
        RepeatedBytes = 0;
    }

    /// <summary>The last entry ends with a whole segment, and the data sent now has segments of the same size.</summary>
    private static bool IsDividedAlike(Transmission last, int length, int segmentSize) =>
        !last.HasFin && (last.SegmentSize == segmentSize || length <= last.SegmentSize) && (last.End - last.Origin) % last.SegmentSize == 0;

    private void Join(Transmission first, Transmission second)
    {
        first.End = second.End;
        first.HasFin = second.HasFin;
        Remove(second);
    }

    private void Remove(Transmission entry)
    {
        _entries.Remove(entry);
        pool.Return(entry);
    }

    /// <summary>Puts all entries of a state in flight again, each at its place by time. There may be thousands, with times of the peer's choosing; so they are
    /// sorted first, and then merged with those in flight.</summary>
    private void Revive(TransmissionState state)
    {
        Transmission? revived = null;
        var count = 0;
        for (var entry = _entries.Last; entry is not null && (state == TransmissionState.Lost ? LostBytes : ArrivedBytes) > 0; entry = entry.Previous)
        {
            pool.Steps++;
            if (entry.State != state)
                continue;
            Leave(entry);
            entry.State = TransmissionState.InFlight;
            if (entry.IsRepeated)
                RepeatedBytes += entry.Length;
            entry.Later = revived;
            revived = entry;
            count++;
        }

        if (count > 0)
            Relink(Merge(Oldest, Sort(ref revived, count)));
    }

    /// <summary>Takes <paramref name="count"/> entries, at least 1, off a chain through <see cref="Transmission.Later"/>, and sorts them by time.</summary>
    private Transmission? Sort(ref Transmission? chain, int count)
    {
        if (count == 1)
        {
            var single = chain!;
            chain = single.Later;
            single.Later = null;
            return single;
        }

        var first = Sort(ref chain, count / 2);
        return Merge(first, Sort(ref chain, count - count / 2));
    }

    /// <summary>Merges two chains that are sorted by time.</summary>
    private Transmission? Merge(Transmission? one, Transmission? other)
    {
        Transmission? merged = null;
        Transmission? last = null;
        while (one is not null || other is not null)
        {
            pool.Steps++;
            Transmission next;
            if (other is null || (one is not null && !Transmission.IsAfter(one.SentAt, one.End, other.SentAt, other.End)))
            {
                next = one!;
                one = next.Later;
            }
            else
            {
                next = other;
                other = next.Later;
            }

            if (last is null)
                merged = next;
            else
                last.Later = next;
            last = next;
        }

        if (last is not null)
            last.Later = null;
        return merged;
    }

    /// <summary>Makes a chain the list of entries in flight.</summary>
    private void Relink(Transmission? chain)
    {
        Oldest = chain;
        Transmission? earlier = null;
        for (; chain is not null; chain = chain.Later)
        {
            chain.Earlier = earlier;
            earlier = chain;
        }

        Newest = earlier;
    }

    /// <summary>Removes an entry from the totals of its state.</summary>
    private void Leave(Transmission entry)
    {
        pool.Steps++;
        switch (entry.State)
        {
            case TransmissionState.InFlight:
                if (entry.IsRepeated)
                    RepeatedBytes -= entry.Length;
                Unlink(entry);
                break;
            case TransmissionState.Arrived:
                ArrivedBytes -= entry.Length;
                break;
            case TransmissionState.Lost:
                LostBytes -= entry.Length;
                SequenceTree<Transmission>.Mark(entry, false);
                break;
        }
    }

    /// <param name="earlier">Null: the entry becomes the oldest.</param>
    private void LinkAfter(Transmission? earlier, Transmission entry)
    {
        var later = earlier is null ? Oldest : earlier.Later;
        entry.Earlier = earlier;
        entry.Later = later;
        if (earlier is null)
            Oldest = entry;
        else
            earlier.Later = entry;
        if (later is null)
            Newest = entry;
        else
            later.Earlier = entry;
    }

    private void Unlink(Transmission entry)
    {
        if (entry.Earlier is null)
            Oldest = entry.Later;
        else
            entry.Earlier.Later = entry.Later;
        if (entry.Later is null)
            Newest = entry.Earlier;
        else
            entry.Later.Earlier = entry.Earlier;
        entry.Earlier = null;
        entry.Later = null;
    }
}
