namespace Tapwire.Stack.Tcp;

/// <summary>The state of bytes that were sent.</summary>
internal enum TransmissionState : byte
{
    /// <summary>In the network, as far as is known.</summary>
    InFlight,

    /// <summary>Reported as arrived (RFC 2018), but not acknowledged yet.</summary>
    Arrived,

    /// <summary>Marked lost and not sent again since.</summary>
    Lost,
}

/// <summary>
/// Contiguous bytes that were last sent at the same time, with what is needed to detect their loss (RFC 8985) and to measure the delivery rate
/// (draft-ietf-ccwg-bbr, 4.1.1, which calls the variables C.delivered, C.delivered_time and so on).
/// </summary>
internal sealed class Transmission : SequenceNode<Transmission>
{
    /// <summary>A <see cref="SegmentSize"/> for an entry without known segment bounds.</summary>
    public const uint Undivided = 1 << 30;

    /// <summary>The sequence number after the last byte, or after the FIN.</summary>
    public uint End;

    /// <summary>The sequence number from which segments are counted, at or below <see cref="SequenceNode{T}.Start"/>.</summary>
    public uint Origin;

    /// <summary>Distance of segment bounds, counted from <see cref="Origin"/>, at least 1; the last segment may be shorter.</summary>
    public uint SegmentSize;

    /// <summary>The last sequence number is the FIN's, which receivers need not report together with the bytes before it.</summary>
    public bool HasFin;

    public Instant SentAt;

    /// <summary>Start of the flight that it belongs to: the send time of the data that was acknowledged last when this was sent.</summary>
    public Instant FirstSentAt;

    /// <summary>The connection's delivered bytes at the time of sending, and when that count had last changed.</summary>
    public long Delivered;
    public Instant DeliveredAt;

    /// <summary>The connection's lost bytes at the time of sending.</summary>
    public long Lost;

    /// <summary>Bytes in flight after the sending.</summary>
    public int InFlight;

    public TransmissionState State;

    /// <summary>It was sent more than once.</summary>
    public bool IsRepeated;

    /// <summary>It is a path MTU probe: one segment, larger than others (RFC 4821).</summary>
    public bool IsMtuProbe;

    /// <summary>The application, not the network, limited the pace at the time of sending.</summary>
    public bool IsApplicationLimited;

    /// <summary>Neighbours in the order of sending, in a list of entries in flight only.</summary>
    public Transmission? Earlier;
    public Transmission? Later;

    public int Length => (int)(End - Start);

    /// <summary>The first segment bound of the entry at or after a sequence number.</summary>
    public uint BoundFrom(uint sequence)
    {
        if (Seq.Le(sequence, Start))
            return Start;
        var rest = (sequence - Origin) % SegmentSize;
        var bound = rest == 0 ? sequence : sequence + (SegmentSize - rest);
        var fin = HasFin && Seq.Lt(sequence, End) ? End - 1 : End;
        return Seq.Min(bound, fin);
    }

    /// <summary>The last segment bound of the entry at or before a sequence number.</summary>
    public uint BoundTo(uint sequence)
    {
        if (Seq.Ge(sequence, End))
            return End;
        if (HasFin && sequence == End - 1)
            return sequence;
        return Seq.Max(sequence - ((sequence - Origin) % SegmentSize), Start);
    }

    /// <summary>The first of two transmissions was sent after the second: by time, then by sequence number (RFC 8985, 6.2, RACK_sent_after).</summary>
    public static bool IsAfter(Instant sentAt, uint end, Instant otherSentAt, uint otherEnd) =>
        sentAt > otherSentAt || (sentAt == otherSentAt && Seq.Gt(end, otherEnd));
}

/// <summary>Unused logs and entries, shared by the connections of a layer, so that data in flight allocates nothing in the long run.</summary>
/// <param name="seed">Must not be guessable: see <see cref="TreePriorities"/>.</param>
internal sealed class TransmissionPool(ulong seed)
{
    private const int EntryLimit = 1 << 16;
    private const int LogLimit = 1 << 10;

    private readonly Stack<TransmissionLog> _logs = new();
    private TreePriorities _priorities = new(seed);
    private Transmission? _free;
    private int _count;

    /// <summary>Entries visited or changed, over all logs: specs count them in place of time.</summary>
    public long Steps { get; set; }

    public TransmissionLog RentLog() => _logs.TryPop(out var log) ? log : new TransmissionLog(this);

    /// <summary>Takes back a log with its entries.</summary>
    public void Return(TransmissionLog log)
    {
        log.Clear();
        if (_logs.Count < LogLimit)
            _logs.Push(log);
    }

    public Transmission Rent()
    {
        var entry = _free;
        if (entry is null)
        {
            entry = new Transmission();
        }
        else
        {
            _free = entry.Later;
            _count--;
            entry.Later = null;
        }

        entry.Priority = _priorities.Next();
        return entry;
    }

    public void Return(Transmission entry)
    {
        if (_count == EntryLimit)
            return;
        entry.Later = _free;
        entry.Earlier = null;
        _free = entry;
        _count++;
    }
}
