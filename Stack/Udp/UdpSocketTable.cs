using System.Diagnostics.CodeAnalysis;
using System.Runtime.InteropServices;
using Tapwire.Stack.Ip;

namespace Tapwire.Stack.Udp;

/// <summary>
/// The receivers of datagrams: connected sockets by both ends, which several may share where they share the port, the others by their port. The sockets of a port are a list, unconnected ones first and the
/// newest of them at its head, so that a lookup does not depend on the number of connected ones.
/// </summary>
/// <param name="groupKey">The key of the hash that spreads datagrams among sockets with SO_REUSEPORT.</param>
internal sealed class UdpSocketTable(SipHash groupKey)
{
    private readonly Dictionary<ushort, Port> _ports = [];
    private readonly Dictionary<(IpEndpoint Local, IpEndpoint Remote), UdpSocket> _connected = [];

    private long _highest;
    private long _lowest;

    public int Count { get; private set; }

    public bool IsPortFree(ushort port) => !_ports.ContainsKey(port);

    /// <summary>A socket has the address, and does not share it (Linux: udp_lib_lport_inuse).</summary>
    public bool IsTaken(IpEndpoint local, in PortSharing sharing)
    {
        if (!_ports.TryGetValue(local.Port, out var port))
            return false;
        for (var socket = port.Head; socket is not null; socket = socket.NextOnPort)
        {
            var isShared = (socket.Sharing.ReuseAddress && sharing.ReuseAddress) || socket.Sharing.SharesPort(sharing);
            if (!isShared && PortSharing.Overlap(socket.Local.Address, socket.Sharing, local.Address, sharing))
                return true;
        }

        return false;
    }

    public void Add(UdpSocket socket)
    {
        if (!_ports.TryGetValue(socket.Local.Port, out var port))
            _ports.Add(socket.Local.Port, port = new Port());
        if (socket.IsConnected)
        {
            Connect(socket);
            port.AddLast(socket);
        }
        else
        {
            if (socket.Sharing.ReusePort)
                JoinGroup(socket, port);
            port.AddFirst(socket);
        }

        Count++;
    }

    public void Remove(UdpSocket socket)
    {
        var port = _ports[socket.Local.Port];
        port.Remove(socket);
        socket.Group?.Remove(socket);
        socket.Group = null;
        if (port.Head is null)
            _ports.Remove(socket.Local.Port);
        if (socket.IsConnected)
            Disconnect(socket);
        Count--;
    }

    /// <summary>Gives a socket that is not in the table its place among those that will have the same ends.</summary>
    /// <param name="isLast">Behind all that there are; otherwise before them.</param>
    public void Rank(UdpSocket socket, bool isLast) => socket.Rank = isLast ? --_lowest : ++_highest;

    /// <summary>The first of several sockets with the same ends has their datagrams; where it goes, the next one.</summary>
    private void Connect(UdpSocket socket)
    {
        ref var first = ref CollectionsMarshal.GetValueRefOrAddDefault(_connected, (socket.Local, socket.Remote), out _);
        if (first is null || first.Rank < socket.Rank)
        {
            socket.NextTwin = first;
            first = socket;
            return;
        }

        var before = first;
        while (before.NextTwin is { } next && next.Rank > socket.Rank)
            before = next;
        socket.NextTwin = before.NextTwin;
        before.NextTwin = socket;
    }

    private void Disconnect(UdpSocket socket)
    {
        var ends = (socket.Local, socket.Remote);
        var before = _connected[ends];
        if (before != socket)
        {
            while (before.NextTwin != socket)
                before = before.NextTwin!;
            before.NextTwin = socket.NextTwin;
        }
        else if (socket.NextTwin is { } next)
            _connected[ends] = next;
        else
            _connected.Remove(ends);
        socket.NextTwin = null;
    }

    /// <summary>Finds the one socket for a unicast datagram: connected to its sender, or bound to its address, or to all addresses. Of several that share an address
    /// (SO_REUSEPORT), always the same one for a sender.</summary>
    public bool TryFind(IpEndpoint local, IpEndpoint remote, [NotNullWhen(true)] out UdpSocket? found)
    {
        if (_connected.Count != 0 && _connected.TryGetValue((local, remote), out found))
            return true;
        found = null;
        if (!_ports.TryGetValue(local.Port, out var port))
            return false;
        for (var socket = port.Head; socket is { IsConnected: false }; socket = socket.NextOnPort)
        {
            if (socket.Local.Address == local.Address)
            {
                found = socket;
                break;
            }

            if (found is null && socket.Sharing.Covers(socket.Local.Address, local.Address))
            {
                found = socket;
                if (!port.HasSpecific)
                    break;
            }
        }

        if (found?.Group is { } group)
            found = group.Choose(HashOf(local, remote));
        return found is not null;
    }

    private uint HashOf(IpEndpoint local, IpEndpoint remote)
    {
        var (localHigh, localLow) = local.Address.Halves;
        var (remoteHigh, remoteLow) = remote.Address.Halves;
        return (uint)groupKey.TableHash(localHigh, localLow, remoteHigh, remoteLow, (ulong)local.Port << 16 | remote.Port);
    }

    /// <summary>Joins the sockets on the same address with which this one shares it, or begins a group.</summary>
    private static void JoinGroup(UdpSocket socket, Port port)
    {
        var other = port.Head;
        while (other is not null && !(other.Group is not null && other.Local == socket.Local && other.Sharing.IsGroupOf(socket.Sharing)))
            other = other.NextOnPort;
        if (other is null)
        {
            socket.Group = new ReusePortGroup<UdpSocket>(socket);
            return;
        }

        socket.Group = other.Group;
        socket.Group!.Add(socket);
    }

    /// <summary>The next socket for a datagram to a broadcast address or a group: bound to all addresses, or to that one. Of a multicast group it has to want what comes from the source.</summary>
    /// <param name="interfaceIndex">Where the datagram has arrived.</param>
    /// <param name="after">Null for the first.</param>
    public UdpSocket? NextForGroup(IpEndpoint local, IpAddress source, byte interfaceIndex, UdpSocket? after)
    {
        var isMulticast = local.Address.IsMulticast;
        UdpSocket? socket;
        if (after is not null)
            socket = after.NextOnPort;
        else
            socket = _ports.TryGetValue(local.Port, out var port) ? port.Head : null;
        while (socket is not null && (socket.IsConnected || !socket.Sharing.Covers(socket.Local.Address, local.Address)
            || (isMulticast && !socket.Wants(local.Address, source, interfaceIndex))))
            socket = socket.NextOnPort;
        return socket;
    }

    public IEnumerable<UdpSocket> All
    {
        get
        {
            foreach (var port in _ports.Values)
            {
                for (var socket = port.Head; socket is not null; socket = socket.NextOnPort)
                    yield return socket;
            }
        }
    }

    /// <summary>The sockets bound to, or connected from, an address.</summary>
    public List<UdpSocket> BoundTo(IpAddress address) => [.. All.Where(socket => socket.Local.Address == address)];

    /// <summary>The sockets of one port.</summary>
    private sealed class Port
    {
        private UdpSocket? _tail;

        private int _specific;

        public UdpSocket? Head { get; private set; }

        /// <summary>Some socket is bound to one address.</summary>
        public bool HasSpecific => _specific > 0;

        public void AddFirst(UdpSocket socket)
        {
            Count(socket, 1);
            socket.NextOnPort = Head;
            if (Head is null)
                _tail = socket;
            else
                Head.PreviousOnPort = socket;
            Head = socket;
        }

        public void AddLast(UdpSocket socket)
        {
            Count(socket, 1);
            socket.PreviousOnPort = _tail;
            if (_tail is null)
                Head = socket;
            else
                _tail.NextOnPort = socket;
            _tail = socket;
        }

        public void Remove(UdpSocket socket)
        {
            Count(socket, -1);
            if (socket.PreviousOnPort is null)
                Head = socket.NextOnPort;
            else
                socket.PreviousOnPort.NextOnPort = socket.NextOnPort;
            if (socket.NextOnPort is null)
                _tail = socket.PreviousOnPort;
            else
                socket.NextOnPort.PreviousOnPort = socket.PreviousOnPort;
            socket.NextOnPort = null;
            socket.PreviousOnPort = null;
        }

        private void Count(UdpSocket socket, int change) => _specific += socket.Local.Address.IsUnspecified ? 0 : change;
    }
}
