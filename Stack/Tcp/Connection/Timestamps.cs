using Tapwire.Stack.Packets;

namespace Tapwire.Stack.Tcp.Connection;

/// <summary>Timestamps of one connection (RFC 7323): the clock shown to the peer, and TS.Recent with the protection against wrapped sequence numbers
/// (PAWS).</summary>
internal struct Timestamps
{
    /// <summary>A TS.Recent older than this may belong to a clock that has wrapped (RFC 7323, 5.5).</summary>
    private static readonly TimeSpan PawsAge = TimeSpan.FromDays(24);

    /// <summary>A timestamp older by one tick is accepted, as in Linux (TCP_PAWS_WINDOW): segments that left together may be reordered.</summary>
    private const uint PawsTolerance = 1;

    private Instant _recentAt;

    /// <summary>The offset from the clock, which hides the uptime and the relation of one connection to another.</summary>
    private uint _offset;

    /// <summary>Both ends send timestamps (RFC 7323, 3.2).</summary>
    public bool AreUsed { get; private set; }

    /// <summary>TS.Recent (RFC 7323, 4.3).</summary>
    public uint Recent { get; private set; }

    public void Begin(uint offset) => _offset = offset;

    /// <summary>The peer's SYN has arrived.</summary>
    public void Agree(bool areUsed, uint recent, Instant now)
    {
        AreUsed = areUsed;
        Recent = recent;
        _recentAt = now;
    }

    /// <summary>The timestamp for the peer.</summary>
    public readonly uint Value(Instant now) => TcpLayer.TimestampClock(now) + _offset;

    /// <summary>When an echoed timestamp was sent, on the timestamp clock.</summary>
    public readonly uint SentAt(uint echo) => echo - _offset;

    /// <summary>Milliseconds since an echoed timestamp was sent.</summary>
    public readonly uint Age(uint echo, Instant now) => TcpLayer.TimestampClock(now) - SentAt(echo);

    /// <summary>The segment echoes a timestamp of ours.</summary>
    public readonly bool HasEcho(in TcpHeader segment) => AreUsed && segment.HasTimestamp && segment.TimestampEcho != 0;

    /// <summary>PAWS (RFC 7323, 5.3): the segment is older than one that was accepted.</summary>
    public readonly bool IsOld(in TcpHeader segment, Instant now) =>
        AreUsed && segment.HasTimestamp && !segment.Has(TcpFlags.Rst)
        && Seq.Lt(segment.TimestampValue + PawsTolerance, Recent) && now - _recentAt < PawsAge;

    /// <summary>Takes the timestamp of an acceptable segment. Of the segments that one acknowledgement answers, the earliest one's is echoed (RFC 7323,
    /// 4.3).</summary>
    /// <remarks>As in Linux, a peer that stops sending timestamps is tolerated, because middleboxes strip them.</remarks>
    public void Take(in TcpHeader segment, uint lastAckSent, Instant now)
    {
        if (!AreUsed || !segment.HasTimestamp || Seq.Gt(segment.Sequence, lastAckSent) || Seq.Lt(segment.TimestampValue, Recent))
            return;
        Recent = segment.TimestampValue;
        _recentAt = now;
    }

    public readonly void Put(ref TcpHeader header, Instant now)
    {
        if (!AreUsed)
            return;
        header.HasTimestamp = true;
        header.TimestampValue = Value(now);
        header.TimestampEcho = Recent;
    }
}
