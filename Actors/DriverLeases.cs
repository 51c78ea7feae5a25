using Akka.Actor;
using Tapwire.Actors.Dhcp;
using Tapwire.Actors.Names;
using Tapwire.Actors.Settings;
using Tapwire.Messages;

namespace Tapwire.Actors;

/// <summary>The DHCP clients of a driver by interface. Used by the driver's actor only.</summary>
/// <param name="start">Makes an actor with that name on a shard's thread, and watches it.</param>
internal sealed class DriverLeases(DriverContext driver, Func<Props, string, DriverShard, IActorRef> start)
{
    private readonly Dictionary<(string Interface, bool IsV6), IActorRef> _clients = [];
    private int _started;

    public IReadOnlyCollection<IActorRef> All => _clients.Values;

    public bool IsEmpty => _clients.Count == 0;

    /// <summary>Makes the clients of those interfaces that shall have one, beside the stack actor of the first shard.</summary>
    public void Start(IEnumerable<InterfaceSettings> interfaces, IActorRef stack, IActorRef names)
    {
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
        }
    }

    /// <summary>Ends the clients of an interface that goes. Its name servers go with it.</summary>
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
    }

    // An actor's name is free only when the actor has ended.
    private void Start(string name, bool isV6, Props props) => _clients[(name, isV6)] = start(props, _started++ == 0 ? "dhcp" : $"dhcp-{_started}", driver.Home);

    public void Stop()
    {
        foreach (var client in _clients.Values)
            client.Tell(Stopping.Instance);
    }

    /// <summary>Removes an actor that has ended.</summary>
    public void Forget(IActorRef gone)
    {
        foreach (var (name, _) in _clients.Where(each => each.Value.Equals(gone)).ToList())
            _clients.Remove(name);
    }
}
