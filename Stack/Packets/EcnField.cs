namespace Tapwire.Stack.Packets;

/// <summary>The last two bits of the traffic class (RFC 3168, 5).</summary>
public static class EcnField
{
    public const byte Mask = 3;

    /// <summary>ECT(1): as <see cref="Capable"/>; a router on the way may have made it of that (RFC 6040, 4.2).</summary>
    public const byte CapableOne = 1;

    /// <summary>ECT(0): routers may mark this packet instead of dropping it.</summary>
    public const byte Capable = 2;

    /// <summary>CE: a router has marked the packet.</summary>
    public const byte Experienced = 3;
}
