using System.Runtime.InteropServices;

namespace Tapwire.Stack.Tcp.Connection;

/// <summary>
/// Schedules acknowledgements (RFC 9293, 3.8.6.3; RFC 5681, 4.2): at once, or after a bounded delay, and at least for every second full-sized segment.
/// </summary>
[StructLayout(LayoutKind.Auto)]
internal struct AcknowledgmentSchedule
{
    /// <summary>Number of first acknowledgements that are not delayed, while the peer is in slow start (TCP_MAX_QUICKACKS).</summary>
    private const int MaxQuickAcks = 16;

    /// <summary>Segments of a batch that share an acknowledgement, about as many as in Linux under such a load.</summary>
    private const int SegmentsPerAck = 4;

    /// <summary>Burst of early acknowledgements, with one more per <see cref="EarlyAckInterval"/>. Beyond it, one acknowledgement answers the rest of a batch:
    /// on a fast flow there are enough batches.</summary>
    private const int EarlyAckBurst = 16;

    /// <summary>Most duplicate acknowledgements owed: the number that begins a fast retransmit (RFC 5681, 3.2).</summary>
    private const int MaxDuplicates = 3;

    private static readonly TimeSpan EarlyAckInterval = TimeSpan.FromMicroseconds(200);

    private Instant _lastDataAt;

    /// <summary>When the full burst of early acknowledgements is available again.</summary>
    private Instant _earlyAcksWholeAt;
    private byte _quickAcks;

    /// <summary>Segments since the last acknowledgement, up to <see cref="SegmentsPerAck"/>.</summary>
    private byte _unanswered;

    /// <summary>Further acknowledgements owed to a peer without SACK, which counts each one (RFC 5681, 3.2).</summary>
    private byte _duplicatesOwed;

    /// <summary>The application answers what it receives, so delaying an acknowledgement pays: data will carry it.</summary>
    private bool _isInteractive;

    public AcknowledgmentSchedule()
    {
        DelayedUntil = Instant.Never;
        _lastDataAt = new Instant(long.MinValue / 2);
    }

    /// <summary>An acknowledgement is due at once.</summary>
    public bool IsDue { get; private set; }

    /// <summary>When a delayed acknowledgement is due; Never without one.</summary>
    public Instant DelayedUntil { get; private set; }

    /// <summary>When data last arrived in order.</summary>
    public readonly Instant LastDataAt => _lastDataAt;

    /// <summary>The peer begins in slow start, because the connection is new, or after a pause (RFC 5681, 4.1).</summary>
    public void BeginQuick() => _quickAcks = MaxQuickAcks;

    /// <summary>The application is not taken to answer what it receives.</summary>
    public readonly bool IsQuick => !_isInteractive;

    /// <summary>TCP_QUICKACK as in Linux (__tcp_sock_set_quickack): not a lasting mode, since the application's next answer changes it.</summary>
    /// <param name="value">0: wait for data. Odd: an acknowledgement that waits leaves now. Even: that, and then wait again.</param>
    /// <returns>True if an acknowledgement is due.</returns>
    public bool SetQuick(int value)
    {
        _isInteractive = (value & 1) == 0;
        IsDue |= value != 0 && DelayedUntil != Instant.Never;
        return IsDue;
    }

    public void Demand() => IsDue = true;

    /// <summary>A segment has arrived ahead of a gap. RFC 5681, 4.2, requires an acknowledgement at once; a peer without SACK counts the duplicates.</summary>
    public void AheadArrived(bool selectiveAck)
    {
        if (!selectiveAck && IsDue && _duplicatesOwed < MaxDuplicates)
            _duplicatesOwed++;
        IsDue = true;
    }

    /// <summary>Data has arrived in order.</summary>
    /// <param name="pending">Bytes since the last acknowledgement.</param>
    /// <param name="isWindowNarrow">The peer can hardly send more within the announced window, and a wider one could be announced.</param>
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
    /// Says whether a due acknowledgement must leave before more of the same batch is taken. A window often arrives as one batch, because the window before it
    /// was acknowledged at once. If one acknowledgement answered the whole batch and were lost, the sender would stop until its timer fires.
    /// </summary>
    public bool TakeEarly(Instant now)
    {
        if (!IsDue || _unanswered < SegmentsPerAck || _earlyAcksWholeAt - now > EarlyAckInterval * (EarlyAckBurst - 1))
            return false;
        _earlyAcksWholeAt = Instant.Max(_earlyAcksWholeAt, now) + EarlyAckInterval;
        return true;
    }

    /// <summary>Checks whether the delay of an acknowledgement is over: no data has carried it.</summary>
    /// <returns>True if it is.</returns>
    public bool DelayIsOver(Instant now)
    {
        if (DelayedUntil > now)
            return false;
        _isInteractive = false;
        IsDue = true;
        return true;
    }

    /// <summary>A segment leaves, which acknowledges everything that has arrived.</summary>
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

    /// <summary>New data leaves. It counts as the application's answer if it follows received data within the delay.</summary>
    public void DataSent(TimeSpan delay, Instant now) => _isInteractive |= now - _lastDataAt < delay;
}
