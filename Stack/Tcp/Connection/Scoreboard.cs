using Tapwire.Stack.Packets;

namespace Tapwire.Stack.Tcp.Connection;

/// <summary>The data between SND.UNA and SND.NXT, and which parts of it have arrived (RFC 2018, 5; RFC 2883).</summary>
internal sealed class Scoreboard(SenderState state)
{
    /// <summary>Everything below was sent before the last round trip was measured, so that each round trip is measured once (RFC 6298, 3).</summary>
    private uint _measuredTo;

    /// <summary>Null: nothing is in flight, or only a SYN.</summary>
    public TransmissionLog? Log { get; private set; }

    /// <summary>Bytes marked lost.</summary>
    public int LostBytes => Log?.LostBytes ?? 0;

    /// <summary>Bytes in flight that the peer has reported.</summary>
    public int ArrivedBytes => Log?.ArrivedBytes ?? 0;

    private TcpSender Sender => state.Sender;

    /// <summary>Begins with everything below <paramref name="sndUna"/> acknowledged.</summary>
    public void Begin(uint sndUna) => _measuredTo = sndUna - 1;

    /// <summary>Records data that was just sent for the first time, up to SND.NXT.</summary>
    /// <param name="pipe">Bytes in flight before it was sent.</param>
    /// <param name="full">Payload of a full-sized segment.</param>
    public void Sent(uint start, int pipe, int full, bool isMtuProbe, Instant now)
    {
        var sender = Sender;
        var end = sender.SndNxt;
        var bytes = (int)(end - start);
        var log = Log ??= sender.Layer.Transmissions.RentLog();
        var size = isMtuProbe ? bytes : full;
        if (!isMtuProbe && log.CanExtend(start, now, bytes, size))
        {
            log.Extend(end, size, sender.FinSent);
            log.Last.InFlight += bytes;
            return;
        }

        sender.Rate.Sent(log.Append(start, end, now, size, sender.FinSent), pipe, bytes, now);
    }

    /// <summary>Removes acknowledged data from the log.</summary>
    public void Acknowledged(uint ack, in TcpHeader segment, ref AckReport report)
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

        // Data that waited behind a gap until a retransmission filled it measures no round trip (Karn).
        if (repeated)
            report.RoundTrip = TimeSpan.Zero;
        else if (sentAt != Instant.Never && Seq.Gt(ack, _measuredTo))
            Measured(report.Now - sentAt);
        if (Log.Count == 0)
            Drop();
    }

    /// <summary>Measures the round trip of data that SND.UNA has passed: by our own clock, or, where retransmissions forbid that, by the echoed timestamp (RFC
    /// 7323, 4).</summary>
    public void MeasureRoundTrip(in TcpHeader segment, ref AckReport report)
    {
        _measuredTo = Seq.Max(_measuredTo, Sender.SndUna - 1);
        var timestamps = Sender.Connection.Timestamps;
        if (report.RoundTrip > TimeSpan.Zero)
        {
            Sender.RoundTrips.Sampled(report.RoundTrip, report.Now);
            // RFC 6298, 5: of data that is acknowledged. Reports while SND.UNA stands still would use up the retransmissions of R2 within seconds.
            if (report.Acknowledged > 0)
                state.Timer.RoundTripMeasured();
        }
        else if (report.Acknowledged > 0 && timestamps.HasEcho(segment))
        {
            var elapsed = timestamps.Age(segment.TimestampEcho, report.Now);
            if (elapsed <= RoundTripTime.Longest.TotalMilliseconds)
            {
                if (Seq.Gt(Sender.SndUna, _measuredTo))
                    Measured(TimeSpan.FromMilliseconds(Math.Max(1, elapsed)));
                state.Timer.RoundTripMeasured();
            }
        }

        report.MinRoundTrip = Sender.RoundTrips.Min;
        report.SmoothedRoundTrip = Sender.RoundTrips.Smoothed;
    }

    /// <summary>Takes SACK blocks (RFC 2018, 5), the lowest first. They come with the latest first (4); in that order, data that was merely reported later
    /// would seem to have arrived later than data behind it.</summary>
    public void TakeReports(in TcpHeader segment, ref AckReport report)
    {
        SackBlocks blocks = default;
        var count = 0;
        for (var i = 0; i < segment.SackCount; i++)
        {
            var block = segment.Sacks[i];
            if (Seq.Ge(block.Start, block.End) || Seq.Gt(block.End, Sender.SndNxt))
                Sender.Layer.Counters.TcpExtTCPSACKDiscard++;
            else if (i == 0 && IsDuplicate(block, segment))
                Sender.DuplicateReported(block, ref report);
            else if (Seq.Gt(block.End, Sender.SndUna))
                Insert(ref blocks, count++, block);
        }

        for (var i = 0; i < count && Log is not null; i++)
            TakeReport(Seq.Max(blocks[i].Start, Sender.SndUna), blocks[i].End, segment, ref report);
    }

    /// <summary>Nothing is in flight any more.</summary>
    public void Drop()
    {
        if (Log is null)
            return;
        Sender.Layer.Transmissions.Return(Log);
        Log = null;
        state.Recovery.StopReorderingTimer();
    }

    /// <summary>Inserts a block among <paramref name="count"/> that are in order.</summary>
    private static void Insert(ref SackBlocks blocks, int count, SackBlock block)
    {
        for (; count > 0 && Seq.Gt(blocks[count - 1].Start, block.Start); count--)
            blocks[count] = blocks[count - 1];
        blocks[count] = block;
    }

    /// <summary>RFC 2883, 4: the first block lies below the acknowledgement, or within the second one.</summary>
    private static bool IsDuplicate(SackBlock block, in TcpHeader segment) =>
        Seq.Le(block.End, segment.Acknowledgment)
        || (segment.SackCount > 1 && Seq.Ge(block.Start, segment.Sacks[1].Start) && Seq.Le(block.End, segment.Sacks[1].End));

    /// <summary>Bytes have arrived ahead of a gap. As in Linux (tcp_match_skb_to_sack), only whole segments count. Otherwise a peer that reports single bytes
    /// would get an entry for each, and each would be sent by itself.</summary>
    private void TakeReport(uint start, uint end, in TcpHeader segment, ref AckReport report)
    {
        var log = Log!;
        for (var entry = log.Find(start); entry is not null && Seq.Lt(entry.Start, end); entry = entry.Next)
        {
            if (entry.State == TransmissionState.Arrived)
                continue;
            var from = entry.BoundFrom(start);
            var to = entry.BoundTo(end);
            if (Seq.Ge(from, to))
                continue;
            if (from != entry.Start)
            {
                if (!log.TrySplit(entry, from))
                    break;
                entry = entry.Next!;
            }

            if (to != entry.End && !log.TrySplit(entry, to))
                break;
            Arrived(entry, entry.End, entry.Length, segment, ref report);
            entry = log.MarkArrived(entry);
        }
    }

    private void Measured(TimeSpan roundTrip)
    {
        Sender.RoundTrips.Measured(roundTrip);
        _measuredTo = Sender.SndNxt;
    }

    /// <summary>Part of an entry has arrived, up to <paramref name="end"/>.</summary>
    private void Arrived(Transmission entry, uint end, int bytes, in TcpHeader segment, ref AckReport report)
    {
        var sender = Sender;
        var elapsed = report.Now - entry.SentAt;
        if (!entry.IsRepeated)
        {
            if (elapsed <= RoundTripTime.Longest && (report.RoundTrip == TimeSpan.Zero || elapsed < report.RoundTrip))
                report.RoundTrip = elapsed > TimeSpan.Zero ? elapsed : new TimeSpan(1);
            report.OriginalArrived |= state.Recovery.WasTimedOut(end);
        }

        var isAmbiguous = entry.IsRepeated && (elapsed < sender.RoundTrips.Min || sender.AnswersBefore(segment, TcpLayer.TimestampClock(entry.SentAt)));
        if (entry.IsMtuProbe)
            state.MtuProbe.Arrived(entry);
        state.Recovery.Arrived(entry, end, isAmbiguous, report.Now);
        sender.Rate.Arrived(entry, bytes, ref report);
    }
}
