using System.CommandLine;
using System.Net.Sockets;
using System.Text.Json;
using Tapwire.Actors.Settings;
using Tapwire.Links.Client;
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

    private static readonly Flag<int> Metric = MetricFlag("Of routes to the same network the one with the lowest metric is taken.", 0);
    private static readonly Flag<int> Removed = MetricFlag("The metric of the route; needed where an interface has several to there.", -1);

    private static readonly Flag<IpAddress?> RemovedVia = new Func<Flag<IpAddress?>>(static () =>
    {
        var via = Flags.Value<IpAddress>("--via", "The gateway of the route; it says which family's route 'default' is, too.", "IP", OwnAddress.TryParseGateway, OwnAddress.AcceptedGateway);
        via.Aliases.Add("via");
        return via;
    })();

    private static readonly Flag<string?> By = OperatorCommand.Interface("The interface by which packets leave; the one with an address of the gateway's network when not given.");
    private static readonly Flag<string?> Of = OperatorCommand.Interface("The interface of the route; needed where several have a route to there.");

    private static readonly Flag<string?> Flushed = OperatorCommand.Interface("The interface; all when not given.");

    public static Command Create()
    {
        var route = new ExampledCommand("route", "Shows and changes the routes of a running driver to other networks; alone it shows them.",
            "tapwire route",
            "tapwire route add 10.20.0.0/16 via 10.99.0.9 metric 100",
            "tapwire route remove 10.20.0.0/16")
        {
            DriverLists.List("Shows the routes of a running driver, in the order in which they are tried.", "routes", Line, "tapwire route list", "tapwire route list dev tw0 --json", "tapwire route list -6"),
            new ExampledCommand("add", "Gives a running driver one more route.", "tapwire route add 10.20.0.0/16 via 10.99.0.9", "tapwire route add default via 10.98.0.1 metric 100 --interface tw1")
            {
                Destination, Via, Metric, By,
            }.Doing(static (parsed, client, cancel) =>
            {
                var via = parsed.Read(Via)!.Value;
                var to = RouteSpec.OfFamily(parsed.GetValue(Destination), via);
                return client.AddRouteAsync(to.Address.ToSystem(), to.Length, via.ToSystem(), parsed.Read(By), parsed.Read(Metric), cancel);
            }),
            OperatorCommand.Removal(
                new ExampledCommand("remove", "Takes a route from a running driver.", "tapwire route remove 10.20.0.0/16", "tapwire route remove default --interface tw1", "tapwire route remove -6 default")
                {
                    Destination, RemovedVia, Removed, Of, DriverLists.V4, DriverLists.V6,
                })
                .Doing(static parsed => new Removal(parsed.GetValue(Destination), parsed.Read(RemovedVia), parsed.Read(Removed) is >= 0 and var metric ? metric : null, parsed.Read(Of), parsed.GetValue(DriverLists.V6)),
                    static (asked, client, cancel) => asked.RemoveAsync(client, cancel)),
            new ExampledCommand("flush", "Takes all routes through gateways from a running driver.", "tapwire route flush", "tapwire route flush dev tw1") { Flushed }
                .Doing(static (parsed, client, cancel) => DriverLists.FlushAsync(client, "routes", parsed.Read(Flushed), static route => route.GetProperty("gateway").GetString() is { Length: > 0 }, Text,
                    (name, route) =>
                    {
                        var to = IpPrefix.Parse(route.GetProperty("destination").GetString()!);
                        return client.RemoveRouteAsync(to.Address.ToSystem(), to.Length, name, NumberOf(route), cancel);
                    }, SocketError.NetworkUnreachable, cancel)),
        };
        return DriverLists.ListsAlone(route, "routes", Line);
    }

    /// <summary>As iproute2 has it: behind the gateway, and left out where it is 0.</summary>
    public static string MetricOf(JsonElement route) => NumberOf(route) is > 0 and var metric ? $" metric {metric}" : "";

    /// <summary>A driver of an earlier release says nothing of metrics, and has none.</summary>
    private static int? NumberOf(JsonElement route) => route.TryGetProperty("metric", out var metric) ? metric.GetInt32() : null;

    private static string Line(JsonElement route, string name) => $"{Text(route)} dev {name}{MetricOf(route)}";

    private static string Text(JsonElement route)
    {
        var (to, gateway) = (route.GetProperty("destination").GetString(), route.GetProperty("gateway").GetString());
        return $"{(to is "0.0.0.0/0" or "::/0" ? "default" : to)}{(gateway is { Length: > 0 } ? $" via {gateway}" : "")}";
    }

    private static Flag<int> MetricFlag(string description, int whenAbsent)
    {
        var metric = Flags.Value<int>("--metric", description, "N", RouteSpec.TryParseMetric, RouteSpec.AcceptedMetric, whenAbsent);
        metric.Aliases.Add("metric");
        return metric;
    }

    /// <summary>Which route shall go.</summary>
    /// <param name="IsV6">"default" is that of IPv6.</param>
    private sealed record Removal(IpPrefix Destination, IpAddress? Gateway, int? Metric, string? Interface, bool IsV6)
    {
        public async Task RemoveAsync(TapwireClient client, CancellationToken cancel)
        {
            var to = Destination.Length == 0 && IsV6 ? new IpPrefix(IpAddress.Unspecified, 0) : Gateway is { } via ? RouteSpec.OfFamily(Destination, via) : Destination;
            var (name, metric) = (Interface, Metric);
            if (Gateway is { } gateway)
            {
                // The request has no gateway; whose route it is, the status says.
                using var status = JsonDocument.Parse(await client.GetStatusAsync(cancel));
                var found = DriverLists.EntriesOf(status.RootElement, "routes", Interface).Where(each => each.Entry.GetProperty("destination").GetString() == $"{to}"
                    && each.Entry.GetProperty("gateway").GetString() == $"{gateway}" && (metric is null || NumberOf(each.Entry) == metric)).ToList();
                if (found.Count == 0)
                    throw new CommandFailedException($"There is no route to {to} via {gateway}.");
                (name, metric) = (found[0].Interface, NumberOf(found[0].Entry));
            }

            await client.RemoveRouteAsync(to.Address.ToSystem(), to.Length, name, metric, cancel);
        }
    }
}
