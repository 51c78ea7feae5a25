using System.Text.Json;
using Tapwire.Posix;
using Tapwire.Stack.Ip;

namespace Tapwire.Host.Netns;

/// <summary>The network that a namespace sees: the driver's own address, so that a program finds the same as one on the driver's sockets.</summary>
/// <param name="Address">With the prefix of the driver's network.</param>
/// <param name="NameServers">Those that the driver has a way to.</param>
internal sealed record NamespaceNetwork(IpPrefix Address, int Mtu, IReadOnlyList<IpAddress> NameServers)
{
    private const int LargestMtu = 65535;

    /// <summary>The machine's resolver may be a program of its own on loopback (systemd-resolved), which keeps the true servers in the second file.</summary>
    private static readonly string[] ResolverFiles = ["/etc/resolv.conf", "/run/systemd/resolve/resolv.conf"];

    /// <param name="status">The driver's status as JSON.</param>
    /// <param name="dns">Name servers that the user has named; empty: the machine's own, as far as the driver has a route to them.</param>
    /// <exception cref="CommandFailedException">The driver has no address.</exception>
    public static NamespaceNetwork Of(string status, IReadOnlyList<IpAddress> dns) => Of(status, dns, ResolverFiles.SelectMany(static file => ServersIn(ProcFile.Text(file))));

    /// <param name="machine">The machine's name servers.</param>
    internal static NamespaceNetwork Of(string status, IReadOnlyList<IpAddress> dns, IEnumerable<IpAddress> machine)
    {
        using var driver = JsonDocument.Parse(status);
        var interfaces = driver.RootElement.GetProperty("interfaces").EnumerateArray().ToList();
        var addresses = interfaces.SelectMany(static each => each.GetProperty("addresses").EnumerateArray()).Select(static address => IpPrefix.Parse(address.GetString()!)).ToList();
        if (addresses.Count == 0)
            throw new CommandFailedException("The driver has no address; give it one with 'tapwire address add'.");
        var routes = interfaces.SelectMany(static each => each.GetProperty("routes").EnumerateArray())
            .Select(static route => IpPrefix.Parse(route.GetProperty("destination").GetString()!)).ToList();
        var mtu = interfaces.Min(static each => each.GetProperty("wire").GetProperty("mtu").GetInt32());
        var servers = dns.Count > 0 ? dns : [.. machine.Where(server => server.IsV4 && !server.IsLoopback && routes.Exists(route => route.Contains(server))).Distinct()];
        return new NamespaceNetwork(addresses[0], Math.Min(mtu, LargestMtu), servers);
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
