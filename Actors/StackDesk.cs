using System.Globalization;
using Akka.Actor;
using Akka.Event;
using Tapwire.Actors.Capture;
using Tapwire.Actors.Sockets;
using Tapwire.Links.Protocol;
using Tapwire.Messages;
using Tapwire.Stack;
using Tapwire.Stack.Ip;

namespace Tapwire.Actors;

/// <summary>
/// The state that all parts of a stack actor share: the engine, the sockets by their ids, the time, and the request for a turn. The actor owns it and uses it
/// only during its own turns.
/// </summary>
/// <param name="self">The actor, for messages to itself.</param>
internal sealed class StackDesk(StackContext context, IActorRef self, ILoggingAdapter log, RefusalLog refusals)
{
    private readonly long _origin = context.Clock.GetTimestamp();

    public StackContext Context => context;

    public NetworkStack Stack => context.Stack;

    public SocketTable Sockets { get; } = new();

    public PollTurns Turns { get; } = new();

    /// <summary>Who captures packets; null: nobody.</summary>
    public Captures? Captures { get; private set; }

    public ILoggingAdapter Log => log;

    /// <summary>The log for refusals, limited to one line a second for each kind.</summary>
    public RefusalLog Refusals => refusals;

    /// <summary>The engine's time.</summary>
    public Instant Now => Latest = new(context.Clock.GetElapsedTime(_origin).Ticks);

    /// <summary>What <see cref="Now"/> was last, for what happens within a turn.</summary>
    public Instant Latest { get; private set; }

    /// <summary>Converts a time stamp of the clock to the engine's time.</summary>
    public Instant InstantOf(long timestamp) => new(context.Clock.GetElapsedTime(_origin, timestamp).Ticks);

    /// <summary>Finds the own address by which a zone's peer is reached.</summary>
    /// <param name="zone">An interface's name, or its number as programs see it; null: the route decides, and the source is unspecified.</param>
    /// <returns>False: there is no such interface, or it has no address of that family.</returns>
    public bool TryFindSource(string? zone, IpAddress destination, out IpAddress source)
    {
        source = default;
        if (zone is null)
            return true;
        var on = Stack.Interfaces.FirstOrDefault(each => each.Options.Name == zone)
            ?? Stack.Interfaces.FirstOrDefault(each => LinkInterface.IndexOf(each.Index).ToString(CultureInfo.InvariantCulture) == zone);
        source = on is null ? default : Stack.SourceOn(on.Index, destination);
        return !source.IsUnspecified;
    }

    /// <summary>What <see cref="Bound.Interface"/> and its like say of an own address.</summary>
    public byte? InterfaceOf(IpAddress address) =>
        address is { IsV6: true, IsLinkLocal: true } ? Stack.Interfaces.FirstOrDefault(each => each.Addresses.Any(own => own.Address == address))?.Index : null;

    /// <summary>Has somebody join or leave a capture.</summary>
    /// <returns>False: the message belongs to another conversation.</returns>
    public bool HandleCapture(object message)
    {
        // Packets of other shards come this way.
        if (message is not (JoinCapture or LeaveCapture))
            return false;
        var captures = Captures;
        Captures.Handle(message, ref captures, () => new Captures(context.Pool, context.Clock, new InputDrops(Stack.Counters)), Stack.Interfaces.Select(CapturePlace.Of), self);
        Captures = captures;
        return true;
    }

    /// <summary>Requests a turn. It follows all messages that are in the mailbox now.</summary>
    public void PostPoll()
    {
        if (Turns.TryPost())
            self.Tell(Poll.Now, ActorRefs.NoSender);
    }
}
