using System.CommandLine;
using System.Diagnostics.CodeAnalysis;
using System.Text.Json;
using Tapwire.Actors.Settings;
using Tapwire.Configuration;
using Tapwire.Links.Protocol;
using Tapwire.Stack.Interfaces;
using Tapwire.Stack.Ip;

namespace Tapwire.Host.Commands;

/// <summary><c>tapwire interface</c>: the interfaces of a running driver.</summary>
internal static class InterfaceCommands
{
    private static readonly Option<bool> Json = Flags.Switch("--json", "As JSON, on one line.");

    private static readonly Flag<WireSpec?> Wire = new Func<Flag<WireSpec?>>(static () =>
    {
        var wire = Flags.Value<WireSpec?>("--wire", "The network side: a TAP or TUN device, made if it is not there.", "KIND:NAME",
            static (string text, out WireSpec? value) => (value = WireSpec.Parse(text)) is not null, WireSpec.Accepted, null);
        wire.Required = true;
        return wire;
    })();

    private static readonly Flag<string?> Name = Flags.Value<string?>("--name", "What status and other commands call it; as its device when not given.", "NAME",
        static (string text, out string? value) => (value = text) is not null && WireSpec.Parse($"tap:{text}")?.Name == text, "a name of 1 to 15 bytes, without blanks, '/', ':' and '%'", null);

    private static readonly Flag<IpAddress?> Gateway = Flags.Value<IpAddress>("--gateway", "Where packets to other networks go; nowhere when not given.", "IP",
        OwnAddress.TryParseGateway, OwnAddress.AcceptedGateway);

    private static readonly Flag<MacAddress?> Mac = Flags.Value<MacAddress>("--mac", "The stack's Ethernet address; the device's, or one at random, when not given.", "MAC",
        DriverSettingsReader.TryParseHardware, "a unicast address, as in 02:00:5e:10:00:01");

    private static readonly Flag<int> Mtu = Flags.Number("--mtu", "Largest IP packet in bytes; the device's when not given.", InterfaceSettings.MinMtu, InterfaceSettings.MaxMtu, 0);

    private static readonly Argument<string> Gone = OperatorCommand.Argument<string>("NAME", "The name of the interface, as 'tapwire interface list' shows it.", TryParseName,
        OperatorCommand.AcceptedName);

    public static Command Create() => new ExampledCommand("interface", "Shows and changes the networks that a running driver is attached to.",
        "tapwire interface list",
        "tapwire interface add --wire tap:tw1 --address 10.98.0.2/24",
        "tapwire interface remove tw1")
    {
        new ExampledCommand("list", "Shows the interfaces of a running driver, with addresses and routes.", "tapwire interface list", "tapwire interface list --json") { Json }
            .Doing(async (parsed, client, cancel) => Print(await client.GetStatusAsync(cancel), parsed.GetValue(Json))),
        new ExampledCommand("add", "Attaches a running driver to one more network.",
            "tapwire interface add --wire tap:tw1 --address 10.98.0.2/24 --peer-address 10.98.0.1/24",
            "tapwire interface add --wire tap:tw1 --address 10.98.0.2/24 --gateway 10.98.0.1 --name lab",
            "tapwire interface add --wire tap:tw1 --dhcp --slaac")
        {
            Wire, WireFlags.Addresses, WireFlags.Dhcp, WireFlags.Slaac, WireFlags.PeerAddresses, Gateway, Name, WireFlags.Routes, Mac, Mtu,
        }.Doing(Read, static (added, client, cancel) => client.AddInterfaceAsync(added, cancel)),
        new ExampledCommand("remove", "Ends an attachment of a running driver; its connections are reset.", "tapwire interface remove tw1") { Gone }
            .Doing((parsed, client, cancel) => client.RemoveInterfaceAsync(parsed.GetValue(Gone)!, cancel)),
    };

    /// <exception cref="SettingsException">Parts of the interface contradict each other.</exception>
    private static NewInterface Read(ParseResult parsed)
    {
        var wire = parsed.Read(Wire)!;
        var settings = new InterfaceSettings(parsed.Read(Name) ?? wire.Name, wire, parsed.Read(WireFlags.Addresses), parsed.Read(Gateway), parsed.Read(Mac), parsed.Read(Mtu),
            parsed.Read(WireFlags.Routes), parsed.Read(WireFlags.PeerAddresses))
        {
            Slaac = parsed.GetValue(WireFlags.Slaac) ?? SlaacMode.Off,
            Dhcp = parsed.GetValue(WireFlags.Dhcp) ?? DhcpFamilies.None,
        };
        if (settings.Addresses.Count == 0 && !settings.ConfiguresItself)
            throw new SettingsException($"The interface {settings.Name} has no address; give it one, as in --wire {wire} --address 10.98.0.2/24, or have it given by --dhcp or --slaac.");
        InterfacesCheck.Check(settings);
        return new NewInterface($"{wire}", settings.Addresses)
        {
            Name = settings.Name,
            Mtu = settings.Mtu,
            HardwareAddress = settings.HardwareAddress,
            PeerAddresses = settings.PeerAddresses,
            Routes = [.. settings.AllRoutes.Select(static route => new LinkRoute(route.Destination, route.Gateway) { Metric = route.Metric })],
            Slaac = (LinkSlaac)settings.Slaac,
            Dhcp = (LinkDhcp)settings.Dhcp,
        };
    }

    private static bool TryParseName(string text, out string name, [NotNullWhen(false)] out string? problem)
    {
        name = text;
        problem = text.Length > 0 ? null : "";
        return problem is null;
    }

    private static void Print(string json, bool asJson)
    {
        using var document = JsonDocument.Parse(json);
        if (!document.RootElement.TryGetProperty("interfaces", out var interfaces))
            throw new CommandFailedException("The driver is of a release in which it has one interface only; 'tapwire status' shows it.");
        if (asJson)
        {
            Console.WriteLine(interfaces.GetRawText());
            return;
        }

        foreach (var each in interfaces.EnumerateArray())
        {
            var wire = each.GetProperty("wire");
            var hardware = wire.GetProperty("hardwareAddress").GetString();
            Console.WriteLine($"{each.GetProperty("name")}: wire {wire.GetProperty("name")} {(wire.GetProperty("up").GetBoolean() ? "up" : "DOWN")}, MTU {wire.GetProperty("mtu")}"
                + (hardware is null ? "" : $", {hardware}"));
            foreach (var address in each.GetProperty("addresses").EnumerateArray())
                Console.WriteLine($"    address {address}");
            foreach (var route in each.GetProperty("routes").EnumerateArray())
            {
                var gateway = route.GetProperty("gateway").GetString();
                Console.WriteLine($"    route {route.GetProperty("destination")}{(gateway is { Length: > 0 } ? $" via {gateway}" : "")}{RouteCommands.MetricOf(route)}");
            }
        }
    }
}
