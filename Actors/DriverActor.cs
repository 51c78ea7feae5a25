using System.Security.Cryptography;
using Akka.Actor;
using Akka.Event;
using Tapwire.Actors.Guests;
using Tapwire.Actors.Link;
using Tapwire.Actors.Names;
using Tapwire.Actors.Proxy;
using Tapwire.Actors.Services;
using Tapwire.Actors.Services.Page;
using Tapwire.Actors.Settings;
using Tapwire.Links;
using Tapwire.Messages;
using Tapwire.Posix;
using Tapwire.Stack;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Interfaces;
using Tapwire.Stack.Tcp;
using Tapwire.Wires;

namespace Tapwire.Actors;

/// <summary>The root of one driver: creates its actors, supervises them, and shuts them down in order.</summary>
public sealed partial class DriverActor : ReceiveActor, IWithTimers
{
    private readonly ILoggingAdapter _log = Context.GetLogger();
    private readonly DriverContext _context;
    private readonly IReadOnlyList<NetworkStack> _engines;
    private readonly List<IActorRef> _askers = [];
    private readonly List<ServiceOpened> _services = [];

    private readonly DriverServices _served;

    // Actors that are expected to end: their service or interface has been removed, or was never opened.
    private readonly HashSet<IActorRef> _retired = [];
    private readonly HashSet<IActorRef> _front = [];
    private readonly DriverInterfaces _interfaces;
    private readonly DriverLeases _leases;
    private readonly List<IActorRef> _stacks = [];
    private SocketContext[] _sockets = [];
    private DriverSettings _settings;
    private IActorRef _names = ActorRefs.Nobody;
    private IActorRef _link = ActorRefs.Nobody;
    private IActorRef _proxy = ActorRefs.Nobody;
    private bool _asked;
    private bool _proxyIsOpen = true;
    private long _stopBegan;

    // The reason of a failure that nobody has been told yet. The first WhenReady gets it.
    private string? _untold;

    /// <param name="engines">One for each shard.</param>
    public DriverActor(DriverContext context, IReadOnlyList<NetworkStack> engines)
    {
        _context = context;
        _settings = context.Settings;
        _engines = engines;
        _interfaces = new DriverInterfaces(context, Watched, new DriverCaptures(Context, context, _stacks, _retired));
        _leases = new DriverLeases(context, Watched);
        _served = new DriverServices(context, Context, Watched);
        _commands = new InterfaceCommands(context.Settings);
        Starting();
    }

    public ITimerScheduler Timers { get; set; } = null!;

    /// <exception cref="SettingsException">The stack refuses an address or the gateway.</exception>
    public static Props Props(DriverContext context)
    {
        var engines = DriverEngines.Make(context);
        return Akka.Actor.Props.Create(() => new DriverActor(context, engines));
    }

    protected override SupervisorStrategy SupervisorStrategy() => Supervision.LoseMessage;

    protected override void PreStart()
    {
        if (_context.Descriptors is { Limit: < int.MaxValue } open)
            _log.Info("At most {Limit} open files: {Room} for sessions, sockets and connections of the host, whatever larger limits are set", open.Limit, open.Room);
        Context.ActorOf(Akka.Actor.Props.Create(() => new DeadLetterReclaimer()).WithDispatcher(_context.Home.Dispatcher), "reclaimer");
        for (var i = 0; i < _engines.Count; i++)
            StartShard(i);
        _interfaces.BeginCapture();
        if (_engines[0].Options.Shard is not null)
        {
            foreach (var stack in _stacks)
                stack.Tell(new Siblings([.. _stacks]));
        }

        _sockets = DriverSockets.Of(_context, _engines, _stacks);
        var guests = _interfaces.JoinCaptures(Watched(GuestsActor.Props(new GuestsContext(_context, _sockets)), "guests", _context.Home));
        _names = Watched(NamesActor.Props(new NamesContext(_sockets[0], _settings.Dns, _context.Resolver, _context.Clock, _context.Secret) { Identity = PublishedName.Of(_settings) }), "names", _context.Home);
        _front.UnionWith([guests, _names]);
        foreach (var named in _settings.WireNames)
            named.Tell(_names);
        var bounds = Allowed(_settings).Link;
        if (_context.HostPorts.Count > 0 || _settings.Expose.Count > 0)
            StartProxy();
        if (_context.Link is { } link)
        {
            _link = Watched(LinkActor.Props(new LinkContext(link, _sockets, bounds.MaxSessions, bounds.MaxSockets, guests, _names) { Operate = _context.Operate }), "link", _context.Home);
            _front.Add(_link);
        }

        foreach (var service in _settings.Serve)
            StartService(service);
        _leases.Start(_settings.AllInterfaces, _sockets[0], _names);
        if (_context.WatchEvery is { } every)
            _front.Add(Watched(ProblemWatch.Props(every), "watch", _context.Home));
        AnswerWhenReady();
    }

    /// <summary>
    /// Limits settings to the descriptors that the process may open. Link and proxy get the result at the start and at every change. The driver itself keeps
    /// the settings as they were asked for.
    /// </summary>
    private DriverSettings Allowed(DriverSettings settings) => settings.Within(_context.Descriptors.Room);

    private void StartShard(int index) => _stacks.Add(
        Watched(DriverSockets.StackOf(_context, _engines[index], _interfaces.Start(index)), DriverNames.Of("stack", index), _context.Shards[index]));

    private void StartProxy()
    {
        _proxyIsOpen = false;
        _proxy = Watched(ProxyActor.Props(new ProxyContext(_sockets[0], _names, Allowed(_settings), new RefusalLog(Context.System.Scheduler)), _context.HostPorts), "proxy", _context.Home);
        _front.Add(_proxy);
    }

    private void StartService(ServiceSpec service) => _front.UnionWith(_served.Start(service, _stacks, new PageContext(_link, _sockets, _context.PageToken, _settings.Http.CaptureMemory, _context.Clock)));

    private IActorRef Watched(Props props, string name, DriverShard shard) => Context.Watch(Context.ActorOf(props.WithDispatcher(shard.Dispatcher), name));

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
                Fail($"The service {opened.Name} cannot listen: {opened.Error.Describe()}.");
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
        Receive<Reconfigure>(Begin);
        Receive<InterfaceCommand>(CarryOut);
        ReceiveAlways();
    }

    /// <summary>Registers the handlers that all states before the stop share.</summary>
    private void ReceiveAlways()
    {
        Receive<GetStatus>(asked => DriverStatuses.AskAsync(_stacks, _interfaces.Taps, new DriverParts(_link, _proxy, Context.Child("guests"), _names, _leases.Clients, _leases.Servers, _interfaces.Captures, _context.Refusals?.Invoke() ?? default), asked).PipeTo(Sender, Self));
        Receive<Terminated>(gone =>
        {
            Forget(gone.ActorRef);
            if (!_retired.Remove(gone.ActorRef))
                Fail($"The {gone.ActorRef.Path.Name} actor has stopped.");
        });
        Receive<StopDriver>(_ => Stop());
        Receive<AdvertisedNames>(said => _names.Tell(LeasedNamesGone.Or($"{said.Interface}, routers", said.Servers, said.Domains)));
        Receive<StartCapture>(capture => Sender.Tell(_interfaces.Capture(capture)));
        Receive<AddGuest>(add => Context.Child("guests").Forward(add));
        Receive<PublishPort>(publish => Context.Child("guests").Forward(publish));
        Receive<InterfaceCommand>(command => _waiting.Add(command, Sender));
    }

    private bool IsReady => _services.Count >= _context.Settings.Serve.Count * _engines.Count && _proxyIsOpen;

    private void AnswerWhenReady()
    {
        if (!IsReady)
            return;
        foreach (var asker in _askers)
            asker.Tell(new DriverReady(_stacks[0], [.. _services.Distinct()]) { Sockets = _sockets, Names = _names });
        _askers.Clear();
        _waiting.GoOn();
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
        _stopBegan = _context.Clock.GetTimestamp();
        _waiting.Refuse();
        foreach (var stack in _stacks)
            stack.Tell(Stopping.Instance);
        TellFront();
        Timers.StartSingleTimer(PatienceIsOver.Instance, PatienceIsOver.Instance, _settings.ShutdownTimeout);
        AwaitEnds(() => _front.Count == 0, StopLeases, () => Receive<PatienceIsOver>(_ => TellFront()));
    }

    private void TellFront()
    {
        foreach (var actor in _front)
            actor.Tell(Stopping.Instance);
    }

    /// <summary>One step of the stop: waits until actors have ended, then goes on to the next step.</summary>
    /// <param name="have">True when all of them have ended.</param>
    /// <param name="more">Registers further handlers for this step.</param>
    private void AwaitEnds(Func<bool> have, Action next, Action? more = null)
    {
        if (have())
        {
            next();
            return;
        }

        Become(() =>
        {
            Receive<Terminated>(gone =>
            {
                Forget(gone.ActorRef);
                if (have())
                    next();
            });
            more?.Invoke();
            AnswerLateAskers();
        });
    }

    /// <summary>Leases go when no application needs them any more, and while the stacks can still send that they are given back.</summary>
    private void StopLeases()
    {
        _leases.Stop();
        AwaitEnds(() => _leases.IsEmpty, StopStack);
    }

    /// <summary>Stops the stacks, with what applications have left of the shutdown time-out.</summary>
    private void StopStack()
    {
        Timers.Cancel(PatienceIsOver.Instance);
        var left = _settings.ShutdownTimeout - _context.Clock.GetElapsedTime(_stopBegan);
        foreach (var stack in _stacks)
            stack.Tell(new StopStack(left > TimeSpan.Zero ? left : TimeSpan.Zero));
        AwaitEnds(() => _stacks.Count == 0, StopTap);
    }

    /// <summary>Ends the taps by a poison pill, which queues behind the stacks' last frames, so that these still go out.</summary>
    private void StopTap()
    {
        _interfaces.Stop();
        AwaitEnds(() => _interfaces.IsEmpty, () => AwaitEnds(_interfaces.EndCaptures, End));
    }

    /// <summary>Ends the driver. After a failure that nobody has been told, it stays until somebody asks.</summary>
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
        _stacks.Remove(gone);
        _interfaces.Forget(gone);
        _leases.Forget(gone);
    }

    private void AnswerLateAskers()
    {
        Receive<WhenReady>(_ =>
        {
            Sender.Tell(new DriverFailed(_untold ?? "The driver is stopping."));
            _untold = null;
        });
        Receive<GetStatus>(_ => Refuse("The driver is stopping."));
        Receive<Reconfigure>(_ => Refuse("The driver is stopping."));
        Receive<InterfaceCommand>(_ => Sender.Tell(WaitingCommands.Stopping));
        Receive<StartCapture>(capture => Sender.Tell(capture.Refuse((int)StackError.ConnectionAborted, "The driver is stopping.")));
        Receive<object>(static late => late is CommandSettled or InterfacesRemoved or InterfacesAdded or ChangeSettled or ServiceOpened or ProxyOpened or StopDriver, static _ => { });
    }

    private void Refuse(string reason) => Sender.Tell(new Status.Failure(new InvalidOperationException(reason)));
}
