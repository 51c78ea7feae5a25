using Tapwire.Stack.Packets;

namespace Tapwire.Stack.Tcp.Connection;

/// <summary>Timestamps of one connection (RFC 7323): the clock that the peer is shown, and TS.Recent with the protection against wrapped sequence numbers (PAWS).</summary>
internal struct Timestamps
{
    /// <summary>A timestamp older than that may belong to a clock that has wrapped (RFC 7323, 5.5).</summary>
    private static readonly TimeSpan PawsAge = TimeSpan.FromDays(24);

    /// <summary>A tick less is forgiven, as in Linux (TCP_PAWS_WINDOW): segments that left together may have been overtaken.</summary>
    private const uint PawsTolerance = 1;

    private Instant _recentAt;

    /// <summary>What is added to the clock, so that it tells neither the uptime nor one connection from another.</summary>
    private uint _offset;

    /// <summary>Both ends send them (RFC 7323, 3.2).</summary>
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

    /// <summary>The time as the peer is told it.</summary>
    public readonly uint Value(Instant now) => TcpLayer.TimestampClock(now) + _offset;

    /// <summary>When a timestamp of ours that has come back was sent, on the timestamp clock.</summary>
    public readonly uint SentAt(uint echo) => echo - _offset;

    /// <summary>Milliseconds since a timestamp of ours that has come back.</summary>
    public readonly uint Age(uint echo, Instant now) => TcpLayer.TimestampClock(now) - SentAt(echo);

    /// <summary>A timestamp of ours has come back.</summary>
    public readonly bool HasEcho(in TcpHeader segment) => AreUsed && segment.HasTimestamp && segment.TimestampEcho != 0;

    /// <summary>PAWS (RFC 7323, 5.3): the segment is older than one that was accepted.</summary>
    public readonly bool IsOld(in TcpHeader segment, Instant now) =>
        AreUsed && segment.HasTimestamp && !segment.Has(TcpFlags.Rst)
        && Seq.Lt(segment.TimestampValue + PawsTolerance, Recent) && now - _recentAt < PawsAge;

    /// <summary>Takes the timestamp of an acceptable segment. Of the segments that one acknowledgement answers, the earliest one's goes back (RFC 7323, 4.3).</summary>
    /// <remarks>A peer that stops sending timestamps is tolerated, as in Linux: middle boxes strip them.</remarks>
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
