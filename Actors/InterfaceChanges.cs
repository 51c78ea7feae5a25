using Akka.Actor;
using Tapwire.Actors.Settings;
using Tapwire.Messages;
using Tapwire.Stack;
using Tapwire.Stack.Ip;

namespace Tapwire.Actors;

/// <summary>The outcome of a change: what has changed, in a few words each, and what could not be changed and why, in a sentence each.</summary>
internal sealed record ChangeOutcome(List<string> Done, List<string> Problems)
{
    public ChangeOutcome()
        : this([], [])
    {
    }
}

/// <summary>DriverActor → itself: these interfaces and their taps are gone.</summary>
internal sealed record InterfacesRemoved(ChangeOutcome Outcome);

/// <summary>DriverActor → itself: the stacks have answered.</summary>
/// <param name="Refused">Interfaces that no stack has taken.</param>
internal sealed record InterfacesAdded(IReadOnlyList<InterfaceSettings> Refused, ChangeOutcome Outcome);

/// <summary>
/// Adds and removes interfaces, addresses and routes while a driver runs. All methods only ask actors, and run outside the driver's actor. The shards of a driver have
/// the same interfaces, so they give the same answers.
/// </summary>
internal static class InterfaceChanges
{
    private const string NoAnswer = "A part of the driver has not answered; read the settings again.";

    private static TimeSpan Patience => DriverActor.ChangePatience;

    /// <summary>Removes interfaces from the stacks, after what is published there has been taken back, and ends their taps after the last frames have gone out.</summary>
    public static async Task<InterfacesRemoved> RemoveAsync(IReadOnlyList<IActorRef> stacks, IActorRef names, IReadOnlyList<InterfaceTaps> going)
    {
        var outcome = new ChangeOutcome();
        foreach (var (name, taps) in going)
        {
            try
            {
                await names.Ask<LinkLeft>(new LinkLeaves(name), Patience);
                await Task.WhenAll(stacks.Select(stack => stack.Ask<InterfaceDetached>(new DetachInterface(name), Patience)));
                await Task.WhenAll(taps.Select(tap => tap.GracefulStop(Patience)));
                outcome.Done.Add($"interface {name} removed");
            }
            catch (Exception e) when (e is AskTimeoutException or TaskCanceledException)
            {
                outcome.Problems.Add(NoAnswer);
            }
        }

        return new InterfacesRemoved(outcome);
    }

    /// <summary>Adds interfaces to the stacks. Each is added to all stacks or to none.</summary>
    /// <param name="coming">For each interface, the question for each stack.</param>
    public static async Task<InterfacesAdded> AddAsync(
        IReadOnlyList<IActorRef> stacks, IReadOnlyList<(InterfaceSettings Settings, IReadOnlyList<AttachInterface> Questions)> coming)
    {
        var outcome = new ChangeOutcome();
        var refused = new List<InterfaceSettings>();
        foreach (var (settings, questions) in coming)
        {
            if (await RefusalAsync(stacks, questions) is { } reason)
            {
                refused.Add(settings);
                outcome.Problems.Add($"The interface {settings.Name} does not come: {reason}");
            }
            else
            {
                outcome.Done.Add($"interface {settings.Name} added");
            }
        }

        return new InterfacesAdded(refused, outcome);
    }

    /// <summary>Changes the addresses and routes of existing interfaces to the wanted ones.</summary>
    /// <returns>The interfaces after the change.</returns>
    /// <exception cref="AskTimeoutException">A stack does not answer.</exception>
    public static async Task<IReadOnlyList<InterfaceSettings>> ChangeAsync(
        IReadOnlyList<IActorRef> stacks, IReadOnlyList<InterfaceSettings> current, IReadOnlyList<InterfaceSettings> wanted, ChangeOutcome outcome)
    {
        var pairs = current.Select(each => (Current: each, Wanted: wanted.FirstOrDefault(other => other.Name == each.Name) ?? each)).ToList();
        var changes = pairs.ConvertAll(pair => new AddressChange(stacks, pair.Current, pair.Wanted, outcome));

        // An address may move from one interface to another. It has to be removed from the old one first.
        foreach (var change in changes)
            await change.LeaveAsync([.. changes.Where(other => other != change).SelectMany(static other => other.Coming)]);
        var settled = new List<InterfaceSettings>();
        foreach (var change in changes)
            settled.Add(await change.ArriveAsync());
        return settled;
    }

    private static async Task<string?> RefusalAsync(IReadOnlyList<IActorRef> stacks, IReadOnlyList<AttachInterface> questions)
    {
        try
        {
            var answers = await Task.WhenAll(stacks.Zip(questions, static (stack, question) => stack.Ask<object>(question, Patience)));
            if (answers.OfType<InterfaceRefused>().FirstOrDefault() is not { } refusal)
                return null;
            await Task.WhenAll(stacks.Select(stack => stack.Ask<InterfaceDetached>(new DetachInterface(questions[0].Options.Name), Patience)));
            return refusal.Reason;
        }
        catch (AskTimeoutException)
        {
            return NoAnswer;
        }
    }

    /// <summary>The addresses and routes of one interface.</summary>
    private sealed class AddressChange(IReadOnlyList<IActorRef> stacks, InterfaceSettings current, InterfaceSettings wanted, ChangeOutcome outcome)
    {
        private readonly List<IpPrefix> _own = [.. current.Addresses];

        /// <summary>The addresses to be added.</summary>
        public IEnumerable<IpPrefix> Coming => wanted.Addresses.Except(current.Addresses);

        /// <summary>Removes addresses that are to be added again with another prefix, or on another interface: an address exists once.</summary>
        public async Task LeaveAsync(IReadOnlyList<IpPrefix> elsewhere)
        {
            foreach (var old in current.Addresses.Except(wanted.Addresses).Where(old => Coming.Concat(elsewhere).Any(added => added.Address == old.Address)))
                await RemoveAsync(old);
        }

        /// <summary>
        /// Makes all other changes. Additions go first, so that the interface always has an address, and a gateway always has a network that contains it.
        /// </summary>
        public async Task<InterfaceSettings> ArriveAsync()
        {
            foreach (var added in Coming)
            {
                if (await AskAsync(new AddAddress(added, current.Name)) is not StackError.None and var error)
                {
                    outcome.Problems.Add($"The address {added} cannot be added: {error.Describe()}.");
                    continue;
                }

                _own.Add(added);
                outcome.Done.Add($"address {added} added");
            }

            var routes = await ChangeRoutesAsync();
            foreach (var old in _own.Except(wanted.Addresses).ToList())
                await RemoveAsync(old);
            return (current with { Addresses = _own }).WithRoutes(routes);
        }

        /// <returns>The routes after the change.</returns>
        private async Task<List<GatewayRoute>> ChangeRoutesAsync()
        {
            var routes = current.AllRoutes.ToList();
            foreach (var added in wanted.AllRoutes.Except(current.AllRoutes))
            {
                if (await AskAsync(new AddRoute(added, current.Name)) is not StackError.None and var error)
                {
                    outcome.Problems.Add($"The route {RouteSpec.Format(added)} cannot be added: {error.Describe()}.");
                    continue;
                }

                // The stack has replaced a route to the same destination.
                routes.RemoveAll(route => route.IsSamePlaceAs(added));
                routes.Add(added);
                outcome.Done.Add($"route {RouteSpec.Format(added)} added");
            }

            foreach (var old in routes.Where(route => !wanted.AllRoutes.Any(route.IsSamePlaceAs)).ToList())
            {
                routes.Remove(old);
                await AskAsync(new RemoveRoute(old.Destination, old.Metric, current.Name));
                outcome.Done.Add($"route {RouteSpec.Format(old)} removed");
            }

            return routes;
        }

        private async Task RemoveAsync(IpPrefix old)
        {
            _own.Remove(old);
            // The answer does not matter: an address that the stack no longer has was removed over the link.
            await AskAsync(new RemoveAddress(old.Address));
            outcome.Done.Add($"address {old} removed");
        }

        private async Task<StackError> AskAsync(object question) =>
            (await Task.WhenAll(stacks.Select(stack => stack.Ask<AddressAnswer>(question, Patience))))[0].Error;
    }
}
