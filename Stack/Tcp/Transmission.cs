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
internal sealed class Transmission
{
    /// <summary>First sequence number, and the one after the last; a FIN counts.</summary>
    public uint Start;
    public uint End;

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

    /// <summary>Was sent while the application, not the network, set the pace.</summary>
    public bool IsApplicationLimited;

    /// <summary>Neighbours in the order of sending; only what is in flight is in that list.</summary>
    public Transmission? Earlier;
    public Transmission? Later;

    public int Length => (int)(End - Start);

    /// <summary>Whether the first of two transmissions was sent after the second: by time, then by sequence number (RFC 8985, 6.2, RACK_sent_after).</summary>
    public static bool IsAfter(Instant sentAt, uint end, Instant otherSentAt, uint otherEnd) =>
        sentAt > otherSentAt || (sentAt == otherSentAt && Seq.Gt(end, otherEnd));
}

/// <summary>Logs and their entries that are not in use, shared by the connections of a layer: what is in flight allocates nothing in the long run.</summary>
internal sealed class TransmissionPool
{
    private const int EntryLimit = 1 << 16;
    private const int LogLimit = 1 << 10;

    private readonly Stack<TransmissionLog> _logs = new();
    private Transmission? _free;
    private int _count;

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
            return new Transmission();
        _free = entry.Later;
        _count--;
        entry.Later = null;
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
