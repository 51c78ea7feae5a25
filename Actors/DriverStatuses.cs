using Akka.Actor;
using Tapwire.Actors.Dhcp;
using Tapwire.Actors.Link;
using Tapwire.Actors.Names;
using Tapwire.Links.Protocol;
using Tapwire.Messages;

namespace Tapwire.Actors;

/// <summary>The actors of a driver beside its stacks and wires.</summary>
/// <param name="Link">Nobody if there is no link.</param>
/// <param name="Proxy">Nobody if no port is served.</param>
/// <param name="Captures">Those that run.</param>
/// <param name="Descriptors">Those that could not be had.</param>
internal sealed record DriverParts(IActorRef Link, IActorRef Proxy, IActorRef Guests, IActorRef Names, IReadOnlyCollection<IActorRef> Leases, IReadOnlyCollection<IActorRef> Servers,
    IReadOnlyList<CaptureStatus> Captures, DescriptorRefusals Descriptors);

/// <summary>Collects a driver's status from its actors.</summary>
internal static class DriverStatuses
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    /// <param name="stacks">The shards' stack actors; at least one.</param>
    /// <param name="taps">The shards' tap actors of each interface.</param>
    /// <param name="question">What the stacks are asked.</param>
    /// <exception cref="AskTimeoutException">An actor does not answer.</exception>
    public static async Task<DriverStatus> AskAsync(IReadOnlyList<IActorRef> stacks, IReadOnlyList<InterfaceTaps> taps, DriverParts parts, GetStatus question)
    {
        var askedStacks = AskAllAsync<StackStatus>(stacks, question);
        var askedTaps = Task.WhenAll(taps.Select(static each => WireOfAsync(each)));
        var askedLink = AskAsync(parts.Link, new LinkStatus(0, 0));
        var askedGuests = AskAsync(parts.Guests, new GuestsStatus([]));
        var askedNames = AskAsync(parts.Names, new NamesReport(null));
        var askedLeases = AskAllAsync<DhcpReport>(parts.Leases);
        var askedServers = AskAllAsync<DhcpServerReport>(parts.Servers);
        var ports = await AskAsync(parts.Proxy, new ProxyStatus([]));
        var stack = StatusTotals.Of(await askedStacks);
        var (sessions, sockets) = await askedLink;
        var leases = (await askedLeases).ToDictionary(static each => (each.Interface, each.IsV6), static each => each.Lease);
        var served = (await askedServers).ToDictionary(static each => each.Interface, static each => each.Served);
        // An interface that is added or removed meanwhile may be in one of the answers only; the join leaves it out.
        var interfaces = (await askedTaps).Join(stack.Interfaces, static wire => wire.Name, static part => part.Name,
            (wire, part) => new InterfaceStatus(part.Name, wire.Status, part.Addresses, part.Routes)
            {
                Neighbors = part.Neighbors,
                Lease = leases.GetValueOrDefault((part.Name, false)),
                Lease6 = leases.GetValueOrDefault((part.Name, true)),
                Served = served.GetValueOrDefault(part.Name),
            });
        return new DriverStatus(stack.Uptime, [.. interfaces], sessions, sockets, ports.Ports, (await askedGuests).Guests, stack.ConnectionCount,
            stack.Connections, stack.BuffersRented, CountersOf(stack, parts.Descriptors))
        {
            Names = (await askedNames).Status,
            Captures = parts.Captures,
            Limits = stack.Limits,
            FullListeners = stack.FullListeners,
            Descriptors = parts.Descriptors,
            Process = Environment.ProcessId,
        };
    }

    private static IReadOnlyDictionary<string, long> CountersOf(StackStatus stack, DescriptorRefusals descriptors) =>
        descriptors.Count == 0 ? stack.Counters : new Dictionary<string, long>(stack.Counters) { ["DescriptorsRefused"] = descriptors.Count };

    private static async Task<(string Name, WireStatus Status)> WireOfAsync(InterfaceTaps taps) => (taps.Name, StatusTotals.Of(await AskAllAsync<TapStatus>(taps.Taps)));

    private static Task<T[]> AskAllAsync<T>(IReadOnlyCollection<IActorRef> actors, GetStatus? question = null) =>
        Task.WhenAll(actors.Select(actor => actor.Ask<T>(question ?? GetStatus.Instance, Patience)));

    private static Task<T> AskAsync<T>(IActorRef actor, T ofNobody) =>
        actor.IsNobody() ? Task.FromResult(ofNobody) : actor.Ask<T>(GetStatus.Instance, Patience);
}
