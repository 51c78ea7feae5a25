using Akka.Actor;
using Akka.Configuration;
using Tapwire.Posix;

namespace Tapwire.Actors.Dispatch;

/// <summary>The dispatchers of a driver's shards. The first shard uses the configured one; each further shard has a copy of its own.</summary>
public static class ShardDispatchers
{
    /// <summary>The id of the configured one.</summary>
    public const string First = $"{Root}.{Key}";

    private const string Root = "tapwire";
    private const string Key = "dispatcher";

    /// <summary>The id of a shard's.</summary>
    public static string Of(int shard) => shard == 0 ? First : $"{First}-shard{shard}";

    /// <summary>Adds the dispatchers of the further shards.</summary>
    public static Config With(Config config, int shards)
    {
        ArgumentNullException.ThrowIfNull(config);
        for (var i = 1; i < shards; i++)
            config = config.WithFallback(config.GetValue(First).AtKey($"{Key}-shard{i}").Root.AtKey(Root));
        return config;
    }

    /// <returns>Null: the dispatcher is of another type, and has no reactor.</returns>
    public static IReactor? ReactorOf(ActorSystem system, string dispatcher)
    {
        ArgumentNullException.ThrowIfNull(system);
        return (system.Dispatchers.Lookup(dispatcher) as ReactorDispatcher)?.Reactor;
    }
}
