using System.Runtime.ExceptionServices;
using Akka.Actor.Internal;
using Akka.Dispatch.SysMsg;
using Akka.Event;

namespace Akka.Actor;

/// <summary>Failure, restart and end of an actor. The order of the steps is what supervisors and watchers rely on.</summary>
public partial class ActorCell
{
    private IActorRef _perpetrator; // who failed, this actor or a child, while that is being dealt with

    private bool IsFailed => _perpetrator is not null;

    private void FaultRecreate(Exception cause)
    {
        if (_actor is null)
        {
            Publish(new Error(null, _self.Path.ToString(), GetType(), "Changing Recreate into Create after " + cause));
            FaultCreate();
            return;
        }

        if (!IsNormal)
        {
            FaultResume(null); // another reason to wait came first: only the count of suspensions has to stay right
            return;
        }

        var failedActor = _actor;
        if (System.Settings.DebugLifecycle)
            Publish(new Debug(_self.Path.ToString(), failedActor.GetType(), "Restarting"));
        var optionalMessage = CurrentMessage;
        try
        {
            failedActor.AroundPreRestart(cause, optionalMessage);
            UnstashAllOf(failedActor);
        }
        catch (Exception e)
        {
            var exception = new PreRestartException(_self, e, cause, optionalMessage);
            Publish(new Error(exception, _self.Path.ToString(), failedActor.GetType(), e.Message));
        }
        finally
        {
            ClearActor(failedActor);
        }

        if (!SetChildrenTerminationReason(new SuspendReason.Recreation(cause)))
            FinishRecreate(cause, failedActor);
    }

    private void FaultSuspend()
    {
        Dispatcher.Suspend(this);
        SuspendChildren();
    }

    private void FaultResume(Exception causedByFailure)
    {
        if (_actor is null)
        {
            Publish(new Error(null, _self.Path.ToString(), GetType(), "Changing Resume into Create after " + causedByFailure));
            FaultCreate();
            return;
        }

        var perpetrator = _perpetrator;
        try
        {
            Dispatcher.Resume(this);
        }
        finally
        {
            if (causedByFailure is not null)
                _perpetrator = null;
        }

        ResumeChildren(causedByFailure, perpetrator);
    }

    private void FaultCreate()
    {
        SetReceiveTimeout();
        CancelReceiveTimeout();
        StopChildren();
        if (!SetChildrenTerminationReason(new SuspendReason.Creation()))
            FinishCreate();
    }

    private void FinishCreate()
    {
        try
        {
            Dispatcher.Resume(this);
        }
        finally
        {
            _perpetrator = null;
        }

        try
        {
            Create(failure: null);
        }
        catch (Exception e)
        {
            HandleInvokeFailure(e);
        }
    }

    private void Terminate()
    {
        SetReceiveTimeout();
        CancelReceiveTimeout();
        UnwatchWatchedActors(_actor); // no Terminated for an actor that is stopping itself
        StopChildren();
        var wasTerminating = IsTerminating;
        if (SetChildrenTerminationReason(SuspendReason.Termination.Instance))
        {
            if (wasTerminating)
                return;
            Dispatcher.Suspend(this); // only system messages while the children stop
            _perpetrator = _self; // and no failure goes to the supervisor any more
            if (System.Settings.DebugLifecycle)
                Publish(new Debug(_self.Path.ToString(), ActorType, "Stopping"));
        }
        else
        {
            SetTerminated();
            FinishTerminate();
        }
    }

    private void HandleInvokeFailure(Exception cause, IReadOnlyCollection<IActorRef> childrenNotToSuspend = null)
    {
        if (IsFailed)
            return;
        try
        {
            Dispatcher.Suspend(this);
            if (CurrentMessage is Failed)
            {
                var failedChild = Sender;
                childrenNotToSuspend = [.. childrenNotToSuspend ?? [], failedChild];
                _perpetrator = failedChild;
            }
            else
            {
                _perpetrator = _self;
            }

            SuspendChildren(childrenNotToSuspend);
            Parent.SendSystemMessage(new Failed(_self, cause, _self.Path.Uid));
        }
        catch (Exception e)
        {
            Publish(new Error(e, _self.Path.ToString(), ActorType, "Emergency stop: exception in failure handling for " + cause));
            try
            {
                StopChildren();
            }
            finally
            {
                FinishTerminate();
            }
        }
    }

    private void StopChildren()
    {
        if (_children is null)
            return;
        foreach (var child in _children.Children)
            Stop(child);
    }

    private void FinishTerminate()
    {
        // The parent must hear of the end before the watchers do: a parent that also watches handles the child's end first.
        var actor = _actor;
        try
        {
            if (actor is not null)
            {
                actor.AroundPostStop();
                UnstashAllOf(actor);
            }
        }
        catch (Exception e)
        {
            Publish(new Error(e, _self.Path.ToString(), ActorType, e.Message));
        }
        finally
        {
            try
            {
                Dispatcher.Detach(this);
            }
            finally
            {
                try
                {
                    Parent.SendSystemMessage(new DeathWatchNotification(_self, existenceConfirmed: true, addressTerminated: false));
                }
                finally
                {
                    try
                    {
                        TellWatchersWeDied();
                    }
                    finally
                    {
                        FinishClearing(actor);
                    }
                }
            }
        }
    }

    private void FinishClearing(ActorBase actor)
    {
        try
        {
            UnwatchWatchedActors(actor); // once more, as an emergency stop has not been through Terminate
        }
        finally
        {
            if (System.Settings.DebugLifecycle)
                Publish(new Debug(_self.Path.ToString(), ActorType, "Stopped"));
            if (System.Settings.EmitActorTelemetry)
                System.EventStream.Publish(new ActorStopped(Self, Props.Type));
            ClearActor(actor);
            ClearActorCell();
        }
    }

    private void FinishRecreate(Exception cause, ActorBase failedActor)
    {
        var survivors = _children?.Children ?? [];
        try
        {
            try
            {
                Dispatcher.Resume(this);
            }
            finally
            {
                _perpetrator = null; // so that a failure of the new instance is a failure again
            }

            var freshActor = NewActor();
            _actor = freshActor;
            if (ReferenceEquals(freshActor, failedActor))
                SetActorFields(freshActor);
            freshActor.AroundPostRestart(cause, null);
            if (_receiveTimeout is not null)
                CheckReceiveTimeout();
            if (System.Settings.DebugLifecycle)
                Publish(new Debug(_self.Path.ToString(), freshActor.GetType(), "Restarted (" + freshActor + ")"));
            if (System.Settings.EmitActorTelemetry)
                System.EventStream.Publish(new ActorRestarted(Self, Props.Type, cause));
            foreach (var child in survivors)
            {
                try
                {
                    child.Restart(cause);
                }
                catch (Exception e)
                {
                    Publish(new Error(e, _self.Path.ToString(), freshActor.GetType(), "restarting (" + child + ")"));
                }
            }
        }
        catch (Exception e)
        {
            ClearActor(_actor); // so that PreRestart does not run again
            HandleInvokeFailure(new PostRestartException(_self, e, cause), survivors);
        }
    }

    private void HandleFailed(Failed failed)
    {
        CurrentMessage = failed;
        var child = failed.Child;
        Sender = child.IsNobody() ? _systemImpl.DeadLetters : child;
        if (!TryGetChildStatsByRef(child, out var stats))
        {
            Publish(new Debug(_self.Path.ToString(), ActorType, "Dropping Failed(" + failed.Cause + ") from unknown child " + child));
            return;
        }

        if (stats.Uid != failed.Uid)
        {
            Publish(new Debug(
                _self.Path.ToString(),
                ActorType,
                $"Dropping Failed({failed.Cause}) from old child {failed.Child} (uid={stats.Uid} != {failed.Uid})"));
            return;
        }

        if (!_actor.SupervisorStrategyInternal.HandleFailure(this, child, failed.Cause, stats, _children.Stats))
            ExceptionDispatchInfo.Capture(failed.Cause).Throw();
        CurrentMessage = null;
    }

    private void HandleChildTerminated(IActorRef child)
    {
        var reason = RemoveChildAndGetStateChange(child);
        if (_actor is not null)
        {
            try
            {
                _actor.SupervisorStrategyInternal.HandleChildTerminated(this, child, ChildrenWhenAsked());
            }
            catch (Exception e)
            {
                Publish(new Error(e, _self.Path.ToString(), ActorType, "HandleChildTerminated failed"));
                HandleInvokeFailure(e);
            }
        }

        switch (reason)
        {
            case SuspendReason.Recreation recreation:
                FinishRecreate(recreation.Cause, _actor);
                break;
            case SuspendReason.Creation:
                FinishCreate();
                break;
            case SuspendReason.Termination:
                FinishTerminate();
                break;
        }
    }

    private static void UnstashAllOf(ActorBase actor)
    {
        if (actor is IActorStash { Stash: { } stash })
            stash.UnstashAll();
    }
}
