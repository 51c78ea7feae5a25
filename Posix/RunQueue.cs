namespace Tapwire.Posix;

/// <summary>One posted piece of work.</summary>
internal readonly record struct WorkItem(Action<object?> Work, object? State);

/// <summary>A queue of work items for one thread: a ring that doubles when it is full.</summary>
internal sealed class RunQueue
{
    private WorkItem[] _items = new WorkItem[64];
    private int _head;

    public int Count { get; private set; }

    public void Enqueue(WorkItem item)
    {
        if (Count == _items.Length)
            Grow();
        _items[(_head + Count++) & (_items.Length - 1)] = item;
    }

    /// <summary>Takes the oldest. Not to be called on an empty queue.</summary>
    public WorkItem Dequeue()
    {
        ref var slot = ref _items[_head];
        var item = slot;
        slot = default;
        _head = (_head + 1) & (_items.Length - 1);
        Count--;
        return item;
    }

    /// <summary>Moves everything to the end of another queue.</summary>
    public void MoveTo(RunQueue other)
    {
        while (Count > 0)
            other.Enqueue(Dequeue());
    }

    private void Grow()
    {
        var larger = new WorkItem[_items.Length * 2];
        for (var i = 0; i < Count; i++)
            larger[i] = _items[(_head + i) & (_items.Length - 1)];
        _items = larger;
        _head = 0;
    }
}
