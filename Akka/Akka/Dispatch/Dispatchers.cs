using System.Collections.Concurrent;
using Akka.Actor;
using Akka.Annotations;
using Akka.Configuration;
using Akka.Event;
using Akka.Util;

namespace Akka.Dispatch;

/// <summary>The dispatchers of an actor system, by their path in the configuration.</summary>
public sealed class Dispatchers
{
    public const string DefaultDispatcherId = "akka.actor.default-dispatcher";
    public const string DefaultBlockingDispatcherId = "akka.actor.default-blocking-io-dispatcher";
    public const string SynchronizedDispatcherId = "akka.actor.synchronized-dispatcher";
    private const int MaxAliasDepth = 20;

    private readonly ConcurrentDictionary<string, MessageDispatcherConfigurator> _configurators = new();
    private readonly ConcurrentDictionary<MessageDispatcher, byte> _inhabited = new();
    private readonly ActorSystem _system;

    public Dispatchers(ActorSystem system, IDispatcherPrerequisites prerequisites, ILoggingAdapter logger)
    {
        _system = system;
        Prerequisites = prerequisites;
        DefaultDispatcherConfig = IdConfig(DefaultDispatcherId).WithFallback(Config.GetConfig(DefaultDispatcherId));
        DefaultGlobalDispatcher = Lookup(DefaultDispatcherId);
    }

    public IDispatcherPrerequisites Prerequisites { get; }

    public Config DefaultDispatcherConfig { get; }

    public MessageDispatcher DefaultGlobalDispatcher { get; }

    /// <exception cref="ConfigurationException">No such dispatcher is configured.</exception>
    public MessageDispatcher Lookup(string dispatcherName) => LookupConfigurator(dispatcherName).Dispatcher();

    public bool HasDispatcher(string id) => _configurators.ContainsKey(id) || Config.HasPath(id);

    /// <summary>Adds a dispatcher that no configuration names; false when the name is taken.</summary>
    public bool RegisterConfigurator(string id, MessageDispatcherConfigurator configurator) => _configurators.TryAdd(id, configurator);

    /// <summary>The configuration of a dispatcher with the default dispatcher's behind it. A string in its place is the name of another dispatcher.</summary>
    [InternalApi]
    public static Config GetConfig(Config config, string id, int depth = 0)
    {
        if (depth > MaxAliasDepth)
            throw new ConfigurationException($"Could not find a concrete dispatcher config after following {MaxAliasDepth} deep. Is there a loop in your config? last Id was [{id}]");
        if (!config.HasPath(id))
            throw new ConfigurationException($"Dispatcher [{id}] not configured");
        var value = config.GetValue(id);
        if (value is not null && value.IsString() && !value.IsObject())
            return GetConfig(config, value.GetString(), depth + 1);
        return IdConfig(id).WithFallback(config.GetConfig(id)).WithFallback(config.GetConfig(DefaultDispatcherId));
    }

    internal void Inhabited(MessageDispatcher dispatcher) => _inhabited.TryAdd(dispatcher, 0);

    internal void Deserted(MessageDispatcher dispatcher) => _inhabited.TryRemove(dispatcher, out _);

    /// <summary>Ends the dispatchers that wait out their <c>shutdown-timeout</c>, as the scheduler they wait with is about to stop.</summary>
    internal void ShutdownDeserted()
    {
        foreach (var (dispatcher, _) in _inhabited)
        {
            if (!dispatcher.IsDeserted)
                continue;
            Deserted(dispatcher);
            dispatcher.ShutdownNow();
        }
    }

    // An extension may have put further configuration behind that of the system.
    private Config Config => _system.Settings.Config;

    private static Config IdConfig(string id) => ConfigurationFactory.ParseString($"id = \"{id}\"");

    private MessageDispatcherConfigurator LookupConfigurator(string id)
    {
        if (_configurators.TryGetValue(id, out var configurator))
            return configurator;
        return _configurators.GetOrAdd(id, ConfiguratorFrom(GetConfig(Config, id)));
    }

    private MessageDispatcherConfigurator ConfiguratorFrom(Config config)
    {
        var id = config.GetString("id");
        var type = config.GetString("type");
        switch (type)
        {
            case "Dispatcher":
                return new DispatcherConfigurator(config, Prerequisites);
            case "TaskDispatcher":
                return new ExecutorDispatcherConfigurator(config, Prerequisites, new DefaultTaskSchedulerExecutorConfigurator(config, Prerequisites));
            case "ForkJoinDispatcher":
                return new ExecutorDispatcherConfigurator(config, Prerequisites, new ForkJoinExecutorServiceFactory(config, Prerequisites));
            case "PinnedDispatcher":
                return new PinnedDispatcherConfigurator(config, Prerequisites);
            case "SynchronizedDispatcher":
                return new SynchronizedDispatcherConfigurator(config, Prerequisites);
            case null or "":
                throw new ConfigurationException($"Missing dispatcher `type` config property at path [{id}]");
        }

        var found = TypeNames.Find(type)
            ?? throw new ConfigurationException($"Could not resolve dispatcher type [{type}] for path [{id}]");
        return Activator.CreateInstance(found, config, Prerequisites) as MessageDispatcherConfigurator
            ?? throw new ConfigurationException($"Dispatcher type [{type}] for path [{id}] is no MessageDispatcherConfigurator");
    }
}
