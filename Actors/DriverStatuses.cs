using Akka.Actor;
using Tapwire.Actors.Link;
using Tapwire.Links.Protocol;
using Tapwire.Messages;

namespace Tapwire.Actors;

/// <summary>Collects a driver's status from its actors.</summary>
internal static class DriverStatuses
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    /// <param name="stacks">The shards' stack actors; at least one.</param>
    /// <param name="taps">The shards' tap actors of each interface.</param>
    /// <param name="link">Nobody if there is no link.</param>
    /// <param name="proxy">Nobody if no port is served.</param>
    /// <param name="guests">The actor that has the guests.</param>
    /// <exception cref="AskTimeoutException">An actor does not answer.</exception>
    public static async Task<DriverStatus> AskAsync(IReadOnlyList<IActorRef> stacks, IReadOnlyList<InterfaceTaps> taps, IActorRef link, IActorRef proxy, IActorRef guests)
    {
        var askedStacks = AskAllAsync<StackStatus>(stacks);
        var askedTaps = Task.WhenAll(taps.Select(static each => WireOfAsync(each)));
        var askedLink = AskAsync(link, new LinkStatus(0, 0));
        var askedGuests = AskAsync(guests, new GuestsStatus([]));
        var ports = await AskAsync(proxy, new ProxyStatus([]));
        var stack = StatusTotals.Of(await askedStacks);
        var (sessions, sockets) = await askedLink;
        // An interface that is added or removed meanwhile may be in one of the answers only; the join leaves it out.
        var interfaces = (await askedTaps).Join(stack.Interfaces, static wire => wire.Name, static part => part.Name,
            static (wire, part) => new InterfaceStatus(part.Name, wire.Status, part.Addresses, part.Routes));
        return new DriverStatus(stack.Uptime, [.. interfaces], sessions, sockets, ports.Ports, (await askedGuests).Guests, stack.ConnectionCount,
            stack.Connections, stack.BuffersRented, stack.Counters);
    }

    private static async Task<(string Name, WireStatus Status)> WireOfAsync(InterfaceTaps taps) => (taps.Name, StatusTotals.Of(await AskAllAsync<TapStatus>(taps.Taps)));

    private static Task<T[]> AskAllAsync<T>(IReadOnlyList<IActorRef> actors) =>
        Task.WhenAll(actors.Select(static actor => actor.Ask<T>(GetStatus.Instance, Patience)));

    private static Task<T> AskAsync<T>(IActorRef actor, T ofNobody) =>
        actor.IsNobody() ? Task.FromResult(ofNobody) : actor.Ask<T>(GetStatus.Instance, Patience);
}
