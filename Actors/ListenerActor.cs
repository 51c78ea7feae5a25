using Akka.Actor;
using Akka.Event;
using Tapwire.Messages;
using Tapwire.Stack;

namespace Tapwire.Actors;

/// <summary>
/// Owns one listening socket: asks the stack for as many connections as it can take and gives each to an actor of its own. What it does not ask for waits in
/// the backlog.
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

    /// <summary>The socket listens. Ask for connections with <see cref="Accept"/>.</summary>
    protected abstract void OnListening(Listening listening);

    protected abstract void OnListenFailed(StackError error);

    /// <summary>A connection, to be given to an actor that attaches to it.</summary>
    protected abstract void OnAccepted(SocketId listener, Accepted accepted);

    /// <summary>Handlers beside those for connections.</summary>
    protected virtual void WhileListening(Listening listening)
    {
    }

    private void Opening()
    {
        ReceiveStopping();
        Receive<Listening>(listening =>
        {
            Become(() => Open(listening));
            Log.Info("Listening on {Local}", listening.Local);
            OnListening(listening);
            Stash.UnstashAll();
        });
        Receive<ListenFailed>(failed =>
        {
            Log.Warning("Cannot listen on {Local}: {Error}", _request.Local, failed.Error);
            OnListenFailed(failed.Error);
        });

        // Requests, and the news that the application has closed, are not to be lost while the stack answers.
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
        WhileListening(listening);
    }

    /// <summary>No new connections; those that are served end in order.</summary>
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

    /// <summary>Gives the port back; what nobody has accepted is reset.</summary>
    protected void StopListening()
    {
        if (_open is { } id)
            Stack.Tell(new Unlisten(id));
        _open = null;
    }
}
