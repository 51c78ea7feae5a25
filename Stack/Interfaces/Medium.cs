namespace Tapwire.Stack.Interfaces;

/// <summary>The header that every frame of an interface begins with, in both directions.</summary>
public enum Medium
{
    /// <summary>An Ethernet header. ARP finds the neighbours.</summary>
    Ethernet,

    /// <summary>An IP header. The medium is point-to-point: its one other end has no link address, and takes every packet.</summary>
    Ip,
}
