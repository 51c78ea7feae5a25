namespace Tapwire.Stack.Tcp;

/// <summary>
/// How quickly the network takes what is sent (draft-ietf-ccwg-bbr, 4.1): with each transmission the count of delivered bytes is remembered, with its
/// acknowledgement the difference is a sample.
/// </summary>
internal struct DeliveryRate
{
    private Instant _firstSentAt;
    private Instant _deliveredAt;

    /// <summary>While less than this was delivered, samples say what the application sent rather than what the network could take; 0 otherwise.</summary>
    private long _applicationLimitedUntil;

    /// <summary>C.delivered: bytes that have arrived since the connection began.</summary>
    public long Delivered { get; private set; }

    /// <summary>Bytes that have counted as lost since the connection began.</summary>
    public long Lost { get; private set; }

    public readonly bool IsApplicationLimited => _applicationLimitedUntil > 0;

    public void CountLost(int bytes) => Lost += bytes;

    /// <summary>Notes with a transmission what it is to be measured by.</summary>
    /// <param name="pipe">Bytes in flight before it.</param>
    public void Sent(Transmission entry, int pipe, int bytes, Instant now)
    {
        if (pipe == 0)
        {
            _firstSentAt = now;
            _deliveredAt = now;
        }

        entry.FirstSentAt = _firstSentAt;
        entry.DeliveredAt = _deliveredAt;
        entry.Delivered = Delivered;
        entry.Lost = Lost;
        entry.IsApplicationLimited = _applicationLimitedUntil > 0;
        entry.InFlight = pipe + bytes;
    }

    /// <summary>Part of a transmission has arrived; it is taken for the sample if none so far was sent later.</summary>
    public void Arrived(Transmission entry, int bytes, ref AckReport report)
    {
        Delivered += bytes;
        _deliveredAt = report.Now;
        report.Delivered += bytes;
        if (report.HasRate && !Transmission.IsAfter(entry.SentAt, entry.End, report.SentAt, report.SentEnd))
            return;
        report.HasRate = true;
        report.SentAt = entry.SentAt;
        report.SentEnd = entry.End;
        report.PriorDelivered = entry.Delivered;
        report.PriorDeliveredAt = entry.DeliveredAt;
        report.PriorLost = entry.Lost;
        report.InFlightWhenSent = entry.InFlight;
        report.IsApplicationLimited = entry.IsApplicationLimited;
        report.SendElapsed = entry.SentAt - entry.FirstSentAt;
        _firstSentAt = entry.SentAt;
    }

    /// <summary>All arrivals of an acknowledgement have been told: works out the sample.</summary>
    public void Finish(ref AckReport report)
    {
        if (_applicationLimitedUntil > 0 && Delivered > _applicationLimitedUntil)
            _applicationLimitedUntil = 0;
        report.TotalDelivered = Delivered;
        report.TotalLost = Lost;
        if (!report.HasRate)
            return;
        // Of the two the longer: acknowledgements come in clumps, and so do transmissions.
        var ackElapsed = _deliveredAt - report.PriorDeliveredAt;
        report.Interval = report.SendElapsed > ackElapsed ? report.SendElapsed : ackElapsed;
        report.DeliveredInInterval = Delivered - report.PriorDelivered;
    }

    /// <summary>There is nothing to send though there would be room.</summary>
    public void ApplicationHasNothing(int pipe) => _applicationLimitedUntil = Math.Max(1, Delivered + pipe);
}

/// <summary>What one acknowledgement has brought: for congestion control.</summary>
internal struct AckReport
{
    public Instant Now;
    public int SegmentSize;

    /// <summary>FlightSize before it: bytes between SND.UNA and SND.NXT.</summary>
    public int FlightSize;

    /// <summary>Bytes of those that were known to have arrived before it.</summary>
    public int AlreadyArrived;

    /// <summary>Bytes by which SND.UNA has moved.</summary>
    public int Acknowledged;

    /// <summary>Bytes that are known to have arrived now and were not before.</summary>
    public int Delivered;

    /// <summary>Bytes that count as lost now and did not before.</summary>
    public int Lost;

    /// <summary>Bytes in the network after it.</summary>
    public int InFlight;

    /// <summary>Round trip of what was sent last, of all that has arrived; zero: none could be measured.</summary>
    public TimeSpan RoundTrip;

    /// <summary>SRTT.</summary>
    public TimeSpan SmoothedRoundTrip;

    /// <summary>Least round trip of late.</summary>
    public TimeSpan MinRoundTrip;

    /// <summary>The congestion window, not the application or the peer, held the sender back.</summary>
    public bool IsWindowLimited;

    /// <summary>Something that was never sent again, and lay in flight at the last time-out, has arrived.</summary>
    public bool OriginalArrived;

    /// <summary>The peer has received something twice (RFC 2883).</summary>
    public bool HasDuplicate;

    /// <summary>That was a tail loss probe, which says nothing about the order of segments.</summary>
    public bool IsTailLossProbeDuplicate;

    // The delivery rate sample.
    public bool HasRate;
    public bool IsApplicationLimited;
    public Instant SentAt;
    public uint SentEnd;
    public Instant PriorDeliveredAt;
    public long PriorDelivered;
    public long PriorLost;
    public long TotalDelivered;
    public long TotalLost;
    public long DeliveredInInterval;
    public int InFlightWhenSent;
    public TimeSpan SendElapsed;
    public TimeSpan Interval;

    /// <summary>Bytes by which the window may grow at most: those acknowledged now, less what was known to have arrived before. RFC 5681, 3.1, counts one
    /// segment for an acknowledgement that fills a gap; that what lay behind it is acknowledged too says nothing new about the path, and would let a burst
    /// out (as in Linux, tcp_cong_control).</summary>
    public readonly int Growth => Math.Min(Acknowledged, Delivered);

    /// <summary>Bytes per second; 0: there is no sample, or its time is shorter than a round trip can be, as with what was sent needlessly twice.</summary>
    public readonly long DeliveryRate =>
        HasRate && Interval > TimeSpan.Zero && Interval >= MinRoundTrip ? DeliveredInInterval * TimeSpan.TicksPerSecond / Interval.Ticks : 0;
}
