using Akka.Actor;
using Akka.Event;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Ip;

namespace Tapwire.Messages;

/// <summary>DriverActor → StackActor of a driver with several shards, once, before anything else: the stack actors, each at its index. The wire is opened now.
/// No answer.</summary>
public sealed record Siblings(IReadOnlyList<IActorRef> Stacks);

/// <summary>
/// StackActor → another one with the same addresses: a packet between own addresses whose socket is there; or a received packet for which the sender has no
/// socket, and the receiver may have one. No answer. A frame known to be another shard's is passed on unchanged as <see cref="Frame"/>.
/// </summary>
/// <param name="ShardsTried">See <see cref="CrossingPacket.ShardsTried"/>.</param>
public sealed record Crossing(PacketBuffer Packet, int ShardsTried) : IOwnsBuffers, IDeadLetterSuppression
{
    public void Release() => Packet.Release();
}
