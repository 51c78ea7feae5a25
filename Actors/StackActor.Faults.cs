using Akka.Actor;
using Akka.Event;
using Tapwire.Actors.Sockets;
using Tapwire.Messages;
using Tapwire.Stack;
using Tapwire.Stack.Tcp;
using Tapwire.Stack.Udp;

namespace Tapwire.Actors;

// Faults in the engine's code, as opposed to errors that its contract allows. A fault costs the socket that it concerns, and nothing else.
public sealed partial class StackActor
{
    // The socket whose events are being passed on.
    private SocketEntry? _telling;

    /// <summary>
    /// Handles a fault in the actor itself. A supervisor would let the actor continue without telling the socket's owner and without a pending poll.
    /// </summary>
    protected override bool AroundReceive(Receive receive, object message)
    {
        try
        {
            return base.AroundReceive(receive, message);
        }
        catch (Exception e)
        {
            Survive(e, message);
            return true;
        }
    }

    private void Survive(Exception cause, object message)
    {
        _engineFaults++;

        _turns.Reset();
        if (MemoryFaults.IsOne(cause))
            _refusals.Warn(_log, "Out of memory: message {MessageType} is lost, and its socket is reset", message.GetType().Name);
        else
            _log.Error(cause, "The engine failed on the message {MessageType}", message.GetType().Name);
        var entry = _telling ?? (About(message) is { } id ? _desk.Sockets.Find(id) : null);
        _telling = null;
        if (entry is not null)
            GiveUp(entry);
        if ((entry is null || message is not (Messages.Attach or Messages.Close or Messages.Abort)) && Refusal.Of(message) is { } refusal)
            Sender.Tell(refusal);

        // The turn's output and the next deadline are still pending, so a tick follows. The pause keeps a persistent fault from becoming a loop.
        _tick?.Cancel();
        _tick = Context.System.Scheduler.ScheduleTellOnceCancelable(FaultPause, Self, Poll.Due, ActorRefs.NoSender);
        _tickAt = Instant.Zero;
    }

    private static SocketId? About(object message) => message switch
    {
        ReadDone done => done.Id,
        WriteRequest write => write.Id,
        Messages.Attach attach => attach.Id,
        Messages.Shutdown shutdown => shutdown.Id,
        Messages.Close close => close.Id,
        Messages.Abort abort => abort.Id,
        ConnectDatagram connect => connect.Id,
        ReceiveDatagrams receive => receive.Id,
        SendDatagram send => send.Id,
        _ => null,
    };

    /// <summary>Gives up a socket whose state is unknown after a fault: its peer gets RST, and its owner is told.</summary>
    private void GiveUp(SocketEntry entry)
    {
        if (entry.Socket is not (TcpSocket or UdpSocket))
            return;
        _desk.Sockets.Remove(entry);
        entry.Owner.Tell(entry.Socket is UdpSocket || entry.Established
            ? new Closed(StackError.ConnectionAborted)
            : new ConnectFailed(StackError.ConnectionAborted));
        try
        {
            if (entry.Socket is TcpSocket stream)
                stream.Abort(Now);
            else
                ((UdpSocket)entry.Socket).Close();
        }
        catch (Exception e) when (MemoryFaults.IsOne(e))
        {
            _refusals.Warn(_log, "Out of memory: a socket has ended without a reset to its peer");
        }
        catch (Exception e)
        {
            _log.Error(e, "The engine failed to end a socket");
        }
    }
}
