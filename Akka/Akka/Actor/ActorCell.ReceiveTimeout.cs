namespace Akka.Actor;

/// <summary>The notice that nothing has come for a while.</summary>
public partial class ActorCell
{
    private ReceiveTimeoutState _receiveTimeout; // null for the many actors that never ask for one

    public TimeSpan? ReceiveTimeout => _receiveTimeout?.Duration;

    public void SetReceiveTimeout(TimeSpan? timeout = null)
    {
        if (timeout is null && _receiveTimeout is null)
            return;
        _receiveTimeout ??= new ReceiveTimeoutState();
        _receiveTimeout.Duration = timeout;
        _receiveTimeout.Changed = true;
    }

    /// <summary>Starts the clock again, or stops it, as the actor wishes.</summary>
    public void CheckReceiveTimeout(bool reschedule = true)
    {
        var state = _receiveTimeout;
        if (state is null)
            return;
        if (state.Duration is not { } duration || duration < TimeSpan.Zero)
        {
            CancelReceiveTimeout();
        }
        else if (reschedule || state.Changed || state.Task is null)
        {
            CancelReceiveTimeout();
            state.Task = System.Scheduler.ScheduleTellOnceCancelable(duration, Self, ReceiveTimeoutMessage, Self);
        }

        state.Changed = false;
    }

    private static object ReceiveTimeoutMessage => global::Akka.Actor.ReceiveTimeout.Instance;

    private void CancelReceiveTimeout()
    {
        if (_receiveTimeout?.Task is not { } task)
            return;
        task.Cancel();
        _receiveTimeout.Task = null;
    }

    private sealed class ReceiveTimeoutState
    {
        public TimeSpan? Duration;
        public ICancelable Task;
        public bool Changed;
    }
}
