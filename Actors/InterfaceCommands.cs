using Akka.Actor;
using Tapwire.Actors.Settings;
using Tapwire.Links.Protocol;
using Tapwire.Messages;
using Tapwire.Stack;
using Tapwire.Stack.Interfaces;
using Tapwire.Stack.Ip;

namespace Tapwire.Actors;

/// <summary>LinkActor → DriverActor: an operator changes interfaces, addresses or routes of a running driver. Answered by <see cref="CommandAnswer"/>.</summary>
internal abstract record InterfaceCommand;

internal sealed record InterfaceComes(InterfaceSettings Settings) : InterfaceCommand;

internal sealed record InterfaceGoes(string Name) : InterfaceCommand;

/// <param name="Interface">Null: the interface with an address of the same network, else the first.</param>
internal sealed record AddressComes(IpPrefix Address, string? Interface) : InterfaceCommand;

internal sealed record AddressGoes(IpAddress Address) : InterfaceCommand;

/// <param name="Interface">Null: the interface with an address of the gateway's network.</param>
internal sealed record RouteComes(GatewayRoute Route, string? Interface) : InterfaceCommand;

/// <param name="Metric">Null: there is only one to there.</param>
/// <param name="Interface">Null: the only interface with such a route.</param>
internal sealed record RouteGoes(IpPrefix Destination, int? Metric, string? Interface) : InterfaceCommand;

/// <param name="Hardware">Null: it is forgotten.</param>
/// <param name="Interface">Null: the interface with an address of the same network.</param>
internal sealed record NeighborChanges(IpAddress Address, MacAddress? Hardware, string? Interface) : InterfaceCommand;

/// <summary>All neighbours of an interface are forgotten but the permanent ones.</summary>
internal sealed record NeighborsGo(string Interface) : InterfaceCommand;

/// <summary>DriverActor → LinkActor: the command has been carried out, or has been refused and has changed nothing.</summary>
/// <param name="Error">0, or a Linux errno.</param>
/// <param name="Reason">The reason of a refusal, in a sentence.</param>
internal sealed record CommandAnswer(int Error, string Reason)
{
    public static readonly CommandAnswer Done = new(0, "");

    public CommandAnswer(StackError error, string reason)
        : this((int)error, reason)
    {
    }
}

/// <summary>A command is refused and changes nothing. The message gives the reason, in a sentence.</summary>
/// <param name="error">A Linux errno.</param>
internal sealed class CommandRefusedException(int error, string reason) : Exception(reason)
{
    public CommandRefusedException(StackError error, string reason)
        : this((int)error, reason)
    {
    }

    public CommandAnswer Answer => new(error, Message);
}

/// <summary>The effect of a command on addresses or routes.</summary>
/// <param name="Question">The question for each stack.</param>
/// <param name="Changed">The interface after the change.</param>
/// <param name="Done">The change in a few words.</param>
/// <param name="Refused">The beginning of the sentence that gives the reason of a refusal.</param>
internal sealed record InterfaceChange(object Question, InterfaceSettings Changed, string Done, string Refused)
{
    /// <summary>The sentence for AddressNotAvailable; null: it is made of <see cref="Refused"/> and the error.</summary>
    public string? Missing { get; init; }
}

/// <summary>
/// Checks commands, and reconciles their changes with settings that are read again. An interface that a command has changed, added or removed stays as it is until the
/// settings for it differ from those that were read before.
/// </summary>
internal sealed class InterfaceCommands(DriverSettings start)
{
    // Names of the interfaces that commands have changed.
    private readonly HashSet<string> _changed = [];

    // The settings that were read last. They differ from the driver's current settings where commands have changed something, or a change has failed.
    private DriverSettings _asked = start;

    /// <summary>Records that a command has changed this interface.</summary>
    public void Changed(string name) => _changed.Add(name);

    /// <summary>Merges settings that have been read again with the changes by commands. The new settings become those that later ones are compared with.</summary>
    /// <param name="current">The driver's current settings.</param>
    /// <param name="kept">Interfaces that stay as commands have changed them although the settings say otherwise.</param>
    /// <returns>The new settings with the commands' changes.</returns>
    public DriverSettings Reconcile(DriverSettings wanted, DriverSettings current, out IReadOnlyList<string> kept)
    {
        var before = _asked;
        _asked = wanted;
        _changed.RemoveWhere(name => $"{Find(before, name)}" != $"{Find(wanted, name)}");
        kept = [.. _changed.Where(name => $"{Find(wanted, name)}" != $"{Find(current, name)}").Order(StringComparer.Ordinal)];
        if (_changed.Contains(wanted.Wire.Name))
            wanted = wanted with { Addresses = current.Addresses, Gateway = current.Gateway, Routes = current.Routes };
        return wanted with
        {
            Interfaces = [.. wanted.Interfaces.Where(each => !_changed.Contains(each.Name)), .. current.Interfaces.Where(each => _changed.Contains(each.Name))],
        };
    }

    /// <exception cref="CommandRefusedException">The interface cannot be added.</exception>
    public static void Check(InterfaceSettings added, DriverSettings current)
    {
        var all = current.AllInterfaces;
        if (all.FirstOrDefault(each => each.Name == added.Name) is { } same)
            throw new CommandRefusedException(LinkErrno.AlreadyThere, $"There is an interface {same.Name} already, on {same.Wire}.");
        if (all.FirstOrDefault(each => each.Wire.Name == added.Wire.Name) is { } device)
            throw new CommandRefusedException(LinkErrno.AlreadyThere, $"The device {added.Wire.Name} is that of the interface {device.Name} already.");
        if (added.Addresses.Count == 0 && !added.ConfiguresItself)
            throw new CommandRefusedException(StackError.InvalidArgument, $"The interface {added.Name} has no address; give it one.");
        foreach (var own in added.Addresses)
            CheckIsNew(own, current);
        AsCommand(() => InterfacesCheck.Check(added));
    }

    /// <exception cref="CommandRefusedException">The interface cannot be removed, or does not exist.</exception>
    public static void Check(InterfaceGoes gone, DriverSettings current)
    {
        if (Named(gone.Name, current).Name == current.Wire.Name)
        {
            throw new CommandRefusedException(LinkErrno.Busy, $"The interface {gone.Name} is the driver's first, which stays as long as the driver; take its addresses away "
                + "('tapwire address remove'), or start the driver with another --wire.");
        }
    }

    /// <summary>Plans a command on addresses or routes.</summary>
    /// <exception cref="CommandRefusedException">The command is refused.</exception>
    public static InterfaceChange Plan(InterfaceCommand command, DriverSettings current) => command switch
    {
        AddressComes comes => Plan(comes, current),
        AddressGoes goes => Plan(goes, current),
        RouteComes comes => Plan(comes, current),
        RouteGoes goes => Plan(goes, current),
        NeighborChanges change => Plan(change, current),
        NeighborsGo go => new InterfaceChange(new FlushNeighbors(go.Interface), Named(go.Interface, current), $"neighbours of {go.Interface} forgotten", "The neighbours cannot be forgotten"),
        _ => throw new ArgumentException($"{command.GetType().Name} is no command on addresses or routes.", nameof(command)),
    };

    private static InterfaceChange Plan(AddressComes command, DriverSettings current)
    {
        var added = command.Address;
        var all = current.AllInterfaces;
        CheckIsNew(added, current);
        var owner = command.Interface is { } name ? Named(name, current) : all.FirstOrDefault(each => each.Addresses.Any(own => own.Contains(added.Address))) ?? all[0];
        return new InterfaceChange(new AddAddress(added, owner.Name), owner with { Addresses = [.. owner.Addresses, added] }, $"address {added} added to {owner.Name}",
            $"The address {added} cannot be added");
    }

    private static InterfaceChange Plan(AddressGoes command, DriverSettings current)
    {
        var gone = command.Address;
        var owner = current.AllInterfaces.FirstOrDefault(each => each.Addresses.Any(own => own.Address == gone))
            ?? throw new CommandRefusedException(StackError.AddressNotAvailable, $"No interface has the address {gone}.");
        return new InterfaceChange(new RemoveAddress(gone), owner with { Addresses = [.. owner.Addresses.Where(own => own.Address != gone)] }, $"address {gone} removed from {owner.Name}",
            $"The address {gone} cannot be removed");
    }

    private static InterfaceChange Plan(RouteComes command, DriverSettings current)
    {
        var (destination, gateway) = command.Route;
        var all = current.AllInterfaces;
        if (destination.Address != destination.Network)
            throw new CommandRefusedException(StackError.InvalidArgument, $"{destination.Address} is a host's address; the network is {destination.Network}/{destination.Length}.");
        var owner = command.Interface is { } name ? Named(name, current) : all.FirstOrDefault(each => each.Addresses.Any(own => own.Contains(gateway)))
            ?? throw new CommandRefusedException(StackError.InvalidArgument, $"The gateway {gateway} is on no network of the driver's addresses, "
                + $"{string.Join(", ", all.SelectMany(static each => each.Addresses))}; name a router on one of them.");
        AsCommand(() => OwnAddress.CheckGateway(gateway, owner.Addresses));
        foreach (var there in owner.AllRoutes.Where(route => route.IsSamePlaceAs(command.Route)))
            throw new CommandRefusedException(LinkErrno.AlreadyThere, $"The interface {owner.Name} has a route {RouteSpec.Format(there)} already; remove that one first, or give this one another metric.");
        return new InterfaceChange(new AddRoute(command.Route, owner.Name), owner.WithRoutes([.. owner.AllRoutes, command.Route]), $"route {RouteSpec.Format(command.Route)} added to {owner.Name}",
            $"The route {RouteSpec.Format(command.Route)} cannot be added");
    }

    private static InterfaceChange Plan(RouteGoes command, DriverSettings current)
    {
        var destination = command.Destination;
        IReadOnlyList<InterfaceSettings> among = command.Interface is { } name ? [Named(name, current)] : current.AllInterfaces;
        var found = among.SelectMany(each => each.AllRoutes.Where(route => route.Destination == destination && (command.Metric is null || route.Metric == command.Metric)), static (owner, route) => (Owner: owner, Route: route)).ToList();
        if (found.Count == 0)
        {
            throw new CommandRefusedException(StackError.NetworkUnreachable, $"There is no route to {destination} through a gateway"
                + $"{(command.Interface is null ? "" : $" by the interface {command.Interface}")}{(command.Metric is { } metric ? $" with the metric {metric}" : "")}.");
        }

        if (found.DistinctBy(static each => each.Owner.Name).Count() > 1)
        {
            throw new CommandRefusedException(StackError.InvalidArgument,
                $"There are routes to {destination} by {string.Join(" and ", found.Select(static each => each.Owner.Name).Distinct())}; name the interface.");
        }

        if (found.Count > 1)
        {
            throw new CommandRefusedException(StackError.InvalidArgument,
                $"There are routes to {destination} with the metrics {string.Join(" and ", found.Select(static each => each.Route.Metric))}; name one of them.");
        }

        var (owner, gone) = found[0];
        return new InterfaceChange(new RemoveRoute(destination, gone.Metric, owner.Name), owner.WithRoutes([.. owner.AllRoutes.Where(route => !route.IsSamePlaceAs(gone))]),
            $"route to {destination} removed from {owner.Name}", $"The route to {destination} cannot be removed");
    }

    private static InterfaceChange Plan(NeighborChanges command, DriverSettings current)
    {
        var address = command.Address;
        var all = current.AllInterfaces;
        var on = command.Interface is { } name ? Named(name, current) : all.Count == 1 ? all[0] : all.FirstOrDefault(each => each.Addresses.Any(own => own.Contains(address)))
            ?? throw new CommandRefusedException(StackError.InvalidArgument, $"{address} is on no network of the driver's addresses; name the interface.");
        if (command.Hardware is not null && (address.IsMulticast || address.IsUnspecified || address.IsLoopback || all.Any(each => each.Addresses.Any(own => own.Address == address))))
            throw new CommandRefusedException(StackError.InvalidArgument, $"{address} is no neighbour's address: it is the driver's own, or that of a group or of nobody.");
        var question = new ChangeNeighbor(on.Name, address, command.Hardware);
        return command.Hardware is { } hardware
            ? new InterfaceChange(question, on, $"neighbour {address} of {on.Name} is {hardware}", $"The neighbour {address} cannot be set")
            : new InterfaceChange(question, on, $"neighbour {address} of {on.Name} forgotten", $"The neighbour {address} cannot be forgotten") { Missing = $"The interface {on.Name} has no neighbour {address}." };
    }

    private static void CheckIsNew(IpPrefix address, DriverSettings current)
    {
        if (current.AllInterfaces.FirstOrDefault(each => each.Addresses.Any(own => own.Address == address.Address)) is { } holder)
            throw new CommandRefusedException(StackError.AddressInUse, $"The address {address.Address} is there already, on the interface {holder.Name}.");
    }

    private static InterfaceSettings Named(string name, DriverSettings current) => Find(current, name) ?? throw new CommandRefusedException(LinkErrno.NoInterface,
        $"There is no interface {name}; there {(current.Interfaces.Count == 0 ? "is" : "are")} {string.Join(", ", current.AllInterfaces.Select(static each => each.Name))}.");

    /// <summary>Runs a check of settings for a command, and turns its error into a refusal.</summary>
    private static void AsCommand(Action check)
    {
        try
        {
            check();
        }
        catch (SettingsException e)
        {
            throw new CommandRefusedException(StackError.InvalidArgument, e.Message);
        }
    }

    private static InterfaceSettings? Find(DriverSettings settings, string name) => settings.AllInterfaces.FirstOrDefault(each => each.Name == name);
}
