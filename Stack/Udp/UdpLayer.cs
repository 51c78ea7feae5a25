using System.Numerics;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Forwarding;
using Tapwire.Stack.Interfaces;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Multicast;
using Tapwire.Stack.Packets;
using Tapwire.Stack.Tcp;

namespace Tapwire.Stack.Udp;

/// <summary>UDP (RFC 768, RFC 1122 4.1), or the sockets of the other <see cref="DatagramKind"/>, whose identifiers are their ports.</summary>
public sealed class UdpLayer
{
    /// <summary>The key by which datagrams are spread.</summary>
    private const uint GroupKey = 1;

    private readonly UdpOptions _options;
    private readonly AddressTable _addresses;
    private readonly IcmpErrors _errors;
    private readonly KeyedRandom _random;
    private readonly StackShard? _shard;
    private readonly Queue<UdpSocket>?[] _sending = new Queue<UdpSocket>?[InterfaceTable.Capacity + 1];

    internal UdpLayer(
        UdpOptions options, IIpOutput ip, AddressTable addresses, MulticastLayer multicast, IcmpErrors errors, SocketEventQueue events, KeyedRandom random, StackCounters counters,
        StackShard? shard = null, DatagramKind kind = DatagramKind.Udp)
    {
        Kind = kind;
        _options = options;
        _addresses = addresses;
        _errors = errors;
        _random = random;
        _shard = shard;
        Ip = ip;
        Multicast = multicast;
        Events = events;
        Counters = counters;
        Table = new UdpSocketTable(random.DeriveHash(GroupKey));
    }

    /// <summary>How much memory is left on the machine or in the control group. Once it is exhausted, received datagrams are dropped.</summary>
    public MemoryLevel MemoryLevel { get; internal set; }

    /// <summary>Number of sockets.</summary>
    public int Count => Table.Count;

    /// <summary>Takes datagrams for which there is no socket; null: they are refused.</summary>
    internal StackForwarder? Forwarder { get; set; }

    /// <summary>What the sockets' datagrams are.</summary>
    internal DatagramKind Kind { get; }

    /// <summary>The counter of datagrams that found their socket's queue full.</summary>
    internal ref long QueueOverflows => ref Kind == DatagramKind.Udp ? ref Counters.UdpRcvbufErrors : ref Counters.IcmpEchoQueueOverflow;

    /// <summary>Says which ports no socket may have; null: it may have any.</summary>
    internal Predicate<ushort>? IsReserved { get; init; }

    internal IIpOutput Ip { get; }

    internal MulticastLayer Multicast { get; }

    internal SocketEventQueue Events { get; }

    internal StackCounters Counters { get; }

    internal UdpSocketTable Table { get; }

    /// <summary>What routers have said about paths that datagrams take. TCP has its own, which only its connections can change.</summary>
    internal PathMtuCache PathMtu { get; init; } = new();

    /// <summary>The interfaces for which sockets wait to send, a bit for each index.</summary>
    internal ulong Waiting { get; private set; }

    /// <summary>Makes a socket on a local address.</summary>
    /// <param name="local">One of the stack's addresses, a multicast group, whose datagrams alone are received then, or unspecified for all; with port 0 the stack chooses one.</param>
    /// <returns>None, AddressInUse, AddressNotAvailable, NoBufferSpace.</returns>
    public StackError Bind(IpEndpoint local, in UdpSocketOptions options, out UdpSocket? socket)
    {
        socket = null;
        if (Table.Count >= _options.Sockets)
            return StackError.NoBufferSpace;
        if (!local.Address.IsUnspecified && !(local.Address.IsMulticast && Kind == DatagramKind.Udp) && !_addresses.IsOwn(local.Address))
            return StackError.AddressNotAvailable;
        if (local.Port == 0 ? !TryChoosePort(local.Address, out local) : Table.IsTaken(local, options.Sharing) || IsReserved?.Invoke(local.Port) == true)
            return StackError.AddressInUse;
        var made = new UdpSocket(this, local, options, _options.QueuedDatagrams, _random.NextUInt32() & Ipv6Header.FlowLabelMask);
        if (!TryHold(made, local, default))
            return StackError.AddressInUse;
        socket = made;
        // As in Linux (udp_lib_get_port): IPv6 sockets with SO_REUSEPORT are entered behind the others, and all else before them.
        Table.Rank(socket, isLast: options.Sharing.ReusePort && local.Address is { IsV6: true, IsUnspecified: false });
        Table.Add(socket);
        socket.Join(options.Memberships);
        return StackError.None;
    }

    /// <summary>Finds the interface that a request about a group means.</summary>
    /// <returns>None; NoSuchDevice; InvalidArgument: the group is none.</returns>
    public StackError FindInterface(MembershipChange change, out byte index) => Multicast.FindInterface(change, out index);

    /// <summary>Receives a datagram and takes it over.</summary>
    internal void Receive(PacketBuffer packet, in IpReceiveInfo info, Instant now)
    {
        if (!UdpView.TryParse(packet.Span, out var header))
        {
            Drop(packet, ref Counters.UdpInTruncated);
            return;
        }

        var length = header.Length;
        if (length < UdpHeader.Length || length > packet.Length)
        {
            Drop(packet, ref Counters.UdpInBadLength);
            return;
        }

        if (!HasValidChecksum(packet, header, info))
        {
            Drop(packet, ref Counters.UdpInCsumErrors);
            return;
        }

        var local = new IpEndpoint(info.Destination, header.DestinationPort);
        var remote = new IpEndpoint(info.Source, header.SourcePort);
        if (local.Port == 0)
            Drop(packet, ref Counters.UdpInBadPort);
        else if (info.ToGroup)
            DeliverToGroup(packet, length, local, remote, info, now);
        else if (Table.TryFind(local, remote, out var socket))
            Deliver(socket, packet, length, remote, info, now);
        else if (Forwarder is { } forwarder)
            Forward(forwarder, packet, length, remote, local, info.DontFragment && !info.IsReassembled);
        else
            Refuse(packet, info, now);
    }

    /// <summary>Gives an echo reply to the socket that has sent such requests, and takes it over then.</summary>
    /// <param name="packet">The message with its ICMP header.</param>
    /// <returns>False: there is no such socket.</returns>
    internal bool TryDeliverReply(PacketBuffer packet, ushort identifier, in IpReceiveInfo info, Instant now)
    {
        if (Table.Count == 0 || !Table.TryFind(new IpEndpoint(info.Destination, identifier), new IpEndpoint(info.Source, identifier), out var socket))
            return false;
        socket.Enqueue(Ip.Pool.Fit(packet), info, new IpEndpoint(info.Source, 0), now);
        return true;
    }

    /// <summary>The peer that an application means by an address.</summary>
    internal IpEndpoint PeerOf(UdpSocket socket, IpEndpoint given) =>
        Kind == DatagramKind.Udp || given == default ? given : given with { Port = socket.Local.Port };

    /// <summary>An ICMP error, or this stack itself, reports that a datagram did not arrive.</summary>
    /// <param name="sent">The lost packet's source, which is ours, and its destination.</param>
    /// <param name="transport">The first 8 bytes or more of its header and payload.</param>
    /// <returns>False: no socket has sent it.</returns>
    internal bool ErrorReceived(in IpReceiveInfo sent, ReadOnlySpan<byte> transport, in IcmpErrorReport report, Instant now)
    {
        if (Table.Count == 0 || !TryReadPorts(transport, out var source, out var destination))
            return false;
        var remote = new IpEndpoint(sent.Destination, destination);
        if (!Table.TryFind(new IpEndpoint(sent.Source, source), remote, out var socket))
            return false;
        var mtu = Math.Max(report.Mtu, PathMtuCache.LeastTo(remote.Address));
        var discovery = socket.MtuDiscoveryTo(remote.Address);
        if (report.Kind == IcmpErrorKind.PacketTooBig)
        {
            // Whoever asks for the interface's MTU is not to be told another one, and whoever lets datagrams be fragmented need not know (__udp4_lib_err).
            var isBelieved = discovery is not (MtuDiscovery.Interface or MtuDiscovery.Omit);
            if (isBelieved)
                PathMtu.Set(remote.Address, mtu, now);
            // Of IPv6 the former does not hear of it either, and the latter does if it wants reports (__udp6_lib_err).
            if (remote.Address.IsV4 ? discovery == MtuDiscovery.Dont : !isBelieved)
                return true;
        }

        // RFC 1122, 4.1.3.3: errors go up. A transient one (a hop limit that ran out in a routing loop) would only confuse a caller that has not asked for it.
        var isHard = socket.IsConnected && report.Kind != IcmpErrorKind.TimeExceeded && !(report.Kind == IcmpErrorKind.PacketTooBig && discovery == MtuDiscovery.Dont);
        if (isHard || socket.ErrorReports)
        {
            var peer = Kind == DatagramKind.Udp ? remote : remote with { Port = 0 };
            var payload = Kind == DatagramKind.Udp ? transport[UdpHeader.Length..] : transport;
            socket.Report(
                new UdpErrorReport(report.Kind.ToStackError(), peer, report.From, remote.Address.IsV4 ? UdpErrorOrigin.Icmp : UdpErrorOrigin.Icmpv6, report.Type, report.Code,
                    report.Kind == IcmpErrorKind.PacketTooBig ? mtu : 0, report.HopLimit, report.TrafficClass, socket.ErrorReports ? payload.ToArray() : default),
                isHard);
        }

        return true;
    }

    /// <summary>An interface is gone, and with it every membership on it.</summary>
    internal void ForgetMemberships(byte interfaceIndex)
    {
        foreach (var socket in Table.All)
            socket.ForgetMemberships(interfaceIndex);
    }

    internal void AddressRemoved(IpAddress address)
    {
        foreach (var socket in Table.BoundTo(address))
            socket.End(StackError.ConnectionAborted);
    }

    /// <summary>Sends waiting datagrams, one of each socket in turn, while there is room on the interface that it waits for.</summary>
    internal void Output(Instant now)
    {
        for (var left = Waiting; left != 0; left &= left - 1)
            Output(BitOperations.TrailingZeroCount(left), now);
    }

    /// <summary>Lets the other shards know of a socket, and where what it receives comes from. A stack that has its addresses alone has none.</summary>
    /// <param name="remote">The peer; port 0 when it is not connected.</param>
    /// <returns>False: a socket of another shard has the address, or both ends, and all is as before.</returns>
    internal bool TryHold(UdpSocket socket, IpEndpoint local, IpEndpoint remote)
    {
        if (_shard is null)
            return true;
        var ports = _shard.Steering.Udp;
        var holder = new PortHolder(_shard.Index, local, socket.Sharing, remote.Port == 0 ? PortUse.Receives : PortUse.Connected, remote);
        if (socket.Holder is { } before ? !ports.TryReplace(before, holder) : !ports.TryAdd(holder))
            return false;
        socket.Holder = holder;
        return true;
    }

    /// <summary>The socket has ended: takes it out of the table.</summary>
    internal void Remove(UdpSocket socket)
    {
        Table.Remove(socket);
        if (socket.Holder is { } holder)
            _shard!.Steering.Udp.Remove(holder);
        socket.Holder = null;
    }

    internal bool IsBroadcast(IpAddress address) => _addresses.KindOf(address) == AddressKind.Broadcast;

    /// <summary>Puts a socket in line for the interface by which its oldest datagram leaves.</summary>
    internal void WaitToSend(UdpSocket socket, int interfaceIndex)
    {
        (_sending[interfaceIndex] ??= new Queue<UdpSocket>()).Enqueue(socket);
        Waiting |= 1UL << interfaceIndex;
    }

    private void Output(int interfaceIndex, Instant now)
    {
        var line = _sending[interfaceIndex]!;
        while (Ip.TakesOutput(interfaceIndex) && line.TryDequeue(out var socket))
            socket.SendWaiting(now);
        if (line.Count == 0)
            Waiting &= ~(1UL << interfaceIndex);
    }

    /// <summary>The ports of a datagram that this stack has sent.</summary>
    private bool TryReadPorts(ReadOnlySpan<byte> transport, out ushort source, out ushort destination)
    {
        source = destination = 0;
        if (Kind == DatagramKind.Udp)
        {
            if (!UdpView.TryParse(transport, out var datagram))
                return false;
            (source, destination) = (datagram.SourcePort, datagram.DestinationPort);
            return true;
        }

        if (!Icmpv4View.TryParse(transport, out var request))
            return false;
        source = destination = request.Identifier;
        return true;
    }

    private static bool HasValidChecksum(PacketBuffer packet, in UdpView header, in IpReceiveInfo info)
    {
        if (packet.Offload.Checksum != ChecksumState.None)
            return true;
        // Only over IPv4 may the checksum be absent (RFC 8200, 8.1).
        if (header.Checksum == 0)
            return info.Source.IsV4;
        var sum = Checksum.PseudoHeader(info.Source, info.Destination, IpProtocol.Udp, header.Length);
        return Checksum.Sum(packet.Span[..header.Length], sum) == 0xFFFF;
    }

    private void Deliver(UdpSocket socket, PacketBuffer packet, int length, IpEndpoint from, in IpReceiveInfo info, Instant now)
    {
        packet.Truncate(length);
        packet.TrimStart(UdpHeader.Length);
        if (packet.Offload is { Segmentation: Segmentation.Udp, SegmentSize: > 0 and var size } && packet.Length > size)
        {
            DeliverEach(socket, packet, size, from, info, now);
            return;
        }

        Counters.UdpInDatagrams++;
        socket.Enqueue(Ip.Pool.Fit(packet), info, from, now);
    }

    /// <summary>A super-frame holds datagrams of one size, the last one possibly shorter, behind one header (virtio 1.2, 5.1.6: GSO_UDP_L4).</summary>
    private void DeliverEach(UdpSocket socket, PacketBuffer packet, int size, IpEndpoint from, in IpReceiveInfo info, Instant now)
    {
        for (var left = packet.Span; left.Length > 0;)
        {
            var count = Math.Min(size, left.Length);
            Counters.UdpInDatagrams++;
            socket.Enqueue(Ip.Pool.RentCopy(left[..count]), info, from, now);
            left = left[count..];
        }

        packet.Release();
    }

    private void Forward(StackForwarder forwarder, PacketBuffer packet, int length, IpEndpoint source, IpEndpoint destination, bool dontFragment)
    {
        packet.Truncate(length);
        packet.TrimStart(UdpHeader.Length);
        var size = packet.Offload is { Segmentation: Segmentation.Udp, SegmentSize: > 0 and var segment } ? segment : packet.Length;
        if (packet.Length <= size)
        {
            Counters.UdpInDatagrams++;
            forwarder.Enqueue(Ip.Pool.Fit(packet), source, destination, dontFragment);
            return;
        }

        for (var left = packet.Span; left.Length > 0; left = left[Math.Min(size, left.Length)..])
        {
            Counters.UdpInDatagrams++;
            forwarder.Enqueue(Ip.Pool.RentCopy(left[..Math.Min(size, left.Length)]), source, destination, dontFragment);
        }

        packet.Release();
    }

    private void DeliverToGroup(PacketBuffer packet, int length, IpEndpoint local, IpEndpoint from, in IpReceiveInfo info, Instant now)
    {
        var socket = Table.NextForGroup(local, from.Address, info.Interface, null);
        if (socket is null)
        {
            Drop(packet, ref Table.IsPortFree(local.Port) ? ref Counters.UdpNoPorts : ref Counters.UdpGroupFiltered);
            return;
        }

        while (Table.NextForGroup(local, from.Address, info.Interface, socket) is { } next)
        {
            Deliver(socket, CopyOf(packet), length, from, info, now);
            socket = next;
        }

        Deliver(socket, packet, length, from, info, now);
    }

    private void Refuse(PacketBuffer packet, in IpReceiveInfo info, Instant now)
    {
        Counters.UdpNoPorts++;
        _errors.SendUnreachable(packet, info, Icmpv4Unreachable.Port, now);
        packet.Release();
    }

    private PacketBuffer CopyOf(PacketBuffer packet)
    {
        var copy = Ip.Pool.RentCopy(packet.Span);
        copy.Offload = packet.Offload;
        return copy;
    }

    /// <summary>Chooses a random free port (RFC 6056, 3.3.1). An observer of earlier ports who could guess it could forge DNS answers.</summary>
    private bool TryChoosePort(IpAddress address, out IpEndpoint local)
    {
        const int Range = EphemeralPorts.Last - EphemeralPorts.First + 1;
        var start = _random.Next(Range);
        for (var i = 0; i < Range; i++)
        {
            var port = (ushort)(EphemeralPorts.First + (start + i) % Range);
            local = new IpEndpoint(address, port);
            if (_shard?.Has(port) != false && Table.IsPortFree(port) && IsReserved?.Invoke(port) != true && _shard?.Steering.Udp.At(port).IsEmpty != false)
                return true;
        }

        local = default;
        return false;
    }

    private static void Drop(PacketBuffer packet, ref long counter)
    {
        counter++;
        packet.Release();
    }
}
