using Tapwire.Stack.Buffers;
using Tapwire.Stack.Packets;

namespace Tapwire.Stack.Tcp;

/// <summary>Records of connections in TIME-WAIT (RFC 9293, 3.4.2 and 3.10.7.4; RFC 6191; RFC 1337).</summary>
internal sealed class TimeWaits(TcpLayer tcp)
{
    /// <summary>A distance beyond all that the old connection can have sent, as in Linux for a reused port.</summary>
    public const uint RecycledDistance = 65535 + 2;

    public int Count { get; private set; }

    /// <summary>Replaces a connection by a record; above the limit the connection just ends.</summary>
    public void Enter(TcpConnection connection, TcpTimeWait record, Instant now)
    {
        tcp.Timers.Cancel(connection);
        if (Count >= tcp.Options.MaxTimeWait)
        {
            tcp.Counters.TcpExtTCPTimeWaitOverflow++;
            tcp.Table.Remove(connection);
            return;
        }

        tcp.Table.Replace(connection, record);
        Count++;
        tcp.Counters.TcpExtTW++;
        record.Since = now;
        record.LastAnswer = now - tcp.Options.InvalidRateLimit;
        tcp.Timers.Arm(record, now + tcp.Options.TimeWait);
    }

    public void Remove(TcpTimeWait record)
    {
        tcp.Timers.Cancel(record);
        tcp.Table.Remove(record);
        Count--;
    }

    /// <summary>A segment for a connection in TIME-WAIT.</summary>
    /// <param name="start">Offset of the packet in its buffer.</param>
    public void SegmentArrives(TcpTimeWait record, in TcpHeader header, PacketBuffer segment, int start, Instant now)
    {
        var length = segment.Length;
        // A reset does not end TIME-WAIT early: old duplicates could then reach a new connection (RFC 1337, 3, fix 1).
        if (header.Has(TcpFlags.Rst))
        {
            segment.Release();
            return;
        }

        var older = record.Timestamps && header.HasTimestamp && Seq.Lt(header.TimestampValue, record.TsRecent);
        if (header.Has(TcpFlags.Syn) && !header.Has(TcpFlags.Ack) && !older && IsNew(record, header)
            && tcp.Ports.Find(record.Pair) is var listener && (listener is not null || tcp.Passive.Forwarder is not null || tcp.Passive.IsServedElsewhere(record.Pair)))
        {
            // RFC 9293, 3.10.7.4 (MAY-2), RFC 6191: no old segment can be as new as this one.
            tcp.Counters.TcpExtTWRecycled++;
            Remove(record);
            var sequence = record.SndNxt + RecycledDistance;
            if (listener is not null)
            {
                tcp.Passive.Open(listener, record.Pair, header, segment, sequence, now);
                return;
            }

            if (tcp.Passive.Forwarder is not { } forwarder)
            {
                tcp.Passive.OpenElsewhere(record.Pair, segment, start, now);
                return;
            }

            forwarder.TryHold(record.Pair, header, length, sequence);
            segment.Release();
            return;
        }

        segment.Release();

        if (header.Has(TcpFlags.Fin) && !older && header.Sequence + (uint)length + 1 == record.RcvNxt)
            tcp.Timers.Arm(record, now + tcp.Options.TimeWait);
        // An acceptable bare acknowledgement is not answered, or two ends in TIME-WAIT would answer each other for ever.
        if (length > 0 || header.Has(TcpFlags.Syn | TcpFlags.Fin) || header.Sequence != record.RcvNxt)
            Answer(record, now);
    }

    private static bool IsNew(TcpTimeWait record, in TcpHeader header) =>
        Seq.Gt(header.Sequence, record.RcvNxt)
        || (record.Timestamps && header.HasTimestamp && Seq.Gt(header.TimestampValue, record.TsRecent));

    private void Answer(TcpTimeWait record, Instant now)
    {
        if (now - record.LastAnswer < tcp.Options.InvalidRateLimit)
        {
            tcp.Counters.TcpExtTCPACKSkipped++;
            return;
        }

        record.LastAnswer = now;
        var header = new TcpHeader
        {
            Flags = TcpFlags.Ack,
            Sequence = record.SndNxt,
            Acknowledgment = record.RcvNxt,
            Window = record.Window,
            HasTimestamp = record.Timestamps,
            TimestampValue = record.Timestamps ? TcpLayer.TimestampClock(now) + tcp.Secrets.TimestampOffset(record.Pair) : 0,
            TimestampEcho = record.TsRecent,
        };
        tcp.Control.Send(record.Pair, ref header, new TcpSocketOptions { HopLimit = record.HopLimit, TrafficClass = record.TrafficClass }, now);
    }
}
