using Akka.Actor;
using Akka.Event;
using Tapwire.Actors.Dispatch;
using Tapwire.Actors.Link;
using Tapwire.Links;
using Tapwire.Messages;
using Tapwire.Posix;
using Tapwire.Proxy;
using Tapwire.Stack;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Ip;

namespace Tapwire.Actors.Proxy;

/// <summary>A UDP port of the host that leads to one destination in Tapwire's network.</summary>
internal sealed class ForwardDatagramActor : OwningActor
{
    /// <summary>Datagrams read per message, before another actor has its turn.</summary>
    private const int ReadsPerTurn = 64;

    private readonly ILoggingAdapter _log = Context.GetLogger();
    private ProxyContext _context;
    private readonly string _name;
    private readonly HostDatagramSocket _port;
    private readonly Destination _target;
    private readonly FlowTable _flows;

    public ForwardDatagramActor(ProxyContext context, string name, HostDatagramSocket port, Destination target)
    {
        _context = context;
        _name = name;
        _port = port;
        _target = target;
        _flows = new FlowTable(Context, context.Settings.Proxy.MaxFlows);
        Receive<LinkReady>(_ => ReadAll());
        Receive<FlowDatagram>(answer =>
        {
            if (_port.Send(default, answer.Data, answer.Client) != StackError.None)
                _flows.Drop();
            answer.Release();
        });
        Receive<DatagramsDropped>(dropped => _flows.Drop(dropped.Count));
        Receive<ConnectionFailed>(_ => _flows.Fail());
        Receive<Terminated>(gone => _flows.Remove(gone.ActorRef));
        Receive<GetStatus>(_ => Sender.Tell(_flows.Status(_name)));
        Receive<UseContext>(use =>
        {
            _context = use.Context;
            _flows.Limit = _context.Settings.Proxy.MaxFlows;
        });
        // The flows end with the port: without it there is no way for answers to their clients.
        Receive<StopAccepting>(_ =>
        {
            _port.Dispose();
            Sender.Tell(AcceptingStopped.Instance);
            Context.Stop(Self);
        });
        Receive<Stopping>(_ => Context.Stop(Self));
    }

    /// <param name="port">The actor's from now on.</param>
    public static Props Props(ProxyContext context, string name, HostDatagramSocket port, Destination target) =>
        Akka.Actor.Props.Create(() => new ForwardDatagramActor(context, name, port, target));

    protected override SupervisorStrategy SupervisorStrategy() => Supervision.Stop;

    protected override void PreStart()
    {
        _port.Start(_context.Sockets.Reactor, LinkReady.To(Self));
        _log.Info("Serving {PortName} on {Local}", _name, _port.Local);
    }

    protected override void PostStop() => _port.Dispose();

    private void ReadAll()
    {
        for (var reads = 0; reads < ReadsPerTurn; reads++)
        {
            switch (_port.Read(_context.Sockets.Pool, BufferPool.HeaderRoom, out var data, out var from))
            {
                case ReadResult.Data:
                    if (!_flows.Pass(from, data!, Flow))
                        _log.Warning("Refused UDP client {Peer} of {PortName}, and others until one has gone (tapwire.proxy.max-flows)", from, _name);
                    break;
                case ReadResult.Empty:
                    return;
            }
        }

        Context.GoOnLater(LinkReady.TellReadable);
    }

    private Props Flow(IpEndpoint client) => ForwardFlowActor.Props(_context, client, _target).WithDispatcher(_context.Dispatcher);
}
