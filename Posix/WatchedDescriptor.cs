namespace Tapwire.Posix;

/// <summary>
/// A non-blocking descriptor, closed exactly once, and its registration with a reactor. It has one owner. The readiness handler runs on the reactor's thread.
/// </summary>
public abstract class WatchedDescriptor : IDisposable
{
    private static readonly Action<object?, Readiness> Ready = static (descriptor, readiness) => ((WatchedDescriptor)descriptor!).OnReady(readiness);

    private int _descriptor;
    private IRegistration? _registration;
    private Action<object?, Readiness>? _handler;
    private object? _state;

    protected WatchedDescriptor(int descriptor) => _descriptor = descriptor;

    /// <summary>The descriptor has been closed, or given up.</summary>
    public bool IsClosed => _descriptor < 0;

    protected int Descriptor => _descriptor >= 0 ? _descriptor : throw new ObjectDisposedException(GetType().Name);

    protected bool IsWatched => _registration is not null;

    /// <summary>Closes the descriptor. A second call does nothing.</summary>
    public virtual void Dispose()
    {
        CloseDescriptor();
        GC.SuppressFinalize(this);
    }

    protected void Watch(IReactor reactor, Readiness interest, Action<Readiness> ready) => Watch(reactor, interest, ReactorExtensions.Invoke, ready);

    protected void Watch(IReactor reactor, Readiness interest, Action<object?, Readiness> ready, object? state)
    {
        if (_registration is not null)
            throw new InvalidOperationException("This descriptor is being watched already.");
        _handler = ready;
        _state = state;
        _registration = reactor.Register(Descriptor, interest, Ready, this);
    }

    protected void ChangeInterest(Readiness interest) => _registration?.SetInterest(interest);

    /// <summary>Called on the reactor's thread before the handler.</summary>
    protected virtual void Note(Readiness readiness)
    {
    }

    protected void CloseDescriptor()
    {
        if (_descriptor >= 0)
            Libc.Close(Detach());
    }

    /// <summary>Gives up the descriptor without closing it.</summary>
    protected int Detach()
    {
        var descriptor = Descriptor;
        _registration?.Dispose();
        _registration = null;
        _descriptor = -1;
        return descriptor;
    }

    private void OnReady(Readiness readiness)
    {
        Note(readiness);
        _handler!(_state, readiness);
    }
}
