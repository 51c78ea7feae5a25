using Akka.Actor;
using Akka.Dispatch.SysMsg;

namespace Akka.Dispatch;

/// <summary>
/// Runs the parts of an actor's asynchronous handler, each as a system message of the actor, so that they keep its context. While a handler
/// is under way the actor's mailbox gives out no other messages.
/// </summary>
public class ActorTaskScheduler : TaskScheduler
{
    private readonly ActorCell _cell;

    internal ActorTaskScheduler(ActorCell cell) => _cell = cell;

    /// <summary>The message whose handler is under way.</summary>
    public object CurrentMessage { get; private set; }

    public override int MaximumConcurrencyLevel => 1;

    private IActorRef CurrentSender { get; set; }

    protected override IEnumerable<Task> GetScheduledTasks() => null;

    protected sealed override void QueueTask(Task task)
    {
        // Within the actor's turn the task runs at once; one that says it will take long at least does not run inside this one.
        if ((task.CreationOptions & TaskCreationOptions.LongRunning) == 0 && ReferenceEquals(ActorCell.Current, _cell))
            ExecuteTask(task);
        else
            _cell.SendSystemMessage(new ActorTaskSchedulerMessage(this, task));
    }

    protected sealed override bool TryExecuteTaskInline(Task task, bool taskWasPreviouslyQueued)
    {
        if (taskWasPreviouslyQueued || !ReferenceEquals(ActorCell.Current, _cell))
            return false;
        OnBeforeTaskStarted();
        var executed = TryExecuteTask(task);
        OnAfterTaskCompleted();
        return executed;
    }

    protected virtual void OnBeforeTaskStarted() { }

    protected virtual void OnAfterTaskCompleted() { }

    public static void RunTask(Action action) => RunTask(() =>
    {
        action();
        return Task.CompletedTask;
    });

    /// <summary>Runs an asynchronous handler of the actor whose turn it is.</summary>
    /// <exception cref="InvalidOperationException">It is no actor's turn.</exception>
    public static void RunTask(Func<Task> asyncAction)
    {
        var cell = ActorCell.Current ?? throw new InvalidOperationException("RunTask must be called from an actor context.");
        cell.Dispatcher.SuspendForTask(cell);
        var scheduler = cell.TaskScheduler;
        scheduler.CurrentMessage = cell.CurrentMessage;
        scheduler.CurrentSender = cell.Sender;
        Task<Task>.Factory.StartNew(asyncAction, CancellationToken.None, TaskCreationOptions.None, scheduler)
            .Unwrap()
            .ContinueWith(scheduler.Complete, CancellationToken.None, TaskContinuationOptions.None, scheduler);
    }

    internal void ExecuteTask(Task task)
    {
        if (CurrentMessage is not null)
        {
            _cell.CurrentMessage = CurrentMessage;
            _cell.Sender = CurrentSender;
        }

        OnBeforeTaskStarted();
        TryExecuteTask(task);
        OnAfterTaskCompleted();
    }

    private void Complete(Task handler)
    {
        var exception = ExceptionOf(handler);
        var message = CurrentMessage;
        CurrentMessage = null;
        CurrentSender = null;
        if (exception is null)
        {
            _cell.Dispatcher.ResumeAfterTask(_cell);
            _cell.CheckReceiveTimeout();
        }
        else
        {
            _cell.SendSystemMessage(new ActorTaskSchedulerMessage(exception, message));
        }
    }

    private static Exception ExceptionOf(Task task)
    {
        if (task.IsCanceled)
            return new TaskCanceledException(task);
        var exception = task.Exception?.Flatten();
        return exception is { InnerExceptions.Count: 1 } ? exception.InnerException : exception;
    }
}
