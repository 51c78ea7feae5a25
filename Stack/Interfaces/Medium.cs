namespace Tapwire.Stack.Interfaces;

/// <summary>The header that every frame of an interface begins with, in both directions.</summary>
public enum Medium
{
    /// <summary>An Ethernet header. ARP finds the neighbours.</summary>
    Ethernet,

    /// <summary>An IP header. The medium has one other end, without an address of its own, which takes every packet.</summary>
    Ip,
}
