using Akka.Actor;
using Tapwire.Messages;
using Tapwire.Names;
using Tapwire.Stack;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Udp;

namespace Tapwire.Actors.Names;

/// <summary>ResolverActor's exchanges → ResolverActor: a message has come from the server.</summary>
internal sealed record ExchangeReceived(byte[] Message);

/// <summary>ResolverActor's exchanges → ResolverActor, last: the server cannot be reached, or has closed.</summary>
internal sealed record ExchangeFailed(StackError Reason);

/// <summary>
/// A question to a name server by UDP. It has a socket of the stack for itself, whose port nobody can guess (RFC 5452, 9.2), connected to the server: what others send does not
/// come, and ICMP errors do.
/// <para>States: Opening → Open.</para>
/// </summary>
internal sealed class DatagramExchangeActor : OwningActor
{
    /// <summary>Credit of the stack: datagrams that it may send here unasked.</summary>
    private const int Ahead = 4;

    private readonly SocketContext _context;
    private readonly ExchangeBegins _exchange;
    private SocketId? _socket;

    public DatagramExchangeActor(SocketContext context, ExchangeBegins exchange)
    {
        _context = context;
        _exchange = exchange;
        Receive<DatagramOpened>(opened =>
        {
            _socket = opened.Id;
            context.Stack.Tell(new ConnectDatagram(opened.Id, exchange.Server));
        });
        Receive<DatagramOpenFailed>(failed => Fail(failed.Error));
        Receive<DatagramConnected>(connected =>
        {
            if (connected.Error == StackError.None)
                Ask(_socket!.Value);
            else
                Fail(connected.Error);
        });
        ReceiveEnd();
    }

    /// <param name="context">Of the stack that has the socket.</param>
    public static Props Props(SocketContext context, ExchangeBegins exchange) => Akka.Actor.Props.Create(() => new DatagramExchangeActor(context, exchange));

    protected override void PreStart() => _context.Stack.Tell(new OpenDatagram(default, new UdpSocketOptions()));

    protected override void PostStop()
    {
        if (_socket is { } socket)
            _context.Stack.Tell(new CloseDatagram(socket));
    }

    private void Ask(SocketId id)
    {
        _context.Stack.Tell(new ReceiveDatagrams(id, Ahead));
        var message = _exchange.Message.Span;
        var data = _context.Pool.Rent(message.Length, BufferPool.HeaderRoom);
        message.CopyTo(data.Append(message.Length));
        _context.Stack.Tell(SendDatagram.Of(id, data, null));
        Become(() => Open(id));
    }

    private void Open(SocketId id)
    {
        Receive<DatagramReceived>(received =>
        {
            var message = received.Data.Span.ToArray();
            received.Release();
            _context.Stack.Tell(new ReceiveDatagrams(id, 1));
            Context.Parent.Tell(new ExchangeReceived(message));
        });
        Receive<DatagramSent>(sent =>
        {
            if (sent.Error != StackError.None)
                Fail(sent.Error);
        });
        Receive<DatagramError>(error => Fail(error.Error));
        ReceiveEnd();
    }

    private void ReceiveEnd() => Receive<Closed>(closed =>
    {
        _socket = null;
        Fail(closed.Reason);
    });

    private void Fail(StackError reason)
    {
        Context.Parent.Tell(new ExchangeFailed(reason));
        Context.Stop(Self);
    }
}
