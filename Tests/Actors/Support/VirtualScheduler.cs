using Akka.Actor;
using Akka.Configuration;
using Akka.Dispatch;
using Akka.Event;

namespace Tapwire.Tests.Actors.Support;

/// <summary>
/// A scheduler whose time stands still until the spec moves it. Unlike TestKit's own TestScheduler it goes from one deadline to the next, so that what is due
/// later sees the later time, and runs what is scheduled meanwhile if that becomes due, too.
/// </summary>
internal sealed class VirtualScheduler(Config config, ILoggingAdapter log) : SchedulerBase(config, log), IDateTimeOffsetNowTimeProvider
{
    /// <summary>A time stands still that more is due at than this: something schedules itself again and again.</summary>
    private const int MostAtOneTime = 1_000_000;

    private static readonly DateTimeOffset Origin = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);

    // In the order of the due times; what is due at the same time in the order in which it was scheduled.
    private readonly PriorityQueue<Entry, (TimeSpan Due, long Order)> _entries = new();
    private long _scheduled;

    /// <summary>How far the spec has moved time.</summary>
    public TimeSpan Elapsed { get; private set; }

    public override TimeSpan MonotonicClock => Elapsed;

    public override TimeSpan HighResMonotonicClock => Elapsed;

    protected override DateTimeOffset TimeNow => Origin + Elapsed;

    /// <summary>Moves time, and runs what becomes due on this thread.</summary>
    public void Advance(TimeSpan time)
    {
        var end = Elapsed + time;
        var atOneTime = 0;
        while (TakeDue(end) is var (entry, due))
        {
            atOneTime = due > Elapsed ? 0 : atOneTime + 1;
            if (atOneTime > MostAtOneTime)
                throw new InvalidOperationException("Time stands still: something schedules itself again and again without a delay.");
            Elapsed = due > Elapsed ? due : Elapsed;
            if (entry.Cancelable is { IsCancellationRequested: true })
                continue;
            if (entry.Interval > TimeSpan.Zero)
                Add(entry, entry.Interval);
            entry.Run();
        }

        Elapsed = end;
    }

    protected override void InternalScheduleTellOnce(TimeSpan delay, ICanTell receiver, object message, IActorRef sender, ICancelable cancelable) =>
        Add(new Entry(() => receiver.Tell(message, sender), TimeSpan.Zero, cancelable), delay);

    protected override void InternalScheduleTellRepeatedly(TimeSpan initialDelay, TimeSpan interval, ICanTell receiver, object message, IActorRef sender,
        ICancelable cancelable) =>
        Add(new Entry(() => receiver.Tell(message, sender), interval, cancelable), initialDelay);

    protected override void InternalScheduleOnce(TimeSpan delay, Action action, ICancelable cancelable) => Add(new Entry(action, TimeSpan.Zero, cancelable), delay);

    protected override void InternalScheduleOnce(TimeSpan delay, IRunnable action, ICancelable cancelable) =>
        Add(new Entry(action.Run, TimeSpan.Zero, cancelable), delay);

    protected override void InternalScheduleRepeatedly(TimeSpan initialDelay, TimeSpan interval, Action action, ICancelable cancelable) =>
        Add(new Entry(action, interval, cancelable), initialDelay);

    protected override void InternalScheduleRepeatedly(TimeSpan initialDelay, TimeSpan interval, IRunnable action, ICancelable cancelable) =>
        Add(new Entry(action.Run, interval, cancelable), initialDelay);

    private (Entry Entry, TimeSpan Due)? TakeDue(TimeSpan end)
    {
        lock (_entries)
        {
            if (!_entries.TryPeek(out var entry, out var at) || at.Due > end)
                return null;
            _entries.Dequeue();
            return (entry, at.Due);
        }
    }

    /// <summary>Any thread may schedule, such as that of a task which ends.</summary>
    private void Add(Entry entry, TimeSpan delay)
    {
        lock (_entries)
            _entries.Enqueue(entry, (Elapsed + delay, _scheduled++));
    }

    private sealed record Entry(Action Run, TimeSpan Interval, ICancelable? Cancelable);
}
