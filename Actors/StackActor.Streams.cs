using Akka.Actor;
using Akka.Event;
using Tapwire.Messages;
using Tapwire.Stack;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Tcp;
using Tapwire.Stack.Udp;

namespace Tapwire.Actors;

// Connections: the conversation of Messages/Connect.cs and Messages/Stream.cs.
public sealed partial class StackActor
{
    private bool IsOfStream(object message)
    {
        switch (message)
        {
            case ReadDone done:
                Consume(done);
                return true;
            case WriteRequest request:
                Write(request);
                return true;
            case Attach attach:
                Attach(attach);
                return true;
            case Shutdown shutdown:
                Shutdown(shutdown);
                return true;
            case Close close:
                Close(close);
                return true;
            case Connect connect:
                Connect(connect);
                return true;
            case Abort abort:
                Abort(abort);
                return true;
            default:
                return false;
        }
    }

    /// <summary>The socket, while it is there. A message about one that is gone has crossed its <see cref="Closed"/> on the way.</summary>
    private TcpSocket? Stream(SocketId id) => _sockets.Find(id)?.Socket as TcpSocket;

    private void Consume(ReadDone done)
    {
        if (Stream(done.Id) is not { } socket)
            return;
        socket.Consumed(done.Bytes, Now);
        PostPoll();
    }

    private void Shutdown(Shutdown shutdown)
    {
        if (Stream(shutdown.Id) is not { } socket)
            return;
        if (shutdown.Direction == ShutdownDirection.Send)
            socket.ShutdownSend(Now);
        else
            socket.ShutdownReceive(Now);
        PostPoll();
    }

    private void Close(Close close)
    {
        if (Stream(close.Id) is not { } socket)
            return;
        socket.Close(Now);
        PostPoll();
    }

    private void Abort(Abort abort)
    {
        if (_sockets.Find(abort.Id) is not { Socket: TcpSocket socket } entry)
            return;
        // Nobody has attached to it: nobody waits for the news that would remove it.
        if (entry.Owner.IsNobody())
            _sockets.Remove(entry);
        socket.Abort(Now);
        PostPoll();
    }

    private void Write(WriteRequest request)
    {
        if (Stream(request.Id) is { } socket)
        {
            // A refusal is a stream that is ending: its Closed is on the way and says why.
            socket.Write(request.Data, Now);
            PostPoll();
        }
        else
        {
            request.Release();
        }
    }

    private void Connect(Connect request)
    {
        StackError error;
        TcpSocket? socket;
        if (request.Binding is { } bindingId)
        {
            if (TakeBinding(bindingId) is not { } binding)
            {
                Sender.Tell(new ConnectFailed(StackError.InvalidArgument));
                return;
            }

            error = binding.Connect(request.Remote, request.Options, Now, out socket);
        }
        else
        {
            error = _stack.Tcp.Connect(request.Remote, default(IpEndpoint), request.Options, Now, out socket);
        }

        if (socket is null)
        {
            _log.Debug("Connection to {Remote} refused by the stack: {Error}", request.Remote, error);
            Sender.Tell(new ConnectFailed(error));
            return;
        }

        var entry = _sockets.Add(socket, Sender);
        entry.Hold = request.Hold;
        Sender.Tell(new Connecting(entry.Id, socket.Local, socket.IsEarly));
        PostPoll();
    }

    private void Attach(Attach request)
    {
        if (_sockets.Find(request.Id) is not { Socket: TcpSocket socket } entry)
        {
            Sender.Tell(new Closed(StackError.ConnectionAborted));
            return;
        }

        entry.Owner = Sender;
        entry.Owner.Tell(new Connected(entry.Id, socket.Local, socket.Remote, socket.SendRoom));
        var deferred = entry.Deferred;
        entry.Deferred = SocketEvents.None;
        if (deferred != SocketEvents.None)
            TellStream(entry, socket, deferred);
    }

    private void TellEvents(Instant now)
    {
        while (_stack.TryDequeueEvent(out var socket, out var events))
        {
            if (socket is IcmpEchoSocket echo)
                TellEchoes(echo);
            if (socket.Owner is not SocketEntry entry)
                continue;
            _telling = entry;
            switch (socket)
            {
                case TcpSocket stream:
                    TellStream(entry, stream, events);
                    break;
                case TcpListener listener:
                    TellAccepted(entry, listener);
                    break;
                case UdpSocket datagrams:
                    TellDatagrams(entry, datagrams, events);
                    break;
            }
        }

        _telling = null;
    }

    private void TellStream(SocketEntry entry, TcpSocket socket, SocketEvents events)
    {
        if (entry.Owner.IsNobody())
        {
            entry.Deferred |= events;
            if ((events & SocketEvents.Readable) != 0)
                _turns.Await(PollTurns.ForAccept);
            return;
        }

        if ((events & SocketEvents.Connected) != 0)
        {
            if (entry.Established)
                entry.Owner.Tell(new HandshakeDone(entry.Id));
            else
                entry.Owner.Tell(new Connected(entry.Id, socket.Local, socket.Remote, socket.SendRoom, socket.IsEarly));
            entry.Established = true;
            if (entry.Hold)
            {
                entry.Owner = ActorRefs.Nobody;
                entry.Deferred = events & ~SocketEvents.Connected;
                return;
            }
        }

        if ((events & SocketEvents.Readable) != 0)
        {
            var chain = socket.Read(out var bytes, out var endOfStream);
            if (bytes > 0 || endOfStream)
            {
                entry.Owner.Tell(ReadReady.Of(chain, bytes, endOfStream));
                _turns.Await(PollTurns.ForAnswer);
            }
        }

        if ((events & SocketEvents.Writable) != 0 && WaitsForRoom(socket))
            entry.Owner.Tell(WriteDone.Of(socket.TakeAcknowledged()));
        if ((events & SocketEvents.Closed) != 0)
        {
            _sockets.Remove(entry);
            entry.Owner.Tell(entry.Established ? new Closed(socket.Error) : new ConnectFailed(socket.Error));
        }
    }

    /// <summary>Whether the owner is to be told of room: not of every little while it knows of enough for any buffer that it may have.</summary>
    private static bool WaitsForRoom(TcpSocket socket)
    {
        var untold = socket.Acknowledged;
        var known = socket.SendRoom - untold;
        return untold > 0 && (known < BufferPool.MaxCapacity || untold > known / 4);
    }
}
