using System.Buffers.Binary;
using System.Text;
using Tapwire.Stack.Ip;

namespace Tapwire.Stack.Dhcp;

/// <summary>Reads the options of a lease that hold lists.</summary>
internal static class DhcpValues
{
    /// <summary>The longest name of a domain (RFC 1035, 2.3.4), and jumps that one may have.</summary>
    private const int MaxName = 253;
    private const int MaxJumps = 16;

    private static readonly IpPrefix Everywhere = new(IpAddress.AnyV4, 0);

    /// <returns>False: the option has a length that cannot be.</returns>
    public static bool TryReadRoutes(DhcpOptions options, IpPrefix address, DhcpCounters counters, out IReadOnlyList<DhcpRoute> routes)
    {
        var read = new List<DhcpRoute>();
        routes = read;
        if (!options.Has(DhcpOption.ClasslessStaticRoute))
            return TryReadRouters(options[DhcpOption.Router], address, counters, read);
        if (!TryReadClassless(options[DhcpOption.ClasslessStaticRoute], read))
            return false;
        var onLink = read.Where(route => route.Gateway.IsUnspecified && IsDestination(route.Destination)).ToList();
        var others = read.Where(route => !route.Gateway.IsUnspecified && IsDestination(route.Destination) && IsGateway(route.Gateway, address, onLink)).ToList();
        counters.Count(DhcpDrop.BadRouter, read.Count - onLink.Count - others.Count);
        routes = [.. onLink, .. others];
        return true;
    }

    /// <inheritdoc cref="TryReadRoutes"/>
    public static bool TryReadNameServers(ReadOnlySpan<byte> value, DhcpCounters counters, out IReadOnlyList<IpAddress> servers)
    {
        var read = new List<IpAddress>();
        servers = read;
        for (; value.Length >= 4; value = value[4..])
        {
            var server = BinaryPrimitives.ReadUInt32BigEndian(value);
            if (!DhcpAnswer.CanBeAHosts(server))
                counters.Count(DhcpDrop.BadNameServer);
            else if (read.Count < DhcpLease.MostNameServers && !read.Contains(IpAddress.FromV4(server)))
                read.Add(IpAddress.FromV4(server));
        }

        return value.IsEmpty;
    }

    /// <inheritdoc cref="TryReadRoutes"/>
    public static bool TryReadMtu(DhcpOptions options, DhcpCounters counters, out int mtu)
    {
        mtu = 0;
        var value = options[DhcpOption.InterfaceMtu];
        if (!options.Has(DhcpOption.InterfaceMtu))
            return true;
        if (value.Length != 2)
            return false;
        var given = BinaryPrimitives.ReadUInt16BigEndian(value);
        if (given < DhcpLease.LeastMtu)
            counters.Count(DhcpDrop.BadMtu);
        else
            mtu = given;
        return true;
    }

    /// <summary>Domains that are none are left out: their names go into no question.</summary>
    public static IReadOnlyList<string> ReadDomains(DhcpOptions options, DhcpCounters counters)
    {
        var read = new List<string>();
        if (options.Has(DhcpOption.DomainSearch))
        {
            if (!TryReadNames(options[DhcpOption.DomainSearch], read))
                counters.Count(DhcpDrop.BadDomain);
            if (read.Count > 0)
                return read;
        }

        if (!options.Has(DhcpOption.DomainName))
            return [];
        var name = Encoding.Latin1.GetString(options[DhcpOption.DomainName]).TrimEnd('\0').TrimEnd('.');
        if (IsDomain(name))
            return [name];
        counters.Count(DhcpDrop.BadDomain);
        return [];
    }

    /// <summary>Only the first router on the link is used: a host has one way out.</summary>
    private static bool TryReadRouters(ReadOnlySpan<byte> value, IpPrefix address, DhcpCounters counters, List<DhcpRoute> routes)
    {
        for (; value.Length >= 4; value = value[4..])
        {
            var router = IpAddress.FromV4(BinaryPrimitives.ReadUInt32BigEndian(value));
            if (!IsGateway(router, address, []))
                counters.Count(DhcpDrop.BadRouter);
            else if (routes.Count == 0)
                routes.Add(new DhcpRoute(Everywhere, router));
        }

        return value.IsEmpty;
    }

    /// <summary>The length of a prefix, its significant bytes, and the router (RFC 3442).</summary>
    private static bool TryReadClassless(ReadOnlySpan<byte> value, List<DhcpRoute> routes)
    {
        Span<byte> network = stackalloc byte[4];
        while (!value.IsEmpty)
        {
            var length = value[0];
            var bytes = (length + 7) / 8;
            if (length > 32 || value.Length < 1 + bytes + 4)
                return false;
            network.Clear();
            value.Slice(1, bytes).CopyTo(network);
            var destination = new IpPrefix(IpAddress.FromBytes(network).Masked(length), length);
            var router = IpAddress.FromBytes(value.Slice(1 + bytes, 4));
            if (routes.Count < DhcpLease.MostRoutes)
                routes.Add(new DhcpRoute(destination, router));
            value = value[(1 + bytes + 4)..];
        }

        return routes.Count > 0;
    }

    /// <summary>Loopback, groups and reserved addresses lead nowhere; 0.0.0.0/0 is everywhere.</summary>
    private static bool IsDestination(IpPrefix destination) => destination.Length == 0 || DhcpAnswer.CanBeAHosts(destination.Address.V4);

    private static bool IsGateway(IpAddress router, IpPrefix address, IReadOnlyList<DhcpRoute> onLink) =>
        DhcpAnswer.CanBeAHosts(router.V4) && router != address.Address && router != address.Broadcast && (address.Length >= 31 || router != address.Network)
        && (address.Contains(router) || onLink.Any(route => route.Destination.Contains(router)));

    /// <summary>Names as in DNS messages, which may refer to earlier ones of the option (RFC 3397, 2). False: it does not keep to the format; what was read before counts.</summary>
    private static bool TryReadNames(ReadOnlySpan<byte> value, List<string> names)
    {
        for (var at = 0; at < value.Length && names.Count < DhcpLease.MostDomains;)
        {
            if (!TryReadName(value, ref at, out var name) || !IsDomain(name))
                return false;
            names.Add(name);
        }

        return true;
    }

    private static bool TryReadName(ReadOnlySpan<byte> value, ref int at, out string name)
    {
        var text = new StringBuilder();
        var (i, jumps, end) = (at, 0, -1);
        name = "";
        while (true)
        {
            if (i >= value.Length)
                return false;
            int length = value[i];
            if (length == 0)
                break;
            if (length >= 0xC0)
            {
                // A pointer leads back, so that there are no loops, and not too often.
                if (i + 1 >= value.Length || ((length & 0x3F) << 8 | value[i + 1]) is var target && target >= i || ++jumps > MaxJumps)
                    return false;
                end = end < 0 ? i + 2 : end;
                i = target;
                continue;
            }

            if (length > 63 || i + 1 + length > value.Length || text.Length + length + 1 > MaxName + 1)
                return false;
            text.Append(text.Length > 0 ? "." : "").Append(Encoding.Latin1.GetString(value.Slice(i + 1, length)));
            i += 1 + length;
        }

        at = end < 0 ? i + 1 : end;
        name = text.ToString();
        return true;
    }

    /// <summary>Labels of letters, digits, '-' and '_', as hosts' names have.</summary>
    private static bool IsDomain(string name) => name.Length is > 0 and <= MaxName
        && name.Split('.').All(static label => label.Length is > 0 and <= 63 && label.All(static c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_'));
}
