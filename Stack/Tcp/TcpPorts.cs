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

    /// <summary>The listener for an address: first one bound to it, then a wildcard of its family, then a wildcard of both.</summary>
    public TcpListener? Find(IpEndpoint local)
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
            if (Matches(address, local.Address) && (best is null || address.IsV4))
                best = candidate;
        }

        return best;
    }

    /// <summary>Whether a port may be reserved for a listener.</summary>
    public bool CanListen(IpEndpoint local, bool reuse)
    {
        if (_listeners.TryGetValue(local.Port, out var other))
        {
            for (; other is not null; other = other.NextOnPort!)
            {
                // As on BSD, a wildcard and a single address may share a port if both allow it; two listeners on the same address may not.
                if (other.Local.Address == local.Address || (Overlap(other.Local.Address, local.Address) && !(reuse && other.Options.Value.ReuseAddress)))
                    return false;
            }
        }

        if (reuse || !table.UsesPort(local.Port))
            return true;
        // The application asks for this, not the network, and rarely: a walk through all connections is acceptable.
        foreach (var entry in table.Snapshot())
        {
            if (entry.LocalPort == local.Port && Overlap(entry.LocalAddress, local.Address))
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

    private static bool Matches(IpAddress listening, IpAddress local) =>
        listening.IsUnspecified ? listening == IpAddress.Unspecified || local.IsV4 : listening == local;

    private static bool Overlap(IpAddress a, IpAddress b) => Matches(a, b) || Matches(b, a);
}
