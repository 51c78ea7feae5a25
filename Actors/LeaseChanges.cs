using Akka.Actor;
using Tapwire.Actors.Settings;
using Tapwire.Messages;
using Tapwire.Stack;
using Tapwire.Stack.Dhcp;
using Tapwire.Stack.Ip;

namespace Tapwire.Actors;

/// <summary>
/// DhcpActor → DriverActor: give what an interface has from a lease to all stacks, or take it from them. Carried out in line with the commands, so that none sees half of it. Answered by <see cref="CommandAnswer"/>;
/// after a refusal the stacks have nothing of either lease.
/// </summary>
/// <param name="Before">What they have of it now; null: nothing.</param>
/// <param name="After">What they shall have; null: nothing.</param>
internal sealed record LeaseChanges(string Interface, DhcpLease? Before, DhcpLease? After) : InterfaceCommand;

/// <summary>Asks the stacks to take a lease. It runs outside the driver's actor, and only asks actors.</summary>
internal static class LeaseQuestions
{
    /// <param name="configured">The interface's settings, whose routes go before those of a lease; null: they have it no longer.</param>
    public static async Task<CommandSettled> ApplyAsync(LeaseChanges change, InterfaceSettings? configured, IReadOnlyList<IActorRef> stacks)
    {
        var (name, before, after) = change;
        var routes = Wanted(after, configured);
        try
        {
            if (before is not null)
            {
                foreach (var old in Wanted(before, configured).Where(old => !routes.Contains(old)))
                    await AskAsync(new RemoveRoute(old.Destination, name), stacks);
                // Those of the old address go with it.
                if (after?.Address != before.Address)
                    await AskAsync(new RemoveAddress(before.Address.Address), stacks);
            }

            if (before is null || after is null)
                await AskAsync(new LimitMtu(name, after is { Mtu: > 0 and var mtu } ? mtu : int.MaxValue), stacks);
            if (after is null)
                return new CommandSettled(CommandAnswer.Done);
            if (after.Address != before?.Address && await AskAsync(new AddAddress(after.Address, name), stacks) is not StackError.None and var error)
                return new CommandSettled(new((int)error, $"The address {after.Address} cannot be added: {error.Describe()}."));
            // A stack refuses a route only if its gateway is an own address; all others do not depend on it.
            foreach (var added in routes)
                await AskAsync(new AddRoute(added, name), stacks);
            return new CommandSettled(CommandAnswer.Done);
        }
        catch (AskTimeoutException)
        {
            return new CommandSettled(new((int)StackError.TimedOut, "A part of the driver has not answered."));
        }
    }

    private static List<GatewayRoute> Wanted(DhcpLease? lease, InterfaceSettings? configured) => lease is null ? []
        : [.. lease.Routes.Where(route => configured?.AllRoutes.Any(own => own.Destination == route.Destination) != true).Select(static route => new GatewayRoute(route.Destination, route.Gateway))];

    /// <summary>All shards have the same addresses, so their answers are the same.</summary>
    private static async Task<StackError> AskAsync(object question, IReadOnlyList<IActorRef> stacks) =>
        (await Task.WhenAll(stacks.Select(stack => stack.Ask<AddressAnswer>(question, DriverActor.ChangePatience))))[0].Error;
}
