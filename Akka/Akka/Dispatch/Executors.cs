using Akka.Annotations;
using Akka.Configuration;

namespace Akka.Dispatch;

/// <summary>The threads behind a dispatcher.</summary>
public abstract class ExecutorService
{
    protected ExecutorService(string id) => Id = id;

    public string Id { get; }

    public abstract void Execute(IRunnable run);

    public abstract void Shutdown();
}

[InternalApi]
public abstract class ExecutorServiceFactory
{
    public abstract ExecutorService Produce(string id);
}

[InternalApi]
public abstract class ExecutorServiceConfigurator : ExecutorServiceFactory
{
    protected ExecutorServiceConfigurator(Config config, IDispatcherPrerequisites prerequisites)
    {
        Config = config;
        Prerequisites = prerequisites;
    }

    public Config Config { get; }

    public IDispatcherPrerequisites Prerequisites { get; }
}

/// <summary>The .NET thread pool.</summary>
internal sealed class ThreadPoolExecutorServiceFactory : ExecutorServiceConfigurator
{
    private static readonly ThreadPoolExecutor Shared = new("thread-pool");

    public ThreadPoolExecutorServiceFactory(Config config, IDispatcherPrerequisites prerequisites) : base(config, prerequisites) { }

    public override ExecutorService Produce(string id) => Shared;
}

internal sealed class ThreadPoolExecutor : ExecutorService
{
    public ThreadPoolExecutor(string id) : base(id) { }

    public override void Execute(IRunnable run) => ThreadPool.UnsafeQueueUserWorkItem(run, preferLocal: true);

    public override void Shutdown() { }
}

/// <summary>The default task scheduler.</summary>
internal sealed class DefaultTaskSchedulerExecutorConfigurator : ExecutorServiceConfigurator
{
    public DefaultTaskSchedulerExecutorConfigurator(Config config, IDispatcherPrerequisites prerequisites) : base(config, prerequisites) { }

    public override ExecutorService Produce(string id) => new TaskSchedulerExecutor(id, TaskScheduler.Default);
}

/// <summary>The synchronization context of the thread that first asks for the dispatcher.</summary>
internal sealed class CurrentSynchronizationContextExecutorServiceFactory : ExecutorServiceConfigurator
{
    public CurrentSynchronizationContextExecutorServiceFactory(Config config, IDispatcherPrerequisites prerequisites)
        : base(config, prerequisites) { }

    public override ExecutorService Produce(string id) =>
        new TaskSchedulerExecutor(id, TaskScheduler.FromCurrentSynchronizationContext());
}

internal sealed class TaskSchedulerExecutor : ExecutorService
{
    private readonly TaskScheduler _scheduler;
    private volatile bool _shutDown;

    public TaskSchedulerExecutor(string id, TaskScheduler scheduler) : base(id) => _scheduler = scheduler;

    public override void Execute(IRunnable run)
    {
        if (_shutDown)
            throw new RejectedExecutionException("ExecutorService is shutting down");
        Task.Factory.StartNew(static work => ((IRunnable)work).Run(), run, CancellationToken.None, TaskCreationOptions.DenyChildAttach, _scheduler);
    }

    public override void Shutdown() => _shutDown = true;
}

/// <summary>Threads of the dispatcher's own; how many <c>fork-join-executor</c> or <c>dedicated-thread-pool</c> says.</summary>
internal sealed class ForkJoinExecutorServiceFactory : ExecutorServiceConfigurator
{
    private readonly int _threads;
    private readonly bool _background;

    public ForkJoinExecutorServiceFactory(Config config, IDispatcherPrerequisites prerequisites) : base(config, prerequisites)
    {
        var pool = config.GetConfig("dedicated-thread-pool");
        if (!pool.IsNullOrEmpty())
        {
            _threads = pool.GetInt("thread-count");
            if (_threads <= 0)
                throw new ConfigurationException("akka dispatcher: dedicated-thread-pool.thread-count must be positive");
            _background = pool.GetString("threadtype", "background") switch
            {
                "background" => true,
                "foreground" => false,
                var other => throw new ConfigurationException($"threadtype must be background or foreground, not [{other}]"),
            };
            return;
        }

        var forkJoin = config.GetConfig("fork-join-executor");
        if (forkJoin.IsNullOrEmpty())
            throw new ConfigurationException($"The fork-join executor of dispatcher [{config.GetString("id")}] has no fork-join-executor or dedicated-thread-pool section");
        _threads = ThreadPoolConfig.ScaledPoolSize(
            forkJoin.GetInt("parallelism-min"),
            forkJoin.GetDouble("parallelism-factor", 1.0),
            forkJoin.GetInt("parallelism-max"));
        _background = true;
    }

    public override ExecutorService Produce(string id) => new DedicatedThreadPool(id, _threads, _background);
}

/// <summary>Reads the size of a pool.</summary>
public class ThreadPoolConfig
{
    private readonly Config _config;

    public ThreadPoolConfig(Config config) => _config = config;

    public int PoolSizeMin => _config.GetInt("core-pool-size-min");

    public double PoolSizeFactor => _config.GetDouble("core-pool-size-factor");

    public int PoolSizeMax => _config.GetInt("core-pool-size-max");

    /// <summary>The number of processors times the factor, within the limits.</summary>
    public static int ScaledPoolSize(int floor, double scalar, int ceiling) =>
        Math.Min(Math.Max((int)(Environment.ProcessorCount * scalar), floor), ceiling);
}
