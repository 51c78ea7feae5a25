using Akka.Actor;
using Akka.Event;
using Tapwire.Messages;
using Tapwire.Stack;
using Tapwire.Stack.Buffers;

namespace Tapwire.Actors.Services;

/// <summary>One accepted connection that is served from within the driver. It stops when the connection has ended; stopped earlier, it resets it.</summary>
public abstract class StreamServiceActor : ReceiveActor
{
    private readonly IActorRef _stack;
    private readonly SocketId _id;
    private bool _ended;

    protected StreamServiceActor(IActorRef stack, SocketId id)
    {
        _stack = stack;
        _id = id;
        Receive<Connected>(connected =>
        {
            Room = connected.SendRoom;
            OnRoom();
        });
        Receive<ReadReady>(OnRead);
        Receive<WriteDone>(done =>
        {
            Room += done.Bytes;
            OnRoom();
        });
        Receive<Closed>(closed =>
        {
            _ended = true;
            Log.Debug("Connection ended: {Reason}", closed.Reason);
            Context.Stop(Self);
        });
        Receive<Stopping>(_ =>
        {
            _ended = true;
            _stack.Tell(new Close(_id));
            Context.Stop(Self);
        });
    }

    protected ILoggingAdapter Log { get; } = Context.GetLogger();

    /// <summary>Bytes that may be sent now.</summary>
    protected int Room { get; private set; }

    protected override void PreStart() => _stack.Tell(new Attach(_id));

    protected override void PostStop()
    {
        if (!_ended)
            _stack.Tell(new Abort(_id));
    }

    /// <summary>Bytes or the end of the stream; the buffers are the actor's from now on, and so is answering with <see cref="Consumed"/>.</summary>
    protected abstract void OnRead(ReadReady ready);

    /// <summary>The connection is there, or there is more room to send.</summary>
    protected virtual void OnRoom()
    {
    }

    /// <summary>Sends bytes, within <see cref="Room"/>.</summary>
    protected void Send(PacketBuffer data)
    {
        Room -= data.Length;
        _stack.Tell(new WriteRequest(_id, data));
    }

    protected void Consumed(int bytes)
    {
        if (bytes > 0)
            _stack.Tell(new ReadDone(_id, bytes));
    }

    protected void Finish() => _stack.Tell(new Shutdown(_id, ShutdownDirection.Send));

    protected void CloseConnection() => _stack.Tell(new Close(_id));
}
