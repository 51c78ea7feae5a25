using Akka.Actor;
using Tapwire.Actors.Settings;
using Tapwire.Messages;
using Tapwire.Stack.Ip;

namespace Tapwire.Actors.Proxy;

/// <summary>What the proxy's actors work with.</summary>
/// <param name="Resolver">Answers <see cref="Resolve"/>.</param>
/// <param name="Refusals">Limits log entries that clients and peers can cause. All of the proxy's actors share it, since all are on one dispatcher.</param>
internal sealed record ProxyContext(SocketContext Sockets, IActorRef Resolver, DriverSettings Settings, RefusalLog Refusals)
{
    public IActorRef Stack => Sockets.Stack;

    public string Dispatcher => Sockets.Dispatcher;

    /// <summary>For actors that join a socket of the stack to a connection of the host.</summary>
    public Props Connection { get; } = ConnectionActor.Props.WithDispatcher(Sockets.Dispatcher);

    /// <summary>Whether the settings let a SOCKS client go there.</summary>
    public bool Allows(IpAddress address) =>
        Settings.Socks.Destinations.Count == 0 || Settings.Socks.Destinations.Any(prefix => prefix.Contains(address));
}
