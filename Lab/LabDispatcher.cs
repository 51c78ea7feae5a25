using Akka.Actor;
using Akka.Configuration;
using Akka.Dispatch;
using Akka.Event;
using Tapwire.Actors.Dispatch;

namespace Tapwire;

/// <summary>Runs all actors of a lab on its loop, in the order in which they got something to do, as the reactor of a driver does.</summary>
internal sealed class LabDispatcher : OrderedDispatcher
{
    private static readonly Action<object?> RunMailbox = static run => ((IRunnable)run!).Run();

    private readonly LabLoop _loop;

    public LabDispatcher(MessageDispatcherConfigurator configurator, LabLoop loop)
        : base(configurator)
    {
        _loop = loop;
        // As of the driver's own dispatcher.
        Throughput = 64;
    }

    /// <inheritdoc/>
    public override void Post(Action<object?> work, object? state) => _loop.Post(work, state);

    /// <inheritdoc/>
    protected override void ExecuteTask(IRunnable run) => _loop.Post(RunMailbox, run);

    /// <inheritdoc/>
    protected override void Shutdown()
    {
    }
}

/// <summary>Named in <see cref="LabSystem"/>. All dispatchers of an actor system share its lab's loop.</summary>
internal sealed class LabDispatcherConfigurator : MessageDispatcherConfigurator
{
    private readonly LabDispatcher _dispatcher;

    public LabDispatcherConfigurator(Config config, IDispatcherPrerequisites prerequisites)
        : base(config, prerequisites) =>
        _dispatcher = new LabDispatcher(this, ((LabScheduler)prerequisites.Scheduler).Loop);

    /// <inheritdoc/>
    public override MessageDispatcher Dispatcher() => _dispatcher;
}

/// <summary>The scheduler of a lab's actor system: the lab's time.</summary>
internal sealed class LabScheduler : SchedulerBase, IDateTimeOffsetNowTimeProvider
{
    /// <summary>Akka.NET makes the scheduler of a system by its name, on the thread that makes the system: this is the loop that it belongs to.</summary>
    [ThreadStatic]
    internal static LabLoop? LoopOfNext;

    public LabScheduler(Config config, ILoggingAdapter log)
        : base(config, log) =>
        Loop = LoopOfNext ?? throw new InvalidOperationException("This scheduler is that of labs.");

    public LabLoop Loop { get; }

    /// <inheritdoc/>
    public override TimeSpan MonotonicClock => Loop.Timers.Elapsed;

    /// <inheritdoc/>
    public override TimeSpan HighResMonotonicClock => Loop.Timers.Elapsed;

    /// <inheritdoc/>
    protected override DateTimeOffset TimeNow => LabOptions.Epoch + Loop.Timers.Elapsed;

    /// <inheritdoc/>
    protected override void InternalScheduleTellOnce(TimeSpan delay, ICanTell receiver, object message, IActorRef sender, ICancelable cancelable) =>
        Add(delay, TimeSpan.Zero, () => receiver.Tell(message, sender), cancelable);

    /// <inheritdoc/>
    protected override void InternalScheduleTellRepeatedly(TimeSpan initialDelay, TimeSpan interval, ICanTell receiver, object message, IActorRef sender, ICancelable cancelable) =>
        Add(initialDelay, interval, () => receiver.Tell(message, sender), cancelable);

    /// <inheritdoc/>
    protected override void InternalScheduleOnce(TimeSpan delay, Action action, ICancelable cancelable) => Add(delay, TimeSpan.Zero, action, cancelable);

    /// <inheritdoc/>
    protected override void InternalScheduleOnce(TimeSpan delay, IRunnable action, ICancelable cancelable) => Add(delay, TimeSpan.Zero, action.Run, cancelable);

    /// <inheritdoc/>
    protected override void InternalScheduleRepeatedly(TimeSpan initialDelay, TimeSpan interval, Action action, ICancelable cancelable) => Add(initialDelay, interval, action, cancelable);

    /// <inheritdoc/>
    protected override void InternalScheduleRepeatedly(TimeSpan initialDelay, TimeSpan interval, IRunnable action, ICancelable cancelable) => Add(initialDelay, interval, action.Run, cancelable);

    private void Add(TimeSpan delay, TimeSpan interval, Action action, ICancelable? cancelable) => Loop.Timers.Add(delay, interval, action, isProgram: false, cancelable);
}
