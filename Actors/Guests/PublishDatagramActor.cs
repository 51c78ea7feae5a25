using Akka.Actor;
using Tapwire.Actors.Settings;
using Tapwire.Messages;
using Tapwire.Stack;
using Tapwire.Stack.Forwarding;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Udp;

namespace Tapwire.Actors.Guests;

/// <summary>
/// A UDP port of the driver's stack that is a port of the guest's: what comes goes to the guest with its sender's address, and what the guest sends from that port, to anybody, leaves by
/// this one. So no flow has to be remembered.
/// <para>States: Opening → Open.</para>
/// </summary>
internal sealed class PublishDatagramActor : OwningActor
{
    /// <summary>Credit of the stack: datagrams that it may send here unasked.</summary>
    private const int Ahead = 64;

    private readonly IActorRef _outer;
    private readonly IActorRef _inner;
    private readonly PublishSpec _spec;
    private readonly GuestAddresses _guest;
    private readonly IActorRef _asker;

    // Whom and what the answers of the stack are about, in their order.
    private readonly Queue<IpEndpoint> _underWay = new();

    // Where datagrams went that were too long, while the stack is asked what the path takes.
    private readonly Queue<IpEndpoint> _tooLong = new();
    private SocketId? _socket;

    public PublishDatagramActor(IActorRef outer, IActorRef inner, PublishSpec spec, GuestAddresses guest, IActorRef asker)
    {
        _outer = outer;
        _inner = inner;
        _spec = spec;
        _guest = guest;
        _asker = asker;
        Receive<DatagramOpened>(opened =>
        {
            _socket = opened.Id;
            _outer.Tell(new ReceiveDatagrams(opened.Id, Ahead));
            _asker.Tell(GuestAnswer.Done);
            Become(() => Open(opened.Id));
        });
        Receive<ForwardDatagram>(early =>
        {
            early.Release();
            Context.Parent.Tell(new DatagramsDropped(1));
        });
        Receive<DatagramOpenFailed>(failed =>
        {
            _asker.Tell(GuestPorts.Refusal(_spec, failed.Error));
            Context.Stop(Self);
        });
        ReceiveEnd();
    }

    /// <param name="outer">The driver's stack actor.</param>
    /// <param name="inner">The guest's stack actor.</param>
    /// <param name="asker">Told a <see cref="GuestAnswer"/>, once.</param>
    public static Props Props(IActorRef outer, IActorRef inner, PublishSpec spec, GuestAddresses guest, IActorRef asker) =>
        Akka.Actor.Props.Create(() => new PublishDatagramActor(outer, inner, spec, guest, asker));

    protected override void PreStart() => _outer.Tell(new OpenDatagram(_spec.Listen, new UdpSocketOptions()));

    protected override void PostStop()
    {
        if (_socket is { } socket)
            _outer.Tell(new CloseDatagram(socket));
    }

    private void Open(SocketId id)
    {
        Receive<DatagramReceived>(received =>
        {
            var cost = received.CreditUsed();
            if (EndTowards(received.From.Address) is { } end)
            {
                _inner.Tell(new ReturnDatagram(received.Data, received.From, end));
            }
            else
            {
                received.Data.Release();
                Context.Parent.Tell(new DatagramsDropped(1));
            }

            _outer.Tell(new ReceiveDatagrams(id, cost));
        });
        Receive<ForwardDatagram>(datagram =>
        {
            _underWay.Enqueue(datagram.Destination);
            _outer.Tell(SendDatagram.Of(id, datagram.Data, datagram.Destination, datagram.SendOptions));
        });
        Receive<DatagramSent>(sent =>
        {
            var destination = _underWay.Dequeue();
            if (sent.Error == StackError.None)
                return;
            Context.Parent.Tell(new DatagramsDropped(1));
            if (sent.Error == StackError.MessageTooLong)
            {
                _tooLong.Enqueue(destination);
                _outer.Tell(new FindPath(destination.Address, default));
            }
            else if (sent.Error != StackError.NoBufferSpace)
            {
                Refuse(destination, sent.Error);
            }
        });
        Receive<PathFound>(path => Refuse(_tooLong.Dequeue(), StackError.MessageTooLong, path.Mtu));
        ReceiveEnd();
    }

    /// <summary>The guest's end of what passes between it and another host; null: it has none of that family.</summary>
    private IpEndpoint? EndTowards(IpAddress other) => _guest.Towards(other) is { } address ? new IpEndpoint(address, _spec.Port) : null;

    /// <summary>Tells the guest why a datagram of its has not arrived.</summary>
    private void Refuse(IpEndpoint destination, StackError reason, int mtu = 0)
    {
        if (EndTowards(destination.Address) is { } end)
            _inner.Tell(new RefuseDatagram(end, destination, reason, mtu));
    }

    private void ReceiveEnd()
    {
        Receive<Closed>(_ =>
        {
            _socket = null;
            Context.Stop(Self);
        });
        Receive<Stopping>(_ => Context.Stop(Self));
    }
}
