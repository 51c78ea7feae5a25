using System.Diagnostics.CodeAnalysis;
using Tapwire.Stack.Ip;

namespace Tapwire.Actors.Settings;

/// <summary>Validates the stack's own addresses, and their gateway: an address that no host can have is refused with the reason.</summary>
public static class OwnAddress
{
    public const string Accepted = "ADDRESS/LENGTH, as in 10.99.0.2/24 or fd00::2/64";

    public const string AcceptedGateway = "an IP address, as in 10.99.0.1 or fd00::1";

    /// <summary>Parses an address that a host can have, with its prefix.</summary>
    /// <param name="problem">If false is returned: the reason; empty if the text is no address at all.</param>
    public static bool TryParse(string text, out IpPrefix prefix, [NotNullWhen(false)] out string? problem)
    {
        problem = IpPrefix.TryParse(text, null, out prefix) ? Problem(prefix) : MissesLength(text);
        return problem is null;
    }

    /// <summary>Parses an address that another host can have.</summary>
    /// <param name="problem">If false is returned: the reason; empty if the text is no address at all.</param>
    public static bool TryParseGateway(string text, out IpAddress gateway, [NotNullWhen(false)] out string? problem)
    {
        problem = IpAddress.TryParse(text, null, out gateway) ? Problem(gateway) : "";
        return problem is null;
    }

    /// <summary>Checks what single values do not show: a duplicate address, or a gateway that no address can reach.</summary>
    /// <exception cref="SettingsException">There is such a problem.</exception>
    public static void Check(IReadOnlyList<IpPrefix> addresses, IpAddress? gateway)
    {
        if (addresses.GroupBy(static prefix => prefix.Address).FirstOrDefault(static group => group.Count() > 1) is { } twice)
            throw new SettingsException($"The address {twice.Key} is there twice, as {string.Join(" and ", twice)}; give it once.");
        if (gateway is { } router)
            CheckGateway(router, addresses);
    }

    /// <summary>Checks that one of the addresses can reach the gateway.</summary>
    /// <exception cref="SettingsException">None can.</exception>
    public static void CheckGateway(IpAddress router, IReadOnlyList<IpPrefix> addresses)
    {
        if (addresses.Any(prefix => prefix.Address == router))
            throw new SettingsException($"The gateway {router} is the stack's own address; name the router's.");
        // Every interface with IPv6 is on the link of its link-local address, which it has without being told.
        if (router.IsLinkLocal && addresses.Any(static prefix => prefix.Address.IsV6))
            return;
        var near = addresses.Where(prefix => prefix.Contains(router)).ToList();
        if (near.Count == 0)
            throw new SettingsException($"The gateway {router} is on no network of the stack's addresses, {string.Join(", ", addresses)}; name a router on one of them.");
        if (near.FirstOrDefault(prefix => HasNetworkAddress(prefix) && (router == prefix.Network || router == prefix.Broadcast)) is { Length: > 0 } network)
            throw new SettingsException($"The gateway {router} is the {(router == network.Network ? "network" : "broadcast")} address of {network.Network}/{network.Length}; name the router's.");
    }

    /// <returns>Null, or why no host can have the address.</returns>
    public static string? Problem(IpPrefix prefix)
    {
        if (Problem(prefix.Address) is { } problem)
            return problem;
        if (!HasNetworkAddress(prefix))
            return null;
        if (prefix.Address == prefix.Network)
            return $"{prefix.Address} is the address of the network itself; take one of a host in it, as in {SecondHost(prefix)}/{prefix.Length}";
        return prefix.Address == prefix.Broadcast ? $"{prefix.Address} is the broadcast address of its network; take one of a host in it" : null;
    }

    /// <returns>Null, or why no host can have the address.</returns>
    public static string? Problem(IpAddress address)
    {
        if (address.IsUnspecified)
            return $"{address} stands for no address; take one of a host";
        if (address.IsLoopback)
            return $"{address} is a loopback address, which never leaves a host; take another";
        if (address.IsMulticast)
            return $"{address} is a multicast address, which is a group's; take one of a host";
        return address.IsLimitedBroadcast ? $"{address} is the broadcast address, which is everybody's; take one of a host" : null;
    }

    private static string MissesLength(string text) =>
        IpAddress.TryParse(text, null, out var address) ? $"the length of the prefix is missing, as in {address}/{(address.IsV4 ? 24 : 64)}" : "";

    /// <summary>Prefixes of two addresses or one have no network or broadcast address (RFC 3021, RFC 6164). The first address of an IPv6 network is its routers' (RFC 4291, 2.6.1).</summary>
    private static bool HasNetworkAddress(IpPrefix prefix) => prefix.Length < prefix.Address.Length * 8 - 1;

    private static IpAddress SecondHost(IpPrefix prefix) =>
        prefix.Address.IsV4 ? IpAddress.FromV4(prefix.Address.V4 + 2) : IpAddress.FromHalves(prefix.Address.Halves.High, prefix.Address.Halves.Low + 2);
}
