using System.Collections.Concurrent;
using System.Text;
using Akka.Actor.Setup;
using Akka.Configuration;
using Akka.Dispatch;
using Akka.Event;
using Akka.Util;

namespace Akka.Actor.Internal;

/// <summary>The actor system.</summary>
public class ActorSystemImpl : ExtendedActorSystem
{
    private readonly ConcurrentDictionary<Type, Lazy<object>> _extensions = new();
    private readonly TerminationCallbacks _terminationCallbacks;
    private readonly BusLogging _log;
    private int _terminating;

    public ActorSystemImpl(string name) : this(name, ConfigurationFactory.Load(), ActorSystemSetup.Empty) { }

    /// <exception cref="ArgumentException">The name is not one.</exception>
    /// <exception cref="ArgumentNullException">There is no configuration.</exception>
    public ActorSystemImpl(string name, Config config, ActorSystemSetup setup)
    {
        if (!IsValidName(name))
        {
            throw new ArgumentException(
                $"Invalid ActorSystem name [{name}], must contain only word characters (i.e. [a-zA-Z0-9] plus non-leading '-' or '_')", nameof(name));
        }

        ArgumentNullException.ThrowIfNull(config, "Configuration must not be null.");
        Name = name;
        Settings = new Settings(this, config, setup);
        EventStream = new EventStream(Settings.DebugEventStream);
        EventStream.StartStdoutLogger(Settings);
        _log = new BusLogging(EventStream, $"ActorSystem({name})", GetType(), Settings.LogFormatter);
        Provider = CreateProvider();
        _terminationCallbacks = new TerminationCallbacks(Provider.TerminationTask, EndedWith);
        Scheduler = CreateScheduler();
        Mailboxes = new Mailboxes(this);
        Dispatchers = new Dispatchers(this, new DefaultDispatcherPrerequisites(EventStream, Scheduler, Settings, Mailboxes), _log);
    }

    public override string Name { get; }

    public override Settings Settings { get; }

    public override ILoggingAdapter Log => _log;

    public override EventStream EventStream { get; }

    public override IActorRefProvider Provider { get; }

    public override Dispatchers Dispatchers { get; }

    public override Mailboxes Mailboxes { get; }

    public override IScheduler Scheduler { get; }

    public override IActorRef DeadLetters => Provider.DeadLetters;

    public override IActorRef IgnoreRef => Provider.IgnoreRef;

    public override IInternalActorRef Guardian => Provider.Guardian;

    public override IInternalActorRef SystemGuardian => Provider.SystemGuardian;

    public override IInternalActorRef LookupRoot => Provider.RootGuardian;

    public override Task WhenTerminated => _terminationCallbacks.TerminationTask;

    internal bool IsTerminating => Volatile.Read(ref _terminating) != 0;

    /// <summary>Starts the guardians, the loggers and the configured extensions.</summary>
    public void Start()
    {
        try
        {
            Provider.Init(this);
            RegisterExtension(new CoordinatedShutdownExtension());
            LoadExtensions();
            if (Settings.LogDeadLetters > 0)
                SystemActorOf<DeadLetterListener>("deadLetterListener");
            EventStream.StartUnsubscriber(this);
            if (Settings.LogConfigOnStart)
                _log.Info(Settings.ToString());
        }
        catch (Exception)
        {
            StopScheduler();
            throw;
        }
    }

    public override IActorRef ActorOf(Props props, string name = null) => Provider.Guardian.Cell.ActorOf(props, name);

    public override IActorRef SystemActorOf(Props props, string name = null) =>
        Provider.SystemGuardian.Cell.AttachChild(props, isSystemService: true, name);

    public override IActorRef SystemActorOf<TActor>(string name = null) => SystemActorOf(Props.Create<TActor>(), name);

    public override ActorSelection ActorSelection(ActorPath actorPath) => ActorRefFactoryShared.ActorSelection(actorPath, this);

    public override ActorSelection ActorSelection(string actorPath) =>
        ActorRefFactoryShared.ActorSelection(actorPath, this, Provider.RootGuardian);

    public override void Stop(IActorRef actor)
    {
        var parent = actor.Path.Parent;
        if (parent == Guardian.Path)
            Guardian.Tell(new Dispatch.SysMsg.StopChild(actor), ActorRefs.NoSender);
        else if (parent == SystemGuardian.Path)
            SystemGuardian.Tell(new Dispatch.SysMsg.StopChild(actor), ActorRefs.NoSender);
        else
            ((IInternalActorRef)actor).Stop();
    }

    public override object RegisterExtension(IExtensionId extension)
    {
        if (extension is null)
            return null;
        _extensions.GetOrAdd(extension.ExtensionType, _ => new Lazy<object>(() => extension.CreateExtension(this)));
        return extension.Get(this);
    }

    public override object GetExtension(IExtensionId extensionId)
    {
        TryGetExtension(extensionId.ExtensionType, out var extension);
        return extension;
    }

    public override T GetExtension<T>()
    {
        TryGetExtension<T>(out var extension);
        return extension;
    }

    public override bool TryGetExtension(Type extensionType, out object extension)
    {
        var found = _extensions.TryGetValue(extensionType, out var lazy);
        extension = found ? lazy.Value : null;
        return found;
    }

    public override bool TryGetExtension<T>(out T extension)
    {
        var found = _extensions.TryGetValue(typeof(T), out var lazy);
        extension = found ? lazy.Value as T : null;
        return found;
    }

    public override bool HasExtension(Type type) => _extensions.ContainsKey(type);

    public override bool HasExtension<T>() => HasExtension(typeof(T));

    public override void RegisterOnTermination(Action code) => _terminationCallbacks.Add(code);

    public override Task Terminate()
    {
        if (Settings.CoordinatedShutdownRunByActorSystemTerminate && HasExtension<CoordinatedShutdown>())
            CoordinatedShutdown.Get(this).Run(CoordinatedShutdown.ActorSystemTerminateReason.Instance);
        else
            FinalTerminate();
        return WhenTerminated;
    }

    /// <summary>Stops the guardians, without a coordinated shutdown.</summary>
    internal Task FinalTerminate()
    {
        if (Interlocked.Exchange(ref _terminating, 1) == 0)
        {
            _log.Debug("System shutdown initiated");
            Provider.Guardian.Stop();
        }

        return WhenTerminated;
    }

    public override void Abort() => FinalTerminate();

    public override string PrintTree()
    {
        var text = new StringBuilder();
        Print(LookupRoot, "");
        return text.ToString();

        void Print(IActorRef actor, string indent)
        {
            if (actor is not ActorRefWithCell withCell)
            {
                text.AppendLine($"{indent}{actor.Path.Name} {actor.GetType().Name}");
                return;
            }

            text.AppendLine($"{(indent.Length == 0 ? "-> " : indent)}{actor.Path.Name} {actor.GetType().Name} {withCell.Underlying.Props.Type.Name} {withCell.Underlying.NumberOfMessages} messages");
            var children = withCell.Children.OrderBy(static c => c.Path.Name, StringComparer.Ordinal).ToArray();
            foreach (var child in children)
                Print(child, indent.Replace("⌊->", "   ") + (ReferenceEquals(child, children[^1]) ? "   ⌊-> " : "   |-> "));
        }
    }

    public override string ToString() => LookupRoot.Path.Root.Address.ToString();

    private static bool IsValidName(string name) =>
        !string.IsNullOrEmpty(name) && char.IsAsciiLetterOrDigit(name[0])
        && name.All(static c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_');

    private IActorRefProvider CreateProvider()
    {
        var type = TypeNames.Find(Settings.ProviderClass is "local" ? typeof(LocalActorRefProvider).FullName : Settings.ProviderClass)
            ?? throw new ConfigurationException($"akka.actor.provider: there is no type [{Settings.ProviderClass}]");
        return (IActorRefProvider)Activator.CreateInstance(type, Name, Settings, EventStream);
    }

    private IScheduler CreateScheduler()
    {
        var type = TypeNames.Find(Settings.SchedulerClass)
            ?? throw new ConfigurationException($"akka.scheduler.implementation: there is no type [{Settings.SchedulerClass}]");
        return (IScheduler)Activator.CreateInstance(type, Settings.Config, Log);
    }

    private void LoadExtensions()
    {
        foreach (var name in Settings.Config.GetStringList("akka.extensions"))
        {
            var type = TypeNames.Find(name);
            if (type is null || !typeof(IExtensionId).IsAssignableFrom(type) || type.IsAbstract || !type.IsClass)
            {
                _log.Error("[{0}] is not an 'ExtensionId', skipping...", name);
                continue;
            }

            try
            {
                RegisterExtension((IExtensionId)Activator.CreateInstance(type));
            }
            catch (Exception e)
            {
                _log.Error(e, "While trying to load extension [{0}], skipping...", name);
            }
        }
    }

    /// <summary>Called when the last actor has stopped, before what was registered for termination runs.</summary>
    private void EndedWith()
    {
        Interlocked.Exchange(ref _terminating, 1);
        Dispatchers.ShutdownDeserted();
        StopScheduler();
        foreach (var extension in _extensions.Values)
        {
            if (extension is { IsValueCreated: true, Value: IDisposable disposable })
                disposable.Dispose();
        }
    }

    private void StopScheduler() => (Scheduler as IDisposable)?.Dispose();
}

/// <summary>What runs after the last actor has stopped: the last registered first.</summary>
internal sealed class TerminationCallbacks
{
    private readonly Lock _lock = new();
    private Stack<Action> _callbacks = new();

    public TerminationCallbacks(Task actorsStopped, Action ended) => TerminationTask = Run(actorsStopped, ended);

    public Task TerminationTask { get; }

    public void Add(Action code)
    {
        lock (_lock)
        {
            if (_callbacks is null)
                throw new InvalidOperationException("ActorSystem already terminated.");
            _callbacks.Push(code);
        }
    }

    private async Task Run(Task actorsStopped, Action ended)
    {
        await actorsStopped.ConfigureAwait(false);
        ended();
        Stack<Action> callbacks;
        lock (_lock)
        {
            callbacks = _callbacks;
            _callbacks = null;
        }

        foreach (var callback in callbacks)
            callback();
    }
}
