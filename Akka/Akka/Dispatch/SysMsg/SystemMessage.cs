using Akka.Actor;
using Akka.Annotations;
using Akka.Event;

namespace Akka.Dispatch.SysMsg;

/// <summary>A message of the runtime to an actor's cell, handled before any message of a user.</summary>
public interface ISystemMessage : INoSerializationVerificationNeeded;

/// <summary>Held back while the actor waits for its children to stop.</summary>
internal interface IStashWhenWaitingForChildren;

/// <summary>Held back while the actor is suspended after a failure.</summary>
internal interface IStashWhenFailed;

/// <summary>A link of a mailbox's list of system messages. An instance may be sent to one actor only.</summary>
[InternalApi]
public abstract class SystemMessage : ISystemMessage
{
    [NonSerialized]
    internal SystemMessage Next;

    public bool Unlinked => Next is null;

    public void Unlink() => Next = null;
}

/// <summary>Marks the system queue of a mailbox that is closed.</summary>
public sealed class NoMessage : SystemMessage
{
    public override string ToString() => "NoMessage";
}

/// <summary>The first message of every actor: make it.</summary>
public sealed class Create : SystemMessage
{
    public Create(ActorInitializationException failure = null) => Failure = failure;

    public ActorInitializationException Failure { get; }

    public override string ToString() => $"<Create>{(Failure is null ? "" : $", Failure: {Failure}")}";
}

/// <summary>Replace the failed instance by a fresh one.</summary>
public sealed class Recreate : SystemMessage, IStashWhenWaitingForChildren
{
    public Recreate(Exception cause) => Cause = cause;

    public Exception Cause { get; }

    public override string ToString() => $"<Recreate>{(Cause is null ? "" : $", Cause: {Cause}")}";
}

/// <summary>Handle no messages of users until resumed.</summary>
public sealed class Suspend : SystemMessage, IStashWhenWaitingForChildren
{
    public override string ToString() => "<Suspend>";
}

/// <summary>Undo one <see cref="Suspend"/>.</summary>
public sealed class Resume : SystemMessage, IStashWhenWaitingForChildren
{
    public Resume(Exception causedByFailure) => CausedByFailure = causedByFailure;

    public Exception CausedByFailure { get; set; }

    public override string ToString() => $"<Resume>{(CausedByFailure is null ? "" : $", CausedByFailure: {CausedByFailure}")}";
}

/// <summary>Stop.</summary>
public sealed class Terminate : SystemMessage, IPossiblyHarmful, IDeadLetterSuppression
{
    public override string ToString() => "<Terminate>";
}

/// <summary>Announces a child to its parent.</summary>
public sealed class Supervise : SystemMessage
{
    public Supervise(IActorRef child, bool async)
    {
        Child = child;
        Async = async;
    }

    public IActorRef Child { get; }

    public bool Async { get; }

    public override string ToString() => $"<Supervise>: {Child}, Async={Async}";
}

/// <summary>Begins a death watch; goes to the watchee.</summary>
public class Watch : SystemMessage
{
    public Watch(IInternalActorRef watchee, IInternalActorRef watcher)
    {
        Watchee = watchee;
        Watcher = watcher;
    }

    public IInternalActorRef Watchee { get; }

    public IInternalActorRef Watcher { get; }

    public override string ToString() => $"<Watch>: {Watcher} wants to watch {Watchee}";
}

/// <summary>Ends a death watch; goes to the watchee.</summary>
public sealed class Unwatch : SystemMessage
{
    public Unwatch(IInternalActorRef watchee, IInternalActorRef watcher)
    {
        Watchee = watchee;
        Watcher = watcher;
    }

    public IInternalActorRef Watchee { get; }

    public IInternalActorRef Watcher { get; }

    public override string ToString() => $"<Unwatch>: {Watcher} wants to unwatch {Watchee}";
}

/// <summary>An actor has stopped; goes to its parent and its watchers.</summary>
public sealed class DeathWatchNotification : SystemMessage, IDeadLetterSuppression
{
    public DeathWatchNotification(IActorRef actor, bool existenceConfirmed, bool addressTerminated)
    {
        Actor = actor;
        ExistenceConfirmed = existenceConfirmed;
        AddressTerminated = addressTerminated;
    }

    public IActorRef Actor { get; }

    public bool ExistenceConfirmed { get; }

    public bool AddressTerminated { get; }

    public override string ToString() => $"<DeathWatchNotification>: {Actor}";
}

/// <summary>A child has failed; goes to its parent.</summary>
[InternalApi]
public sealed class Failed : SystemMessage, IStashWhenFailed, IStashWhenWaitingForChildren
{
    public Failed(IActorRef child, Exception cause, long uid)
    {
        Child = child;
        Cause = cause;
        Uid = uid;
    }

    public IActorRef Child { get; }

    public Exception Cause { get; }

    public long Uid { get; }

    public override string ToString() => $"<Failed>: {Child} ({Uid}){(Cause is null ? "" : $", Cause: {Cause}")}";
}

/// <summary>Runs, or reports the failure of, a part of an actor's asynchronous handler.</summary>
internal sealed class ActorTaskSchedulerMessage : SystemMessage
{
    private readonly ActorTaskScheduler _scheduler;
    private readonly Task _task;

    public ActorTaskSchedulerMessage(ActorTaskScheduler scheduler, Task task)
    {
        _scheduler = scheduler;
        _task = task;
    }

    public ActorTaskSchedulerMessage(Exception exception, object message)
    {
        Exception = exception;
        Message = message;
    }

    /// <summary>What the handler threw; null when there is a part to run.</summary>
    public Exception Exception { get; }

    /// <summary>The message that was being handled.</summary>
    public object Message { get; }

    public void ExecuteTask() => _scheduler.ExecuteTask(_task);

    public override string ToString() => $"<ActorTaskSchedulerMessage>: {_task}{Exception}";
}

/// <summary>Stops a child of the receiving guardian.</summary>
public sealed class StopChild
{
    public StopChild(IActorRef child) => Child = child;

    public IActorRef Child { get; }

    public override string ToString() => $"<StopChild> {Child}";
}

/// <summary>The system guardian asks its subscribers to finish.</summary>
public sealed class TerminationHook
{
    private TerminationHook() { }

    public static TerminationHook Instance { get; } = new();

    public override string ToString() => "<TerminationHook>";
}

/// <summary>Subscribes a system actor to <see cref="TerminationHook"/>.</summary>
public sealed class RegisterTerminationHook
{
    private RegisterTerminationHook() { }

    public static RegisterTerminationHook Instance { get; } = new();

    public override string ToString() => "<RegisterTerminationHook>";
}

/// <summary>The answer to <see cref="TerminationHook"/>.</summary>
public sealed class TerminationHookDone
{
    private TerminationHookDone() { }

    public static TerminationHookDone Instance { get; } = new();

    public override string ToString() => "<TerminationHookDone>";
}
