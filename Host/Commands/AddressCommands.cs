using System.CommandLine;
using System.Diagnostics.CodeAnalysis;
using System.Net.Sockets;
using System.Text.Json;
using Tapwire.Actors.Settings;
using Tapwire.Links.Client;
using Tapwire.Stack.Ip;

namespace Tapwire.Host.Commands;

/// <summary><c>tapwire address</c>: the addresses of a running driver.</summary>
internal static class AddressCommands
{
    private static readonly Argument<IpPrefix> Added = OperatorCommand.Argument<IpPrefix>("CIDR", "An address with the length of its prefix, as in 10.99.0.3/24 or fd00::3/64.",
        OwnAddress.TryParse, OwnAddress.Accepted);

    private static readonly Argument<IpAddress> Removed = OperatorCommand.Argument<IpAddress>("IP", "The address, as in 10.99.0.3; the length of its prefix may follow.", TryParse,
        "an address, as in 10.99.0.3");

    private static readonly Flag<string?> Interface = OperatorCommand.Interface("The interface that gets it; the one with an address of the same network, or else the first, when not given.");

    private static readonly Flag<string?> Flushed = new Func<Flag<string?>>(static () =>
    {
        var of = OperatorCommand.Interface("The interface.");
        of.Required = true;
        return of;
    })();

    public static Command Create()
    {
        var address = Make();
        address.Aliases.Add("addr");
        return DriverLists.ListsAlone(address, "addresses", Line);
    }

    private static ExampledCommand Make() => new("address", "Shows and changes the addresses of a running driver; alone it shows them.",
        "tapwire address",
        "tapwire address add 10.99.0.3/24",
        "tapwire address remove 10.99.0.3")
    {
        DriverLists.List("Shows the addresses of a running driver.", "addresses", Line, "tapwire address list", "tapwire address list dev tw0 --json"),
        new ExampledCommand("add", "Gives a running driver one more address.", "tapwire address add 10.99.0.3/24", "tapwire address add 10.98.0.3/24 --interface tw1") { Added, Interface }
            .Doing(static (parsed, client, cancel) => AddAsync(client, parsed.GetValue(Added), parsed.Read(Interface) ?? "", cancel)),
        OperatorCommand.Removal(
            new ExampledCommand("remove", "Takes an address from a running driver; connections from and to it are reset.", "tapwire address remove 10.99.0.3") { Removed })
            .Doing(static (parsed, client, cancel) => RemoveAsync(client, parsed.GetValue(Removed), cancel)),
        new ExampledCommand("flush", "Takes all addresses of an interface from a running driver.", "tapwire address flush dev tw1") { Flushed }
            .Doing(static (parsed, client, cancel) => DriverLists.FlushAsync(client, "addresses", parsed.Read(Flushed), static _ => true, static address => $"{address}",
                (_, address) => client.RemoveAddressAsync(IpPrefix.Parse(address.GetString()!).Address.ToSystem(), cancel), SocketError.AddressNotAvailable, cancel)),
    };

    private static string Line(JsonElement address, string name) => $"inet{(address.GetString()!.Contains(':') ? "6" : "")} {address} dev {name}";

    private static Task AddAsync(TapwireClient client, IpPrefix added, string owner, CancellationToken cancel) => client.AddAddressAsync(added.Address.ToSystem(), added.Length, owner, cancel);

    /// <summary>This request is older than reasons in answers, so its errors are worded here.</summary>
    private static async Task RemoveAsync(TapwireClient client, IpAddress removed, CancellationToken cancel)
    {
        try
        {
            await client.RemoveAddressAsync(removed.ToSystem(), cancel);
        }
        catch (SocketException e) when (e.SocketErrorCode == SocketError.AddressNotAvailable)
        {
            throw new CommandFailedException($"No interface has the address {removed}; 'tapwire interface list' shows those that there are.", e);
        }
    }

    private static bool TryParse(string text, out IpAddress address, [NotNullWhen(false)] out string? problem)
    {
        var isPrefix = IpPrefix.TryParse(text, null, out var prefix);
        address = prefix.Address;
        problem = isPrefix || IpAddress.TryParse(text, null, out address) ? null : "";
        return problem is null;
    }
}
