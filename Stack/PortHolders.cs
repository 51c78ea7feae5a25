using System.Collections.Immutable;
using Tapwire.Stack.Ip;

namespace Tapwire.Stack;

/// <summary>The sockets of all shards that have one local port, at one moment. They do not change: whoever binds or closes a socket makes the next such object.</summary>
internal sealed class PortHolders
{
    /// <summary>Nobody has the port.</summary>
    public static readonly PortHolders None = new([], [], ImmutableDictionary<(IpEndpoint Local, IpEndpoint Remote), PortHolder>.Empty);

    /// <summary>No shard.</summary>
    public const int Nobody = -1;

    /// <summary>Longer than a handshake with its repetitions, or TIME-WAIT as it is set by default. The clocks of two shards differ by much less.</summary>
    private static readonly TimeSpan SettlesWithin = TimeSpan.FromMinutes(2);

    // In the order in which they have bound the port. A connected UDP socket is not among them: there can be very many.
    private readonly PortHolder[] _bound;

    // As it was before the last change of the sockets that are open, and when that was, to whoever first asked after it.
    private readonly PortHolder[] _before;
    private long _changedAt;

    private readonly ImmutableDictionary<(IpEndpoint Local, IpEndpoint Remote), PortHolder> _connected;

    private PortHolders(
        PortHolder[] bound, PortHolder[] before, ImmutableDictionary<(IpEndpoint Local, IpEndpoint Remote), PortHolder> connected, long changedAt = long.MinValue)
    {
        _changedAt = changedAt;
        _bound = bound;
        _before = before;
        _connected = connected;
    }

    public bool IsEmpty => _bound.Length == 0 && _connected.IsEmpty;

    /// <summary>The shard whose socket takes what comes from a peer: a UDP socket connected to it, or one bound to the local address, or to all addresses. Of several
    /// that share an address (SO_REUSEPORT), the hash chooses one.</summary>
    /// <param name="hash">Of the flow: all 32 bits count.</param>
    /// <returns>A shard, or <see cref="Nobody"/>.</returns>
    public int Find(IpEndpoint local, IpEndpoint remote, uint hash) =>
        !_connected.IsEmpty && _connected.TryGetValue((local, remote), out var connected) ? connected.Shard : Choose(_bound, local.Address, hash);

    /// <summary>What <see cref="Find"/> has said before the last socket began or ceased to listen; <see cref="Nobody"/> when that is so long ago that no handshake of
    /// that time can be under way.</summary>
    public int FindBefore(IpAddress local, uint hash, Instant now)
    {
        if (_before.Length == 0)
            return Nobody;
        var changedAt = Volatile.Read(ref _changedAt);
        if (changedAt == long.MinValue)
            Volatile.Write(ref _changedAt, changedAt = now.Ticks);
        return now - new Instant(changedAt) > SettlesWithin ? Nobody : Choose(_before, local, hash);
    }

    /// <summary>Whether a socket would join others with SO_REUSEPORT, all of its user.</summary>
    public bool AreGroupFor(PortSharing sharing) =>
        _bound.Length != 0 && Array.TrueForAll(_bound, each => each.Use == PortUse.Left ? each.Sharing.ReusePort && sharing.ReusePort : each.Sharing.SharesPort(sharing));

    /// <summary>The shard with the fewest sockets on the port: of several the first one from a given shard on.</summary>
    public int Emptiest(int shards, int from)
    {
        Span<int> counts = stackalloc int[shards];
        foreach (var each in _bound)
            counts[each.Shard] += each.Use == PortUse.Left ? 0 : 1;
        var emptiest = from;
        for (var i = 1; i < shards; i++)
        {
            var next = (from + i) % shards;
            if (counts[next] < counts[emptiest])
                emptiest = next;
        }

        return emptiest;
    }

    /// <returns>Null: somebody has the port who does not share it.</returns>
    public PortHolders? Add(PortHolder holder) => Admit(holder, null) ? With(holder) : null;

    /// <summary>A socket changes what it does with the port, and keeps its place.</summary>
    /// <returns>Null: as for <see cref="Add"/>.</returns>
    public PortHolders? Replace(PortHolder holder, PortHolder with)
    {
        var isRefused = with.Use switch
        {
            PortUse.Listens => !Admit(with, holder),
            PortUse.Connected => !IsFree(with, holder),
            _ => false,
        };
        if (isRefused)
            return null;
        if (holder.Use == PortUse.Connected || with.Use == PortUse.Connected)
            return Without(holder).With(with);
        var bound = (PortHolder[])_bound.Clone();
        bound[Array.IndexOf(bound, holder)] = with;
        return Next(bound, holder.IsOpen || with.IsOpen);
    }

    /// <param name="leavesConnections">The socket's shard has connections with the port.</param>
    public PortHolders Remove(PortHolder holder, bool leavesConnections)
    {
        var rest = Without(holder);
        var left = holder with { Use = PortUse.Left };
        return leavesConnections && Array.IndexOf(rest._bound, left) < 0 ? rest.With(left) : rest;
    }

    public bool HasLeft(int shard) => Array.Exists(_bound, each => each.Use == PortUse.Left && each.Shard == shard);

    /// <summary>A shard has no connection with the port any more.</summary>
    public PortHolders Vacate(int shard) => new(Array.FindAll(_bound, each => each.Use != PortUse.Left || each.Shard != shard), _before, _connected, Volatile.Read(ref _changedAt));

    private static int Choose(PortHolder[] bound, IpAddress local, uint hash)
    {
        PortHolder? best = null;
        var bestRank = -1;
        foreach (var each in bound)
        {
            if (!each.IsOpen || !each.Sharing.Covers(each.Local.Address, local))
                continue;
            var rank = Rank(each.Local.Address);
            if (rank >= bestRank)
                (best, bestRank) = (each, rank);
        }

        if (best is null)
            return Nobody;
        if (!best.Sharing.ReusePort)
            return best.Shard;
        var members = 0;
        foreach (var each in bound)
            members += IsBeside(each, best) ? 1 : 0;
        var index = (int)((ulong)hash * (uint)members >> 32);
        foreach (var each in bound)
        {
            if (IsBeside(each, best) && index-- == 0)
                return each.Shard;
        }

        return best.Shard;
    }

    /// <summary>An address comes before the wildcard of its family, and that before the wildcard of both.</summary>
    private static int Rank(IpAddress bound)
    {
        if (!bound.IsUnspecified)
            return 2;
        return bound.IsV4 ? 1 : 0;
    }

    private static bool IsBeside(PortHolder one, PortHolder other) => one.IsOpen && one.Local == other.Local && one.Sharing.IsGroupOf(other.Sharing);

    private bool Admit(PortHolder newcomer, PortHolder? except)
    {
        // One that is equal to the newcomer's former self would refuse it, too, unless they share.
        var isSkipped = except is null;
        foreach (var each in _bound)
        {
            if (!isSkipped && each == except)
                isSkipped = true;
            else if (!each.Admits(newcomer))
                return false;
        }

        foreach (var each in _connected.Values)
        {
            if (!each.Admits(newcomer))
                return false;
        }

        return true;
    }

    private bool IsFree(PortHolder connected, PortHolder except) =>
        !_connected.TryGetValue((connected.Local, connected.Remote), out var other) || other == except;

    private PortHolders With(PortHolder holder) => holder.Use == PortUse.Connected
        ? new(_bound, _before, _connected.SetItem((holder.Local, holder.Remote), holder), Volatile.Read(ref _changedAt))
        : Next([.. _bound, holder], holder.IsOpen);

    private PortHolders Without(PortHolder holder)
    {
        if (holder.Use == PortUse.Connected)
            return new(_bound, _before, _connected.Remove((holder.Local, holder.Remote)), Volatile.Read(ref _changedAt));
        var index = Array.IndexOf(_bound, holder);
        if (index < 0)
            return this;
        var rest = new List<PortHolder>(_bound);

        // As in ReusePortGroup.Remove: the flows of the others stay where the number of members lets them.
        if (holder.Sharing.IsGroupOf(rest[^1].Sharing))
        {
            rest[index] = rest[^1];
            index = rest.Count - 1;
        }

        rest.RemoveAt(index);
        return Next([.. rest], holder.IsOpen);
    }

    private PortHolders Next(PortHolder[] bound, bool changesOpen) =>
        changesOpen ? new(bound, _bound, _connected) : new(bound, _before, _connected, Volatile.Read(ref _changedAt));
}
