using Tapwire.Links.Protocol;
using Tapwire.Messages;

namespace Tapwire.Actors.Link;

/// <summary>Adds up the status of a driver's shards.</summary>
internal static class StatusTotals
{
    private static readonly string[] BestFirst = ["PERMANENT", "REACHABLE", "DELAY", "PROBE", "STALE", "INCOMPLETE", "FAILED"];

    /// <summary>Sums counters and connections. Addresses and the buffer pool are common to all shards.</summary>
    public static StackStatus Of(IReadOnlyList<StackStatus> shards)
    {
        if (shards.Count == 1)
            return shards[0];
        var counters = new Dictionary<string, long>();
        foreach (var (name, value) in shards.SelectMany(static shard => shard.Counters))
            counters[name] = counters.GetValueOrDefault(name) + value;
        return shards[0] with
        {
            Interfaces = [.. shards[0].Interfaces.Select(each => each with { Neighbors = NeighborsOf(each.Name, shards) })],
            Connections = [.. shards.SelectMany(static shard => shard.Connections).Take(StackStatuses.MaxConnections)],
            ConnectionCount = shards.Sum(static shard => shard.ConnectionCount),
            Counters = counters,
            Limits = shards.SelectMany(static shard => shard.Limits).GroupBy(static each => each.Key).ToDictionary(static same => same.Key, static same => same.Sum(static each => each.Value)),
            FullListeners = [.. shards.SelectMany(static shard => shard.FullListeners).Take(StackStatuses.MaxFullListeners)],
        };
    }

    /// <summary>Each shard asks for its neighbours itself. The best that one of them knows counts.</summary>
    private static NeighborStatus[] NeighborsOf(string name, IReadOnlyList<StackStatus> shards) =>
    [
        .. shards.SelectMany(shard => shard.Interfaces.Where(each => each.Name == name).SelectMany(static each => each.Neighbors))
            .GroupBy(static each => each.Address).Select(static same => same.MinBy(static each => Array.IndexOf(BestFirst, each.State))!).OrderBy(static each => each.Address).Take(StackStatuses.MaxNeighbors),
    ];

    /// <summary>Sums the queues of one interface, which is up while all of them are.</summary>
    public static WireStatus Of(IReadOnlyList<TapStatus> queues) => queues[0].Wire with
    {
        Up = queues.All(static queue => queue.Wire.Up),
        FramesReceived = queues.Sum(static queue => queue.Wire.FramesReceived),
        BytesReceived = queues.Sum(static queue => queue.Wire.BytesReceived),
        FramesSent = queues.Sum(static queue => queue.Wire.FramesSent),
        BytesSent = queues.Sum(static queue => queue.Wire.BytesSent),
        FramesRefused = queues.Sum(static queue => queue.Wire.FramesRefused),
        FramesDropped = queues.Sum(static queue => queue.Wire.FramesDropped),
    };
}
