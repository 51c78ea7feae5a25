using Akka.Actor;
using Akka.Event;
using Tapwire.Actors.Settings;
using Tapwire.Links.Protocol;
using Tapwire.Messages;

namespace Tapwire.Actors.Proxy;

/// <summary>The SOCKS proxy, forwarded and exposed ports: ways into and out of Tapwire's network that need no library of ours. Each port has a child.</summary>
internal sealed partial class ProxyActor : ReceiveActor
{
    private static readonly TimeSpan StatusPatience = TimeSpan.FromSeconds(5);

    private readonly IReadOnlyList<HostPort> _hostPorts;
    private readonly List<IActorRef> _ports = [];

    // The ports by their entries in the settings: SocksSpec, ForwardSpec, ExposeSpec. Without those that accept nothing any more.
    private readonly Dictionary<object, IActorRef> _open = [];
    private ProxyContext _context;
    private int _unopened;

    public ProxyActor(ProxyContext context, IReadOnlyList<HostPort> hostPorts)
    {
        _context = context;
        _hostPorts = hostPorts;
        Serving();
    }

    /// <param name="hostPorts">The actor's from now on.</param>
    public static Props Props(ProxyContext context, IReadOnlyList<HostPort> hostPorts) => Akka.Actor.Props.Create(() => new ProxyActor(context, hostPorts));

    protected override SupervisorStrategy SupervisorStrategy() => Supervision.Stop;

    protected override void PreStart()
    {
        var settings = _context.Settings;
        foreach (var port in _hostPorts)
            Add(port);
        foreach (var spec in settings.Expose)
            Add(spec);
        _unopened = settings.Expose.Count;
        if (_unopened == 0)
            Context.Parent.Tell(new ProxyOpened(null));
    }

    private void Add(HostPort port)
    {
        switch (port)
        {
            case SocksPort socks:
                Add(socks.Spec, HostPortActor.Props(_context, port.Name, socks.Listener, forward: null));
                break;
            case ForwardPort forward:
                Add(forward.Spec, HostPortActor.Props(_context, port.Name, forward.Listener, forward.Spec));
                break;
            case ForwardDatagramPort forward:
                Add(forward.Spec, ForwardDatagramActor.Props(_context, port.Name, forward.Socket, forward.Spec.Target));
                break;
            default:
                throw new ArgumentException($"A port of unknown kind: {port}.");
        }
    }

    private IActorRef Add(ExposeSpec spec) =>
        Add(spec, spec.Transport == Transport.Tcp ? ExposeActor.Props(_context, spec) : ExposeDatagramActor.Props(_context, spec));

    private IActorRef Add(object spec, Props props)
    {
        var port = Context.Watch(Context.ActorOf(props.WithDispatcher(_context.Dispatcher)));
        _ports.Add(port);
        _open[spec] = port;
        return port;
    }

    private void Serving()
    {
        Receive<PortOpened>(opened =>
        {
            if (opened.Problem is { } problem)
                Context.Parent.Tell(new ProxyOpened(problem));
            else if (--_unopened == 0)
                Context.Parent.Tell(new ProxyOpened(null));
        });
        Receive<ReconfigureProxy>(wanted => Reconfigure(wanted.Settings));
        Receive<Terminated>(gone =>
        {
            Forget(gone.ActorRef);
            if (_unopened > 0)
                Context.Parent.Tell(new ProxyOpened("An exposed port has stopped before it was open."));
        });
        ReceiveAlways();
    }

    private void ReceiveAlways()
    {
        Receive<GetStatus>(_ =>
        {
            var asked = _ports.Select(static port => port.Ask<PortStatus>(GetStatus.Instance, StatusPatience));
            Task.WhenAll(asked).PipeTo(Sender, Self, static ports => new ProxyStatus(ports));
        });
        Receive<Stopping>(_ =>
        {
            var ports = new Dismissal(Context);
            if (ports.IsDone)
                Context.Stop(Self);
            else
                Become(() => Finishing(ports));
        });
    }

    private void Forget(IActorRef gone)
    {
        _ports.Remove(gone);
        foreach (var (spec, port) in _open)
        {
            if (port.Equals(gone))
                _open.Remove(spec);
        }
    }

    private void Finishing(Dismissal ports)
    {
        Receive<Terminated>(gone =>
        {
            ports.Left(gone);
            if (ports.IsDone)
                Context.Stop(Self);
        });
        Receive<PortOpened>(_ => { });
    }
}
