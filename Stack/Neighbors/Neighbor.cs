using Tapwire.Stack.Interfaces;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Ip;

namespace Tapwire.Stack.Neighbors;

/// <summary>One entry of the neighbour table. Its timer is what its state waits for.</summary>
internal sealed class Neighbor(NeighborTable table, IpAddress address) : Timer
{
    public readonly IpAddress Address = address;
    public MacAddress HardwareAddress;
    public NeighborState State;

    /// <summary>Requests sent without an answer.</summary>
    public int Solicitations;

    /// <summary>When the last request went out, to keep to one per retransmission time (RFC 1122, 2.3.2.1).</summary>
    public Instant Solicited = new(long.MinValue / 2);

    /// <summary>In <see cref="NeighborState.Reachable"/>: when that ends.</summary>
    public Instant ReachableUntil;

    /// <summary>When this stack last sent to it.</summary>
    public Instant Used;

    /// <summary>Packets that wait for its answer.</summary>
    public BufferQueue Waiting;

    /// <summary>Towards the entry used more recently, and towards the one used longer ago.</summary>
    public Neighbor? Newer;
    public Neighbor? Older;

    /// <summary>Packets can be sent to <see cref="HardwareAddress"/>.</summary>
    public bool IsKnown => State is not (NeighborState.Incomplete or NeighborState.Failed);

    protected internal override void Fire(Instant now) => table.Fire(this, now);
}
