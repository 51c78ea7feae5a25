namespace Tapwire.Stack;

/// <summary>
/// The sockets of all shards by local port, of one transport. It says whether a socket may have a port, and which shard's socket takes what arrives. Every shard's
/// stack enters its own sockets, and any thread may ask: a port's sockets are an object that does not change, and is replaced in one step.
/// </summary>
internal sealed class SharedPorts
{
    private const int PageBits = 8;
    private const int PageSize = 1 << PageBits;

    // A page is made when one of its ports is first used.
    private readonly PortHolders?[]?[] _pages = new PortHolders?[]?[(ushort.MaxValue + 1) >> PageBits];

    public PortHolders At(ushort port) =>
        Volatile.Read(ref _pages[port >> PageBits]) is { } page ? Volatile.Read(ref page[port & (PageSize - 1)]) ?? PortHolders.None : PortHolders.None;

    /// <summary>A socket binds a port.</summary>
    /// <returns>False: somebody has the port who does not share it.</returns>
    public bool TryAdd(PortHolder holder) => TryChange(holder.Local.Port, holders => holders.Add(holder));

    /// <summary>A socket changes what it does with its port.</summary>
    /// <returns>False: it may not, and all is as before.</returns>
    public bool TryReplace(PortHolder holder, PortHolder with) => TryChange(holder.Local.Port, holders => holders.Replace(holder, with));

    /// <summary>A socket leaves its port.</summary>
    /// <param name="leavesConnections">Its shard has connections with the port, until <see cref="Vacate"/>.</param>
    public void Remove(PortHolder holder, bool leavesConnections = false) => TryChange(holder.Local.Port, holders => holders.Remove(holder, leavesConnections));

    /// <summary>The last connection of a shard with that port has ended.</summary>
    public void Vacate(ushort port, int shard)
    {
        if (At(port).HasLeft(shard))
            TryChange(port, holders => holders.Vacate(shard));
    }

    /// <param name="change">May be called several times. Null: the port stays as it is.</param>
    private bool TryChange(ushort port, Func<PortHolders, PortHolders?> change)
    {
        ref var slot = ref Page(port >> PageBits)[port & (PageSize - 1)];
        while (true)
        {
            var before = Volatile.Read(ref slot);
            if (change(before ?? PortHolders.None) is not { } after)
                return false;
            if (Interlocked.CompareExchange(ref slot, after.IsEmpty ? null : after, before) == before)
                return true;
        }
    }

    private PortHolders?[] Page(int index)
    {
        if (Volatile.Read(ref _pages[index]) is { } page)
            return page;
        var made = new PortHolders?[PageSize];
        return Interlocked.CompareExchange(ref _pages[index], made, null) ?? made;
    }
}
