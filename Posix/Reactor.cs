using System.Diagnostics;
using static Tapwire.Posix.Libc;

namespace Tapwire.Posix;

/// <summary>
/// One thread that waits for descriptors (epoll) and runs posted work. With the actors' mailboxes posted here, a frame goes from the device's descriptor to the
/// application's without crossing threads. With nothing to do the thread sleeps in the kernel.
/// </summary>
/// <remarks>
/// Order: work that one thread posts runs in the order of its posting. Fairness: while there is work, posted or found by speculative reads, the kernel is asked
/// about descriptors after every 256 items or some 100 µs, whichever comes first. The handler of each report runs once, then work goes on.
/// </remarks>
public sealed unsafe class Reactor : IReactor, IDisposable
{
    private const int BatchItems = 256;
    private const int BatchMicroseconds = 100;
    private const int EventsPerWait = 128;

    // How many rounds of speculative reads may find nothing, one after the other, before the kernel is asked about all descriptors. It begins with one round, grows by
    // one for every four that have found something, and falls back to one when a descriptor that is not speculative had to wait for the kernel to be asked.
    private const int MostTrials = 8;
    private const int FindsPerTrial = 4;
    private const ulong WakeData = ulong.MaxValue;

    private static readonly long BatchTicks = Stopwatch.Frequency * BatchMicroseconds / 1_000_000;

    [ThreadStatic]
    private static Reactor? t_current;

    private readonly Action<Exception> _failed;
    private readonly Thread _thread;
    private readonly long _spinTicks;
    private SpinGauge _gauge;
    private int _finds;

    // Items that have run since the kernel was last asked, and when to ask again; 0: not decided yet.
    private int _ran;
    private long _askAt;
    private readonly int _epoll;
    private readonly int _wakeDescriptor;
    private readonly RegistrationTable _registrations;
    private readonly RunQueue _queue = new();

    // Guards what other threads touch: _posted, _hasPosted, _sleeping, _stopping, _ended. Held for a few instructions.
    private readonly Lock _postLock = new();
    private readonly RunQueue _posted = new();
    private volatile bool _hasPosted;
    private bool _sleeping;
    private volatile bool _stopping;
    private bool _ended;

    // Held while the wake descriptor is written or closed, so that a late wake-up never writes to a descriptor that has got the same number.
    private readonly Lock _wakeLock = new();
    private bool _closed;

    /// <summary>Starts the loop on a background thread.</summary>
    /// <param name="name">The thread's name.</param>
    /// <param name="failed">Called on the loop's thread with what posted work or a handler has thrown. The loop goes on. Must not throw.</param>
    /// <param name="spin">How long to look for work before sleeping, 0 to 1 ms. Saves the cost of waking a core (8 to 30 µs) if the next event comes that soon.
    /// It is done only while events do come that soon (<see cref="SpinGauge"/>), and yields the processor to others; an idle reactor sleeps.</param>
    /// <exception cref="PosixException">No descriptors left.</exception>
    public Reactor(string name, Action<Exception> failed, TimeSpan spin = default)
    {
        ArgumentNullException.ThrowIfNull(failed);
        ArgumentOutOfRangeException.ThrowIfLessThan(spin, TimeSpan.Zero);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(spin, TimeSpan.FromMilliseconds(1));
        _failed = failed;
        _spinTicks = (long)(spin.TotalSeconds * Stopwatch.Frequency);
        _gauge = new SpinGauge(_spinTicks);
        _epoll = Errors.Check(epoll_create1(EPOLL_CLOEXEC), "epoll_create1");
        _wakeDescriptor = OpenWakeDescriptor(_epoll);
        _registrations = new RegistrationTable(_epoll);
        _thread = new Thread(Run) { Name = name, IsBackground = true };
        _thread.Start();
    }

    /// <summary>The calling code runs on this reactor's thread.</summary>
    public bool IsCurrent => t_current == this;

    /// <summary>How often the thread has slept in the kernel.</summary>
    internal long Sleeps { get; private set; }

    /// <summary>Runs work on the loop's thread, after what the calling thread has posted before. Any thread may call. Allocates nothing once the queue has
    /// grown, and calls the kernel only if the loop sleeps.</summary>
    /// <exception cref="ObjectDisposedException">The loop has ended.</exception>
    public void Post(Action<object?> work, object? state) => ObjectDisposedException.ThrowIf(!TryPost(work, state), this);

    /// <summary>As <see cref="Post"/>; false if the loop has ended.</summary>
    public bool TryPost(Action<object?> work, object? state)
    {
        if (t_current == this)
        {
            _queue.Enqueue(new WorkItem(work, state));
            return true;
        }

        bool wake;
        lock (_postLock)
        {
            if (_ended)
                return false;
            _posted.Enqueue(new WorkItem(work, state));
            _hasPosted = true;
            wake = _sleeping;
            _sleeping = false;
        }

        if (wake)
            Wake();
        return true;
    }

    /// <inheritdoc/>
    /// <exception cref="PosixException">The descriptor cannot be watched: it is a file, is not open, or is registered already.</exception>
    /// <exception cref="ObjectDisposedException">The loop has ended.</exception>
    public IRegistration Register(int descriptor, Readiness interest, Action<object?, Readiness> ready, object? state) =>
        _registrations.Add(descriptor, interest, ready, state);

    /// <summary>
    /// Ends the loop once all posted work is done, and the work that this has posted; then closes the loop's descriptors. Waits for that, unless called on the
    /// loop's own thread. Descriptors that are still registered are no longer watched.
    /// </summary>
    public void Dispose()
    {
        _stopping = true;
        if (IsCurrent)
            return;

        Wake();
        _thread.Join();
    }

    private static int OpenWakeDescriptor(int epoll)
    {
        var descriptor = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (descriptor >= 0 && EpollControl(epoll, EPOLL_CTL_ADD, descriptor, EPOLLIN | EPOLLET, WakeData) == 0)
            return descriptor;

        var errno = Errno;
        if (descriptor >= 0)
            Close(descriptor);
        Close(epoll);
        throw Errors.Exception("eventfd", errno);
    }

    private void Run()
    {
        t_current = this;
        var events = stackalloc byte[EventsPerWait * EpollEventSize];
        while (true)
        {
            TakePosted();
            RunBatch();
            if (_queue.Count > 0 || _hasPosted)
                Dispatch(events, WaitFor(events, 0));
            else if (!_stopping)
                Idle(events);
            else if (TryEnd())
                break;
        }

        _registrations.Close();
        lock (_wakeLock)
        {
            _closed = true;
            Close(_wakeDescriptor);
        }

        Close(_epoll);
    }

    private void TakePosted()
    {
        if (!_hasPosted)
            return;
        lock (_postLock)
        {
            _posted.MoveTo(_queue);
            _hasPosted = false;
        }
    }

    /// <summary>Runs queued items until none is left or it is time to ask the kernel about descriptors.</summary>
    /// <returns>The number of items.</returns>
    private int RunBatch()
    {
        var count = 0;
        for (; _queue.Count > 0 && !IsTimeToAsk(); count++)
        {
            var item = _queue.Dequeue();
            try
            {
                item.Work(item.State);
            }
            catch (Exception e)
            {
                _failed(e);
            }
        }

        return count;
    }

    /// <summary>Called before each item. Reading the clock costs as much as a small item, so it is read before every fourth, and the time counts from the first
    /// reading.</summary>
    private bool IsTimeToAsk()
    {
        if (_ran < BatchItems && _ran++ % 4 == 3)
        {
            var now = Stopwatch.GetTimestamp();
            if (_askAt == 0)
                _askAt = now + BatchTicks;
            else if (now > _askAt)
                _ran = BatchItems;
        }

        return _ran >= BatchItems;
    }

    /// <summary>Nothing to run: spins for a while if that pays, then sleeps until something happens.</summary>
    private void Idle(byte* events)
    {
        if (_gauge.IsWorthwhile)
        {
            var found = Spin(events);
            _gauge.Looked(found);
            if (found)
                return;
        }

        // One lock for both sides: either this thread sees the posted work here, or the posting thread sees that this one sleeps, and wakes it.
        lock (_postLock)
        {
            if (_hasPosted || _stopping)
                return;
            _sleeping = true;
        }

        Sleeps++;
        var begin = Stopwatch.GetTimestamp();
        var count = WaitFor(events, -1);
        _gauge.Slept(Stopwatch.GetTimestamp() - begin);
        lock (_postLock)
            _sleeping = false;
        Dispatch(events, count);
    }

    private bool Spin(byte* events)
    {
        var end = 0L;
        while (true)
        {
            if (Speculate())
                return true;
            var count = WaitFor(events, 0);
            if (count > 0)
            {
                Dispatch(events, count);
                return true;
            }

            if (_hasPosted || _stopping)
                return true;

            // The clock is read only now: the first look often finds something.
            var now = Stopwatch.GetTimestamp();
            if (end == 0)
                end = now + _spinTicks;
            else if (now >= end)
                return false;
            _ = sched_yield();
        }
    }

    /// <summary>Tries speculative reads instead of asking the kernel. True: one has found something.</summary>
    private bool Speculate()
    {
        var trials = Math.Max(_finds / FindsPerTrial, 1);
        for (var i = 0; i < trials && _ran < BatchItems && !_hasPosted; i++)
        {
            if (!SpeculateOnce())
                continue;
            _finds = Math.Min(_finds + 1, MostTrials * FindsPerTrial);
            return true;
        }

        return false;
    }

    /// <summary>
    /// One round: each owner of a speculative descriptor tries to read. True: one has found something, since there was more work than the trials themselves. An owner that
    /// runs on another thread is left out from now on: a thread that sleeps is not woken for a mere trial.
    /// </summary>
    private bool SpeculateOnce()
    {
        var trials = 0;
        foreach (var registration in _registrations.Speculative)
        {
            if (!registration.IsSpeculative)
                continue;
            var before = _queue.Count;
            Report(registration, Readiness.Readable | Readiness.Speculative);
            if (_queue.Count > before)
                trials++;
            else
                _registrations.StopSpeculating(registration);
        }

        return RunBatch() > trials || _queue.Count > 0;
    }

    private int WaitFor(byte* events, int timeout)
    {
        _ran = 0;
        _askAt = 0;
        var count = epoll_wait(_epoll, events, EventsPerWait, timeout);
        if (count >= 0)
            return count;
        if (Errno != Errors.EINTR)
            Environment.FailFast($"epoll_wait: {Errors.Describe(Errno)}: somebody has closed the reactor's descriptor.");
        return 0;
    }

    private void Dispatch(byte* events, int count)
    {
        for (var i = 0; i < count; i++)
        {
            var (bits, data) = EpollEventAt(events, i);

            // The wake descriptor is edge-triggered: each write reports anew, so that it need not be read.
            if (data == WakeData || _registrations.Find(data) is not { } registration)
                continue;
            if (!registration.IsSpeculative)
                _finds = 0;
            Report(registration, RegistrationTable.ReadinessOf(bits));
        }
    }

    private void Report(RegistrationTable.Registration registration, Readiness readiness)
    {
        try
        {
            registration.Report(readiness);
        }
        catch (Exception e)
        {
            _failed(e);
        }
    }

    private bool TryEnd()
    {
        lock (_postLock)
            return _ended = !_hasPosted;
    }

    private void Wake()
    {
        lock (_wakeLock)
        {
            if (_closed)
                return;
            ulong one = 1;
            _ = write(_wakeDescriptor, &one, sizeof(ulong));
        }
    }
}
