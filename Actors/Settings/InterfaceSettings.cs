using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using Tapwire.Messages;
using Tapwire.Stack.Interfaces;
using Tapwire.Stack.Ip;

namespace Tapwire.Actors.Settings;

/// <summary>An interface: the keys <c>wire</c>, <c>addresses</c> and so on, of <c>tapwire</c> itself or of a section of <c>tapwire.interfaces</c>.</summary>
/// <param name="Name">Its name in messages, status and other settings.</param>
/// <param name="Gateway">Where packets of its family to other networks go; null: packets leave by the interface's own prefixes and routes only.</param>
/// <param name="HardwareAddress">Null: the wire's, or a random one.</param>
/// <param name="Mtu">Bytes; 0 takes the wire's.</param>
/// <param name="Routes">Routes through other gateways.</param>
/// <param name="PeerAddresses">Addresses for the kernel's end of the device.</param>
public sealed record InterfaceSettings(string Name, WireSpec Wire, IReadOnlyList<IpPrefix> Addresses, IpAddress? Gateway, MacAddress? HardwareAddress, int Mtu,
    IReadOnlyList<GatewayRoute> Routes, IReadOnlyList<IpPrefix> PeerAddresses)
{
    /// <summary>What every link carries (RFC 791).</summary>
    public const int MinMtu = 68;

    /// <summary>What the kernel's devices take: an Ethernet frame of 65535 bytes.</summary>
    public const int MaxMtu = 65521;

    /// <summary>In a few words: how it gets addresses, and its wire.</summary>
    public string Summary => $"{string.Join(", ", [.. Addresses.Select(static own => own.ToString()), .. (string[])(Dhcp == DhcpFamilies.None ? [] : ["DHCP"]), .. (string[])(Slaac == SlaacMode.Off ? [] : ["SLAAC"])])} on {Wire}{(ServesDhcp ? ", serving DHCP" : "")}";

    /// <summary>IPv6 addresses and routes from the link's routers.</summary>
    public SlaacMode Slaac { get; init; }

    /// <summary>The interface gets addresses without being given one.</summary>
    public bool ConfiguresItself => Dhcp != DhcpFamilies.None || Slaac != SlaacMode.Off;

    /// <summary>Addresses, routes and name servers come from a DHCP server, beside those of these settings.</summary>
    public DhcpFamilies Dhcp { get; init; }

    /// <summary>What is forwarded by the interface gets its address as the source.</summary>
    public bool Masquerades { get; init; }

    /// <summary>Stations on the wire get addresses and name servers from here: by DHCP, and by router advertisements.</summary>
    public bool ServesDhcp { get; init; }

    /// <summary>The routes through gateways, that of <see cref="Gateway"/> included.</summary>
    public IReadOnlyList<GatewayRoute> AllRoutes => Gateway is { } gateway ? [.. Routes, RouteSpec.Default(gateway)] : Routes;

    /// <summary>The same with other routes, that of <see cref="Gateway"/> included where there is one.</summary>
    public InterfaceSettings WithRoutes(IReadOnlyList<GatewayRoute> routes)
    {
        var everywhere = routes.FirstOrDefault(static route => route.Destination.Length == 0 && !route.IsDirect && route.Metric == 0);
        return this with { Gateway = everywhere == default ? null : everywhere.Gateway, Routes = [.. routes.Where(route => everywhere == default || route != everywhere)] };
    }

    /// <summary>The settings that cannot change while the interface exists, as text: a change makes it another interface.</summary>
    public string Fixed => $"{Wire}, {HardwareAddress}, {Mtu}, {string.Join(", ", PeerAddresses)}, {Slaac}{(Dhcp == DhcpFamilies.None ? "" : $", dhcp {Dhcp}")}{(Masquerades ? ", masquerade" : "")}{(ServesDhcp ? ", serves DHCP" : "")}";

    /// <summary>All settings, as text for comparison.</summary>
    public override string ToString() => $"{Name}: {Fixed}; {string.Join(", ", Addresses)}; {string.Join(", ", AllRoutes.Select(RouteSpec.Format))}";
}

/// <summary>A route as users write it: "10.20.0.0/16 via 10.99.0.9", or "default via 10.99.0.9 metric 100".</summary>
public static class RouteSpec
{
    public const string Accepted = "NETWORK/LENGTH via GATEWAY, as in 10.20.0.0/16 via 10.99.0.9, with 'metric N' behind it if wanted";

    public const string AcceptedMetric = "a number from 0 to 2147483647";

    private const string MetricWord = " metric ";

    private static readonly string[] Between = [" via ", "="];

    /// <summary>Accepts '=' in place of "via" as well, which needs no quotes in a shell.</summary>
    /// <param name="problem">If false is returned: the offending part; empty if the text is no route at all.</param>
    public static bool TryParse(string text, out GatewayRoute route, [NotNullWhen(false)] out string? problem)
    {
        route = default;
        problem = "";
        if (text.Split(Between, 2, StringSplitOptions.TrimEntries) is not [var to, var by])
            return false;
        var metric = 0;
        if (by.IndexOf(MetricWord, StringComparison.Ordinal) is >= 0 and var at)
        {
            var number = by[(at + MetricWord.Length)..].Trim();
            if (!TryParseMetric(number, out metric))
            {
                problem = $"the metric '{number}' is not {AcceptedMetric}";
                return false;
            }

            by = by[..at].TrimEnd();
        }

        // "default" is of the gateway's family.
        var isV6 = by.Contains(':', StringComparison.Ordinal);
        if (!TryParseDestination(to == "default" && isV6 ? "::/0" : to, out var destination, out problem) || !OwnAddress.TryParseGateway(by, out var gateway, out problem))
            return false;
        if (destination.Address.IsV4 != gateway.IsV4)
        {
            problem = $"the gateway {gateway} is of another family than {destination}";
            return false;
        }

        route = new GatewayRoute(destination, gateway) { Metric = metric };
        return true;
    }

    /// <summary>Takes "default", which is parsed before the gateway is known, to be of the gateway's family.</summary>
    public static IpPrefix OfFamily(IpPrefix destination, IpAddress gateway) => destination.Length == 0 && gateway.IsV6 ? Default(gateway).Destination : destination;

    /// <summary>The route to all hosts of a gateway's family.</summary>
    public static GatewayRoute Default(IpAddress gateway) => new(new IpPrefix(gateway.IsV4 ? IpAddress.AnyV4 : IpAddress.Unspecified, 0), gateway);

    /// <summary>Where a route leads: a network, or "default".</summary>
    /// <param name="problem">With false: why it cannot be; empty where it is no network at all.</param>
    public static bool TryParseDestination(string text, out IpPrefix destination, [NotNullWhen(false)] out string? problem)
    {
        problem = !IpPrefix.TryParse(text == "default" ? "0.0.0.0/0" : text, null, out destination) ? ""
            : destination.Address != destination.Network ? $"{destination.Address} is a host's address; the network is {destination.Network}/{destination.Length}"
            : null;
        return problem is null;
    }

    public static bool TryParseMetric(string text, out int metric) => int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out metric);

    public static string Format(GatewayRoute route) => (route.IsDirect ? $"{route.Destination} by the wire" : $"{route.Destination} via {route.Gateway}") + (route.Metric == 0 ? "" : $"{MetricWord}{route.Metric}");
}
