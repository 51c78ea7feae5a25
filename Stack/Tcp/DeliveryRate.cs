namespace Tapwire.Stack.Tcp;

/// <summary>
/// Delivery rate samples (draft-ietf-ccwg-bbr, 4.1). Each transmission remembers the count of delivered bytes; the growth of the count until its
/// acknowledgement is a sample.
/// </summary>
internal struct DeliveryRate
{
    private Instant _firstSentAt;
    private Instant _deliveredAt;

    /// <summary>While fewer bytes than this are delivered, samples show the application's rate rather than the network's; 0: they show the network's.</summary>
    private long _applicationLimitedUntil;

    /// <summary>C.delivered: bytes that have arrived since the connection began.</summary>
    public long Delivered { get; private set; }

    /// <summary>Bytes marked lost since the connection began.</summary>
    public long Lost { get; private set; }

    public readonly bool IsApplicationLimited => _applicationLimitedUntil > 0;

    public void CountLost(int bytes) => Lost += bytes;

    /// <summary>Records in a transmission the state from which it is measured.</summary>
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

    /// <summary>Part of a transmission has arrived. The sample is of the transmission sent last.</summary>
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

    /// <summary>Computes the sample, after all arrivals of an acknowledgement.</summary>
    public void Finish(ref AckReport report)
    {
        if (_applicationLimitedUntil > 0 && Delivered > _applicationLimitedUntil)
            _applicationLimitedUntil = 0;
        report.TotalDelivered = Delivered;
        report.TotalLost = Lost;
        if (!report.HasRate)
            return;
        // The longer of the two intervals counts, because both acknowledgements and transmissions come in clumps.
        var ackElapsed = _deliveredAt - report.PriorDeliveredAt;
        report.Interval = report.SendElapsed > ackElapsed ? report.SendElapsed : ackElapsed;
        report.DeliveredInInterval = Delivered - report.PriorDelivered;
    }

    /// <summary>The application has nothing to send though there is room.</summary>
    public void ApplicationHasNothing(int pipe) => _applicationLimitedUntil = Math.Max(1, Delivered + pipe);
}

/// <summary>The news of one acknowledgement, for congestion control.</summary>
internal struct AckReport
{
    public Instant Now;
    public int SegmentSize;

    /// <summary>FlightSize before the acknowledgement: bytes between SND.UNA and SND.NXT.</summary>
    public int FlightSize;

    /// <summary>Bytes of <see cref="FlightSize"/> that were known to have arrived before.</summary>
    public int AlreadyArrived;

    /// <summary>Bytes by which SND.UNA has moved.</summary>
    public int Acknowledged;

    /// <summary>Bytes newly known to have arrived.</summary>
    public int Delivered;

    /// <summary>Bytes newly marked lost.</summary>
    public int Lost;

    /// <summary>Bytes in flight after the acknowledgement.</summary>
    public int InFlight;

    /// <summary>Round trip of the transmission sent last, of all that arrived; zero: none could be measured.</summary>
    public TimeSpan RoundTrip;

    /// <summary>SRTT.</summary>
    public TimeSpan SmoothedRoundTrip;

    /// <summary>Recent least round trip.</summary>
    public TimeSpan MinRoundTrip;

    /// <summary>The congestion window, not the application or the peer, limited the sender.</summary>
    public bool IsWindowLimited;

    /// <summary>Data in flight at the last time-out has arrived without having been sent again.</summary>
    public bool OriginalArrived;

    /// <summary>The peer has reported a duplicate (RFC 2883).</summary>
    public bool HasDuplicate;

    /// <summary>The duplicate was a tail loss probe, which says nothing about reordering.</summary>
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

    /// <summary>Most bytes by which the window may grow: those acknowledged now, less those known to have arrived before. RFC 5681, 3.1, counts one segment for
    /// an acknowledgement that fills a gap. The data behind the gap that it acknowledges says nothing new about the path, and would let a burst out (as in
    /// Linux, tcp_cong_control).</summary>
    public readonly int Growth => Math.Min(Acknowledged, Delivered);

    /// <summary>Bytes per second; 0 without a sample, or if its interval is shorter than a round trip can be, as after a needless retransmission.</summary>
    public readonly long DeliveryRate =>
        HasRate && Interval > TimeSpan.Zero && Interval >= MinRoundTrip ? DeliveredInInterval * TimeSpan.TicksPerSecond / Interval.Ticks : 0;
}
