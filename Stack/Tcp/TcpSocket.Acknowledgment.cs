using Tapwire.Stack.Packets;

namespace Tapwire.Stack.Tcp;

/// <content>
/// What an acknowledgement says (RFC 9293, 3.10.7.4, fifth check; RFC 5961, 5; RFC 2018; RFC 2883): the window, what has arrived, how long it took. What
/// follows from it for losses stands in the part on recovery.
/// </content>
public sealed partial class TcpSocket
{
    /// <summary>So long the least round trip is remembered (tcp_min_rtt_wlen).</summary>
    private static readonly TimeSpan MinRoundTripFilter = TimeSpan.FromSeconds(300);

    private DeliveryRate _rate;

    /// <summary>Bytes sent more than once, less those reported as received twice, since the connection began.</summary>
    private long _unreportedRepeats;
    private TimeSpan _minRoundTrip;
    private Instant _minRoundTripAt;

    /// <summary>Up to here everything was sent before the last round trip was measured: one measurement per round trip (RFC 6298, 3).</summary>
    private uint _measuredTo;

    /// <summary>What was in flight below this when the congestion window held the sender back.</summary>
    private uint _windowLimitedTo;

    /// <summary>Bytes between SND.UNA and SND.NXT.</summary>
    private int Flight => (int)(SndNxt - SndUna);

    /// <summary>RFC 6675's pipe: bytes that are in the network as far as is known.</summary>
    private int Pipe => Flight - (_sender is null ? 0 : (Log is null ? 0 : Log.ArrivedBytes + Log.LostBytes) + _sender.RenoBytes);

    /// <summary>Takes an acknowledgement that can be true.</summary>
    private void ProcessAcknowledgment(in TcpHeader segment, int length, Instant now)
    {
        var ack = segment.Acknowledgment;
        _probesUnanswered = 0;
        if (Seq.Lt(ack, SndUna))
        {
            _layer.Counters.TcpExtTCPOldAck++;
            return;
        }

        var windowChanged = UpdateWindow(segment);
        var isProbeDuplicate = TailProbeAnswered(segment, ack == SndUna && length == 0 && !windowChanged && segment.SackCount == 0, now);
        // Also when nothing is in flight any more, the last repetition may turn out to have been needless.
        if (Log is null && ack == SndUna && (segment.SackCount == 0 || !_selectiveAck))
            return;
        var report = new AckReport
        {
            Now = now,
            SegmentSize = _segmentSize,
            MinRoundTrip = _minRoundTrip,
            IsWindowLimited = IsWindowLimited,
            IsTailProbeDuplicate = isProbeDuplicate,
        };
        var inFlight = Flight;
        if (ack != SndUna)
            Advance(ack, segment, ref report);
        if (_state is TcpState.Closed or TcpState.TimeWait)
            return;
        if (_selectiveAck && segment.SackCount > 0)
            TakeReports(segment, ref report);
        if (report.Acknowledged == 0 && inFlight > 0 && (_selectiveAck ? report.Delivered > 0 : length == 0 && !windowChanged && !segment.Has(TcpFlags.Fin)))
            DuplicateArrived(ref report);
        if (report.Acknowledged == 0 && report.Delivered == 0 && !report.HasDuplicate)
            return;
        MeasureRoundTrips(segment, ref report);
        Recover(segment, inFlight, ref report);
    }

    /// <summary>In slow start a window that was used by half counts, for it is to double.</summary>
    private bool IsWindowLimited =>
        Seq.Gt(_windowLimitedTo, SndUna) || Sender.LossState == LossState.Loss
        || (Sender.Congestion.IsInSlowStart && 2L * Flight >= Sender.Congestion.Window);

    /// <summary>RFC 9293, 3.10.7.4; and, as in Linux (tcp_may_update_window), an acknowledgement of new data brings its window whatever its sequence
    /// number: a retransmission has an old one, and with SND.UNA the old window would move beyond the edge that was announced.</summary>
    private bool UpdateWindow(in TcpHeader segment)
    {
        var isOld = Seq.Gt(SndWl1, segment.Sequence) || (SndWl1 == segment.Sequence && Seq.Gt(SndWl2, segment.Acknowledgment));
        if (isOld && Seq.Le(segment.Acknowledgment, SndUna))
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
    private void Advance(uint ack, in TcpHeader segment, ref AckReport report)
    {
        var now = report.Now;
        var data = (int)Math.Min(ack - SndUna, (uint)_send.Bytes);
        report.Acknowledged = (int)(ack - SndUna);
        RemoveAcknowledged(ack, segment, ref report);
        AcknowledgeQueue(data);
        SndUna = ack;
        _lastSmall = Seq.Max(_lastSmall, ack);
        _windowLimitedTo = Seq.Max(_windowLimitedTo, ack);
        if (_sender is not null)
            _sender.DuplicateAcks = 0;
        _backoff = 0;
        _softError = StackError.None;
        _lastProgress = now;
        CreditWriter(data);
        ConfirmReachable(now);
        if (_finQueued && SndUna == _send.End + 1)
            FinAcknowledged(now);
    }

    /// <summary>Takes what is acknowledged out of the log.</summary>
    private void RemoveAcknowledged(uint ack, in TcpHeader segment, ref AckReport report)
    {
        if (Log is null)
            return;
        var repeated = false;
        var sentAt = Instant.Never;
        while (Log.Count > 0 && Seq.Lt(Log.First.Start, ack))
        {
            var entry = Log.First;
            var end = Seq.Min(entry.End, ack);
            if (entry.State != TransmissionState.Arrived)
            {
                repeated |= entry.IsRepeated;
                sentAt = Instant.Min(sentAt, entry.SentAt);
                Arrived(entry, end, (int)(end - entry.Start), segment, ref report);
            }

            if (end == entry.End)
                Log.RemoveFirst();
            else
                Log.TrimFirst(end);
        }

        // What waited behind a gap until it was filled tells nothing about round trips (Karn).
        if (repeated)
            report.RoundTrip = TimeSpan.Zero;
        else if (sentAt != Instant.Never && Seq.Gt(ack, _measuredTo))
            Measured(report.Now - sentAt);
        if (Log.Count == 0)
            DropLog();
    }

    /// <summary>Part of an entry has arrived, up to <paramref name="end"/>.</summary>
    private void Arrived(Transmission entry, uint end, int bytes, in TcpHeader segment, ref AckReport report)
    {
        var elapsed = report.Now - entry.SentAt;
        if (!entry.IsRepeated)
        {
            if (report.RoundTrip == TimeSpan.Zero || elapsed < report.RoundTrip)
                report.RoundTrip = elapsed > TimeSpan.Zero ? elapsed : new TimeSpan(1);
            report.OriginalArrived |= Sender.LossState == LossState.Loss && Seq.Le(end, _recover);
        }

        var isAmbiguous = entry.IsRepeated && (elapsed < _minRoundTrip || AnswersBefore(segment, TcpLayer.TimestampClock(entry.SentAt)));
        if (entry.IsProbe)
            ProbeArrived(entry);
        Sender.Rack.Arrived(entry, end, isAmbiguous, report.Now);
        _rate.Arrived(entry, bytes, ref report);
    }

    /// <summary>A timestamp of ours has come back.</summary>
    private bool HasEcho(in TcpHeader segment) => _timestamps && segment.HasTimestamp && segment.TimestampEcho != 0;

    /// <summary>Milliseconds since a timestamp of ours that has come back.</summary>
    private uint Age(uint echo, Instant now) => TcpLayer.TimestampClock(now) - (echo - _timestampOffset);

    /// <summary>The timestamp that comes back is older than a time of ours (RFC 3522, 3.2).</summary>
    private bool AnswersBefore(in TcpHeader segment, uint clock) =>
        HasEcho(segment) && Seq.Lt(segment.TimestampEcho - _timestampOffset, clock);

    private void Measured(TimeSpan roundTrip)
    {
        _rtt.Sample(roundTrip);
        _measuredTo = SndNxt;
    }

    private void MeasureRoundTrips(in TcpHeader segment, ref AckReport report)
    {
        var now = report.Now;
        _measuredTo = Seq.Max(_measuredTo, SndUna - 1);
        if (report.RoundTrip > TimeSpan.Zero)
        {
            if (_minRoundTrip == TimeSpan.Zero || report.RoundTrip <= _minRoundTrip || now - _minRoundTripAt > MinRoundTripFilter)
            {
                _minRoundTrip = report.RoundTrip;
                _minRoundTripAt = now;
            }
        }
        else if (report.Acknowledged > 0 && HasEcho(segment))
        {
            // Where retransmissions forbid our own clock, the timestamp that came back (RFC 7323, 4).
            var elapsed = Age(segment.TimestampEcho, now);
            if (elapsed < 1000 * 60 * 10 && Seq.Gt(SndUna, _measuredTo))
                Measured(TimeSpan.FromMilliseconds(Math.Max(1, elapsed)));
        }

        report.MinRoundTrip = _minRoundTrip;
        report.SmoothedRoundTrip = _rtt.Smoothed;
    }

    /// <summary>Takes SACK blocks (RFC 2018, 5).</summary>
    private void TakeReports(in TcpHeader segment, ref AckReport report)
    {
        for (var i = 0; i < segment.SackCount; i++)
        {
            var block = segment.Sacks[i];
            if (Seq.Ge(block.Start, block.End) || Seq.Gt(block.End, SndNxt))
            {
                _layer.Counters.TcpExtTCPSACKDiscard++;
                continue;
            }

            if (i == 0 && IsDuplicate(block, segment))
                DuplicateReported(block, ref report);
            else if (Seq.Gt(block.End, SndUna) && Log is not null)
                TakeReport(Seq.Max(block.Start, SndUna), block.End, segment, ref report);
        }
    }

    /// <summary>RFC 2883, 4: the first block lies below the acknowledgement, or within the second one.</summary>
    private static bool IsDuplicate(SackBlock block, in TcpHeader segment) =>
        Seq.Le(block.End, segment.Acknowledgment)
        || (segment.SackCount > 1 && Seq.Ge(block.Start, segment.Sacks[1].Start) && Seq.Le(block.End, segment.Sacks[1].End));

    private void DuplicateReported(SackBlock block, ref AckReport report)
    {
        // What lies before anything that may have been sent again is the network's duplicate, or made up.
        if (Seq.Lt(block.Start, SndUna - _maxSndWnd))
            return;
        _layer.Counters.TcpExtTCPDSACKRecv++;
        // More than was ever sent again: the network makes them.
        _unreportedRepeats -= block.End - block.Start;
        if (_unreportedRepeats < 0)
            return;
        report.HasDuplicate = true;
        if (!Sender.TailProbeSent && !report.IsTailProbeDuplicate)
            Sender.Rack.DuplicateReported(SndUna, SndNxt);
        if (Sender.MayUndo && Seq.Ge(block.Start, Sender.UndoFrom))
            Sender.UndoBytes -= (int)(block.End - block.Start);
    }

    /// <summary>Bytes have arrived ahead of a gap.</summary>
    private void TakeReport(uint start, uint end, in TcpHeader segment, ref AckReport report)
    {
        var log = Log!;
        var index = log.IndexOf(start);
        while (index < log.Count && Seq.Lt(log[index].Start, end))
        {
            var entry = log[index];
            if (entry.State == TransmissionState.Arrived)
            {
                index++;
                continue;
            }

            if (Seq.Lt(entry.Start, start))
            {
                if (!log.TrySplit(index, start))
                    break;
                entry = log[++index];
            }

            if (Seq.Gt(entry.End, end) && !log.TrySplit(index, end))
                break;
            Arrived(entry, entry.End, entry.Length, segment, ref report);
            index = log.MarkArrived(index) + 1;
        }
    }

    private void DuplicateArrived(ref AckReport report)
    {
        if (Sender.DuplicateAcks < byte.MaxValue)
            Sender.DuplicateAcks++;
        if (_selectiveAck)
            return;
        if (Sender.LossState == LossState.Loss)
        {
            // After a time-out they tell something only once new data has been sent: that has arrived, and nothing of the old (RFC 5682, 2.1, step 3a).
            Sender.Forward = ForwardRecovery.Off;
            if (Seq.Le(SndNxt, _recover))
                return;
        }

        // Without SACK each duplicate stands for one segment that has arrived.
        var bytes = Math.Min(_segmentSize, Pipe);
        Sender.RenoBytes += bytes;
        report.Delivered += bytes;
    }

    private void DropLog()
    {
        if (Log is null)
            return;
        _layer.Transmissions.Return(Log);
        Sender.Log = null;
        Sender.RackAt = Instant.Never;
    }

    private void AcknowledgeQueue(int bytes)
    {
        if (bytes > 0)
            _send.Acknowledge(bytes, ref Sender.Places);
    }

    private void CreditWriter(int bytes)
    {
        _acknowledgedCredit += bytes;
        GrowSendBuffer();
        // Not for every acknowledgement: the writer is woken when it pays, or when there is nothing left to wait for.
        if (!_closedByOwner && _acknowledgedCredit > 0 && (_acknowledgedCredit >= _sendBuffer / 8 || _send.Bytes == 0))
            Raise(SocketEvents.Writable);
    }
}
