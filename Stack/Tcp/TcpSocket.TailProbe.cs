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
        var single = Flight <= _segmentSize;
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
        var fresh = Math.Min(Math.Min(Unsent, UsableWindow), CurrentSegmentSize);
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
        if (last.Length > length && _log.TrySplit(_log.Count - 1, last.End - (uint)length, isForSending: true))
            last = _log.Last;
        Repeat(last, now);
        return true;
    }

    /// <summary>Everything up to the probe is acknowledged (RFC 8985, 7.4.2). If the probe repeated a segment, that may answer either copy: a peer that had
    /// both says so, with a report (RFC 2883) or with the same acknowledgement once more; if it has not until something later is acknowledged, the
    /// probe has repaired a loss, which is one as any other.</summary>
    /// <param name="isBare">The acknowledgement repeats the last one and tells nothing else.</param>
    /// <returns>True: the peer reports the probe as a duplicate.</returns>
    private bool TailProbeAnswered(in TcpHeader segment, bool isBare, Instant now)
    {
        if (!_tailProbeSent || Seq.Lt(segment.Acknowledgment, _tailProbeEnd))
            return false;
        // The FIN, which counts in our numbers, is not reported.
        var isDuplicate = _tailProbeRepeats && segment.SackCount > 0 && Seq.Le(segment.Sacks[0].End, segment.Acknowledgment)
            && Seq.Ge(segment.Sacks[0].End, _tailProbeEnd - 1);
        var isLater = Seq.Gt(segment.Acknowledgment, _tailProbeEnd);
        if (_tailProbeRepeats && !isDuplicate && !isLater && !isBare)
            return false;
        _tailProbeSent = false;
        _tailProbeDue = false;
        if (_tailProbeRepeats && !isDuplicate && isLater && _lossState == LossState.Open)
            TailProbeRepaired(Flight, now);
        return isDuplicate;
    }

    private void TailProbeRepaired(int inFlight, Instant now)
    {
        _layer.Counters.TcpExtTCPLossProbeRecovery++;
        _congestion.LossDetected(inFlight, _segmentSize, now);
        _congestion.Recovered();
    }

    /// <summary>Losses are known: a probe that is out tells nothing more, and the timer counts as the retransmission timer again.</summary>
    private void EndTailProbe(Instant now)
    {
        _tailProbeSent = false;
        _tailProbeDue = false;
        if (_timerIsTailProbe && _rtoAt != Instant.Never)
            RestartRetransmissionTimer(now);
    }
}
