using Tapwire.Links.Protocol;
using Tapwire.Messages;

namespace Tapwire.Actors.Link;

/// <summary>Adds up the status of a driver's shards.</summary>
internal static class StatusTotals
{
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
            Connections = [.. shards.SelectMany(static shard => shard.Connections).Take(StackStatuses.MaxConnections)],
            ConnectionCount = shards.Sum(static shard => shard.ConnectionCount),
            Counters = counters,
        };
    }

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
