using Tapwire.Stack;
using Tapwire.Stack.Ip;

namespace Tapwire.Names;

/// <summary>What has been learnt of a server. All of it is forgotten after a time, because servers and networks change.</summary>
internal sealed class NameServer(IpEndpoint end)
{
    /// <summary>How long a server that does not answer is tried after the others.</summary>
    public static readonly TimeSpan Suspension = TimeSpan.FromSeconds(30);

    private static readonly TimeSpan Memory = TimeSpan.FromMinutes(10);

    private Instant _withoutOptions;
    private Instant _withoutCases;

    public IpEndpoint End => end;

    /// <summary>Until then other servers are asked first; <see cref="Instant.Zero"/>: it works as far as is known.</summary>
    public Instant SuspendedUntil { get; private set; }

    public bool TakesOptions(Instant now) => now >= _withoutOptions;

    public bool KeepsCases(Instant now) => now >= _withoutCases;

    public void HasAnswered() => SuspendedUntil = Instant.Zero;

    public void HasFailed(Instant now) => SuspendedUntil = now + Suspension;

    public void RefusesOptions(Instant now) => _withoutOptions = now + Memory;

    public void LosesCases(Instant now) => _withoutCases = now + Memory;
}

/// <summary>The servers of a domain.</summary>
internal sealed class ServerGroup(DnsName domain, IReadOnlyList<NameServer> servers, bool rotates)
{
    private int _turn;

    public DnsName Domain => domain;

    /// <summary>The order in which a question asks them: as configured, but those that have failed lately last.</summary>
    public List<NameServer> Order(Instant now)
    {
        var first = rotates ? _turn++ % servers.Count : 0;
        _turn %= servers.Count;
        return [.. Enumerable.Range(first, servers.Count).Select(i => servers[i % servers.Count])
            .OrderBy(server => server.SuspendedUntil > now ? server.SuspendedUntil : Instant.Zero)];
    }
}

/// <summary>Which servers are asked for a name.</summary>
internal sealed class ServerTable
{
    private readonly List<ServerGroup> _groups;

    public ServerTable(ResolverOptions options)
    {
        var servers = options.Routes.SelectMany(static route => route.Servers).Distinct().ToDictionary(static end => end, static end => new NameServer(end));
        _groups = [.. options.Routes.Where(static route => route.Servers.Count > 0).OrderByDescending(static route => route.Domain.Wire.Length)
            .Select(route => new ServerGroup(route.Domain, [.. route.Servers.Select(end => servers[end])], options.Rotate))];
    }

    /// <returns>Null: no server is known for it.</returns>
    public ServerGroup? For(DnsName name) => _groups.Find(group => name.IsIn(group.Domain));
}
