using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Tapwire.Stack.Ip;

namespace Tapwire.Stack.Tcp;

/// <content>OPEN calls, ports, and what the layer knows of them (RFC 9293, 3.10.1).</content>
public sealed partial class TcpLayer
{
    private readonly Dictionary<ushort, TcpListener> _listeners = [];

    /// <summary>What was asked for last.</summary>
    private StrongBox<TcpSocketOptions> _options = new(default);

    /// <summary>How many connections and TIME-WAIT records use a local port.</summary>
    private readonly Dictionary<ushort, int> _portUse = [];

    /// <summary>Begins an active open. The result comes as an event of the socket: Connected, or Closed with its <see cref="TcpSocket.Error"/>.</summary>
    /// <param name="local">Unspecified address or port 0: the stack chooses.</param>
    /// <param name="socket">Null unless None is returned.</param>
    /// <returns>None; NetworkUnreachable; AddressNotAvailable: the local address is not ours, or the same connection exists or is in TIME-WAIT;
    /// AddressInUse: no ephemeral port is free; NoBufferSpace: too many sockets; InvalidArgument: no host can have that remote endpoint.</returns>
    public StackError Connect(IpEndpoint remote, IpEndpoint local, in TcpSocketOptions options, Instant now, out TcpSocket? socket)
    {
        socket = null;
        if (remote.Port == 0 || remote.Address.IsUnspecified)
            return StackError.InvalidArgument;
        if (remote.Address.IsMulticast || remote.Address.IsLimitedBroadcast)
            return StackError.NetworkUnreachable;
        if (Count >= Options.MaxSockets)
        {
            Counters.TcpSocketsRefused++;
            return StackError.NoBufferSpace;
        }

        if (RefusesMore())
            return StackError.NoBufferSpace;

        var error = Ip.Route(remote.Address, local.Address, out var route);
        if (error != StackError.None)
            return error;
        if (route.ToGroup)
            return StackError.NetworkUnreachable;
        var pair = new TcpPair(new IpEndpoint(route.Source, local.Port), remote);
        TcpTimeWait? replaced = null;
        if (local.Port == 0 ? !ChoosePort(ref pair) : !IsFree(pair, now, out replaced))
            return local.Port == 0 ? StackError.AddressInUse : StackError.AddressNotAvailable;

        var sequence = InitialSequence(pair, now);
        if (replaced is not null)
        {
            Counters.TcpExtTWRecycled++;
            sequence = replaced.SndNxt + RecycledDistance;
            Remove(replaced);
        }

        var connection = new TcpConnection(pair, _table.HashOf(pair));
        socket = new TcpSocket(this, connection, Shared(options));
        AddEntry(connection);
        Count++;
        Counters.TcpActiveOpens++;
        socket.BeginActive(sequence, route, now);
        return StackError.None;
    }

    /// <summary>Opens a port.</summary>
    /// <param name="local">An own address or a wildcard (:: serves both families); port 0: the stack chooses.</param>
    /// <param name="backlog">How many finished connections may wait to be accepted; at least 1 is taken.</param>
    /// <param name="options">What the connections inherit.</param>
    /// <param name="listener">Null unless None is returned.</param>
    /// <returns>None; AddressInUse: another listener has the port, or connections use it and <see cref="TcpSocketOptions.ReuseAddress"/> is not set;
    /// AddressNotAvailable: the address is not ours.</returns>
    public StackError Listen(IpEndpoint local, int backlog, in TcpSocketOptions options, out TcpListener? listener)
    {
        var error = Reserve(local, options, out listener);
        listener?.BeginListening(backlog, options);
        return error;
    }

    private StackError Reserve(IpEndpoint local, in TcpSocketOptions options, out TcpListener? listener)
    {
        listener = null;
        if (!local.Address.IsUnspecified && Ip.Route(local.Address, local.Address, out _) == StackError.AddressNotAvailable)
            return StackError.AddressNotAvailable;
        if (local.Port == 0)
        {
            if (!ChoosePort(ref local))
                return StackError.AddressInUse;
        }
        else if (!CanListen(local, options.ReuseAddress))
        {
            return StackError.AddressInUse;
        }

        listener = new TcpListener(this, local, options);
        ref var first = ref CollectionsMarshal.GetValueRefOrAddDefault(_listeners, local.Port, out _);
        listener.NextOnPort = first;
        first = listener;
        return StackError.None;
    }

    internal void Remove(TcpListener listener)
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

    /// <summary>The connection has ended without TIME-WAIT.</summary>
    internal void Remove(TcpConnection connection)
    {
        Timers.Cancel(connection);
        RemoveEntry(connection);
        Count--;
    }

    /// <summary>Options are not changed but replaced: sockets with the same ones may have them together.</summary>
    internal StrongBox<TcpSocketOptions> Shared(in TcpSocketOptions options)
    {
        if (_options.Value != options)
            _options = new(options);
        return _options;
    }

    private void AddEntry(TcpEntry entry)
    {
        _table.Add(entry);
        CollectionsMarshal.GetValueRefOrAddDefault(_portUse, entry.LocalPort, out _)++;
    }

    private void RemoveEntry(TcpEntry entry)
    {
        _table.Remove(entry);
        ref var uses = ref CollectionsMarshal.GetValueRefOrNullRef(_portUse, entry.LocalPort);
        if (--uses == 0)
            _portUse.Remove(entry.LocalPort);
    }

    /// <summary>The listener for an address: one of its own before a wildcard of its family before one of both.</summary>
    private TcpListener? FindListener(IpEndpoint local)
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

    private static bool Matches(IpAddress listening, IpAddress local) =>
        listening.IsUnspecified ? listening == IpAddress.Unspecified || local.IsV4 : listening == local;

    private bool CanListen(IpEndpoint local, bool reuse)
    {
        if (_listeners.TryGetValue(local.Port, out var other))
        {
            for (; other is not null; other = other.NextOnPort!)
            {
                // A wildcard beside a single address is possible if both say so, as on BSD; the same address twice is not.
                if (other.Local.Address == local.Address || (Overlap(other.Local.Address, local.Address) && !(reuse && other.Options.Value.ReuseAddress)))
                    return false;
            }
        }

        if (reuse || !_portUse.ContainsKey(local.Port))
            return true;
        // Rare, and asked by the application, not by the network: a walk through all connections is fair.
        foreach (var entry in _table.Snapshot())
        {
            if (entry.LocalPort == local.Port && Overlap(entry.LocalAddress, local.Address))
                return false;
        }

        return true;
    }

    private static bool Overlap(IpAddress a, IpAddress b) => Matches(a, b) || Matches(b, a);

    private bool ChoosePort(ref TcpPair pair)
    {
        var candidates = _ephemeral.For(pair.Local.Address, pair.Remote);
        while (candidates.TryNext(out var port))
        {
            if (_listeners.ContainsKey(port))
                continue;
            var chosen = pair with { Local = pair.Local with { Port = port } };
            if (_table.Find(chosen) is not null)
                continue;
            pair = chosen;
            return true;
        }

        return false;
    }

    private bool ChoosePort(ref IpEndpoint local)
    {
        var candidates = _ephemeral.For(local.Address, default);
        while (candidates.TryNext(out var port))
        {
            if (_listeners.ContainsKey(port) || _portUse.ContainsKey(port))
                continue;
            local = local with { Port = port };
            return true;
        }

        return false;
    }

    /// <summary>A connection in TIME-WAIT may be opened again after a second if timestamps tell old segments from new ones (RFC 6191; tcp_tw_reuse).</summary>
    private bool IsFree(in TcpPair pair, Instant now, out TcpTimeWait? replaced)
    {
        var entry = _table.Find(pair);
        replaced = entry as TcpTimeWait;
        return entry is null || (replaced is { Timestamps: true } && now - replaced.Since > TimeSpan.FromSeconds(1));
    }
}
