namespace Tapwire.Stack.Multicast;

/// <summary>The filters of all sockets of one stack that are in a group on an interface. Most let everything through: they are only counted.</summary>
internal sealed class GroupMembers
{
    private readonly List<SourceFilter> _others = [];
    private int _everything;

    /// <summary>What lets through whatever any socket wants.</summary>
    public SourceFilter Merged => _everything > 0 ? SourceFilter.Everything : _others.Count == 1 ? _others[0] : SourceFilter.Merge(_others);

    public bool IsEmpty => _everything == 0 && _others.Count == 0;

    /// <summary>Replaces a socket's filter.</summary>
    /// <param name="before">Null: the socket was not in the group.</param>
    /// <param name="after">Null: it leaves.</param>
    public void Replace(SourceFilter? before, SourceFilter? after)
    {
        if (SourceFilter.Everything.Equals(before))
            _everything--;
        else if (before is not null)
            _others.Remove(before);
        if (SourceFilter.Everything.Equals(after))
            _everything++;
        else if (after is not null)
            _others.Add(after);
    }
}
