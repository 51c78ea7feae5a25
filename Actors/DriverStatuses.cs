using Akka.Actor;
using Tapwire.Actors.Link;
using Tapwire.Links.Protocol;
using Tapwire.Messages;

namespace Tapwire.Actors;

/// <summary>Collects a driver's status from the actors that have a part of it.</summary>
internal static class DriverStatuses
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    /// <param name="stacks">The shards' stack actors; at least one.</param>
    /// <param name="taps">Their tap actors.</param>
    /// <param name="link">Nobody, if there is no link.</param>
    /// <param name="proxy">Nobody, if no port is served.</param>
    /// <exception cref="AskTimeoutException">One of them does not answer.</exception>
    public static async Task<DriverStatus> AskAsync(IReadOnlyList<IActorRef> stacks, IReadOnlyList<IActorRef> taps, IActorRef link, IActorRef proxy)
    {
        var askedStacks = AskAllAsync<StackStatus>(stacks);
        var askedTaps = AskAllAsync<TapStatus>(taps);
        var askedLink = AskAsync(link, new LinkStatus(0, 0));
        var ports = await AskAsync(proxy, new ProxyStatus([]));
        var stack = StatusTotals.Of(await askedStacks);
        var (sessions, sockets) = await askedLink;
        return new DriverStatus(stack.Uptime, StatusTotals.Of(await askedTaps), stack.Addresses, sessions, sockets, ports.Ports, stack.ConnectionCount,
            stack.Connections, stack.BuffersRented, stack.Counters);
    }

    private static Task<T[]> AskAllAsync<T>(IReadOnlyList<IActorRef> actors) =>
        Task.WhenAll(actors.Select(static actor => actor.Ask<T>(GetStatus.Instance, Patience)));

    private static Task<T> AskAsync<T>(IActorRef actor, T ofNobody) =>
        actor.IsNobody() ? Task.FromResult(ofNobody) : actor.Ask<T>(GetStatus.Instance, Patience);
}
