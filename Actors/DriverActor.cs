using System.Security.Cryptography;
using Akka.Actor;
using Akka.Event;
using Tapwire.Actors.Link;
using Tapwire.Actors.Proxy;
using Tapwire.Actors.Services;
using Tapwire.Actors.Settings;
using Tapwire.Links;
using Tapwire.Messages;
using Tapwire.Stack;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Link;
using Tapwire.Stack.Tcp;
using Tapwire.Wires;

namespace Tapwire.Actors;

/// <summary>What a driver is made of. The caller opens the wire and the link's socket, since it can tell the user why one does not open.</summary>
/// <param name="Wire">The driver's from now on.</param>
/// <param name="ReopenWire">Opens it again after a failure; throws <see cref="WireException"/>.</param>
/// <param name="Link">The listening socket for applications, or null for none; the driver's from now on.</param>
/// <param name="Secret">32 bytes that the engine's random numbers derive from.</param>
/// <param name="Dispatcher">The id of the dispatcher for tap, stack, connection and link actors.</param>
public sealed record DriverContext(DriverSettings Settings, IWire Wire, Func<IWire> ReopenWire, LinkListener? Link, IReactor Reactor,
    BufferPool Pool, TimeProvider Clock, byte[] Secret, string Dispatcher)
{
    /// <summary>The ports of the host that lead into the stack's network; the driver's from now on.</summary>
    public IReadOnlyList<HostPort> HostPorts { get; init; } = [];

    /// <summary>Makes the actor that answers <see cref="Resolve"/>. The host's resolver, unless told otherwise.</summary>
    public Props Resolver { get; init; } = HostResolverActor.Props();
}

/// <summary>Anyone → DriverActor: tell me when you are ready. Answered once by <see cref="DriverReady"/> or <see cref="DriverFailed"/>.</summary>
public sealed class WhenReady
{
    public static readonly WhenReady Instance = new();

    private WhenReady()
    {
    }
}

/// <summary>DriverActor → who asked: wire, stack, link and services are there.</summary>
public sealed record DriverReady(IActorRef Stack, IReadOnlyList<ServiceOpened> Services);

/// <summary>DriverActor → who asked: the driver cannot work, and why. It stops.</summary>
public sealed record DriverFailed(string Reason);

/// <summary>Anyone → DriverActor: stop in order. Applications see the end of their streams, TCP gets FIN or RST, the wire closes last. The answer is the
/// actor's termination.</summary>
public sealed class StopDriver
{
    public static readonly StopDriver Instance = new();

    private StopDriver()
    {
    }
}

/// <summary>DriverActor → listeners, links, services → connections: the driver stops; close in order and stop.</summary>
internal sealed class Stopping : IDeadLetterSuppression
{
    public static readonly Stopping Instance = new();

    private Stopping()
    {
    }
}

/// <summary>The root of one driver: creates its actors, supervises them, and shuts them down in order.</summary>
public sealed class DriverActor : ReceiveActor
{
    private readonly ILoggingAdapter _log = Context.GetLogger();
    private readonly DriverContext _context;
    private readonly NetworkStack _engine;
    private readonly List<IActorRef> _askers = [];
    private readonly List<ServiceOpened> _services = [];
    private readonly HashSet<IActorRef> _front = [];
    private IActorRef _tap = ActorRefs.Nobody;
    private IActorRef _stack = ActorRefs.Nobody;
    private bool _asked;
    private bool _proxyIsOpen = true;

    // Why the driver has failed, for the first who asks.
    private string? _untold;

    public DriverActor(DriverContext context, NetworkStack stack)
    {
        _context = context;
        _engine = stack;
        Starting();
    }

    /// <exception cref="SettingsException">The stack refuses an address or the gateway.</exception>
    public static Props Props(DriverContext context)
    {
        var stack = MakeStack(context);
        return Akka.Actor.Props.Create(() => new DriverActor(context, stack));
    }

    /// <summary>A fault costs the message that met it: tap and stack go on with what they own. An actor that cannot even be made ends the driver.</summary>
    protected override SupervisorStrategy SupervisorStrategy() => new OneForOneStrategy(cause =>
        cause is ActorInitializationException ? Directive.Escalate : Directive.Resume);

    protected override void PreStart()
    {
        var settings = _context.Settings;
        Context.ActorOf(Akka.Actor.Props.Create(() => new DeadLetterReclaimer()).WithDispatcher(_context.Dispatcher), "reclaimer");
        _tap = Watched(TapActor.Props(new TapContext(_context.Wire, _context.ReopenWire, _context.Reactor, _context.Pool, settings.Tap.ReadBatch,
            settings.Tap.QueueFrames, settings.Tap.ReopenMinimum, settings.Tap.ReopenMaximum)), "tap");
        _stack = Watched(StackActor.Props(new StackContext(_engine, _tap, _context.Pool, _context.Clock, settings.Queues.Frames, settings.Queues.Bytes,
            settings.Queues.FramesPerPoll, settings.Queues.EgressCredit, settings.Queues.MaximumTick)), "stack");
        var proxy = StartProxy();
        if (_context.Link is { } link)
        {
            _front.Add(Watched(LinkActor.Props(new LinkContext(link, _stack, _tap, _context.Reactor, _context.Pool, _context.Dispatcher,
                settings.Link.MaxSessions, settings.Link.MaxSockets, OptionDefaults(settings)) { Proxy = proxy }), "link"));
        }

        foreach (var service in settings.Serve)
            _front.Add(Watched(ServiceProps(service), $"{service.Name}-{service.Port}"));
        AnswerWhenReady();
    }

    /// <summary>Nobody, if no port is to be served.</summary>
    private IActorRef StartProxy()
    {
        if (_context.HostPorts.Count == 0 && _context.Settings.Expose.Count == 0)
            return ActorRefs.Nobody;
        _proxyIsOpen = false;
        var resolver = Context.ActorOf(_context.Resolver.WithDispatcher(_context.Dispatcher), "resolver");
        var context = new ProxyContext(new SocketContext(_stack, _context.Reactor, _context.Pool), resolver, _context.Settings, _context.Dispatcher);
        var proxy = Watched(ProxyActor.Props(context, _context.HostPorts), "proxy");
        _front.Add(proxy);
        return proxy;
    }

    private static NetworkStack MakeStack(DriverContext context)
    {
        var settings = context.Settings;
        var wire = context.Wire;
        var superFrames = WireOffloads.TcpSegmentationV4 | WireOffloads.Checksum;
        var stack = new NetworkStack(new StackOptions
        {
            Link = wire.Medium == Medium.Ethernet ? LinkKind.Ethernet : LinkKind.Ip,
            HardwareAddress = settings.HardwareAddress ?? wire.HardwareAddress ?? RandomAddress(),
            Mtu = settings.Mtu == 0 ? wire.Mtu : Math.Min(settings.Mtu, wire.Mtu),
            SuperFrame = (wire.Offloads & superFrames) == superFrames ? 65535 : 0,
            ChecksumOffload = (wire.Offloads & WireOffloads.Checksum) != 0,
            HopLimit = settings.HopLimit,
            Neighbors = settings.Neighbors,
            Icmp = settings.Icmp,
            Udp = settings.Udp,
            Tcp = settings.Tcp,
        }, context.Pool, context.Secret);
        var refusal = Configure(stack, settings);
        if (refusal is null)
            return stack;
        stack.Close(Instant.Zero);
        while (stack.TryDequeueFrame(out var frame))
            frame.Release();
        throw new SettingsException(refusal);
    }

    /// <summary>Null, or what the stack does not take.</summary>
    private static string? Configure(NetworkStack stack, DriverSettings settings)
    {
        foreach (var address in settings.Addresses)
        {
            if (stack.AddAddress(address, Instant.Zero) is not StackError.None and var error)
                return $"The stack refuses the address {address}: {error}.";
        }

        return settings.Gateway is { } gateway
            && stack.AddRoute(new IpPrefix(gateway.IsV4 ? IpAddress.AnyV4 : IpAddress.Unspecified, 0), gateway) is not StackError.None and var refused
            ? $"The stack refuses the gateway {gateway}: {refused}; it must be on the network of one of the addresses."
            : null;
    }

    /// <summary>What the options read as that an application has not set.</summary>
    private static TcpSocketOptions OptionDefaults(DriverSettings settings) => new()
    {
        ReceiveBuffer = settings.Tcp.ReceiveBuffer,
        SendBuffer = settings.Tcp.SendBuffer,
        CongestionControl = settings.Tcp.CongestionControl,
        KeepAliveIdle = TcpSocketOptions.DefaultKeepAliveIdle,
        KeepAliveInterval = TcpSocketOptions.DefaultKeepAliveInterval,
        KeepAliveCount = TcpSocketOptions.DefaultKeepAliveCount,
        HopLimit = settings.HopLimit,
    };

    /// <summary>A locally administered unicast address (IEEE 802).</summary>
    private static MacAddress RandomAddress()
    {
        Span<byte> bytes = stackalloc byte[6];
        RandomNumberGenerator.Fill(bytes);
        bytes[0] = (byte)(bytes[0] & 0xFC | 0x02);
        return MacAddress.FromBytes(bytes);
    }

    private IActorRef Watched(Props props, string name) => Context.Watch(Context.ActorOf(props.WithDispatcher(_context.Dispatcher), name));

    private Props ServiceProps(ServiceSpec service)
    {
        var stack = _stack;
        var pool = _context.Pool;
        var connection = service.Name switch
        {
            "echo" => EchoActor.Props(stack),
            "discard" => DiscardActor.Props(stack),
            "source" => SourceActor.Props(stack, pool),
            _ => HttpActor.Props(stack, pool),
        };
        return ServiceListenerActor.Props(stack, service.Name, new IpEndpoint(IpAddress.Unspecified, service.Port), _context.Settings.ServeBacklog,
            connection.WithDispatcher(_context.Dispatcher));
    }

    private void Starting()
    {
        Receive<WhenReady>(_ =>
        {
            _asked = true;
            _askers.Add(Sender);
            AnswerWhenReady();
        });
        Receive<ServiceOpened>(opened =>
        {
            if (opened.Error != StackError.None)
            {
                Fail($"The service {opened.Name} cannot listen: {opened.Error}.");
                return;
            }

            _services.Add(opened);
            AnswerWhenReady();
        });
        Receive<ProxyOpened>(opened =>
        {
            if (opened.Problem is { } problem)
            {
                Fail(problem);
                return;
            }

            _proxyIsOpen = true;
            AnswerWhenReady();
        });
        Receive<Terminated>(gone =>
        {
            Forget(gone.ActorRef);
            Fail($"The {gone.ActorRef.Path.Name} actor has stopped.");
        });
        Receive<StopDriver>(_ => Stop());
    }

    private void AnswerWhenReady()
    {
        if (_services.Count < _context.Settings.Serve.Count || !_proxyIsOpen)
            return;
        foreach (var asker in _askers)
            asker.Tell(new DriverReady(_stack, [.. _services]));
        _askers.Clear();
    }

    private void Fail(string reason)
    {
        _log.Error("The driver stops: {Reason}", reason);
        foreach (var asker in _askers)
            asker.Tell(new DriverFailed(reason));
        _askers.Clear();
        if (!_asked)
            _untold = reason;
        Stop();
    }

    private void Stop()
    {
        foreach (var actor in _front)
            actor.Tell(Stopping.Instance);
        Become(StoppingFront);
        if (_front.Count == 0)
            StopStack();
    }

    private void StoppingFront()
    {
        Receive<Terminated>(gone =>
        {
            Forget(gone.ActorRef);
            if (_front.Count == 0)
                StopStack();
        });
        AnswerLateAskers();
    }

    private void StopStack()
    {
        if (_stack.IsNobody())
        {
            StopTap();
            return;
        }

        _stack.Tell(new StopStack(_context.Settings.ShutdownTimeout));
        Become(() =>
        {
            Receive<Terminated>(gone =>
            {
                Forget(gone.ActorRef);
                if (_stack.IsNobody())
                    StopTap();
            });
            AnswerLateAskers();
        });
    }

    /// <summary>A poison pill, not a stop: the frames that the stack sent last go out first.</summary>
    private void StopTap()
    {
        if (_tap.IsNobody())
        {
            End();
            return;
        }

        _tap.Tell(PoisonPill.Instance);
        Become(() =>
        {
            Receive<Terminated>(_ => End());
            AnswerLateAskers();
        });
    }

    /// <summary>A driver that has failed before anybody asked stays to say why.</summary>
    private void End()
    {
        if (_untold is not { } reason)
        {
            Context.Stop(Self);
            return;
        }

        Become(() =>
        {
            Receive<WhenReady>(_ =>
            {
                Sender.Tell(new DriverFailed(reason));
                Context.Stop(Self);
            });
            Receive<StopDriver>(_ => Context.Stop(Self));
        });
    }

    private void Forget(IActorRef gone)
    {
        _front.Remove(gone);
        if (gone.Equals(_stack))
            _stack = ActorRefs.Nobody;
        else if (gone.Equals(_tap))
            _tap = ActorRefs.Nobody;
    }

    private void AnswerLateAskers()
    {
        Receive<WhenReady>(_ =>
        {
            Sender.Tell(new DriverFailed(_untold ?? "The driver is stopping."));
            _untold = null;
        });
        Receive<ServiceOpened>(_ => { });
        Receive<ProxyOpened>(_ => { });
        Receive<StopDriver>(_ => { });
    }
}
