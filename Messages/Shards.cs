using Akka.Actor;
using Akka.Event;
using Tapwire.Stack.Buffers;

namespace Tapwire.Messages;

/// <summary>DriverActor → StackActor of a driver with several, once, before anything else: all of them, each at its index. The wire is opened now. No answer.</summary>
public sealed record Siblings(IReadOnlyList<IActorRef> Stacks);

/// <summary>
/// StackActor → another one with the same addresses: a packet between own addresses, beginning with its IP header, whose socket is there. No answer. A frame off the wire
/// that is another's goes to it as the <see cref="Frame"/> that it is.
/// </summary>
public sealed record Crossing(PacketBuffer Packet) : IOwnsBuffers, IDeadLetterSuppression
{
    public void Release() => Packet.Release();
}
