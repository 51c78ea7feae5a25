using Tapwire.Stack.Packets;

namespace Tapwire.Stack.Tcp.Connection;

/// <content>
/// Processing of acknowledgements (RFC 9293, 3.10.7.4, fifth check; RFC 5961, 5): the window, the data that has arrived, the round trip.
/// <see cref="LossRecovery"/> derives the losses.
/// </content>
internal sealed partial class TcpSender
{
    /// <summary>An acknowledgement can be true: it answers data that was sent, and not too long ago (RFC 5961, 5). As in Linux (tcp_ack), data that was never
    /// delivered cannot have been acknowledged. Without this a forged segment on a young connection could use a whole window of numbers below the first
    /// one.</summary>
    public bool CanBeTrue(uint ack) => Seq.Le(ack, SndNxt) && (Seq.Ge(ack, SndUna) || SndUna - ack <= Math.Min(_window.Largest, Rate.Delivered));

    /// <summary>Takes an acknowledgement that can be true.</summary>
    /// <param name="length">Bytes of data in the segment.</param>
    public void Acknowledged(in TcpHeader segment, int length, Instant now)
    {
        var ack = segment.Acknowledgment;
        _state?.Persist.Answered();
        var hasReports = connection.UsesSelectiveAck && segment.SackCount > 0;
        var isOld = Seq.Lt(ack, SndUna);
        if (isOld)
        {
            // A later acknowledgement has overtaken this one. Its reports beyond SND.UNA are still valid, as in Linux (tcp_ack, old_ack).
            Layer.Counters.TcpExtTCPOldAck++;
            if (!hasReports)
                return;
        }

        var windowChanged = !isOld && _window.Update(segment, WindowShift, SndUna);
        var isBare = ack == SndUna && length == 0 && !windowChanged && segment.SackCount == 0;
        var isTailLossProbeDuplicate = _state is not null && _state.TailLossProbe.Answered(segment, isBare, now);
        // Even with nothing in flight, the last retransmission may turn out to have been needless.
        if (_state?.Board.Log is null && Seq.Le(ack, SndUna) && !hasReports)
            return;
        var state = State;
        var report = new AckReport
        {
            Now = now,
            SegmentSize = SegmentSize,
            FlightSize = Flight,
            AlreadyArrived = AlreadyArrived,
            MinRoundTrip = RoundTrips.Min,
            IsWindowLimited = state.NewData.IsCongestionLimited,
            IsTailLossProbeDuplicate = isTailLossProbeDuplicate,
        };
        if (Seq.Gt(ack, SndUna))
            Advance(ack, segment, ref report);
        if (connection.State is TcpState.Closed or TcpState.TimeWait)
            return;
        if (hasReports)
            state.Board.TakeReports(segment, ref report);
        if (report.Acknowledged == 0 && report.FlightSize > 0
            && (connection.UsesSelectiveAck ? report.Delivered > 0 : length == 0 && !windowChanged && !segment.Has(TcpFlags.Fin)))
            state.Recovery.DuplicateArrived(ref report);
        if (report.Acknowledged == 0 && report.Delivered == 0 && !report.HasDuplicate)
            return;
        state.Board.MeasureRoundTrip(segment, ref report);
        state.Recovery.Acknowledged(segment, ref report);
    }

    /// <summary>The first SACK block reports a duplicate (RFC 2883, 4).</summary>
    public void DuplicateReported(SackBlock block, ref AckReport report)
    {
        // Data so far below SND.UNA was not sent again lately: the network has duplicated it, or the report is made up.
        if (Seq.Lt(block.Start, SndUna - _window.Largest))
            return;
        Layer.Counters.TcpExtTCPDSACKRecv++;
        // More bytes are reported than were ever sent again: the network duplicates them.
        _unreportedRepeats -= block.End - block.Start;
        if (_unreportedRepeats < 0)
            return;
        report.HasDuplicate = true;
        if (!State.TailLossProbe.IsOut && !report.IsTailLossProbeDuplicate)
            State.Recovery.DuplicateReported();
        State.Undo.DuplicateReported(block);
    }

    /// <summary>The echoed timestamp is older than a time of ours (RFC 3522, 3.2).</summary>
    /// <param name="clock">A time on the timestamp clock.</param>
    public bool AnswersBefore(in TcpHeader segment, uint clock) => connection.Timestamps.HasEcho(segment) && Seq.Lt(connection.Timestamps.SentAt(segment.TimestampEcho), clock);

    /// <summary>New data is acknowledged.</summary>
    private void Advance(uint ack, in TcpHeader segment, ref AckReport report)
    {
        var state = State;
        var data = (int)Math.Min(ack - SndUna, (uint)state.Queue.Bytes);
        report.Acknowledged = (int)(ack - SndUna);
        state.Board.Acknowledged(ack, segment, ref report);
        ReleaseAcknowledged(data);
        SndUna = ack;
        state.NewData.Acknowledged(ack);
        state.Recovery.Advanced(ack, ref report);
        state.Timer.Progress();
        connection.ProgressMade(report.Now);
        CreditWriter(data);
        if (_finQueued && ack == state.Queue.End + 1)
            connection.FinAcknowledged(report.Now);
    }

    private void ReleaseAcknowledged(int bytes)
    {
        if (bytes > 0)
            State.Queue.Acknowledge(bytes, ref State.Places);
    }

    /// <summary>The writer gets room for the acknowledged bytes, and for the growth of the buffer. With many writers each buffer grows less, or data that waits
    /// for a shared wire would fill the memory.</summary>
    private void CreditWriter(int bytes)
    {
        _buffer.Free(bytes);
        if (!Layer.IsWellUsed && !_finQueued)
            _buffer.Grow(_state?.Congestion.Window ?? _initialWindow, Layer.LaterSendShare);
        if (!connection.IsClosedByOwner && _buffer.IsWorthWaking(QueuedBytes))
            connection.Raise(SocketEvents.Writable);
    }
}
