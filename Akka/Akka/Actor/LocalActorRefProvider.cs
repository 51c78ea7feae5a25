using System.Collections.Concurrent;
using Akka.Actor.Internal;
using Akka.Configuration;
using Akka.Dispatch;
using Akka.Dispatch.SysMsg;
using Akka.Event;
using Akka.Util;

namespace Akka.Actor;

/// <summary>The provider of systems whose actors are all in this process.</summary>
public sealed class LocalActorRefProvider : IActorRefProvider
{
    private readonly ActorPath _tempNode;
    private readonly TaskCompletionSource<Status> _termination = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Dictionary<string, IInternalActorRef> _extraNames = [];
    private readonly ConcurrentDictionary<(Type Actor, string Dispatcher, string Mailbox), MailboxType> _mailboxTypes = new();
    private RootGuardianActorRef _rootGuardian;
    private VirtualPathContainer _tempContainer;
    private ActorSystemImpl _system;
    private long _tempNumber;

    public LocalActorRefProvider(string systemName, Settings settings, EventStream eventStream)
        : this(systemName, settings, eventStream, null, null) { }

    public LocalActorRefProvider(
        string systemName,
        Settings settings,
        EventStream eventStream,
        Deployer deployer,
        Func<ActorPath, IInternalActorRef> deadLettersFactory)
    {
        Settings = settings;
        EventStream = eventStream;
        Deployer = deployer ?? new Deployer(settings);
        RootPath = new RootActorPath(new Address("akka", systemName));
        Log = Logging.GetLogger(eventStream, $"LocalActorRefProvider({RootPath.Address})");
        DeadLetters = deadLettersFactory is null
            ? new DeadLetterActorRef(this, RootPath / "deadLetters", eventStream)
            : deadLettersFactory(RootPath / "deadLetters");
        IgnoreRef = new IgnoreActorRef(this);
        _tempNode = RootPath / "temp";
    }

    public EventStream EventStream { get; }

    public ILoggingAdapter Log { get; }

    public Settings Settings { get; }

    public Deployer Deployer { get; }

    public ActorPath RootPath { get; }

    public IActorRef DeadLetters { get; }

    public IActorRef IgnoreRef { get; }

    public IInternalActorRef RootGuardian => _rootGuardian;

    public LocalActorRef Guardian { get; private set; }

    public LocalActorRef SystemGuardian { get; private set; }

    public IInternalActorRef TempContainer => _tempContainer;

    public Task TerminationTask => _termination.Task;

    public Address DefaultAddress => RootPath.Address;

    public Address GetExternalAddressFor(Address address) => address == RootPath.Address ? address : null;

    public void Init(ActorSystemImpl system)
    {
        _system = system;
        var supervisor = new RootGuardianSupervisor((RootActorPath)RootPath, this, _termination, Log);
        var dispatcher = system.Dispatchers.DefaultGlobalDispatcher;
        var mailboxType = new UnboundedMailbox();
        _rootGuardian = new RootGuardianActorRef(
            system, RootGuardianProps(), dispatcher, mailboxType, supervisor, RootPath, (IInternalActorRef)DeadLetters, _extraNames);
        _tempContainer = new VirtualPathContainer(this, _tempNode, _rootGuardian, EventStream);
        _rootGuardian.SetTempContainer(_tempContainer);
        _rootGuardian.Start();

        var strategy = SupervisorStrategyConfigurator.CreateConfigurator(Settings.SupervisorStrategyClass).Create();
        Guardian = CreateGuardian("user", Props.Create<GuardianActor>().WithSupervisorStrategy(strategy));
        SystemGuardian = CreateGuardian("system", Props.Create<SystemGuardianActor>(Guardian));
        // Each order goes to the watcher: who watches is told to.
        SystemGuardian.SendSystemMessage(new Watch(Guardian, SystemGuardian));
        _rootGuardian.SendSystemMessage(new Watch(SystemGuardian, _rootGuardian));
        EventStream.StartDefaultLoggers(system);

        LocalActorRef CreateGuardian(string name, Props props)
        {
            var cell = _rootGuardian.Cell;
            cell.ReserveChild(name);
            var guardian = new LocalActorRef(system, props, dispatcher, mailboxType, _rootGuardian, RootPath / name);
            cell.InitChild(guardian);
            guardian.Start();
            return guardian;
        }
    }

    public ActorPath TempPath() => _tempNode / Base64Name.Of(Interlocked.Increment(ref _tempNumber));

    public void RegisterTempActor(IInternalActorRef actorRef, ActorPath path)
    {
        CheckTemp(path);
        _tempContainer.AddChild(path.Name, actorRef);
    }

    public void UnregisterTempActor(ActorPath path)
    {
        CheckTemp(path);
        _tempContainer.RemoveChild(path.Name);
    }

    public FutureActorRef<T> CreateFutureRef<T>(TaskCompletionSource<T> tcs) => new(tcs, null, this);

    /// <summary>Adds a name below the root that is no child of it.</summary>
    public void RegisterExtraName(string name, IInternalActorRef actor) => _extraNames.Add(name, actor);

    public IActorRef RootGuardianAt(Address address) => address == RootPath.Address ? _rootGuardian : DeadLetters;

    public IActorRef ResolveActorRef(string path)
    {
        if (ActorPath.TryParse(path, out var actorPath) && actorPath.Address == RootPath.Address)
            return ResolveActorRef(actorPath);
        Log.Debug("Resolve of unknown path [{0}] failed. Invalid format.", path);
        return DeadLetters;
    }

    public IActorRef ResolveActorRef(ActorPath path)
    {
        if (path.Root == RootPath)
        {
            var found = path.Depth == 0 ? _rootGuardian : _rootGuardian.GetChild(path.ElementsWithUid);
            if (!found.IsNobody())
                return found;
            Log.Debug("Resolve of path sequence [{0}] failed", path);
            return new EmptyLocalActorRef(this, path, EventStream);
        }

        Log.Debug("Resolve of foreign ActorPath [{0}] failed", path);
        return DeadLetters;
    }

    public IInternalActorRef ActorOf(
        ActorSystemImpl system,
        Props props,
        IInternalActorRef supervisor,
        ActorPath path,
        bool systemService,
        Deploy deploy,
        bool lookupDeploy,
        bool async)
    {
        if (lookupDeploy && !Deployer.IsEmpty && Deployer.Lookup(path) is { } configured)
        {
            if (configured.Dispatcher != Deploy.NoDispatcherGiven)
                props = props.WithDispatcher(configured.Dispatcher);
            if (configured.Mailbox != Deploy.NoMailboxGiven)
                props = props.WithMailbox(configured.Mailbox);
            if (configured.StashCapacity > 0)
                props = props.WithStashCapacity(configured.StashCapacity);
        }

        if (!system.Dispatchers.HasDispatcher(props.Dispatcher))
            throw new ConfigurationException($"Dispatcher [{props.Dispatcher}] not configured for path {path}");
        try
        {
            var dispatcher = system.Dispatchers.Lookup(props.Dispatcher);
            return new LocalActorRef(system, props, dispatcher, MailboxTypeOf(system, props, dispatcher), supervisor, path);
        }
        catch (Exception e) when (e is not AkkaException)
        {
            throw new ConfigurationException($"Configuration problem while creating {path} with dispatcher [{props.Dispatcher}] and mailbox [{props.Mailbox}]", e);
        }
    }

    private MailboxType MailboxTypeOf(ActorSystemImpl system, Props props, MessageDispatcher dispatcher)
    {
        var key = (props.Type, props.Deploy.Dispatcher, props.Deploy.Mailbox);
        return _mailboxTypes.TryGetValue(key, out var known)
            ? known
            : _mailboxTypes.GetOrAdd(key, system.Mailboxes.GetMailboxType(props, dispatcher.Configurator.Config));
    }

    private Props RootGuardianProps() => Props.Create<GuardianActor>().WithSupervisorStrategy(new OneForOneStrategy(e =>
    {
        Log.Error(e, "Guardian failed. Shutting down system");
        return Directive.Stop;
    }));

    private void CheckTemp(ActorPath path)
    {
        if (path.Parent != _tempNode)
            throw new InvalidOperationException($"Cannot register or unregister [{path}]: it is not below [{_tempNode}]");
    }
}
