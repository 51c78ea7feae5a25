using Tapwire.Posix;

namespace Tapwire.Wires;

/// <summary>
/// The watch of a device's descriptor, for an owner that is notified by messages and reads later. The watch is level-triggered. So a batch of reads need not
/// continue until one finds nothing, which costs as much as finding a frame: frames left unread are reported again. A report is not repeated before the owner
/// has acted on it. While the device is full or gone the watch is edge-triggered: a device that has room, or is gone, would be reported all the time.
/// </summary>
/// <param name="ready">The owner's handler; called on the reactor's thread.</param>
internal sealed class DeviceWatch(Action<Readiness> ready) : IDisposable
{
    // What the owner has been told since its last read: nothing; that there are frames; or that, with the watch edge-triggered until the owner reads, so that
    // only new frames wake the reactor. (Without any interest it would miss the end of a device, which wakes those who wait for frames.)
    private const int Quiet = 0;
    private const int Told = 1;
    private const int Mute = 2;

    private readonly Lock _lock = new();
    private IRegistration? _registration;
    private int _told;
    private volatile bool _wantsRoom;
    private volatile bool _hungUp;
    private bool _disposed;

    /// <summary>A tun device reports an error only while it is being removed; reads may still say "nothing there" for a moment.</summary>
    public bool HasHungUp => _hungUp;

    private bool IsLevel => !_hungUp && !_wantsRoom;

    public void Start(IReactor reactor, int descriptor)
    {
        var registration = reactor.Register(descriptor, Readiness.Readable | Readiness.Level | Readiness.Speculative, Report);
        lock (_lock)
            _registration = registration;
    }

    /// <summary>The owner reads now. True: frames that it leaves are reported; false: it must read until none is left.</summary>
    public bool BeginRead()
    {
        if (Interlocked.Exchange(ref _told, Quiet) == Mute)
            Watch();
        return IsLevel;
    }

    /// <summary>The device is full, or no longer full.</summary>
    public void WatchForRoom(bool wanted)
    {
        if (!_wantsRoom && !wanted)
            return;
        _wantsRoom = wanted;
        Watch();
    }

    public void Dispose()
    {
        lock (_lock)
        {
            _disposed = true;
            _registration?.Dispose();
        }
    }

    private void Report(Readiness readiness)
    {
        if ((readiness & Readiness.Speculative) != 0)
        {
            if (IsLevel && Interlocked.CompareExchange(ref _told, Told, Quiet) == Quiet)
                ready(Readiness.Readable);
            return;
        }

        if ((readiness & Readiness.HangUp) != 0 && !_hungUp)
        {
            _hungUp = true;
            ready(readiness);
            Watch();
            return;
        }

        if (!IsLevel || Interlocked.CompareExchange(ref _told, Told, Quiet) == Quiet)
        {
            ready(readiness);
            return;
        }

        lock (_lock)
        {
            if (!IsLevel || Volatile.Read(ref _told) == Mute)
                return;
            Watch(Readiness.Readable);

            // The owner may have read at this moment, on another thread, when there was nothing to undo yet.
            if (Interlocked.CompareExchange(ref _told, Mute, Told) == Quiet)
                Watch();
        }
    }

    private void Watch()
    {
        lock (_lock)
        {
            Watch(Readiness.Readable | (_wantsRoom ? Readiness.Writable : Readiness.None) | (IsLevel ? Readiness.Level | Readiness.Speculative : Readiness.None));
        }
    }

    /// <summary>Sets the interest. Called with the lock held.</summary>
    private void Watch(Readiness interest)
    {
        if (!_disposed)
            _registration?.SetInterest(interest);
    }
}
