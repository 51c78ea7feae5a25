using Akka.Dispatch.SysMsg;

namespace Akka.Actor;

/// <summary>Sends a message and makes a task of the answer.</summary>
public static class Futures
{
    /// <summary>Asks an actor.</summary>
    /// <param name="timeout">How long to wait; null for <c>akka.actor.ask-timeout</c>.</param>
    /// <exception cref="AskTimeoutException">No answer came in time; thrown by the task, as are a <see cref="Status.Failure"/>'s cause and cancellation.</exception>
    public static Task<object> Ask(this ICanTell self, object message, TimeSpan? timeout = null) =>
        self.Ask<object>(message, timeout, CancellationToken.None);

    /// <inheritdoc cref="Ask(ICanTell, object, TimeSpan?)"/>
    public static Task<object> Ask(this ICanTell self, object message, CancellationToken cancellationToken) =>
        self.Ask<object>(message, null, cancellationToken);

    /// <inheritdoc cref="Ask(ICanTell, object, TimeSpan?)"/>
    public static Task<object> Ask(this ICanTell self, object message, TimeSpan? timeout, CancellationToken cancellationToken) =>
        self.Ask<object>(message, timeout, cancellationToken);

    /// <inheritdoc cref="Ask(ICanTell, object, TimeSpan?)"/>
    public static Task<T> Ask<T>(this ICanTell self, object message, TimeSpan? timeout = null) =>
        self.Ask<T>(message, timeout, CancellationToken.None);

    /// <inheritdoc cref="Ask(ICanTell, object, TimeSpan?)"/>
    public static Task<T> Ask<T>(this ICanTell self, object message, CancellationToken cancellationToken) =>
        self.Ask<T>(message, null, cancellationToken);

    /// <inheritdoc cref="Ask(ICanTell, object, TimeSpan?)"/>
    public static Task<T> Ask<T>(this ICanTell self, object message, TimeSpan? timeout, CancellationToken cancellationToken)
    {
        var future = Prepare<T>(self, timeout, cancellationToken);
        future.DeliverAsk(message, self);
        return future.Task;
    }

    /// <inheritdoc cref="Ask(ICanTell, object, TimeSpan?)"/>
    /// <param name="messageFactory">Makes the message out of the handle to which the answer has to go.</param>
    public static Task<T> Ask<T>(
        this ICanTell self,
        Func<IActorRef, object> messageFactory,
        TimeSpan? timeout,
        CancellationToken cancellationToken)
    {
        var future = Prepare<T>(self, timeout, cancellationToken);
        future.DeliverAsk(messageFactory(future), self);
        return future.Task;
    }

    internal static IActorRefProvider ResolveProvider(ICanTell self) => self switch
    {
        ActorSelection selection => ResolveProvider(selection.Anchor),
        IInternalActorRef actorRef => actorRef.Provider,
        _ => ActorCell.Current?.SystemImpl.Provider,
    };

    private static FutureActorRef<T> Prepare<T>(ICanTell self, TimeSpan? timeout, CancellationToken cancellationToken)
    {
        var provider = ResolveProvider(self) ?? throw new ArgumentException("Unable to resolve the target Provider", nameof(self));
        var future = provider.CreateFutureRef(new TaskCompletionSource<T>(TaskCreationOptions.RunContinuationsAsynchronously));
        future.ExpireAfter(timeout ?? provider.Settings.AskTimeout, cancellationToken);
        return future;
    }
}

/// <summary>
/// The sender of an <c>Ask</c>. It gets a path, and a place under /temp where it can be found, only when somebody asks for the path, which
/// nobody does for an answer that comes from this process.
/// </summary>
public class FutureActorRef<T> : MinimalActorRef
{
    private readonly TaskCompletionSource<T> _result;
    private ActorPath _path;
    private Timer _timer;
    private CancellationTokenRegistration _cancellation;
    private TimeSpan _timeout;
    private int _completed;

    public FutureActorRef(TaskCompletionSource<T> result, ActorPath path, IActorRefProvider provider)
    {
        _result = result;
        _path = path;
        Provider = provider;
    }

    public override IActorRefProvider Provider { get; }

    public override ActorPath Path
    {
        get
        {
            if (_path is not null)
                return _path;
            var path = Provider.TempPath();
            if (Interlocked.CompareExchange(ref _path, path, null) is null && Volatile.Read(ref _completed) == 0)
            {
                Provider.RegisterTempActor(this, path);
                if (Volatile.Read(ref _completed) != 0)
                    Provider.UnregisterTempActor(path); // answered in between
            }

            return _path;
        }
    }

    public override IInternalActorRef Parent => Provider.TempContainer;

    internal Task<T> Task => _result.Task;

    /// <summary>Sends the question.</summary>
    public virtual void DeliverAsk(object message, ICanTell destination) => destination.Tell(message, this);

    protected override void TellInternal(object message, IActorRef sender)
    {
        if (message is ISystemMessage system)
        {
            SendSystemMessage(system);
            return;
        }

        if (!Complete(message) && !_result.Task.IsCanceled)
            Provider.DeadLetters.Tell(message, this);
    }

    public override void SendSystemMessage(ISystemMessage message)
    {
        if (message is Watch watch && watch.Watchee.Equals(this))
            watch.Watcher.SendSystemMessage(new DeathWatchNotification(this, existenceConfirmed: true, addressTerminated: false));
    }

    internal void ExpireAfter(TimeSpan timeout, CancellationToken cancellationToken)
    {
        _timeout = timeout;
        if (timeout > TimeSpan.Zero)
            _timer = new Timer(static state => ((FutureActorRef<T>)state).Expire(), this, timeout, Timeout.InfiniteTimeSpan);
        if (cancellationToken.CanBeCanceled)
            _cancellation = cancellationToken.UnsafeRegister(static (state, token) => ((FutureActorRef<T>)state).Cancel(token), this);
    }

    private bool Complete(object message)
    {
        var first = message switch
        {
            T answer when message is not Status.Failure || typeof(T) == typeof(Status.Failure) || typeof(T) == typeof(Status) => _result.TrySetResult(answer),
            null => _result.TrySetResult(default),
            Status.Failure failure => _result.TrySetException(
                failure.Cause ?? new TaskCanceledException("Task cancelled by actor via Failure message.")),
            _ => _result.TrySetException(new ArgumentException(
                $"Received message of type [{message.GetType()}] - Ask expected message of type [{typeof(T)}]")),
        };
        if (first)
            CleanUp();
        return first;
    }

    private void Expire()
    {
        if (_result.TrySetException(new AskTimeoutException($"Timeout after {_timeout} seconds")))
            CleanUp();
    }

    private void Cancel(CancellationToken token)
    {
        if (_result.TrySetCanceled(token))
            CleanUp();
    }

    private void CleanUp()
    {
        Volatile.Write(ref _completed, 1);
        Interlocked.MemoryBarrier();
        if (_path is { } path)
            Provider.UnregisterTempActor(path);
        _timer?.Dispose();
        _cancellation.Unregister();
    }
}
