using System.Runtime.InteropServices;
using Tapwire.Stack.Ip;

namespace Tapwire.Stack.Tcp;

/// <summary>The users of local ports: listeners and reservations by port, and the choice of a free one (RFC 9293, 3.9.1; RFC 6056).</summary>
internal sealed class TcpPorts
{
    private readonly TcpTable _table;
    private readonly EphemeralPorts _ephemeral;
    private readonly StackShard? _shard;
    private readonly Dictionary<ushort, TcpListener> _listeners = [];

    /// <param name="shard">Null for a stack that has its addresses alone.</param>
    public TcpPorts(TcpTable table, EphemeralPorts ephemeral, StackShard? shard)
    {
        _table = table;
        _ephemeral = ephemeral;
        _shard = shard;
        if (shard is not null)
            table.Vacated = port => shard.Steering.Tcp.Vacate(port, shard.Index);
    }

    /// <summary>A listener, a reservation or a connection has the port.</summary>
    public bool IsUsed(ushort port) => _listeners.ContainsKey(port) || _table.UsesPort(port);

    /// <summary>Reserves a port.</summary>
    /// <returns>False: others have it, here or on another shard, and do not share it.</returns>
    public bool TryAdd(TcpListener listener)
    {
        if (!MayShare(listener) || !MayShareWithConnections(listener))
            return false;
        if (_shard is not null && !_shard.Steering.IsSpreadTcp(listener.Local.Port))
        {
            var holder = new PortHolder(_shard.Index, listener.Local, listener.Sharing, PortUse.Reserved);
            if (!_shard.Steering.Tcp.TryAdd(holder))
                return false;
            listener.Holder = holder;
        }

        ref var first = ref CollectionsMarshal.GetValueRefOrAddDefault(_listeners, listener.Local.Port, out _);
        listener.NextOnPort = first;
        first = listener;
        return true;
    }

    public void Remove(TcpListener listener)
    {
        listener.Group?.Remove(listener);
        if (listener.Holder is { } holder)
            _shard!.Steering.Tcp.Remove(holder, _table.UsesPort(holder.Local.Port));
        listener.Holder = null;
        ref var link = ref CollectionsMarshal.GetValueRefOrNullRef(_listeners, listener.Local.Port)!;
        if (link == listener && listener.NextOnPort is null)
        {
            _listeners.Remove(listener.Local.Port);
            return;
        }

        while (link != listener)
            link = ref link!.NextOnPort!;
        link = listener.NextOnPort!;
        listener.NextOnPort = null;
    }

    /// <summary>A reserved port begins to listen: it joins the listeners on the same address with which it shares the port, or has the address alone.</summary>
    /// <returns>False: another listener has the port, here or on another shard, and does not share it.</returns>
    public bool TryListen(TcpListener listener)
    {
        if (!MayShare(listener))
            return false;
        if (listener.Holder is { } holder)
        {
            var listening = holder with { Sharing = listener.Sharing, Use = PortUse.Listens };
            if (!_shard!.Steering.Tcp.TryReplace(holder, listening))
                return false;
            listener.Holder = listening;
        }

        JoinGroup(listener);
        return true;
    }

    /// <summary>The listener for a connection: first one bound to the local address, then a wildcard of its family, then a wildcard of both. Of several on the
    /// same address, always the same one for a connection.</summary>
    public TcpListener? Find(in TcpPair pair)
    {
        var best = Find(pair.Local);
        return best is { Sharing.ReusePort: true } ? best.Group!.Choose(_table.HashOf(pair)) : best;
    }

    private void JoinGroup(TcpListener listener)
    {
        var other = _listeners[listener.Local.Port];
        while (other is not null && !(other.IsListening && other.Local == listener.Local && listener.Sharing.IsGroupOf(other.Sharing)))
            other = other.NextOnPort;
        if (other is null)
        {
            listener.Group = new ReusePortGroup<TcpListener>(listener);
            return;
        }

        listener.Group = other.Group;
        listener.Group!.Add(listener);
    }

    private TcpListener? Find(IpEndpoint local)
    {
        if (!_listeners.TryGetValue(local.Port, out var candidate))
            return null;
        TcpListener? best = null;
        for (; candidate is not null; candidate = candidate.NextOnPort!)
        {
            if (!candidate.IsListening)
                continue;
            var address = candidate.Local.Address;
            if (address == local.Address)
                return candidate;
            if (Matches(candidate, local.Address) && (best is null || address.IsV4))
                best = candidate;
        }

        return best;
    }

    /// <summary>Whether all reservations and listeners of this stack that have the port on the same address share it (inet_csk_bind_conflict).</summary>
    private bool MayShare(TcpListener place)
    {
        for (var other = _listeners.GetValueOrDefault(place.Local.Port); other is not null; other = other.NextOnPort)
        {
            var isShared = (place.Sharing.ReuseAddress && other.Sharing.ReuseAddress && !other.IsListening) || place.Sharing.SharesPort(other.Sharing);
            if (other != place && !isShared && Overlap(other, place))
                return false;
        }

        return true;
    }

    /// <summary>Whether all connections of this stack that use the port share it.</summary>
    private bool MayShareWithConnections(TcpListener place)
    {
        if (!_table.UsesPort(place.Local.Port))
            return true;
        // The application asks for this, not the network, and rarely: a walk through all connections is acceptable.
        foreach (var entry in _table.Snapshot())
        {
            if (entry.LocalPort == place.Local.Port && Matches(place, entry.LocalAddress) && !IsShared(entry, place.Sharing))
                return false;
        }

        return true;
    }

    /// <summary>Chooses the local port of an active open.</summary>
    public bool TryChoose(ref TcpPair pair)
    {
        var candidates = _ephemeral.For(pair.Local.Address, pair.Remote);
        while (candidates.TryNext(out var port))
        {
            if (IsHeld(port))
                continue;
            var chosen = pair with { Local = pair.Local with { Port = port } };
            if (_table.Find(chosen) is not null)
                continue;
            pair = chosen;
            return true;
        }

        return false;
    }

    /// <summary>Chooses a port to be bound.</summary>
    public bool TryChoose(ref IpEndpoint local)
    {
        var candidates = _ephemeral.For(local.Address, default);
        while (candidates.TryNext(out var port))
        {
            if (IsHeld(port) || _table.UsesPort(port))
                continue;
            local = local with { Port = port };
            return true;
        }

        return false;
    }

    /// <summary>A connection in TIME-WAIT may be opened again after a second if timestamps distinguish old segments from new ones (RFC 6191;
    /// tcp_tw_reuse).</summary>
    public bool IsFree(in TcpPair pair, Instant now, out TcpTimeWait? replaced)
    {
        var entry = _table.Find(pair);
        replaced = entry as TcpTimeWait;
        return entry is null || (replaced is { Timestamps: true } && now - replaced.Since > TimeSpan.FromSeconds(1));
    }

    /// <summary>A connection has the options of its listener. One in SYN-RECEIVED does not hold a port.</summary>
    private static bool IsShared(TcpEntry entry, in PortSharing sharing) => entry switch
    {
        TcpConnection connection => (sharing.ReuseAddress && connection.Options.ReuseAddress) || (sharing.ReusePort && connection.Options.ReusePort),
        TcpTimeWait timeWait => (sharing.ReuseAddress && timeWait.ReuseAddress) || (sharing.ReusePort && timeWait.ReusePort),
        _ => true,
    };

    /// <summary>Some socket is bound to the port, here or on another shard.</summary>
    private bool IsHeld(ushort port) => _listeners.ContainsKey(port) || _shard?.Steering.Tcp.At(port).IsEmpty == false;

    private static bool Matches(TcpListener listening, IpAddress local) => listening.Sharing.Covers(listening.Local.Address, local);

    private static bool Overlap(TcpListener a, TcpListener b) => PortSharing.Overlap(a.Local.Address, a.Sharing, b.Local.Address, b.Sharing);
}
