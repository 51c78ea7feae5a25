using System.Runtime.InteropServices;

namespace Tapwire.Stack.Tcp.Connection;

/// <summary>
/// When an acknowledgement is due (RFC 9293, 3.8.6.3; RFC 5681, 4.2): at once, or delayed within a time, and at least for every second full-sized segment.
/// </summary>
[StructLayout(LayoutKind.Auto)]
internal struct AcknowledgmentSchedule
{
    /// <summary>So many acknowledgements are not delayed at the start, while the peer is in slow start (TCP_MAX_QUICKACKS).</summary>
    private const int MaxQuickAcks = 16;

    /// <summary>So many segments of a batch share an acknowledgement, about as many as in Linux under such a load.</summary>
    private const int SegmentsPerAck = 4;

    /// <summary>Beyond this many at a time and one per <see cref="EarlyAckInterval"/>, one acknowledgement answers the rest of a batch: on a fast flow
    /// there are batches enough.</summary>
    private const int EarlyAckBurst = 16;

    /// <summary>Duplicate acknowledgements that are owed at most: as many as begin a fast retransmit (RFC 5681, 3.2).</summary>
    private const int MaxDuplicates = 3;

    private static readonly TimeSpan EarlyAckInterval = TimeSpan.FromMicroseconds(200);

    private Instant _lastDataAt;

    /// <summary>When the allowance of early acknowledgements is whole again.</summary>
    private Instant _earlyAcksWholeAt;
    private byte _quickAcks;

    /// <summary>Segments since the last acknowledgement, up to <see cref="SegmentsPerAck"/>.</summary>
    private byte _unanswered;

    /// <summary>Further acknowledgements owed to a peer without SACK, for whom each one counts (RFC 5681, 3.2).</summary>
    private byte _duplicatesOwed;

    /// <summary>The application answers what it receives: an acknowledgement is worth waiting with, for data will take it along.</summary>
    private bool _isInteractive;

    public AcknowledgmentSchedule()
    {
        DelayedUntil = Instant.Never;
        _lastDataAt = new Instant(long.MinValue / 2);
    }

    /// <summary>An acknowledgement is due at once.</summary>
    public bool IsDue { get; private set; }

    /// <summary>When a delayed acknowledgement is due; Never: none is.</summary>
    public Instant DelayedUntil { get; private set; }

    /// <summary>When data last arrived in order.</summary>
    public readonly Instant LastDataAt => _lastDataAt;

    /// <summary>The peer begins in slow start, for the connection is new, or after a pause (RFC 5681, 4.1).</summary>
    public void BeginQuick() => _quickAcks = MaxQuickAcks;

    public void Demand() => IsDue = true;

    /// <summary>A segment has arrived ahead of a gap: RFC 5681, 4.2, has it acknowledged at once; a peer without SACK counts the duplicates.</summary>
    public void AheadArrived(bool selectiveAck)
    {
        if (!selectiveAck && IsDue && _duplicatesOwed < MaxDuplicates)
            _duplicatesOwed++;
        IsDue = true;
    }

    /// <summary>Data has arrived in order.</summary>
    /// <param name="pending">Bytes since the last acknowledgement.</param>
    /// <param name="isWindowNarrow">The peer can hardly send more within the window it knows, and a wider one could be announced.</param>
    public void DataArrived(int pending, int segmentSize, bool isWindowNarrow, TimeSpan delay, Instant now)
    {
        _lastDataAt = now;
        if (pending > segmentSize || (_quickAcks > 0 && !_isInteractive) || isWindowNarrow)
            IsDue = true;
        else if (DelayedUntil == Instant.Never)
            DelayedUntil = now + delay;
    }

    /// <summary>Counts a segment that the next acknowledgement will answer.</summary>
    public void Count()
    {
        if (_unanswered < SegmentsPerAck)
            _unanswered++;
    }

    /// <summary>
    /// Says whether an acknowledgement that is due must leave before more of the same batch is taken. A window often arrives as one batch, for the window before was
    /// acknowledged at once; if one acknowledgement answers it all and is lost, nothing keeps the sender going until its timer fires.
    /// </summary>
    public bool TakeEarly(Instant now)
    {
        if (!IsDue || _unanswered < SegmentsPerAck || _earlyAcksWholeAt - now > EarlyAckInterval * (EarlyAckBurst - 1))
            return false;
        _earlyAcksWholeAt = Instant.Max(_earlyAcksWholeAt, now) + EarlyAckInterval;
        return true;
    }

    /// <summary>The delay of an acknowledgement may be over: no data has taken it along.</summary>
    /// <returns>True if it is.</returns>
    public bool DelayIsOver(Instant now)
    {
        if (DelayedUntil > now)
            return false;
        _isInteractive = false;
        IsDue = true;
        return true;
    }

    /// <summary>A segment leaves, and acknowledges all that has arrived.</summary>
    public void Sent()
    {
        DelayedUntil = Instant.Never;
        _unanswered = 0;
        if (_quickAcks > 0)
            _quickAcks--;
        IsDue = _duplicatesOwed > 0;
        if (IsDue)
            _duplicatesOwed--;
    }

    /// <summary>New data leaves. If it follows what has arrived within the delay, it is taken for the answer.</summary>
    public void DataSent(TimeSpan delay, Instant now) => _isInteractive |= now - _lastDataAt < delay;
}
