using Akka.Actor;
using Tapwire.Actors.Settings;
using Tapwire.Links.Protocol;
using Tapwire.Messages;
using Tapwire.Stack;
using Tapwire.Stack.Ip;

namespace Tapwire.Actors;

/// <summary>LinkActor → DriverActor: an operator changes interfaces, addresses or routes of a driver that runs. Answered by <see cref="CommandAnswer"/>.</summary>
internal abstract record InterfaceCommand;

internal sealed record InterfaceComes(InterfaceSettings Settings) : InterfaceCommand;

internal sealed record InterfaceGoes(string Name) : InterfaceCommand;

/// <param name="Interface">Null: the one with an address of the same network, or else the first.</param>
internal sealed record AddressComes(IpPrefix Address, string? Interface) : InterfaceCommand;

internal sealed record AddressGoes(IpAddress Address) : InterfaceCommand;

/// <param name="Interface">Null: the one with an address of the gateway's network.</param>
internal sealed record RouteComes(GatewayRoute Route, string? Interface) : InterfaceCommand;

/// <param name="Interface">Null: the only one with such a route.</param>
internal sealed record RouteGoes(IpPrefix Destination, string? Interface) : InterfaceCommand;

/// <summary>DriverActor → LinkActor: the command has been carried out, or nothing has changed.</summary>
/// <param name="Error">0, or a Linux errno.</param>
/// <param name="Reason">Why, in a sentence.</param>
internal sealed record CommandAnswer(int Error, string Reason)
{
    public static readonly CommandAnswer Done = new(0, "");

    public CommandAnswer(StackError error, string reason)
        : this((int)error, reason)
    {
    }
}

/// <summary>A command is not carried out; nothing has changed. The message says why, in a sentence.</summary>
/// <param name="error">A Linux errno.</param>
internal sealed class CommandRefusedException(int error, string reason) : Exception(reason)
{
    public CommandRefusedException(StackError error, string reason)
        : this((int)error, reason)
    {
    }

    public CommandAnswer Answer => new(error, Message);
}

/// <summary>What a command on addresses or routes comes to.</summary>
/// <param name="Question">What each stack is asked.</param>
/// <param name="Changed">The interface as it is afterwards.</param>
/// <param name="Done">In a few words.</param>
/// <param name="Refused">How a sentence begins that says why not.</param>
internal sealed record InterfaceChange(object Question, InterfaceSettings Changed, string Done, string Refused);

/// <summary>
/// What commands mean, and what of their work is there when settings are read again. The rule: an interface that a command has changed, made or removed stays as it is until its
/// settings say something else than they said then.
/// </summary>
internal sealed class InterfaceCommands(DriverSettings start)
{
    // Of interfaces that commands have changed.
    private readonly HashSet<string> _changed = [];

    // The last that the driver was asked to have; what it has is the driver's own.
    private DriverSettings _asked = start;

    /// <summary>A command has changed this interface.</summary>
    public void Changed(string name) => _changed.Add(name);

    /// <summary>Settings have been read again. From now on what they say of an interface is what commands go beyond.</summary>
    /// <param name="current">What the driver has.</param>
    /// <param name="kept">The interfaces that stay as commands have changed them, and are otherwise in the settings.</param>
    /// <returns>The settings with what commands have changed.</returns>
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

    /// <exception cref="CommandRefusedException">The interface cannot come.</exception>
    public static void Check(InterfaceSettings added, DriverSettings current)
    {
        var all = current.AllInterfaces;
        if (all.FirstOrDefault(each => each.Name == added.Name) is { } same)
            throw new CommandRefusedException(LinkErrno.AlreadyThere, $"There is an interface {same.Name} already, on {same.Wire}.");
        if (all.FirstOrDefault(each => each.Wire.Name == added.Wire.Name) is { } device)
            throw new CommandRefusedException(LinkErrno.AlreadyThere, $"The device {added.Wire.Name} is that of the interface {device.Name} already.");
        if (added.Addresses.Count == 0)
            throw new CommandRefusedException(StackError.InvalidArgument, $"The interface {added.Name} has no address; give it one.");
        foreach (var own in added.Addresses)
            CheckIsNew(own, current);
        AsCommand(() => InterfacesCheck.Check(added));
    }

    /// <exception cref="CommandRefusedException">The interface stays, or is not there.</exception>
    public static void Check(InterfaceGoes gone, DriverSettings current)
    {
        if (Named(gone.Name, current).Name == current.Wire.Name)
        {
            throw new CommandRefusedException(LinkErrno.Busy, $"The interface {gone.Name} is the driver's first, which stays as long as the driver; take its addresses away "
                + "('tapwire address remove'), or start the driver with another --wire.");
        }
    }

    /// <summary>What a command on addresses or routes comes to.</summary>
    /// <exception cref="CommandRefusedException">It is not to be carried out.</exception>
    public static InterfaceChange Plan(InterfaceCommand command, DriverSettings current) => command switch
    {
        AddressComes comes => Plan(comes, current),
        AddressGoes goes => Plan(goes, current),
        RouteComes comes => Plan(comes, current),
        RouteGoes goes => Plan(goes, current),
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
        foreach (var there in owner.AllRoutes.Where(route => route.Destination == destination))
            throw new CommandRefusedException(LinkErrno.AlreadyThere, $"The interface {owner.Name} has a route {RouteSpec.Format(there)} already; remove that one first.");
        return new InterfaceChange(new AddRoute(command.Route, owner.Name), WithRoutes(owner, [.. owner.AllRoutes, command.Route]), $"route {RouteSpec.Format(command.Route)} added to {owner.Name}",
            $"The route {RouteSpec.Format(command.Route)} cannot be added");
    }

    private static InterfaceChange Plan(RouteGoes command, DriverSettings current)
    {
        var destination = command.Destination;
        IReadOnlyList<InterfaceSettings> among = command.Interface is { } name ? [Named(name, current)] : current.AllInterfaces;
        var owners = among.Where(each => each.AllRoutes.Any(route => route.Destination == destination)).ToList();
        if (owners.Count == 0)
        {
            throw new CommandRefusedException(StackError.NetworkUnreachable,
                $"There is no route to {destination} through a gateway{(command.Interface is null ? "" : $" by the interface {command.Interface}")}.");
        }

        if (owners.Count > 1)
        {
            throw new CommandRefusedException(StackError.InvalidArgument,
                $"There are routes to {destination} by {string.Join(" and ", owners.Select(static each => each.Name))}; name the interface.");
        }

        var owner = owners[0];
        return new InterfaceChange(new RemoveRoute(destination, owner.Name), WithRoutes(owner, [.. owner.AllRoutes.Where(route => route.Destination != destination)]),
            $"route to {destination} removed from {owner.Name}", $"The route to {destination} cannot be removed");
    }

    private static void CheckIsNew(IpPrefix address, DriverSettings current)
    {
        if (current.AllInterfaces.FirstOrDefault(each => each.Addresses.Any(own => own.Address == address.Address)) is { } holder)
            throw new CommandRefusedException(StackError.AddressInUse, $"The address {address.Address} is there already, on the interface {holder.Name}.");
    }

    private static InterfaceSettings Named(string name, DriverSettings current) => Find(current, name) ?? throw new CommandRefusedException(LinkErrno.NoInterface,
        $"There is no interface {name}; there {(current.Interfaces.Count == 0 ? "is" : "are")} {string.Join(", ", current.AllInterfaces.Select(static each => each.Name))}.");

    /// <summary>What settings may not be, a command may not ask for.</summary>
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

    private static InterfaceSettings WithRoutes(InterfaceSettings owner, IReadOnlyList<GatewayRoute> routes)
    {
        var everywhere = routes.FirstOrDefault(static route => route.Destination.Length == 0);
        return owner with { Gateway = everywhere == default ? null : everywhere.Gateway, Routes = [.. routes.Where(static route => route.Destination.Length != 0)] };
    }

    private static InterfaceSettings? Find(DriverSettings settings, string name) => settings.AllInterfaces.FirstOrDefault(each => each.Name == name);
}
