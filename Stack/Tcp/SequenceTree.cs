namespace Tapwire.Stack.Tcp;

/// <summary>An element of a <see cref="SequenceTree{T}"/>. No two elements of a tree begin at the same sequence number.</summary>
/// <typeparam name="T">The class itself.</typeparam>
internal abstract class SequenceNode<T>
    where T : SequenceNode<T>
{
    /// <summary>First sequence number.</summary>
    public uint Start;

    /// <summary>Neighbours by sequence number.</summary>
    public T? Next;
    public T? Previous;

    /// <summary>Drawn anew from <see cref="TreePriorities"/> before each insertion.</summary>
    public uint Priority;

    internal T? Parent;
    internal T? Left;
    internal T? Right;
    internal bool IsMarked;

    /// <summary>The node, or one below it in the tree, is marked.</summary>
    internal bool HasMarked;
}

/// <summary>
/// Random priorities that balance trees. With them an attacker could choose sequence numbers that make a tree a list; so their seed comes from the engine's
/// secret, and nothing that leaves the engine reveals them.
/// </summary>
internal struct TreePriorities(ulong seed)
{
    private ulong _state = seed | 1;

    /// <summary>The next number of a xorshift64* sequence.</summary>
    public uint Next()
    {
        _state ^= _state >> 12;
        _state ^= _state << 25;
        _state ^= _state >> 27;
        return (uint)((_state * 0x2545F4914F6CDD1DUL) >> 32);
    }
}

/// <summary>
/// Ranges of sequence numbers in order, as a list with a search tree over it (a treap). The peer chooses where in the order something happens, so finding a
/// place anywhere costs the logarithm of the number of ranges. At either end, where nearly everything happens, it costs a few steps. All ranges are within half
/// the sequence space. The owner allocates the nodes.
/// </summary>
internal struct SequenceTree<T>
    where T : SequenceNode<T>
{
    private T? _root;

    public T? First { get; private set; }

    public T? Last { get; private set; }

    public int Count { get; private set; }

    /// <summary>The last node that begins at or below a sequence number.</summary>
    /// <param name="steps">Number of nodes visited, which specs count.</param>
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
    /// <param name="previous">The predecessor; null: the node becomes the first.</param>
    public void InsertAfter(T? previous, T node)
    {
        var next = previous is null ? First : previous.Next;
        node.Previous = previous;
        node.Next = next;
        node.Left = null;
        node.Right = null;
        node.IsMarked = false;
        node.HasMarked = false;

        // Of two adjacent nodes one has no child on the other's side.
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

    /// <summary>Marks a node, or removes its mark.</summary>
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

    /// <summary>Updates the marks of a node and its ancestors, up to the first that does not change.</summary>
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
