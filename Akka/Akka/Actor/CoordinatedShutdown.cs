using System.Collections.Concurrent;
using Akka.Actor.Internal;
using Akka.Configuration;
using Akka.Event;

namespace Akka.Actor;

/// <summary>Makes the <see cref="CoordinatedShutdown"/> of a system.</summary>
public sealed class CoordinatedShutdownExtension : ExtensionIdProvider<CoordinatedShutdown>
{
    public override CoordinatedShutdown CreateExtension(ExtendedActorSystem system) => new(system);
}

/// <summary>
/// Ends an actor system in phases, each after those it depends on; the tasks of one phase run side by side. It runs once, however often it is
/// called, on <see cref="ActorSystem.Terminate"/> and at the end of the process, as <c>akka.coordinated-shutdown</c> says.
/// </summary>
public sealed class CoordinatedShutdown : IExtension
{
    public const string PhaseBeforeServiceUnbind = "before-service-unbind";
    public const string PhaseServiceUnbind = "service-unbind";
    public const string PhaseServiceRequestsDone = "service-requests-done";
    public const string PhaseServiceStop = "service-stop";
    public const string PhaseBeforeClusterShutdown = "before-cluster-shutdown";
    public const string PhaseClusterShardingShutdownRegion = "cluster-sharding-shutdown-region";
    public const string PhaseClusterLeave = "cluster-leave";
    public const string PhaseClusterExiting = "cluster-exiting";
    public const string PhaseClusterExitingDone = "cluster-exiting-done";
    public const string PhaseClusterShutdown = "cluster-shutdown";
    public const string PhaseBeforeActorSystemTerminate = "before-actor-system-terminate";
    public const string PhaseActorSystemTerminate = "actor-system-terminate";

    private readonly Dictionary<string, ShutdownPhase> _phases;
    private readonly HashSet<string> _knownPhases;
    private readonly List<string> _orderedPhases;
    private readonly ConcurrentDictionary<string, List<(string Name, Func<Task<Done>> Task)>> _tasks = new();
    private readonly TaskCompletionSource<Done> _done = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly ILoggingAdapter _log;
    private readonly bool _exitClr;
    private Reason _reason;
    private volatile bool _processExits;

    internal CoordinatedShutdown(ExtendedActorSystem system)
    {
        System = system;
        _log = Logging.GetLogger(system, GetType());
        var config = system.Settings.Config.GetConfig("akka.coordinated-shutdown");
        _phases = ShutdownPhase.Read(config);
        _knownPhases = [.. _phases.Keys, .. _phases.Values.SelectMany(static p => p.DependsOn)];
        _orderedPhases = ShutdownPhase.Sort(_phases);
        _exitClr = config.GetBoolean("exit-clr");
        AddTask(PhaseActorSystemTerminate, "terminate-system", TerminateSystem);
        if (config.GetBoolean("run-by-clr-shutdown-hook"))
            RunAtProcessExit();
    }

    public ExtendedActorSystem System { get; }

    /// <summary>Why the shutdown runs or ran; null before.</summary>
    public Reason ShutdownReason => Volatile.Read(ref _reason);

    /// <summary>The sum of the time-outs of the phases that have tasks.</summary>
    public TimeSpan TotalTimeout => _tasks.Keys.Aggregate(TimeSpan.Zero, (sum, phase) => sum + Timeout(phase));

    public static CoordinatedShutdown Get(ActorSystem sys) => sys.WithExtension<CoordinatedShutdown, CoordinatedShutdownExtension>();

    /// <summary>Adds a task to a phase; from within a task, to a later phase.</summary>
    /// <exception cref="ConfigurationException">No phase of that name is configured.</exception>
    public void AddTask(string phase, string taskName, Func<Task<Done>> task)
    {
        if (!_knownPhases.Contains(phase))
        {
            throw new ConfigurationException(
                $"Unknown phase [{phase}], known phases [{string.Join(",", _knownPhases)}]. "
                + "All phases (along with their optional dependencies) must be defined in configuration.");
        }

        var tasks = _tasks.GetOrAdd(phase, static _ => []);
        lock (tasks)
            tasks.Add((taskName, task));
    }

    /// <summary>How long a phase may take.</summary>
    public TimeSpan Timeout(string phase) => _phases.TryGetValue(phase, out var found)
        ? found.Timeout
        : throw new ArgumentException($"Unknown phase [{phase}]. All phases must be defined in configuration.", nameof(phase));

    /// <summary>Runs all phases, or those from one on.</summary>
    /// <returns>Fails with the first task that does in a phase whose <c>recover</c> is off.</returns>
    public Task<Done> Run(Reason reason, string fromPhase = null)
    {
        if (Interlocked.CompareExchange(ref _reason, reason, null) is null)
            Task.Run(() => RunPhases(fromPhase)); // on no thread of the caller's, which may be about to block until it is done
        return _done.Task;
    }

    private async Task RunPhases(string fromPhase)
    {
        try
        {
            var phases = fromPhase is null ? _orderedPhases : _orderedPhases.SkipWhile(p => p != fromPhase);
            foreach (var phase in phases)
            {
                if (!_phases.TryGetValue(phase, out var configured) || configured.Enabled)
                    await RunPhase(phase).ConfigureAwait(false);
                else
                    _log.Info("Phase [{0}] disabled through configuration", phase);
            }

            _done.TrySetResult(Done.Instance);
        }
        catch (Exception e)
        {
            _done.TrySetException(e);
        }
    }

    private async Task RunPhase(string phase)
    {
        if (!_tasks.TryGetValue(phase, out var added))
        {
            _log.Debug("Performing phase [{0}] with [0] tasks.", phase);
            return;
        }

        (string Name, Func<Task<Done>> Task)[] tasks;
        lock (added)
            tasks = added.ToArray();
        _log.Debug("Performing phase [{0}] with [{1}] tasks: [{2}]", phase, tasks.Length, string.Join(",", tasks.Select(static t => t.Name)));
        var (timeout, recover) = (_phases[phase].Timeout, _phases[phase].Recover);
        var all = Task.WhenAll(tasks.Select(t => RunTask(phase, t.Name, t.Task, recover)));
        try
        {
            await all.WaitAsync(timeout).ConfigureAwait(false);
        }
        catch (TimeoutException) when (!all.IsCompleted)
        {
            if (phase == PhaseActorSystemTerminate && _processExits)
                return; // nobody waits any more
            if (!recover)
                throw new TimeoutException($"Coordinated shutdown phase [{phase}] timed out after {timeout}");
            _log.Warning("Coordinated shutdown phase [{0}] timed out after {1}", phase, timeout);
        }
    }

    private async Task RunTask(string phase, string name, Func<Task<Done>> task, bool recover)
    {
        try
        {
            await task().ConfigureAwait(false);
        }
        catch (Exception e) when (recover)
        {
            _log.Warning("Task [{0}] failed in phase [{1}]: {2}", name, phase, e.Message);
        }
    }

    private async Task<Done> TerminateSystem()
    {
        if (System.Settings.CoordinatedShutdownTerminateActorSystem)
        {
            var terminated = ((ActorSystemImpl)System).FinalTerminate();
            if (_exitClr)
                await Task.WhenAny(terminated, Task.Delay(Timeout(PhaseActorSystemTerminate))).ConfigureAwait(false);
            else
                await terminated.ConfigureAwait(false);
        }

        if (_exitClr && !_processExits)
            Environment.Exit(0);
        return Done.Instance;
    }

    /// <remarks>The handler is taken back when the system ends before the process does, so that the process does not keep the system alive.</remarks>
    private void RunAtProcessExit()
    {
        AppDomain.CurrentDomain.ProcessExit += OnExit;
        System.WhenTerminated.ContinueWith(
            _ => AppDomain.CurrentDomain.ProcessExit -= OnExit,
            CancellationToken.None,
            TaskContinuationOptions.ExecuteSynchronously,
            TaskScheduler.Default);

        void OnExit(object sender, EventArgs e)
        {
            _processExits = true;
            _log.Info("Starting coordinated shutdown from CLR termination hook.");
            try
            {
                Run(ClrExitReason.Instance).Wait(TotalTimeout);
            }
            catch (Exception exception)
            {
                _log.Warning("CoordinatedShutdown from CLR shutdown failed: {0}", exception.Message);
            }
        }
    }

    /// <summary>Why a system shuts down; derive one's own.</summary>
    public class Reason
    {
        protected Reason() { }
    }

    public class UnknownReason : Reason
    {
        public static readonly Reason Instance = new UnknownReason();

        private UnknownReason() { }
    }

    public class ActorSystemTerminateReason : Reason
    {
        public static readonly Reason Instance = new ActorSystemTerminateReason();

        private ActorSystemTerminateReason() { }
    }

    public class ClrExitReason : Reason
    {
        public static readonly Reason Instance = new ClrExitReason();

        private ClrExitReason() { }
    }
}

/// <summary>A phase as it is configured.</summary>
internal sealed record ShutdownPhase(IReadOnlyList<string> DependsOn, TimeSpan Timeout, bool Recover, bool Enabled)
{
    public static Dictionary<string, ShutdownPhase> Read(Config config)
    {
        var defaultTimeout = config.GetTimeSpan("default-phase-timeout");
        var phases = new Dictionary<string, ShutdownPhase>();
        foreach (var (name, value) in config.GetConfig("phases").AsEnumerable())
        {
            var phase = value.ToConfig();
            phases[name] = new ShutdownPhase(
                phase.GetStringList("depends-on").ToArray(),
                phase.GetTimeSpan("timeout", defaultTimeout),
                phase.GetBoolean("recover", true),
                phase.GetBoolean("enabled", true));
        }

        return phases;
    }

    /// <summary>The phases, each after those it depends on.</summary>
    /// <exception cref="ArgumentException">They go in a circle.</exception>
    public static List<string> Sort(Dictionary<string, ShutdownPhase> phases)
    {
        var sorted = new List<string>();
        var underway = new HashSet<string>();
        foreach (var phase in phases.Keys)
            Visit(phase);
        return sorted;

        void Visit(string phase)
        {
            if (sorted.Contains(phase))
                return;
            if (!underway.Add(phase))
                throw new ArgumentException($"Cycle detected in graph of phases. It must be a DAG. phase [{phase}] depends transitively on itself. All dependencies: {string.Join(",", phases.Keys)}");
            if (phases.TryGetValue(phase, out var found))
            {
                foreach (var dependency in found.DependsOn)
                    Visit(dependency);
            }

            sorted.Add(phase);
        }
    }
}
