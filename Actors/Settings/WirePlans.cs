using Tapwire.Messages;
using Tapwire.Stack.Ip;
using Tapwire.Wires;

namespace Tapwire.Actors.Settings;

/// <summary>Name servers that a wire's own configuration has, as DNS of a WireGuard configuration.</summary>
/// <param name="Interface">The interface that leads to them.</param>
/// <param name="Servers">Of both families, in the configuration's order.</param>
/// <param name="SearchDomains">Domains that are looked up there.</param>
public sealed record WireNames(string Interface, IReadOnlyList<IpAddress> Servers, IReadOnlyList<string> SearchDomains);

/// <summary>
/// Completes settings from the configurations that wires name (<see cref="WireKind.PlanOf"/>): addresses where the settings have none, and routes beside those of the settings. What the stack does not
/// carry yet is left out, and said.
/// </summary>
public static class WirePlans
{
    private static readonly IpAddress SomeV6 = IpAddress.Parse("2001:db8::1");

    /// <param name="notes">What was left out, and why, in a sentence each.</param>
    /// <exception cref="SettingsException">A configuration cannot be read, or is wrong.</exception>
    public static DriverSettings Complete(DriverSettings settings, out IReadOnlyList<string> notes)
    {
        var said = new List<string>();
        var names = new List<WireNames>();
        var main = Complete(settings.AllInterfaces[0], names, said);
        settings = settings with
        {
            Addresses = main.Addresses,
            Routes = main.Routes,
            Interfaces = [.. settings.Interfaces.Select(each => Complete(each, names, said))],
            WireNames = names,
        };
        notes = said;
        return settings;
    }

    private static InterfaceSettings Complete(InterfaceSettings settings, List<WireNames> names, List<string> notes)
    {
        if (PlanOf(settings.Wire) is not { } plan)
            return settings;
        if (plan.Dns.Count + plan.SearchDomains.Count > 0)
            names.Add(new WireNames(settings.Name, plan.Dns, plan.SearchDomains));
        var addresses = settings.Addresses.Count > 0 ? settings.Addresses : [.. Carried(plan.Addresses, settings.Wire, "address", notes)];
        foreach (var address in addresses)
        {
            if (OwnAddress.Problem(address) is { } problem)
                throw new SettingsException($"The address {address} of {settings.Wire} cannot be: {problem}.");
        }

        var routes = Carried(plan.Routes, settings.Wire, "network", notes).Select(static network => new GatewayRoute(network, IpAddress.Unspecified))
            .Where(route => !settings.AllRoutes.Any(other => other.Destination == route.Destination));
        return settings with { Addresses = addresses, Routes = [.. settings.Routes, .. routes] };
    }

    /// <summary>The prefixes of families that the stack has. When it has IPv6 addresses, <see cref="OwnAddress"/> takes them, and so does this.</summary>
    private static List<IpPrefix> Carried(IReadOnlyList<IpPrefix> prefixes, WireSpec wire, string what, List<string> notes)
    {
        if (OwnAddress.Problem(SomeV6) is not { } problem)
            return [.. prefixes];
        if (prefixes.Where(static each => each.Address.IsV6).ToList() is { Count: > 0 } left)
            notes.Add($"{wire}: the {what} {string.Join(", ", left)} is left out: {problem.Split(';')[0]}.");
        return [.. prefixes.Where(static each => each.Address.IsV4)];
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
