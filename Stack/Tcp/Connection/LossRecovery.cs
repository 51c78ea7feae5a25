using Tapwire.Stack.Packets;

namespace Tapwire.Stack.Tcp.Connection;

internal enum LossState : byte
{
    /// <summary>Nothing is known to be lost.</summary>
    Open,

    /// <summary>CWR: routers have marked packets (RFC 3168), and the congestion window is being reduced. Nothing is known to be lost.</summary>
    CongestionWindowReduced,

    /// <summary>Fast recovery: acknowledgements have shown a loss.</summary>
    Recovery,

    /// <summary>The timer ran out: everything that has not arrived counts as lost.</summary>
    Loss,
}

/// <summary>
/// Loss recovery: fast recovery (RFC 5681, RFC 6582, RFC 6675), recovery after a time-out (RFC 6298, RFC 8985, 6.3), and the rate of retransmission (RFC 9937,
/// or the congestion control's pace). The other part of this class detects losses.
/// </summary>
internal sealed partial class LossRecovery(SenderState state)
{
    private static readonly TimeSpan LeastRenegingDelay = TimeSpan.FromMilliseconds(10);

    private ProportionalRateReduction _rateReduction;
    private LossEvents _events;

    /// <summary>RFC 6582's recover: recovery ends when everything below it is acknowledged. It follows SND.UNA afterwards.</summary>
    private uint _recover;

    /// <summary>This recovery reduces the window: something was lost to congestion, not for its size.</summary>
    private bool _isReducing;

    /// <summary>The next lost segment is sent even if the congestion window has no room.</summary>
    private bool _retransmitNow;

    public LossState State { get; private set; }

    /// <summary>The congestion window, or that of rate reduction during a recovery.</summary>
    public long Window => IsRecovering && _isReducing && state.Congestion.UsesProportionalRateReduction ? _rateReduction.Window : state.Congestion.Window;

    /// <summary>A fresh object from the pool would behave the same.</summary>
    public bool IsIdle => State == LossState.Open && _duplicateAcks == 0 && RenoBytes == 0 && _recover != Sender.SndUna && !_rack.HasLearnt;

    /// <summary>Losses keep the window small, not one now and then.</summary>
    public bool IsPathLossy => _events.AreMany(Sender.SegmentSize);

    private bool IsRecovering => State is LossState.Recovery or LossState.CongestionWindowReduced;

    private TcpSender Sender => state.Sender;

    private TransmissionLog? Log => state.Board.Log;

    /// <summary>Begins with everything below <paramref name="sndUna"/> acknowledged.</summary>
    public void Begin(uint sndUna)
    {
        _rack.Begin(sndUna);
        _recover = sndUna - 1;
    }

    /// <summary>Acts on an acknowledgement that has brought news.</summary>
    public void Acknowledged(in TcpHeader segment, ref AckReport report)
    {
        var sender = Sender;
        if (sender.Connection.UsesSelectiveAck)
            DetectLoss(ref report);
        UpdateState(segment, ref report);
        _events.Delivered(report.Delivered, sender.SegmentSize);
        report.InFlight = sender.Pipe;
        sender.Rate.Finish(ref report);
        state.Congestion.Acknowledged(report, IsRecovering);
        if (IsRecovering && _isReducing)
            _rateReduction.Acknowledged(report.Delivered, report.InFlight, state.Congestion.SlowStartThreshold, sender.SegmentSize, isSafe: report.Acknowledged > 0 && report.Lost == 0);
        if (sender.SndUna == sender.SndNxt)
            state.Timer.Stop();
        else if (report.Acknowledged > 0)
            state.Timer.Restart(report.Now);
        SuspectReneging(report);
    }

    /// <summary>The retransmission timer ran out: everything in flight counts as lost (RFC 6298, 5.4; RFC 8985, 6.3).</summary>
    /// <param name="isFirst">The first time-out, not one of several in a row.</param>
    public void TimedOut(bool isFirst, Instant now)
    {
        if (State == LossState.Recovery)
            Sender.Layer.Counters.TcpExtTCPSackRecoveryFail++;
        if (isFirst)
        {
            state.Undo.Begin();
            _events.Add();
        }

        state.Undo.BeginVerification(mayVerify: isFirst && State == LossState.Open);
        ForgetReneged(isFirst);
        state.WindowReduced();
        state.Congestion.TimedOut(Sender.Flight, Sender.SegmentSize, isFirst, now);
        State = LossState.Loss;
        state.TailLossProbe.End(now);
        _recover = Sender.SndNxt;
        RenoBytes = 0;
        _duplicateAcks = 0;
        state.Pacer.Reset();
        MarkAllLost(now);
    }

    /// <summary>Everything in flight was too large for the path and must be sent again, which is no congestion.</summary>
    public void SendAllAgain(Instant now)
    {
        MarkAllLost(now);
        if (State > LossState.CongestionWindowReduced)
            return;
        State = LossState.Recovery;
        _recover = Sender.SndNxt;
        state.Undo.Rule();
        state.TailLossProbe.End(now);
    }

    /// <summary>The losses were spurious.</summary>
    /// <param name="isReported">The peer has reported a duplicate, which has already widened the reordering window.</param>
    public void Undo(bool isReported, Instant now)
    {
        if (!isReported)
            _rack.DuplicateReported(Sender.SndUna, Sender.SndNxt);
        state.Congestion.Undo();
        _events.Undo();
        if (State == LossState.Open)
            return;
        Log?.ForgetLosses();
        Reopen();
        if (Log?.Oldest is not { } oldest)
            return;
        ReorderingTimeoutAt = _rack.LostAt(oldest, ReorderingWindow(isCertain: false));
        state.Timer.Restart(now);
    }

    /// <summary>Sends the next lost bytes again, if the congestion window has room or it is the first segment of a recovery.</summary>
    public bool Retransmit(Instant now)
    {
        if (Log?.FirstLost is not { } entry || state.Undo.AwaitsNewData)
            return false;
        var full = Sender.CurrentSegmentSize;
        var room = Window - Sender.Pipe;
        if (room < full && !_retransmitNow)
            return false;
        if (!state.Pacer.Allows(now))
            return false;
        var length = (int)Math.Min((uint)entry.Length, (uint)Math.Clamp(room, full, state.NewData.MaxPayload(full)));
        if (length < entry.Length && length > full)
            length -= length % full;
        // The FIN is sent with the last byte.
        if (length + 1 == entry.Length && Sender.FinSent && entry.End == Sender.SndNxt)
            length++;
        if (!FitsWindow(entry.Start, ref length))
            return false;
        if (length < entry.Length)
            Log.TrySplit(entry, entry.Start + (uint)length, isForSending: true);
        if (State == LossState.Loss)
            Sender.Layer.Counters.TcpExtTCPSlowStartRetrans++;
        else
            Sender.Layer.Counters.TcpExtTCPFastRetrans++;
        _retransmitNow = false;
        Sender.EmitAgain(entry, now);
        if (state.Timer.At == Instant.Never)
            state.Timer.Restart(now);
        return true;
    }

    /// <summary>Counts bytes that are sent, new or again.</summary>
    public void Sent(int bytes) => _rateReduction.Sent(bytes);

    public void Clear()
    {
        _rack = default;
        _rateReduction = default;
        _events = default;
        _duplicateAcks = 0;
        _isReducing = false;
        _retransmitNow = false;
        _onlyMtuProbeLost = false;
        State = LossState.Open;
        RenoBytes = 0;
        ReorderingTimeoutAt = Instant.Never;
    }

    private void UpdateState(in TcpHeader segment, ref AckReport report)
    {
        state.Undo.Try(segment, report);
        switch (State)
        {
            case LossState.Open:
                if (report.Acknowledged > 0)
                {
                    _recover = Seq.Max(_recover, Sender.SndUna - 1);
                    RenoBytes = 0;
                }

                if (IsLossKnown(ref report))
                    Enter(report);
                else
                    MarksEchoed(segment, report);
                break;
            case LossState.CongestionWindowReduced:
                if (IsLossKnown(ref report))
                    Enter(report);
                else if (report.Acknowledged > 0)
                    CwrAcknowledged(segment, report);
                break;
            case LossState.Recovery when report.Lost > 0 && !_isReducing && !_onlyMtuProbeLost:
                ReduceWindow(report);
                goto case LossState.Recovery;
            case LossState.Recovery:
                if (report.Acknowledged == 0)
                    break;
                if (Seq.Ge(Sender.SndUna, _recover))
                    Leave();
                else if (!Sender.Connection.UsesSelectiveAck)
                    PartialAcknowledgment(ref report);
                break;
            case LossState.Loss:
                TimeoutAcknowledged(report);
                break;
        }
    }

    private void Enter(in AckReport report)
    {
        // A congestion mark has already reduced the window, once per window of data.
        var isReduced = State == LossState.CongestionWindowReduced;
        State = LossState.Recovery;
        _recover = Sender.SndNxt;
        _retransmitNow = true;
        state.TailLossProbe.End(report.Now);
        if (!isReduced)
        {
            state.Undo.Begin();
            _isReducing = false;
            if (!_onlyMtuProbeLost)
            {
                _events.Add();
                ReduceWindow(report);
            }
        }

        if (Sender.Connection.UsesSelectiveAck)
            Sender.Layer.Counters.TcpExtTCPSackRecovery++;
        else
            Sender.Layer.Counters.TcpExtTCPRenoRecovery++;
    }

    /// <summary>The next byte is missing too (RFC 6582, 3.2, step 3).</summary>
    private void PartialAcknowledgment(ref AckReport report)
    {
        RenoBytes = Math.Max(0, RenoBytes - Math.Max(0, report.Acknowledged - Sender.SegmentSize));
        if (Log is null || Log.First.State == TransmissionState.Lost || Log.First.IsRepeated)
            return;
        MarkFirstLost(ref report);
        _retransmitNow = true;
    }

    private void TimeoutAcknowledged(in AckReport report)
    {
        if (!state.Undo.IsTimeoutConfirmed(report) || report.Acknowledged == 0)
            return;
        if (Seq.Ge(Sender.SndUna, _recover))
            Leave();
        else if (!Sender.Connection.UsesSelectiveAck)
            RenoBytes = 0;
    }

    /// <summary>The peer echoes a congestion mark. Congestion control takes it for a loss, once per window (RFC 3168, 6.1.2).</summary>
    private void MarksEchoed(in TcpHeader segment, in AckReport report)
    {
        if (!Sender.Connection.UsesEcn || !segment.Has(TcpFlags.Ece) || segment.Has(TcpFlags.Syn) || Seq.Le(Sender.SndUna, _recover))
            return;
        Sender.Layer.Counters.TcpEcnWindowReductions++;
        State = LossState.CongestionWindowReduced;
        _recover = Sender.SndNxt;
        state.Undo.Rule();
        state.TailLossProbe.End(report.Now);
        ReduceWindow(report);
    }

    private void ReduceWindow(in AckReport report)
    {
        _isReducing = true;
        state.WindowReduced();
        state.Congestion.LossDetected(report.FlightSize, Sender.SegmentSize, report.Now);
        _rateReduction.Begin(report.FlightSize - report.AlreadyArrived, state.Congestion.Window);
    }

    private void CwrAcknowledged(in TcpHeader segment, in AckReport report)
    {
        RenoBytes = 0;
        if (Seq.Lt(Sender.SndUna, _recover))
            return;
        Leave();
        // The acknowledgement may answer data sent after the reduction, and echo the next mark.
        MarksEchoed(segment, report);
    }

    private void Leave()
    {
        if (State > LossState.CongestionWindowReduced)
            _rack.RecoveryEnded();
        if (_isReducing || State == LossState.Loss)
            state.Congestion.Recovered();
        Reopen();
    }

    private void Reopen()
    {
        State = LossState.Open;
        state.Undo.RecoveryEnded();
        _duplicateAcks = 0;
        RenoBytes = 0;
        _retransmitNow = false;
        _isReducing = false;
    }

    /// <summary>The data after the acknowledgement has been reported as arrived: either another acknowledgement is under way, or the peer has reneged (RFC
    /// 2018, 8). As in Linux (tcp_check_sack_reneging), the timer is shortened to tell.</summary>
    private void SuspectReneging(in AckReport report)
    {
        if (report.Acknowledged == 0 || Log?.First.State != TransmissionState.Arrived)
            return;
        var half = Sender.RoundTrips.Smoothed / 2;
        state.Timer.Hasten(report.Now + (half > LeastRenegingDelay ? half : LeastRenegingDelay));
    }

    /// <summary>A second time-out reveals a peer that has reneged, or a cumulative acknowledgement that ends where a reported range begins (RFC 2018,
    /// 8).</summary>
    private void ForgetReneged(bool isFirst)
    {
        if (Log is null)
            return;
        var hasReneged = Log.First.State == TransmissionState.Arrived;
        if (hasReneged)
            Sender.Layer.Counters.TcpExtTCPSACKReneging++;
        if (hasReneged || !isFirst)
            Log.ForgetArrivals();
    }

    /// <summary>Limits a retransmission to the window of a peer that has shrunk it. The first segment is sent in any case, as a zero-window probe, as in Linux
    /// (RFC 9293, 3.8.6).</summary>
    private bool FitsWindow(uint from, ref int length)
    {
        var window = (int)(Sender.SndUna + Sender.SndWnd - from);
        if (window >= length)
            return true;
        if (window > 0)
            length = window;
        else
            length = Math.Min(length, Sender.CurrentSegmentSize);
        return window > 0 || from == Sender.SndUna;
    }
}
