
namespace Tapwire.Stack.Ip;

/// <summary>What the IP layer tells a transport about a packet that it hands up.</summary>
/// <param name="TrafficClass">DSCP and ECN bits as received.</param>
/// <param name="ToGroup">The destination was a broadcast or multicast address: TCP drops it, nobody answers it with an error.</param>
internal readonly record struct IpReceiveInfo(
    IpAddress Source, IpAddress Destination, byte HopLimit, byte TrafficClass, bool ToGroup)
{
    /// <summary>Length of the IP header that still precedes the transport header, trimmed but unchanged, for an ICMP error to quote. 0: there is
    /// none.</summary>
    public int HeaderLength { get; init; }

    /// <summary>The packet came whole, and no router was allowed to fragment it.</summary>
    public bool DontFragment { get; init; }

    /// <summary>The packet came in fragments.</summary>
    public bool IsReassembled { get; init; }

    /// <summary>The index of the interface that received the packet, or <see cref="Interfaces.InterfaceTable.Loopback"/>.</summary>
    public byte Interface { get; init; }

    /// <summary>The packet is for another host: errors about it come from the address of ours that leads to its sender.</summary>
    public bool IsForwarded { get; init; }

    /// <summary>Number of shards in which the packet has found no socket.</summary>
    public int ShardsTried { get; init; }

    /// <summary><see cref="ShardsTried"/> of a datagram that another shard has made whole from its fragments: it is treated as if it had come off the wire here.</summary>
    public const int MadeWhole = -1;

    /// <summary><see cref="ShardsTried"/> of a packet to a group that this host, here or in another shard, has sent.</summary>
    public const int LoopedBack = -2;

    /// <summary>This host has sent the packet, to a group: an own address is its source, though it is treated as if it had come off the wire.</summary>
    public bool IsLoopedBack { get; init; }
}
