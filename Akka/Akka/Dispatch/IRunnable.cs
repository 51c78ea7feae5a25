namespace Akka.Dispatch;

/// <summary>A piece of work for a dispatcher.</summary>
public interface IRunnable : IThreadPoolWorkItem
{
    void Run();
}

public sealed class ActionRunnable : IRunnable
{
    private readonly Action _action;

    public ActionRunnable(Action action) => _action = action;

    public void Run() => _action();

    public void Execute() => _action();
}

public sealed class ActionWithStateRunnable : IRunnable
{
    private readonly Action<object> _actionWithState;
    private readonly object _state;

    public ActionWithStateRunnable(Action<object> actionWithState, object state)
    {
        _actionWithState = actionWithState;
        _state = state;
    }

    public void Run() => _actionWithState(_state);

    public void Execute() => _actionWithState(_state);
}

/// <summary>An executor has been shut down and takes no more work.</summary>
public class RejectedExecutionException : Actor.AkkaException
{
    public RejectedExecutionException(string message = null, Exception inner = null) : base(message, inner) { }
}
