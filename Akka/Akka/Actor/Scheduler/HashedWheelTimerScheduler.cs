using Akka.Configuration;
using Akka.Dispatch;
using Akka.Event;
using Tapwire.Scheduling;

namespace Akka.Actor;

/// <summary>
/// The default scheduler. It bears the name of Akka.NET's, but has no wheel: it sleeps until the next timer is due, and keeps a millisecond.
/// </summary>
public class HashedWheelTimerScheduler : SchedulerBase, IDateTimeOffsetNowTimeProvider, IDisposable
{
    private readonly TimerQueue _queue;
    private readonly TimeSpan _shutdownTimeout;

    public HashedWheelTimerScheduler(Config scheduler, ILoggingAdapter log) : base(scheduler, log)
    {
        _shutdownTimeout = scheduler.GetTimeSpan("akka.scheduler.shutdown-timeout", TimeSpan.FromSeconds(5));
        _queue = new TimerQueue("akka-scheduler", e => Log.Error(e, "A scheduled task failed"));
    }

    public override TimeSpan MonotonicClock => Util.MonotonicClock.Elapsed;

    public override TimeSpan HighResMonotonicClock => Util.MonotonicClock.ElapsedHighRes;

    protected override DateTimeOffset TimeNow => DateTimeOffset.Now;

    /// <summary>Stops the thread; what is not due yet is dropped.</summary>
    public void Dispose()
    {
        GC.SuppressFinalize(this);
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
