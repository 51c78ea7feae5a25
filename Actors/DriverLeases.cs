using Akka.Actor;
using Tapwire.Actors.Dhcp;
using Tapwire.Actors.Names;
using Tapwire.Actors.Settings;
using Tapwire.Messages;

namespace Tapwire.Actors;

/// <summary>The DHCP clients and servers of a driver by interface. Used by the driver's actor only.</summary>
/// <param name="start">Makes an actor with that name on a shard's thread, and watches it.</param>
internal sealed class DriverLeases(DriverContext driver, Func<Props, string, DriverShard, IActorRef> start)
{
    private readonly Dictionary<(string Interface, bool IsV6), IActorRef> _clients = [];
    private readonly Dictionary<string, IActorRef> _servers = [];
    private int _started;

    public IReadOnlyCollection<IActorRef> Clients => _clients.Values;

    public IReadOnlyCollection<IActorRef> Servers => _servers.Values;

    public bool IsEmpty => _clients.Count + _servers.Count == 0;

    /// <summary>Makes the clients and servers of those interfaces that shall have one, beside the stack actor of the first shard.</summary>
    public void Start(IEnumerable<InterfaceSettings> interfaces, SocketContext sockets, IActorRef names)
    {
        var stack = sockets.Stack;
        var settings = driver.Settings.DhcpClient;
        if (settings.HostName.Length == 0)
            settings = settings with { HostName = driver.Settings.Name };
        foreach (var each in interfaces)
        {
            var context = new DhcpContext(each.Name, settings, stack, names, driver.Clock, driver.Secret);
            if (each.Dhcp.HasFlag(DhcpFamilies.V4))
                Start(each.Name, isV6: false, DhcpActor.Props(context));
            // Where somebody else may name servers, nobody waits for DHCPv6: most networks have none.
            if (each.Dhcp.HasFlag(DhcpFamilies.V6))
                Start(each.Name, isV6: true, Dhcp6Actor.Props(context with { IsOnlySource = each.Dhcp == DhcpFamilies.V6 && each.Slaac == SlaacMode.Off }));
            if (each.ServesDhcp)
                _servers[each.Name] = Made("dhcp-server", DhcpServerActor.Props(ServerOf(each, sockets, names)));
        }
    }

    private DhcpServerContext ServerOf(InterfaceSettings each, SocketContext sockets, IActorRef names) => new(each, driver.Settings.DhcpServer, sockets, names, driver.Clock, driver.HostKey)
    {
        IsRouter = driver.Settings.IsRouter,
        Domains = driver.Settings.ServedDomains,
    };

    /// <summary>Ends the clients and the server of an interface that goes. Its name servers go with it.</summary>
    /// <returns>The actors, which will have ended soon; nothing if there is none.</returns>
    public IEnumerable<IActorRef> Retire(string name, IActorRef names)
    {
        foreach (var isV6 in (bool[])[false, true])
        {
            if (!_clients.Remove((name, isV6), out var client))
                continue;
            client.Tell(Stopping.Instance);
            names.Tell(new LeasedNamesGone(isV6 ? Dhcp6Actor.SourceOf(name) : name));
            yield return client;
        }

        if (_servers.Remove(name, out var server))
        {
            server.Tell(Stopping.Instance);
            yield return server;
        }
    }

    // An actor's name is free only when the actor has ended.
    private void Start(string name, bool isV6, Props props) => _clients[(name, isV6)] = Made("dhcp", props);

    private IActorRef Made(string name, Props props) => start(props, _started++ == 0 ? name : $"{name}-{_started}", driver.Home);

    public void Stop()
    {
        foreach (var each in _clients.Values.Concat(_servers.Values))
            each.Tell(Stopping.Instance);
    }

    /// <summary>Removes an actor that has ended.</summary>
    public void Forget(IActorRef gone)
    {
        foreach (var (name, _) in _clients.Where(each => each.Value.Equals(gone)).ToList())
            _clients.Remove(name);
        foreach (var (name, _) in _servers.Where(each => each.Value.Equals(gone)).ToList())
            _servers.Remove(name);
    }
}
