using Akka.Dispatch.SysMsg;
using Akka.Event;

namespace Akka.Actor;

/// <summary>How a cell handles messages, its own and those of users.</summary>
public partial class ActorCell
{
    private const int ReadyState = 0;
    private const int SuspendedState = 1;
    private const int WaitingForChildrenState = 2;

    private Queue<SystemMessage> _stashedSystemMessages;

    /// <summary>Gives a message to the actor.</summary>
    public void Invoke(Envelope envelope)
    {
        var message = envelope.Message;
        var influencesReceiveTimeout = _receiveTimeout is not null && message is not INotInfluenceReceiveTimeout;
        try
        {
            CurrentMessage = message;
            _currentEnvelopeId = (_currentEnvelopeId + 1) & int.MaxValue;
            Sender = envelope.Sender ?? _systemImpl.DeadLetters;
            if (influencesReceiveTimeout)
                CancelReceiveTimeout();
            if (message is IAutoReceivedMessage)
                AutoReceiveMessage(envelope);
            else
                ReceiveMessage(message);
            CurrentMessage = null;
        }
        catch (Exception cause)
        {
            HandleInvokeFailure(cause);
        }
        finally
        {
            if (_receiveTimeout is not null)
                CheckReceiveTimeout(reschedule: influencesReceiveTimeout);
        }
    }

    protected internal virtual void AutoReceiveMessage(Envelope envelope)
    {
        var message = envelope.Message;
        if (System.Settings.DebugAutoReceive)
            Publish(new Debug(Self.Path.ToString(), ActorType, "received AutoReceiveMessage " + message));
        switch (message)
        {
            case Terminated terminated:
                ReceivedTerminated(terminated);
                break;
            case Kill:
                throw new ActorKilledException("Kill");
            case PoisonPill:
                _self.Stop();
                break;
            case ActorSelectionMessage selection:
                new ActorSelection(Self, selection.Elements).Deliver(selection.Message, Sender, selection.WildCardFanOut);
                break;
            case Identify identify:
                Sender.Tell(new ActorIdentity(identify.MessageId, Self), Self);
                break;
        }
    }

    /// <summary>Gives a message to the instance at once; only for test kits.</summary>
    public void ReceiveMessageForTest(Envelope envelope)
    {
        CurrentMessage = envelope.Message;
        Sender = envelope.Sender;
        try
        {
            ReceiveMessage(envelope.Message);
        }
        finally
        {
            CurrentMessage = null;
            Sender = _systemImpl.DeadLetters;
        }
    }

    protected virtual void ReceiveMessage(object message)
    {
        var handled = _actor.AroundReceive(CurrentBehavior, message);
        if (System.Settings.AddLoggingReceive && _actor is ILogReceive)
        {
            Publish(new Debug(
                Self.Path.ToString(),
                _actor.GetType(),
                $"received {(handled ? "handled" : "unhandled")} message {message} from {Sender.Path}"));
        }
    }

    /// <summary>
    /// Handles a system message, unless it has to wait for children to stop or for a failure to be dealt with; what waited is handled as soon
    /// as that is over, before what came later.
    /// </summary>
    internal void SystemInvoke(SystemMessage message)
    {
        var state = CalculateState();
        if (MustWait(message, state))
        {
            (_stashedSystemMessages ??= new Queue<SystemMessage>()).Enqueue(message);
            return;
        }

        try
        {
            Handle(message);
        }
        catch (Exception cause)
        {
            HandleInvokeFailure(cause);
        }

        if (_stashedSystemMessages is not { Count: > 0 } waiting)
            return;
        if (IsTerminated)
        {
            _stashedSystemMessages = null;
            foreach (var stale in waiting)
                _systemImpl.DeadLetters.Tell(stale, Self);
        }
        else if (CalculateState() < state)
        {
            _stashedSystemMessages = null;
            while (waiting.TryDequeue(out var next))
                SystemInvoke(next);
        }
    }

    private static bool MustWait(SystemMessage message, int state) => state switch
    {
        WaitingForChildrenState => message is IStashWhenWaitingForChildren,
        SuspendedState => message is IStashWhenFailed,
        _ => false,
    };

    private int CalculateState()
    {
        if (IsWaitingForChildren)
            return WaitingForChildrenState;
        return Mailbox.SuspendCount > 0 ? SuspendedState : ReadyState;
    }

    private void Handle(SystemMessage message)
    {
        switch (message)
        {
            case ActorTaskSchedulerMessage task:
                HandleTask(task);
                break;
            case Failed failed:
                HandleFailed(failed);
                break;
            case DeathWatchNotification notification:
                WatchedActorTerminated(notification.Actor, notification.ExistenceConfirmed, notification.AddressTerminated);
                break;
            case Dispatch.SysMsg.Create create:
                Create(create.Failure);
                break;
            case Dispatch.SysMsg.Watch watch:
                AddWatcher(watch.Watchee, watch.Watcher);
                break;
            case Dispatch.SysMsg.Unwatch unwatch:
                RemWatcher(unwatch.Watchee, unwatch.Watcher);
                break;
            case Recreate recreate:
                FaultRecreate(recreate.Cause);
                break;
            case Dispatch.SysMsg.Suspend:
                FaultSuspend();
                break;
            case Dispatch.SysMsg.Resume resume:
                FaultResume(resume.CausedByFailure);
                break;
            case Dispatch.SysMsg.Terminate:
                Terminate();
                break;
            case Dispatch.SysMsg.Supervise supervise:
                Supervise(supervise.Child);
                break;
            default:
                throw new NotSupportedException($"Unknown message {message.GetType().Name}");
        }
    }

    private void HandleTask(ActorTaskSchedulerMessage task)
    {
        if (task.Exception is not null)
        {
            CurrentMessage = task.Message;
            Mailbox.ResumeAfterTask();
            HandleInvokeFailure(task.Exception);
            return;
        }

        task.ExecuteTask();
        CurrentMessage = null;
    }

    private void Supervise(IActorRef child)
    {
        if (IsTerminating)
            return;
        if (InitChild((IInternalActorRef)child) is not null)
            Publish(new Debug(Self.Path.ToString(), ActorType, "now supervising " + child.Path));
        else
            Publish(new Debug(Self.Path.ToString(), ActorType, "received Supervise from unregistered child " + child.Path + ", this will not end well"));
    }

    private void Create(Exception failure)
    {
        if (failure is not null)
            throw failure;
        try
        {
            var created = NewActor();
            _actor = created;
            created.AroundPreStart();
            if (_receiveTimeout is not null)
                CheckReceiveTimeout();
            if (System.Settings.DebugLifecycle)
                Publish(new Debug(Self.Path.ToString(), created.GetType(), "Started (" + created + ")"));
            if (System.Settings.EmitActorTelemetry)
                System.EventStream.Publish(new ActorStarted(Self, Props.Type));
        }
        catch (Exception e)
        {
            if (_actor is not null)
            {
                ClearActor(_actor);
                _actor = null;
            }

            var cause = e is global::System.Reflection.TargetInvocationException { InnerException: not null } ? e.InnerException : e;
            throw new ActorInitializationException(_self, "Exception during creation", cause);
        }
    }
}
