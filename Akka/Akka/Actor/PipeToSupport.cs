namespace Akka.Actor;

/// <summary>Sends the outcome of a task to an actor: the result itself, or a <see cref="Status.Failure"/>.</summary>
public static class PipeToSupport
{
    /// <param name="success">Makes the message out of the result.</param>
    /// <param name="failure">Makes the message out of the exception.</param>
    /// <returns>A task that is done once the message has been sent, and that does not fail.</returns>
    public static Task PipeTo<T>(
        this Task<T> taskToPipe,
        ICanTell recipient,
        IActorRef sender = null,
        Func<T, object> success = null,
        Func<Exception, object> failure = null) => taskToPipe.PipeTo(recipient, useConfigureAwait: false, sender, success, failure);

    /// <inheritdoc cref="PipeTo{T}(Task{T}, ICanTell, IActorRef, Func{T, object}, Func{Exception, object})"/>
    public static Task PipeTo<T>(
        this ValueTask<T> taskToPipe,
        ICanTell recipient,
        IActorRef sender = null,
        Func<T, object> success = null,
        Func<Exception, object> failure = null) => taskToPipe.PipeTo(recipient, useConfigureAwait: false, sender, success, failure);

    /// <inheritdoc cref="PipeTo{T}(Task{T}, ICanTell, IActorRef, Func{T, object}, Func{Exception, object})"/>
    /// <param name="useConfigureAwait">Whether the message is sent from the context in which this is called.</param>
    public static async Task PipeTo<T>(
        this Task<T> taskToPipe,
        ICanTell recipient,
        bool useConfigureAwait,
        IActorRef sender = null,
        Func<T, object> success = null,
        Func<Exception, object> failure = null)
    {
        try
        {
            var result = await taskToPipe.ConfigureAwait(useConfigureAwait);
            recipient.Tell(success is null ? result : success(result), sender);
        }
        catch (Exception e)
        {
            TellFailure(recipient, sender, failure, Cause(taskToPipe, e));
        }
    }

    /// <inheritdoc cref="PipeTo{T}(Task{T}, ICanTell, bool, IActorRef, Func{T, object}, Func{Exception, object})"/>
    public static async Task PipeTo<T>(
        this ValueTask<T> taskToPipe,
        ICanTell recipient,
        bool useConfigureAwait,
        IActorRef sender = null,
        Func<T, object> success = null,
        Func<Exception, object> failure = null)
    {
        try
        {
            var result = await taskToPipe.ConfigureAwait(useConfigureAwait);
            recipient.Tell(success is null ? result : success(result), sender);
        }
        catch (Exception e)
        {
            TellFailure(recipient, sender, failure, e);
        }
    }

    /// <inheritdoc cref="PipeTo{T}(Task{T}, ICanTell, IActorRef, Func{T, object}, Func{Exception, object})"/>
    /// <remarks>Without <paramref name="success"/> nothing is sent when the task succeeds.</remarks>
    public static Task PipeTo(
        this Task taskToPipe,
        ICanTell recipient,
        IActorRef sender = null,
        Func<object> success = null,
        Func<Exception, object> failure = null) => taskToPipe.PipeTo(recipient, useConfigureAwait: false, sender, success, failure);

    /// <inheritdoc cref="PipeTo(Task, ICanTell, IActorRef, Func{object}, Func{Exception, object})"/>
    public static Task PipeTo(
        this ValueTask taskToPipe,
        ICanTell recipient,
        IActorRef sender = null,
        Func<object> success = null,
        Func<Exception, object> failure = null) => taskToPipe.PipeTo(recipient, useConfigureAwait: false, sender, success, failure);

    /// <inheritdoc cref="PipeTo(Task, ICanTell, IActorRef, Func{object}, Func{Exception, object})"/>
    /// <param name="useConfigureAwait">Whether the message is sent from the context in which this is called.</param>
    public static async Task PipeTo(
        this Task taskToPipe,
        ICanTell recipient,
        bool useConfigureAwait,
        IActorRef sender = null,
        Func<object> success = null,
        Func<Exception, object> failure = null)
    {
        try
        {
            await taskToPipe.ConfigureAwait(useConfigureAwait);
            if (success is not null)
                recipient.Tell(success(), sender);
        }
        catch (Exception e)
        {
            TellFailure(recipient, sender, failure, Cause(taskToPipe, e));
        }
    }

    /// <inheritdoc cref="PipeTo(Task, ICanTell, bool, IActorRef, Func{object}, Func{Exception, object})"/>
    public static async Task PipeTo(
        this ValueTask taskToPipe,
        ICanTell recipient,
        bool useConfigureAwait,
        IActorRef sender = null,
        Func<object> success = null,
        Func<Exception, object> failure = null)
    {
        try
        {
            await taskToPipe.ConfigureAwait(useConfigureAwait);
            if (success is not null)
                recipient.Tell(success(), sender);
        }
        catch (Exception e)
        {
            TellFailure(recipient, sender, failure, e);
        }
    }

    /// <remarks>A task with several exceptions, which awaiting reduces to the first, hands on all of them.</remarks>
    private static Exception Cause(Task task, Exception awaited) =>
        task.Exception is { InnerExceptions.Count: > 1 } all ? all : awaited;

    private static void TellFailure(ICanTell recipient, IActorRef sender, Func<Exception, object> failure, Exception cause) =>
        recipient.Tell(failure is null ? new Status.Failure(cause) : failure(cause), sender);
}
