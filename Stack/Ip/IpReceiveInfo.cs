
namespace Tapwire.Stack.Ip;

/// <summary>What the IP layer tells a transport about a packet that it hands up.</summary>
/// <param name="TrafficClass">DSCP and ECN bits as received.</param>
/// <param name="ToGroup">The destination was a broadcast or multicast address: TCP drops it, nobody answers it with an error.</param>
internal readonly record struct IpReceiveInfo(
    IpAddress Source, IpAddress Destination, byte HopLimit, byte TrafficClass, bool ToGroup)
{
    /// <summary>Bytes of IP header that stand, trimmed but unchanged, before the transport header: an ICMP error quotes them. 0: not there.</summary>
    public int HeaderLength { get; init; }

    /// <summary>The index of the interface on which it came, or <see cref="Interfaces.InterfaceTable.Loopback"/>.</summary>
    public byte Interface { get; init; }

    /// <summary>Shards in which the packet has found no socket; more where it can only be this one's.</summary>
    public int ShardsTried { get; init; }

    /// <summary><see cref="ShardsTried"/> of a packet whose shard is known.</summary>
    public const int Settled = FlowSteering.MaxShards;
}
