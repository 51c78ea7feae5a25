using System.Runtime.InteropServices;
using Tapwire.Stack.Ip;

namespace Tapwire.Stack.Tcp;

/// <summary>The users of local ports: listeners and reservations by port, and the choice of a free one (RFC 9293, 3.9.1; RFC 6056).</summary>
internal sealed class TcpPorts(TcpTable table, EphemeralPorts ephemeral)
{
    private readonly Dictionary<ushort, TcpListener> _listeners = [];

    public void Add(TcpListener listener)
    {
        ref var first = ref CollectionsMarshal.GetValueRefOrAddDefault(_listeners, listener.Local.Port, out _);
        listener.NextOnPort = first;
        first = listener;
    }

    public void Remove(TcpListener listener)
    {
        listener.Group?.Remove(listener);
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
    public void BeginListening(TcpListener listener)
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

    /// <summary>The listener for a connection: first one bound to the local address, then a wildcard of its family, then a wildcard of both. Of several on the
    /// same address, always the same one for a connection.</summary>
    public TcpListener? Find(in TcpPair pair)
    {
        var best = Find(pair.Local);
        return best is { Sharing.ReusePort: true } ? best.Group!.Choose(table.HashOf(pair)) : best;
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

    /// <summary>Whether all reservations and listeners that have the port on the same address share it (inet_csk_bind_conflict).</summary>
    public bool MayShare(TcpListener place)
    {
        for (var other = _listeners.GetValueOrDefault(place.Local.Port); other is not null; other = other.NextOnPort)
        {
            var isShared = (place.Sharing.ReuseAddress && other.Sharing.ReuseAddress && !other.IsListening) || place.Sharing.SharesPort(other.Sharing);
            if (other != place && !isShared && Overlap(other, place))
                return false;
        }

        return true;
    }

    /// <summary>Whether all connections that use the port share it.</summary>
    public bool MayShareWithConnections(TcpListener place)
    {
        if (!table.UsesPort(place.Local.Port))
            return true;
        // The application asks for this, not the network, and rarely: a walk through all connections is acceptable.
        foreach (var entry in table.Snapshot())
        {
            if (entry.LocalPort == place.Local.Port && Matches(place, entry.LocalAddress) && !IsShared(entry, place.Sharing))
                return false;
        }

        return true;
    }

    /// <summary>Chooses the local port of an active open.</summary>
    public bool TryChoose(ref TcpPair pair)
    {
        var candidates = ephemeral.For(pair.Local.Address, pair.Remote);
        while (candidates.TryNext(out var port))
        {
            if (_listeners.ContainsKey(port))
                continue;
            var chosen = pair with { Local = pair.Local with { Port = port } };
            if (table.Find(chosen) is not null)
                continue;
            pair = chosen;
            return true;
        }

        return false;
    }

    /// <summary>Chooses a port to be bound.</summary>
    public bool TryChoose(ref IpEndpoint local)
    {
        var candidates = ephemeral.For(local.Address, default);
        while (candidates.TryNext(out var port))
        {
            if (_listeners.ContainsKey(port) || table.UsesPort(port))
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
        var entry = table.Find(pair);
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

    private static bool Matches(TcpListener listening, IpAddress local) => listening.Sharing.Covers(listening.Local.Address, local);

    private static bool Overlap(TcpListener a, TcpListener b) => PortSharing.Overlap(a.Local.Address, a.Sharing, b.Local.Address, b.Sharing);
}
