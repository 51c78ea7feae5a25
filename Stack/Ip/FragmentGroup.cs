namespace Tapwire.Stack.Ip;

/// <summary>A datagram's place in a <see cref="FragmentGroup"/>.</summary>
internal struct AgeLinks
{
    public FragmentedDatagram? Older;
    public FragmentedDatagram? Newer;
}

/// <summary>Datagrams by age, and the memory that they are charged with.</summary>
/// <param name="ofSource">Those of one sender; otherwise all.</param>
internal sealed class FragmentGroup(bool ofSource)
{
    public FragmentedDatagram? Oldest { get; private set; }

    private FragmentedDatagram? _newest;

    /// <summary>Bytes of memory that all its datagrams are charged with.</summary>
    public long Memory { get; set; }

    /// <summary>The oldest datagram other than that one.</summary>
    public FragmentedDatagram? OldestBut(FragmentedDatagram? one) => Oldest == one ? one?.LinksIn(ofSource).Newer : Oldest;

    public void Add(FragmentedDatagram datagram)
    {
        datagram.LinksIn(ofSource) = new AgeLinks { Older = _newest };
        if (_newest is null)
            Oldest = datagram;
        else
            _newest.LinksIn(ofSource).Newer = datagram;
        _newest = datagram;
    }

    public void Remove(FragmentedDatagram datagram)
    {
        ref var links = ref datagram.LinksIn(ofSource);
        if (links.Older is null)
            Oldest = links.Newer;
        else
            links.Older.LinksIn(ofSource).Newer = links.Newer;
        if (links.Newer is null)
            _newest = links.Older;
        else
            links.Newer.LinksIn(ofSource).Older = links.Older;
        links = default;
    }
}
