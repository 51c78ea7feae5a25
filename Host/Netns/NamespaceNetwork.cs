using System.Text.Json;
using Tapwire.Posix;
using Tapwire.Stack.Forwarding;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Packets;

namespace Tapwire.Host.Netns;

/// <summary>The network that a namespace sees: the driver's own addresses, so that a program finds the same as one on the driver's sockets.</summary>
/// <param name="Addresses">The first of each family that the driver has, IPv4 before IPv6, with the prefix of the driver's network.</param>
/// <param name="NameServers">Those that the driver has a way to.</param>
internal sealed record NamespaceNetwork(IReadOnlyList<IpPrefix> Addresses, int Mtu, IReadOnlyList<IpAddress> NameServers)
{
    private const int LargestMtu = 65535;

    /// <summary>The same without prefixes.</summary>
    public GuestAddresses Guest => Addresses is [var v4, var v6] ? new GuestAddresses(v4.Address, v6.Address) : new GuestAddresses(Addresses[0].Address);

    /// <summary>The machine's resolver may be a program of its own on loopback (systemd-resolved), which keeps the true servers in the second file.</summary>
    private static readonly string[] ResolverFiles = ["/etc/resolv.conf", "/run/systemd/resolve/resolv.conf"];

    /// <param name="status">The driver's status as JSON.</param>
    /// <param name="dns">Name servers that the user has named; empty: others, as far as the driver has a route to them.</param>
    /// <param name="others">Those of the driver's own wires; empty: the machine's.</param>
    /// <exception cref="CommandFailedException">The driver has no address, or none of a named server's family.</exception>
    public static NamespaceNetwork Of(string status, IReadOnlyList<IpAddress> dns, IReadOnlyList<IpAddress> others) =>
        Choose(status, dns, others.Count > 0 ? others : ResolverFiles.SelectMany(static file => ServersIn(ProcFile.Text(file))));

    /// <param name="others">Name servers where the user has named none.</param>
    internal static NamespaceNetwork Choose(string status, IReadOnlyList<IpAddress> dns, IEnumerable<IpAddress> others)
    {
        using var driver = JsonDocument.Parse(status);
        var interfaces = driver.RootElement.GetProperty("interfaces").EnumerateArray().ToList();
        var addresses = interfaces.SelectMany(static each => each.GetProperty("addresses").EnumerateArray()).Select(static address => IpPrefix.Parse(address.GetString()!)).ToList();
        var routes = interfaces.SelectMany(static each => each.GetProperty("routes").EnumerateArray())
            .Select(static route => IpPrefix.Parse(route.GetProperty("destination").GetString()!)).ToList();
        var mtu = interfaces.Min(static each => each.GetProperty("wire").GetProperty("mtu").GetInt32());
        var own = OwnOf(addresses, mtu);
        if (dns.FirstOrDefault(server => !HasFamilyOf(server)) is { IsUnspecified: false } stray)
            throw new CommandFailedException($"The name server {stray} of --dns is out of reach: the driver has no {(stray.IsV4 ? "IPv4" : "IPv6")} address that the namespace could have.");
        var servers = dns.Count > 0 ? dns : [.. others.Where(server => HasFamilyOf(server) && !server.IsLoopback && !server.IsLinkLocal && routes.Exists(route => route.Contains(server))).Distinct()];
        return new NamespaceNetwork(own, Math.Min(mtu, LargestMtu), servers);

        bool HasFamilyOf(IpAddress server) => own.Any(address => address.Address.IsV4 == server.IsV4);
    }

    /// <summary>The first address of each family. A link-local one leads nowhere beyond its link; and no device with a small MTU has IPv6 (RFC 8200, 5).</summary>
    private static List<IpPrefix> OwnOf(List<IpPrefix> addresses, int mtu)
    {
        var beyond = addresses.FindAll(static address => !address.Address.IsLinkLocal);
        if (beyond.Count == 0)
            throw new CommandFailedException("The driver has no address; give it one with 'tapwire address add'.");
        var own = beyond.FindAll(static address => address.Address.IsV4).Take(1).ToList();
        if (mtu >= Ipv6Header.MinimumMtu)
            own.AddRange(beyond.FindAll(static address => address.Address.IsV6).Take(1));
        return own.Count > 0 ? own : throw new CommandFailedException($"The driver has IPv6 only, and its MTU of {mtu} is below that of IPv6, {Ipv6Header.MinimumMtu}.");
    }

    /// <summary>The name servers in a text of the form of resolv.conf(5).</summary>
    internal static IEnumerable<IpAddress> ServersIn(string text)
    {
        foreach (var line in text.Split('\n'))
        {
            if (line.Split((char[])[' ', '\t'], StringSplitOptions.RemoveEmptyEntries) is ["nameserver", var server, ..] && IpAddress.TryParse(server, null, out var address))
                yield return address;
        }
    }
}
