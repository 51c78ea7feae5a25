using System.Buffers.Binary;
using Akka.Actor;
using Tapwire.Messages;
using Tapwire.Names;
using Tapwire.Stack;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Tcp;

namespace Tapwire.Actors.Names;

/// <summary>
/// A question to a name server by TCP, with a connection of the stack for itself (RFC 7766). Each message follows its length (RFC 1035, 4.2.2).
/// <para>States: Connecting → Open.</para>
/// </summary>
internal sealed class StreamExchangeActor : OwningActor
{
    private const int LengthSize = sizeof(ushort);

    private readonly SocketContext _context;
    private readonly ExchangeBegins _exchange;
    private readonly byte[] _length = new byte[LengthSize];
    private byte[] _message = [];

    // Bytes of length and message that have come.
    private int _received;
    private SocketId? _socket;
    private bool _hasAnswer;

    public StreamExchangeActor(SocketContext context, ExchangeBegins exchange)
    {
        _context = context;
        _exchange = exchange;
        Receive<Connecting>(connecting => _socket = connecting.Id);
        Receive<Connected>(Ask);
        Receive<ConnectFailed>(failed =>
        {
            _socket = null;
            Fail(failed.Error);
        });
    }

    /// <inheritdoc cref="DatagramExchangeActor.Props"/>
    public static Props Props(SocketContext context, ExchangeBegins exchange) => Akka.Actor.Props.Create(() => new StreamExchangeActor(context, exchange));

    protected override void PreStart() => _context.Stack.Tell(new Connect(_exchange.Server, null, new TcpSocketOptions { NoDelay = true }));

    /// <summary>A server that has answered may wait for more questions: it is told that there is none. Any other one is to stop.</summary>
    protected override void PostStop()
    {
        if (_socket is { } socket)
            _context.Stack.Tell(_hasAnswer ? new Close(socket) : new Abort(socket));
    }

    private void Ask(Connected connected)
    {
        _socket = connected.Id;
        var message = _exchange.Message.Span;
        // A question is shorter than any connection's first room.
        var data = _context.Pool.Rent(LengthSize + message.Length, BufferPool.HeaderRoom);
        BinaryPrimitives.WriteUInt16BigEndian(data.Append(LengthSize), (ushort)message.Length);
        message.CopyTo(data.Append(message.Length));
        _context.Stack.Tell(WriteRequest.Of(connected.Id, data));
        Become(() => Open(connected.Id));
    }

    private void Open(SocketId id)
    {
        Receive<ReadReady>(ready =>
        {
            for (var buffer = ready.Chain; buffer is not null; buffer = buffer.Next)
                Take(buffer.Span);
            ready.Release();
            if (ready.Bytes > 0)
                _context.Stack.Tell(ReadDone.Of(id, ready.Bytes));
            if (ready.EndOfStream && !_hasAnswer)
                Fail(StackError.ConnectionReset);
        });
        Receive<WriteDone>(_ => { });
        Receive<Closed>(closed =>
        {
            _socket = null;
            Fail(closed.Reason);
        });
    }

    /// <summary>Takes bytes up to the end of the first message. What follows is nobody's answer.</summary>
    private void Take(ReadOnlySpan<byte> bytes)
    {
        while (!bytes.IsEmpty && !_hasAnswer)
        {
            var room = _received < LengthSize ? _length.AsSpan(_received) : _message.AsSpan(_received - LengthSize);
            var count = Math.Min(room.Length, bytes.Length);
            bytes[..count].CopyTo(room);
            bytes = bytes[count..];
            _received += count;
            if (_received == LengthSize)
                _message = new byte[BinaryPrimitives.ReadUInt16BigEndian(_length)];
            if (_received < LengthSize || _received < LengthSize + _message.Length)
                continue;
            _hasAnswer = true;
            Context.Parent.Tell(new ExchangeReceived(_message));
        }
    }

    private void Fail(StackError reason)
    {
        if (!_hasAnswer)
            Context.Parent.Tell(new ExchangeFailed(reason));
        Context.Stop(Self);
    }
}
