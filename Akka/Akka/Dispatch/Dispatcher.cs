using Akka.Annotations;
using Akka.Configuration;

namespace Akka.Dispatch;

/// <summary>Runs actors on the executor its configuration names; the default is the .NET thread pool.</summary>
public class Dispatcher : MessageDispatcher
{
    private readonly ExecutorServiceFactory _factory;
    private readonly Lock _lock = new();
    private ExecutorService _executor;

    public Dispatcher(
        MessageDispatcherConfigurator configurator,
        string id,
        int throughput,
        long? throughputDeadlineTime,
        ExecutorServiceFactory executorServiceFactory,
        TimeSpan shutdownTimeout)
        : base(configurator)
    {
        Id = id;
        Throughput = throughput;
        ThroughputDeadlineTime = throughputDeadlineTime;
        ShutdownTimeout = shutdownTimeout;
        _factory = executorServiceFactory;
    }

    protected override void ExecuteTask(IRunnable run) => (_executor ?? Start()).Execute(run);

    [InternalApi]
    protected override void Shutdown()
    {
        ExecutorService executor;
        lock (_lock)
        {
            executor = _executor;
            _executor = null; // a later actor gets new threads
        }

        executor?.Shutdown();
    }

    private ExecutorService Start()
    {
        lock (_lock)
            return _executor ??= _factory.Produce(Id);
    }
}

/// <summary>Gives each actor a thread of its own.</summary>
public sealed class PinnedDispatcher : Dispatcher
{
    public PinnedDispatcher(
        MessageDispatcherConfigurator configurator,
        string id,
        int throughput,
        long? throughputDeadlineTime,
        ExecutorServiceFactory executorServiceFactory,
        TimeSpan shutdownTimeout)
        : base(configurator, id, throughput, throughputDeadlineTime, executorServiceFactory, shutdownTimeout) { }
}

/// <summary>Runs actors on the synchronization context of the thread that made the first of them, as a user interface needs it.</summary>
public sealed class CurrentSynchronizationContextDispatcher : Dispatcher
{
    public CurrentSynchronizationContextDispatcher(
        MessageDispatcherConfigurator configurator,
        string id,
        int throughput,
        long? throughputDeadlineTime,
        ExecutorServiceFactory executorServiceFactory,
        TimeSpan shutdownTimeout)
        : base(configurator, id, throughput, throughputDeadlineTime, executorServiceFactory, shutdownTimeout)
    {
        // The context has to be caught now, on the thread that asks.
        ExecuteTask(new ActionRunnable(static () => { }));
    }
}

/// <summary><c>type = Dispatcher</c>, and with another default executor <c>TaskDispatcher</c> and <c>ForkJoinDispatcher</c>.</summary>
public sealed class DispatcherConfigurator : MessageDispatcherConfigurator
{
    private readonly Dispatcher _instance;

    public DispatcherConfigurator(Config config, IDispatcherPrerequisites prerequisites)
        : base(config, prerequisites) =>
        _instance = new Dispatcher(this, Id, Throughput, ThroughputDeadlineTime, ConfigureExecutor(), ShutdownTimeout);

    public override MessageDispatcher Dispatcher() => _instance;
}

internal sealed class ExecutorDispatcherConfigurator : MessageDispatcherConfigurator
{
    private readonly Dispatcher _instance;

    public ExecutorDispatcherConfigurator(Config config, IDispatcherPrerequisites prerequisites, ExecutorServiceConfigurator executor)
        : base(config, prerequisites) =>
        _instance = new Dispatcher(this, Id, Throughput, ThroughputDeadlineTime, executor, ShutdownTimeout);

    public override MessageDispatcher Dispatcher() => _instance;
}

internal sealed class PinnedDispatcherConfigurator : MessageDispatcherConfigurator
{
    public PinnedDispatcherConfigurator(Config config, IDispatcherPrerequisites prerequisites) : base(config, prerequisites) { }

    public override MessageDispatcher Dispatcher() =>
        new PinnedDispatcher(this, Id, Throughput, ThroughputDeadlineTime, new OneThread(), ShutdownTimeout);

    private sealed class OneThread : ExecutorServiceFactory
    {
        public override ExecutorService Produce(string id) => new DedicatedThreadPool(id, 1, background: true);
    }
}

internal sealed class SynchronizedDispatcherConfigurator : MessageDispatcherConfigurator
{
    public SynchronizedDispatcherConfigurator(Config config, IDispatcherPrerequisites prerequisites) : base(config, prerequisites) { }

    public override MessageDispatcher Dispatcher() => new CurrentSynchronizationContextDispatcher(
        this,
        Id,
        Throughput,
        ThroughputDeadlineTime,
        new CurrentSynchronizationContextExecutorServiceFactory(Config, Prerequisites),
        ShutdownTimeout);
}
