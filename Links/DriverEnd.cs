using Tapwire.Wires;
using Tapwire.Wires.Posix;

namespace Tapwire.Links;

/// <summary>
/// The driver's end of a pair: a non-blocking descriptor that is closed exactly once, and its registration with a reactor. One owner calls it; nothing
/// here blocks. Only the readiness handler runs on the reactor's thread.
/// </summary>
public abstract class DriverEnd : IDisposable
{
    private int _descriptor;
    private IRegistration? _registration;
    private Action<Readiness>? _handler;
    private volatile bool _mayHaveInput = true;
    private volatile bool _mayBeHungUp = true;

    private protected DriverEnd(int descriptor, ulong handle)
    {
        _descriptor = descriptor;
        Handle = handle;
    }

    /// <summary>SO_COOKIE of the application's end: the socket's name in requests.</summary>
    public ulong Handle { get; }

    /// <summary>Nothing can be done with this end any more.</summary>
    public bool IsClosed => _descriptor < 0;

    private protected int Descriptor => _descriptor >= 0 ? _descriptor : throw new ObjectDisposedException(GetType().Name);

    /// <summary>
    /// Begins to report readiness, edge-triggered. A report of <see cref="Readiness.Readable"/> may be spurious; <see cref="Readiness.HangUp"/> is
    /// reported whatever the interest.
    /// </summary>
    /// <param name="ready">Called on the reactor's thread; short, and must not throw.</param>
    public void Start(IReactor reactor, Readiness interest, Action<Readiness> ready)
    {
        if (_registration is not null)
            throw new InvalidOperationException("This end is being watched already.");
        _handler = ready;
        _mayBeHungUp = false;
        _registration = reactor.Register(Descriptor, interest, OnReady);
    }

    /// <summary>Changes what is reported; what is ready at that moment is reported anew.</summary>
    public void SetInterest(Readiness interest) => _registration?.SetInterest(interest);

    /// <summary>Closes this end; see the class for what the application sees. A second call does nothing.</summary>
    public virtual void Dispose()
    {
        CloseDescriptor();
        GC.SuppressFinalize(this);
    }

    /// <summary>False if no report of input has come since all input was taken. Clears the note, so that a report that comes from now on counts.</summary>
    private protected bool TakeInputNote()
    {
        if (!_mayHaveInput)
            return false;
        _mayHaveInput = _registration is null;
        return true;
    }

    /// <summary>Notes that there may be more input than has been taken.</summary>
    private protected void NoteInput() => _mayHaveInput = true;

    /// <summary>A hang-up has been reported, or nobody would report one.</summary>
    private protected bool MayBeHungUp => _mayBeHungUp;

    private protected void CloseDescriptor()
    {
        if (_descriptor < 0)
            return;
        _registration?.Dispose();
        _registration = null;
        Libc.Close(_descriptor);
        _descriptor = -1;
    }

    /// <summary>Gives up the descriptor without closing it.</summary>
    private protected int Detach()
    {
        var descriptor = Descriptor;
        _registration?.Dispose();
        _registration = null;
        _descriptor = -1;
        return descriptor;
    }

    private void OnReady(Readiness readiness)
    {
        if ((readiness & (Readiness.Readable | Readiness.HangUp)) != 0)
            _mayHaveInput = true;
        if ((readiness & Readiness.HangUp) != 0)
            _mayBeHungUp = true;
        _handler!(readiness);
    }
}
