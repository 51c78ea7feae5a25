using Akka.Actor;
using Tapwire.Posix;
using Tapwire.Stack;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Tcp;
using Tapwire.Wires;

namespace Tapwire.Messages;

/// <summary>The context of every socket's actor. A driver with several shards has one for each.</summary>
/// <param name="Defaults">The values that unset options read as.</param>
public sealed record SocketContext(IActorRef Stack, IReactor Reactor, BufferPool Pool, TcpSocketOptions Defaults = default)
{
    /// <summary>How much memory is left for data that waits in the sockets of applications.</summary>
    public MemoryState Memory { get; init; } = MemoryState.Unwatched;

    /// <summary>The dispatcher of the shard's thread.</summary>
    public string Dispatcher { get; init; } = "";

    /// <summary>The shard's place among all; null if there is only one.</summary>
    public SocketShard? Shard { get; init; }

    /// <summary>The context of the shard on which a TCP port must be bound; port 0 is any port.</summary>
    /// <param name="sharing">With whom the socket shares the port.</param>
    public SocketContext ForTcp(ushort port, in PortSharing sharing) => Shard is null || port == 0 ? this : Shard.Contexts[Shard.Steering.JoinTcp(port, sharing, Shard.Index)];

    /// <inheritdoc cref="ForTcp"/>
    public SocketContext ForUdp(ushort port, in PortSharing sharing) => Shard is null || port == 0 ? this : Shard.Contexts[Shard.Steering.JoinUdp(port, sharing, Shard.Index)];
}

/// <summary>One shard's place among all.</summary>
/// <param name="Contexts">The contexts of all shards, each at its index.</param>
public sealed record SocketShard(int Index, IReadOnlyList<SocketContext> Contexts, FlowSteering Steering);
