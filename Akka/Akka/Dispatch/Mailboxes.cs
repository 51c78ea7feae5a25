using System.Collections.Concurrent;
using Akka.Actor;
using Akka.Annotations;
using Akka.Configuration;
using Akka.Util;

namespace Akka.Dispatch;

/// <summary>The mailbox types of an actor system: which an actor gets, and how they are made.</summary>
public class Mailboxes
{
    public static readonly string DefaultMailboxId = "akka.actor.default-mailbox";
    public static readonly string NoMailboxRequirement = "";
    internal const string UnboundedMailboxId = "unbounded";
    internal const string BoundedMailboxId = "bounded";

    private readonly ActorSystem _system;
    private readonly Dictionary<Type, string> _bindings = [];
    private readonly ConcurrentDictionary<string, MailboxType> _types = new();
    private readonly ConcurrentDictionary<Type, Type> _requirements = new();
    private readonly ConcurrentDictionary<Type, Type> _produced = new();
    private readonly ConcurrentDictionary<(string Dispatcher, string Mailbox), int> _stashCapacities = new();
    private readonly Config _defaultMailboxConfig;

    public Mailboxes(ActorSystem system)
    {
        _system = system;
        DeadLetterMailbox = new DeadLetterMailbox(system.DeadLetters);
        _defaultMailboxConfig = system.Settings.Config.GetConfig(DefaultMailboxId);
        var requirements = system.Settings.Config.GetConfig("akka.actor.mailbox.requirements");
        if (requirements.IsNullOrEmpty())
            return;
        foreach (var (name, value) in requirements.AsEnumerable())
        {
            var type = TypeNames.Find(name.Trim('"'))
                ?? throw new ConfigurationException($"Mailbox Requirement mapping [{name}] is not an actual type");
            _bindings.Add(type, value.GetString());
        }
    }

    public DeadLetterMailbox DeadLetterMailbox { get; }

    /// <exception cref="ConfigurationException">No mailbox of that id is configured.</exception>
    public MailboxType Lookup(string id) => _types.GetOrAdd(id, Create);

    /// <summary>The mailbox that the configuration binds to a queue's semantics.</summary>
    public MailboxType LookupByQueueType(Type queueType)
    {
        if (!_bindings.TryGetValue(queueType, out var id))
            throw new ConfigurationException($"Mailbox Mapping for [{queueType}] not configured");
        return Lookup(id);
    }

    public bool HasRequiredType(Type actorType) => GetRequiredType(actorType) is not null;

    /// <summary>The semantics an actor asks for with <see cref="IRequiresMessageQueue{T}"/>, or null.</summary>
    public Type GetRequiredType(Type actorType) => _requirements.GetOrAdd(actorType, static type =>
    {
        var requirement = type.GetInterfaces()
            .FirstOrDefault(i => i.IsGenericType && i.GetGenericTypeDefinition() == typeof(IRequiresMessageQueue<>));
        return requirement?.GenericTypeArguments[0];
    });

    public bool ProducesMessageQueue(Type mailboxType) => mailboxType.GetInterfaces().Any(IsProducer);

    /// <summary>
    /// The mailbox for an actor: the one its props or deployment names, else the one its dispatcher names, else the one that what it
    /// requires is bound to, else the default. What it requires must be met by what it gets.
    /// </summary>
    public MailboxType GetMailboxType(Props props, Config dispatcherConfig)
    {
        dispatcherConfig ??= ConfigurationFactory.Empty;
        var id = dispatcherConfig.GetString("id");
        var deploy = props.Deploy;
        var actorRequirement = GetRequiredType(props.Type);
        var mailboxRequirement = dispatcherConfig.GetString("mailbox-requirement", NoMailboxRequirement);
        var hasMailboxRequirement = !string.IsNullOrEmpty(mailboxRequirement);
        var hasMailboxType = dispatcherConfig.HasPath("mailbox-type") && deploy.Mailbox == Deploy.NoMailboxGiven;

        if (deploy.Mailbox != Deploy.NoMailboxGiven)
            return Verify(Lookup(deploy.Mailbox));
        if (deploy.Dispatcher != Deploy.NoDispatcherGiven && hasMailboxType)
            return Verify(Lookup(id));
        if (actorRequirement is not null)
        {
            try
            {
                return Verify(LookupByQueueType(actorRequirement));
            }
            catch (ConfigurationException) when (hasMailboxRequirement)
            {
                return Verify(LookupByQueueType(TypeNames.Find(mailboxRequirement)));
            }
        }

        return hasMailboxRequirement
            ? Verify(LookupByQueueType(TypeNames.Find(mailboxRequirement)))
            : Verify(Lookup(DefaultMailboxId));

        MailboxType Verify(MailboxType mailboxType)
        {
            var queue = ProducedQueue(mailboxType.GetType());
            if (hasMailboxRequirement && TypeNames.Find(mailboxRequirement) is { } required && queue is not null && !required.IsAssignableFrom(queue))
                throw new ArgumentException($"produced message queue type [{queue}] does not fulfill requirement for dispatcher [{id}]. Must be a subclass of [{mailboxRequirement}]");
            if (actorRequirement is not null && queue is not null && !actorRequirement.IsAssignableFrom(queue))
                throw new ArgumentException($"produced message queue type of [{queue}] does not fulfill requirement for actor class [{props.Type}]. Must be a subclass of [{actorRequirement}]");
            return mailboxType;
        }
    }

    /// <summary>How many messages an actor may stash: from its mailbox, its dispatcher or the default; not positive for any number.</summary>
    [InternalApi]
    public int StashCapacity(string dispatcher, string mailbox) =>
        _stashCapacities.GetOrAdd((dispatcher, mailbox), static (ids, self) => self.ReadStashCapacity(ids.Dispatcher, ids.Mailbox), this);

    private int ReadStashCapacity(string dispatcher, string mailbox)
    {
        const string Key = "stash-capacity";
        var config = _system.Settings.Config;
        if (!string.IsNullOrEmpty(mailbox) && mailbox != DefaultMailboxId && config.GetConfig(mailbox) is { } own && own.HasPath(Key))
            return own.GetInt(Key);
        if (!string.IsNullOrEmpty(dispatcher) && Dispatchers.GetConfig(config, dispatcher) is { } ofDispatcher && ofDispatcher.HasPath(Key))
            return ofDispatcher.GetInt(Key);
        return _defaultMailboxConfig.GetInt(Key, -1);
    }

    private static bool IsProducer(Type type) => type.IsGenericType && type.GetGenericTypeDefinition() == typeof(IProducesMessageQueue<>);

    private Type ProducedQueue(Type mailboxType) => _produced.GetOrAdd(
        mailboxType,
        static type => type.GetInterfaces().FirstOrDefault(IsProducer)?.GenericTypeArguments[0]);

    private MailboxType Create(string id)
    {
        if (id == UnboundedMailboxId)
            return new UnboundedMailbox();
        var config = _system.Settings.Config;
        var own = config.HasPath(id) ? config.GetConfig(id).WithFallback(_defaultMailboxConfig) : null;
        if (id == BoundedMailboxId)
            return new BoundedMailbox(_system.Settings, own ?? _defaultMailboxConfig);
        if (own is null)
            throw new ConfigurationException($"Mailbox Type [{id}] not configured");
        var name = own.GetString("mailbox-type");
        if (string.IsNullOrEmpty(name))
            throw new ConfigurationException($"The setting mailbox-type defined in [{id}] is empty");
        var type = TypeNames.Find(name)
            ?? throw new ConfigurationException($"Found mailbox-type [{name}] in configuration for [{id}], but could not find that type in any loaded assemblies.");
        return (MailboxType)Activator.CreateInstance(type, _system.Settings, own);
    }
}
