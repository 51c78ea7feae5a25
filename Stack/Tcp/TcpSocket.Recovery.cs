using Tapwire.Stack.Packets;

namespace Tapwire.Stack.Tcp;

/// <content>
/// Loss recovery: what is lost is told by time (RFC 8985), without SACK by duplicate acknowledgements (RFC 5681, RFC 6582) or the timer (RFC 6298); how fast it is
/// sent again, by RFC 9937 or the congestion control's pace; and what turns out not to have been lost is taken back (RFC 3522, RFC 3708, RFC 5682).
/// </content>
public sealed partial class TcpSocket
{
    private const int DuplicateThreshold = 3;

    private enum LossState : byte
    {
        /// <summary>Nothing is known to be lost.</summary>
        Open,

        /// <summary>Fast recovery: losses are told by acknowledgements.</summary>
        Recovery,

        /// <summary>The timer ran out: everything that has not arrived counts as lost.</summary>
        Loss,
    }

    /// <summary>Where a time-out's verification stands (RFC 5682, 3.1).</summary>
    private enum ForwardRecovery : byte
    {
        Off,

        /// <summary>The first segment has been sent again; the first acknowledgement is awaited.</summary>
        FirstAwaited,

        /// <summary>New data has been sent instead of more repetitions; the second acknowledgement decides.</summary>
        SecondAwaited,
    }

    private RateReduction _reduction;
    private Instant _rackAt = Instant.Never;

    /// <summary>RFC 6582's recover: recovery ends when everything below is acknowledged. Follows SND.UNA afterwards.</summary>
    private uint _recover;

    /// <summary>Nothing that counts as lost lies below.</summary>
    private uint _repeatFrom;

    /// <summary>Bytes that duplicate acknowledgements stand for; without SACK only.</summary>
    private int _renoBytes;

    // What the recovery has sent again, to find out whether it was needed at all.
    private uint _undoFrom;
    private uint _undoUntil;
    private int _undoBytes;
    private uint _firstRepeatedAt;
    private bool _mayUndo;
    private bool _hasRepeated;

    private int _retransmits;
    private byte _duplicateAcks;
    private LossState _lossState;
    private ForwardRecovery _forward;
    private bool _retransmitNow;

    private long CongestionWindow =>
        _lossState == LossState.Recovery && _congestion.UsesRateReduction ? _reduction.Window : _congestion.Window;

    /// <summary>What follows from an acknowledgement.</summary>
    private void Recover(in TcpHeader segment, int inFlight, ref AckReport report)
    {
        var lost = _rate.Lost;
        if (_selectiveAck)
            DetectLoss(ref report);
        UpdateLossState(segment, inFlight, ref report);
        report.Lost = (int)(_rate.Lost - lost);
        report.InFlight = Pipe;
        _rate.Finish(ref report);
        _congestion.Acknowledged(report, _lossState == LossState.Recovery);
        if (_lossState == LossState.Recovery)
            _reduction.Acknowledged(report.Delivered, report.InFlight, _congestion.SlowStartThreshold, _segmentSize, report.Acknowledged > 0);
        if (SndUna == SndNxt)
            _rtoAt = Instant.Never;
        else if (report.Acknowledged > 0)
            RestartRetransmissionTimer(report.Now);
    }

    private void UpdateLossState(in TcpHeader segment, int inFlight, ref AckReport report)
    {
        TryUndo(segment, report);
        switch (_lossState)
        {
            case LossState.Open:
                if (report.Acknowledged > 0)
                {
                    _recover = Seq.Max(_recover, SndUna - 1);
                    _renoBytes = 0;
                }

                if (_log is { LostBytes: > 0 } || DuplicatesShowLoss(ref report))
                    EnterRecovery(inFlight, report.Now);
                break;
            case LossState.Recovery when report.Acknowledged > 0:
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
        if (_selectiveAck || _duplicateAcks < DuplicateThreshold || Seq.Le(SndUna, _recover) || _log is null)
            return false;
        MarkFirstLost(ref report);
        return true;
    }

    /// <summary>The next byte is missing too (RFC 6582, 3.2, step 3).</summary>
    private void PartialAcknowledgment(ref AckReport report)
    {
        _renoBytes = Math.Max(0, _renoBytes - Math.Max(0, report.Acknowledged - _segmentSize));
        if (_log is null || _log.First.State == TransmissionState.Lost || _log.First.IsRepeated)
            return;
        MarkFirstLost(ref report);
        _retransmitNow = true;
    }

    private void MarkFirstLost(ref AckReport report)
    {
        var first = _log!.First;
        if (first.Length > _segmentSize)
            _log.TrySplit(0, first.Start + (uint)_segmentSize);
        MarkLost(first, ref report);
        _renoBytes = Math.Min(_renoBytes, (int)(SndNxt - SndUna) - _log.LostBytes);
    }

    /// <summary>Marks what was sent long enough before something that has arrived (RFC 8985, 6.2, step 5), and sets the time to look again.</summary>
    private void DetectLoss(ref AckReport report)
    {
        _rackAt = Instant.Never;
        if (_log is null)
            return;
        if (report.HasDuplicate || _log.ArrivedBytes > 0 || _lossState != LossState.Open || _log.RepeatedBytes > 0)
        {
            var isCertain = _lossState != LossState.Open || _duplicateAcks >= DuplicateThreshold || _log.ArrivedBytes >= DuplicateThreshold * _segmentSize;
            var window = _rack.ReorderingWindow(_minRoundTrip, _rtt.Smoothed, isCertain);
            while (_log.Oldest is { } oldest)
            {
                var lostAt = _rack.LostAt(oldest, window);
                if (lostAt > report.Now)
                {
                    _rackAt = lostAt;
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
        _rate.Lost += entry.Length;
        if (_log!.LostBytes == 0 || Seq.Lt(entry.Start, _repeatFrom))
            _repeatFrom = entry.Start;
        _log.MarkLost(entry);
        _congestion.Lost(entry, report, _rate.Lost);
    }

    /// <summary>The reordering window of the oldest transmission is over (RFC 8985, 6.3).</summary>
    private void ReorderingTimedOut(Instant now)
    {
        _rackAt = Instant.Never;
        var report = new AckReport { Now = now, SegmentSize = _segmentSize };
        var inFlight = (int)(SndNxt - SndUna);
        DetectLoss(ref report);
        if (_lossState == LossState.Open && _log is { LostBytes: > 0 })
            EnterRecovery(inFlight, now);
    }

    private void EnterRecovery(int inFlight, Instant now)
    {
        _lossState = LossState.Recovery;
        _recover = SndNxt;
        _retransmitNow = true;
        BeginUndo();
        _congestion.LossDetected(inFlight, _segmentSize, now);
        _reduction.Begin(inFlight, _congestion.Window);
        if (_selectiveAck)
            _layer.Counters.TcpExtTCPSackRecovery++;
        else
            _layer.Counters.TcpExtTCPRenoRecovery++;
    }

    private void LeaveRecovery()
    {
        if (_lossState == LossState.Recovery)
            _rack.RecoveryEnded();
        _congestion.Recovered();
        Reopen();
    }

    private void Reopen()
    {
        _lossState = LossState.Open;
        _forward = ForwardRecovery.Off;
        _duplicateAcks = 0;
        _renoBytes = 0;
        _retransmitNow = false;
        _undoUntil = SndNxt;
    }

    /// <summary>Everything in flight counts as lost (RFC 6298, 5.4; RFC 8985, 6.3).</summary>
    private void EnterLoss(Instant now)
    {
        if (_lossState == LossState.Recovery)
            _layer.Counters.TcpExtTCPSackRecoveryFail++;
        var isFirst = _backoff == 0;
        if (isFirst)
            BeginUndo();
        _forward = isFirst && _lossState == LossState.Open ? ForwardRecovery.FirstAwaited : ForwardRecovery.Off;
        var report = new AckReport { Now = now, SegmentSize = _segmentSize };
        // A peer that let go of what it had reported is found out by a second time-out, or by its cumulative acknowledgement ending where a report
        // begins (RFC 2018, 8).
        if (_log is not null && (_backoff > 0 || _log.First.State == TransmissionState.Arrived))
            _log.ForgetArrivals();
        _congestion.TimedOut((int)(SndNxt - SndUna), _segmentSize, isFirst, now);
        _lossState = LossState.Loss;
        _recover = SndNxt;
        _renoBytes = 0;
        _duplicateAcks = 0;
        _retransmitNow = true;
        _rackAt = Instant.Never;
        _paceAt = Instant.Zero;
        while (_log?.Oldest is { } entry)
            MarkLost(entry, ref report);
    }

    /// <summary>After a time-out: has it been one (RFC 5682, 3.1)?</summary>
    private void VerifyTimeout(ref AckReport report)
    {
        if (_forward == ForwardRecovery.SecondAwaited)
        {
            if (report.OriginalArrived)
            {
                Undo(report.Now);
                return;
            }

            _forward = ForwardRecovery.Off;
        }
        else if (_forward == ForwardRecovery.FirstAwaited)
        {
            var canSendNew = HasUnsent && Unsent > 0 && (int)(SndUna + SndWnd - SndNxt) > 0;
            _forward = report.Acknowledged > 0 && canSendNew ? ForwardRecovery.SecondAwaited : ForwardRecovery.Off;
        }

        if (report.Acknowledged > 0 && Seq.Ge(SndUna, _recover))
            LeaveRecovery();
        else if (!_selectiveAck && report.Acknowledged > 0)
            _renoBytes = 0;
    }

    /// <summary>What is in flight was too big for the path: that is no congestion.</summary>
    private void SendAllAgain(Instant now)
    {
        var report = new AckReport { Now = now, SegmentSize = _segmentSize };
        while (_log?.Oldest is { } entry)
            MarkLost(entry, ref report);
        _rackAt = Instant.Never;
        _retransmitNow = true;
        if (_lossState != LossState.Open)
            return;
        _lossState = LossState.Recovery;
        _recover = SndNxt;
        _mayUndo = false;
        _reduction.Begin((int)(SndNxt - SndUna), _congestion.Window);
    }

    private void BeginUndo()
    {
        _mayUndo = true;
        _undoFrom = SndUna;
        _undoBytes = _log?.RepeatedBytes ?? 0;
        // What is still under way for the second time answers to the first time that anything was sent again.
        _hasRepeated &= _undoBytes > 0;
    }

    /// <summary>
    /// What was sent again had arrived the first time: the acknowledgement answers the first copy (RFC 3522), or each copy was reported as a duplicate
    /// (RFC 3708).
    /// </summary>
    private void TryUndo(in TcpHeader segment, in AckReport report)
    {
        if (!_mayUndo || !_hasRepeated)
            return;
        if (_lossState == LossState.Open && Seq.Gt(SndUna, _undoUntil))
        {
            _mayUndo = false;
            return;
        }

        var isAnswered = _lossState != LossState.Open && report.Acknowledged > 0 && AnswersBefore(segment, _firstRepeatedAt);
        var areDuplicates = report.HasDuplicate && _undoBytes <= 0;
        if (isAnswered || areDuplicates)
            Undo(report.Now);
    }

    private void Undo(Instant now)
    {
        if (_lossState == LossState.Loss)
            _layer.Counters.TcpExtTCPSpuriousRTOs++;
        else
            _layer.Counters.TcpExtTCPFullUndo++;
        _mayUndo = false;
        _rack.DuplicateReported(SndUna, SndNxt);
        _congestion.Undo();
        if (_lossState == LossState.Open)
            return;
        _log?.ForgetLosses();
        Reopen();
        if (_log?.Oldest is { } oldest)
        {
            _rackAt = _rack.LostAt(oldest, _rack.ReorderingWindow(_minRoundTrip, _rtt.Smoothed, isCertain: false));
            RestartRetransmissionTimer(now);
        }
    }

    /// <summary>Sends the next lost bytes again, if the congestion window has room or it is the first segment of a recovery.</summary>
    private bool Retransmit(Instant now)
    {
        if (_log is null || _log.LostBytes == 0 || _forward == ForwardRecovery.SecondAwaited)
            return false;
        var full = CurrentSegmentSize;
        var room = CongestionWindow - Pipe;
        if (room < full && !_retransmitNow)
            return false;
        if (!PaceAllows(now))
            return false;
        var index = _log.IndexOf(Seq.Max(_repeatFrom, SndUna));
        while (_log[index].State != TransmissionState.Lost)
            index++;
        var entry = _log[index];
        var length = (int)Math.Min((uint)entry.Length, (uint)Math.Clamp(room, full, MaxPayload));
        if (length < entry.Length && length > full)
            length -= length % full;
        // The FIN rides along.
        if (length + 1 == entry.Length && entry.End == _send.End + 1)
            length++;
        if (!FitsWindow(entry.Start, ref length))
            return false;
        if (length < entry.Length)
            _log.TrySplit(index, entry.Start + (uint)length);
        _repeatFrom = entry.End;
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
        if (_lossState == LossState.Loss)
            _layer.Counters.TcpExtTCPSlowStartRetrans++;
        else
            _layer.Counters.TcpExtTCPFastRetrans++;
        _retransmitNow = false;
        Repeat(entry, now);
        if (_rtoAt == Instant.Never)
            RestartRetransmissionTimer(now);
    }

    /// <summary>Sends an entry once more: all of it, for it is no longer than one packet.</summary>
    private void Repeat(Transmission entry, Instant now)
    {
        if (!_hasRepeated)
        {
            _hasRepeated = true;
            _firstRepeatedAt = TcpLayer.TimestampClock(now);
        }

        var length = entry.Length;
        _undoBytes += length;
        _repeatedBytes += length;
        _reduction.Sent(length);
        _rate.Sent(entry, Pipe, entry.State == TransmissionState.Lost ? length : 0, now);
        _log!.MarkSent(entry, now);
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
