using Akka.Actor;
using Akka.Event;
using Tapwire.Messages;
using Tapwire.Stack;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Tcp;
using Tapwire.Stack.Udp;

namespace Tapwire.Actors;

// Connections: the conversation of Messages/Connect.cs and Messages/Stream.cs.
public sealed partial class StackActor
{
    private void ReceiveStreams()
    {
        Receive<ReadDone>(done => WithStream(done.Id, done.Bytes, static (socket, bytes, now) => socket.Consumed(bytes, now)));
        Receive<WriteRequest>(Write);
        Receive<Connect>(Connect);
        Receive<Attach>(Attach);
        Receive<Shutdown>(shutdown => WithStream(shutdown.Id, shutdown.Direction, static (socket, direction, now) =>
        {
            if (direction == ShutdownDirection.Send)
                socket.ShutdownSend(now);
            else
                socket.ShutdownReceive(now);
        }));
        Receive<Close>(close => WithStream(close.Id, 0, static (socket, _, now) => socket.Close(now)));
        Receive<Abort>(Abort);
    }

    /// <summary>Runs a call on a socket that is still there. A message about one that is gone has crossed its <see cref="Closed"/> on the way.</summary>
    /// <param name="argument">What the call needs, so that it captures nothing: it runs for each batch that an application has read.</param>
    private void WithStream<T>(SocketId id, T argument, Action<TcpSocket, T, Instant> call)
    {
        if (_sockets.Find(id)?.Socket is not TcpSocket socket)
            return;
        call(socket, argument, Now);
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
        if (_sockets.Find(request.Id)?.Socket is TcpSocket socket)
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
        Sender.Tell(new Connecting(entry.Id, socket.Local));
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
    }

    private void TellStream(SocketEntry entry, TcpSocket socket, SocketEvents events)
    {
        if (entry.Owner.IsNobody())
        {
            entry.Deferred |= events;
            return;
        }

        if ((events & SocketEvents.Connected) != 0)
        {
            entry.Established = true;
            entry.Owner.Tell(new Connected(entry.Id, socket.Local, socket.Remote, socket.SendRoom));
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
                entry.Owner.Tell(new ReadReady(chain, bytes, endOfStream));
        }

        if ((events & SocketEvents.Writable) != 0 && socket.TakeAcknowledged() is > 0 and var room)
            entry.Owner.Tell(new WriteDone(room));
        if ((events & SocketEvents.Closed) != 0)
        {
            _sockets.Remove(entry);
            entry.Owner.Tell(entry.Established ? new Closed(socket.Error) : new ConnectFailed(socket.Error));
        }
    }
}
