using Tapwire.Stack.Buffers;

namespace Tapwire.Stack.Ip;

/// <summary>What the IP layer tells a transport about a packet that it hands up.</summary>
/// <param name="TrafficClass">DSCP and ECN bits as received.</param>
/// <param name="ToGroup">The destination was a broadcast or multicast address: TCP drops it, nobody answers it with an error.</param>
internal readonly record struct IpReceiveInfo(
    IpAddress Source, IpAddress Destination, byte HopLimit, byte TrafficClass, bool ToGroup)
{
    /// <summary>Bytes of IP header that stand, trimmed but unchanged, before the transport header: an ICMP error quotes them. 0: not there.</summary>
    public int HeaderLength { get; init; }

    /// <summary>Shards in which the packet has found no socket; more where it can only be this one's.</summary>
    public int Hops { get; init; }

    /// <summary><see cref="Hops"/> of a packet whose shard is known.</summary>
    public const int Settled = FlowSteering.MaxShards;
}

/// <summary>What a transport asks of the IP layer for one packet.</summary>
internal readonly record struct IpSendInfo
{
    public required IpAddress Source { get; init; }

    public required IpAddress Destination { get; init; }

    /// <summary>The IP protocol number.</summary>
    public required byte Protocol { get; init; }

    /// <summary>0 takes the stack's default.</summary>
    public byte HopLimit { get; init; }

    public byte TrafficClass { get; init; }

    /// <summary>Where the 16-bit transport checksum is in the transport header; it is zero there and the IP layer fills it in, or leaves it to the
    /// device. Negative: no checksum is wanted.</summary>
    public required int ChecksumOffset { get; init; }

    /// <summary>TCP payload bytes per segment when the packet is to be cut by the device; 0 for a packet that fits the MTU.</summary>
    public int SegmentSize { get; init; }
}

/// <summary>Where packets to a destination go.</summary>
/// <param name="Source">The address that this stack uses towards the destination.</param>
/// <param name="Mtu">Largest IP packet on that path, in bytes.</param>
/// <param name="SuperFrame">Largest IP packet that may be handed down for the device to cut; equals <paramref name="Mtu"/> where it does not.</param>
/// <param name="ToGroup">The destination is a broadcast or multicast address: no connection leads there.</param>
internal readonly record struct IpRoute(IpAddress Source, int Mtu, int SuperFrame, bool ToGroup = false);

/// <summary>The IP layer as the transports see it.</summary>
internal interface IIpOutput
{
    /// <summary>False while the egress queue is full: a transport keeps what it has and is asked again (<c>Output</c>) when there is room.</summary>
    bool HasRoom { get; }

    BufferPool Pool { get; }

    /// <summary>Finds the way to a destination, and the source address for it unless the caller has one.</summary>
    /// <param name="source">Unspecified (of either family) lets the stack choose.</param>
    /// <returns>None; NetworkUnreachable: no route; AddressNotAvailable: the source is not ours.</returns>
    StackError Route(IpAddress destination, IpAddress source, out IpRoute route);

    /// <summary>Sends one packet and takes over its buffer, which begins with the transport header and has
    /// <see cref="BufferPool.HeaderRoom"/> minus the transport header of headroom; payload may be in fragments.</summary>
    void Send(PacketBuffer packet, in IpSendInfo info, Instant now);

    /// <summary>Gives a packet that has found no socket here to the next shard.</summary>
    /// <param name="packet">Begins with its IP header.</param>
    /// <param name="hops">Shards in which it has found none before this one; fewer than there are others.</param>
    void PassOn(PacketBuffer packet, int hops);

    /// <summary>A peer has shown that it is alive (an ACK of new data): the neighbour entry need not be probed (RFC 4861, 7.3.1).</summary>
    void ConfirmReachable(IpAddress destination, Instant now);
}
