using Akka.Actor;
using Akka.Event;
using Tapwire.Actors.Dispatch;
using Tapwire.Actors.Link;
using Tapwire.Actors.Settings;
using Tapwire.Links;
using Tapwire.Links.Protocol;
using Tapwire.Messages;
using Tapwire.Posix;
using Tapwire.Proxy;
using Tapwire.Stack;
using Tapwire.Wires;

namespace Tapwire.Actors.Proxy;

/// <summary>One listening TCP port of the host. Every connection has an actor of its own, up to a limit.</summary>
internal sealed class HostPortActor : OwningActor
{
    /// <summary>Connections beyond the limit that get a refusal in their own protocol; others are reset.</summary>
    private const int MaxTurnedAway = 64;

    /// <summary>Connections accepted per message, before another actor has its turn.</summary>
    private const int AcceptsPerTurn = 64;

    private readonly ILoggingAdapter _log = Context.GetLogger();
    private ProxyContext _context;
    private readonly string _name;
    private readonly HostListener _listener;
    private readonly ForwardSpec? _forward;
    private int _open;
    private long _accepted;
    private long _refused;
    private long _failed;
    private long _dropped;

    public HostPortActor(ProxyContext context, string name, HostListener listener, ForwardSpec? forward)
    {
        _context = context;
        _name = name;
        _listener = listener;
        _forward = forward;
        Receive<LinkReady>(_ => AcceptAll());
        Receive<Terminated>(_ => _open--);
        Receive<UseContext>(use => _context = use.Context);
        Receive<StopAccepting>(_ => Retire());
        ReceiveAlways();
    }

    /// <param name="listener">The actor's from now on.</param>
    /// <param name="forward">The port whose connections these are; null: each client names its own, by SOCKS or HTTP.</param>
    public static Props Props(ProxyContext context, string name, HostListener listener, ForwardSpec? forward) =>
        Akka.Actor.Props.Create(() => new HostPortActor(context, name, listener, forward));

    protected override SupervisorStrategy SupervisorStrategy() => Supervision.Stop;

    protected override void PreStart()
    {
        _listener.Start(_context.Sockets.Reactor, LinkReady.To(Self));
        _log.Info("Serving {PortName} on {Local}", _name, _listener.Local);
    }

    protected override void PostStop() => _listener.Dispose();

    private void AcceptAll()
    {
        for (var accepts = 0; accepts < AcceptsPerTurn; accepts++)
        {
            switch (_listener.TryAccept(out var stream, out var peer))
            {
                case AcceptResult.None:
                    return;
                case AcceptResult.Exhausted:
                    _refused++;
                    _context.Refusals.Warn(_log, "Refused a client of {PortName}: the driver has no descriptor left (raise the limit on open files)", _name);
                    break;
                default:
                    Serve(stream!, $"{peer}");
                    break;
            }
        }

        Context.GoOnLater(LinkReady.TellReadable);
    }

    private void Serve(HostStream stream, string peer)
    {
        if (_context.Sockets.Memory.Level == MemoryLevel.Exhausted)
        {
            _refused++;
            _context.Refusals.Warn(_log, "Refused client {Peer} of {PortName}: memory is exhausted", peer, _name);
            stream.Reset();
            return;
        }

        var most = _context.Settings.Proxy.MaxConnections;
        var isBusy = _open >= most;
        if (isBusy)
        {
            _refused++;
            _context.Refusals.Warn(_log, "Refused client {Peer} of {PortName}: {MaxConnections} are connected (tapwire.proxy.max-connections)", peer, _name, most);
            if (_forward is not null || _open >= most + MaxTurnedAway)
            {
                stream.Reset();
                return;
            }
        }
        else
        {
            _accepted++;
            _log.Debug("Client {Peer} of {PortName} connected", peer, _name);
        }

        _open++;
        Context.Watch(Context.ActorOf((_forward is { } forward
            ? ProxySessionActor.Props(_context, stream, peer, forward.Target, forward.SendsProxyHeader)
            : ProxySessionActor.Props(_context, stream, peer, new ProxyHandshake(_context.Settings.Socks.ProxyUser), isBusy)).WithDispatcher(_context.Dispatcher)));
    }

    private void ReceiveAlways()
    {
        Receive<ConnectionFailed>(_ => _failed++);
        Receive<DatagramsDropped>(dropped => _dropped += dropped.Count);
        Receive<GetStatus>(_ => Sender.Tell(new PortStatus(_name, _open, _accepted, _refused, _failed, _dropped)));
        Receive<Stopping>(_ => Stop());
    }

    /// <summary>Frees the port at once. Its connections go on.</summary>
    private void Retire()
    {
        _listener.Dispose();
        Sender.Tell(AcceptingStopped.Instance);
        if (_open == 0)
        {
            Context.Stop(Self);
            return;
        }

        Become(() =>
        {
            Receive<Terminated>(_ =>
            {
                if (--_open == 0)
                    Context.Stop(Self);
            });
            Receive<LinkReady>(_ => { });
            Receive<UseContext>(_ => { });
            ReceiveAlways();
        });
    }

    private void Stop()
    {
        _listener.Dispose();
        var sessions = new Dismissal(Context);
        if (sessions.IsDone)
            Context.Stop(Self);
        else
            Become(() => Finishing(sessions));
    }

    private void Finishing(Dismissal sessions)
    {
        Receive<Terminated>(gone =>
        {
            sessions.Left(gone);
            if (sessions.IsDone)
                Context.Stop(Self);
        });
        Receive<LinkReady>(_ => { });
        Receive<ConnectionFailed>(_ => { });
        Receive<DatagramsDropped>(_ => { });
    }
}
