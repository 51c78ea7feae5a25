using static Tapwire.Posix.Libc;

namespace Tapwire.Posix;

/// <summary>The driver's end of a socket pair whose other end an application has, or of a host's connection. Keeps track of what the reactor has reported.</summary>
public abstract class DriverEnd : WatchedDescriptor
{
    private volatile bool _mayHaveInput = true;
    private volatile bool _mayBeHungUp = true;
    private bool _awaitsRoom;
    private Readiness _interest;

    protected DriverEnd(int descriptor, ulong handle)
        : base(descriptor) => Handle = handle;

    /// <summary>SO_COOKIE of the application's end: the socket's name in requests.</summary>
    public ulong Handle { get; }

    /// <summary>A hang-up has been reported; or no reactor watches that would report one.</summary>
    protected bool MayBeHungUp => _mayBeHungUp;

    /// <summary>
    /// Begins to report readiness, edge-triggered. A report of <see cref="Readiness.Readable"/> may be spurious; <see cref="Readiness.HangUp"/> is
    /// reported whatever the interest.
    /// </summary>
    /// <param name="ready">Called on the reactor's thread; short, and must not throw.</param>
    public void Start(IReactor reactor, Readiness interest, Action<Readiness> ready) => Start(reactor, interest, ReactorExtensions.Invoke, ready);

    /// <inheritdoc cref="Start(IReactor, Readiness, Action{Readiness})"/>
    /// <param name="state">Given to <paramref name="ready"/>, so that one handler can serve any number of descriptors.</param>
    public void Start(IReactor reactor, Readiness interest, Action<object?, Readiness> ready, object? state)
    {
        _mayBeHungUp = false;
        _interest = interest;
        Watch(reactor, interest, ready, state);
    }

    /// <summary>Turns reports of room to write on or off, beside those of input. Costs a system call only where that changes.</summary>
    public void AwaitRoom(bool wanted)
    {
        if (_awaitsRoom == wanted)
            return;
        _awaitsRoom = wanted;
        SetInterest(wanted ? Readiness.Readable | Readiness.Writable : Readiness.Readable);
    }

    /// <summary>Changes what is reported. Whatever is ready at that moment is reported anew.</summary>
    public void SetInterest(Readiness interest)
    {
        _interest = interest;
        ChangeInterest(interest);
    }

    /// <summary>The other end is closed: its last descriptor is gone. Says nothing about bytes still to be read.</summary>
    public bool IsHungUp() => (SocketPair.Poll(Descriptor, POLLRDHUP) & (POLLHUP | POLLERR)) != 0;

    /// <summary>Unread bytes in the kernel's receive queue.</summary>
    protected unsafe int QueuedBytes()
    {
        int queued;
        return ioctl(Descriptor, FIONREAD, &queued) == 0 ? queued : 0;
    }

    /// <summary>Whether there may be input: false if none was reported since all input was taken. Clears the note, so that only a later report counts.</summary>
    protected bool TakeInputNote()
    {
        if (!_mayHaveInput)
            return false;
        _mayHaveInput = !IsWatched;
        return true;
    }

    /// <summary>Notes that there may be more input than has been taken.</summary>
    protected void NoteInput() => _mayHaveInput = true;

    /// <summary>
    /// Has the reactor report what is ready once more. For a read that has failed for want of memory, or that found nothing where there is something: the
    /// descriptor's state has not changed, so that an edge-triggered watch would report nothing.
    /// </summary>
    protected void ReportAnew()
    {
        NoteInput();
        ChangeInterest(_interest);
    }

    /// <summary>What a failed write means.</summary>
    protected WriteResult WriteFailed(int errno)
    {
        switch (errno)
        {
            case Errors.EPIPE or Errors.ECONNRESET:
                return WriteResult.Closed;
            case Errors.ENOBUFS or Errors.ENOMEM or Errors.ETOOMANYREFS:
                // The pair has room, but the kernel has no memory, or passes no more descriptors. The pair's state does not change, so that only a renewed interest
                // brings a report.
                ChangeInterest(_interest);
                return WriteResult.Full;
            default:
                return WriteResult.Full;
        }
    }

    protected sealed override void Note(Readiness readiness)
    {
        if ((readiness & (Readiness.Readable | Readiness.HangUp)) != 0)
            _mayHaveInput = true;
        if ((readiness & Readiness.HangUp) != 0)
            _mayBeHungUp = true;
    }
}
