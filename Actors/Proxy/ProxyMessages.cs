using Akka.Actor;
using Akka.Event;
using Tapwire.Actors.Settings;
using Tapwire.Links;
using Tapwire.Messages;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Ip;

namespace Tapwire.Actors.Proxy;

/// <summary>A port of the host that has been opened for the driver: a SOCKS proxy's, or a forwarded one. Whoever holds it disposes it.</summary>
public abstract record HostPort : IDisposable
{
    private protected HostPort(string name) => Name = name;

    /// <summary>What it is, and as it is written in the settings.</summary>
    public string Name { get; }

    /// <summary>Opens the ports that settings name; all or none.</summary>
    /// <exception cref="HostSocketException">One cannot be opened: in use, or not the host's address.</exception>
    /// <exception cref="SettingsException">A SOCKS port would be open to other machines, and that is not allowed or not guarded.</exception>
    public static IReadOnlyList<HostPort> Open(DriverSettings settings)
    {
        settings.Socks.Check();
        var ports = new List<HostPort>();
        try
        {
            foreach (var spec in settings.Socks.Listen)
                ports.Add(new SocksPort(spec, HostListener.Listen(spec.Listen)));
            foreach (var spec in settings.Forward)
            {
                ports.Add(spec.Transport == Transport.Tcp
                    ? new ForwardPort(spec, HostListener.Listen(spec.Listen))
                    : new ForwardDatagramPort(spec, HostDatagramSocket.Bind(spec.Listen)));
            }

            return ports;
        }
        catch
        {
            ports.ForEach(static port => port.Dispose());
            throw;
        }
    }

    public abstract void Dispose();
}

/// <summary>A SOCKS proxy's port.</summary>
public sealed record SocksPort(SocksSpec Spec, HostListener Listener) : HostPort($"socks {Spec}")
{
    public override void Dispose() => Listener.Dispose();
}

/// <summary>A TCP port that is forwarded.</summary>
public sealed record ForwardPort(ForwardSpec Spec, HostListener Listener) : HostPort($"forward {Spec}")
{
    public override void Dispose() => Listener.Dispose();
}

/// <summary>A UDP port that is forwarded.</summary>
public sealed record ForwardDatagramPort(ForwardSpec Spec, HostDatagramSocket Socket) : HostPort($"forward {Spec}")
{
    public override void Dispose() => Socket.Dispose();
}

/// <summary>What the proxy's actors work with.</summary>
/// <param name="Resolver">Answers <see cref="Resolve"/>.</param>
internal sealed record ProxyContext(SocketContext Sockets, IActorRef Resolver, DriverSettings Settings)
{
    public IActorRef Stack => Sockets.Stack;

    public string Dispatcher => Sockets.Dispatcher;

    /// <summary>Of all actors that join a socket of the stack to a connection of the host.</summary>
    public Props Connection { get; } = ConnectionActor.Props.WithDispatcher(Sockets.Dispatcher);

    /// <summary>Whether the settings let a SOCKS client go there.</summary>
    public bool Allows(IpAddress address) =>
        Settings.Socks.Destinations.Count == 0 || Settings.Socks.Destinations.Any(prefix => prefix.Contains(address));
}

/// <summary>ProxyActor → DriverActor, once: all exposed ports listen, or, with a <paramref name="Problem"/>, one does not.</summary>
internal sealed record ProxyOpened(string? Problem);

/// <summary>An exposed port's actor → ProxyActor, once: it listens, or, with a <paramref name="Problem"/>, it does not.</summary>
internal sealed record PortOpened(string? Problem);

/// <summary>The actor of one connection, or of one UDP client → its port's actor: it comes to nothing. Its end follows.</summary>
internal sealed class ConnectionFailed : IDeadLetterSuppression
{
    public static readonly ConnectionFailed Instance = new();

    private ConnectionFailed()
    {
    }
}

/// <summary>A timer → the actor that has set it: a client, or a destination, has taken too long. No answer.</summary>
internal sealed class TookTooLong
{
    public static readonly TookTooLong Instance = new();

    private TookTooLong()
    {
    }
}

/// <summary>Between the actor of a UDP port and that of one of its clients, in both directions: one datagram of that client, or for it.</summary>
/// <param name="Client">Who it is on the port's side.</param>
internal sealed record FlowDatagram(IpEndpoint Client, PacketBuffer Data) : IOwnsBuffers, IDeadLetterSuppression
{
    public void Release() => Data.Release();
}

/// <summary>The actor of a UDP port's client → the port's actor: that many datagrams could not be passed on.</summary>
internal sealed record DatagramsDropped(int Count) : IDeadLetterSuppression;
