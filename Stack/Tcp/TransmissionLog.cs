namespace Tapwire.Stack.Tcp;

/// <summary>
/// All bytes between SND.UNA and SND.NXT, as entries in two orders: by sequence number, in a ring that is searched by halves, and by the time of
/// sending, so that what is lost is found at the front without a walk. What is sent in one turn is one entry until reports tell its parts apart, and what
/// has arrived side by side is one entry again: their number is that of batches and gaps, not of segments. A connection has a log only while something is
/// in flight.
/// </summary>
internal sealed class TransmissionLog(TransmissionPool pool)
{
    /// <summary>Bytes that one entry may cover when it is extended: one super-frame.</summary>
    private const int MaxLength = 1 << 16;

    /// <summary>With more entries, reports that would divide one further are not heard.</summary>
    private const int MaxEntries = 1 << 15;

    /// <summary>With more entries, what is sent is added to the last one even if that was sent earlier: an application that sends single bytes by the
    /// thousand loses precision, not memory.</summary>
    private const int CrowdedEntries = 1 << 12;

    private const int LeastCapacity = 16;
    private const int CapacityKept = 256;

    private Transmission[] _ring = new Transmission[LeastCapacity];
    private int _head;

    public int Count { get; private set; }

    /// <summary>Bytes that have been reported as arrived.</summary>
    public int ArrivedBytes { get; private set; }

    /// <summary>Bytes that count as lost and have not been sent again.</summary>
    public int LostBytes { get; private set; }

    /// <summary>Bytes that are in flight after having been sent again.</summary>
    public int RepeatedBytes { get; private set; }

    /// <summary>What has been in flight longest.</summary>
    public Transmission? Oldest { get; private set; }

    /// <summary>What was sent last, and is in flight.</summary>
    public Transmission? Newest { get; private set; }

    public Transmission First => this[0];

    public Transmission Last => this[Count - 1];

    public Transmission this[int index] => _ring[(_head + index) & (_ring.Length - 1)];

    /// <summary>Whether bytes sent now belong to the last entry.</summary>
    public bool CanExtend(uint start, Instant now, int length)
    {
        if (Count == 0)
            return false;
        var last = Last;
        return last == Newest && !last.IsRepeated && !last.IsProbe && last.End == start && (last.SentAt == now || Count >= CrowdedEntries) && last.Length + length <= MaxLength;
    }

    /// <summary>New data has been sent.</summary>
    public Transmission Append(uint start, uint end, Instant now)
    {
        var entry = pool.Rent();
        entry.Start = start;
        entry.End = end;
        entry.SentAt = now;
        entry.State = TransmissionState.InFlight;
        entry.IsRepeated = false;
        entry.IsProbe = false;
        InsertAt(Count, entry);
        LinkNewest(entry);
        return entry;
    }

    /// <summary>The index of the entry that contains a sequence number, which must be within the log.</summary>
    public int IndexOf(uint sequence)
    {
        var low = 0;
        var high = Count - 1;
        while (low < high)
        {
            var middle = (low + high + 1) / 2;
            if (Seq.Le(this[middle].Start, sequence))
                low = middle;
            else
                high = middle - 1;
        }

        return low;
    }

    /// <summary>Divides an entry; the second part follows the first in both orders.</summary>
    /// <param name="isForSending">A part is about to be sent again: that is never refused, for it makes no more entries than there are segments.</param>
    /// <returns>False if there are too many entries already.</returns>
    public bool TrySplit(int index, uint at, bool isForSending = false)
    {
        if (Count >= MaxEntries && !isForSending)
            return false;
        var first = this[index];
        var second = pool.Rent();
        second.Start = at;
        second.End = first.End;
        second.SentAt = first.SentAt;
        second.FirstSentAt = first.FirstSentAt;
        second.Delivered = first.Delivered;
        second.DeliveredAt = first.DeliveredAt;
        second.Lost = first.Lost;
        second.InFlight = first.InFlight;
        second.State = first.State;
        second.IsRepeated = first.IsRepeated;
        second.IsApplicationLimited = first.IsApplicationLimited;
        second.IsProbe = false;
        first.End = at;
        InsertAt(index + 1, second);
        if (first.State == TransmissionState.InFlight)
            LinkAfter(first, second);
        return true;
    }

    /// <summary>An entry has arrived. It is joined with neighbours that have.</summary>
    /// <returns>The index of the entry that it is part of now.</returns>
    public int MarkArrived(int index)
    {
        var entry = this[index];
        Leave(entry);
        entry.State = TransmissionState.Arrived;
        ArrivedBytes += entry.Length;
        if (index + 1 < Count && this[index + 1].State == TransmissionState.Arrived)
        {
            entry.End = this[index + 1].End;
            RemoveAt(index + 1);
        }

        if (index == 0 || this[index - 1].State != TransmissionState.Arrived)
            return index;
        this[index - 1].End = entry.End;
        RemoveAt(index);
        return index - 1;
    }

    public void MarkLost(Transmission entry)
    {
        Leave(entry);
        entry.State = TransmissionState.Lost;
        LostBytes += entry.Length;
    }

    /// <summary>What was lost, or seemed to be in flight, is sent once more.</summary>
    public void MarkSent(Transmission entry, Instant now)
    {
        Leave(entry);
        entry.State = TransmissionState.InFlight;
        entry.IsRepeated = true;
        entry.SentAt = now;
        RepeatedBytes += entry.Length;
        LinkNewest(entry);
    }

    /// <summary>What counted as lost was not: it is in flight, and was sent when it was sent.</summary>
    public void ForgetLosses()
    {
        for (var i = 0; i < Count && LostBytes > 0; i++)
        {
            if (this[i].State == TransmissionState.Lost)
                Revive(this[i]);
        }
    }

    /// <summary>The peer has let go of what it had reported (RFC 2018, 8).</summary>
    public void ForgetArrivals()
    {
        for (var i = 0; i < Count && ArrivedBytes > 0; i++)
        {
            if (this[i].State == TransmissionState.Arrived)
                Revive(this[i]);
        }
    }

    /// <summary>Removes the first entry: it is acknowledged.</summary>
    public void RemoveFirst()
    {
        Leave(First);
        RemoveAt(0);
    }

    /// <summary>Bytes at the front of the first entry are acknowledged.</summary>
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
        while (Count > 0)
        {
            pool.Return(this[--Count]);
            this.SlotOf(Count) = null!;
        }

        _head = 0;
        Oldest = null;
        Newest = null;
        ArrivedBytes = 0;
        LostBytes = 0;
        RepeatedBytes = 0;
        if (_ring.Length > CapacityKept)
            _ring = new Transmission[LeastCapacity];
    }

    private ref Transmission SlotOf(int index) => ref _ring[(_head + index) & (_ring.Length - 1)];

    private void Revive(Transmission entry)
    {
        Leave(entry);
        entry.State = TransmissionState.InFlight;
        if (entry.IsRepeated)
            RepeatedBytes += entry.Length;
        // In its place by time: from the end, where most that follows was sent.
        var after = Newest;
        while (after is not null && Transmission.IsAfter(after.SentAt, after.End, entry.SentAt, entry.End))
            after = after.Earlier;
        LinkAfter(after, entry);
    }

    /// <summary>Takes an entry out of the account of its state.</summary>
    private void Leave(Transmission entry)
    {
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
                break;
        }
    }

    private void LinkNewest(Transmission entry) => LinkAfter(Newest, entry);

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

    /// <summary>Makes room in the ring by moving the shorter side.</summary>
    private void InsertAt(int index, Transmission entry)
    {
        if (Count == _ring.Length)
            Grow();
        if (index < Count - index)
        {
            _head = (_head - 1) & (_ring.Length - 1);
            for (var i = 0; i < index; i++)
                SlotOf(i) = SlotOf(i + 1);
        }
        else
        {
            for (var i = Count; i > index; i--)
                SlotOf(i) = SlotOf(i - 1);
        }

        SlotOf(index) = entry;
        Count++;
    }

    private void RemoveAt(int index)
    {
        pool.Return(this[index]);
        if (index < Count - 1 - index)
        {
            for (var i = index; i > 0; i--)
                SlotOf(i) = SlotOf(i - 1);
            SlotOf(0) = null!;
            _head = (_head + 1) & (_ring.Length - 1);
        }
        else
        {
            for (var i = index; i < Count - 1; i++)
                SlotOf(i) = SlotOf(i + 1);
            SlotOf(Count - 1) = null!;
        }

        Count--;
    }

    private void Grow()
    {
        var larger = new Transmission[_ring.Length * 2];
        for (var i = 0; i < Count; i++)
            larger[i] = this[i];
        _ring = larger;
        _head = 0;
    }
}
