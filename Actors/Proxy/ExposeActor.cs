using Akka.Actor;
using Akka.Event;
using Tapwire.Actors.Settings;
using Tapwire.Links.Protocol;
using Tapwire.Messages;
using Tapwire.Stack;
using Tapwire.Stack.Tcp;

namespace Tapwire.Actors.Proxy;

/// <summary>A TCP port of the stack whose connections lead to a service of the host.</summary>
internal sealed class ExposeActor : ListenerActor
{
    /// <summary>Connections that the stack may hand over without being asked again, so that accepting one costs no round trip.</summary>
    private const int Ahead = 64;

    private ProxyContext _context;
    private readonly ExposeSpec _spec;
    private int _opened;
    private long _accepted;
    private long _refused;
    private long _failed;

    public ExposeActor(ProxyContext context, ExposeSpec spec)
        : base(context.Stack, new Listen(spec.Listen, context.Settings.ServeBacklog, Binding: null,
            new TcpSocketOptions { NoDelay = true, KeepAlive = true, ReuseAddress = true }))
    {
        _context = context;
        _spec = spec;
    }

    public static Props Props(ProxyContext context, ExposeSpec spec) => Akka.Actor.Props.Create(() => new ExposeActor(context, spec));

    protected override SupervisorStrategy SupervisorStrategy() => Supervision.Stop;

    protected override void OnListening(Listening listening)
    {
        Context.Parent.Tell(new PortOpened(null));
        Stack.Tell(new Accept(listening.Id, Ahead));
    }

    protected override void OnListenFailed(StackError error)
    {
        Context.Parent.Tell(new PortOpened($"The port of --expose {_spec} cannot listen: {error.Describe()}."));
        Context.Stop(Self);
    }

    protected override void WhileListening(Listening listening)
    {
        Receive<UseContext>(use => _context = use.Context);
        Receive<Terminated>(_ => OnEnded());
        Receive<ConnectionFailed>(_ => _failed++);
        Receive<GetStatus>(_ => Sender.Tell(new PortStatus($"expose {_spec}", _opened, _accepted, _refused, _failed, 0)));
    }

    protected override void OnEnded() => _opened--;

    protected override void OnAccepted(SocketId listener, Accepted accepted)
    {
        Stack.Tell(new Accept(listener, 1));
        var most = _context.Settings.Proxy.MaxConnections;
        if (_opened >= most)
        {
            _refused++;
            _context.Refusals.Warn(Log, "Refused {Remote} on exposed port {Port}: {MaxConnections} are connected (tapwire.proxy.max-connections)", accepted.Remote, _spec, most);
            Stack.Tell(new Abort(accepted.Id));
            return;
        }

        _accepted++;
        _opened++;
        Context.Watch(Context.ActorOf(ExposedConnectionActor.Props(_context, accepted, _spec).WithDispatcher(_context.Dispatcher)));
    }
}
