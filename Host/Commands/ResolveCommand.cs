using System.CommandLine;
using Tapwire.Stack.Ip;

namespace Tapwire.Host.Commands;

/// <summary><c>tapwire resolve NAME</c>: what a running driver's resolver finds of a name.</summary>
internal static class ResolveCommand
{
    private static readonly Argument<string> Name = HostName.Argument("NAME", "The name of a host, or an address whose name is wanted.");

    public static Command Create() => new ExampledCommand("resolve", "Looks up a name with a running driver's name servers. Fails when it has no address.",
        "tapwire resolve www.example.org",
        "tapwire resolve www.example.org --family 4",
        "tapwire resolve 10.99.0.1")
    {
        Name, HostName.Family,
    }.Doing(static async (parsed, client, cancel) =>
    {
        var name = parsed.GetValue(Name)!;
        // All links are asked for the name of a link-local address, so that its zone says nothing more.
        if (ZonedAddress.TryParse(name, out var address))
        {
            Console.WriteLine(await client.ResolveAsync(address.Address.ToSystem(), cancel));
            return;
        }

        var found = await client.ResolveAsync(name, parsed.Read(HostName.Family), cancel);
        foreach (var each in found.Addresses)
            Console.WriteLine(await HostName.TextOfAsync(client, each, cancel));
    });
}
