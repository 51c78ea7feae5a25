using Tapwire.Stack.Buffers;
using Tapwire.Stack.Packets;

namespace Tapwire.Stack.Tcp;

/// <content>TIME-WAIT (RFC 9293, 3.4.2 and 3.10.7.4; RFC 6191; RFC 1337).</content>
public sealed partial class TcpLayer
{
    /// <summary>Ahead of anything the old connection can have sent, as Linux chooses it for a port that is used again.</summary>
    private const uint RecycledDistance = 65535 + 2;

    /// <summary>Puts a record in the place of a connection; above the limit the connection just ends.</summary>
    internal void EnterTimeWait(TcpConnection connection, TcpTimeWait record, Instant now)
    {
        Timers.Cancel(connection);
        if (TimeWaitCount >= Options.MaxTimeWait)
        {
            Counters.TcpExtTCPTimeWaitOverflow++;
            RemoveEntry(connection);
            Count--;
            return;
        }

        _table.Replace(connection, record);
        Count--;
        TimeWaitCount++;
        Counters.TcpExtTW++;
        record.Since = now;
        record.LastAnswer = now - Options.InvalidRateLimit;
        Timers.Arm(record, now + Options.TimeWait);
    }

    internal void Remove(TcpTimeWait record)
    {
        Timers.Cancel(record);
        RemoveEntry(record);
        TimeWaitCount--;
    }

    private void TimeWaitReceives(TcpTimeWait record, in TcpHeader header, PacketBuffer segment, Instant now)
    {
        var length = segment.Length;
        // A reset does not cut TIME-WAIT short: old duplicates could then reach a new connection (RFC 1337, 3, fix 1).
        if (header.Has(TcpFlags.Rst))
        {
            segment.Release();
            return;
        }

        var older = record.Timestamps && header.HasTimestamp && Seq.Lt(header.TimestampValue, record.TsRecent);
        if (header.Has(TcpFlags.Syn) && !header.Has(TcpFlags.Ack) && !older && IsNew(record, header)
            && FindListener(record.Pair.Local) is { } listener)
        {
            // RFC 9293, 3.10.7.4 (MAY-2), RFC 6191: nothing old can be as new as this.
            Counters.TcpExtTWRecycled++;
            Remove(record);
            Open(listener, record.Pair, header, segment, record.SndNxt + RecycledDistance, now);
            return;
        }

        segment.Release();

        if (header.Has(TcpFlags.Fin) && !older && header.Sequence + (uint)length + 1 == record.RcvNxt)
            Timers.Arm(record, now + Options.TimeWait);
        // A bare acknowledgement that fits is not answered, or two ends in TIME-WAIT would never stop.
        if (length > 0 || header.Has(TcpFlags.Syn | TcpFlags.Fin) || header.Sequence != record.RcvNxt)
            Answer(record, now);
    }

    private static bool IsNew(TcpTimeWait record, in TcpHeader header) =>
        Seq.Gt(header.Sequence, record.RcvNxt)
        || (record.Timestamps && header.HasTimestamp && Seq.Gt(header.TimestampValue, record.TsRecent));

    private void Answer(TcpTimeWait record, Instant now)
    {
        if (now - record.LastAnswer < Options.InvalidRateLimit)
        {
            Counters.TcpExtTCPACKSkipped++;
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
            TimestampValue = record.Timestamps ? TimestampClock(now) + TimestampOffset(record.Pair) : 0,
            TimestampEcho = record.TsRecent,
        };
        SendControl(record.Pair, ref header, new TcpSocketOptions { HopLimit = record.HopLimit, TrafficClass = record.TrafficClass }, now);
    }
}
