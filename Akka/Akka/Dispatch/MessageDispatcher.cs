using System.Diagnostics;
using System.Runtime.CompilerServices;
using Akka.Actor;
using Akka.Annotations;
using Akka.Configuration;
using Akka.Dispatch.SysMsg;
using Akka.Event;

namespace Akka.Dispatch;

/// <summary>What a dispatcher may use.</summary>
public interface IDispatcherPrerequisites
{
    EventStream EventStream { get; }

    IScheduler Scheduler { get; }

    Settings Settings { get; }

    Mailboxes Mailboxes { get; }
}

public sealed class DefaultDispatcherPrerequisites : IDispatcherPrerequisites
{
    public DefaultDispatcherPrerequisites(EventStream eventStream, IScheduler scheduler, Settings settings, Mailboxes mailboxes)
    {
        EventStream = eventStream;
        Scheduler = scheduler;
        Settings = settings;
        Mailboxes = mailboxes;
    }

    public EventStream EventStream { get; }

    public IScheduler Scheduler { get; }

    public Settings Settings { get; }

    public Mailboxes Mailboxes { get; }
}

/// <summary>Makes dispatchers of one kind. HOCON names a custom one in <c>type</c>; its constructor takes (Config, IDispatcherPrerequisites).</summary>
public abstract class MessageDispatcherConfigurator
{
    protected MessageDispatcherConfigurator(Config config, IDispatcherPrerequisites prerequisites)
    {
        Config = config;
        Prerequisites = prerequisites;
    }

    public Config Config { get; }

    public IDispatcherPrerequisites Prerequisites { get; }

    /// <summary>The dispatcher for an actor: the same one each time, or each time another.</summary>
    public abstract MessageDispatcher Dispatcher();

    /// <summary>The executor that <c>executor</c> names.</summary>
    protected ExecutorServiceConfigurator ConfigureExecutor()
    {
        var executor = Config.GetString("executor", "default-executor");
        switch (executor)
        {
            case null or "" or "default-executor" or "thread-pool-executor":
                return new ThreadPoolExecutorServiceFactory(Config, Prerequisites);
            case "fork-join-executor":
                return new ForkJoinExecutorServiceFactory(Config, Prerequisites);
            case "current-context-executor":
                return new CurrentSynchronizationContextExecutorServiceFactory(Config, Prerequisites);
            case "task-executor":
                return new DefaultTaskSchedulerExecutorConfigurator(Config, Prerequisites);
        }

        var type = Util.TypeNames.Find(executor)
            ?? throw new ConfigurationException($"Could not resolve executor service configurator type [{executor}] for path [{Config.GetString("id", "unknown")}]");
        return (ExecutorServiceConfigurator)Activator.CreateInstance(type, Config, Prerequisites);
    }

    internal TimeSpan ShutdownTimeout => Config.GetTimeSpan("shutdown-timeout", TimeSpan.FromSeconds(1));

    internal int Throughput => Config.GetInt("throughput", MessageDispatcher.DefaultThroughput);

    internal long? ThroughputDeadlineTime
    {
        get
        {
            var deadline = Config.GetTimeSpan("throughput-deadline-time", TimeSpan.Zero).Ticks;
            return deadline > 0 ? deadline : null;
        }
    }

    internal string Id => Config.GetString("id", "unknown");
}

/// <summary>Decides which thread runs an actor, and for how many messages at a time.</summary>
public abstract class MessageDispatcher
{
    public const int DefaultThroughput = 100;

    private long _inhabitants;
    private int _shutdownScheduled;
    private long? _throughputDeadlineTime;

    protected MessageDispatcher(MessageDispatcherConfigurator configurator)
    {
        Configurator = configurator;
        Throughput = DefaultThroughput;
    }

    public MessageDispatcherConfigurator Configurator { get; }

    public EventStream EventStream => Configurator.Prerequisites.EventStream;

    public Mailboxes Mailboxes => Configurator.Prerequisites.Mailboxes;

    public string Id { get; protected set; }

    /// <summary>How many messages an actor handles before its thread serves another.</summary>
    public int Throughput { get; protected set; }

    /// <summary>For how long, in ticks of 100 ns, an actor handles messages before its thread serves another; null for no limit.</summary>
    public long? ThroughputDeadlineTime
    {
        get => _throughputDeadlineTime;
        protected set
        {
            _throughputDeadlineTime = value;
            ThroughputDeadline = value is > 0 ? value.Value * Stopwatch.Frequency / TimeSpan.TicksPerSecond : 0;
        }
    }

    /// <summary>How long the dispatcher outlives its last actor.</summary>
    [InternalApi]
    public TimeSpan ShutdownTimeout { get; protected set; } = TimeSpan.FromSeconds(1);

    /// <summary>The number of actors attached.</summary>
    protected long Inhabitants => Interlocked.Read(ref _inhabitants);

    /// <summary><see cref="ThroughputDeadlineTime"/> in ticks of the stopwatch; 0 for none.</summary>
    internal long ThroughputDeadline { get; private set; }

    public void Schedule(Action run) => Schedule(new ActionRunnable(run));

    public void Schedule(IRunnable run) => ExecuteTask(run);

    /// <summary>Runs the work, now or later, on a thread of the dispatcher's choice.</summary>
    protected abstract void ExecuteTask(IRunnable run);

    /// <summary>Lets go of the threads; called after the last actor has gone, and possibly more than once.</summary>
    [InternalApi]
    protected abstract void Shutdown();

    /// <summary>Brings an actor with its mailbox to this dispatcher and lets it begin.</summary>
    public virtual void Attach(ActorCell cell)
    {
        Register(cell);
        RegisterForExecution(cell.Mailbox, hasMessageHint: false, hasSystemMessageHint: true);
    }

    /// <summary>Takes an actor away, with its mailbox closed and what is in it among the dead letters.</summary>
    public virtual void Detach(ActorCell cell)
    {
        try
        {
            Unregister(cell);
        }
        finally
        {
            ShutdownWhenDeserted();
        }
    }

    public virtual void Dispatch(ActorCell cell, Envelope envelope)
    {
        var mailbox = cell.Mailbox;
        mailbox.Enqueue(cell.Self, envelope);
        var scheduled = mailbox.SetIdleAsScheduled() ? Execute(mailbox) : RegisterForExecution(mailbox, hasMessageHint: true, hasSystemMessageHint: false);
        if (!scheduled && mailbox.IsClosed)
            mailbox.CleanUp();
    }

    public virtual void SystemDispatch(ActorCell cell, SystemMessage message)
    {
        var mailbox = cell.Mailbox;
        mailbox.SystemEnqueue(cell.Self, message);
        RegisterForExecution(mailbox, hasMessageHint: false, hasSystemMessageHint: true);
    }

    protected void ReportFailure(Exception ex) =>
        EventStream.Publish(new Error(ex, GetType().FullName, GetType(), "Exception in dispatcher " + Id + ": " + ex.Message));

    internal virtual Mailbox CreateMailbox(ActorCell cell, MailboxType mailboxType) => new(mailboxType.Create(cell.Self, cell.System));

    internal virtual void Register(ActorCell cell)
    {
        if (Interlocked.Increment(ref _inhabitants) == 1)
            Configurator.Prerequisites.Settings.System.Dispatchers?.Inhabited(this);
    }

    internal virtual void Unregister(ActorCell cell)
    {
        Interlocked.Decrement(ref _inhabitants);
        var mailbox = cell.SwapMailbox(Mailboxes.DeadLetterMailbox);
        mailbox.BecomeClosed();
        mailbox.CleanUp();
    }

    internal virtual void Suspend(ActorCell cell)
    {
        var mailbox = cell.Mailbox;
        if (ReferenceEquals(mailbox.Dispatcher, this))
            mailbox.Suspend();
    }

    internal virtual void Resume(ActorCell cell)
    {
        var mailbox = cell.Mailbox;
        if (ReferenceEquals(mailbox.Dispatcher, this) && mailbox.Resume())
            RegisterForExecution(mailbox, hasMessageHint: false, hasSystemMessageHint: false);
    }

    internal virtual void SuspendForTask(ActorCell cell) => cell.Mailbox.SuspendForTask();

    internal virtual void ResumeAfterTask(ActorCell cell)
    {
        var mailbox = cell.Mailbox;
        mailbox.ResumeAfterTask();
        RegisterForExecution(mailbox, hasMessageHint: false, hasSystemMessageHint: false);
    }

    /// <summary>Hands the mailbox to the executor if it has something to do and is not there already.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal bool RegisterForExecution(Mailbox mailbox, bool hasMessageHint, bool hasSystemMessageHint) =>
        mailbox.CanBeScheduledForExecution(hasMessageHint, hasSystemMessageHint) && mailbox.SetAsScheduled() && Execute(mailbox);

    /// <summary>Hands over a mailbox that the caller has set as scheduled.</summary>
    private bool Execute(Mailbox mailbox)
    {
        try
        {
            ExecuteTask(mailbox);
            return true;
        }
        catch (Exception e)
        {
            mailbox.SetAsIdle();
            if (e is not RejectedExecutionException)
                ReportFailure(e);
            return false;
        }
    }

    internal bool IsDeserted => Inhabitants == 0;

    internal void ShutdownNow()
    {
        try
        {
            Shutdown();
        }
        catch (Exception e)
        {
            ReportFailure(e);
        }
    }

    private void ShutdownWhenDeserted()
    {
        if (Inhabitants > 0 || Interlocked.Exchange(ref _shutdownScheduled, 1) != 0)
            return;
        try
        {
            Configurator.Prerequisites.Scheduler.Advanced.ScheduleOnce(ShutdownTimeout, ShutdownIfStillDeserted);
        }
        catch (SchedulerException)
        {
            ShutdownIfStillDeserted();
        }
    }

    private void ShutdownIfStillDeserted()
    {
        Interlocked.Exchange(ref _shutdownScheduled, 0);
        if (Inhabitants > 0)
            return;
        Configurator.Prerequisites.Settings.System.Dispatchers?.Deserted(this);
        ShutdownNow();
    }
}
