using Tapwire.Actors.Sockets;
using Tapwire.Links.Protocol;
using Tapwire.Messages;
using Tapwire.Stack;
using Tapwire.Stack.Interfaces;
using Tapwire.Stack.Tcp;
using Tapwire.Stack.Udp;

namespace Tapwire.Actors;

/// <summary>The status of a stack actor: the conversation of Messages/Status.cs.</summary>
internal static class StackStatuses
{
    /// <summary>Most connections that a status answer lists; the total is always exact.</summary>
    public const int MaxConnections = ListSocketsRequest.MostSockets;

    /// <summary>Sockets that a status looks at to tell what limits them: it must not take long, however many there are.</summary>
    private const int MostLookedAt = 4096;

    /// <summary>Most listeners that are full and listed.</summary>
    public const int MaxFullListeners = 16;

    /// <summary>Most neighbours of an interface that a status answer lists.</summary>
    public const int MaxNeighbors = 512;

    /// <param name="counters">The actor's own counters by name.</param>
    public static StackStatus Of(StackDesk desk, IEnumerable<KeyValuePair<string, long>> counters, bool listsSockets = true)
    {
        var stack = desk.Stack;
        var all = new Dictionary<string, long>();
        foreach (var (name, value) in stack.Counters.All().Select(static counter => KeyValuePair.Create(counter.Name, counter.Value)).Concat(counters))
        {
            if (value != 0)
                all[name] = value;
        }

        var now = desk.Now;
        var (limits, full) = Look(desk.Sockets);
        return new StackStatus([.. stack.Interfaces.Select(each => Of(each, stack, now))], listsSockets ? Connections(desk.Sockets, stack, now) : [], stack.Tcp.Count, all, desk.Context.Pool.Rented,
            now - Instant.Zero)
        {
            Limits = limits,
            FullListeners = full,
        };
    }

    /// <summary>What keeps connections from sending, and which listeners have no room.</summary>
    private static (Dictionary<SenderLimit, int> Limits, List<FullListenerStatus> Full) Look(SocketTable sockets)
    {
        var limits = new Dictionary<SenderLimit, int>();
        var full = new List<FullListenerStatus>();
        foreach (var entry in sockets.All().Take(MostLookedAt))
        {
            if (entry.Socket is TcpSocket tcp && tcp.Limit is var limit && limit != SenderLimit.Application)
                limits[limit] = limits.GetValueOrDefault(limit) + 1;
            else if (entry.Socket is TcpListener listener && listener.Backlog > 0 && listener.Waiting >= listener.Backlog && full.Count < MaxFullListeners)
                full.Add(new FullListenerStatus(listener.Local, listener.Waiting, listener.Backlog));
        }

        return (limits, full);
    }

    private static StackInterfaceStatus Of(NetworkInterface owner, NetworkStack stack, Instant now) => new(owner.Options.Name, [.. owner.Addresses],
        [.. stack.Routes.Where(route => route.Interface == owner.Index).Select(static route => new RouteStatus(route.Destination, route.Gateway) { Metric = route.Metric })])
    {
        Neighbors = [.. owner.NeighborsAt(now).Take(MaxNeighbors).Select(static each => new NeighborStatus(each.Address, each.HardwareAddress == default ? null : $"{each.HardwareAddress}",
            each.State.ToString().ToUpperInvariant()))],
    };

    private static List<ConnectionStatus> Connections(SocketTable sockets, NetworkStack stack, Instant now) =>
        [.. sockets.All().Select(entry => Of(entry, stack, now)).OfType<ConnectionStatus>().Take(MaxConnections)];

    /// <summary>Sockets from an index of the table on.</summary>
    public static SocketsPage PageOf(StackDesk desk, GetSockets wanted)
    {
        var page = new List<OwnedSocket>();
        var now = desk.Now;
        foreach (var entry in desk.Sockets.All(wanted.From))
        {
            if (page.Count == wanted.Most)
                return new SocketsPage(page, entry.Id.Index);
            if (Of(entry, desk.Stack, now) is { } status && wanted.Filter.Has(status.State, status.Local, status.Remote))
                page.Add(new OwnedSocket(status, entry.Owner));
        }

        return new SocketsPage(page, null);
    }

    /// <returns>Null: it is only a port that is kept for a socket.</returns>
    private static ConnectionStatus? Of(SocketEntry entry, NetworkStack stack, Instant now)
    {
        var status = entry.Socket switch
        {
            TcpSocket tcp => Of(tcp) with { Interface = NameOf(stack, tcp.Interface) },
            TcpListener listener => new ConnectionStatus("Listen", listener.Local, default, listener.Backlog, listener.Waiting),
            UdpSocket { Queues: var queues } udp => new ConnectionStatus(udp.Kind == DatagramKind.Udp ? "Udp" : "Icmp", udp.Local, udp.Remote, queues.Sending, queues.Received) { Dropped = queues.Dropped },
            _ => null,
        };
        return status is null ? null : status with { Age = now - entry.Since };
    }

    private static string NameOf(NetworkStack stack, int index) => stack.Interfaces.FirstOrDefault(each => each.Index == index)?.Options.Name ?? "lo";

    private static ConnectionStatus Of(TcpSocket tcp)
    {
        var info = tcp.Info;
        return new ConnectionStatus(info.State.ToString(), tcp.Local, tcp.Remote, info.SendQueue, info.ReceiveQueue, info.State == TcpState.SynSent ? null : info);
    }
}
