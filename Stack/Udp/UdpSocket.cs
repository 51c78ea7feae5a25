using System.Diagnostics.CodeAnalysis;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Packets;

namespace Tapwire.Stack.Udp;

/// <summary>
/// A UDP socket, or one for echo messages (<see cref="DatagramKind"/>). Events: Readable when a datagram or an error can be taken, Writable when half the send buffer is free again after a refusal, Closed
/// when the stack has taken the socket's address away.
/// </summary>
public sealed partial class UdpSocket : StackSocket
{
    /// <summary>The largest payload of UDP over IPv6, whose length field does not count its own header: 65,535 bytes less the UDP header.</summary>
    public const int MaxPayload = ushort.MaxValue - UdpHeader.Length;

    /// <summary>The same over IPv4: less by its header.</summary>
    public const int MaxPayloadV4 = MaxPayload - Ipv4Header.Length;

    /// <summary>Error reports that wait to be taken; the newest is dropped.</summary>
    private const int MaxReports = 64;

    private const int LeastBuffer = 2048;
    private const int LargestBuffer = 64 << 20;

    private readonly UdpLayer _udp;
    private readonly int _queueLimit;
    private int _receiveBuffer;
    private int _sendBuffer;
    private readonly Queue<Datagram> _received = new();
    private readonly UdpSendQueue _sending;
    private Queue<UdpErrorReport>? _reports;
    private IpAddress _bound;
    private int _receivedMemory;
    private uint _drops;
    private StackError _error;
    private bool _open = true;

    internal UdpSocket(UdpLayer udp, IpEndpoint local, in UdpSocketOptions options, int queueLimit, uint flowLabel)
    {
        FlowLabel = flowLabel;
        _udp = udp;
        _sending = new UdpSendQueue(udp, this);
        _queueLimit = queueLimit;
        SetOptions(options);
        _bound = local.Address;
        Local = local;
        Sharing = options.Sharing;
    }

    internal UdpSocket? NextOnPort;
    internal UdpSocket? PreviousOnPort;

    /// <summary>The socket, from the same address and port to the same peer, that has their datagrams if this one goes.</summary>
    internal UdpSocket? NextTwin;

    /// <summary>Of those the one with the highest rank has them.</summary>
    internal long Rank;

    /// <summary>The sockets among which datagrams are spread; null while the socket has its address alone, or is connected.</summary>
    internal ReusePortGroup<UdpSocket>? Group;

    /// <summary>The place among the sockets of all shards; null in a stack that has its addresses alone.</summary>
    internal PortHolder? Holder;

    /// <summary>The socket's own address and port; the address is unspecified when it is bound to all and not connected.</summary>
    public IpEndpoint Local { get; private set; }

    /// <summary>The connected peer; port 0 when there is none.</summary>
    public IpEndpoint Remote { get; private set; }

    public bool IsConnected => Remote.Port != 0;

    /// <summary>Bytes of payload that <see cref="Send(PacketBuffer, IpEndpoint?, Instant)"/> takes now. One datagram is always taken while none waits.</summary>
    public int SendRoom => Math.Max(0, _sendBuffer - _sending.Bytes);

    /// <summary>What waits in it now, and what it has dropped.</summary>
    public UdpQueues Queues => new(_sending.Bytes, _receivedMemory, _drops);

    /// <summary>SO_RCVBUF: bytes of memory that undelivered datagrams may hold; clamped to 2 KiB..64 MiB.</summary>
    public int ReceiveBuffer
    {
        get => _receiveBuffer;
        set => _receiveBuffer = Math.Clamp(value, LeastBuffer, LargestBuffer);
    }

    /// <summary>SO_SNDBUF: bytes of datagrams that may wait for room on the egress queue; clamped to 2 KiB..64 MiB.</summary>
    public int SendBuffer
    {
        get => _sendBuffer;
        set => _sendBuffer = Math.Clamp(value, LeastBuffer, LargestBuffer);
    }

    /// <summary>TTL of packets sent; 0 is the stack's default.</summary>
    public byte HopLimit { get; set; }

    /// <inheritdoc cref="UdpSocketOptions.MulticastHopLimit"/>
    public byte MulticastHopLimit { get; set; }

    /// <inheritdoc cref="UdpSocketOptions.MulticastLoop"/>
    public bool MulticastLoop { get; set; }

    /// <inheritdoc cref="UdpSocketOptions.MulticastAll"/>
    public bool MulticastAll { get; set; }

    /// <inheritdoc cref="UdpSocketOptions.MulticastInterface"/>
    public byte? MulticastInterface { get; set; }

    /// <summary>DSCP and ECN bits of packets sent.</summary>
    public byte TrafficClass { get; set; }

    /// <summary>SO_BROADCAST.</summary>
    public bool Broadcast { get; set; }

    /// <inheritdoc cref="UdpSocketOptions.ArrivalTimes"/>
    public bool ArrivalTimes { get; set; }

    /// <inheritdoc cref="UdpSocketOptions.ErrorReports"/>
    public bool ErrorReports { get; set; }

    /// <inheritdoc cref="UdpSocketOptions.SegmentSize"/>
    public ushort SegmentSize { get; set; }

    /// <inheritdoc cref="UdpSocketOptions.MtuDiscovery"/>
    public MtuDiscovery MtuDiscovery { get; set; }

    /// <inheritdoc cref="UdpSocketOptions.MtuDiscoveryV6"/>
    public MtuDiscovery MtuDiscoveryV6 { get; set; }

    /// <inheritdoc cref="UdpSocketOptions.PacketSizeV6"/>
    public ushort PacketSizeV6 { get; set; }

    /// <inheritdoc cref="UdpSocketOptions.DontFragmentV6"/>
    public bool DontFragmentV6 { get; set; }

    /// <summary>What its datagrams are.</summary>
    public DatagramKind Kind => _udp.Kind;

    internal PortSharing Sharing { get; }

    /// <summary>The label of its IPv6 packets (RFC 6437, 3): the same for all of them, as there is one flow to each peer.</summary>
    internal uint FlowLabel { get; }

    public UdpSocketOptions Options => new()
    {
        Sharing = Sharing,
        Broadcast = Broadcast,
        ReceiveBuffer = ReceiveBuffer,
        SendBuffer = SendBuffer,
        HopLimit = HopLimit,
        MulticastHopLimit = MulticastHopLimit,
        MulticastLoop = MulticastLoop,
        MulticastAll = MulticastAll,
        MulticastInterface = MulticastInterface,
        Memberships = Memberships,
        TrafficClass = TrafficClass,
        ArrivalTimes = ArrivalTimes,
        ErrorReports = ErrorReports,
        SegmentSize = SegmentSize,
        MtuDiscovery = MtuDiscovery,
        MtuDiscoveryV6 = MtuDiscoveryV6,
        PacketSizeV6 = PacketSizeV6,
        DontFragmentV6 = DontFragmentV6,
    };

    /// <summary>Sets all options but Sharing and Memberships, which have no effect once the socket is bound.</summary>
    public void SetOptions(in UdpSocketOptions options)
    {
        ReceiveBuffer = options.ReceiveBuffer;
        SendBuffer = options.SendBuffer;
        Broadcast = options.Broadcast;
        HopLimit = options.HopLimit;
        MulticastHopLimit = options.MulticastHopLimit;
        MulticastLoop = options.MulticastLoop;
        MulticastAll = options.MulticastAll;
        MulticastInterface = options.MulticastInterface;
        TrafficClass = options.TrafficClass;
        ArrivalTimes = options.ArrivalTimes;
        ErrorReports = options.ErrorReports;
        SegmentSize = options.SegmentSize;
        MtuDiscovery = options.MtuDiscovery;
        MtuDiscoveryV6 = options.MtuDiscoveryV6;
        PacketSizeV6 = options.PacketSizeV6;
        DontFragmentV6 = options.DontFragmentV6;
    }

    /// <summary>Sets the default destination and receives only from it; its ICMP errors are reported. Port 0 dissolves the association.</summary>
    /// <param name="source">The own address that its datagrams leave from, which says by which interface; unspecified: the socket's, or the route's.</param>
    /// <returns>None; NetworkUnreachable; AccessDenied: broadcast; AddressNotAvailable: the source is not the stack's; InvalidArgument: the socket is closed
    /// or the address is unspecified.</returns>
    public StackError Connect(IpEndpoint remote, IpAddress source = default)
    {
        remote = _udp.PeerOf(this, remote);
        if (!_open || (remote.Port != 0 && remote.Address.IsUnspecified))
            return StackError.InvalidArgument;
        if (remote.Port == 0)
        {
            return Associate(_bound, default);
        }

        var error = FindRoute(remote.Address, !source.IsUnspecified ? source : Local.Address.IsMulticast ? default : Local.Address, out var route);
        if (error != StackError.None)
            return error;
        return Associate(route.Source, remote);
    }

    /// <summary>Sends one datagram, or keeps it until there is room on the egress queue. Takes the payload over, also on failure.</summary>
    /// <param name="payload">With <see cref="BufferPool.HeaderRoom"/> of headroom no copy is made.</param>
    /// <param name="to">Null sends to the connected peer.</param>
    /// <param name="options">What differs from the socket's options.</param>
    /// <returns>None; an error reported for an earlier datagram (this one is not sent then); DestinationRequired; MessageTooLong: above
    /// <see cref="MaxPayload"/>, to an IPv4 peer above <see cref="MaxPayloadV4"/> (of echo messages, whose ICMP header is in the payload, 8 bytes more), or above the MTU where <see cref="MtuDiscovery"/> allows no fragments; NetworkUnreachable; AccessDenied: broadcast; NoBufferSpace: the send buffer is full, Writable follows; NoSuchDevice: no such interface;
    /// InvalidArgument: the source is not the stack's, or too many segments.</returns>
    public StackError Send(PacketBuffer payload, IpEndpoint? to, in UdpSendOptions options, Instant now)
    {
        var peer = to is { } other ? _udp.PeerOf(this, other) : Remote;
        var error = !_open && _error == StackError.None ? StackError.InvalidArgument : TakeError();
        if (error == StackError.None && peer.Port == 0)
            error = to is null ? StackError.DestinationRequired : StackError.InvalidArgument;
        if (error == StackError.None)
            return _sending.Send(payload, peer, options, now);
        payload.Release();
        return error;
    }

    /// <inheritdoc cref="Send(PacketBuffer, IpEndpoint?, in UdpSendOptions, Instant)"/>
    public StackError Send(PacketBuffer payload, IpEndpoint? to, Instant now) => Send(payload, to, default, now);

    /// <summary>Takes the oldest datagram; the caller owns the buffer, which holds exactly the payload (possibly no bytes).</summary>
    public bool TryReceive([NotNullWhen(true)] out PacketBuffer? payload, out IpEndpoint from, out DatagramInfo info)
    {
        var found = _received.TryDequeue(out var datagram);
        (payload, from, info) = (found ? datagram.Payload : null, datagram.Peer, datagram.Info);
        if (payload is null)
            return false;
        _receivedMemory -= payload.Capacity;
        return true;
    }

    /// <inheritdoc cref="TryReceive(out PacketBuffer?, out IpEndpoint, out DatagramInfo)"/>
    public bool TryReceive([NotNullWhen(true)] out PacketBuffer? payload, out IpEndpoint from) => TryReceive(out payload, out from, out _);

    /// <summary>Takes the oldest error report, of a socket with <see cref="ErrorReports"/>. <see cref="TakeError"/> has the error of the newest one too.</summary>
    public bool TryTakeReport([NotNullWhen(true)] out UdpErrorReport? report)
    {
        report = null;
        return _reports?.TryDequeue(out report) == true;
    }

    /// <summary>Takes the pending error (SO_ERROR): None, or why an earlier datagram was lost.</summary>
    public StackError TakeError()
    {
        var error = _error;
        _error = StackError.None;
        return error;
    }

    /// <summary>Frees the port and everything queued. No event follows.</summary>
    public void Close()
    {
        LeaveAll();
        if (_open)
            _udp.Remove(this);
        _open = false;
        while (_received.TryDequeue(out var datagram))
            datagram.Payload.Release();
        _receivedMemory = 0;
        _sending.Clear();
    }

    /// <summary>How it learns what the path to a peer takes: Linux has a value of its own for each family (inet_sock.pmtudisc, ipv6_pinfo.pmtudisc).</summary>
    internal MtuDiscovery MtuDiscoveryTo(IpAddress peer) => peer.IsV4 ? MtuDiscovery : MtuDiscoveryV6;

    /// <summary>Queues a received payload and takes it over.</summary>
    internal void Enqueue(PacketBuffer payload, in IpReceiveInfo packet, IpEndpoint from, Instant now)
    {
        // The first one always fits, as on Linux: a small buffer makes a slow socket, not a deaf one.
        var isExhausted = _udp.MemoryLevel == MemoryLevel.Exhausted;
        if (isExhausted || _received.Count >= _queueLimit || (_received.Count != 0 && _receivedMemory + payload.Capacity > _receiveBuffer))
        {
            _drops++;
            (isExhausted ? ref _udp.Counters.UdpMemErrors : ref _udp.QueueOverflows)++;
            payload.Release();
            return;
        }

        _receivedMemory += payload.Capacity;
        var local = packet.ToGroup ? _udp.Ip.SourceOn(packet.Interface, from.Address) : packet.Destination;
        var info = new DatagramInfo(packet.Destination, local, packet.HopLimit, packet.TrafficClass, packet.Interface, _drops, ArrivalTimes ? now : null);
        _received.Enqueue(new Datagram(payload, from, info));
        _udp.Events.Raise(this, SocketEvents.Readable);
    }

    /// <summary>An error about a datagram that this socket has sent.</summary>
    /// <param name="isHard">It concerns a connected socket. Others hear of errors only if they have asked for reports.</param>
    internal void Report(UdpErrorReport report, bool isHard)
    {
        if (ErrorReports)
        {
            _reports ??= new Queue<UdpErrorReport>();
            if (_reports.Count < MaxReports)
                _reports.Enqueue(report);
            else
                _udp.Counters.UdpErrorsDropped++;
        }

        if (ErrorReports || isHard)
            Fail(report.Error);
    }

    /// <summary>Reports a datagram that is longer than the path takes (Linux: ip_local_error).</summary>
    internal void ReportTooLong(PacketBuffer payload, IpEndpoint to, IpAddress source, int mtu)
    {
        if (!ErrorReports)
            return;
        var copy = new byte[payload.TotalLength];
        payload.CopyTo(copy);
        Report(new UdpErrorReport(StackError.MessageTooLong, to, source, UdpErrorOrigin.Local, 0, 0, mtu, 0, 0, copy), isHard: false);
        _error = StackError.None; // the call that sends returns it
    }

    internal void Fail(StackError error)
    {
        _error = error;
        _udp.Events.Raise(this, SocketEvents.Readable);
    }

    /// <summary>The stack takes the socket's address away.</summary>
    internal void End(StackError error)
    {
        LeaveAll();
        _udp.Remove(this);
        _open = false;
        _sending.Clear();
        _error = error;
        _udp.Events.Raise(this, SocketEvents.Closed);
    }

    /// <inheritdoc cref="UdpSendQueue.SendWaiting"/>
    internal void SendWaiting(Instant now) => _sending.SendWaiting(now);

    /// <returns>None; AccessDenied: broadcast; AddressNotAvailable: the source is not the stack's; NetworkUnreachable.</returns>
    internal StackError FindRoute(IpAddress destination, IpAddress source, out IpRoute route)
    {
        if (!Broadcast && _udp.IsBroadcast(destination))
        {
            route = default;
            return StackError.AccessDenied;
        }

        return _udp.Ip.Route(destination, source, out route);
    }

    private StackError Associate(IpAddress address, IpEndpoint remote)
    {
        var local = Local with { Address = address };
        if (!_udp.TryHold(this, local, remote))
            return StackError.AddressInUse;
        _udp.Table.Remove(this);
        // One that was bound to all addresses is entered anew (Linux: udp_lib_rehash).
        if (Local.Address != address)
            _udp.Table.Rank(this, isLast: false);
        Local = local;
        Remote = remote;
        _udp.Table.Add(this);
        return StackError.None;
    }

    private readonly record struct Datagram(PacketBuffer Payload, IpEndpoint Peer, DatagramInfo Info);
}
