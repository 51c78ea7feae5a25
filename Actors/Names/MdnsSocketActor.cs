using Akka.Actor;
using Tapwire.Messages;
using Tapwire.Names.Mdns;
using Tapwire.Stack;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Multicast;
using Tapwire.Stack.Udp;

namespace Tapwire.Actors.Names;

/// <summary>MdnsSocketActor → MdnsActor: a datagram has come to port 5353.</summary>
/// <param name="Interface">The index of the interface by which it has come: of one to an own address it need not be the socket's.</param>
internal sealed record MdnsReceived(byte Interface, IpEndpoint From, IpAddress Destination, ReadOnlyMemory<byte> Message);

/// <summary>MdnsActor → MdnsSocketActor: send this. No answer.</summary>
internal sealed record MdnsTransmit(MdnsSend Send);

/// <summary>MdnsSocketActor → MdnsActor, last: there can be no socket, or it is gone.</summary>
internal sealed record MdnsSocketFailed(StackError Reason);

/// <summary>MdnsSocketActor → MdnsActor: the stack has not taken a message.</summary>
internal sealed class MdnsNotSent
{
    public static readonly MdnsNotSent Instance = new();

    private MdnsNotSent()
    {
    }
}

/// <summary>
/// Port 5353 on one interface, in the groups of both families. It shares the port with programs that share it, too (SO_REUSEADDR), as responders do.
/// <para>States: Opening, in which messages wait → Open.</para>
/// </summary>
internal sealed class MdnsSocketActor : OwningActor
{
    /// <summary>Credit of the stack: datagrams that it may send here unasked.</summary>
    private const int Ahead = 16;

    /// <summary>Messages that wait for the socket; an older one goes, since what it says will be said again.</summary>
    private const int MaxWaiting = 32;

    /// <summary>RFC 6762, 11: everything is sent with it.</summary>
    private const byte HopLimit = 255;

    private readonly SocketContext _context;
    private readonly byte _interface;
    private readonly Queue<MdnsSend> _waiting = new();
    private SocketId? _socket;

    public MdnsSocketActor(SocketContext context, byte onInterface)
    {
        _context = context;
        _interface = onInterface;
        Receive<DatagramOpened>(opened =>
        {
            _socket = opened.Id;
            context.Stack.Tell(new ReceiveDatagrams(opened.Id, Ahead));
            Become(() => Open(opened.Id));
            while (_waiting.TryDequeue(out var send))
                Send(opened.Id, send);
        });
        Receive<DatagramOpenFailed>(failed => Fail(failed.Error));
        Receive<MdnsTransmit>(wanted =>
        {
            if (_waiting.Count == MaxWaiting)
            {
                _waiting.Dequeue();
                Context.Parent.Tell(MdnsNotSent.Instance);
            }

            _waiting.Enqueue(wanted.Send);
        });
        ReceiveEnd();
    }

    /// <param name="context">Of the stack that has the socket.</param>
    /// <param name="onInterface">The stack's index.</param>
    public static Props Props(SocketContext context, byte onInterface) => Akka.Actor.Props.Create(() => new MdnsSocketActor(context, onInterface));

    protected override void PreStart() => _context.Stack.Tell(new OpenDatagram(new IpEndpoint(IpAddress.Unspecified, MdnsLink.Port), new UdpSocketOptions
    {
        ReuseAddress = true,
        HopLimit = HopLimit,
        MulticastHopLimit = HopLimit,
        MulticastAll = false,
        MulticastInterface = _interface,
        Memberships = [new Membership(_interface, MdnsLink.GroupV4, SourceFilter.Everything), new Membership(_interface, MdnsLink.GroupV6, SourceFilter.Everything)],
    }));

    protected override void PostStop()
    {
        if (_socket is { } socket)
            _context.Stack.Tell(new CloseDatagram(socket));
    }

    private void Open(SocketId id)
    {
        Receive<DatagramReceived>(received =>
        {
            var message = received.Data.Span.ToArray();
            _context.Stack.Tell(new ReceiveDatagrams(id, received.CreditUsed()));
            received.Release();
            Context.Parent.Tell(new MdnsReceived(received.Info.Interface, received.From, received.Info.Destination, message));
        });
        Receive<MdnsTransmit>(wanted => Send(id, wanted.Send));
        Receive<DatagramSent>(sent =>
        {
            if (sent.Error != StackError.None)
                Context.Parent.Tell(MdnsNotSent.Instance);
        });
        Receive<DatagramError>(_ => { }); // of a socket that is connected, which this one is not
        ReceiveEnd();
    }

    private void Send(SocketId id, MdnsSend send)
    {
        if (send.To is { } to)
        {
            Send(id, send.Message, to);
            return;
        }

        if ((send.Families & MdnsFamilies.V4) != 0)
            Send(id, send.Message, new IpEndpoint(MdnsLink.GroupV4, MdnsLink.Port));
        if ((send.Families & MdnsFamilies.V6) != 0)
            Send(id, send.Message, new IpEndpoint(MdnsLink.GroupV6, MdnsLink.Port));
    }

    private void Send(SocketId id, ReadOnlyMemory<byte> message, IpEndpoint to)
    {
        var data = _context.Pool.Rent(message.Length, BufferPool.HeaderRoom);
        message.Span.CopyTo(data.Append(message.Length));
        _context.Stack.Tell(SendDatagram.Of(id, data, to, new UdpSendOptions { Interface = _interface }));
    }

    private void ReceiveEnd() => Receive<Closed>(closed =>
    {
        _socket = null;
        Fail(closed.Reason);
    });

    private void Fail(StackError reason)
    {
        Context.Parent.Tell(new MdnsSocketFailed(reason));
        Context.Stop(Self);
    }
}
