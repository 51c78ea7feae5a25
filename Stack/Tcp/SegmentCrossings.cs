using Tapwire.Stack.Buffers;
using Tapwire.Stack.Ip;

namespace Tapwire.Stack.Tcp;

/// <summary>
/// Passes on segments that belong to no connection of this shard, and may be another one's. That can be on two kinds of ports (<see cref="FlowSteering"/>): on one
/// that all shards listen on, and on one that a group of sockets shares. A SYN to a group goes to the shard of the socket that the flow's hash names; any other
/// segment goes there first, and then round all shards, because the group may have changed since the connection was opened.
/// </summary>
internal sealed class SegmentCrossings(StackShard shard, IIpOutput ip)
{
    /// <summary>Another shard that listens for a connection; null: none does, or this one.</summary>
    public int? OwnerOf(in TcpPair pair) =>
        shard.Steering.IsGroupedTcp(pair.Local.Port) && shard.Steering.ListenerOf(pair) is var owner && owner != shard.Index && owner != PortHolders.Nobody ? owner : null;

    /// <summary>Takes a SYN for which another shard has the listener.</summary>
    /// <param name="start">Offset of the packet in its buffer.</param>
    /// <param name="shardsTried">See <see cref="IpReceiveInfo.ShardsTried"/>.</param>
    /// <returns>False: the SYN is this shard's, and still the caller's.</returns>
    public bool TryOpen(in TcpPair pair, PacketBuffer segment, int start, int shardsTried, Instant now)
    {
        if (!shard.Steering.IsGroupedTcp(pair.Local.Port))
            return false;
        var next = shard.Steering.ListenerOf(pair);

        // It may be the repetition of a SYN that came before the group's last change, or a new connection in place of one in TIME-WAIT. That shard would know.
        if (shardsTried == 0 && shard.Steering.ListenerBefore(pair, now) is var before && before != shard.Index && before != PortHolders.Nobody)
            next = before;
        if (next == shard.Index || next == PortHolders.Nobody)
            return false;
        Pass(segment, start, next, shardsTried + 1);
        return true;
    }

    /// <summary>Takes a segment whose connection may be another shard's.</summary>
    /// <param name="start">Offset of the packet in its buffer.</param>
    /// <param name="shardsTried">See <see cref="IpReceiveInfo.ShardsTried"/>.</param>
    /// <returns>False if no shard is left to ask; the segment is then still the caller's.</returns>
    public bool TryPassOn(in TcpPair pair, PacketBuffer segment, int start, int shardsTried)
    {
        var steering = shard.Steering;
        var next = (shard.Index + 1) % steering.Shards;
        if (steering.IsGroupedTcp(pair.Local.Port))
        {
            // This shard comes once more if it is not the hash's: a round begins there.
            if (shardsTried >= steering.Shards)
                return false;
            if (shardsTried == 0 && OwnerOf(pair) is { } owner)
                next = owner;
        }
        else if (shardsTried >= steering.Shards - 1 || !steering.IsSpreadTcp(pair.Local.Port))
        {
            return false;
        }

        Pass(segment, start, next, shardsTried + 1);
        return true;
    }

    private void Pass(PacketBuffer segment, int start, int to, int shardsTried)
    {
        segment.Prepend(segment.Headroom - start);
        segment.Offload.Checksum = ChecksumState.Verified;
        ip.PassOn(segment, to, shardsTried);
    }
}
