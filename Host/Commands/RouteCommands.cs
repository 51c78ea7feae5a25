using System.CommandLine;
using System.Net.Sockets;
using System.Text.Json;
using Tapwire.Actors.Settings;
using Tapwire.Stack.Ip;

namespace Tapwire.Host.Commands;

/// <summary><c>tapwire route</c>: the gateway routes of a running driver.</summary>
internal static class RouteCommands
{
    private static readonly Argument<IpPrefix> Destination = OperatorCommand.Argument<IpPrefix>("NETWORK", "Where it leads, as in 10.20.0.0/16, or default.",
        RouteSpec.TryParseDestination, "NETWORK/LENGTH, as in 10.20.0.0/16, or default");

    private static readonly Flag<IpAddress?> Via = new Func<Flag<IpAddress?>>(static () =>
    {
        var via = Flags.Value<IpAddress>("--via", "The gateway, on the network of one of the interface's addresses.", "IP", OwnAddress.TryParseGateway, OwnAddress.AcceptedGateway);
        via.Aliases.Add("via");
        via.Required = true;
        return via;
    })();

    private static readonly Flag<string?> By = OperatorCommand.Interface("The interface by which packets leave; the one with an address of the gateway's network when not given.");
    private static readonly Flag<string?> Of = OperatorCommand.Interface("The interface of the route; needed where several have a route to there.");

    private static readonly Flag<string?> Flushed = OperatorCommand.Interface("The interface; all when not given.");

    public static Command Create() => new ExampledCommand("route", "Shows and changes the routes of a running driver to other networks.",
        "tapwire route list",
        "tapwire route add 10.20.0.0/16 via 10.99.0.9",
        "tapwire route remove 10.20.0.0/16")
    {
        DriverLists.List("Shows the routes of a running driver, longest prefix first.", "routes", static (route, name) => $"{Text(route)} dev {name}", "tapwire route list", "tapwire route list dev tw0 --json"),
        new ExampledCommand("add", "Gives a running driver one more route.", "tapwire route add 10.20.0.0/16 via 10.99.0.9", "tapwire route add default via 10.98.0.1 --interface tw1")
        {
            Destination, Via, By,
        }.Doing(static (parsed, client, cancel) =>
        {
            var via = parsed.Read(Via)!.Value;
            var to = RouteSpec.OfFamily(parsed.GetValue(Destination), via);
            return client.AddRouteAsync(to.Address.ToSystem(), to.Length, via.ToSystem(), parsed.Read(By), cancel);
        }),
        OperatorCommand.Removal(
            new ExampledCommand("remove", "Takes a route from a running driver.", "tapwire route remove 10.20.0.0/16", "tapwire route remove default --interface tw1") { Destination, Of })
            .Doing(static (parsed, client, cancel) =>
            {
                var to = parsed.GetValue(Destination);
                return client.RemoveRouteAsync(to.Address.ToSystem(), to.Length, parsed.Read(Of), cancel);
            }),
        new ExampledCommand("flush", "Takes all routes through gateways from a running driver.", "tapwire route flush", "tapwire route flush dev tw1") { Flushed }
            .Doing(static (parsed, client, cancel) => DriverLists.FlushAsync(client, "routes", parsed.Read(Flushed), static route => route.GetProperty("gateway").GetString() is { Length: > 0 }, Text,
                (name, route) =>
                {
                    var to = IpPrefix.Parse(route.GetProperty("destination").GetString()!);
                    return client.RemoveRouteAsync(to.Address.ToSystem(), to.Length, name, cancel);
                }, SocketError.NetworkUnreachable, cancel)),
    };

    private static string Text(JsonElement route)
    {
        var (to, gateway) = (route.GetProperty("destination").GetString(), route.GetProperty("gateway").GetString());
        return $"{(to is "0.0.0.0/0" or "::/0" ? "default" : to)}{(gateway is { Length: > 0 } ? $" via {gateway}" : "")}";
    }
}
