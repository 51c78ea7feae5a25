using Akka.Configuration;

namespace Akka.Actor;

/// <summary>Settings of one actor: given in code with its props, or under <c>akka.actor.deployment</c> by its path, which wins.</summary>
public class Deploy : IEquatable<Deploy>
{
    public static readonly string NoDispatcherGiven = string.Empty;
    public static readonly string NoMailboxGiven = string.Empty;
    public static readonly Scope NoScopeGiven = global::Akka.Actor.NoScopeGiven.Instance;
    public static readonly Deploy Local = new(Scope.Local);
    public static readonly Deploy None = new();

    public Deploy() : this(string.Empty, NoScopeGiven) { }

    public Deploy(Scope scope) : this(string.Empty, scope) { }

    public Deploy(string path, Scope scope) : this(path, ConfigurationFactory.Empty, scope, NoDispatcherGiven, NoMailboxGiven, -1) { }

    internal Deploy(string path, Config config, Scope scope, string dispatcher, string mailbox, int stashCapacity)
    {
        Path = path;
        Config = config;
        Scope = scope ?? NoScopeGiven;
        Dispatcher = dispatcher ?? NoDispatcherGiven;
        Mailbox = mailbox ?? NoMailboxGiven;
        StashCapacity = stashCapacity;
    }

    public string Path { get; }

    public Config Config { get; }

    public Scope Scope { get; }

    public string Dispatcher { get; }

    public string Mailbox { get; }

    /// <summary>How many messages the actor may stash; -1 when not given.</summary>
    public int StashCapacity { get; }

    /// <summary>This, and the other one where this says nothing.</summary>
    public virtual Deploy WithFallback(Deploy other) => new(
        Path,
        Config.Equals(other.Config) ? Config : Config.WithFallback(other.Config),
        Scope.WithFallback(other.Scope),
        Dispatcher == NoDispatcherGiven ? other.Dispatcher : Dispatcher,
        Mailbox == NoMailboxGiven ? other.Mailbox : Mailbox,
        StashCapacity < 0 ? other.StashCapacity : StashCapacity);

    public virtual Deploy WithScope(Scope scope) => new(Path, Config, scope ?? Scope, Dispatcher, Mailbox, StashCapacity);

    public virtual Deploy WithDispatcher(string dispatcher) => new(Path, Config, Scope, dispatcher, Mailbox, StashCapacity);

    public virtual Deploy WithMailbox(string mailbox) => new(Path, Config, Scope, Dispatcher, mailbox, StashCapacity);

    public virtual Deploy WithStashCapacity(int stashCapacity) => new(Path, Config, Scope, Dispatcher, Mailbox, stashCapacity);

    public bool Equals(Deploy other) =>
        other is not null && (ReferenceEquals(this, other)
            || (Path == other.Path && Dispatcher == other.Dispatcher && Mailbox == other.Mailbox && StashCapacity == other.StashCapacity
                && Scope.Equals(other.Scope) && ((Config.IsNullOrEmpty() && other.Config.IsNullOrEmpty()) || Config.Equals(other.Config))));

    public override bool Equals(object obj) => Equals(obj as Deploy);

    public override int GetHashCode() => HashCode.Combine(Path, Dispatcher, Mailbox, Scope, StashCapacity);
}

/// <summary>Reads <c>akka.actor.deployment</c>.</summary>
public class Deployer
{
    protected readonly Config Default;
    private readonly List<(string[] Pattern, Deploy Deploy)> _deployments = [];
    private readonly Lock _lock = new();

    public Deployer(Settings settings)
    {
        var config = settings.Config.GetConfig("akka.actor.deployment");
        Default = config?.GetConfig("default");
        if (config.IsNullOrEmpty())
            return;
        foreach (var (name, value) in config.AsEnumerable())
        {
            var key = name.Trim('"');
            if (key != "default" && value.IsObject())
                SetDeploy(ParseConfig(key, value.ToConfig()));
        }
    }

    internal bool IsEmpty => _deployments.Count == 0;

    /// <summary>The settings for a path below /user, or null.</summary>
    public Deploy Lookup(ActorPath path) =>
        IsEmpty || path.Elements is not [var first, ..] || first != "user" ? null : Lookup(path.Elements.Skip(1));

    /// <summary>The settings for the names from below /user; <c>*</c> stands for any one name, <c>**</c> for all that follow. Exact names win.</summary>
    public Deploy Lookup(IEnumerable<string> path)
    {
        var names = path.ToArray();
        lock (_lock)
        {
            return _deployments
                .Where(d => Fits(d.Pattern, names))
                .OrderBy(d => d.Pattern.Count(static e => e is "*") + (d.Pattern.Contains("**") ? names.Length + 1 : 0))
                .Select(static d => d.Deploy)
                .FirstOrDefault();
        }
    }

    /// <exception cref="IllegalActorNameException">The path is not one.</exception>
    public void SetDeploy(Deploy deploy)
    {
        var path = deploy.Path.TrimStart('/').Split('/');
        foreach (var name in path)
        {
            if (string.IsNullOrEmpty(name))
                throw new IllegalActorNameException("Actor name in deployment [" + deploy.Path + "] must not be empty");
            if (name is not ("*" or "**") && !ActorPath.IsValidPathElement(name))
                throw new IllegalActorNameException($"Illegal actor name [{name}] in deployment [{deploy.Path}]. {ActorPath.IllegalNameMessage(name)}");
        }

        lock (_lock)
            _deployments.Add((path, deploy));
    }

    public virtual Deploy ParseConfig(string key, Config config)
    {
        var effective = config.WithFallback(Default);
        return new Deploy(
            key,
            effective,
            Deploy.NoScopeGiven,
            effective.GetString("dispatcher", Deploy.NoDispatcherGiven),
            effective.GetString("mailbox", Deploy.NoMailboxGiven),
            effective.GetInt("stash-capacity", -1));
    }

    private static bool Fits(string[] pattern, string[] names)
    {
        for (var i = 0; i < pattern.Length; i++)
        {
            if (pattern[i] == "**")
                return names.Length > i;
            if (i >= names.Length || (pattern[i] != "*" && pattern[i] != names[i]))
                return false;
        }

        return pattern.Length == names.Length;
    }
}
