using System.CommandLine;
using System.Diagnostics.CodeAnalysis;
using System.Net;
using System.Net.Sockets;
using Tapwire.Links.Client;
using Tapwire.Names;
using Tapwire.Stack.Ip;

namespace Tapwire.Host.Commands;

/// <summary><c>tapwire resolve NAME</c>: what a running driver's resolver finds of a name.</summary>
internal static class ResolveCommand
{
    private static readonly Argument<string> Name = OperatorCommand.Argument<string>("NAME", "The name of a host, or an address whose name is wanted.", TryParse,
        "the name of a host or an address, as in www.example.org");

    private static readonly Flag<AddressFamily> Family = Flags.Value("--family", "4 or 6: only addresses of IPv4 or IPv6; both when not given.", "4|6",
        (string text, out AddressFamily family) =>
        {
            family = text == "6" ? AddressFamily.InterNetworkV6 : AddressFamily.InterNetwork;
            return text is "4" or "6";
        }, "4 or 6", AddressFamily.Unspecified);

    public static Command Create() => new ExampledCommand("resolve", "Looks up a name with a running driver's name servers. Fails when it has no address.",
        "tapwire resolve www.example.org",
        "tapwire resolve www.example.org --family 4",
        "tapwire resolve 10.99.0.1")
    {
        Name, Family,
    }.Doing(static async (parsed, client, cancel) =>
    {
        var name = parsed.GetValue(Name)!;
        // All links are asked for the name of a link-local address, so that its zone says nothing more.
        if (ZonedAddress.TryParse(name, out var address))
        {
            Console.WriteLine(await client.ResolveAsync(address.Address.ToSystem(), cancel));
            return;
        }

        var found = await client.ResolveAsync(name, parsed.Read(Family), cancel);
        foreach (var each in found.Addresses)
            Console.WriteLine(each);
    });

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
