using Tapwire.Wires;

namespace Tapwire.Links;

/// <summary>The driver's end of a pair whose other end an application has.</summary>
public abstract class DriverEnd : WatchedDescriptor
{
    private volatile bool _mayHaveInput = true;
    private volatile bool _mayBeHungUp = true;

    private protected DriverEnd(int descriptor, ulong handle)
        : base(descriptor) => Handle = handle;

    /// <summary>SO_COOKIE of the application's end: the socket's name in requests.</summary>
    public ulong Handle { get; }

    /// <summary>A hang-up has been reported, or nobody would report one.</summary>
    private protected bool MayBeHungUp => _mayBeHungUp;

    /// <summary>
    /// Begins to report readiness, edge-triggered. A report of <see cref="Readiness.Readable"/> may be spurious; <see cref="Readiness.HangUp"/> is
    /// reported whatever the interest.
    /// </summary>
    /// <param name="ready">Called on the reactor's thread; short, and must not throw.</param>
    public void Start(IReactor reactor, Readiness interest, Action<Readiness> ready)
    {
        _mayBeHungUp = false;
        Watch(reactor, interest, ready);
    }

    /// <summary>Changes what is reported; what is ready at that moment is reported anew.</summary>
    public void SetInterest(Readiness interest) => ChangeInterest(interest);

    /// <summary>False if no report of input has come since all input was taken. Clears the note, so that a report that comes from now on counts.</summary>
    private protected bool TakeInputNote()
    {
        if (!_mayHaveInput)
            return false;
        _mayHaveInput = !IsWatched;
        return true;
    }

    /// <summary>Notes that there may be more input than has been taken.</summary>
    private protected void NoteInput() => _mayHaveInput = true;

    private protected sealed override void Note(Readiness readiness)
    {
        if ((readiness & (Readiness.Readable | Readiness.HangUp)) != 0)
            _mayHaveInput = true;
        if ((readiness & Readiness.HangUp) != 0)
            _mayBeHungUp = true;
    }
}
