using Tapwire.Stack.Packets;

namespace Tapwire.Stack.Tcp;

/// <content>
/// Loss recovery: what is lost is told by time (RFC 8985), without SACK by duplicate acknowledgements (RFC 5681, RFC 6582) or the timer (RFC 6298); how fast it is
/// sent again, by RFC 9937 or the congestion control's pace; and what turns out not to have been lost is taken back (RFC 3522, RFC 3708, RFC 5682).
/// </content>
public sealed partial class TcpSocket
{
    private const int DuplicateThreshold = 3;

    /// <summary>RFC 6582's recover: recovery ends when everything below is acknowledged. Follows SND.UNA afterwards.</summary>
    private uint _recover;

    private int _retransmits;

    private bool IsRecovering => LossState is LossState.Recovery or LossState.Reduction;

    private long CongestionWindow => IsRecovering && Sender.IsReducing && Sender.Congestion.UsesRateReduction ? Sender.Reduction.Window : OwnWindow;

    /// <summary>What follows from an acknowledgement.</summary>
    private void Recover(in TcpHeader segment, int inFlight, ref AckReport report)
    {
        if (_selectiveAck)
            DetectLoss(ref report);
        UpdateLossState(segment, inFlight, ref report);
        report.InFlight = Pipe;
        _rate.Finish(ref report);
        Sender.Congestion.Acknowledged(report, IsRecovering);
        if (IsRecovering && Sender.IsReducing)
            Sender.Reduction.Acknowledged(report.Delivered, report.InFlight, Sender.Congestion.SlowStartThreshold, _segmentSize, report.Acknowledged > 0);
        if (SndUna == SndNxt)
            _rtoAt = Instant.Never;
        else if (report.Acknowledged > 0)
            RestartRetransmissionTimer(report.Now);
    }

    private void UpdateLossState(in TcpHeader segment, int inFlight, ref AckReport report)
    {
        TryUndo(segment, report);
        switch (Sender.LossState)
        {
            case LossState.Open:
                if (report.Acknowledged > 0)
                {
                    _recover = Seq.Max(_recover, SndUna - 1);
                    Sender.RenoBytes = 0;
                }

                if (Log is { LostBytes: > 0 } || DuplicatesShowLoss(ref report))
                    EnterRecovery(inFlight, report.Now);
                else
                    EcnEchoed(segment, inFlight, report.Now);
                break;
            case LossState.Reduction:
                if (Log is { LostBytes: > 0 } || DuplicatesShowLoss(ref report))
                    EnterRecovery(inFlight, report.Now);
                else if (report.Acknowledged > 0)
                    ReductionAcknowledged();
                break;
            case LossState.Recovery when report.Lost > 0 && !Sender.IsReducing && !Sender.OnlyProbeLost:
                ReduceWindow(inFlight, report.Now);
                goto case LossState.Recovery;
            case LossState.Recovery:
                if (report.Acknowledged == 0)
                    break;
                if (Seq.Ge(SndUna, _recover))
                    LeaveRecovery();
                else if (!_selectiveAck)
                    PartialAcknowledgment(ref report);
                break;
            case LossState.Loss:
                VerifyTimeout(ref report);
                break;
        }
    }

    /// <summary>RFC 6582, 3.2, step 2: duplicates that our own retransmissions have caused are no loss. SACK would have told.</summary>
    private bool DuplicatesShowLoss(ref AckReport report)
    {
        if (_selectiveAck || Sender.DuplicateAcks < DuplicateThreshold || Log is null || (Sender.LossState == LossState.Open && Seq.Le(SndUna, _recover)))
            return false;
        MarkFirstLost(ref report);
        return true;
    }

    /// <summary>The next byte is missing too (RFC 6582, 3.2, step 3).</summary>
    private void PartialAcknowledgment(ref AckReport report)
    {
        Sender.RenoBytes = Math.Max(0, Sender.RenoBytes - Math.Max(0, report.Acknowledged - _segmentSize));
        if (Log is null || Log.First.State == TransmissionState.Lost || Log.First.IsRepeated)
            return;
        MarkFirstLost(ref report);
        Sender.RetransmitNow = true;
    }

    private void MarkFirstLost(ref AckReport report)
    {
        var first = Log!.First;
        if (first.Length > _segmentSize)
            Log.TrySplit(0, first.Start + (uint)_segmentSize, isForSending: true);
        MarkLost(first, ref report);
        Sender.RenoBytes = Math.Min(Sender.RenoBytes, Flight - Log.LostBytes);
    }

    /// <summary>Marks what was sent long enough before something that has arrived (RFC 8985, 6.2, step 5), and sets the time to look again.</summary>
    private void DetectLoss(ref AckReport report)
    {
        Sender.RackAt = Instant.Never;
        if (Log is null)
            return;
        if (report.HasDuplicate || Log.ArrivedBytes > 0 || Sender.LossState != LossState.Open || Log.RepeatedBytes > 0)
        {
            var isCertain = Sender.LossState > LossState.Reduction || Sender.DuplicateAcks >= DuplicateThreshold || Log.ArrivedBytes >= DuplicateThreshold * _segmentSize;
            var window = Sender.Rack.ReorderingWindow(_minRoundTrip, _rtt.Smoothed, isCertain);
            while (Log.Oldest is { } oldest)
            {
                var lostAt = Sender.Rack.LostAt(oldest, window);
                if (lostAt > report.Now)
                {
                    Sender.RackAt = lostAt;
                    break;
                }

                MarkLost(oldest, ref report);
            }
        }
    }

    private void MarkLost(Transmission entry, ref AckReport report)
    {
        if (entry.IsRepeated)
            _layer.Counters.TcpExtTCPLostRetransmit++;
        Sender.OnlyProbeLost = entry.IsProbe && (Log!.LostBytes == 0 || Sender.OnlyProbeLost);
        if (entry.IsProbe)
            ProbeLost(entry);
        _rate.Lost += entry.Length;
        report.Lost += entry.Length;
        if (Log!.LostBytes == 0 || Seq.Lt(entry.Start, Sender.RepeatFrom))
            Sender.RepeatFrom = entry.Start;
        Log.MarkLost(entry);
        Sender.Congestion.Lost(entry, report, _rate.Lost);
    }

    /// <summary>The reordering window of the oldest transmission is over (RFC 8985, 6.3).</summary>
    private void ReorderingTimedOut(Instant now)
    {
        Sender.RackAt = Instant.Never;
        var report = new AckReport { Now = now, SegmentSize = _segmentSize };
        var inFlight = Flight;
        DetectLoss(ref report);
        if (Sender.LossState < LossState.Recovery && Log is { LostBytes: > 0 })
            EnterRecovery(inFlight, now);
    }

    private void EnterRecovery(int inFlight, Instant now)
    {
        // Marks have reduced the window already, once per window of data.
        var isReduced = Sender.LossState == LossState.Reduction;
        Sender.LossState = LossState.Recovery;
        _recover = SndNxt;
        Sender.RetransmitNow = true;
        EndTailProbe(now);
        if (!isReduced)
        {
            BeginUndo();
            Sender.IsReducing = false;
            if (!Sender.OnlyProbeLost)
                ReduceWindow(inFlight, now);
        }

        if (_selectiveAck)
            _layer.Counters.TcpExtTCPSackRecovery++;
        else
            _layer.Counters.TcpExtTCPRenoRecovery++;
    }

    private void ReduceWindow(int inFlight, Instant now)
    {
        Sender.IsReducing = true;
        WindowReduced();
        Sender.Congestion.LossDetected(inFlight, _segmentSize, now);
        Sender.Reduction.Begin(inFlight, Sender.Congestion.Window);
    }

    private void ReductionAcknowledged()
    {
        Sender.RenoBytes = 0;
        if (Seq.Ge(SndUna, _recover))
            LeaveRecovery();
    }

    private void LeaveRecovery()
    {
        if (Sender.LossState > LossState.Reduction)
            Sender.Rack.RecoveryEnded();
        if (Sender.IsReducing || Sender.LossState == LossState.Loss)
            Sender.Congestion.Recovered();
        Reopen();
    }

    private void Reopen()
    {
        Sender.LossState = LossState.Open;
        Sender.Forward = ForwardRecovery.Off;
        Sender.DuplicateAcks = 0;
        Sender.RenoBytes = 0;
        Sender.RetransmitNow = false;
        Sender.IsReducing = false;
        Sender.UndoUntil = SndNxt;
    }

    /// <summary>Everything in flight counts as lost (RFC 6298, 5.4; RFC 8985, 6.3).</summary>
    private void EnterLoss(Instant now)
    {
        if (Sender.LossState == LossState.Recovery)
            _layer.Counters.TcpExtTCPSackRecoveryFail++;
        var isFirst = _backoff == 0;
        if (isFirst)
            BeginUndo();
        Sender.Forward = isFirst && Sender.LossState == LossState.Open ? ForwardRecovery.FirstAwaited : ForwardRecovery.Off;
        // A peer that let go of what it had reported is found out by a second time-out, or by its cumulative acknowledgement ending where a report
        // begins (RFC 2018, 8).
        if (Log is not null && (_backoff > 0 || Log.First.State == TransmissionState.Arrived))
            Log.ForgetArrivals();
        WindowReduced();
        Sender.Congestion.TimedOut(Flight, _segmentSize, isFirst, now);
        Sender.LossState = LossState.Loss;
        EndTailProbe(now);
        _recover = SndNxt;
        Sender.RenoBytes = 0;
        Sender.DuplicateAcks = 0;
        _paceAt = Instant.Zero;
        MarkAllLost(now);
    }

    private void MarkAllLost(Instant now)
    {
        var report = new AckReport { Now = now, SegmentSize = _segmentSize };
        while (Log?.Oldest is { } entry)
            MarkLost(entry, ref report);
        Sender.RackAt = Instant.Never;
        Sender.RetransmitNow = true;
    }

    /// <summary>What is in flight was too big for the path: that is no congestion.</summary>
    private void SendAllAgain(Instant now)
    {
        MarkAllLost(now);
        if (Sender.LossState > LossState.Reduction)
            return;
        Sender.LossState = LossState.Recovery;
        _recover = SndNxt;
        Sender.MayUndo = false;
        EndTailProbe(now);
    }

    /// <summary>Sends the next lost bytes again, if the congestion window has room or it is the first segment of a recovery.</summary>
    private bool Retransmit(Instant now)
    {
        if (Log is null || Log.LostBytes == 0 || Sender.Forward == ForwardRecovery.SecondAwaited)
            return false;
        var full = CurrentSegmentSize;
        var room = CongestionWindow - Pipe;
        if (room < full && !Sender.RetransmitNow)
            return false;
        if (!PaceAllows(now))
            return false;
        var index = Log.IndexOf(Seq.Max(Sender.RepeatFrom, SndUna));
        while (Log[index].State != TransmissionState.Lost)
            index++;
        var entry = Log[index];
        var length = (int)Math.Min((uint)entry.Length, (uint)Math.Clamp(room, full, MaxPayload));
        if (length < entry.Length && length > full)
            length -= length % full;
        // The FIN rides along.
        if (length + 1 == entry.Length && entry.End == _send.End + 1)
            length++;
        if (!FitsWindow(entry.Start, ref length))
            return false;
        if (length < entry.Length)
            Log.TrySplit(index, entry.Start + (uint)length, isForSending: true);
        Sender.RepeatFrom = entry.End;
        SendAgain(entry, now);
        return true;
    }

    /// <summary>A peer that has shrunk its window is not sent what is outside; but the first segment is sent in any case, for it is the probe then, as in
    /// Linux (RFC 9293, 3.8.6).</summary>
    private bool FitsWindow(uint from, ref int length)
    {
        var window = (int)(SndUna + SndWnd - from);
        if (window >= length)
            return true;
        if (window > 0)
            length = window;
        else
            length = Math.Min(length, CurrentSegmentSize);
        return window > 0 || from == SndUna;
    }

    private void SendAgain(Transmission entry, Instant now)
    {
        if (Sender.LossState == LossState.Loss)
            _layer.Counters.TcpExtTCPSlowStartRetrans++;
        else
            _layer.Counters.TcpExtTCPFastRetrans++;
        Sender.RetransmitNow = false;
        Repeat(entry, now);
        if (_rtoAt == Instant.Never)
            RestartRetransmissionTimer(now);
    }

    /// <summary>Sends an entry once more: all of it, for it is no longer than one packet.</summary>
    private void Repeat(Transmission entry, Instant now)
    {
        if (!Sender.HasRepeated)
        {
            Sender.HasRepeated = true;
            Sender.FirstRepeatedAt = TcpLayer.TimestampClock(now);
        }

        var length = entry.Length;
        Sender.UndoBytes += length;
        _unreportedRepeats += length;
        Sender.Reduction.Sent(length);
        _rate.Sent(entry, Pipe, entry.State == TransmissionState.Lost ? length : 0, now);
        Log!.MarkSent(entry, now);
        Paced(length, now);
        var flags = TcpFlags.Ack;
        var data = (int)Math.Min((uint)length, _send.End - entry.Start);
        if (data < length)
            flags |= TcpFlags.Fin;
        if (data > 0 && entry.Start + (uint)data == _send.End)
            flags |= TcpFlags.Psh;
        Emit(entry.Start, data, flags, again: true, now);
    }
}
