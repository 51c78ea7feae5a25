using Akka.Actor;
using Akka.Dispatch;

namespace Tapwire.Actors.Dispatch;

/// <summary>
/// A dispatcher that runs mailboxes one at a time, in the order in which they received their first message. The actors here rely on that order: work that one
/// posts runs behind the actors to which it has sent messages before.
/// </summary>
/// <param name="configurator">The configurator of the dispatcher's section in <c>akka.hocon</c>.</param>
public abstract class OrderedDispatcher(MessageDispatcherConfigurator configurator) : MessageDispatcher(configurator)
{
    /// <summary>Runs work behind all that was posted before. Unlike <see cref="MessageDispatcher.Schedule(IRunnable)"/> it allocates nothing.</summary>
    public abstract void Post(Action<object?> work, object? state);
}

internal static class OrderedDispatcherExtensions
{
    /// <summary>
    /// Lets an actor that has done a batch of its work continue behind all others with pending messages. A message to itself would be handled in the same turn,
    /// up to the dispatcher's throughput, and the others would wait for many batches.
    /// </summary>
    /// <param name="tell">Called with the actor, to tell it to continue.</param>
    public static void GoOnLater(this IActorContext context, Action<object?> tell) => ((OrderedDispatcher)context.Dispatcher).Post(tell, context.Self);
}
