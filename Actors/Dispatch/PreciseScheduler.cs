using System.Diagnostics;
using Akka.Actor;
using Akka.Configuration;
using Akka.Dispatch;
using Akka.Event;

namespace Tapwire.Actors.Dispatch;

/// <summary>
/// A scheduler with a precision of a millisecond that does nothing while nothing is due, for any Akka.NET runtime:
/// <c>akka.scheduler.implementation = "Tapwire.Actors.Dispatch.PreciseScheduler, Tapwire.Actors"</c>.
/// Reads <c>akka.scheduler.shutdown-timeout</c>.
/// </summary>
public sealed class PreciseScheduler : SchedulerBase, IDateTimeOffsetNowTimeProvider, IDisposable
{
    private static readonly long Start = Stopwatch.GetTimestamp();

    private readonly TimerQueue _queue;
    private readonly TimeSpan _shutdownTimeout;

    public PreciseScheduler(Config scheduler, ILoggingAdapter log) : base(scheduler, log)
    {
        _shutdownTimeout = scheduler.GetTimeSpan("akka.scheduler.shutdown-timeout", TimeSpan.FromSeconds(5));
        _queue = new TimerQueue("precise-scheduler", e => Log.Error(e, "A scheduled task failed"));
    }

    public override TimeSpan MonotonicClock => Stopwatch.GetElapsedTime(Start);

    public override TimeSpan HighResMonotonicClock => Stopwatch.GetElapsedTime(Start);

    protected override DateTimeOffset TimeNow => DateTimeOffset.Now;

    /// <summary>Stops the thread, and drops tasks that are not due yet.</summary>
    public void Dispose()
    {
        if (!_queue.Stop(_shutdownTimeout))
            Log.Warning("Failed to shutdown scheduler within {0}", _shutdownTimeout);
    }

    protected override void InternalScheduleTellOnce(
        TimeSpan delay, ICanTell receiver, object message, IActorRef sender, ICancelable cancelable) =>
        _queue.Schedule(new TellEntry(receiver, message, sender), delay, TimeSpan.Zero, cancelable);

    protected override void InternalScheduleTellRepeatedly(
        TimeSpan initialDelay, TimeSpan interval, ICanTell receiver, object message, IActorRef sender, ICancelable cancelable) =>
        _queue.Schedule(new TellEntry(receiver, message, sender), initialDelay, interval, cancelable);

    protected override void InternalScheduleOnce(TimeSpan delay, Action action, ICancelable cancelable) =>
        _queue.Schedule(new ActionEntry(action), delay, TimeSpan.Zero, cancelable);

    protected override void InternalScheduleOnce(TimeSpan delay, IRunnable action, ICancelable cancelable) =>
        _queue.Schedule(new RunnableEntry(action), delay, TimeSpan.Zero, cancelable);

    protected override void InternalScheduleRepeatedly(TimeSpan initialDelay, TimeSpan interval, Action action, ICancelable cancelable) =>
        _queue.Schedule(new ActionEntry(action), initialDelay, interval, cancelable);

    protected override void InternalScheduleRepeatedly(TimeSpan initialDelay, TimeSpan interval, IRunnable action, ICancelable cancelable) =>
        _queue.Schedule(new RunnableEntry(action), initialDelay, interval, cancelable);
}
