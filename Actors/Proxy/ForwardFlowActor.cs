using Akka.Actor;
using Akka.Event;
using Tapwire.Proxy;
using Tapwire.Messages;
using Tapwire.Stack;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Udp;

namespace Tapwire.Actors.Proxy;

/// <summary>A client of the host whose datagrams go out by a UDP socket of the stack.</summary>
internal sealed class ForwardFlowActor : FlowActor
{
    /// <summary>Credit of the stack: datagrams that it may send here unasked.</summary>
    private const int Ahead = 16;

    private readonly string? _zone;
    private IpEndpoint _remote;
    private SocketId? _socket;

    public ForwardFlowActor(ProxyContext context, IpEndpoint client, Destination target)
        : base(context, client, target)
    {
        _zone = target.Zone;
        Receive<DatagramOpened>(opened =>
        {
            _socket = opened.Id;
            Proxy.Stack.Tell(new ConnectDatagram(opened.Id, _remote) { Zone = _zone });
        });
        Receive<DatagramOpenFailed>(failed => Fail(failed.Error.Describe()));
        Receive<DatagramConnected>(connected =>
        {
            if (connected.Error != StackError.None)
            {
                Fail(connected.Error.Describe());
                return;
            }

            Proxy.Stack.Tell(new ReceiveDatagrams(_socket!.Value, Ahead));
            Opened();
        });
    }

    public static Props Props(ProxyContext context, IpEndpoint client, Destination target) =>
        Akka.Actor.Props.Create(() => new ForwardFlowActor(context, client, target));

    protected override void PostStop()
    {
        if (_socket is { } socket)
            Proxy.Stack.Tell(new CloseDatagram(socket));
        base.PostStop();
    }

    protected override void Open(IpEndpoint target)
    {
        _remote = target;
        Proxy.Stack.Tell(new OpenDatagram(new IpEndpoint(IpAddress.Unspecified, 0), new UdpSocketOptions()));
    }

    protected override void Send(PacketBuffer data) => Proxy.Stack.Tell(SendDatagram.Of(_socket!.Value, data, null));

    protected override void WhileOpen()
    {
        Receive<DatagramReceived>(datagram =>
        {
            var cost = datagram.CreditUsed();
            Answer(datagram.Data);
            Proxy.Stack.Tell(new ReceiveDatagrams(_socket!.Value, cost));
        });
        Receive<DatagramSent>(sent =>
        {
            if (sent.Error != StackError.None)
                Drop();
        });
        Receive<DatagramError>(error => Log.Debug("Datagrams of {Client}: {Error}", Client, error.Error));
        Receive<Closed>(_ =>
        {
            _socket = null;
            Context.Stop(Self);
        });
    }
}
