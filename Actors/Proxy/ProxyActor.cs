using Akka.Actor;
using Akka.Event;
using Tapwire.Actors.Settings;
using Tapwire.Links.Protocol;
using Tapwire.Messages;

namespace Tapwire.Actors.Proxy;

/// <summary>The ways into and out of Tapwire's network that need no library of ours: the SOCKS proxy and forwarded ports. One child for each port.</summary>
internal sealed class ProxyActor : ReceiveActor
{
    private static readonly TimeSpan StatusPatience = TimeSpan.FromSeconds(5);

    private readonly ProxyContext _context;
    private readonly IReadOnlyList<HostPort> _hostPorts;
    private readonly List<IActorRef> _ports = [];
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
        {
            Add(port switch
            {
                SocksPort socks => HostPortActor.Props(_context, port.Name, socks.Listener, target: null),
                ForwardPort forward => HostPortActor.Props(_context, port.Name, forward.Listener, forward.Spec.Target),
                ForwardDatagramPort forward => ForwardDatagramActor.Props(_context, port.Name, forward.Socket, forward.Spec.Target),
                _ => throw new ArgumentException($"A port of unknown kind: {port}."),
            });
        }

        foreach (var spec in settings.Expose)
            Add(spec.Transport == Transport.Tcp ? ExposeActor.Props(_context, spec) : ExposeDatagramActor.Props(_context, spec));
        _unopened = settings.Expose.Count;
        if (_unopened == 0)
            Context.Parent.Tell(new ProxyOpened(null));
    }

    private void Add(Props port) => _ports.Add(Context.Watch(Context.ActorOf(port.WithDispatcher(_context.Dispatcher))));

    private void Serving()
    {
        Receive<PortOpened>(opened =>
        {
            if (opened.Problem is { } problem)
                Context.Parent.Tell(new ProxyOpened(problem));
            else if (--_unopened == 0)
                Context.Parent.Tell(new ProxyOpened(null));
        });
        Receive<GetStatus>(_ =>
        {
            var asked = _ports.Select(static port => port.Ask<PortStatus>(GetStatus.Instance, StatusPatience));
            Task.WhenAll(asked).PipeTo(Sender, Self, static ports => new ProxyStatus(ports));
        });
        Receive<Terminated>(gone =>
        {
            _ports.Remove(gone.ActorRef);
            if (_unopened > 0)
                Context.Parent.Tell(new ProxyOpened("An exposed port has stopped before it was open."));
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
