using Akka.Actor;
using Tapwire.Actors.Names;
using Tapwire.Messages;
using Tapwire.Stack.Ip;
using Tapwire.Wires;

namespace Tapwire.Actors.Settings;

/// <summary>Name servers that a wire's own configuration has, as DNS of a WireGuard configuration.</summary>
/// <param name="Interface">The interface that leads to them.</param>
/// <param name="Servers">Of both families, in the configuration's order.</param>
/// <param name="SearchDomains">Domains that are looked up there.</param>
public sealed record WireNames(string Interface, IReadOnlyList<IpAddress> Servers, IReadOnlyList<string> SearchDomains)
{
    /// <summary>Gives them to whom names are asked of.</summary>
    internal void Tell(IActorRef names) => names.Tell(LeasedNamesGone.Or($"{Interface}, its configuration", Servers, SearchDomains));

    /// <summary>As text, for comparison.</summary>
    public override string ToString() => $"{Interface}: {string.Join(", ", Servers)}; {string.Join(", ", SearchDomains)}";
}

/// <summary>
/// Completes settings from the configurations that wires name (<see cref="WireKind.PlanOf"/>): addresses where the settings have none, and routes beside those of the settings.
/// </summary>
public static class WirePlans
{
    /// <exception cref="SettingsException">A configuration cannot be read, or is wrong.</exception>
    public static DriverSettings Complete(DriverSettings settings)
    {
        var names = new List<WireNames>();
        var main = Complete(settings.AllInterfaces[0], names);
        return settings with
        {
            Addresses = main.Addresses,
            Routes = main.Routes,
            Interfaces = [.. settings.Interfaces.Select(each => Complete(each, names))],
            WireNames = names,
        };
    }

    private static InterfaceSettings Complete(InterfaceSettings settings, List<WireNames> names)
    {
        if (PlanOf(settings.Wire) is not { } plan)
            return settings;
        if (plan.Dns.Count + plan.SearchDomains.Count > 0)
            names.Add(new WireNames(settings.Name, plan.Dns, plan.SearchDomains));
        var addresses = settings.Addresses.Count > 0 ? settings.Addresses : plan.Addresses;
        foreach (var address in addresses)
        {
            if (OwnAddress.Problem(address) is { } problem)
                throw new SettingsException($"The address {address} of {settings.Wire} cannot be: {problem}.");
        }

        var routes = plan.Routes.Select(static network => new GatewayRoute(network, IpAddress.Unspecified))
            .Where(route => !settings.AllRoutes.Any(other => other.Destination == route.Destination));
        return settings with { Addresses = addresses, Routes = [.. settings.Routes, .. routes] };
    }

    private static WirePlan? PlanOf(WireSpec wire)
    {
        try
        {
            return wire.Plan();
        }
        catch (WireException e)
        {
            throw new SettingsException(e.Message, e);
        }
    }
}
