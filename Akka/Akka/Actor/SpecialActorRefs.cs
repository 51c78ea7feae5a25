using System.Collections.Concurrent;
using Akka.Actor.Internal;
using Akka.Dispatch;
using Akka.Dispatch.SysMsg;
using Akka.Event;

namespace Akka.Actor;

/// <summary>The handle of an actor that does not exist: what it is told becomes a dead letter, and who watches it is told that it is dead.</summary>
public class EmptyLocalActorRef : MinimalActorRef
{
    private readonly EventStream _eventStream;

    public EmptyLocalActorRef(IActorRefProvider provider, ActorPath path, EventStream eventStream)
    {
        Provider = provider;
        Path = path;
        _eventStream = eventStream;
    }

    public override ActorPath Path { get; }

    public override IActorRefProvider Provider { get; }

    public override bool IsTerminated => true;

    internal EventStream EventStream => _eventStream;

    protected override void TellInternal(object message, IActorRef sender)
    {
        if (message is null)
            throw new InvalidMessageException("Message is null");
        if (message is DeadLetter deadLetter)
            SpecialHandle(deadLetter.Message, deadLetter.Sender);
        else if (!SpecialHandle(message, sender))
            _eventStream.Publish(new DeadLetter(message, sender ?? Provider.DeadLetters, this));
    }

    public override void SendSystemMessage(ISystemMessage message) => SpecialHandle(message, Provider.DeadLetters);

    /// <summary>Answers what even an absent actor must answer; says whether that was all.</summary>
    protected virtual bool SpecialHandle(object message, IActorRef sender)
    {
        switch (message)
        {
            case Watch watch:
                if (watch.Watchee.Equals(this) && !watch.Watcher.Equals(this))
                    watch.Watcher.SendSystemMessage(new DeathWatchNotification(watch.Watchee, existenceConfirmed: false, addressTerminated: false));
                return true;
            case Unwatch:
                return true;
            case Identify identify:
                sender.Tell(new ActorIdentity(identify.MessageId, null));
                return true;
            case ActorSelectionMessage selection:
                if (selection.Message is Identify wanted)
                {
                    if (!selection.WildCardFanOut)
                        sender.Tell(new ActorIdentity(wanted.MessageId, null));
                }
                else
                {
                    _eventStream.Publish(new DeadLetter(selection.Message, sender ?? Provider.DeadLetters, this));
                }

                return true;
            case IDeadLetterSuppression suppressed:
                _eventStream.Publish(new SuppressedDeadLetter(suppressed, sender ?? Provider.DeadLetters, this));
                return true;
            default:
                return false;
        }
    }
}

/// <summary>Where messages go that cannot be delivered; it publishes them on the event stream.</summary>
public class DeadLetterActorRef : EmptyLocalActorRef
{
    public DeadLetterActorRef(IActorRefProvider provider, ActorPath path, EventStream eventStream) : base(provider, path, eventStream) { }

    protected override void TellInternal(object message, IActorRef sender)
    {
        switch (message)
        {
            case null:
                throw new InvalidMessageException("Message is null");
            case Identify identify:
                sender.Tell(new ActorIdentity(identify.MessageId, this));
                break;
            case DeadLetter deadLetter:
                if (!SpecialHandle(deadLetter.Message, deadLetter.Sender))
                    EventStream.Publish(deadLetter);
                break;
            default:
                if (!SpecialHandle(message, sender))
                    EventStream.Publish(new DeadLetter(message, sender ?? Provider.DeadLetters, this));
                break;
        }
    }

    protected override bool SpecialHandle(object message, IActorRef sender)
    {
        if (message is not Watch watch)
            return base.SpecialHandle(message, sender);
        if (!watch.Watchee.Equals(this) && !watch.Watcher.Equals(this))
            watch.Watcher.SendSystemMessage(new DeathWatchNotification(watch.Watchee, existenceConfirmed: false, addressTerminated: false));
        return true;
    }
}

/// <summary>Takes every message and does nothing.</summary>
internal sealed class IgnoreActorRef : MinimalActorRef
{
    public IgnoreActorRef(IActorRefProvider provider)
    {
        Provider = provider;
        Path = new RootActorPath(new Address("akka", "local")) / "ignore";
    }

    public override ActorPath Path { get; }

    public override IActorRefProvider Provider { get; }
}

/// <summary>A place in the tree that has children but is no actor, such as /temp.</summary>
internal sealed class VirtualPathContainer : MinimalActorRef
{
    private readonly ConcurrentDictionary<string, IInternalActorRef> _children = new();

    private readonly EventStream _eventStream;

    public VirtualPathContainer(IActorRefProvider provider, ActorPath path, IInternalActorRef parent, EventStream eventStream)
    {
        _eventStream = eventStream;
        Provider = provider;
        Path = path;
        Parent = parent;
    }

    public override ActorPath Path { get; }

    public override IActorRefProvider Provider { get; }

    public override IInternalActorRef Parent { get; }

    public IEnumerable<IActorRef> Children => _children.Values;

    public void AddChild(string name, IInternalActorRef actor) => _children[name] = actor;

    /// <remarks>Only selections come here: they go on to the children they name.</remarks>
    protected override void TellInternal(object message, IActorRef sender)
    {
        if (message is not ActorSelectionMessage selection || selection.Elements is not [var element, .. var rest])
            return;
        var matching = element switch
        {
            SelectChildName child => _children.TryGetValue(child.Name, out var found) ? [found] : [],
            SelectChildPattern pattern => _children.Where(c => Util.Wildcard.Matches(c.Key, pattern.PatternStr)).Select(c => c.Value).ToArray(),
            SelectParent => [Parent],
            _ => _children.Values.ToArray(),
        };
        foreach (var child in matching)
            new ActorSelection(child, rest).Deliver(selection.Message, sender, selection.WildCardFanOut || matching.Length > 1);
        if (matching.Length == 0 && !selection.WildCardFanOut)
            new EmptyLocalActorRef(Provider, Path / element.ToString(), _eventStream).Tell(message, sender);
    }

    public void RemoveChild(string name) => _children.TryRemove(name, out _);

    public override IActorRef GetChild(IReadOnlyList<string> name)
    {
        if (name.Count == 0 || name[0] == "")
            return this;
        if (!_children.TryGetValue(name[0], out var child))
            return ActorRefs.Nobody;
        return name.Count == 1 ? child : child.GetChild(name.Skip(1).ToArray());
    }
}

/// <summary>The root of the tree; knows /temp and /deadLetters beside its children.</summary>
public class RootGuardianActorRef : LocalActorRef
{
    private readonly IInternalActorRef _deadLetters;
    private readonly IReadOnlyDictionary<string, IInternalActorRef> _extraNames;
    private IInternalActorRef _tempContainer;

    public RootGuardianActorRef(
        ActorSystemImpl system,
        Props props,
        MessageDispatcher dispatcher,
        MailboxType mailboxType,
        IInternalActorRef supervisor,
        ActorPath path,
        IInternalActorRef deadLetters,
        IReadOnlyDictionary<string, IInternalActorRef> extraNames)
        : base(system, props, dispatcher, mailboxType, supervisor, path)
    {
        _deadLetters = deadLetters;
        _extraNames = extraNames;
    }

    public override IInternalActorRef Parent => this;

    public void SetTempContainer(IInternalActorRef tempContainer) => _tempContainer = tempContainer;

    public override IInternalActorRef GetSingleChild(string name) => name switch
    {
        "temp" => _tempContainer,
        "deadLetters" => _deadLetters,
        _ => _extraNames.TryGetValue(name, out var extra) ? extra : base.GetSingleChild(name),
    };
}

/// <summary>The root's supervisor: no actor, but what completes the termination of the system.</summary>
public class RootGuardianSupervisor : MinimalActorRef
{
    private readonly TaskCompletionSource<Status> _terminationPromise;
    private readonly ILoggingAdapter _log;

    public RootGuardianSupervisor(
        RootActorPath root,
        IActorRefProvider provider,
        TaskCompletionSource<Status> terminationPromise,
        ILoggingAdapter log)
    {
        Path = root / "_Root-guardian-supervisor";
        Provider = provider;
        _terminationPromise = terminationPromise;
        _log = log;
    }

    public override ActorPath Path { get; }

    public override IActorRefProvider Provider { get; }

    /// <summary>Why the root failed, if it did.</summary>
    public Exception CauseOfTermination { get; private set; }

    public override void Stop() => _terminationPromise.TrySetResult(Result());

    protected override void TellInternal(object message, IActorRef sender)
    {
        if (message is null)
            throw new InvalidMessageException("Message is null");
        if (!_terminationPromise.Task.IsCompleted)
            _log.Error("{0} received unexpected message [{1}]", Path, message);
    }

    public override void SendSystemMessage(ISystemMessage systemMessage)
    {
        switch (systemMessage)
        {
            case Failed failed:
                CauseOfTermination = failed.Cause;
                _log.Error(failed.Cause, "guardian {0} failed, shutting down!", failed.Child);
                ((IInternalActorRef)failed.Child).Stop();
                break;
            case Supervise or Watch or Unwatch:
                break; // the root is supervised from the beginning
            case DeathWatchNotification:
                Stop();
                break;
            case not null when !_terminationPromise.Task.IsCompleted:
                _log.Error("{0} received unexpected system message [{1}]", Path, systemMessage);
                break;
        }
    }

    private Status Result() =>
        CauseOfTermination is null ? Status.Success.Instance : new Status.Failure(CauseOfTermination);
}
