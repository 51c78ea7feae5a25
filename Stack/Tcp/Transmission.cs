namespace Tapwire.Stack.Tcp;

/// <summary>What has become of bytes that were sent.</summary>
internal enum TransmissionState : byte
{
    /// <summary>In the network, as far as is known.</summary>
    InFlight,

    /// <summary>Reported as arrived (RFC 2018), though not acknowledged yet.</summary>
    Arrived,

    /// <summary>Counts as lost and has not been sent again since.</summary>
    Lost,
}

/// <summary>
/// Bytes that lie together and were last sent at the same time: what must be known of them to tell when they are lost (RFC 8985) and how quickly
/// they were delivered (draft-ietf-ccwg-bbr, 4.1.1). The names of the latter's variables are C.delivered, C.delivered_time and so on there.
/// </summary>
internal sealed class Transmission : SequenceNode<Transmission>
{
    /// <summary>A <see cref="SegmentSize"/> that says: no bound within is known.</summary>
    public const uint Undivided = 1 << 30;

    /// <summary>The sequence number after the last; a FIN counts.</summary>
    public uint End;

    /// <summary>Where its segments are counted from: at or below <see cref="SequenceNode{T}.Start"/>.</summary>
    public uint Origin;

    /// <summary>A segment ends after every so many bytes from <see cref="Origin"/> on, 1 and more, and at the end.</summary>
    public uint SegmentSize;

    /// <summary>Its last number is the FIN's, which receivers need not report with the bytes before it.</summary>
    public bool HasFin;

    public Instant SentAt;

    /// <summary>When the flight began of which this was part: the send time of what had been acknowledged last when this was sent.</summary>
    public Instant FirstSentAt;

    /// <summary>The connection's delivered bytes when this was sent, and when that count had last changed.</summary>
    public long Delivered;
    public Instant DeliveredAt;

    /// <summary>The connection's lost bytes when this was sent.</summary>
    public long Lost;

    /// <summary>Bytes in flight once this had been sent.</summary>
    public int InFlight;

    public TransmissionState State;

    /// <summary>Has been sent more than once.</summary>
    public bool IsRepeated;

    /// <summary>One segment, larger than others, that finds out what the path takes (RFC 4821).</summary>
    public bool IsMtuProbe;

    /// <summary>Was sent while the application, not the network, set the pace.</summary>
    public bool IsApplicationLimited;

    /// <summary>Neighbours in the order of sending; only what is in flight is in that list.</summary>
    public Transmission? Earlier;
    public Transmission? Later;

    public int Length => (int)(End - Start);

    /// <summary>The first bound of a segment at or after a sequence number, within this.</summary>
    public uint BoundFrom(uint sequence)
    {
        if (Seq.Le(sequence, Start))
            return Start;
        var rest = (sequence - Origin) % SegmentSize;
        var bound = rest == 0 ? sequence : sequence + (SegmentSize - rest);
        var fin = HasFin && Seq.Lt(sequence, End) ? End - 1 : End;
        return Seq.Min(bound, fin);
    }

    /// <summary>The last bound of a segment at or before a sequence number, within this.</summary>
    public uint BoundTo(uint sequence)
    {
        if (Seq.Ge(sequence, End))
            return End;
        if (HasFin && sequence == End - 1)
            return sequence;
        return Seq.Max(sequence - ((sequence - Origin) % SegmentSize), Start);
    }

    /// <summary>Whether the first of two transmissions was sent after the second: by time, then by sequence number (RFC 8985, 6.2, RACK_sent_after).</summary>
    public static bool IsAfter(Instant sentAt, uint end, Instant otherSentAt, uint otherEnd) =>
        sentAt > otherSentAt || (sentAt == otherSentAt && Seq.Gt(end, otherEnd));
}

/// <summary>Logs and their entries that are not in use, shared by the connections of a layer: what is in flight allocates nothing in the long run.</summary>
/// <param name="seed">Not to be guessed: see <see cref="TreePriorities"/>.</param>
internal sealed class TransmissionPool(ulong seed)
{
    private const int EntryLimit = 1 << 16;
    private const int LogLimit = 1 << 10;

    private readonly Stack<TransmissionLog> _logs = new();
    private TreePriorities _priorities = new(seed);
    private Transmission? _free;
    private int _count;

    /// <summary>Entries that all logs have looked at or changed: what specs count where others would measure time.</summary>
    public long Steps { get; set; }

    public TransmissionLog RentLog() => _logs.TryPop(out var log) ? log : new TransmissionLog(this);

    /// <summary>Takes back a log with whatever is in it.</summary>
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
