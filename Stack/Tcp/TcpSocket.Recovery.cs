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

        /// <summary>The window is being reduced because routers have marked packets (RFC 3168); nothing is known to be lost.</summary>
        Reduction,

        /// <summary>Fast recovery: losses are told by acknowledgements.</summary>
        Recovery,

        /// <summary>The timer ran out: everything that has not arrived counts as lost.</summary>
        Loss,
    }

    private RateReduction _reduction;
    private Instant _rackAt = Instant.Never;

    /// <summary>RFC 6582's recover: recovery ends when everything below is acknowledged. Follows SND.UNA afterwards.</summary>
    private uint _recover;

    /// <summary>Nothing that counts as lost lies below.</summary>
    private uint _repeatFrom;

    /// <summary>Bytes that duplicate acknowledgements stand for; without SACK only.</summary>
    private int _renoBytes;

    private int _retransmits;
    private byte _duplicateAcks;
    private LossState _lossState;

    /// <summary>The window is reduced in this recovery: something was lost for want of room, not for its size.</summary>
    private bool _isReducing;
    private bool _retransmitNow;

    private bool IsRecovering => _lossState is LossState.Recovery or LossState.Reduction;

    private long CongestionWindow => IsRecovering && _isReducing && _congestion.UsesRateReduction ? _reduction.Window : _congestion.Window;

    /// <summary>What follows from an acknowledgement.</summary>
    private void Recover(in TcpHeader segment, int inFlight, ref AckReport report)
    {
        if (_selectiveAck)
            DetectLoss(ref report);
        UpdateLossState(segment, inFlight, ref report);
        report.InFlight = Pipe;
        _rate.Finish(ref report);
        _congestion.Acknowledged(report, IsRecovering);
        if (IsRecovering && _isReducing)
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
                else
                    EcnEchoed(segment, inFlight, report.Now);
                break;
            case LossState.Reduction:
                if (_log is { LostBytes: > 0 } || DuplicatesShowLoss(ref report))
                    EnterRecovery(inFlight, report.Now);
                else if (report.Acknowledged > 0)
                    ReductionAcknowledged();
                break;
            case LossState.Recovery when report.Lost > 0 && !_isReducing && !_onlyProbeLost:
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
        if (_selectiveAck || _duplicateAcks < DuplicateThreshold || _log is null || (_lossState == LossState.Open && Seq.Le(SndUna, _recover)))
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
            _log.TrySplit(0, first.Start + (uint)_segmentSize, isForSending: true);
        MarkLost(first, ref report);
        _renoBytes = Math.Min(_renoBytes, Flight - _log.LostBytes);
    }

    /// <summary>Marks what was sent long enough before something that has arrived (RFC 8985, 6.2, step 5), and sets the time to look again.</summary>
    private void DetectLoss(ref AckReport report)
    {
        _rackAt = Instant.Never;
        if (_log is null)
            return;
        if (report.HasDuplicate || _log.ArrivedBytes > 0 || _lossState != LossState.Open || _log.RepeatedBytes > 0)
        {
            var isCertain = _lossState > LossState.Reduction || _duplicateAcks >= DuplicateThreshold || _log.ArrivedBytes >= DuplicateThreshold * _segmentSize;
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
        _onlyProbeLost = entry.IsProbe && (_log!.LostBytes == 0 || _onlyProbeLost);
        if (entry.IsProbe)
            ProbeLost(entry);
        _rate.Lost += entry.Length;
        report.Lost += entry.Length;
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
        var inFlight = Flight;
        DetectLoss(ref report);
        if (_lossState < LossState.Recovery && _log is { LostBytes: > 0 })
            EnterRecovery(inFlight, now);
    }

    private void EnterRecovery(int inFlight, Instant now)
    {
        // Marks have reduced the window already, once per window of data.
        var isReduced = _lossState == LossState.Reduction;
        _lossState = LossState.Recovery;
        _recover = SndNxt;
        _retransmitNow = true;
        EndTailProbe(now);
        if (!isReduced)
        {
            BeginUndo();
            _isReducing = false;
            if (!_onlyProbeLost)
                ReduceWindow(inFlight, now);
        }

        if (_selectiveAck)
            _layer.Counters.TcpExtTCPSackRecovery++;
        else
            _layer.Counters.TcpExtTCPRenoRecovery++;
    }

    private void ReduceWindow(int inFlight, Instant now)
    {
        _isReducing = true;
        WindowReduced();
        _congestion.LossDetected(inFlight, _segmentSize, now);
        _reduction.Begin(inFlight, _congestion.Window);
    }

    private void ReductionAcknowledged()
    {
        _renoBytes = 0;
        if (Seq.Ge(SndUna, _recover))
            LeaveRecovery();
    }

    private void LeaveRecovery()
    {
        if (_lossState > LossState.Reduction)
            _rack.RecoveryEnded();
        if (_isReducing || _lossState == LossState.Loss)
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
        _isReducing = false;
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
        // A peer that let go of what it had reported is found out by a second time-out, or by its cumulative acknowledgement ending where a report
        // begins (RFC 2018, 8).
        if (_log is not null && (_backoff > 0 || _log.First.State == TransmissionState.Arrived))
            _log.ForgetArrivals();
        WindowReduced();
        _congestion.TimedOut(Flight, _segmentSize, isFirst, now);
        _lossState = LossState.Loss;
        EndTailProbe(now);
        _recover = SndNxt;
        _renoBytes = 0;
        _duplicateAcks = 0;
        _paceAt = Instant.Zero;
        MarkAllLost(now);
    }

    private void MarkAllLost(Instant now)
    {
        var report = new AckReport { Now = now, SegmentSize = _segmentSize };
        while (_log?.Oldest is { } entry)
            MarkLost(entry, ref report);
        _rackAt = Instant.Never;
        _retransmitNow = true;
    }

    /// <summary>What is in flight was too big for the path: that is no congestion.</summary>
    private void SendAllAgain(Instant now)
    {
        MarkAllLost(now);
        if (_lossState > LossState.Reduction)
            return;
        _lossState = LossState.Recovery;
        _recover = SndNxt;
        _mayUndo = false;
        EndTailProbe(now);
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
            _log.TrySplit(index, entry.Start + (uint)length, isForSending: true);
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
