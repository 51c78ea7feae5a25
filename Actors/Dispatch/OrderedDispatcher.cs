using Akka.Dispatch;

namespace Tapwire.Actors.Dispatch;

/// <summary>
/// A dispatcher that runs mailboxes one at a time, in the order in which they got something to do. <see cref="StackActor"/> relies on that order: work that it
/// posts runs behind the actors that it has told something before.
/// </summary>
/// <param name="configurator">Made from the section of <c>akka.hocon</c> that names the dispatcher.</param>
public abstract class OrderedDispatcher(MessageDispatcherConfigurator configurator) : MessageDispatcher(configurator)
{
    /// <summary>Runs work behind what has been posted so far. Unlike <see cref="MessageDispatcher.Schedule(IRunnable)"/> it allocates nothing.</summary>
    public void Post(IRunnable work) => ExecuteTask(work);
}
