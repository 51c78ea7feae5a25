using Akka.Actor;
using Tapwire.Actors.Settings;
using Tapwire.Messages;
using Tapwire.Stack;
using Tapwire.Stack.Tcp;

namespace Tapwire.Actors;

/// <summary>Makes the contexts of the sockets' actors on each shard.</summary>
internal static class DriverSockets
{
    /// <summary>The stack actor of one shard.</summary>
    public static Props StackOf(DriverContext driver, NetworkStack engine, IReadOnlyList<WireTap> taps)
    {
        var queues = driver.Settings.Queues;
        return StackActor.Props(new StackContext(
            engine, taps, driver.Pool, driver.Clock, queues.Frames, queues.Bytes, queues.FramesPerPoll, queues.EgressCredit, queues.MaximumTick)
        {
            Memory = driver.Memory,
        });
    }

    /// <summary>TCP_MSS_DEFAULT: what an unconnected socket's TCP_MAXSEG reads as.</summary>
    private const ushort LeastAssumedSegment = 536;

    public static SocketContext[] Of(DriverContext driver, IReadOnlyList<NetworkStack> engines, IReadOnlyList<IActorRef> stacks)
    {
        var defaults = OptionDefaults(driver.Settings);
        var contexts = new SocketContext[engines.Count];
        for (var i = 0; i < contexts.Length; i++)
        {
            var shard = driver.Shards[i];
            contexts[i] = new SocketContext(stacks[i], shard.Reactor, driver.Pool, defaults)
            {
                Dispatcher = shard.Dispatcher,
                Memory = driver.Memory?.State ?? MemoryState.Unwatched,
                Shard = engines[i].Options.Shard is { } place ? new SocketShard(i, contexts, place.Steering) : null,
            };
        }

        return contexts;
    }

    /// <summary>The values of options that an application has not set.</summary>
    private static TcpSocketOptions OptionDefaults(DriverSettings settings) => new()
    {
        ReceiveBuffer = settings.Tcp.ReceiveBuffer,
        SendBuffer = settings.Tcp.SendBuffer,
        CongestionControl = settings.Tcp.CongestionControl,
        KeepAliveIdle = TcpSocketOptions.DefaultKeepAliveIdle,
        KeepAliveInterval = TcpSocketOptions.DefaultKeepAliveInterval,
        KeepAliveCount = TcpSocketOptions.DefaultKeepAliveCount,
        HopLimit = settings.HopLimit,
        MaxSegment = LeastAssumedSegment,
        SynRetries = (byte)settings.Tcp.SynRetries,
        FinWait2 = settings.Tcp.FinWait2,
    };
}
