using Tapwire.Stack.Ip;

namespace Tapwire.Stack.Dhcp.V6;

/// <summary>An address of a lease.</summary>
/// <param name="Preferred">How long connections begin from it; zero: it is for those that are there. Up to <paramref name="Valid"/>.</param>
/// <param name="Valid">How long it is there; at least <see cref="DhcpLease.ShortestLifetime"/>. <see cref="DhcpLease.Endless"/> of either: for ever.</param>
public readonly record struct Dhcp6Address(IpAddress Address, TimeSpan Preferred, TimeSpan Valid);

/// <summary>What a server has advertised or granted (RFC 8415, 21.4 and 21.6), checked: each address is one that a host may have.</summary>
/// <param name="Server">The DUID of the server.</param>
/// <param name="Addresses">At least one.</param>
public sealed record Dhcp6Lease(ReadOnlyMemory<byte> Server, IReadOnlyList<Dhcp6Address> Addresses)
{
    /// <summary>The most addresses that are used; further ones are ignored.</summary>
    public const int MostAddresses = 4;

    /// <summary>T1, from the answer on. Below <see cref="RebindingTime"/>; <see cref="DhcpLease.Endless"/> of an address without end.</summary>
    public required TimeSpan RenewalTime { get; init; }

    /// <summary>T2. Below <see cref="Lifetime"/>.</summary>
    public required TimeSpan RebindingTime { get; init; }

    public IReadOnlyList<IpAddress> NameServers { get; init; } = [];

    public IReadOnlyList<string> Domains { get; init; } = [];

    /// <summary>The message that it was read from.</summary>
    public required ReadOnlyMemory<byte> Message { get; init; }

    /// <summary>Until the last address goes.</summary>
    public TimeSpan Lifetime => Addresses.Max(static address => address.Valid);

    public bool IsEndless => Lifetime == DhcpLease.Endless;

    /// <summary>Reads the message of a lease that was kept, as strictly as when it came.</summary>
    /// <param name="association">The IAID of the interface.</param>
    /// <returns>Null: it is not what a lease was read from.</returns>
    public static Dhcp6Lease? Read(ReadOnlySpan<byte> message, uint association) => Dhcp6Answer.ReadKept(message, association);
}

/// <summary>What an interface is to have by DHCPv6.</summary>
/// <param name="Addresses">With those whose preferred lifetime is over.</param>
public sealed record Dhcp6Configuration(IReadOnlyList<(IpAddress Address, bool IsDeprecated)> Addresses, IReadOnlyList<IpAddress> NameServers, IReadOnlyList<string> Domains)
{
    public static readonly Dhcp6Configuration Nothing = new([], [], []);

    public bool IsSameAs(Dhcp6Configuration other) =>
        Addresses.SequenceEqual(other.Addresses) && NameServers.SequenceEqual(other.NameServers) && Domains.SequenceEqual(other.Domains);
}
