using Tapwire.Stack.Buffers;

namespace Tapwire.Stack.Ip;

/// <summary>The IP layer as the transports see it.</summary>
internal interface IIpOutput
{
    /// <summary>False while the interface's egress queue is full. The transport then keeps what it has and is asked again (<c>Output</c>) when there is
    /// room.</summary>
    /// <param name="interfaceIndex">An index as in <see cref="IpRoute.Interface"/>.</param>
    bool HasRoom(int interfaceIndex);

    /// <summary>The interface has room and its wire takes frames, so transports may send.</summary>
    /// <param name="interfaceIndex">As for <see cref="HasRoom"/>.</param>
    bool TakesOutput(int interfaceIndex);

    BufferPool Pool { get; }

    /// <summary>Finds the route to a destination, and the source address for it unless the caller has one.</summary>
    /// <param name="source">Unspecified (of either family) lets the stack choose.</param>
    /// <returns>None; NetworkUnreachable: no route; AddressNotAvailable: the source is not ours.</returns>
    StackError Route(IpAddress destination, IpAddress source, out IpRoute route);

    /// <summary>The own address that packets from an interface to a destination come from; unspecified: there is no such interface, or it has no address.</summary>
    /// <param name="interfaceIndex">As for <see cref="HasRoom"/>.</param>
    IpAddress SourceOn(int interfaceIndex, IpAddress destination);

    /// <summary>Sends one packet and takes over its buffer, which begins with the transport header and has
    /// <see cref="BufferPool.HeaderRoom"/> minus the transport header of headroom; payload may be in fragments.</summary>
    void Send(PacketBuffer packet, in IpSendInfo info, Instant now);

    /// <summary>Gives a packet for which there is no socket here to another shard.</summary>
    /// <param name="packet">Begins with its IP header.</param>
    /// <param name="shardsTried">Number of shards in which it has found no socket, this one included.</param>
    void PassOn(PacketBuffer packet, int shard, int shardsTried);

    /// <summary>The neighbour that packets to a destination are sent to; null if they stay in this stack, or go nowhere.</summary>
    /// <param name="source">Our address towards it.</param>
    IpAddress? NextHop(IpAddress destination, IpAddress source);

    /// <summary>A peer has shown that it is alive (an ACK of new data), so the neighbour entry need not be verified (RFC 4861, 7.3.1).</summary>
    /// <param name="source">Our address towards it.</param>
    void ConfirmReachable(IpAddress destination, IpAddress source, Instant now);
}
