using Tapwire.Stack.Ip;

namespace Tapwire.Stack.Dhcp;

/// <summary>A route of a lease.</summary>
/// <param name="Gateway">Unspecified: the destination is on the link.</param>
public readonly record struct DhcpRoute(IpPrefix Destination, IpAddress Gateway);

/// <summary>What a server has offered or granted, checked: each address is one that its owner may have, and each gateway is on the link.</summary>
/// <param name="Address">With the length of the subnet mask.</param>
/// <param name="Server">The server identifier (RFC 2132, 9.7).</param>
public sealed record DhcpLease(IpPrefix Address, IpAddress Server)
{
    /// <summary>Nobody could be asked again in time for less. An answer with a shorter lease is not used.</summary>
    public static readonly TimeSpan ShortestLifetime = TimeSpan.FromSeconds(10);

    /// <summary>Of a lease without end (RFC 2131, 3.3).</summary>
    public static readonly TimeSpan Endless = TimeSpan.MaxValue;

    /// <summary>What every IPv4 host takes (RFC 791); servers that say less are not believed, as a forged one could have data leave in crumbs.</summary>
    public const int LeastMtu = 576;

    /// <summary>The most routes, name servers and domains to search that are used; further ones are ignored.</summary>
    public const int MostRoutes = 64;

    public const int MostNameServers = 8;

    public const int MostDomains = 16;

    /// <summary>From the time at which it was asked for; <see cref="Endless"/>: it never ends.</summary>
    public required TimeSpan Lifetime { get; init; }

    /// <summary>T1: when the server is asked again (RFC 2131, 4.4.5). Below <see cref="RebindingTime"/>.</summary>
    public required TimeSpan RenewalTime { get; init; }

    /// <summary>T2: when every server is asked. Below <see cref="Lifetime"/>.</summary>
    public required TimeSpan RebindingTime { get; init; }

    /// <summary>Those without a gateway first, so that gateways can be reached by them. With classless routes the router option does not count (RFC 3442).</summary>
    public IReadOnlyList<DhcpRoute> Routes { get; init; } = [];

    public IReadOnlyList<IpAddress> NameServers { get; init; } = [];

    /// <summary>Domains in which short names are looked for: those of option 119, else that of option 15. Without a dot at the end.</summary>
    public IReadOnlyList<string> Domains { get; init; } = [];

    /// <summary>Bytes; 0: none was given.</summary>
    public int Mtu { get; init; }

    /// <summary>The message that it was read from.</summary>
    public required ReadOnlyMemory<byte> Message { get; init; }

    /// <summary>Reads the message of a lease that was kept, as strictly as when it came.</summary>
    /// <returns>Null: it is not what a lease was read from.</returns>
    public static DhcpLease? Read(ReadOnlySpan<byte> message) => DhcpAnswer.ReadKept(message);

    public bool IsEndless => Lifetime == Endless;

    /// <summary>Whether an interface that has the one is configured as with the other; times do not count.</summary>
    public bool IsSameAs(DhcpLease other) => Address == other.Address && Routes.SequenceEqual(other.Routes) && NameServers.SequenceEqual(other.NameServers)
        && Domains.SequenceEqual(other.Domains) && Mtu == other.Mtu;
}
