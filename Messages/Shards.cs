using Akka.Actor;
using Akka.Event;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Ip;

namespace Tapwire.Messages;

/// <summary>DriverActor → StackActor of a driver with several, once, before anything else: all of them, each at its index. The wire is opened now. No answer.</summary>
public sealed record Siblings(IReadOnlyList<IActorRef> Stacks);

/// <summary>
/// StackActor → another one with the same addresses: a packet between own addresses whose socket is there, or one off the wire that has found no socket on the way and may
/// find one there. No answer. A frame that is known to be another's goes to it as the <see cref="Frame"/> that it is.
/// </summary>
/// <param name="ShardsTried">See <see cref="CrossingPacket.ShardsTried"/>.</param>
public sealed record Crossing(PacketBuffer Packet, int ShardsTried) : IOwnsBuffers, IDeadLetterSuppression
{
    public void Release() => Packet.Release();
}
