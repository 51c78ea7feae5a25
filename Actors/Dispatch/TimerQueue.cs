#nullable enable
using System.Diagnostics;
using Akka.Actor;
using Akka.Dispatch;

namespace Tapwire.Actors.Dispatch;

/// <summary>
/// Timers in a heap, and one thread that sleeps exactly until the earliest is due: no tick, no wake-up while nothing is due, and no thread before the first
/// timer. A cancelled timer leaves at once. Times are those of <see cref="Stopwatch"/>.
/// </summary>
internal sealed class TimerQueue : IDisposable
{
    private const int Arity = 4;
    private static readonly long TicksPerMillisecond = Stopwatch.Frequency / 1000;

    private readonly object _lock = new();
    private readonly string _name;
    private readonly Action<Exception> _onError;
    private TimerEntry[] _heap = new TimerEntry[16];
    private int _count;
    private long _arrivals;
    private long _wakeAt = long.MinValue; // the thread is awake
    private Thread? _thread;
    private bool _stopped;

    /// <param name="onError">Called with an exception of an entry; the queue continues.</param>
    public TimerQueue(string name, Action<Exception> onError)
    {
        _name = name;
        _onError = onError;
    }

    /// <summary>The number of waiting timers.</summary>
    public int Count
    {
        get
        {
            lock (_lock)
                return _count;
        }
    }

    /// <summary>Adds a timer, unless it is already cancelled.</summary>
    /// <param name="interval">Zero for a timer that fires once. A repeating one keeps its phase and skips missed times.</param>
    /// <exception cref="SchedulerException">The queue has been stopped.</exception>
    public void Schedule(TimerEntry entry, TimeSpan delay, TimeSpan interval, ICancelable? cancelable)
    {
        if (cancelable is not null)
        {
            if (cancelable.IsCancellationRequested)
                return;
            entry.Owner = this;
            // This precedes the insertion into the queue, so that a firing entry knows what to unregister.
            entry.Registration = cancelable.Token.UnsafeRegister(static state => ((TimerEntry)state!).Cancel(), entry);
        }

        entry.Interval = ToTicks(interval);
        lock (_lock)
        {
            if (_stopped)
                throw new SchedulerException("cannot enqueue after timer shutdown");
            if (entry.IsCancelled)
                return;
            entry.Due = Stopwatch.GetTimestamp() + ToTicks(delay);
            Insert(entry);
            if (_thread is null)
                StartThread();
            else if (entry.Due < _wakeAt)
                Monitor.Pulse(_lock);
        }
    }

    /// <summary>Stops the thread; timers that have not fired do not fire any more.</summary>
    /// <param name="timeout">How long to wait for an entry that is firing.</param>
    /// <returns>Whether the thread has ended.</returns>
    public bool Stop(TimeSpan timeout)
    {
        Thread? thread;
        lock (_lock)
        {
            _stopped = true;
            _count = 0;
            _heap = [];
            thread = _thread;
            Monitor.PulseAll(_lock);
        }

        return thread is null || thread == Thread.CurrentThread || thread.Join(timeout);
    }

    public void Dispose() => Stop(TimeSpan.Zero);

    internal void Remove(TimerEntry entry)
    {
        lock (_lock)
        {
            if (entry.Index >= 0 && !_stopped)
                RemoveAt(entry.Index);
        }
    }

    private static long ToTicks(TimeSpan time) =>
        (long)Math.Min(time.Ticks * (Stopwatch.Frequency / (double)TimeSpan.TicksPerSecond), long.MaxValue / 2);

    private void StartThread()
    {
        _thread = new Thread(Run) { IsBackground = true, Name = _name };
        _thread.UnsafeStart();
    }

    private void Run()
    {
        while (NextDue() is { } entry)
        {
            try
            {
                if (!entry.IsCancelled)
                    entry.Fire();
            }
            catch (Exception e)
            {
                _onError(e);
            }
        }
    }

    /// <summary>Waits for the earliest timer. Takes it, or schedules its next time; null once stopped.</summary>
    private TimerEntry? NextDue()
    {
        lock (_lock)
        {
            while (!_stopped)
            {
                if (_count == 0)
                {
                    Wait(long.MaxValue, Timeout.Infinite);
                    continue;
                }

                var entry = _heap[0];
                var now = Stopwatch.GetTimestamp();
                var early = entry.Due - now;
                if (early > 0)
                {
                    Wait(entry.Due, (int)Math.Min((early + TicksPerMillisecond - 1) / TicksPerMillisecond, int.MaxValue - 1));
                    continue;
                }

                RemoveAt(0);
                if (entry.Interval > 0)
                {
                    entry.Due += (1 + (-early / entry.Interval)) * entry.Interval;
                    Insert(entry);
                }
                else
                {
                    entry.Registration.Unregister();
                }

                return entry;
            }

            return null;
        }
    }

    private void Wait(long wakeAt, int milliseconds)
    {
        _wakeAt = wakeAt;
        Monitor.Wait(_lock, milliseconds);
        _wakeAt = long.MinValue;
    }

    private void Insert(TimerEntry entry)
    {
        if (_count == _heap.Length)
            Array.Resize(ref _heap, _count * 2);
        entry.Arrival = _arrivals++;
        SiftUp(_count++, entry);
    }

    private void RemoveAt(int index)
    {
        _heap[index].Index = -1;
        var last = _heap[--_count];
        _heap[_count] = null!;
        if (index < _count)
        {
            if (index > 0 && last.IsBefore(_heap[(index - 1) / Arity]))
                SiftUp(index, last);
            else
                SiftDown(index, last);
        }

        if (_heap.Length > 1024 && _count < _heap.Length / 4)
            Array.Resize(ref _heap, _heap.Length / 2);
    }

    private void SiftUp(int index, TimerEntry entry)
    {
        while (index > 0)
        {
            var parent = (index - 1) / Arity;
            if (!entry.IsBefore(_heap[parent]))
                break;
            Place(index, _heap[parent]);
            index = parent;
        }

        Place(index, entry);
    }

    private void SiftDown(int index, TimerEntry entry)
    {
        while (true)
        {
            var first = (index * Arity) + 1;
            if (first >= _count)
                break;
            var least = first;
            for (var child = first + 1; child < Math.Min(first + Arity, _count); child++)
            {
                if (_heap[child].IsBefore(_heap[least]))
                    least = child;
            }

            if (!_heap[least].IsBefore(entry))
                break;
            Place(index, _heap[least]);
            index = least;
        }

        Place(index, entry);
    }

    private void Place(int index, TimerEntry entry)
    {
        _heap[index] = entry;
        entry.Index = index;
    }
}

/// <summary>A timer of a <see cref="TimerQueue"/>.</summary>
internal abstract class TimerEntry
{
    public long Due;
    public long Interval;
    public long Arrival;
    public int Index = -1;
    public TimerQueue? Owner;
    public CancellationTokenRegistration Registration;
    private volatile bool _cancelled;

    public bool IsCancelled => _cancelled;

    public bool IsBefore(TimerEntry other) => Due != other.Due ? Due < other.Due : Arrival < other.Arrival;

    /// <summary>Called on the queue's thread.</summary>
    public abstract void Fire();

    public void Cancel()
    {
        _cancelled = true;
        Owner?.Remove(this);
    }
}

internal sealed class TellEntry(ICanTell receiver, object message, IActorRef sender) : TimerEntry
{
    public override void Fire() => receiver.Tell(message, sender);
}

internal sealed class ActionEntry(Action action) : TimerEntry
{
    public override void Fire() => action();
}

internal sealed class RunnableEntry(IRunnable runnable) : TimerEntry
{
    public override void Fire() => runnable.Run();
}
