using System.Diagnostics.CodeAnalysis;
using Tapwire.Actors.Settings;
using Tapwire.Names;
using Tapwire.Stack.Ip;

namespace Tapwire.Configuration;

/// <summary>Reads and checks the section <c>tapwire.dns</c>.</summary>
internal static class DnsSettingsReader
{
    private const string AcceptedName = "the name of a host, of letters, digits, '-', '_' and '.'";

    /// <exception cref="SettingsException">A value is invalid.</exception>
    public static DnsSettings Read(SettingsReader read)
    {
        var settings = new DnsSettings(
            read.List<IpEndpoint>("dns.servers", NameServerSpec.TryParse, NameServerSpec.Accepted),
            read.List<DnsName>("dns.search", DnsSettings.TryParseDomain, DnsSettings.AcceptedDomain),
            read.Number("dns.ndots", ResolverOptions.Ranges.Dots),
            read.Time("dns.timeout", ResolverOptions.Ranges.Timeout),
            read.Number("dns.attempts", ResolverOptions.Ranges.Attempts),
            read.Switch("dns.rotate"),
            [.. read.Keys("dns.split").Select(name => ReadRoute(read, name))],
            [.. read.Keys("dns.hosts").SelectMany(name => ReadHost(read, name))],
            read.Text("dns.hosts-file"))
        {
            Mdns = read.Choice("dns.mdns", DnsSettings.MdnsModes),
        };
        if (settings.HostsFile.Length > 0 && settings.HostsFile[0] != '/')
            throw read.Bad("dns.hosts-file", settings.HostsFile, "the path of a file from / on, as in /etc/hosts, or empty");
        return settings;
    }

    private static DnsRoute ReadRoute(SettingsReader read, string name)
    {
        var key = HoconKeys.Join("dns.split", name);
        if (!DnsSettings.TryParseDomain(name, out var domain, out _))
            throw read.Wrong(key, $"{Complaint.Quote(name)} is no domain; it must be {DnsSettings.AcceptedDomain}");
        var servers = read.List<IpEndpoint>(key, NameServerSpec.TryParse, NameServerSpec.Accepted, orOne: true);
        return servers.Count > 0 ? new DnsRoute(domain, servers) : throw read.Bad(key, "", $"a list of {NameServerSpec.Accepted}");
    }

    private static IEnumerable<(DnsName, IpAddress)> ReadHost(SettingsReader read, string name)
    {
        var key = HoconKeys.Join("dns.hosts", name);
        if (!DnsName.TryParse(name, out var host) || host.EndsInNumber)
            throw read.Wrong(key, $"{Complaint.Quote(name)} is no name; it must be {AcceptedName}");
        return read.List<IpAddress>(key, TryParseAddress, "an address, as in 10.99.0.9", orOne: true).Select(address => (host, address));
    }

    private static bool TryParseAddress(string text, out IpAddress address, [NotNullWhen(false)] out string? problem)
    {
        problem = IpAddress.TryParse(text, out address) ? null : "";
        return problem is null;
    }
}
