using Tapwire.Stack.Interfaces;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Ip;

namespace Tapwire.Stack.Neighbors;

/// <summary>One entry of the neighbour table. Its timer is the deadline of its state.</summary>
internal sealed class Neighbor(NeighborTable table, IpAddress address) : Timer
{
    public readonly IpAddress Address = address;
    public MacAddress HardwareAddress;
    public NeighborState State;

    /// <summary>Requests sent without an answer.</summary>
    public int Solicitations;

    /// <summary>When the last request went out, to keep to one per retransmission time (RFC 1122, 2.3.2.1).</summary>
    public Instant Solicited = new(long.MinValue / 2);

    /// <summary>Another station has claimed the address: the holder is asked in quick succession, and everybody if it is silent.</summary>
    public bool IsContested;

    /// <summary>When <see cref="NeighborState.Reachable"/> ends.</summary>
    public Instant ReachableUntil;

    /// <summary>When this stack last sent to the neighbour.</summary>
    public Instant Used;

    /// <summary>Packets that wait for the neighbour's answer.</summary>
    public BufferQueue Waiting;

    /// <summary>Neighbours in the order of use: the next newer entry, and the next older one.</summary>
    public Neighbor? Newer;
    public Neighbor? Older;

    /// <summary>Packets can be sent to <see cref="HardwareAddress"/>.</summary>
    public bool IsKnown => State is not (NeighborState.Incomplete or NeighborState.Failed);

    protected internal override void Fire(Instant now) => table.Fire(this, now);
}
