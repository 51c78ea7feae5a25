using Akka.Actor;

namespace Tapwire;

/// <summary>
/// The time of a lab, and all that is due at some moment of it: engines' deadlines, frames under way, programs' timers. It stands still until the loop takes the next of them. What is due at the
/// same moment comes in the order in which it was asked for. Any thread may ask.
/// </summary>
internal sealed class LabTimers
{
    private readonly Lock _gate = new();
    private readonly SortedSet<LabTimerEntry> _entries = new(Comparer<LabTimerEntry>.Create(static (a, b) => (a.Due, a.Order).CompareTo((b.Due, b.Order))));
    private long _elapsed;
    private long _order;

    /// <summary>How far time has come.</summary>
    public TimeSpan Elapsed => new(Volatile.Read(ref _elapsed));

    public bool IsEmpty
    {
        get
        {
            lock (_gate)
                return _entries.Count == 0;
        }
    }

    /// <param name="interval">Zero: once.</param>
    /// <param name="isProgram">It runs code of programs, which is the thread pool's; otherwise it runs on the loop.</param>
    public LabTimerEntry Add(TimeSpan delay, TimeSpan interval, Action run, bool isProgram, ICancelable? cancelable = null)
    {
        var entry = new LabTimerEntry(run, interval, isProgram);
        if (cancelable?.IsCancellationRequested == true)
            return entry;
        Enter(entry, delay);
        if (cancelable is not null)
            entry.Registration = cancelable.Token.UnsafeRegister(static (state, _) => (((LabTimers, LabTimerEntry))state!).Item1.Remove((((LabTimers, LabTimerEntry))state).Item2), (this, entry));
        return entry;
    }

    public void Remove(LabTimerEntry entry)
    {
        lock (_gate)
            _entries.Remove(entry);
    }

    /// <summary>Goes on to the next moment at which something is due, and takes that.</summary>
    /// <param name="limit">Time goes no further.</param>
    public LabTimerEntry? TakeNext(TimeSpan limit)
    {
        lock (_gate)
            return _entries.Min is { } first && first.Due <= limit.Ticks ? Take(first) : null;
    }

    /// <summary>Takes what else is due at this moment and is not a program's.</summary>
    public LabTimerEntry? TakeDue()
    {
        lock (_gate)
            return _entries.Min is { IsProgram: false } first && first.Due <= _elapsed ? Take(first) : null;
    }

    private LabTimerEntry Take(LabTimerEntry entry)
    {
        _entries.Remove(entry);
        Volatile.Write(ref _elapsed, Math.Max(_elapsed, entry.Due));
        if (entry.Interval > TimeSpan.Zero)
        {
            (entry.Due, entry.Order) = (entry.Due + entry.Interval.Ticks, _order++);
            _entries.Add(entry);
        }
        else
        {
            entry.Registration.Unregister();
        }

        return entry;
    }

    private void Enter(LabTimerEntry entry, TimeSpan delay)
    {
        lock (_gate)
        {
            entry.Due = Math.Max(delay.Ticks, 0) > long.MaxValue - _elapsed ? long.MaxValue : _elapsed + Math.Max(delay.Ticks, 0);
            entry.Order = _order++;
            _entries.Add(entry);
        }
    }
}

/// <summary>Something that is due at a moment of a lab's time.</summary>
internal sealed class LabTimerEntry(Action run, TimeSpan interval, bool isProgram)
{
    public long Due { get; set; }

    public long Order { get; set; }

    public TimeSpan Interval => interval;

    public bool IsProgram => isProgram;

    public CancellationTokenRegistration Registration { get; set; }

    public void Run() => run();
}
