using System.Security.Cryptography;
using Tapwire.Stack.Interfaces;

namespace Tapwire.Wires;

/// <summary>Ethernet addresses that nobody has assigned.</summary>
public static class HardwareAddresses
{
    /// <summary>A locally administered unicast address (IEEE 802, 8.2), at random.</summary>
    public static MacAddress Random()
    {
        Span<byte> bytes = stackalloc byte[6];
        RandomNumberGenerator.Fill(bytes);
        bytes[0] = (byte)(bytes[0] & 0xFC | 0x02);
        return MacAddress.FromBytes(bytes);
    }
}
