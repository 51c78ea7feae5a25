namespace Tapwire.Stack.Tcp;

/// <summary>What lies in a <see cref="SequenceTree{T}"/>: it begins at a sequence number, and nothing else in the tree does.</summary>
/// <typeparam name="T">The class itself.</typeparam>
internal abstract class SequenceNode<T>
    where T : SequenceNode<T>
{
    /// <summary>First sequence number.</summary>
    public uint Start;

    /// <summary>Neighbours by sequence number.</summary>
    public T? Next;
    public T? Previous;

    /// <summary>To be drawn anew from <see cref="TreePriorities"/> before each insertion.</summary>
    public uint Priority;

    internal T? Parent;
    internal T? Left;
    internal T? Right;
    internal bool IsMarked;

    /// <summary>This, or something below it in the tree, is marked.</summary>
    internal bool HasMarked;
}

/// <summary>
/// Numbers that shape trees. Whoever knew them could choose sequence numbers that make a tree a list; so their seed comes from the engine's secret, and nothing
/// that leaves the engine tells of them.
/// </summary>
internal struct TreePriorities(ulong seed)
{
    private ulong _state = seed | 1;

    /// <summary>The next of a xorshift64* sequence.</summary>
    public uint Next()
    {
        _state ^= _state >> 12;
        _state ^= _state << 25;
        _state ^= _state >> 27;
        return (uint)((_state * 0x2545F4914F6CDD1DUL) >> 32);
    }
}

/// <summary>
/// Ranges of sequence numbers in their order, as a list with a search tree over it (a treap). Where in the order something happens is the peer's choice: so finding
/// a place costs the logarithm of their number wherever it is, and what happens at either end, as nearly everything does, costs the same few steps always.
/// All within half the sequence space. The nodes are their owner's.
/// </summary>
internal struct SequenceTree<T>
    where T : SequenceNode<T>
{
    private T? _root;

    public T? First { get; private set; }

    public T? Last { get; private set; }

    public int Count { get; private set; }

    /// <summary>The last node that begins at or below a sequence number.</summary>
    /// <param name="steps">Nodes that were looked at: what specs count.</param>
    public readonly T? Find(uint sequence, out int steps)
    {
        steps = 1;
        if (Last is null || Seq.Le(Last.Start, sequence))
            return Last;
        T? found = null;
        for (var node = _root; node is not null; steps++)
        {
            if (Seq.Le(node.Start, sequence))
            {
                found = node;
                node = node.Right;
            }
            else
            {
                node = node.Left;
            }
        }

        return found;
    }

    /// <summary>Inserts a node that is not marked.</summary>
    /// <param name="previous">Its predecessor; null: it becomes the first.</param>
    public void InsertAfter(T? previous, T node)
    {
        var next = previous is null ? First : previous.Next;
        node.Previous = previous;
        node.Next = next;
        node.Left = null;
        node.Right = null;
        node.IsMarked = false;
        node.HasMarked = false;

        // Of two neighbours one has no child on the other's side.
        if (previous is { Right: null })
        {
            previous.Right = node;
            node.Parent = previous;
        }
        else if (next is not null)
        {
            next.Left = node;
            node.Parent = next;
        }
        else
        {
            _root = node;
            node.Parent = null;
        }

        if (previous is null)
            First = node;
        else
            previous.Next = node;
        if (next is null)
            Last = node;
        else
            next.Previous = node;
        Count++;
        while (node.Parent is { } parent && parent.Priority < node.Priority)
            RotateUp(node, parent);
    }

    public void Remove(T node)
    {
        while (node is { Left: { } left, Right: { } right })
            RotateUp(left.Priority > right.Priority ? left : right, node);
        var child = node.Left ?? node.Right;
        var parent = node.Parent;
        if (child is not null)
            child.Parent = parent;
        Replace(parent, node, child);
        Refresh(parent);
        if (node.Previous is null)
            First = node.Next;
        else
            node.Previous.Next = node.Next;
        if (node.Next is null)
            Last = node.Previous;
        else
            node.Next.Previous = node.Previous;
        node.Parent = null;
        node.Left = null;
        node.Right = null;
        node.Next = null;
        node.Previous = null;
        Count--;
    }

    /// <summary>Marks a node, or takes its mark away.</summary>
    public static void Mark(T node, bool isMarked)
    {
        node.IsMarked = isMarked;
        Refresh(node);
    }

    /// <summary>The first marked node.</summary>
    public readonly T? FirstMarked()
    {
        if (_root is not { HasMarked: true } node)
            return null;
        while (true)
        {
            if (node.Left is { HasMarked: true } left)
                node = left;
            else if (node.IsMarked)
                return node;
            else
                node = node.Right!;
        }
    }

    private static bool HasMarkedBelow(T node) => node.IsMarked || node.Left is { HasMarked: true } || node.Right is { HasMarked: true };

    /// <summary>What a node, and whatever is above it, says of marks, as far as it changes.</summary>
    private static void Refresh(T? node)
    {
        for (; node is not null && node.HasMarked != HasMarkedBelow(node); node = node.Parent)
            node.HasMarked = !node.HasMarked;
    }

    private void RotateUp(T node, T parent)
    {
        var above = parent.Parent;
        if (parent.Left == node)
        {
            parent.Left = node.Right;
            if (node.Right is not null)
                node.Right.Parent = parent;
            node.Right = parent;
        }
        else
        {
            parent.Right = node.Left;
            if (node.Left is not null)
                node.Left.Parent = parent;
            node.Left = parent;
        }

        Replace(above, parent, node);
        parent.Parent = node;
        node.Parent = above;
        node.HasMarked = parent.HasMarked;
        parent.HasMarked = HasMarkedBelow(parent);
    }

    private void Replace(T? parent, T child, T? other)
    {
        if (parent is null)
            _root = other;
        else if (parent.Left == child)
            parent.Left = other;
        else
            parent.Right = other;
    }
}
