using Akka.Actor;
using Akka.Event;

namespace Tapwire.Actors;

/// <summary>
/// What becomes of an actor that throws. There are two answers, and none of them is to restart: an actor's props carry a descriptor, a wire or a socket which is
/// used up by then. Akka.NET logs each fault once, with the exception and the actor's path. Memory that cannot be had is dealt with in the same way, and logged by
/// <see cref="MemoryFaults"/>.
/// </summary>
internal static class Supervision
{
    /// <summary>
    /// For an actor that owns one thing: it stops, and its PostStop gives that back. A connection is reset on both sides, a session is closed, a flow is forgotten; the
    /// others do not notice.
    /// </summary>
    public static readonly SupervisorStrategy Stop = new StopStrategy();

    /// <summary>
    /// For an actor that many depend on: the driver's own children. It loses the message that it failed on, and goes on with what it owns; to stop it would be the end of
    /// all connections. Tap and stack bear it because they deal with the faults of what they own themselves, so that only a message which is itself broken gets here.
    /// One that cannot begin stops: its parent watches it, and ends in order.
    /// </summary>
    public static readonly SupervisorStrategy LoseMessage = new LoseMessageStrategy();

    private static void WarnOfMemory(IActorContext context, string template, IActorRef child) =>
        MemoryFaults.Of(context.System).Warn(context.GetLogger(), template, child.Path.ToStringWithoutAddress());

    private sealed class StopStrategy() : OneForOneStrategy(static _ => Directive.Stop)
    {
        protected override void LogFailure(IActorContext context, IActorRef child, Exception cause, Directive directive)
        {
            if (MemoryFaults.IsOne(cause))
                WarnOfMemory(context, "Out of memory: {Actor} has stopped, and what it served is reset", child);
            else
                base.LogFailure(context, child, cause, directive);
        }
    }

    private sealed class LoseMessageStrategy()
        : OneForOneStrategy(static cause => cause is ActorInitializationException or ActorKilledException ? Directive.Stop : Directive.Resume)
    {
        /// <summary>A fault is an error whatever becomes of the actor. Akka.NET only warns of one that goes on.</summary>
        protected override void LogFailure(IActorContext context, IActorRef child, Exception cause, Directive directive)
        {
            if (MemoryFaults.IsOne(cause) && directive == Directive.Resume)
                WarnOfMemory(context, "Out of memory: {Actor} has lost a message, and goes on", child);
            else
                base.LogFailure(context, child, cause, Directive.Stop);
        }
    }
}
