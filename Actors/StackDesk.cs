using Akka.Actor;
using Akka.Event;
using Tapwire.Actors.Sockets;
using Tapwire.Messages;
using Tapwire.Stack;

namespace Tapwire.Actors;

/// <summary>
/// What the parts of a stack actor work with in common: the engine, the sockets by their names, the time, and the way to ask for a turn. It belongs to the actor, and is used
/// within its turns only.
/// </summary>
/// <param name="self">The actor, for messages to itself.</param>
internal sealed class StackDesk(StackContext context, IActorRef self, ILoggingAdapter log, RefusalLog refusals)
{
    private readonly long _origin = context.Clock.GetTimestamp();

    public StackContext Context => context;

    public NetworkStack Stack => context.Stack;

    public SocketTable Sockets { get; } = new();

    public PollTurns Turns { get; } = new();

    public ILoggingAdapter Log => log;

    /// <summary>For what may be said once a second of each kind.</summary>
    public RefusalLog Refusals => refusals;

    /// <summary>The engine's time.</summary>
    public Instant Now => new(context.Clock.GetElapsedTime(_origin).Ticks);

    /// <summary>A time stamp of the clock as the engine's time.</summary>
    public Instant InstantOf(long timestamp) => new(context.Clock.GetElapsedTime(_origin, timestamp).Ticks);

    /// <summary>There is work for a turn: the actor has one when all that is in its mailbox is handled.</summary>
    public void PostPoll()
    {
        if (Turns.TryPost())
            self.Tell(Poll.Now, ActorRefs.NoSender);
    }
}
