using Akka.Actor;
using Akka.Configuration;
using Akka.Dispatch;
using Akka.Event;
using Akka.Util;

namespace Akka.TestKit;

/// <summary>
/// A scheduler whose time stands still until the test moves it. Choose it with
/// <c>akka.scheduler.implementation = "Akka.TestKit.TestScheduler, Akka.TestKit"</c>.
/// </summary>
public class TestScheduler : IScheduler, IAdvancedScheduler
{
    // By due time; what is due at the same time stands in the order in which it was scheduled.
    private readonly SortedDictionary<long, List<Item>> _items = [];
    private DateTimeOffset _now = DateTimeOffset.UtcNow;

    /// <param name="schedulerConfig">The section <c>akka.scheduler</c>; nothing in it concerns a time that stands still.</param>
    public TestScheduler(Config schedulerConfig, ILoggingAdapter log)
    {
    }

    /// <summary>The time to which the test has moved this scheduler; at first that of its creation.</summary>
    public DateTimeOffset Now
    {
        get
        {
            lock (_items)
                return _now;
        }
    }

    public TimeSpan MonotonicClock => Util.MonotonicClock.Elapsed;

    public TimeSpan HighResMonotonicClock => Util.MonotonicClock.ElapsedHighRes;

    public IAdvancedScheduler Advanced => this;

    protected DateTimeOffset TimeNow => Now;

    /// <summary>
    /// Moves time forward and runs what has become due, in the order of the due times, on this thread. What repeats runs once, and is due again
    /// one interval after the new time. What is scheduled meanwhile waits for the next call, even if it is due at once. What an action throws
    /// ends the call; the rest runs with the next one.
    /// </summary>
    public void Advance(TimeSpan offset)
    {
        var due = new Queue<(long Time, Item Item)>();
        lock (_items)
        {
            _now += offset;
            foreach (var time in _items.Keys.TakeWhile(time => time <= _now.UtcTicks).ToList())
            {
                _items[time].ForEach(item => due.Enqueue((time, item)));
                _items.Remove(time);
            }
        }
        try
        {
            while (due.TryDequeue(out var next))
                Run(next.Item);
        }
        finally
        {
            foreach (var (time, item) in due)
                Add(time, item);
        }
    }

    /// <exception cref="InvalidOperationException">That time has passed.</exception>
    public void AdvanceTo(DateTimeOffset when)
    {
        var now = Now;
        if (when < now)
            throw new InvalidOperationException("You can't reverse time...");
        Advance(when - now);
    }

    public void ScheduleTellOnce(TimeSpan delay, ICanTell receiver, object message, IActorRef sender) =>
        ScheduleTellOnce(delay, receiver, message, sender, null);

    public void ScheduleTellOnce(TimeSpan delay, ICanTell receiver, object message, IActorRef sender, ICancelable cancelable) =>
        ScheduleOnce(delay, () => receiver.Tell(message, sender), cancelable);

    public void ScheduleTellRepeatedly(TimeSpan initialDelay, TimeSpan interval, ICanTell receiver, object message, IActorRef sender) =>
        ScheduleTellRepeatedly(initialDelay, interval, receiver, message, sender, null);

    public void ScheduleTellRepeatedly(
        TimeSpan initialDelay, TimeSpan interval, ICanTell receiver, object message, IActorRef sender, ICancelable cancelable) =>
        ScheduleRepeatedly(initialDelay, interval, () => receiver.Tell(message, sender), cancelable);

    public void ScheduleOnce(TimeSpan delay, Action action) => ScheduleOnce(delay, action, null);

    public void ScheduleOnce(TimeSpan delay, Action action, ICancelable cancelable) => Add(delay, new Item(action, null, cancelable));

    public void ScheduleOnce(TimeSpan delay, IRunnable action) => ScheduleOnce(delay, action.Run, null);

    public void ScheduleOnce(TimeSpan delay, IRunnable action, ICancelable cancelable) => ScheduleOnce(delay, action.Run, cancelable);

    public void ScheduleRepeatedly(TimeSpan initialDelay, TimeSpan interval, Action action) =>
        ScheduleRepeatedly(initialDelay, interval, action, null);

    public void ScheduleRepeatedly(TimeSpan initialDelay, TimeSpan interval, Action action, ICancelable cancelable) =>
        Add(initialDelay, new Item(action, interval, cancelable));

    public void ScheduleRepeatedly(TimeSpan initialDelay, TimeSpan interval, IRunnable action) =>
        ScheduleRepeatedly(initialDelay, interval, action.Run, null);

    public void ScheduleRepeatedly(TimeSpan initialDelay, TimeSpan interval, IRunnable action, ICancelable cancelable) =>
        ScheduleRepeatedly(initialDelay, interval, action.Run, cancelable);

    private void Run(Item item)
    {
        if (item.IsCancelled)
            return;
        item.Action();
        if (item.Interval is { } interval && !item.IsCancelled)
            Add(interval, item);
    }

    private void Add(TimeSpan delay, Item item) => Add((Now + delay).UtcTicks, item);

    private void Add(long time, Item item)
    {
        lock (_items)
        {
            if (!_items.TryGetValue(time, out var sameTime))
                _items.Add(time, sameTime = []);
            sameTime.Add(item);
        }
    }

    private sealed record Item(Action Action, TimeSpan? Interval, ICancelable Cancelable)
    {
        public bool IsCancelled => Cancelable is { IsCancellationRequested: true };
    }
}
