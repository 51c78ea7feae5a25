using Akka.Actor;
using Tapwire.Actors.Settings;
using Tapwire.Messages;
using Tapwire.Stack;
using Tapwire.Stack.Dhcp;
using Tapwire.Stack.Ip;

namespace Tapwire.Actors;

/// <summary>An address that a lease brings.</summary>
/// <param name="IsDeprecated">See <see cref="DeprecateAddress"/>.</param>
internal readonly record struct LeasedAddress(IpPrefix Prefix, bool IsDeprecated = false);

/// <summary>What an interface has from a lease of one family.</summary>
/// <param name="Routes">They go behind those of the settings, by their metric.</param>
/// <param name="Mtu">The longest packets, in bytes; 0: the wire's; null: leases of this family do not say.</param>
internal sealed record LeasedConfiguration(IReadOnlyList<LeasedAddress> Addresses, IReadOnlyList<GatewayRoute> Routes, int? Mtu)
{
    public static LeasedConfiguration Of(DhcpLease lease) =>
        new([new LeasedAddress(lease.Address)], [.. lease.Routes.Select(static route => new GatewayRoute(route.Destination, route.Gateway) { Metric = Route.LearntMetric })], lease.Mtu);
}

/// <summary>
/// DhcpActor, Dhcp6Actor → DriverActor: give what an interface has from a lease to all stacks, or take it from them. Carried out in line with the commands, so that none sees half of it. Answered by
/// <see cref="CommandAnswer"/>; after a refusal the stacks have nothing of either lease.
/// </summary>
/// <param name="Before">What they have of it now; null: nothing.</param>
/// <param name="After">What they shall have; null: nothing.</param>
internal sealed record LeaseChanges(string Interface, LeasedConfiguration? Before, LeasedConfiguration? After) : InterfaceCommand;

/// <summary>Asks the stacks to take a lease. It runs outside the driver's actor, and only asks actors.</summary>
internal static class LeaseQuestions
{
    /// <param name="configured">The interface's settings, whose routes go before those of a lease; null: they have it no longer.</param>
    public static async Task<CommandSettled> ApplyAsync(LeaseChanges change, InterfaceSettings? configured, IReadOnlyList<IActorRef> stacks)
    {
        var (name, before, after) = change;
        var routes = Wanted(after, configured);
        var (had, wanted) = (before?.Addresses ?? [], after?.Addresses ?? []);
        var own = had.Where(old => Has(wanted, old)).ToList();
        try
        {
            foreach (var old in Wanted(before, configured).Where(old => !routes.Contains(old)))
                await AskAsync(new RemoveRoute(old.Destination, old.Metric, name), stacks);
            // Those of the old address go with it.
            foreach (var old in had.Where(old => !Has(wanted, old)))
                await AskAsync(new RemoveAddress(old.Prefix.Address), stacks);
            if ((before is null || after is null) && (after ?? before)?.Mtu is not null)
                await AskAsync(new LimitMtu(name, after is { Mtu: > 0 and var mtu } ? mtu : int.MaxValue), stacks);
            foreach (var added in wanted)
            {
                if (!Has(had, added) && await AskAsync(new AddAddress(added.Prefix, name), stacks) is not StackError.None and var error)
                {
                    foreach (var other in own)
                        await AskAsync(new RemoveAddress(other.Prefix.Address), stacks);
                    return new CommandSettled(new((int)error, $"The address {added.Prefix} cannot be added: {error.Describe()}."));
                }

                own.Add(added);
                if (added.IsDeprecated != had.Any(old => old.Prefix == added.Prefix && old.IsDeprecated))
                    await AskAsync(new DeprecateAddress(added.Prefix.Address, added.IsDeprecated), stacks);
            }

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

    private static bool Has(IReadOnlyList<LeasedAddress> addresses, LeasedAddress address) => addresses.Any(other => other.Prefix == address.Prefix);

    private static List<GatewayRoute> Wanted(LeasedConfiguration? lease, InterfaceSettings? configured) => lease is null ? []
        : [.. lease.Routes.Where(route => configured?.AllRoutes.Any(own => own.IsSamePlaceAs(route)) != true)];

    /// <summary>All shards have the same addresses, so their answers are the same.</summary>
    private static async Task<StackError> AskAsync(object question, IReadOnlyList<IActorRef> stacks) =>
        (await Task.WhenAll(stacks.Select(stack => stack.Ask<AddressAnswer>(question, DriverActor.ChangePatience))))[0].Error;
}
