using System.CommandLine;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Tapwire.Links.Client;
using Tapwire.Names;
using Tapwire.Stack.Ip;

namespace Tapwire.Host.Commands;

/// <summary>A host on a command line: a name, or an address that may have a zone, and addresses as they are printed.</summary>
internal static class HostName
{
    /// <summary>Of which family an address of the name is wanted.</summary>
    public static readonly Flag<AddressFamily> Family = Flags.Value("--family", "4 or 6: only addresses of IPv4 or IPv6; both when not given.", "4|6",
        (string text, out AddressFamily family) =>
        {
            family = text == "6" ? AddressFamily.InterNetworkV6 : AddressFamily.InterNetwork;
            return text is "4" or "6";
        }, "4 or 6", AddressFamily.Unspecified);

    public static Argument<string> Argument(string name, string description) =>
        OperatorCommand.Argument<string>(name, description, TryParse, "the name of a host or an address, as in www.example.org, 10.99.0.1 or fe80::1%tw0");

    /// <summary>An address as it can be given again: the zone of a link-local one is the name of its interface.</summary>
    public static async Task<string> TextOfAsync(TapwireClient client, IPAddress address, CancellationToken cancel)
    {
        if (!address.IsIPv6LinkLocal || address.ScopeId == 0)
            return address.ToString();
        var zone = await client.FindInterfaceNameAsync((int)address.ScopeId, cancel) ?? address.ScopeId.ToString(CultureInfo.InvariantCulture);
        return new ZonedAddress(IpAddress.FromSystem(address), zone).ToString();
    }

    private static bool TryParse(string text, [MaybeNullWhen(false)] out string name, [NotNullWhen(false)] out string? problem)
    {
        name = text;
        problem = ZonedAddress.TryParse(text, out _) ? null
            : !DnsName.TryParse(text, out var parsed) ? ""
            : parsed.EndsInNumber ? "its last part is a number, so it would have to be an address"
            : null;
        return problem is null;
    }
}
