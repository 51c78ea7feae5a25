using Tapwire.Stack;
using Tapwire.Stack.Ip;

namespace Tapwire.Names;

/// <summary>Servers for the names in a domain. Of several domains that have a name the longest counts; <see cref="DnsName.Root"/> has every name.</summary>
public sealed record DnsRoute(DnsName Domain, IReadOnlyList<IpEndpoint> Servers);

/// <summary>How names are found. What resolv.conf(5) has under the same name means the same.</summary>
public sealed record ResolverOptions
{
    public static class Ranges
    {
        /// <summary>As in resolv.conf(5), where more is taken for the most.</summary>
        public static readonly ValueRange<TimeSpan> Timeout = new(TimeSpan.FromMilliseconds(1), TimeSpan.FromSeconds(30));

        /// <inheritdoc cref="Timeout"/>
        public static readonly ValueRange<int> Attempts = new(1, 5);

        /// <inheritdoc cref="Timeout"/>
        public static readonly ValueRange<int> Dots = new(0, 15);
    }

    /// <summary>The most servers of a domain, and the most domains to search.</summary>
    public const int MaxServers = 8;

    public const int MaxSearch = 16;

    /// <summary>The most domains with servers of their own.</summary>
    public const int MaxRoutes = 256;

    /// <summary>UDP and TCP port of servers.</summary>
    public const ushort Port = 53;

    /// <summary>In any order. A name in none of the domains has no server.</summary>
    public IReadOnlyList<DnsRoute> Routes { get; init; } = [];

    public IReadOnlyList<DnsName> Search { get; init; } = [];

    /// <summary>A name with at least so many dots is tried as it is first, and then in the domains to search; another one the other way round.</summary>
    public int Dots { get; init; } = 1;

    /// <summary>How long the first server has to answer. As in glibc, the server at position n of N, counted from 0, has 2^n / N times as long, here up to half a minute.</summary>
    public TimeSpan Timeout { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>How often each server is asked.</summary>
    public int Attempts { get; init; } = 2;

    /// <summary>Questions begin with each server in turn, and not always with the first.</summary>
    public bool Rotate { get; init; }

    /// <summary>Names that the settings have. They are complete: no server is asked for the address that one of them has not.</summary>
    public HostsTable Hosts { get; init; } = HostsTable.Empty;

    /// <summary>Names in .local, and of link-local addresses, are asked for on the links (RFC 6762), unless a domain of <see cref="Routes"/> in .local has them.</summary>
    public bool AsksLinks { get; init; }

    /// <summary>Bounds of the cache, in answers and in bytes.</summary>
    public int CacheEntries { get; init; } = 4096;

    public int CacheBytes { get; init; } = 1 << 20;

    /// <summary>Questions under way at a time: one more is not asked, and its look-up fails.</summary>
    public int MaxQuestions { get; init; } = 1024;

    /// <summary>Look-ups under way at a time; one more fails.</summary>
    public int MaxLookups { get; init; } = 4096;
}
