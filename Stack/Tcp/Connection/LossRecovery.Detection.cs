namespace Tapwire.Stack.Tcp.Connection;

/// <content>Loss detection: by time (RFC 8985); without SACK by duplicate acknowledgements (RFC 5681, RFC 6582); by the timer.</content>
internal sealed partial class LossRecovery
{
    private const int DuplicateThreshold = 3;

    private RackDetector _rack;
    private byte _duplicateAcks;

    /// <summary>Only a path MTU probe is lost, which is no sign of congestion (RFC 4821, 7.5).</summary>
    private bool _onlyMtuProbeLost;

    /// <summary>Bytes that duplicate acknowledgements stand for; without SACK only.</summary>
    public int RenoBytes { get; private set; }

    /// <summary>When the oldest transmission counts as lost if nothing is heard of it (RFC 8985, 6.3); Never: none is suspected.</summary>
    public Instant ReorderingTimeoutAt { get; private set; } = Instant.Never;

    /// <summary>The path has been seen to reorder.</summary>
    public bool IsReorderingSeen => _rack.IsReordering;

    /// <summary>New data is acknowledged.</summary>
    public void Advanced(uint ack, ref AckReport report)
    {
        // What duplicates have stood for is delivered already (RFC 9937, 6, DeliveredData without SACK).
        report.Delivered -= Math.Min(RenoBytes, Math.Max(0, report.Delivered - Sender.SegmentSize));
        _duplicateAcks = 0;
        _rack.Acknowledged(ack);
    }

    /// <summary>Part of a transmission has arrived, up to <paramref name="end"/> (RFC 8985, 6.2, steps 1 to 3).</summary>
    public void Arrived(Transmission entry, uint end, bool isAmbiguous, Instant now) => _rack.Arrived(entry, end, isAmbiguous, now);

    /// <summary>The last time-out has marked bytes lost that end here.</summary>
    public bool WasTimedOut(uint end) => State == LossState.Loss && Seq.Le(end, _recover);

    /// <summary>The peer has reported a duplicate: the path reorders by more than the reordering window (RFC 8985, 6.2, step 4).</summary>
    public void DuplicateReported() => _rack.DuplicateReported(Sender.SndUna, Sender.SndNxt);

    public void StopReorderingTimer() => ReorderingTimeoutAt = Instant.Never;

    /// <summary>An acknowledgement has come that acknowledges no new data.</summary>
    public void DuplicateArrived(ref AckReport report)
    {
        if (_duplicateAcks < byte.MaxValue)
            _duplicateAcks++;
        if (Sender.Connection.UsesSelectiveAck)
            return;
        if (State == LossState.Loss)
        {
            // After a time-out a duplicate means something only once new data has been sent: that has arrived, and nothing of the old (RFC 5682, 2.1, step 3a).
            state.Undo.StopVerification();
            if (Seq.Le(Sender.SndNxt, _recover))
                return;
        }

        // Without SACK each duplicate stands for one segment that has arrived.
        var bytes = Math.Min(Sender.SegmentSize, Sender.Pipe);
        RenoBytes += bytes;
        report.Delivered += bytes;
    }

    /// <summary>The oldest transmission's reordering window is over (RFC 8985, 6.3).</summary>
    public void ReorderingTimedOut(Instant now)
    {
        ReorderingTimeoutAt = Instant.Never;
        var report = new AckReport { Now = now, SegmentSize = Sender.SegmentSize, FlightSize = Sender.Flight, AlreadyArrived = Sender.AlreadyArrived };
        DetectLoss(ref report);
        if (State >= LossState.Recovery || Log is not { LostBytes: > 0 })
            return;
        Enter(report);
        // As in Linux (tcp_rack_reo_timeout), one segment counts as delivered, because no acknowledgement has come to pace retransmissions.
        if (_isReducing)
            _rateReduction.Acknowledged(Sender.SegmentSize, Sender.Pipe, state.Congestion.SlowStartThreshold, Sender.SegmentSize, isSafe: false);
    }

    /// <summary>Marks transmissions lost that were sent long enough before one that has arrived (RFC 8985, 6.2, step 5), and sets the time of the next
    /// check.</summary>
    private void DetectLoss(ref AckReport report)
    {
        ReorderingTimeoutAt = Instant.Never;
        if (Log is null || !(report.HasDuplicate || Log.ArrivedBytes > 0 || State != LossState.Open || Log.RepeatedBytes > 0))
            return;
        var isCertain = State > LossState.CongestionWindowReduced || _duplicateAcks >= DuplicateThreshold || Log.ArrivedBytes >= DuplicateThreshold * Sender.SegmentSize;
        var window = ReorderingWindow(isCertain);
        while (Log.Oldest is { } oldest)
        {
            var lostAt = _rack.LostAt(oldest, window);
            if (lostAt > report.Now)
            {
                ReorderingTimeoutAt = lostAt;
                break;
            }

            MarkLost(oldest, ref report);
        }
    }

    private TimeSpan ReorderingWindow(bool isCertain) => _rack.ReorderingWindow(Sender.RoundTrips.Min, Sender.RoundTrips.Smoothed, isCertain);

    private bool IsLossKnown(ref AckReport report) => Log is { LostBytes: > 0 } || DuplicatesShowLoss(ref report);

    /// <summary>RFC 6582, 3.2, step 2: duplicates caused by our own retransmissions are no loss. SACK would tell them apart.</summary>
    private bool DuplicatesShowLoss(ref AckReport report)
    {
        if (Sender.Connection.UsesSelectiveAck || _duplicateAcks < DuplicateThreshold || Log is null || (State == LossState.Open && Seq.Le(Sender.SndUna, _recover)))
            return false;
        MarkFirstLost(ref report);
        return true;
    }

    private void MarkFirstLost(ref AckReport report)
    {
        var first = Log!.First;
        if (first.Length > Sender.SegmentSize)
            Log.TrySplit(first, first.Start + (uint)Sender.SegmentSize, isForSending: true);
        MarkLost(first, ref report);
        RenoBytes = Math.Min(RenoBytes, Sender.Flight - Log.LostBytes);
    }

    private void MarkAllLost(Instant now)
    {
        var report = new AckReport { Now = now, SegmentSize = Sender.SegmentSize };
        while (Log?.Oldest is { } entry)
            MarkLost(entry, ref report);
        ReorderingTimeoutAt = Instant.Never;
        _retransmitNow = true;
    }

    private void MarkLost(Transmission entry, ref AckReport report)
    {
        if (entry.IsRepeated)
            Sender.Layer.Counters.TcpExtTCPLostRetransmit++;
        _onlyMtuProbeLost = entry.IsMtuProbe && (Log!.LostBytes == 0 || _onlyMtuProbeLost);
        if (entry.IsMtuProbe)
            state.MtuProbe.Lost(entry);
        Sender.Rate.CountLost(entry.Length);
        report.Lost += entry.Length;
        Log!.MarkLost(entry);
        state.Congestion.Lost(entry, report, Sender.Rate.Lost);
    }
}
