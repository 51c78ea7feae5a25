using System.CommandLine;
using System.Diagnostics.CodeAnalysis;
using System.Net.NetworkInformation;
using System.Text.Json;
using Tapwire.Configuration;
using Tapwire.Stack.Interfaces;
using Tapwire.Stack.Ip;

namespace Tapwire.Host.Commands;

/// <summary><c>tapwire neighbor</c>: the stations that a running driver knows on its networks.</summary>
internal static class NeighborCommands
{
    private static readonly Argument<IpAddress> Station = OperatorCommand.Argument<IpAddress>("IP", "The station's address.", TryParse, "an address, as in 10.99.0.1");

    private static readonly Flag<MacAddress?> Hardware = new Func<Flag<MacAddress?>>(static () =>
    {
        var hardware = Flags.Value<MacAddress>("--lladdr", "Its Ethernet address.", "MAC", DriverSettingsReader.TryParseHardware, "a unicast address, as in 02:00:5e:10:00:01");
        hardware.Aliases.Add("lladdr");
        hardware.Required = true;
        return hardware;
    })();

    private static readonly Flag<string?> On = OperatorCommand.Interface("The interface; the one with an address of the same network when not given.");
    private static readonly Flag<string?> Flushed = OperatorCommand.Interface("The interface; all when not given.");

    public static Command Create()
    {
        var add = new ExampledCommand("add", "Names a station's Ethernet address, in the place of what was known: it is never asked for, and nobody can change it.", "tapwire neighbor add 10.99.0.7 lladdr 02:00:5e:10:00:07")
        {
            Station, Hardware, On,
        };
        add.Aliases.Add("replace");
        var neighbor = new ExampledCommand("neighbor", "Shows and changes the stations that a running driver knows on its networks (ARP and neighbour discovery); alone it shows them.",
            "tapwire neighbor",
            "tapwire neighbor add 10.99.0.7 lladdr 02:00:5e:10:00:07",
            "tapwire neighbor flush dev tw0")
        {
            DriverLists.List("Shows the stations that a running driver knows.", "neighbors", Line, "tapwire neighbor list", "tapwire neighbor list dev tw0 --json"),
            add.Doing(static (parsed, client, cancel) => client.SetNeighborAsync(parsed.GetValue(Station).ToSystem(), ToSystem(parsed.Read(Hardware)!.Value), parsed.Read(On), cancel)),
            OperatorCommand.Removal(new ExampledCommand("remove", "Forgets a station.", "tapwire neighbor remove 10.99.0.7") { Station, On })
                .Doing(static (parsed, client, cancel) => client.RemoveNeighborAsync(parsed.GetValue(Station).ToSystem(), parsed.Read(On), cancel)),
            new ExampledCommand("flush", "Forgets all stations but those that 'add' has named: they are asked for again.", "tapwire neighbor flush", "tapwire neighbor flush dev tw0") { Flushed }
                .Doing(static (parsed, client, cancel) => parsed.Read(Flushed) is { } name ? client.FlushNeighborsAsync(name, cancel) : FlushAllAsync(client, cancel)),
        };
        neighbor.Aliases.Add("neigh");
        neighbor.Aliases.Add("neighbour");
        return DriverLists.ListsAlone(neighbor, "neighbors", Line);
    }

    private static string Line(JsonElement entry, string name) =>
        $"{entry.GetProperty("address")} dev {name}{(entry.GetProperty("hardwareAddress").GetString() is { } known ? $" lladdr {known}" : "")} {entry.GetProperty("state")}";

    private static async Task FlushAllAsync(TapwireClient client, CancellationToken cancel)
    {
        using var status = JsonDocument.Parse(await client.GetStatusAsync(cancel));
        foreach (var each in status.RootElement.GetProperty("interfaces").EnumerateArray())
            await client.FlushNeighborsAsync(each.GetProperty("name").GetString()!, cancel);
    }

    private static PhysicalAddress ToSystem(MacAddress address)
    {
        var bytes = new byte[6];
        address.CopyTo(bytes);
        return new PhysicalAddress(bytes);
    }

    private static bool TryParse(string text, out IpAddress address, [NotNullWhen(false)] out string? problem)
    {
        problem = IpAddress.TryParse(text, null, out address) ? null : "";
        return problem is null;
    }
}
