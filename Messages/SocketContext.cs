using Akka.Actor;
using Tapwire.Posix;
using Tapwire.Stack;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Tcp;
using Tapwire.Wires;

namespace Tapwire.Messages;

/// <summary>What every socket's actor works with. In a driver of several shards there is one for each.</summary>
/// <param name="Defaults">What an option reads as that the application has not set.</param>
public sealed record SocketContext(IActorRef Stack, IReactor Reactor, BufferPool Pool, TcpSocketOptions Defaults = default)
{
    /// <summary>How much memory there is left for what waits in the sockets of applications.</summary>
    public MemoryState Memory { get; init; } = MemoryState.Unwatched;

    /// <summary>The dispatcher whose thread is the shard's.</summary>
    public string Dispatcher { get; init; } = "";

    /// <summary>Null: there is only one.</summary>
    public SocketShard? Shard { get; init; }

    /// <summary>The one whose stack a TCP port is to be bound on; 0 is any port.</summary>
    public SocketContext ForTcp(ushort port) => Shard is null || port == 0 ? this : Shard.Contexts[Shard.Steering.ClaimTcp(port, Shard.Index)];

    /// <inheritdoc cref="ForTcp"/>
    public SocketContext ForUdp(ushort port) => Shard is null || port == 0 ? this : Shard.Contexts[Shard.Steering.ClaimUdp(port, Shard.Index)];
}

/// <summary>One shard's place among all.</summary>
/// <param name="Contexts">Of all shards, each at its index.</param>
public sealed record SocketShard(int Index, IReadOnlyList<SocketContext> Contexts, FlowSteering Steering);
