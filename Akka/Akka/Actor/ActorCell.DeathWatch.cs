using Akka.Dispatch.SysMsg;
using Akka.Event;
using Akka.Util;

namespace Akka.Actor;

/// <summary>Who watches whom.</summary>
public partial class ActorCell
{
    private Watches _watches;

    public IActorRef Watch(IActorRef subject) => Watch(subject, Option<object>.None);

    public IActorRef WatchWith(IActorRef subject, object message)
    {
        if (message is null)
            throw new ArgumentNullException(nameof(message), "message must not be null");
        return Watch(subject, Option<object>.Create(message));
    }

    public IActorRef Unwatch(IActorRef subject)
    {
        var watchee = (IInternalActorRef)subject;
        if (_watches is null)
            return watchee;
        if (!watchee.Equals(Self) && _watches.StopWatching(watchee))
            watchee.SendSystemMessage(new Unwatch(watchee, _self));
        _watches.Queued?.Remove(watchee); // and the notice that may be in the mailbox already is not wanted any more
        return watchee;
    }

    /// <summary>Expects the <see cref="Terminated"/> of a subject in the mailbox.</summary>
    public void TerminatedQueuedFor(IActorRef subject, Option<object> customMessage) =>
        ((_watches ??= new Watches()).Queued ??= []).TryAdd(subject, customMessage);

    protected void ReceivedTerminated(Terminated t)
    {
        if (_watches?.Queued is null || !_watches.Queued.Remove(t.ActorRef, out var custom))
            return;
        if (custom.HasValue)
            CurrentMessage = custom.Value;
        ReceiveMessage(custom.HasValue ? custom.Value : t);
    }

    protected void WatchedActorTerminated(IActorRef actor, bool existenceConfirmed, bool addressTerminated)
    {
        if (_watches is not null && _watches.TryStopWatching(actor, out var custom) && !IsTerminating)
        {
            Self.Tell(new Terminated(actor, existenceConfirmed, addressTerminated), actor);
            TerminatedQueuedFor(actor, custom);
        }

        if (TryGetChildStatsByRef(actor, out _))
            HandleChildTerminated(actor);
    }

    protected void TellWatchersWeDied()
    {
        var watchers = _watches?.Watchers;
        if (watchers is null)
            return;
        _watches.Watchers = null;
        foreach (var watcher in watchers)
        {
            // The parent has heard already.
            if (!watcher.Equals(Parent))
                ((IInternalActorRef)watcher).SendSystemMessage(new DeathWatchNotification(Self, existenceConfirmed: true, addressTerminated: false));
        }
    }

    protected void UnwatchWatchedActors(ActorBase actor)
    {
        var watching = _watches?.Watching;
        if (watching is null)
            return;
        _watches.Watching = null;
        _watches.Queued = null;
        foreach (var watchee in watching.Keys)
            ((IInternalActorRef)watchee).SendSystemMessage(new Unwatch((IInternalActorRef)watchee, _self));
    }

    protected void AddWatcher(IActorRef watchee, IActorRef watcher)
    {
        var watcheeIsSelf = watchee.Equals(Self);
        var watcherIsSelf = watcher.Equals(Self);
        if (watcheeIsSelf && !watcherIsSelf)
        {
            if (((_watches ??= new Watches()).Watchers ??= []).Add(watcher) && System.Settings.DebugLifecycle)
                Publish(new Debug(Self.Path.ToString(), ActorType, $"now watched by {watcher}"));
        }
        else if (!watcheeIsSelf && watcherIsSelf)
        {
            Watch(watchee);
        }
        else
        {
            Publish(new Warning(Self.Path.ToString(), ActorType, $"BUG: illegal Watch({watchee},{watcher} for {Self}"));
        }
    }

    protected void RemWatcher(IActorRef watchee, IActorRef watcher)
    {
        var watcheeIsSelf = watchee.Equals(Self);
        var watcherIsSelf = watcher.Equals(Self);
        if (watcheeIsSelf && !watcherIsSelf)
        {
            if (_watches?.Watchers is not null && _watches.Watchers.Remove(watcher) && System.Settings.DebugLifecycle)
                Publish(new Debug(Self.Path.ToString(), ActorType, $"no longer watched by {watcher}"));
        }
        else if (!watcheeIsSelf && watcherIsSelf)
        {
            Unwatch(watchee);
        }
        else
        {
            Publish(new Warning(Self.Path.ToString(), ActorType, $"BUG: illegal Unwatch({watchee},{watcher} for {Self}"));
        }
    }

    private IActorRef Watch(IActorRef subject, Option<object> message)
    {
        var watchee = (IInternalActorRef)subject;
        if (watchee.Equals(Self))
            return watchee;
        _watches ??= new Watches();
        if (_watches.TryGetWatching(watchee, out var before))
        {
            CheckSameMessage(watchee, before, message);
            return watchee;
        }

        _watches.Watch(watchee, message);
        watchee.SendSystemMessage(new Watch(watchee, _self));
        return watchee;
    }

    private void CheckSameMessage(IActorRef watchee, Option<object> before, Option<object> message)
    {
        if (!before.Equals(message))
        {
            throw new InvalidOperationException(
                $"Watch({Self}, {watchee}) termination message was not overwritten from [{before}] to [{message}]. "
                + "If this was intended, unwatch first before using Watch / WatchWith with another message.");
        }
    }

    /// <summary>Made for an actor that watches or is watched.</summary>
    private sealed class Watches
    {
        private int _withoutUid;

        /// <summary>Whom this actor watches, and the message it wants instead of <see cref="Terminated"/>.</summary>
        public Dictionary<IActorRef, Option<object>> Watching;

        /// <summary>Who watches this actor.</summary>
        public HashSet<IActorRef> Watchers;

        /// <summary>Whose <see cref="Terminated"/> is in the mailbox.</summary>
        public Dictionary<IActorRef, Option<object>> Queued;

        public void Watch(IActorRef subject, Option<object> message)
        {
            (Watching ??= []).Add(subject, message);
            if (subject.Path.Uid == UndefinedUid)
                _withoutUid++;
        }

        public bool TryGetWatching(IActorRef subject, out Option<object> message)
        {
            message = default;
            return Watching is not null && Key(subject) is { } key && Watching.TryGetValue(key, out message);
        }

        public bool StopWatching(IActorRef subject) => TryStopWatching(subject, out _);

        public bool TryStopWatching(IActorRef subject, out Option<object> message)
        {
            message = default;
            if (Watching is null || Key(subject) is not { } key || !Watching.Remove(key, out message))
                return false;
            if (key.Path.Uid == UndefinedUid)
                _withoutUid--;
            return true;
        }

        /// <remarks>What is watched without a uid is any incarnation of that path.</remarks>
        private IActorRef Key(IActorRef subject)
        {
            if (Watching.ContainsKey(subject))
                return subject;
            return _withoutUid == 0 || subject.Path.Uid == UndefinedUid
                ? null
                : Watching.Keys.FirstOrDefault(k => k.Path.Uid == UndefinedUid && k.Path.Equals(subject.Path));
        }
    }
}
