using Akka.Dispatch;

namespace Akka.Actor.Internal;

/// <summary>The stash of one actor instance.</summary>
internal sealed class StashImpl : IStash
{
    private readonly ActorCell _cell;
    private readonly int _capacity; // not positive for any number
    private LinkedList<Envelope> _stash;
    private int _lastStashed = -1;

    public StashImpl(ActorCell cell)
    {
        _cell = cell;
        var deploy = cell.Props.Deploy;
        _capacity = deploy.StashCapacity > 0
            ? deploy.StashCapacity
            : cell.SystemImpl.Mailboxes.StashCapacity(cell.Props.Dispatcher, cell.Props.Mailbox);
    }

    public void Stash()
    {
        var message = _cell.CurrentMessage;
        var sender = _cell.Sender;
        if (_lastStashed == _cell.CurrentEnvelopeId)
            throw new IllegalActorStateException($"Can't stash the same message {message} more than once");
        if (_capacity > 0 && Count >= _capacity)
            throw new StashOverflowException($"Couldn't enqueue message {message} from ${sender} to stash of {_cell.Self}");
        _lastStashed = _cell.CurrentEnvelopeId;
        (_stash ??= new LinkedList<Envelope>()).AddLast(new Envelope(message, sender));
    }

    public void Unstash()
    {
        if (Count == 0)
            return;
        var envelope = _stash.First.Value;
        _stash.RemoveFirst();
        Queue.EnqueueFirst(envelope);
    }

    public void UnstashAll() => UnstashAll(static _ => true);

    public void UnstashAll(Func<Envelope, bool> predicate)
    {
        if (Count == 0)
            return;
        var stash = _stash;
        _stash = null;
        var queue = Queue;
        for (var node = stash.Last; node is not null; node = node.Previous)
        {
            if (predicate(node.Value))
                queue.EnqueueFirst(node.Value);
        }
    }

    public IEnumerable<Envelope> ClearStash()
    {
        IEnumerable<Envelope> stash = _stash ?? [];
        _stash = null;
        return stash;
    }

    public void Prepend(IEnumerable<Envelope> envelopes)
    {
        _stash ??= new LinkedList<Envelope>();
        var known = _stash.Select(static e => e.Message).ToHashSet(ReferenceEqualityComparer.Instance);
        foreach (var envelope in envelopes.Reverse())
        {
            if (known.Add(envelope.Message))
                _stash.AddFirst(envelope);
        }
    }

    private int Count => _stash?.Count ?? 0;

    private IDequeBasedMessageQueueSemantics Queue => _cell.Mailbox.MessageQueue as IDequeBasedMessageQueueSemantics
        ?? throw new NotSupportedException(
            $"DequeBasedMailbox required, got: {_cell.Mailbox.MessageQueue.GetType().Name}. An (unbounded) deque-based mailbox can be configured as follows: "
            + $"{_cell.Props.Mailbox} {{ mailbox-type = \"{typeof(UnboundedDequeBasedMailbox).FullName}\" }}");
}
