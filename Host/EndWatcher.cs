using Akka.Actor;

namespace Tapwire.Host;

/// <summary>Tells code outside the actor system that an actor is gone.</summary>
internal sealed class EndWatcher : ReceiveActor
{
    public EndWatcher(IActorRef watched, TaskCompletionSource ended)
    {
        Context.Watch(watched);
        Receive<Terminated>(_ => ended.TrySetResult());
    }

    /// <summary>Ends when the actor has.</summary>
    public static Task Watch(ActorSystem system, IActorRef watched)
    {
        var ended = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        system.ActorOf(Props.Create(() => new EndWatcher(watched, ended)));
        return ended.Task;
    }
}
