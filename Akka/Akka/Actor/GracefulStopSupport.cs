using Akka.Dispatch.SysMsg;

namespace Akka.Actor;

/// <summary>Stops an actor and waits for its end.</summary>
public static class GracefulStopSupport
{
    public static Task<bool> GracefulStop(this IActorRef target, TimeSpan timeout) => target.GracefulStop(timeout, PoisonPill.Instance);

    /// <summary>Sends a message upon which the actor stops.</summary>
    /// <returns>True once it has stopped; the task is cancelled when that takes longer than the time-out.</returns>
    public static async Task<bool> GracefulStop(this IActorRef target, TimeSpan timeout, object stopMessage)
    {
        var internalTarget = (IInternalActorRef)target;
        var provider = internalTarget.Provider;
        var stopped = new TaskCompletionSource<object>(TaskCreationOptions.RunContinuationsAsynchronously);
        var watcher = new Watcher(provider, target, stopped);
        provider.RegisterTempActor(watcher, watcher.Path);
        try
        {
            internalTarget.SendSystemMessage(new Watch(internalTarget, watcher));
            target.Tell(stopMessage, ActorRefs.NoSender);
            await stopped.Task.WaitAsync(timeout).ConfigureAwait(false);
            return true;
        }
        catch (TimeoutException)
        {
            internalTarget.SendSystemMessage(new Unwatch(internalTarget, watcher));
            throw new TaskCanceledException($"[{target.Path}] did not stop within {timeout}");
        }
        finally
        {
            provider.UnregisterTempActor(watcher.Path);
        }
    }

    private sealed class Watcher : MinimalActorRef
    {
        private readonly IActorRef _target;
        private readonly TaskCompletionSource<object> _stopped;

        public Watcher(IActorRefProvider provider, IActorRef target, TaskCompletionSource<object> stopped)
        {
            Provider = provider;
            Path = provider.TempPath();
            _target = target;
            _stopped = stopped;
        }

        public override ActorPath Path { get; }

        public override IActorRefProvider Provider { get; }

        public override void SendSystemMessage(ISystemMessage message)
        {
            if (message is DeathWatchNotification { Actor: var actor } && actor.Equals(_target))
                _stopped.TrySetResult(actor);
        }
    }
}
