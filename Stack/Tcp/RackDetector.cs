namespace Tapwire.Stack.Tcp;

/// <summary>
/// Detects losses by time (RFC 8985): a transmission is lost if something sent sufficiently later has arrived. Names are the RFC's, without "RACK.".
/// </summary>
internal struct RackDetector
{
    /// <summary>Number of recoveries for which a widened window is kept (RFC 8985, 6.2, step 4).</summary>
    private const byte Persistence = 16;

    private Instant _sentAt;
    private uint _end;
    private uint _duplicateRound;
    private byte _multiplier;
    private byte _persist;
    private bool _hasDuplicateRound;
    private bool _hasDelivered;

    /// <summary>RACK.rtt.</summary>
    private TimeSpan _roundTrip;

    /// <summary>RACK.fack: the highest sequence number that has arrived.</summary>
    public uint Forward { get; private set; }

    /// <summary>The path has been seen to reorder.</summary>
    public bool IsReordering { get; private set; }

    /// <summary>The next flight must know what this one has learnt of the path.</summary>
    public readonly bool HasLearnt => IsReordering;

    public void Begin(uint sequence) => Forward = sequence;

    /// <summary>Steps 2 and 3: something has arrived.</summary>
    /// <param name="isAmbiguous">The transmission was repeated, and the first copy may have arrived.</param>
    public void Arrived(Transmission entry, uint end, bool isAmbiguous, Instant now)
    {
        if (Seq.Gt(end, Forward))
            Forward = end;
        else if (Seq.Lt(end, Forward) && !entry.IsRepeated)
            IsReordering = true;
        if (isAmbiguous)
            return;
        _roundTrip = now - entry.SentAt;
        if (_hasDelivered && !Transmission.IsAfter(entry.SentAt, end, _sentAt, _end))
            return;
        _hasDelivered = true;
        _sentAt = entry.SentAt;
        _end = end;
    }

    /// <summary>Step 4: everything in flight at the last duplicate report is acknowledged, so the next report counts.</summary>
    public void Acknowledged(uint sndUna) => _hasDuplicateRound &= Seq.Lt(sndUna, _duplicateRound);

    /// <summary>Step 4: a reported duplicate shows that the window was too short. Counts at most once per round trip.</summary>
    public void DuplicateReported(uint sndUna, uint sndNxt)
    {
        IsReordering = true;
        Acknowledged(sndUna);
        if (_hasDuplicateRound)
            return;
        _hasDuplicateRound = true;
        _duplicateRound = sndNxt;
        _multiplier = (byte)Math.Min(_multiplier + 1, byte.MaxValue);
        _persist = Persistence;
    }

    public void RecoveryEnded()
    {
        if (_persist > 0 && --_persist == 0)
            _multiplier = 0;
    }

    /// <summary>The reordering window: how much later than its successor a segment may arrive (step 4).</summary>
    /// <param name="isCertain">Three segments have arrived behind a gap, or a recovery is in progress. Without known reordering that is proof of loss.</param>
    public readonly TimeSpan ReorderingWindow(TimeSpan minRoundTrip, TimeSpan smoothed, bool isCertain)
    {
        if (!IsReordering && isCertain)
            return TimeSpan.Zero;
        var window = (1 + _multiplier) * (minRoundTrip / 4);
        return window < smoothed ? window : smoothed;
    }

    /// <summary>Step 5, for the oldest transmission in flight.</summary>
    /// <returns>When it counts as lost; <see cref="Instant.Never"/> if nothing sent later has arrived.</returns>
    public readonly Instant LostAt(Transmission oldest, TimeSpan window) =>
        _hasDelivered && Transmission.IsAfter(_sentAt, _end, oldest.SentAt, oldest.End) ? oldest.SentAt + _roundTrip + window : Instant.Never;
}
