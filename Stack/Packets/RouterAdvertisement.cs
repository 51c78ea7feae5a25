using System.Buffers.Binary;
using Tapwire.Stack.Dhcp.V6;
using Tapwire.Stack.Ip;

namespace Tapwire.Stack.Packets;

/// <summary>The preference of a router, or of a route (RFC 4191, 2.1).</summary>
public enum RouterPreference : sbyte
{
    Low = -1,
    Medium = 0,
    High = 1,
}

/// <summary>A router advertisement without its options (RFC 4861, 4.2; RFC 4191, 2.2).</summary>
/// <param name="HopLimit">For packets of hosts; 0: not said.</param>
/// <param name="Lifetime">How long the sender is a default router; zero: it is none.</param>
/// <param name="IsManaged">Addresses are to be had by DHCPv6.</param>
/// <param name="HasOtherConfiguration">Other things are to be had by DHCPv6.</param>
public readonly record struct RouterAdvertisement(byte HopLimit, TimeSpan Lifetime, RouterPreference Preference, bool IsManaged, bool HasOtherConfiguration)
{
    /// <summary>How long an answer confirms a neighbour, in milliseconds on the wire; zero: not said.</summary>
    public TimeSpan ReachableTime { get; init; }

    /// <summary>Between two solicitations of a neighbour; zero: not said.</summary>
    public TimeSpan RetransmitTime { get; init; }

    /// <summary>The two flags in one: who gives addresses gives the rest, too.</summary>
    public RouterAdvice Advice => IsManaged ? RouterAdvice.Addresses : HasOtherConfiguration ? RouterAdvice.OtherConfiguration : RouterAdvice.None;

    /// <summary>16 bytes; options follow.</summary>
    public const int Length = 16;

    private const byte Managed = 0x80;
    private const byte Other = 0x40;

    /// <returns>False: fewer than 16 bytes.</returns>
    public static bool TryParse(ReadOnlySpan<byte> bytes, out RouterAdvertisement advertisement)
    {
        advertisement = default;
        if (bytes.Length < Length)
            return false;
        var flags = bytes[5];
        var lifetime = BinaryPrimitives.ReadUInt16BigEndian(bytes[6..]);
        advertisement = new RouterAdvertisement(bytes[4], TimeSpan.FromSeconds(lifetime), PreferenceOf(flags), (flags & Managed) != 0, (flags & Other) != 0)
        {
            ReachableTime = TimeSpan.FromMilliseconds(BinaryPrimitives.ReadUInt32BigEndian(bytes[8..])),
            RetransmitTime = TimeSpan.FromMilliseconds(BinaryPrimitives.ReadUInt32BigEndian(bytes[12..])),
        };
        return true;
    }

    /// <summary>The preference in bits 3 and 4. The reserved value counts as medium (RFC 4191, 2.2).</summary>
    internal static RouterPreference PreferenceOf(byte flags) => (flags >> 3 & 3) switch
    {
        1 => RouterPreference.High,
        3 => RouterPreference.Low,
        _ => RouterPreference.Medium,
    };
}

/// <summary>A prefix information option (RFC 4861, 4.6.2).</summary>
/// <param name="IsOnLink">Its addresses are neighbours.</param>
/// <param name="IsAutonomous">Hosts make addresses of it.</param>
public readonly record struct PrefixInformation(IpPrefix Prefix, bool IsOnLink, bool IsAutonomous, TimeSpan ValidLifetime, TimeSpan PreferredLifetime)
{
    /// <summary>32 bytes.</summary>
    public const int Length = 32;

    private const byte OnLink = 0x80;
    private const byte Autonomous = 0x40;

    /// <param name="option">A whole option.</param>
    /// <returns>False: another length, a prefix longer than an address, or one that no host's address can have.</returns>
    public static bool TryParse(ReadOnlySpan<byte> option, out PrefixInformation information)
    {
        information = default;
        if (option.Length != Length || option[2] > 128)
            return false;
        var address = NdpLifetime.AddressAt(option, 16).Masked(option[2]);
        if (address.IsV4 || address.IsLinkLocal || address.IsMulticast || option[2] == 0)
            return false;
        information = new PrefixInformation(
            new IpPrefix(address, option[2]), (option[3] & OnLink) != 0, (option[3] & Autonomous) != 0, NdpLifetime.At(option, 4), NdpLifetime.At(option, 8));
        return information.PreferredLifetime <= information.ValidLifetime;
    }
}

/// <summary>A route information option (RFC 4191, 2.3).</summary>
public readonly record struct RouteInformation(IpPrefix Prefix, RouterPreference Preference, TimeSpan Lifetime)
{
    /// <param name="option">A whole option of 8, 16 or 24 bytes.</param>
    /// <returns>False: the prefix has no room in the option, or the preference is the reserved one, with which the option is to be ignored.</returns>
    public static bool TryParse(ReadOnlySpan<byte> option, out RouteInformation information)
    {
        information = default;
        if (option.Length > 24 || option[2] > 128 || (option[2] + 63) / 64 * 8 > option.Length - 8 || (option[3] >> 3 & 3) == 2)
            return false;
        Span<byte> address = stackalloc byte[16];
        address.Clear();
        option[8..].CopyTo(address);
        var prefix = IpAddress.FromBytes(address).Masked(option[2]);
        if (prefix.IsV4 || prefix.IsLinkLocal || prefix.IsMulticast)
            return false;
        information = new RouteInformation(new IpPrefix(prefix, option[2]), RouterAdvertisement.PreferenceOf(option[3]), NdpLifetime.At(option, 4));
        return true;
    }
}

/// <summary>Reads what several options have.</summary>
internal static class NdpLifetime
{
    /// <summary>Stands for ever: 2^32 - 1 seconds.</summary>
    public static readonly TimeSpan Infinite = TimeSpan.FromSeconds(uint.MaxValue);

    public static TimeSpan At(ReadOnlySpan<byte> option, int at) => TimeSpan.FromSeconds(BinaryPrimitives.ReadUInt32BigEndian(option[at..]));

    public static IpAddress AddressAt(ReadOnlySpan<byte> bytes, int at) => IpAddress.FromBytes(bytes.Slice(at, 16));
}
