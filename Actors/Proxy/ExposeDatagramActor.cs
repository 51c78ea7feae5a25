using Akka.Actor;
using Akka.Event;
using Tapwire.Actors.Settings;
using Tapwire.Messages;
using Tapwire.Stack;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Udp;

namespace Tapwire.Actors.Proxy;

/// <summary>A UDP port of the stack whose datagrams lead to a service of the host.</summary>
internal sealed class ExposeDatagramActor : ReceiveActor
{
    /// <summary>Credit of the stack: datagrams that it may send here unasked.</summary>
    private const int Ahead = 64;

    private readonly ILoggingAdapter _log = Context.GetLogger();
    private ProxyContext _context;
    private readonly ExposeSpec _spec;
    private readonly FlowTable _flows;
    private SocketId? _socket;

    public ExposeDatagramActor(ProxyContext context, ExposeSpec spec)
    {
        _context = context;
        _spec = spec;
        _flows = new FlowTable(Context, context.Settings.Proxy.MaxFlows);
        Receive<DatagramOpened>(opened =>
        {
            _socket = opened.Id;
            _log.Info("Listening on {Local}, UDP", opened.Local);
            _context.Stack.Tell(new ReceiveDatagrams(opened.Id, Ahead));
            Become(() => Open(opened.Id));
            Context.Parent.Tell(new PortOpened(null));
        });
        Receive<DatagramOpenFailed>(failed =>
        {
            Context.Parent.Tell(new PortOpened($"The port of --expose {_spec} cannot be opened: {failed.Error.Describe()}."));
            Context.Stop(Self);
        });
        Receive<Stopping>(_ => Context.Stop(Self));
    }

    public static Props Props(ProxyContext context, ExposeSpec spec) => Akka.Actor.Props.Create(() => new ExposeDatagramActor(context, spec));

    protected override SupervisorStrategy SupervisorStrategy() => Supervision.Stop;

    protected override void PreStart() => _context.Stack.Tell(new OpenDatagram(_spec.Listen, new UdpSocketOptions()));

    protected override void PostStop()
    {
        if (_socket is { } socket)
            _context.Stack.Tell(new CloseDatagram(socket));
    }

    private void Open(SocketId id)
    {
        Receive<DatagramReceived>(datagram =>
        {
            var cost = datagram.CreditUsed();
            if (!_flows.Pass(datagram.From, datagram.Data, Flow))
                _log.Warning("Refused {Peer} on exposed port {Port}, and others until one has gone (tapwire.proxy.max-flows)", datagram.From, _spec);
            _context.Stack.Tell(new ReceiveDatagrams(id, cost));
        });
        Receive<FlowDatagram>(answer => _context.Stack.Tell(SendDatagram.Of(id, answer.Data, answer.Client)));
        Receive<DatagramSent>(sent =>
        {
            if (sent.Error != StackError.None)
                _flows.Drop();
        });
        Receive<DatagramsDropped>(dropped => _flows.Drop(dropped.Count));
        Receive<ConnectionFailed>(_ => _flows.Fail());
        Receive<Terminated>(gone => _flows.Remove(gone.ActorRef));
        Receive<GetStatus>(_ => Sender.Tell(_flows.Status($"expose {_spec}")));
        Receive<UseContext>(use =>
        {
            _context = use.Context;
            _flows.Limit = _context.Settings.Proxy.MaxFlows;
        });
        // The flows end with the port: without it there is no way for answers to their clients.
        Receive<StopAccepting>(_ =>
        {
            _socket = null;
            _context.Stack.Tell(new CloseDatagram(id));
            Sender.Tell(AcceptingStopped.Instance);
            Context.Stop(Self);
        });
        Receive<Closed>(closed =>
        {
            _socket = null;
            _log.Warning("Exposed port {Port} has ended: {Reason}", _spec, closed.Reason);
            Context.Stop(Self);
        });
        Receive<Stopping>(_ => Context.Stop(Self));
    }

    private Props Flow(IpEndpoint client) => ExposeFlowActor.Props(_context, client, _spec.Target).WithDispatcher(_context.Dispatcher);
}
