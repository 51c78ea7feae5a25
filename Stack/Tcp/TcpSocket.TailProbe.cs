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

    /// <summary>When a probe would be sent, if there is to be one.</summary>
    private Instant TailProbeAt(Instant now)
    {
        if (!_selectiveAck || Sender.TailProbeSent || Sender.LossState != LossState.Open || Log is not { ArrivedBytes: 0 } || _backoff > 0 || !_rtt.IsMeasured || SndWnd == 0)
            return Instant.Never;
        // A single segment may be acknowledged late on purpose.
        var single = Flight <= _segmentSize;
        return now + 2 * _rtt.Smoothed + (single ? _layer.Options.MinRto : ProbeMargin);
    }

    private void TailProbeTimedOut(Instant now)
    {
        _layer.Counters.TcpExtTCPLossProbes++;
        Sender.TailProbeSent = true;
        Sender.TailProbeDue = true;
        RestartRetransmissionTimer(now);
    }

    /// <summary>New data if there is any and the window allows it, otherwise the last segment again (RFC 8985, 7.3).</summary>
    private bool SendTailProbe(Instant now)
    {
        if (!Sender.TailProbeDue)
            return false;
        Sender.TailProbeDue = false;
        if (SndUna == SndNxt)
            return false;
        var fresh = Math.Min(Math.Min(Unsent, UsableWindow), CurrentSegmentSize);
        Sender.TailProbeRepeats = fresh <= 0;
        if (!Sender.TailProbeRepeats)
        {
            EmitNew(fresh, now);
            Sender.TailProbeEnd = SndNxt;
            return true;
        }

        Sender.TailProbeEnd = SndNxt;
        var last = Log!.Last;
        var length = CurrentSegmentSize + (FinSent ? 1 : 0);
        if (last.Length > length && Log.TrySplit(Log.Count - 1, last.End - (uint)length, isForSending: true))
            last = Log.Last;
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
        if (_sender is not { TailProbeSent: true } || Seq.Lt(segment.Acknowledgment, _sender.TailProbeEnd))
            return false;
        // The FIN, which counts in our numbers, is not reported.
        var isDuplicate = Sender.TailProbeRepeats && segment.SackCount > 0 && Seq.Le(segment.Sacks[0].End, segment.Acknowledgment)
            && Seq.Ge(segment.Sacks[0].End, Sender.TailProbeEnd - 1);
        var isLater = Seq.Gt(segment.Acknowledgment, Sender.TailProbeEnd);
        if (Sender.TailProbeRepeats && !isDuplicate && !isLater && !isBare)
            return false;
        Sender.TailProbeSent = false;
        Sender.TailProbeDue = false;
        if (Sender.TailProbeRepeats && !isDuplicate && isLater && Sender.LossState == LossState.Open)
            TailProbeRepaired(Flight, now);
        return isDuplicate;
    }

    private void TailProbeRepaired(int inFlight, Instant now)
    {
        _layer.Counters.TcpExtTCPLossProbeRecovery++;
        Sender.Congestion.LossDetected(inFlight, _segmentSize, now);
        Sender.Congestion.Recovered();
    }

    /// <summary>Losses are known: a probe that is out tells nothing more, and the timer counts as the retransmission timer again.</summary>
    private void EndTailProbe(Instant now)
    {
        Sender.TailProbeSent = false;
        Sender.TailProbeDue = false;
        if (Sender.TimerIsTailProbe && _rtoAt != Instant.Never)
            RestartRetransmissionTimer(now);
    }
}
