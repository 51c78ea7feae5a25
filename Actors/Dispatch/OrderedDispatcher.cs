using Akka.Actor;
using Akka.Dispatch;

namespace Tapwire.Actors.Dispatch;

/// <summary>
/// A dispatcher that runs mailboxes one at a time, in the order in which they got something to do. The actors here rely on that order: work that one of them
/// posts runs behind the actors that it has told something before.
/// </summary>
/// <param name="configurator">Made from the section of <c>akka.hocon</c> that names the dispatcher.</param>
public abstract class OrderedDispatcher(MessageDispatcherConfigurator configurator) : MessageDispatcher(configurator)
{
    /// <summary>Runs work behind what has been posted so far. Unlike <see cref="MessageDispatcher.Schedule(IRunnable)"/> it allocates nothing.</summary>
    public abstract void Post(Action<object?> work, object? state);
}

internal static class OrderedDispatcherExtensions
{
    /// <summary>
    /// Lets an actor that has done a batch of its work go on behind everybody who has something to do by now. What it simply told itself it would handle in the same
    /// turn, up to the dispatcher's throughput, and the others would wait for many batches.
    /// </summary>
    /// <param name="tell">Is given the actor, and tells it to go on.</param>
    public static void GoOnLater(this IActorContext context, Action<object?> tell) => ((OrderedDispatcher)context.Dispatcher).Post(tell, context.Self);
}
