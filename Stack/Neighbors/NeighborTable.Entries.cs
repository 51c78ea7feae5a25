using System.Diagnostics.CodeAnalysis;
using Tapwire.Stack.Interfaces;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Ip;

namespace Tapwire.Stack.Neighbors;

/// <content>The entries in the order of their use, of which the oldest is forgotten where there are too many; and what the stack's owner does with them.</content>
internal sealed partial class NeighborTable
{
    private Neighbor? _newest;
    private Neighbor? _oldest;
    private int _permanent;

    /// <summary>Makes a neighbour permanent (<see cref="NeighborState.Permanent"/>).</summary>
    /// <returns>False: half of the table is permanent already.</returns>
    public bool TrySetPermanent(IpAddress address, MacAddress hardware, Instant now)
    {
        if (!_entries.TryGetValue(address, out var neighbor))
        {
            if (_permanent >= options.Entries / 2)
                return false;
            neighbor = Add(address);
        }
        else if (neighbor.State != NeighborState.Permanent && _permanent >= options.Entries / 2)
        {
            return false;
        }

        if (neighbor.State != NeighborState.Permanent)
            _permanent++;
        Move(neighbor, hardware, now);
        neighbor.IsContested = false;
        neighbor.State = NeighborState.Permanent;
        timers.Cancel(neighbor);
        SendWaiting(neighbor, now);
        return true;
    }

    /// <summary>Forgets a neighbour, and drops the packets that wait for it.</summary>
    /// <returns>False: there is none.</returns>
    public bool Forget(IpAddress address)
    {
        if (!_entries.TryGetValue(address, out var neighbor))
            return false;
        Remove(neighbor);
        return true;
    }

    /// <summary>Forgets all neighbours but the permanent ones, and drops the packets that wait for them.</summary>
    public void Clear()
    {
        _moved.Clear();
        for (var neighbor = _oldest; neighbor is not null;)
        {
            var newer = neighbor.Newer;
            if (neighbor.State != NeighborState.Permanent)
                Remove(neighbor);
            neighbor = newer;
        }

        while (TryTakeUndeliverable(out var packet))
            packet.Release();
    }

    public IReadOnlyList<NeighborInfo> Snapshot() =>
        [.. _entries.Values.OrderBy(n => n.Address).Select(n => new NeighborInfo(n.Address, n.HardwareAddress, n.State, n.Waiting.Count))];

    /// <summary>The same, where what is no longer confirmed is stale, though nobody has sent to it since.</summary>
    public IReadOnlyList<NeighborInfo> SnapshotAt(Instant now) => [.. _entries.Values.OrderBy(n => n.Address).Select(n => new NeighborInfo(n.Address, n.HardwareAddress,
        n.State == NeighborState.Reachable && now >= n.ReachableUntil ? NeighborState.Stale : n.State, n.Waiting.Count))];

    /// <summary>Adds an entry as the least recently used one.</summary>
    private Neighbor Add(IpAddress address)
    {
        var victim = _entries.Count >= options.Entries ? _oldest : null;
        while (victim is { State: NeighborState.Permanent })
            victim = victim.Newer;
        if (victim is not null)
        {
            counters.NeighborTableOverflow++;
            Remove(victim);
        }

        var neighbor = new Neighbor(this, address) { State = NeighborState.Failed };
        _entries.Add(address, neighbor);
        neighbor.Newer = _oldest;
        if (_oldest is null)
            _newest = neighbor;
        else
            _oldest.Older = neighbor;
        _oldest = neighbor;
        return neighbor;
    }

    private void Remove(Neighbor neighbor)
    {
        while (!neighbor.Waiting.IsEmpty)
        {
            counters.NeighborQueueDropped++;
            DropOldest(neighbor);
        }

        if (neighbor.State == NeighborState.Permanent)
            _permanent--;
        timers.Cancel(neighbor);
        Unlink(neighbor);
        _entries.Remove(neighbor.Address);
        if (_last == neighbor)
            _last = null;
    }

    private void MoveToNewest(Neighbor neighbor)
    {
        if (_newest == neighbor)
            return;
        Unlink(neighbor);
        neighbor.Older = _newest;
        if (_newest is null)
            _oldest = neighbor;
        else
            _newest.Newer = neighbor;
        _newest = neighbor;
    }

    private void Unlink(Neighbor neighbor)
    {
        if (neighbor.Newer is null)
            _newest = neighbor.Older;
        else
            neighbor.Newer.Older = neighbor.Older;
        if (neighbor.Older is null)
            _oldest = neighbor.Newer;
        else
            neighbor.Older.Newer = neighbor.Newer;
        neighbor.Newer = null;
        neighbor.Older = null;
    }
}
