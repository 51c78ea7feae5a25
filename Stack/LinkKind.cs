namespace Tapwire.Stack;

/// <summary>What frames begin with, in both directions.</summary>
public enum LinkKind
{
    /// <summary>An Ethernet header; neighbours are found by ARP.</summary>
    Ethernet,

    /// <summary>An IP header: a point-to-point or layer-3 tunnel medium without neighbours.</summary>
    Ip,
}
