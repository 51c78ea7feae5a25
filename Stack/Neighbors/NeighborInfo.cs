using Tapwire.Stack.Interfaces;
using Tapwire.Stack.Ip;

namespace Tapwire.Stack.Neighbors;

/// <summary>The state of a neighbour entry (RFC 4861, 7.3.2, for ARP too).</summary>
public enum NeighborState
{
    /// <summary>Asked for; no answer yet.</summary>
    Incomplete,

    /// <summary>Known to answer, within the reachable time.</summary>
    Reachable,

    /// <summary>Known, but not confirmed recently; the next packet starts verification.</summary>
    Stale,

    /// <summary>In use and waiting for a transport to confirm it before it is asked.</summary>
    Delay,

    /// <summary>Asked by unicast whether it is still there.</summary>
    Probe,

    /// <summary>Does not answer.</summary>
    Failed,

    /// <summary>Named by the stack's owner: never asked, moved or forgotten.</summary>
    Permanent,
}

/// <summary>A snapshot of one entry of the neighbour table.</summary>
public readonly record struct NeighborInfo(IpAddress Address, MacAddress HardwareAddress, NeighborState State, int QueuedPackets);
