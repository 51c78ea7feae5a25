using Tapwire.Stack.Packets;

namespace Tapwire.Stack.Tcp;

/// <content>
/// Acknowledgements and loss recovery: fast retransmit and NewReno (RFC 5681, RFC 6582), with SACK by RFC 6675, limited transmit (RFC 3042), and what
/// follows a time-out. One account serves all: of the bytes in flight, those that have arrived, those that count as lost, and those sent again.
/// Without SACK each duplicate acknowledgement stands for one segment that has arrived.
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

    private SackScoreboard? _scoreboard;
    private RateReduction _reduction;

    /// <summary>RFC 6582's recover: recovery ends when everything below is acknowledged. Follows SND.UNA afterwards.</summary>
    private uint _recover;

    /// <summary>What has not arrived below this counts as lost.</summary>
    private uint _lostEnd;

    /// <summary>RFC 6675's HighRxt: what has not arrived below this has been sent again.</summary>
    private uint _highRxt;

    /// <summary>Bytes that count as lost, and of them those sent again.</summary>
    private int _lostBytes;
    private int _againBytes;

    /// <summary>Bytes that duplicate acknowledgements stand for; without SACK only.</summary>
    private int _renoBytes;

    private int _retransmits;
    private byte _duplicateAcks;
    private LossState _lossState;
    private bool _retransmitNow;

    /// <summary>RFC 6675's pipe: bytes that are in the network as far as is known.</summary>
    private int Pipe => (int)(SndNxt - SndUna) - ReportedBytes - _lostBytes + _againBytes;

    /// <summary>Bytes above SND.UNA that have arrived.</summary>
    private int ReportedBytes => _scoreboard?.Bytes ?? _renoBytes;

    private long CongestionWindow => _lossState == LossState.Recovery ? _reduction.Window : _congestion.Window;

    /// <summary>The fifth check of RFC 9293, 3.10.7.4, for an acknowledgement that can be true.</summary>
    private void ProcessAcknowledgment(in TcpHeader segment, int length, Instant now)
    {
        var ack = segment.Acknowledgment;
        _probesUnanswered = 0;
        if (Seq.Lt(ack, SndUna))
        {
            _layer.Counters.TcpExtTCPOldAck++;
            return;
        }

        var inFlight = (int)(SndNxt - SndUna);
        var arrived = SndUna + (uint)ReportedBytes;
        var windowChanged = UpdateWindow(segment);
        var reported = _selectiveAck && segment.SackCount > 0 ? TakeReports(segment) : 0;
        var advances = ack != SndUna;
        if (advances)
            Advance(ack, segment, inFlight, now);
        else if (inFlight > 0 && (_selectiveAck ? reported > 0 : length == 0 && !windowChanged && !segment.Has(TcpFlags.Fin)))
            DuplicateArrived();
        else if (reported == 0)
            return;
        if (_state is TcpState.Closed or TcpState.TimeWait)
            return;
        DetectLoss(ack, inFlight);
        Recount();
        if (_lossState == LossState.Recovery)
        {
            var delivered = Math.Max(0, (int)(SndUna + (uint)ReportedBytes - arrived));
            _reduction.Acknowledged(delivered, Pipe, _congestion.SlowStartThreshold, _segmentSize, advances);
        }
    }

    private bool UpdateWindow(in TcpHeader segment)
    {
        if (Seq.Gt(SndWl1, segment.Sequence) || (SndWl1 == segment.Sequence && Seq.Gt(SndWl2, segment.Acknowledgment)))
            return false;
        SndWl1 = segment.Sequence;
        SndWl2 = segment.Acknowledgment;
        var window = (uint)segment.Window << _sndWindShift;
        if (window == SndWnd)
            return false;
        SndWnd = window;
        _maxSndWnd = Math.Max(_maxSndWnd, window);
        return true;
    }

    /// <summary>New data is acknowledged.</summary>
    private void Advance(uint ack, in TcpHeader segment, int inFlight, Instant now)
    {
        var data = (int)Math.Min(ack - SndUna, (uint)_send.Bytes);
        var acked = (int)(ack - SndUna);
        MeasureRoundTrip(ack, segment, now);
        _send.Acknowledge(data);
        SndUna = ack;
        _lastSmall = Seq.Max(_lastSmall, ack);
        if (_scoreboard is not null)
            TrimScoreboard();
        _backoff = 0;
        TailProbeAnswered(segment, inFlight);
        _softError = StackError.None;
        _lastProgress = now;
        if (SndUna == SndNxt)
            _rtoAt = Instant.Never;
        else
            RestartRetransmissionTimer(now);
        CreditWriter(data);
        ConfirmReachable(now);
        switch (_lossState)
        {
            case LossState.Open:
                _recover = Seq.Max(_recover, ack - 1);
                _duplicateAcks = 0;
                _renoBytes = 0;
                _congestion.Acknowledged(acked, _segmentSize, IsCwndLimited(inFlight));
                break;
            case LossState.Recovery:
                AdvanceInRecovery(acked);
                break;
            default:
                _highRxt = Seq.Max(_highRxt, SndUna);
                _congestion.Acknowledged(acked, _segmentSize, limited: true);
                if (Seq.Ge(SndUna, _recover))
                    LeaveRecovery();
                break;
        }

        if (_finQueued && SndUna == _send.End + 1)
            FinAcknowledged(now);
    }

    private bool IsCwndLimited(int inFlight) =>
        _cwndLimited || (_congestion.Window < _congestion.SlowStartThreshold && 2L * inFlight >= _congestion.Window);

    private void AdvanceInRecovery(int acked)
    {
        if (Seq.Ge(SndUna, _recover))
        {
            LeaveRecovery();
            _congestion.Recovered();
            return;
        }

        // A partial acknowledgement: the next byte is missing too (RFC 6582, 3.2, step 3).
        _highRxt = Seq.Max(_highRxt, SndUna);
        if (_scoreboard is null && !_selectiveAck)
        {
            _renoBytes = Math.Max(0, _renoBytes - Math.Max(0, acked - _segmentSize));
            _highRxt = SndUna;
        }

        var first = Seq.Min(SndUna + (uint)_segmentSize, SndNxt);
        _lostEnd = Seq.Max(_lostEnd, first);
        _retransmitNow = _highRxt == SndUna;
    }

    private void LeaveRecovery()
    {
        _lossState = LossState.Open;
        _duplicateAcks = 0;
        _renoBytes = 0;
        _retransmitNow = false;
    }

    private void DuplicateArrived()
    {
        if (_duplicateAcks < byte.MaxValue)
            _duplicateAcks++;
        if (!_selectiveAck)
            _renoBytes += _segmentSize;
    }

    private void DetectLoss(uint ack, int inFlight)
    {
        if (_lossState == LossState.Loss)
            return;
        var lostBelow = Seq.Max(_scoreboard?.LostBelow(SndUna, _segmentSize) ?? SndUna, LostBeforeTailProbe());
        if (_lossState == LossState.Recovery)
        {
            _lostEnd = Seq.Max(_lostEnd, lostBelow);
            return;
        }

        if (lostBelow == SndUna && _duplicateAcks < DuplicateThreshold)
            return;
        // RFC 6582, 3.2, step 2: duplicates that our own retransmissions have caused are no loss. SACK would have told.
        if (!_selectiveAck && Seq.Le(ack, _recover))
            return;
        _lossState = LossState.Recovery;
        _recover = SndNxt;
        _highRxt = SndUna;
        _lostEnd = Seq.Max(lostBelow, Seq.Min(SndUna + (uint)_segmentSize, SndNxt));
        _retransmitNow = true;
        _congestion.LossDetected(inFlight, _segmentSize);
        _reduction.Begin(inFlight, _congestion.Window);
        if (_selectiveAck)
            _layer.Counters.TcpExtTCPSackRecovery++;
        else
            _layer.Counters.TcpExtTCPRenoRecovery++;
    }

    /// <summary>Everything in flight counts as lost (RFC 6298, 5.4; RFC 6675, 5.1).</summary>
    private void EnterLoss()
    {
        if (_lossState == LossState.Recovery)
            _layer.Counters.TcpExtTCPSackRecoveryFail++;
        _congestion.TimedOut((int)(SndNxt - SndUna), _segmentSize, first: _backoff == 0);
        // A peer that let go of what it had reported is found out by a second time-out, or by its cumulative acknowledgement ending where a report
        // begins (RFC 2018, 8).
        if (_scoreboard is not null && (_backoff > 0 || (_scoreboard.Count > 0 && _scoreboard[0].Start == SndUna)))
            DropScoreboard();
        _lossState = LossState.Loss;
        _recover = SndNxt;
        _lostEnd = SndNxt;
        _highRxt = SndUna;
        _renoBytes = 0;
        _duplicateAcks = 0;
        _retransmitNow = true;
        Recount();
    }

    /// <summary>Sends the next lost bytes again, if the congestion window has room or it is the first segment of a recovery.</summary>
    private bool Retransmit(Instant now)
    {
        if (_lossState == LossState.Open)
            return false;
        var from = Seq.Max(_highRxt, SndUna);
        var end = _lostEnd;
        if (_scoreboard is not null)
            from = _scoreboard.NextGap(from, _lostEnd, out end);
        if (Seq.Ge(from, end))
            return false;
        var full = CurrentSegmentSize;
        var room = CongestionWindow - Pipe;
        if (room < full && !_retransmitNow)
            return false;
        var length = (int)Math.Min(end - from, (uint)Math.Clamp(room, full, MaxPayload));
        if (length > full)
            length -= length % full;
        if (!FitsWindow(from, ref length))
            return false;
        SendAgain(from, length, now);
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

    private void SendAgain(uint from, int length, Instant now)
    {
        if (_lossState == LossState.Recovery)
            _layer.Counters.TcpExtTCPFastRetrans++;
        else
            _layer.Counters.TcpExtTCPSlowStartRetrans++;
        _retransmitNow = false;
        _isTiming = false;
        _highRxt = from + (uint)length;
        _againBytes += length;
        _reduction.Sent(length);
        var flags = TcpFlags.Ack;
        var data = (int)Math.Min((uint)length, _send.End - from);
        if (FinSent && from + (uint)data == _send.End)
        {
            // The FIN rides along, whether it was asked for or not.
            flags |= TcpFlags.Fin;
            _highRxt = Seq.Min(_send.End + 1, Seq.Max(_lostEnd, _highRxt));
        }

        if (from + (uint)data == _send.End && data > 0)
            flags |= TcpFlags.Psh;
        Emit(from, data, flags, again: true, now);
        if (_rtoAt == Instant.Never)
            RestartRetransmissionTimer(now);
    }

    /// <summary>Takes SACK blocks (RFC 2018; RFC 6675, 4, Update).</summary>
    /// <returns>Bytes that were not known to have arrived.</returns>
    private int TakeReports(in TcpHeader segment)
    {
        var before = _scoreboard?.Bytes ?? 0;
        var floor = Seq.Max(SndUna, segment.Acknowledgment);
        for (var i = 0; i < segment.SackCount; i++)
        {
            var block = segment.Sacks[i];
            if (Seq.Ge(block.Start, block.End) || Seq.Gt(block.End, SndNxt))
            {
                _layer.Counters.TcpExtTCPSACKDiscard++;
                continue;
            }

            // Below the acknowledgement it is a report of a duplicate (RFC 2883), which says nothing new here.
            if (Seq.Le(block.End, floor))
                continue;
            _scoreboard ??= _layer.RentScoreboard();
            if (!_scoreboard.Add(new SackBlock(Seq.Max(block.Start, floor), block.End)))
                _layer.Counters.TcpExtTCPSACKDiscard++;
        }

        return (_scoreboard?.Bytes ?? 0) - before;
    }

    private void TrimScoreboard()
    {
        _scoreboard!.RemoveBelow(SndUna);
        if (_scoreboard.Count == 0)
            DropScoreboard();
    }

    private void DropScoreboard()
    {
        if (_scoreboard is null)
            return;
        _layer.ReturnScoreboard(_scoreboard);
        _scoreboard = null;
    }

    /// <summary>Counts lost and repeated bytes anew: after an acknowledgement, not per segment.</summary>
    private void Recount()
    {
        _lostBytes = 0;
        _againBytes = 0;
        if (_lossState == LossState.Open)
        {
            _renoBytes = Math.Min(_renoBytes, (int)(SndNxt - SndUna));
            return;
        }

        if (Seq.Gt(_lostEnd, SndUna))
            _lostBytes = (int)(_lostEnd - SndUna) - (_scoreboard?.BytesBelow(_lostEnd) ?? 0);
        if (Seq.Gt(_highRxt, SndUna))
            _againBytes = (int)(_highRxt - SndUna) - (_scoreboard?.BytesBelow(_highRxt) ?? 0);
        _renoBytes = Math.Min(_renoBytes, (int)(SndNxt - SndUna) - _lostBytes);
    }

    private void CreditWriter(int bytes)
    {
        _acknowledgedCredit += bytes;
        // Not for every acknowledgement: the writer is woken when it pays, or when there is nothing left to wait for.
        if (!_closedByOwner && _acknowledgedCredit > 0 && (_acknowledgedCredit >= _sendBuffer / 8 || _send.Bytes == 0))
            Raise(SocketEvents.Writable);
    }
}
