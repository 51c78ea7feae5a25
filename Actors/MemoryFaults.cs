using Akka.Actor;
using Akka.Event;

namespace Tapwire.Actors;

/// <summary>
/// What is logged of memory that could not be had: it is no fault of the code, and may be missed as often as peers and applications like. So of each kind there is one line a
/// second for the whole actor system, without a trace. Shards and their supervisors share it.
/// </summary>
internal sealed class MemoryFaults(ActorSystem system) : IExtension
{
    private readonly Lock _lock = new();
    private readonly RefusalLog _refusals = new(system.Scheduler);

    /// <summary>Also where it kept an actor from being made.</summary>
    public static bool IsOne(Exception cause) => cause.GetBaseException() is OutOfMemoryException;

    public static MemoryFaults Of(ActorSystem system) => system.WithExtension<MemoryFaults, Provider>();

    /// <inheritdoc cref="RefusalLog.Warn"/>
    public void Warn(ILoggingAdapter log, string template, params object[] values)
    {
        lock (_lock)
            _refusals.Warn(log, template, values);
    }

    private sealed class Provider : ExtensionIdProvider<MemoryFaults>
    {
        public override MemoryFaults CreateExtension(ExtendedActorSystem system) => new(system);
    }
}
