namespace Tapwire.Stack;

/// <summary>
/// The sockets that share one address and port (SO_REUSEPORT), at least one. A keyed hash of the flow chooses among them, so that a flow stays with its socket
/// while nobody joins or leaves (Linux: reuseport_select_sock).
/// </summary>
internal sealed class ReusePortGroup<T>(T first)
    where T : class
{
    private readonly List<T> _members = [first];

    /// <summary>When a member last answered a SYN with a cookie. The acknowledgement may belong to another member if somebody has joined or left since.</summary>
    public Instant OverflowedAt = new(long.MinValue / 2);

    public void Add(T member) => _members.Add(member);

    /// <summary>Takes a member out. The last one takes its place, so that the flows of the others stay where the number of members lets them.</summary>
    public void Remove(T member)
    {
        var index = _members.IndexOf(member);
        _members[index] = _members[^1];
        _members.RemoveAt(_members.Count - 1);
    }

    /// <param name="hash">Of the flow: all 32 bits count.</param>
    public T Choose(uint hash) => _members[(int)((ulong)hash * (uint)_members.Count >> 32)];
}
