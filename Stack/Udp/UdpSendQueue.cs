using Tapwire.Stack.Buffers;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Packets;
using Tapwire.Stack.Tcp;

namespace Tapwire.Stack.Udp;

/// <summary>What a UDP socket has to send: checks datagrams, cuts them into segments, and keeps those that wait for room on the egress queue.</summary>
internal sealed class UdpSendQueue(UdpLayer udp, UdpSocket socket)
{
    /// <summary>Datagrams that one payload may be cut into (Linux: UDP_MAX_SEGMENTS).</summary>
    private const int MaxSegments = 128;

    private readonly Queue<Datagram> _waiting = new();
    private bool _refused;

    /// <summary>Bytes of payload that wait.</summary>
    public int Bytes { get; private set; }

    /// <summary>Sends a payload, or keeps it. Takes it over, also on failure.</summary>
    public StackError Send(PacketBuffer payload, IpEndpoint to, in UdpSendOptions options, Instant now)
    {
        var size = options.SegmentSize ?? socket.SegmentSize;
        if (size == 0 || payload.TotalLength <= size || udp.Kind == DatagramKind.Echo)
            size = 0;
        var error = Check(payload, to, options, size, now, out var route);
        if (error != StackError.None)
        {
            payload.Release();
            return error;
        }

        if (udp.Kind == DatagramKind.Echo)
            payload = EchoDatagrams.Complete(payload, socket.Local.Port, to.Address, udp.Ip.Pool);
        var hopLimit = options.HopLimit != 0 ? options.HopLimit : HopLimitTo(to.Address);
        var reach = !to.Address.IsMulticast ? default
            : hopLimit == 0 ? socket.MulticastLoop ? GroupReach.Host : GroupReach.None
            : socket.MulticastLoop ? GroupReach.LinkAndHost : GroupReach.Link;
        if (reach == GroupReach.None)
        {
            payload.Release();
            return StackError.None;
        }

        var datagram = new Datagram(payload, to, route.Interface, route.Source, hopLimit, options.TrafficClass ?? socket.TrafficClass, options.MtuDiscovery ?? socket.MtuDiscoveryTo(to.Address), reach);
        if (size == 0)
            SendOrKeep(datagram, now);
        else
            SendSegments(datagram, size, now);
        return StackError.None;
    }

    private byte HopLimitTo(IpAddress destination) => destination.IsMulticast ? socket.MulticastHopLimit : socket.HopLimit;

    /// <summary>Sends the oldest waiting datagram, and waits for the next one's turn.</summary>
    public void SendWaiting(Instant now)
    {
        if (!_waiting.TryDequeue(out var datagram))
            return;
        Bytes -= datagram.Payload.TotalLength;
        Transmit(datagram, now);
        if (_refused && Bytes <= socket.SendBuffer / 2)
        {
            _refused = false;
            udp.Events.Raise(socket, SocketEvents.Writable);
        }

        if (_waiting.TryPeek(out var next))
            udp.WaitToSend(socket, next.Interface);
    }

    public void Clear()
    {
        while (_waiting.TryDequeue(out var datagram))
            datagram.Payload.Release();
        Bytes = 0;
    }

    private StackError Check(PacketBuffer payload, IpEndpoint to, in UdpSendOptions options, int size, Instant now, out IpRoute route)
    {
        route = default;
        // A payload that is cut is no longer than one that is not (__ip_append_data).
        if (payload.TotalLength > udp.Kind.MostTo(to.Address))
            return StackError.MessageTooLong;
        if (size != 0 && payload.TotalLength > size * MaxSegments)
            return StackError.InvalidArgument;
        if (udp.Kind == DatagramKind.Echo && !EchoDatagrams.IsRequest(payload, to.Address))
            return StackError.InvalidArgument;
        var error = FindRoute(to.Address, options, out route);
        if (error != StackError.None)
            return error;
        var discovery = options.MtuDiscovery ?? socket.MtuDiscoveryTo(to.Address);
        var mtu = MtuTo(to.Address, discovery, route, now);
        // Segments are no fragments: each has to fit (udp_send_skb).
        if ((size == 0 ? payload.TotalLength : size) > mtu - udp.Kind.HeadersTo(to.Address) && (size != 0 || !discovery.Fragments() || (socket.DontFragmentV6 && to.Address.IsV6)))
        {
            socket.ReportTooLong(payload, to, route.Source, mtu);
            return StackError.MessageTooLong;
        }

        if (_waiting.Count == 0 || Bytes + payload.TotalLength <= socket.SendBuffer)
            return StackError.None;
        _refused = true;
        udp.Counters.UdpSndbufErrors++;
        return StackError.NoBufferSpace;
    }

    private int MtuTo(IpAddress destination, MtuDiscovery discovery, in IpRoute route, Instant now)
    {
        var mtu = discovery.IgnoresPath() ? route.Mtu : udp.PathMtu.Find(destination, route.Mtu, now);
        return socket.PacketSizeV6 != 0 && destination.IsV6 ? Math.Min(mtu, socket.PacketSizeV6) : mtu;
    }

    /// <summary>What Linux does with IP_MTU_DISCOVER (__ip_make_skb). Under the least path MTU that is believed, "don't fragment" would keep datagrams from ever arriving.</summary>
    private static Fragmentation FragmentationFor(MtuDiscovery discovery, int mtu) => discovery switch
    {
        MtuDiscovery.Do or MtuDiscovery.Probe => Fragmentation.Forbidden,
        MtuDiscovery.Want when mtu > PathMtuCache.LeastV4 => Fragmentation.Avoided,
        _ => Fragmentation.Allowed,
    };

    private StackError FindRoute(IpAddress destination, in UdpSendOptions options, out IpRoute route)
    {
        var local = socket.Local.Address.IsMulticast ? default : socket.Local.Address;
        var wanted = options.Interface ?? (destination.IsMulticast && local.IsUnspecified ? socket.MulticastInterface : null);
        if (options.Source.IsUnspecified && wanted is { } index)
        {
            route = default;
            var source = udp.Ip.SourceOn(index, destination);
            return source.IsUnspecified ? StackError.NoSuchDevice : socket.FindRoute(destination, source, out route);
        }

        var error = socket.FindRoute(destination, options.Source.IsUnspecified ? local : options.Source, out route);
        return error == StackError.AddressNotAvailable && !options.Source.IsUnspecified ? StackError.InvalidArgument : error;
    }

    private void SendSegments(in Datagram whole, int size, Instant now)
    {
        var payload = whole.Payload;
        var isPlain = payload.FragmentCount == 0;
        var bytes = isPlain ? payload : udp.Ip.Pool.Rent(payload.TotalLength, 0);
        if (!isPlain)
            payload.CopyTo(bytes.Append(payload.TotalLength));
        for (var offset = 0; offset < bytes.Length; offset += size)
        {
            var segment = udp.Ip.Pool.Rent(0, BufferPool.HeaderRoom);
            segment.AddFragment(bytes, offset, Math.Min(size, bytes.Length - offset));
            SendOrKeep(whole with { Payload = segment }, now);
        }

        if (!isPlain)
            bytes.Release();
        payload.Release();
    }

    private void SendOrKeep(in Datagram datagram, Instant now)
    {
        if (_waiting.Count == 0 && udp.Ip.HasRoom(datagram.Interface))
        {
            Transmit(datagram, now);
            return;
        }

        if (_waiting.Count == 0)
            udp.WaitToSend(socket, datagram.Interface);
        Bytes += datagram.Payload.TotalLength;
        _waiting.Enqueue(datagram);
    }

    private void Transmit(in Datagram datagram, Instant now)
    {
        if (udp.Ip.Route(datagram.Peer.Address, datagram.Source, out var route) != StackError.None)
        {
            // The route existed when the datagram was accepted, but not any more.
            datagram.Payload.Release();
            udp.Counters.IpOutNoRoutes++;
            return;
        }

        var mtu = MtuTo(datagram.Peer.Address, datagram.MtuDiscovery, route, now);
        var length = datagram.Payload.TotalLength;
        var packet = WithHeadroom(datagram.Payload, udp.Ip.Pool);
        if (udp.Kind == DatagramKind.Udp)
            new UdpHeader(socket.Local.Port, datagram.Peer.Port, (ushort)length).Emit(packet.Prepend(UdpHeader.Length));
        (udp.Kind == DatagramKind.Udp ? ref udp.Counters.UdpOutDatagrams : ref udp.Counters.IcmpOutEchos)++;
        udp.Ip.Send(
            packet,
            new IpSendInfo
            {
                Source = route.Source,
                Destination = datagram.Peer.Address,
                Protocol = udp.Kind.ProtocolTo(datagram.Peer.Address),
                FlowLabel = socket.FlowLabel,
                HopLimit = datagram.HopLimit,
                Reach = datagram.Reach,
                TrafficClass = datagram.TrafficClass,
                ChecksumOffset = udp.Kind.ChecksumOffsetTo(datagram.Peer.Address),
                Fragmentation = FragmentationFor(datagram.MtuDiscovery, mtu),
                Mtu = mtu,
            },
            now);
    }

    /// <summary>The payload itself where headers fit before it; otherwise a buffer for the headers, with the payload as a fragment.</summary>
    public static PacketBuffer WithHeadroom(PacketBuffer payload, BufferPool pool)
    {
        if (payload.IsExclusive && payload.Headroom >= BufferPool.HeaderRoom)
            return payload;
        PacketBuffer packet;
        if (payload.FragmentCount == 0)
        {
            packet = pool.Rent(0, BufferPool.HeaderRoom);
            packet.AddFragment(payload, 0, payload.Length);
        }
        else
        {
            packet = pool.Rent(payload.TotalLength, BufferPool.HeaderRoom);
            payload.CopyTo(packet.Append(payload.TotalLength));
        }

        payload.Release();
        return packet;
    }

    /// <param name="Interface">The index of the egress interface.</param>
    /// <param name="Source">The address that the datagram leaves from.</param>
    private readonly record struct Datagram(PacketBuffer Payload, IpEndpoint Peer, byte Interface, IpAddress Source, byte HopLimit, byte TrafficClass,
        MtuDiscovery MtuDiscovery, GroupReach Reach);
}
