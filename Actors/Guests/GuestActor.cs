using Akka.Actor;
using Akka.Event;
using Tapwire.Actors.Settings;
using Tapwire.Links.Protocol;
using Tapwire.Messages;
using Tapwire.Stack;
using Tapwire.Stack.Forwarding;
using Tapwire.Stack.Interfaces;
using Tapwire.Stack.Ip;
using Tapwire.Wires;

namespace Tapwire.Actors.Guests;

/// <summary>
/// A host whose traffic goes by the driver's sockets. It has a wire and a stack of its own, which takes what the host sends to any address; each connection, flow of datagrams and
/// echo request then becomes one of the driver's stack.
/// <para>States: Serving → Finishing → Silent. It finishes when the driver stops, and when its lifeline ends: then the program has ended, and its kernel may have bytes that it has
/// written.</para>
/// </summary>
internal sealed class GuestActor : OwningActor, IWithTimers
{
    /// <summary>How long what a program has written before it ended may take to arrive. A kernel takes longer, but not with somebody else's memory.</summary>
    private static readonly TimeSpan LastBytes = TimeSpan.FromSeconds(30);

    private static readonly TimeSpan StatusPatience = TimeSpan.FromSeconds(2);

    /// <summary>Bytes of the secret that an engine's random numbers derive from.</summary>
    private const int SecretLength = 32;

    /// <summary>A guest's share of what <c>tapwire.tcp.memory</c> lets the connections of the driver's own stack hold.</summary>
    private const int MemoryShare = 4;

    private readonly ILoggingAdapter _log = Context.GetLogger();
    private readonly RefusalLog _refusals = new(Context.System.Scheduler);
    private readonly DriverContext _driver;
    private readonly DriverShard _shard;
    private readonly SocketContext _sockets;
    private readonly AddGuest _guest;
    private readonly GuestFlows _flows;
    private readonly GuestPorts _ports = new(Context);
    private readonly HashSet<IActorRef> _relays = [];
    private readonly HashSet<IActorRef> _echoes = [];
    private IActorRef _stack = ActorRefs.Nobody;
    private IActorRef _wire = ActorRefs.Nobody;
    private long _accepted;
    private long _refused;
    private bool _ownsWire = true;

    public GuestActor(DriverContext driver, DriverShard shard, SocketContext sockets, AddGuest guest)
    {
        _driver = driver;
        _shard = shard;
        _sockets = sockets;
        _guest = guest;
        _flows = new GuestFlows(Context, Limits.MaxFlows);
        Serving();
    }

    public ITimerScheduler Timers { get; set; } = null!;

    /// <summary>A capture knows the interface of a guest by that and its process id, as in guest-1234.</summary>
    private const string InterfacePrefix = "guest-";

    private string Interface => $"{InterfacePrefix}{_guest.Process}";

    private GuestSettings Limits => _driver.Settings.Guests;

    /// <summary>A guest's interface may have that name.</summary>
    public static bool IsInterface(string name) => name.StartsWith(InterfacePrefix, StringComparison.Ordinal) && int.TryParse(name.AsSpan(InterfacePrefix.Length), System.Globalization.NumberStyles.None, null, out _);

    /// <param name="guest">The actor's from now on.</param>
    public static Props Props(DriverContext driver, DriverShard shard, SocketContext sockets, AddGuest guest) =>
        Akka.Actor.Props.Create(() => new GuestActor(driver, shard, sockets, guest));

    protected override SupervisorStrategy SupervisorStrategy() => Supervision.LoseMessage;

    protected override void PreStart()
    {
        if (!_guest.Lifeline.IsNobody())
            Context.Watch(_guest.Lifeline);
        var self = Self;
        var tap = _driver.Settings.Tap;
        var engine = Engine();
        _wire = Context.Watch(Context.ActorOf(TapActor.Props(new TapContext(_guest.Wire, Reopen, _shard.Reactor, _driver.Pool, _driver.Clock, tap.ReadBatch, tap.QueueFrames,
            tap.ReopenMinimum, tap.ReopenMaximum) { Interface = Interface }).WithDispatcher(_shard.Dispatcher), "tap"));
        _ownsWire = false;
        _stack = Context.Watch(Context.ActorOf(DriverSockets.StackOf(_driver, engine, [new WireTap(_wire, EgressCost.Cuts(_guest.Wire))]).WithDispatcher(_shard.Dispatcher), "stack"));
        _stack.Tell(TakeForwarded.Instance);
        _log.Info("Guest {Guest} is here", _guest.Addresses);

        IWire Reopen()
        {
            self.Tell(GuestWireGone.Instance, ActorRefs.NoSender);
            throw new WireException("The guest has ended.");
        }
    }

    protected override void PostStop()
    {
        if (_ownsWire)
            _guest.Wire.Dispose();
        _log.Info("Guest {Guest} has gone: {Connections} connections, {Flows} flows of datagrams; {Refused} connections and {Dropped} datagrams found no room", _guest.Addresses, _accepted,
            _flows.Accepted, _refused, _flows.Dropped);
    }

    private void Serving()
    {
        Receive<ForwardHandshake>(Relay);
        Receive<PublishedAccept>(Relay);
        Receive<PublishPort>(Publish);
        Receive<ForwardEcho>(Ask);
        Receive<Terminated>(gone =>
        {
            if (Forget(gone.ActorRef))
                return;
            if (gone.ActorRef.Equals(_guest.Lifeline))
                Finish(LastBytes);
            else
                Context.Stop(Self);
        });
        Receive<Stopping>(_ => Finish(_driver.Settings.ShutdownTimeout));
        ReceiveAlways();
    }

    private void ReceiveAlways()
    {
        Receive<ForwardDatagram>(Pass);
        Receive<DatagramsDropped>(dropped => _flows.Drop(dropped.Count));
        Receive<GuestWireGone>(_ => Context.Stop(Self));
        // Both answer the capture themselves.
        Receive<JoinCapture>(PassOn);
        Receive<LeaveCapture>(PassOn);
        Receive<GetStatus>(_ =>
        {
            var known = new GuestStatus(_guest.Addresses, _guest.Process, null!, [.. _ports.Specs.Select(static spec => spec.ToString())], _relays.Count, _accepted, _refused, _flows.Open,
                _flows.Accepted, _flows.Dropped);
            _wire.Ask<TapStatus>(GetStatus.Instance, StatusPatience).PipeTo(Sender, Self, tap => known with { Wire = tap.Wire });
        });
    }

    private void PassOn(object message)
    {
        _stack.Tell(message);
        _wire.Tell(message);
    }

    /// <summary>Lets connections end in order for a while, and then resets those that are left.</summary>
    private void Finish(TimeSpan patience)
    {
        Limit(patience);
        _ports.Stop();
        TellRelays();
        Become(Finishing);
        SilenceWhenDone();
    }

    private void Finishing()
    {
        Receive<ForwardHandshake>(late => _stack.Tell(new RefuseForwarded(late.Source, late.Destination, StackError.NetworkUnreachable)));
        Receive<PublishedAccept>(Reset);
        Receive<ForwardEcho>(late => late.Release());
        Receive<PatienceIsOver>(_ => TellRelays());
        Receive<Terminated>(gone =>
        {
            if (Forget(gone.ActorRef))
                SilenceWhenDone();
            else if (!gone.ActorRef.Equals(_guest.Lifeline))
                Context.Stop(Self);
        });
        Receive<Stopping>(_ => Limit(_driver.Settings.ShutdownTimeout));
        ReceiveAlways();
    }

    private void Limit(TimeSpan patience) => Timers.StartSingleTimer(PatienceIsOver.Instance, PatienceIsOver.Instance, patience);

    private void TellRelays()
    {
        foreach (var relay in _relays)
            relay.Tell(Stopping.Instance);
    }

    /// <summary>Ends the stack when nobody needs it, so that its last frames reach the guest before the device is closed.</summary>
    private void SilenceWhenDone()
    {
        if (_relays.Count > 0)
            return;
        Timers.CancelAll();
        _stack.Tell(new StopStack(StackActor.LastWords));
        Become(() =>
        {
            Receive<Terminated>(gone =>
            {
                if (gone.ActorRef.Equals(_stack))
                    _wire.Tell(PoisonPill.Instance);
                else if (!Forget(gone.ActorRef) && !gone.ActorRef.Equals(_guest.Lifeline))
                    Context.Stop(Self);
            });
            Receive<ForwardHandshake>(_ => { });
            Receive<PublishedAccept>(Reset);
            Receive<ForwardEcho>(late => late.Release());
            Receive<Stopping>(_ => { });
            ReceiveAlways();
        });
    }

    private NetworkStack Engine()
    {
        var settings = _driver.Settings;
        var spec = WireSpec.Parse("tun:guest")!;
        var options = DriverEngines.OptionsOf(settings with { Tcp = settings.Tcp with { Memory = Math.Max(settings.Tcp.Memory / MemoryShare, Stack.Tcp.TcpOptions.Ranges.Memory.Least) } },
            [DriverEngines.InterfaceOf(settings, new InterfaceSettings(Interface, spec, [], null, null, 0, [], []), _guest.Wire, default, _driver.HostKey)], null,
            new ForwardingOptions { Guest = _guest.Addresses, Handshakes = Limits.MaxConnections });
        var engine = new NetworkStack(options, _driver.Pool, System.Security.Cryptography.RandomNumberGenerator.GetBytes(SecretLength));
        var by = engine.Interfaces[0];
        foreach (var address in _guest.Addresses.All)
        {
            var ofHost = address.Length * 8;
            engine.AddAddress(by, new IpPrefix(GuestAddress.OwnEnd(address), ofHost), Instant.Zero);
            engine.AddRoute(new IpPrefix(address, ofHost), IpAddress.Unspecified, by);
        }

        return engine;
    }

    private void Relay(ForwardHandshake handshake)
    {
        if (!TryRelay(GuestRelayActor.Props(_sockets.Stack, _stack, handshake, _driver.Pool)))
            _stack.Tell(new RefuseForwarded(handshake.Source, handshake.Destination, StackError.NoBufferSpace));
    }

    private void Relay(PublishedAccept published)
    {
        // The guest would not answer its own address, nor one of a link that it is not on: a program beside it on the driver, and a neighbour, come from the driver's end.
        var peer = published.Accepted.Remote;
        var from = _guest.Addresses.Contains(peer.Address) || peer.Address.IsLinkLocal ? new IpEndpoint(GuestAddress.OwnEnd(peer.Address), 0) : peer;
        if (_guest.Addresses.Towards(peer.Address) is not { } guest
            || !TryRelay(PublishedRelayActor.Props(StackOf(published.Spec), _stack, published.Accepted, from, new IpEndpoint(guest, published.Spec.Port), _driver.Pool)))
            Reset(published);
    }

    private void Reset(PublishedAccept published) => StackOf(published.Spec).Tell(new Abort(published.Accepted.Id));

    /// <summary>The stack of the shard that has the port, which may be another one than this guest's.</summary>
    private IActorRef StackOf(PublishSpec spec) =>
        (spec.Transport == Transport.Tcp ? _sockets.ForTcp(spec.Listen.Port, default) : _sockets.ForUdp(spec.Listen.Port, default)).Stack;

    /// <returns>False: there is no room.</returns>
    private bool TryRelay(Props relay)
    {
        if (_relays.Count >= Limits.MaxConnections)
        {
            _refused++;
            _refusals.Warn(_log, "A connection of guest {Guest} finds no room: {MaxConnections} are there (tapwire.guests.max-connections)", _guest.Addresses, Limits.MaxConnections);
            return false;
        }

        _accepted++;
        _relays.Add(Context.Watch(Context.ActorOf(relay.WithDispatcher(_shard.Dispatcher))));
        return true;
    }

    private void Publish(PublishPort publish)
    {
        var spec = publish.Spec;
        var props = spec.Transport == Transport.Tcp
            ? PublishActor.Props(StackOf(spec), spec, _driver.Settings.ServeBacklog, Sender)
            : PublishDatagramActor.Props(StackOf(spec), _stack, spec, _guest.Addresses, Sender);
        _ports.Add(spec, props.WithDispatcher(_shard.Dispatcher), Sender);
    }

    private void Pass(ForwardDatagram datagram)
    {
        if (!_ports.Pass(datagram) && !_flows.Pass(datagram, () => GuestFlowActor.Props(_sockets.Stack, _stack, datagram.Source, datagram.Destination, Limits.FlowIdle).WithDispatcher(_shard.Dispatcher)))
            _refusals.Warn(_log, "A datagram of guest {Guest} finds no room: {MaxFlows} flows are there (tapwire.guests.max-flows)", _guest.Addresses, Limits.MaxFlows);
    }

    private void Ask(ForwardEcho request)
    {
        var echo = request.Echo;
        if (_echoes.Count >= Limits.MaxFlows)
        {
            _flows.Drop();
            echo.Release();
            return;
        }

        _echoes.Add(Context.Watch(Context.ActorOf(GuestEchoActor.Props(_sockets.Stack, _stack, echo).WithDispatcher(_shard.Dispatcher))));
    }

    /// <returns>False: it is the lifeline, or the actor of the wire or of the stack, without which nothing is left to do.</returns>
    private bool Forget(IActorRef gone) => _relays.Remove(gone) || _flows.Remove(gone) || _ports.Remove(gone) || _echoes.Remove(gone);
}
