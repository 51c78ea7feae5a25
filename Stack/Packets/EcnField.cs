namespace Tapwire.Stack.Packets;

/// <summary>The last two bits of the traffic class (RFC 3168, 5).</summary>
internal static class EcnField
{
    public const byte Mask = 3;

    /// <summary>ECT(0): routers may mark this packet instead of dropping it.</summary>
    public const byte Capable = 2;

    /// <summary>CE: a router has marked the packet.</summary>
    public const byte Experienced = 3;
}
