using Akka.Actor;
using Akka.Event;
using Tapwire.Messages;
using Tapwire.Stack;

namespace Tapwire.Actors;

/// <summary>
/// Owns one listening socket. Asks the stack for as many connections as it can take, and gives each to an actor of its own; further connections wait in the
/// backlog.
/// </summary>
public abstract class ListenerActor : OwningActor, IWithUnboundedStash
{
    private readonly Listen _request;
    private SocketId? _open;

    protected ListenerActor(IActorRef stack, Listen request)
    {
        Stack = stack;
        _request = request;
        Opening();
    }

    public IStash Stash { get; set; } = null!;

    protected IActorRef Stack { get; }

    protected ILoggingAdapter Log { get; } = Context.GetLogger();

    protected override void PreStart() => Stack.Tell(_request);

    /// <summary>The socket listens. The subclass now asks for connections with <see cref="Accept"/>.</summary>
    protected abstract void OnListening(Listening listening);

    protected abstract void OnListenFailed(StackError error);

    /// <summary>A connection has come, to be given to an actor that attaches to it.</summary>
    protected abstract void OnAccepted(SocketId listener, Accepted accepted);

    /// <summary>Log level of events of the port: information for the driver's own; less where an application may open and close ports as often as it
    /// likes.</summary>
    protected virtual LogLevel Level => LogLevel.InfoLevel;

    /// <summary>Adds handlers for messages other than connections.</summary>
    protected virtual void WhileListening(Listening listening)
    {
    }

    /// <summary>The port has been closed; its connections continue.</summary>
    protected virtual void BeforeRetiring()
    {
    }

    /// <summary>Adds the handlers of <see cref="WhileListening"/> after the port has been closed.</summary>
    protected virtual void WhileRetiring(Listening listening) => WhileListening(listening);

    /// <summary>The actor of a connection has ended, after the port has been closed.</summary>
    protected virtual void OnEnded()
    {
    }

    private void Opening()
    {
        ReceiveStopping();
        Receive<Listening>(listening =>
        {
            Become(() => Open(listening));
            Log.Log(Level, "Listening on {Local}", [listening.Local]);
            OnListening(listening);
            Stash.UnstashAll();
        });
        Receive<ListenFailed>(failed =>
        {
            Log.Log(Level == LogLevel.InfoLevel ? LogLevel.WarningLevel : Level, "Cannot listen on {Local}: {Error}", [_request.Local, failed.Error]);
            OnListenFailed(failed.Error);
        });

        // Requests, and the notice that the application has closed, must not be lost while the stack answers.
        ReceiveAny(_ => Stash.Stash());
    }

    private void Open(Listening listening)
    {
        _open = listening.Id;
        Receive<Accepted>(accepted =>
        {
            if (Log.IsDebugEnabled)
                Log.Debug("Accepted {Remote} on {Local}", accepted.Remote, accepted.Local);
            OnAccepted(listening.Id, accepted);
        });
        ReceiveStopping();
        Receive<StopAccepting>(_ =>
        {
            StopListening();
            Sender.Tell(AcceptingStopped.Instance);
            Retire(listening);
        });
        WhileListening(listening);
    }

    /// <summary>Takes no new connections, and stops when the last one has ended.</summary>
    private void Retire(Listening listening)
    {
        BeforeRetiring();
        var left = new HashSet<IActorRef>();
        foreach (var connection in Context.GetChildren().ToList())
            left.Add(Context.Watch(connection));
        if (left.Count == 0)
        {
            Context.Stop(Self);
            return;
        }

        Become(() =>
        {
            Receive<Accepted>(accepted => Stack.Tell(new Abort(accepted.Id)));
            Receive<Terminated>(gone =>
            {
                OnEnded();
                left.Remove(gone.ActorRef);
                if (left.Count == 0)
                    Context.Stop(Self);
            });
            ReceiveStopping();
            WhileRetiring(listening);
        });
    }

    /// <summary>Takes no new connections when the driver stops; existing ones end in order.</summary>
    private void ReceiveStopping() => Receive<Stopping>(_ =>
    {
        StopListening();
        var connections = new Dismissal(Context);
        if (connections.IsDone)
            Context.Stop(Self);
        else
            Become(() => Finishing(connections));
    });

    private void Finishing(Dismissal connections)
    {
        Receive<Accepted>(accepted => Stack.Tell(new Abort(accepted.Id)));
        Receive<Terminated>(gone =>
        {
            connections.Left(gone);
            if (connections.IsDone)
                Context.Stop(Self);
        });
    }

    protected override void PostStop() => StopListening();

    /// <summary>Gives the port back; connections that nobody has accepted are reset.</summary>
    protected void StopListening()
    {
        if (_open is { } id)
            Stack.Tell(new Unlisten(id));
        _open = null;
    }
}
