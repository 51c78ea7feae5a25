namespace Tapwire.Stack.Interfaces;

/// <summary>What every frame of an interface begins with, in both directions.</summary>
public enum Medium
{
    /// <summary>An Ethernet header. Neighbours are found by ARP.</summary>
    Ethernet,

    /// <summary>An IP header: there is one other end, without an address of its own, and it takes everything.</summary>
    Ip,
}
