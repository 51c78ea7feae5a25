using Tapwire.Stack.Packets;

namespace Tapwire.Stack.Tcp;

/// <content>
/// Tail loss probes (RFC 8985, 7): when nothing has been heard for two round trips, one segment goes out long before the retransmission timer would
/// run out. Its report shows what was lost at the end of a flight; or its mere acknowledgement makes good for one that was lost.
/// </content>
public sealed partial class TcpSocket
{
    /// <summary>What a round trip is allowed beyond its measure: timers and batches (TCP_TIMEOUT_MIN).</summary>
    private static readonly TimeSpan ProbeMargin = TimeSpan.FromMilliseconds(2);

    private uint _tailProbeEnd;

    /// <summary>The retransmission timer is set for a probe.</summary>
    private bool _timerIsTailProbe;

    /// <summary>A probe is out and no new data has been acknowledged since.</summary>
    private bool _tailProbeSent;
    private bool _tailProbeRepeats;
    private bool _tailProbeDue;

    /// <summary>When a probe would be sent, if there is to be one.</summary>
    private Instant TailProbeAt(Instant now)
    {
        if (!_selectiveAck || _tailProbeSent || _lossState != LossState.Open || _log is not { ArrivedBytes: 0 } || _backoff > 0 || !_rtt.IsMeasured || SndWnd == 0)
            return Instant.Never;
        // A single segment may be acknowledged late on purpose.
        var single = (int)(SndNxt - SndUna) <= _segmentSize;
        return now + 2 * _rtt.Smoothed + (single ? _layer.Options.MinRto : ProbeMargin);
    }

    private void TailProbeTimedOut(Instant now)
    {
        _layer.Counters.TcpExtTCPLossProbes++;
        _tailProbeSent = true;
        _tailProbeDue = true;
        RestartRetransmissionTimer(now);
    }

    /// <summary>New data if there is any and the window allows it, otherwise the last segment again (RFC 8985, 7.3).</summary>
    private bool SendTailProbe(Instant now)
    {
        if (!_tailProbeDue)
            return false;
        _tailProbeDue = false;
        if (SndUna == SndNxt)
            return false;
        var window = (int)(SndUna + SndWnd - SndNxt);
        var fresh = Math.Min(Math.Min(Unsent, window), CurrentSegmentSize);
        _tailProbeRepeats = fresh <= 0;
        if (!_tailProbeRepeats)
        {
            EmitNew(fresh, now);
            _tailProbeEnd = SndNxt;
            return true;
        }

        _tailProbeEnd = SndNxt;
        var last = _log!.Last;
        var length = CurrentSegmentSize + (FinSent ? 1 : 0);
        if (last.Length > length && _log.TrySplit(_log.Count - 1, last.End - (uint)length))
            last = _log.Last;
        if (last.Length <= length)
            Repeat(last, now);
        return true;
    }

    /// <summary>New data is acknowledged. If a repeated segment was the lost one, that was a loss as any other (RFC 8985, 7.4); a peer that had both
    /// copies says so (RFC 2883).</summary>
    private void TailProbeAnswered(in TcpHeader segment, int inFlight, Instant now)
    {
        if (!_tailProbeSent)
            return;
        _tailProbeSent = false;
        _tailProbeDue = false;
        var duplicate = segment.SackCount > 0 && Seq.Le(segment.Sacks[0].End, segment.Acknowledgment);
        if (!_tailProbeRepeats || duplicate || _lossState != LossState.Open || Seq.Lt(segment.Acknowledgment, _tailProbeEnd))
            return;
        _layer.Counters.TcpExtTCPLossProbeRecovery++;
        _congestion.LossDetected(inFlight, _segmentSize, now);
        _congestion.Recovered();
    }
}
