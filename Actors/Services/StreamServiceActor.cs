using Akka.Actor;
using Akka.Event;
using Tapwire.Messages;
using Tapwire.Stack;
using Tapwire.Stack.Buffers;

namespace Tapwire.Actors.Services;

/// <summary>
/// One accepted connection that is served from within the driver. It begins with the listener's <see cref="Accepted"/>, so that all connections of a service
/// have the same props. When the connection has ended the actor tells its parent <see cref="ConnectionServed"/>, and waits for the next one. If it is stopped
/// before, it resets the connection.
/// </summary>
/// <remarks>A driver may have a million of these, most of them idle: so there is one handler for all messages, and nothing is made before it is needed.</remarks>
public abstract class StreamServiceActor(IActorRef stack) : UntypedActor
{
    private SocketId _id;
    private bool _open;
    private ILoggingAdapter? _log;

    protected ILoggingAdapter Log => _log ??= Context.GetLogger();

    protected IActorRef Stack => stack;

    /// <summary>Bytes that may be sent now.</summary>
    protected int Room { get; private set; }

    protected sealed override void OnReceive(object message)
    {
        switch (message)
        {
            case ReadReady ready:
                OnRead(ready);
                break;
            case WriteDone done:
                Room += done.Bytes;
                OnRoom();
                break;
            case Accepted accepted:
                _id = accepted.Id;
                _open = true;
                OnAccepted(accepted);
                stack.Tell(new Attach(_id));
                break;
            case Connected connected:
                Room = connected.SendRoom;
                OnRoom();
                break;
            case Closed closed:
                _open = false;
                if (Context.System.Log.IsDebugEnabled)
                    Log.Debug("Connection ended: {Reason}", closed.Reason);
                if (TryForget())
                    Context.Parent.Tell(ConnectionServed.Instance, Self);
                else
                    Context.Stop(Self);
                break;
            case Stopping:
                if (_open)
                    stack.Tell(new Close(_id));
                _open = false;
                Context.Stop(Self);
                break;
            default:
                OnOther(message);
                break;
        }
    }

    protected override void PostStop()
    {
        if (_open)
            stack.Tell(new Abort(_id));
        TryForget();
    }

    /// <summary>Before the connection's first event.</summary>
    protected virtual void OnAccepted(Accepted accepted)
    {
    }

    /// <summary>
    /// The connection has ended, or the actor stops: releases what belongs to the connection, and returns to the initial state. False: a message about the
    /// connection is still to come, so that the actor cannot be used again.
    /// </summary>
    protected abstract bool TryForget();

    /// <summary>A message that is not the connection's.</summary>
    protected virtual void OnOther(object message) => Unhandled(message);

    /// <summary>Bytes or the end of the stream have come. The buffers pass to the callee, which reports the bytes with <see cref="Consumed"/> once it has dealt
    /// with them.</summary>
    protected abstract void OnRead(ReadReady ready);

    /// <summary>The connection is established, or there is more room to send.</summary>
    protected virtual void OnRoom()
    {
    }

    /// <summary>Sends bytes, within <see cref="Room"/>.</summary>
    protected void Send(PacketBuffer data)
    {
        Room -= data.Length;
        stack.Tell(WriteRequest.Of(_id, data));
    }

    protected void Consumed(int bytes)
    {
        if (bytes > 0)
            stack.Tell(ReadDone.Of(_id, bytes));
    }

    protected void Finish() => stack.Tell(new Shutdown(_id, ShutdownDirection.Send));

    protected void CloseConnection() => stack.Tell(new Close(_id));

    /// <summary>Resets the connection. The actor has its end as usual.</summary>
    protected void AbortConnection() => stack.Tell(new Abort(_id));
}
