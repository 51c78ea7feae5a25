using Akka.Actor;
using Akka.Event;

namespace Tapwire.Actors;

/// <summary>
/// Logs failed memory allocations. They are no fault of the code, and peers and applications can cause them as often as they like. So each kind gets one line a
/// second in the whole actor system, without a stack trace. Shards and their supervisors share it.
/// </summary>
internal sealed class MemoryFaults(ActorSystem system) : IExtension
{
    private readonly Lock _lock = new();
    private readonly RefusalLog _refusals = new(system.Scheduler);

    /// <summary>The cause is a failed allocation, even inside the exception of an actor that could not be created.</summary>
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
