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
    public const int MaxConnections = 1000;

    /// <summary>Most neighbours of an interface that a status answer lists.</summary>
    public const int MaxNeighbors = 512;

    /// <param name="counters">The actor's own counters by name.</param>
    public static StackStatus Of(StackDesk desk, IEnumerable<KeyValuePair<string, long>> counters)
    {
        var stack = desk.Stack;
        var all = new Dictionary<string, long>();
        foreach (var (name, value) in stack.Counters.All().Select(static counter => KeyValuePair.Create(counter.Name, counter.Value)).Concat(counters))
        {
            if (value != 0)
                all[name] = value;
        }

        var now = desk.Now;
        return new StackStatus([.. stack.Interfaces.Select(each => Of(each, stack, now))], Connections(desk.Sockets), stack.Tcp.Count, all, desk.Context.Pool.Rented,
            now - Instant.Zero);
    }

    private static StackInterfaceStatus Of(NetworkInterface owner, NetworkStack stack, Instant now) => new(owner.Options.Name, [.. owner.Addresses],
        [.. stack.Routes.Where(route => route.Interface == owner.Index).Select(static route => new RouteStatus(route.Destination, route.Gateway) { Metric = route.Metric })])
    {
        Neighbors = [.. owner.NeighborsAt(now).Take(MaxNeighbors).Select(static each => new NeighborStatus(each.Address, each.HardwareAddress == default ? null : $"{each.HardwareAddress}",
            each.State.ToString().ToUpperInvariant()))],
    };

    private static List<ConnectionStatus> Connections(SocketTable sockets)
    {
        var connections = new List<ConnectionStatus>();
        foreach (var entry in sockets.All())
        {
            if (connections.Count == MaxConnections)
                break;
            var status = entry.Socket switch
            {
                TcpSocket tcp => Of(tcp),
                TcpListener listener => new ConnectionStatus("Listen", listener.Local, default, 0, 0),
                UdpSocket udp => new ConnectionStatus(udp.Kind == DatagramKind.Udp ? "Udp" : "Icmp", udp.Local, udp.Remote, 0, 0),
                _ => null,
            };
            if (status is not null)
                connections.Add(status);
        }

        return connections;
    }

    private static ConnectionStatus Of(TcpSocket tcp)
    {
        var info = tcp.Info;
        return new ConnectionStatus(info.State.ToString(), tcp.Local, tcp.Remote, info.SendQueue, info.ReceiveQueue, info.State == TcpState.SynSent ? null : info);
    }
}
