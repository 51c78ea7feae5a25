using Akka.Event;

namespace Akka.Actor;

/// <summary>What the runtime reads of an actor.</summary>
public interface IInternalActor
{
    IActorContext ActorContext { get; }
}

/// <summary>Messages that an actor with this interface receives are logged when <c>akka.actor.debug.receive</c> is on.</summary>
public interface ILogReceive;

/// <summary>
/// The base of all actors. An actor is made by its parent or the system from <see cref="Props"/>, handles one message at a time and touches
/// nobody's state but its own.
/// </summary>
public abstract class ActorBase : IInternalActor
{
    private readonly ActorCell _cell;
    private IActorRef _clearedSelf;
    private SupervisorStrategy _supervisorStrategy;

    /// <exception cref="ActorInitializationException">The actor was made with <c>new</c> outside the runtime.</exception>
    protected ActorBase()
    {
        _cell = ActorCell.Current ?? throw new ActorInitializationException(
            "Do not create actors using 'new', always create them using an ActorContext/System");
        _cell.Become(OriginalBehavior);
    }

    /// <exception cref="NotSupportedException">It is no actor's turn on this thread.</exception>
    protected static IActorContext Context => ActorCell.Current ?? throw new NotSupportedException(
        "There is no active ActorContext, this is most likely due to use of async operations from within this actor.");

    IActorContext IInternalActor.ActorContext => _cell;

    protected IActorRef Self => _clearedSelf ?? _cell.Self;

    protected IActorRef Sender => Context.Sender;

    /// <summary>Handles nothing.</summary>
    protected static Receive EmptyReceive => static _ => false;

    internal Receive OriginalBehavior => Receive;

    /// <summary>The strategy that the props give, else the actor's own.</summary>
    internal SupervisorStrategy SupervisorStrategyInternal
    {
        get => _supervisorStrategy ??= SupervisorStrategy();
        set => _supervisorStrategy = value;
    }

    /// <summary>Handles a message; false for one that the actor does not handle.</summary>
    protected abstract bool Receive(object message);

    protected internal virtual bool AroundReceive(Receive receive, object message)
    {
        if (message is Scheduler.TimerScheduler.TimerMessage tick)
        {
            message = this is IWithTimers { Timers: Scheduler.TimerScheduler timers } ? timers.Intercept(tick) : null;
            switch (message)
            {
                case null:
                    return true; // of a timer that has been cancelled
                case IAutoReceivedMessage:
                    _cell.AutoReceiveMessage(new Envelope(message, Self));
                    return true;
            }

            _cell.CurrentMessage = message; // so that a stash takes the message and not its wrapping
        }

        var handled = receive(message);
        if (!handled)
            Unhandled(message);
        return handled;
    }

    /// <summary>Called for a message that the behaviour did not handle.</summary>
    /// <exception cref="DeathPactException">It was a <see cref="Terminated"/>.</exception>
    protected virtual void Unhandled(object message)
    {
        if (message is Terminated terminated)
            throw new DeathPactException(terminated.ActorRef);
        Context.System.EventStream.Publish(new UnhandledMessage(message, Sender, Self));
    }

    protected void Become(Receive receive) => Context.Become(receive);

    protected void BecomeStacked(Receive receive) => Context.BecomeStacked(receive);

    protected void UnbecomeStacked() => Context.UnbecomeStacked();

    protected void SetReceiveTimeout(TimeSpan? timeout) => Context.SetReceiveTimeout(timeout);

    /// <summary>How the actor deals with failures of its children; asked for once.</summary>
    protected virtual SupervisorStrategy SupervisorStrategy() => global::Akka.Actor.SupervisorStrategy.DefaultStrategy;

    /// <summary>Called before the first message.</summary>
    protected virtual void PreStart() { }

    /// <summary>Called after the last message.</summary>
    protected virtual void PostStop() { }

    /// <summary>Called on the failed instance; by default it stops the children and calls <see cref="PostStop"/>.</summary>
    /// <param name="message">The message during which the actor failed; may be null.</param>
    protected virtual void PreRestart(Exception reason, object message)
    {
        foreach (var child in Context.GetChildren())
        {
            Context.Unwatch(child);
            Context.Stop(child);
        }

        PostStop();
    }

    /// <summary>Called on the fresh instance; by default it calls <see cref="PreStart"/>.</summary>
    protected virtual void PostRestart(Exception reason) => PreStart();

    public virtual void AroundPreStart() => PreStart();

    public virtual void AroundPostStop()
    {
        CancelTimers();
        PostStop();
    }

    public virtual void AroundPreRestart(Exception cause, object message)
    {
        CancelTimers();
        PreRestart(cause, message);
    }

    public virtual void AroundPostRestart(Exception cause, object message) => PostRestart(cause);

    internal void Clear(IActorRef self) => _clearedSelf = self;

    internal void Unclear() => _clearedSelf = null;

    private void CancelTimers()
    {
        if (this is IWithTimers { Timers: { } timers })
            timers.CancelAll();
    }
}

/// <summary>An actor whose handler needs not say what it handles.</summary>
public abstract class UntypedActor : ActorBase
{
    /// <inheritdoc cref="ActorBase.Context"/>
    protected new static IUntypedActorContext Context => (IUntypedActorContext)ActorBase.Context;

    protected sealed override bool Receive(object message)
    {
        OnReceive(message);
        return true;
    }

    protected abstract void OnReceive(object message);

    protected void Become(UntypedReceive receive) => Context.Become(receive);

    protected void BecomeStacked(UntypedReceive receive) => Context.BecomeStacked(receive);

    protected void RunTask(Action action) => Dispatch.ActorTaskScheduler.RunTask(action);

    /// <summary>Runs an asynchronous handler; the actor handles no other message until it is done.</summary>
    protected void RunTask(Func<Task> action) => Dispatch.ActorTaskScheduler.RunTask(action);
}

/// <summary>An untyped actor with a stash of any size.</summary>
public abstract class UntypedActorWithStash : UntypedActor, IWithStash
{
    public IStash Stash { get; set; }
}
