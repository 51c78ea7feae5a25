using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using Tapwire.Names;
using Tapwire.Names.Mdns;
using Tapwire.Stack.Ip;

namespace Tapwire.Actors.Settings;

/// <summary>A name server as users write it: ADDRESS or ADDRESS:PORT.</summary>
public static class NameServerSpec
{
    public const string Accepted = "ADDRESS or ADDRESS:PORT, as in 10.99.0.1";

    /// <param name="problem">With false: why it cannot be; empty if the text is no server at all.</param>
    public static bool TryParse(string text, out IpEndpoint server, [NotNullWhen(false)] out string? problem)
    {
        server = default;
        var port = ResolverOptions.Port;
        problem = "";
        if (!IpAddress.TryParse(text, out var address))
        {
            // [ADDRESS]:PORT with IPv6.
            var colon = text.LastIndexOf(':');
            if (colon < 0 || !ushort.TryParse(text.AsSpan(colon + 1), NumberStyles.None, CultureInfo.InvariantCulture, out port) || port == 0
                || !IpAddress.TryParse(text[..colon].Trim('[', ']'), out address))
                return false;
        }

        problem = OwnAddress.Problem(address);
        server = new IpEndpoint(address, port);
        return problem is null;
    }

    public static string Format(IpEndpoint server) => server.Port == ResolverOptions.Port ? server.Address.ToString() : server.ToString();
}

/// <summary>A name server for all names, or for those in a domain, as the command line has it: ADDRESS, or DOMAIN=ADDRESS.</summary>
/// <param name="Domain">Null: for all names that are in no other domain.</param>
public sealed record DnsSpec(DnsName? Domain, IpEndpoint Server)
{
    public const string Accepted = "ADDRESS or DOMAIN=ADDRESS, as in 10.99.0.1 or corp.example=10.0.0.53";

    /// <inheritdoc cref="NameServerSpec.TryParse"/>
    public static bool TryParse(string text, [NotNullWhen(true)] out DnsSpec? spec, [NotNullWhen(false)] out string? problem)
    {
        spec = null;
        problem = "";
        DnsName? domain = null;
        var equals = text.IndexOf('=');
        if (equals >= 0 && !DnsSettings.TryParseDomain(text[..equals], out domain, out problem))
            return false;
        if (!NameServerSpec.TryParse(text[(equals + 1)..], out var server, out problem))
            return false;
        spec = new DnsSpec(domain?.IsRoot == true ? null : domain, server);
        return true;
    }
}

/// <summary>Whether names in .local are looked up on the links, and this host's is published there (RFC 6762).</summary>
public enum MdnsMode
{
    Off,

    /// <summary>Names are looked up.</summary>
    Resolve,

    /// <summary>Names are looked up, and <see cref="DriverSettings.Name"/> is published.</summary>
    On,
}

/// <summary>Section <c>tapwire.dns</c>: how the driver finds the addresses of names. Without servers and names of its own it has no resolver, and the host's is used.</summary>
/// <param name="Servers">For names that are in no domain of <paramref name="Split"/>.</param>
/// <param name="Search">Domains in which short names are looked for.</param>
/// <param name="Split">Domains with servers of their own.</param>
/// <param name="Hosts">Names with addresses that no server is asked for.</param>
/// <param name="HostsFile">A file in the format of hosts(5); empty: none.</param>
public sealed record DnsSettings(IReadOnlyList<IpEndpoint> Servers, IReadOnlyList<DnsName> Search, int Dots, TimeSpan Timeout, int Attempts, bool Rotate,
    IReadOnlyList<DnsRoute> Split, IReadOnlyList<(DnsName Name, IpAddress Address)> Hosts, string HostsFile)
{
    public const string AcceptedDomain = "a domain, as in corp.example";

    /// <summary>The words for multicast DNS in settings.</summary>
    public static readonly IReadOnlyDictionary<string, MdnsMode> MdnsModes = new Dictionary<string, MdnsMode> { ["on"] = MdnsMode.On, ["off"] = MdnsMode.Off, ["resolve"] = MdnsMode.Resolve };

    public MdnsMode Mdns { get; init; } = MdnsMode.On;

    /// <summary>The links are asked for a name, or for the name of an address: no server of <see cref="Split"/> has it.</summary>
    public bool AsksLinksFor(DnsName name) => Mdns != MdnsMode.Off && MdnsNames.IsOfLink(name) && !Split.Any(route => MdnsNames.IsOfLink(route.Domain) && name.IsIn(route.Domain));

    public bool IsOff => Servers.Count == 0 && Split.Count == 0 && Hosts.Count == 0;

    /// <summary>These settings with what the command line has: servers for all names replace those there are, and so do those of a domain.</summary>
    public DnsSettings With(IReadOnlyList<DnsSpec> given)
    {
        IpEndpoint[] servers = [.. given.Where(static spec => spec.Domain is null).Select(static spec => spec.Server)];
        DnsRoute[] split = [.. given.Where(static spec => spec.Domain is not null).GroupBy(static spec => spec.Domain!)
            .Select(static domain => new DnsRoute(domain.Key, [.. domain.Select(static spec => spec.Server)]))];
        // The root's are those for all names.
        var kept = servers.Length == 0 ? Split : Split.Where(static route => !route.Domain.IsRoot);
        return this with
        {
            Servers = servers.Length > 0 ? servers : Servers,
            Split = [.. kept.Where(own => !split.Any(route => route.Domain.Equals(own.Domain))), .. split],
        };
    }

    /// <summary>Checks what single values do not show: more servers or domains than there may be.</summary>
    /// <exception cref="SettingsException">There is such a problem.</exception>
    public void Check()
    {
        if (Split.Count > ResolverOptions.MaxRoutes)
            throw new SettingsException($"There are {Split.Count} domains with name servers of their own; at most {ResolverOptions.MaxRoutes} are possible.");
        if (Search.Count > ResolverOptions.MaxSearch)
            throw new SettingsException($"There are {Search.Count} domains to search; at most {ResolverOptions.MaxSearch} are possible.");
        if (Servers.Count > 0 && Split.Any(static route => route.Domain.IsRoot))
            throw new SettingsException("tapwire.dns.servers and the domain . of tapwire.dns.split are the same; give one of them.");
        foreach (var route in Split.Prepend(new DnsRoute(DnsName.Root, Servers)).Where(static route => route.Servers.Count > ResolverOptions.MaxServers))
            throw new SettingsException($"{(route.Domain.IsRoot ? "All names have" : $"{route.Domain} has")} {route.Servers.Count} name servers; at most {ResolverOptions.MaxServers} are possible.");
    }

    public ResolverOptions ToOptions() => new()
    {
        Routes = Servers.Count == 0 ? Split : [new DnsRoute(DnsName.Root, Servers), .. Split],
        Search = Search,
        Dots = Dots,
        Timeout = Timeout,
        Attempts = Attempts,
        Rotate = Rotate,
        Hosts = HostsTable.Of(Hosts),
        AsksLinks = Mdns != MdnsMode.Off,
    };

    /// <param name="problem">With false: empty, because the text is no domain at all.</param>
    public static bool TryParseDomain(string text, [NotNullWhen(true)] out DnsName? domain, [NotNullWhen(false)] out string? problem)
    {
        var isRoot = text == ".";
        domain = isRoot ? DnsName.Root : null;
        problem = isRoot || DnsName.TryParse(text, out domain) ? null : "";
        return domain is not null;
    }

    /// <summary>All of it as text, for comparison.</summary>
    public override string ToString() => string.Join('\n', string.Join(", ", Servers), string.Join(", ", Search), Dots, Timeout, Attempts, Rotate, Format(Split), Format(Hosts), HostsFile, Mdns);

    /// <summary>The setting's values as text, for comparison.</summary>
    public static string Format(IEnumerable<DnsRoute> split) =>
        string.Join("; ", split.Select(static route => $"{route.Domain}: {string.Join(", ", route.Servers.Select(NameServerSpec.Format))}"));

    /// <inheritdoc cref="Format(IEnumerable{DnsRoute})"/>
    public static string Format(IEnumerable<(DnsName Name, IpAddress Address)> hosts) => string.Join(", ", hosts.Select(static host => $"{host.Name}={host.Address}"));
}
