using Tapwire.Stack.Packets;

namespace Tapwire.Stack.Tcp.Connection;

/// <summary>
/// Tail loss probes (RFC 8985, 7): after two round trips of silence one segment is sent, long before the retransmission timer would run out. SACK reports for
/// it show losses at the end of a flight; or the probe itself repairs the loss of the last segment.
/// </summary>
internal sealed class TailLossProbe(SenderState state)
{
    /// <summary>Allowance beyond the measured round trip for timers and batches (TCP_TIMEOUT_MIN).</summary>
    private static readonly TimeSpan Margin = TimeSpan.FromMilliseconds(2);

    /// <summary>A probe must be sent.</summary>
    public bool IsDue { get; private set; }

    /// <summary>The probe was a retransmission.</summary>
    private bool _repeats;

    /// <summary>TLP.end_seq: SND.NXT when the probe left.</summary>
    private uint _end;

    /// <summary>A probe is in flight, and no new data has been acknowledged since.</summary>
    public bool IsOut { get; private set; }

    public bool IsIdle => !IsOut && !IsDue;

    private TcpSender Sender => state.Sender;

    /// <summary>When a probe is due; Never if none is allowed.</summary>
    public Instant At(Instant now)
    {
        var sender = Sender;
        if (!sender.Connection.UsesSelectiveAck || IsOut || state.Recovery.State != LossState.Open || state.Board.Log is not { ArrivedBytes: 0 }
            || state.Timer.Timeouts > 0 || !sender.RoundTrips.IsMeasured || sender.SndWnd == 0)
            return Instant.Never;
        // The peer may delay the acknowledgement of a single segment.
        var single = sender.Flight <= sender.SegmentSize;
        return now + 2 * sender.RoundTrips.Smoothed + (single ? sender.Layer.Options.MinRto : Margin);
    }

    /// <summary>A probe is due.</summary>
    public void TimedOut()
    {
        Sender.Layer.Counters.TcpExtTCPLossProbes++;
        IsOut = true;
        IsDue = true;
    }

    /// <summary>Sends new data if there is any and the window allows it, otherwise the last segment again (RFC 8985, 7.3).</summary>
    public bool Send(Instant now)
    {
        if (!IsDue)
            return false;
        IsDue = false;
        if (Sender.SndUna == Sender.SndNxt)
            return false;
        var fresh = Math.Min(Math.Min(Sender.Unsent, Sender.UsableWindow), Sender.CurrentSegmentSize);
        _repeats = fresh <= 0;
        if (!_repeats)
        {
            state.NewData.Emit(fresh, now);
            _end = Sender.SndNxt;
            return true;
        }

        _end = Sender.SndNxt;
        var log = state.Board.Log!;
        var last = log.Last;
        var length = Sender.CurrentSegmentSize + (Sender.FinSent ? 1 : 0);
        if (last.Length > length && log.TrySplit(last, last.End - (uint)length, isForSending: true))
            last = log.Last;
        Sender.EmitAgain(last, now);
        return true;
    }

    /// <summary>Takes an acknowledgement that covers the probe (RFC 8985, 7.4.2). If the probe was a retransmission, the acknowledgement may answer either
    /// copy. A peer that received both says so with a D-SACK (RFC 2883) or by repeating the acknowledgement. If it does neither until something later is
    /// acknowledged, the probe has repaired a loss, which counts like any other.</summary>
    /// <param name="isBare">The segment repeats the last acknowledgement and carries nothing else.</param>
    /// <returns>True: the peer reports the probe as a duplicate.</returns>
    public bool Answered(in TcpHeader segment, bool isBare, Instant now)
    {
        if (!IsOut || Seq.Lt(segment.Acknowledgment, _end))
            return false;
        // The peer's report does not cover the FIN, which has one of our sequence numbers.
        var isDuplicate = _repeats && segment.SackCount > 0 && Seq.Le(segment.Sacks[0].End, segment.Acknowledgment) && Seq.Ge(segment.Sacks[0].End, _end - 1);
        var isLater = Seq.Gt(segment.Acknowledgment, _end);
        if (_repeats && !isDuplicate && !isLater && !isBare)
            return false;
        IsOut = false;
        IsDue = false;
        if (_repeats && !isDuplicate && isLater && state.Recovery.State == LossState.Open)
            HasRepaired(now);
        return isDuplicate;
    }

    /// <summary>Losses are known: a probe in flight tells nothing more, and the timer is the retransmission timer again.</summary>
    public void End(Instant now)
    {
        IsOut = false;
        IsDue = false;
        state.Timer.TailLossProbeEnded(now);
    }

    public void Clear()
    {
        IsOut = false;
        IsDue = false;
        _repeats = false;
    }

    private void HasRepaired(Instant now)
    {
        Sender.Layer.Counters.TcpExtTCPLossProbeRecovery++;
        state.Congestion.LossDetected(Sender.Flight, Sender.SegmentSize, now);
        state.Congestion.Recovered();
    }
}
