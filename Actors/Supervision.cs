using Akka.Actor;
using Akka.Event;

namespace Tapwire.Actors;

/// <summary>
/// Decides what happens to an actor that throws. There are two strategies, and neither restarts: the descriptor, wire or socket in the actor's props is used up
/// by then. Akka.NET logs each fault once, with the exception and the actor's path. Failed allocations are handled in the same way, and logged by
/// <see cref="MemoryFaults"/>.
/// </summary>
internal static class Supervision
{
    /// <summary>
    /// For an actor that owns one thing: it stops, and its PostStop gives that thing back. A connection is reset on both sides, a session is closed, a flow is
    /// forgotten; other actors are not affected.
    /// </summary>
    public static readonly SupervisorStrategy Stop = new StopStrategy();

    /// <summary>
    /// For an actor on which many depend: the driver's own children. It loses the message on which it failed, and keeps what it owns; stopping it would end all
    /// connections. Tap and stack can continue because they handle the faults of what they own themselves, so that only a broken message gets here. An actor
    /// that cannot start stops; its parent watches it, and ends in order.
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
        /// <summary>Logs a fault as an error whatever becomes of the actor. Akka.NET only warns if the actor continues.</summary>
        protected override void LogFailure(IActorContext context, IActorRef child, Exception cause, Directive directive)
        {
            if (MemoryFaults.IsOne(cause) && directive == Directive.Resume)
                WarnOfMemory(context, "Out of memory: {Actor} has lost a message, and goes on", child);
            else
                base.LogFailure(context, child, cause, Directive.Stop);
        }
    }
}
