using Akka.Actor;
using Tapwire.Messages;
using Tapwire.Stack;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Udp;

namespace Tapwire.Actors.Guests;

/// <summary>The datagrams between a port of a guest's and one destination. They have a socket of the driver's stack, connected to the destination, so that its errors come back too.
/// <para>States: Opening → Open.</para></summary>
internal sealed class GuestFlowActor : OwningActor
{
    /// <summary>Datagrams that may wait until the socket is open; others are dropped.</summary>
    private const int MaxWaiting = 64;

    /// <summary>Credit of the stack: datagrams that it may send here unasked.</summary>
    private const int Ahead = 64;

    private readonly IActorRef _outer;
    private readonly IActorRef _inner;
    private readonly IpEndpoint _source;
    private readonly IpEndpoint _destination;
    private readonly Queue<ForwardDatagram> _waiting = new();
    private SocketId? _socket;

    public GuestFlowActor(IActorRef outer, IActorRef inner, IpEndpoint source, IpEndpoint destination, TimeSpan idle)
    {
        _outer = outer;
        _inner = inner;
        _source = source;
        _destination = destination;
        Context.SetReceiveTimeout(idle);
        Opening();
    }

    /// <param name="outer">The driver's stack actor.</param>
    /// <param name="inner">The guest's stack actor.</param>
    /// <param name="source">The guest's end.</param>
    public static Props Props(IActorRef outer, IActorRef inner, IpEndpoint source, IpEndpoint destination, TimeSpan idle) =>
        Akka.Actor.Props.Create(() => new GuestFlowActor(outer, inner, source, destination, idle));

    protected override void PreStart() => _outer.Tell(new OpenDatagram(default, new UdpSocketOptions()));

    protected override void PostStop()
    {
        if (_socket is { } socket)
            _outer.Tell(new CloseDatagram(socket));
        while (_waiting.TryDequeue(out var datagram))
            datagram.Release();
    }

    private void Opening()
    {
        Receive<DatagramOpened>(opened =>
        {
            _socket = opened.Id;
            _outer.Tell(new ConnectDatagram(opened.Id, _destination));
        });
        Receive<DatagramOpenFailed>(_ => Fail(StackError.NoBufferSpace));
        Receive<DatagramConnected>(connected =>
        {
            if (connected.Error != StackError.None)
            {
                Fail(connected.Error);
                return;
            }

            _outer.Tell(new ReceiveDatagrams(_socket!.Value, Ahead));
            while (_waiting.TryDequeue(out var datagram))
                _outer.Tell(SendDatagram.Of(_socket.Value, datagram.Data, null, datagram.SendOptions));
            Become(Open);
        });
        Receive<ForwardDatagram>(datagram =>
        {
            if (_waiting.Count < MaxWaiting)
            {
                _waiting.Enqueue(datagram);
                return;
            }

            datagram.Release();
            Context.Parent.Tell(new DatagramsDropped(1));
        });
        ReceiveEnd();
    }

    private void Open()
    {
        var id = _socket!.Value;
        Receive<ForwardDatagram>(datagram => _outer.Tell(SendDatagram.Of(id, datagram.Data, null, datagram.SendOptions)));
        Receive<DatagramReceived>(received =>
        {
            var cost = received.CreditUsed();
            _inner.Tell(new ReturnDatagram(received.Data, received.From, _source));
            _outer.Tell(new ReceiveDatagrams(id, cost));
        });
        Receive<DatagramSent>(sent =>
        {
            if (sent.Error == StackError.None)
                return;
            Context.Parent.Tell(new DatagramsDropped(1));
            if (sent.Error != StackError.NoBufferSpace)
                Refuse(sent.Error);
        });
        Receive<DatagramError>(error => Refuse(error.Error));
        Receive<PathFound>(path => _inner.Tell(new RefuseDatagram(_source, _destination, StackError.MessageTooLong, path.Mtu)));
        ReceiveEnd();
    }

    private void ReceiveEnd()
    {
        Receive<Closed>(_ =>
        {
            _socket = null;
            Context.Stop(Self);
        });
        Receive<ReceiveTimeout>(_ => Context.Stop(Self));
    }

    /// <summary>Tells the guest; of a datagram that is too long, with what its kernel has to know.</summary>
    private void Refuse(StackError reason)
    {
        if (reason == StackError.MessageTooLong)
            _outer.Tell(new FindPath(_destination.Address, default));
        else
            _inner.Tell(new RefuseDatagram(_source, _destination, reason));
    }

    private void Fail(StackError reason)
    {
        if (_waiting.Count > 0)
        {
            _inner.Tell(new RefuseDatagram(_source, _destination, reason));
            Context.Parent.Tell(new DatagramsDropped(_waiting.Count));
        }

        Context.Stop(Self);
    }
}
