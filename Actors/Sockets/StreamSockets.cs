using Akka.Actor;
using Akka.Event;
using Tapwire.Messages;
using Tapwire.Stack;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Tcp;
using Tapwire.Stack.Udp;

namespace Tapwire.Actors.Sockets;

/// <summary>The connections of a stack actor: the conversations of Messages/Connect.cs and Messages/Stream.cs.</summary>
internal sealed class StreamSockets(StackDesk desk, ListeningSockets listeners)
{
    /// <returns>False: the message belongs to another conversation.</returns>
    public bool Handle(object message, IActorRef sender)
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
                Attach(attach, sender);
                return true;
            case Shutdown shutdown:
                Shutdown(shutdown);
                return true;
            case Close close:
                Close(close);
                return true;
            case Connect connect:
                Connect(connect, sender);
                return true;
            case Abort abort:
                Abort(abort);
                return true;
            case KillConnection kill:
                sender.Tell(new ConnectionKilled(Kill(kill)));
                return true;
            default:
                return false;
        }
    }

    /// <summary>The socket, or null if it is gone. A message about a socket that is gone has crossed its <see cref="Closed"/> on the way.</summary>
    private TcpSocket? Stream(SocketId id) => desk.Sockets.Find(id)?.Socket as TcpSocket;

    private bool Kill(KillConnection kill)
    {
        foreach (var entry in desk.Sockets.All())
        {
            if (entry.Socket is not TcpSocket { State: not (TcpState.Closed or TcpState.TimeWait) } socket || socket.Local != kill.Local || socket.Remote != kill.Remote)
                continue;
            desk.Log.Info("The connection of {Local} with {Remote} is ended by an operator", socket.Local, socket.Remote);
            socket.Kill(desk.Now);
            desk.PostPoll();
            return true;
        }

        return false;
    }

    private void Consume(ReadDone done)
    {
        if (Stream(done.Id) is not { } socket)
            return;
        socket.Consumed(done.Bytes, desk.Now);
        desk.PostPoll();
    }

    private void Shutdown(Shutdown shutdown)
    {
        if (Stream(shutdown.Id) is not { } socket)
            return;
        if (shutdown.Direction == ShutdownDirection.Send)
            socket.ShutdownSend(desk.Now);
        else
            socket.ShutdownReceive(desk.Now);
        desk.PostPoll();
    }

    private void Close(Close close)
    {
        if (Stream(close.Id) is not { } socket)
            return;
        socket.Close(desk.Now);
        desk.PostPoll();
    }

    private void Abort(Abort abort)
    {
        if (desk.Sockets.Find(abort.Id) is not { Socket: TcpSocket socket } entry)
            return;
        // No actor has attached to it, so no event would remove it.
        if (entry.Owner.IsNobody())
            desk.Sockets.Remove(entry);
        socket.Abort(desk.Now);
        desk.PostPoll();
    }

    private void Write(WriteRequest request)
    {
        if (Stream(request.Id) is { } socket)
        {
            // The engine refuses data when the stream is ending: Closed is on its way and gives the reason.
            socket.Write(request.Data, desk.Now);
            desk.PostPoll();
        }
        else
        {
            request.Release();
        }
    }

    private void Connect(Connect request, IActorRef sender)
    {
        StackError error;
        TcpSocket? socket;
        if (request.Binding is { } bindingId)
        {
            if (listeners.TakeBinding(bindingId) is not { } binding)
            {
                sender.Tell(new ConnectFailed(StackError.InvalidArgument));
                return;
            }

            error = binding.Connect(request.Remote, request.Options, desk.Now, out socket);
        }
        else if (desk.TryFindSource(request.Zone, request.Remote.Address, out var source))
        {
            var local = source.IsUnspecified ? request.Local : request.Local with { Address = source };
            error = desk.Stack.Tcp.Connect(request.Remote, local, request.Options, desk.Now, out socket);
        }
        else
        {
            (error, socket) = (StackError.NoSuchDevice, null);
        }

        if (socket is null)
        {
            desk.Log.Debug("Connection to {Remote} refused by the stack: {Error}", request.Remote, error);
            sender.Tell(new ConnectFailed(error));
            return;
        }

        var entry = desk.Sockets.Add(socket, sender, desk.Now);
        entry.Hold = request.Hold;
        sender.Tell(new Connecting(entry.Id, socket.Local, socket.IsEarly) { Interface = desk.InterfaceOf(socket.Local.Address) });
        desk.PostPoll();
    }

    private void Attach(Attach request, IActorRef sender)
    {
        if (desk.Sockets.Find(request.Id) is not { Socket: TcpSocket socket } entry)
        {
            sender.Tell(new Closed(StackError.ConnectionAborted));
            return;
        }

        entry.Owner = sender;
        entry.Owner.Tell(new Connected(entry.Id, socket.Local, socket.Remote, socket.SendRoom) { Interface = desk.InterfaceOf(socket.Local.Address) });
        var deferred = entry.Deferred;
        entry.Deferred = SocketEvents.None;
        if (deferred != SocketEvents.None)
            Tell(entry, socket, deferred);
    }

    /// <summary>Passes a connection's events on to its owner.</summary>
    public void Tell(SocketEntry entry, TcpSocket socket, SocketEvents events)
    {
        if (entry.Owner.IsNobody())
        {
            entry.Deferred |= events;
            if ((events & SocketEvents.Readable) != 0)
                desk.Turns.Await(PollTurns.ForAccept);
            return;
        }

        if ((events & SocketEvents.Connected) != 0)
        {
            if (entry.Established)
                entry.Owner.Tell(new HandshakeDone(entry.Id));
            else
                entry.Owner.Tell(new Connected(entry.Id, socket.Local, socket.Remote, socket.SendRoom, socket.IsEarly) { Interface = desk.InterfaceOf(socket.Local.Address) });
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
                desk.Turns.Await(PollTurns.ForAnswer);
            }
        }

        if ((events & SocketEvents.Writable) != 0 && WaitsForRoom(socket))
            entry.Owner.Tell(WriteDone.Of(socket.TakeAcknowledged()));
        if ((events & SocketEvents.Closed) != 0)
        {
            desk.Sockets.Remove(entry);
            entry.Owner.Tell(entry.Established ? new Closed(socket.Error, socket.Options) : new ConnectFailed(socket.Error));
        }
    }

    /// <summary>The owner is told of room. It is not told of little room while it has enough for any buffer.</summary>
    private static bool WaitsForRoom(TcpSocket socket)
    {
        var untold = socket.Acknowledged;
        var known = socket.SendRoom - untold;
        return untold > 0 && (known < BufferPool.MaxCapacity || untold > known / 4);
    }
}
