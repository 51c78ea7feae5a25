using System.Diagnostics.CodeAnalysis;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Packets;

namespace Tapwire.Stack.Udp;

/// <summary>
/// A UDP socket. Events: Readable when a datagram or an error can be taken, Writable when half the send buffer is free again after a refusal, Closed
/// when the stack has taken the socket's address away.
/// </summary>
public sealed class UdpSocket : StackSocket
{
    /// <summary>The largest payload: 65,535 bytes less IP and UDP headers.</summary>
    public const int MaxPayload = 65535 - Ipv4Header.Length - UdpHeader.Length;

    private const int LeastBuffer = 2048;
    private const int LargestBuffer = 64 << 20;

    private readonly UdpLayer _udp;
    private readonly int _queueLimit;
    private int _receiveBuffer;
    private int _sendBuffer;
    private readonly Queue<Datagram> _received = new();
    private readonly Queue<Datagram> _waiting = new();
    private IpAddress _bound;
    private int _receivedMemory;
    private int _waitingBytes;
    private StackError _error;
    private bool _refused;
    private bool _open = true;

    internal UdpSocket(UdpLayer udp, IpEndpoint local, in UdpSocketOptions options, int queueLimit)
    {
        _udp = udp;
        _queueLimit = queueLimit;
        SetOptions(options);
        _bound = local.Address;
        Local = local;
        ReuseAddress = options.ReuseAddress;
    }

    internal UdpSocket? NextOnPort;
    internal UdpSocket? PreviousOnPort;

    /// <summary>The socket's own address and port; the address is unspecified when it is bound to all and not connected.</summary>
    public IpEndpoint Local { get; private set; }

    /// <summary>The connected peer; port 0 when there is none.</summary>
    public IpEndpoint Remote { get; private set; }

    public bool IsConnected => Remote.Port != 0;

    /// <summary>Bytes of payload that <see cref="Send"/> takes now. One datagram is always taken while none waits.</summary>
    public int SendRoom => Math.Max(0, _sendBuffer - _waitingBytes);

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

    /// <summary>DSCP and ECN bits of packets sent.</summary>
    public byte TrafficClass { get; set; }

    /// <summary>SO_BROADCAST.</summary>
    public bool Broadcast { get; set; }

    internal bool ReuseAddress { get; }

    public UdpSocketOptions Options => new()
    {
        ReuseAddress = ReuseAddress,
        Broadcast = Broadcast,
        ReceiveBuffer = ReceiveBuffer,
        SendBuffer = SendBuffer,
        HopLimit = HopLimit,
        TrafficClass = TrafficClass,
    };

    /// <summary>Sets all options but ReuseAddress, which has no effect once the socket is bound.</summary>
    public void SetOptions(in UdpSocketOptions options)
    {
        ReceiveBuffer = options.ReceiveBuffer;
        SendBuffer = options.SendBuffer;
        Broadcast = options.Broadcast;
        HopLimit = options.HopLimit;
        TrafficClass = options.TrafficClass;
    }

    /// <summary>Sets the default destination and receives only from it; its ICMP errors are reported. Port 0 dissolves the association.</summary>
    /// <returns>None; NetworkUnreachable; AddressInUse: another socket has both ends; AccessDenied: broadcast; InvalidArgument: the socket is closed
    /// or the address is unspecified.</returns>
    public StackError Connect(IpEndpoint remote)
    {
        if (!_open || (remote.Port != 0 && remote.Address.IsUnspecified))
            return StackError.InvalidArgument;
        if (remote.Port == 0)
        {
            Associate(_bound, default);
            return StackError.None;
        }

        var error = FindRoute(remote.Address, out var route);
        if (error != StackError.None)
            return error;
        var local = Local with { Address = route.Source };
        if (remote != Remote && _udp.Table.IsConnected(local, remote))
            return StackError.AddressInUse;
        Associate(route.Source, remote);
        return StackError.None;
    }

    /// <summary>Sends one datagram, or keeps it until there is room on the egress queue. Takes the payload over, also on failure.</summary>
    /// <param name="payload">With <see cref="BufferPool.HeaderRoom"/> of headroom no copy is made.</param>
    /// <param name="to">Null sends to the connected peer.</param>
    /// <returns>None; an error reported for an earlier datagram (this one is not sent then); DestinationRequired; MessageTooLong;
    /// NetworkUnreachable; AccessDenied: broadcast; NoBufferSpace: the send buffer is full, Writable follows; InvalidArgument.</returns>
    public StackError Send(PacketBuffer payload, IpEndpoint? to, Instant now)
    {
        var error = CheckSend(payload, to ?? Remote, to is null, out var egress);
        if (error != StackError.None)
        {
            payload.Release();
            return error;
        }

        var datagram = new Datagram(payload, to ?? Remote, egress);
        if (_waiting.Count == 0 && _udp.Ip.HasRoom(egress))
        {
            Transmit(datagram, now);
            return StackError.None;
        }

        if (_waiting.Count == 0)
            _udp.WaitToSend(this, egress);
        _waitingBytes += payload.TotalLength;
        _waiting.Enqueue(datagram);
        return StackError.None;
    }

    /// <summary>Takes the oldest datagram; the caller owns the buffer, which holds exactly the payload (possibly no bytes).</summary>
    public bool TryReceive([NotNullWhen(true)] out PacketBuffer? payload, out IpEndpoint from)
    {
        if (_received.TryDequeue(out var datagram))
        {
            payload = datagram.Payload;
            from = datagram.Peer;
            _receivedMemory -= payload.Capacity;
            return true;
        }

        payload = null;
        from = default;
        return false;
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
        if (_open)
            _udp.Table.Remove(this);
        _open = false;
        ReleaseAll(_received);
        ReleaseAll(_waiting);
        _receivedMemory = 0;
        _waitingBytes = 0;
    }

    /// <summary>Queues a received payload and takes it over.</summary>
    internal void Enqueue(PacketBuffer payload, IpEndpoint from)
    {
        if (_udp.MemoryLevel == MemoryLevel.Exhausted)
        {
            _udp.Counters.UdpMemErrors++;
            payload.Release();
            return;
        }

        // The first one always fits, as on Linux: a small buffer makes a slow socket, not a deaf one.
        if (_received.Count >= _queueLimit || (_received.Count != 0 && _receivedMemory + payload.Capacity > _receiveBuffer))
        {
            _udp.Counters.UdpRcvbufErrors++;
            payload.Release();
            return;
        }

        _receivedMemory += payload.Capacity;
        _received.Enqueue(new Datagram(payload, from, 0));
        _udp.Events.Raise(this, SocketEvents.Readable);
    }

    internal void Fail(StackError error)
    {
        _error = error;
        _udp.Events.Raise(this, SocketEvents.Readable);
    }

    /// <summary>The stack takes the socket's address away.</summary>
    internal void End(StackError error)
    {
        _udp.Table.Remove(this);
        _open = false;
        ReleaseAll(_waiting);
        _waitingBytes = 0;
        _error = error;
        _udp.Events.Raise(this, SocketEvents.Closed);
    }

    /// <summary>Sends the oldest waiting datagram, and waits for the next one's turn.</summary>
    internal void SendWaiting(Instant now)
    {
        if (!_waiting.TryDequeue(out var datagram))
            return;
        _waitingBytes -= datagram.Payload.TotalLength;
        Transmit(datagram, now);
        if (_refused && _waitingBytes <= _sendBuffer / 2)
        {
            _refused = false;
            _udp.Events.Raise(this, SocketEvents.Writable);
        }

        if (_waiting.TryPeek(out var next))
            _udp.WaitToSend(this, next.Interface);
    }

    private StackError CheckSend(PacketBuffer payload, IpEndpoint to, bool needsPeer, out byte egress)
    {
        egress = 0;
        if (!_open)
            return _error != StackError.None ? TakeError() : StackError.InvalidArgument;
        if (_error != StackError.None)
            return TakeError();
        if (to.Port == 0)
            return needsPeer ? StackError.DestinationRequired : StackError.InvalidArgument;
        if (payload.TotalLength > MaxPayload)
            return StackError.MessageTooLong;
        var error = FindRoute(to.Address, out var route);
        if (error != StackError.None)
            return error;
        egress = route.Interface;
        if (payload.TotalLength > route.Mtu - Ipv4Header.Length - UdpHeader.Length)
            return StackError.MessageTooLong;
        if (_waiting.Count == 0 || _waitingBytes + payload.TotalLength <= _sendBuffer)
            return StackError.None;
        _refused = true;
        _udp.Counters.UdpSndbufErrors++;
        return StackError.NoBufferSpace;
    }

    private StackError FindRoute(IpAddress destination, out IpRoute route)
    {
        if (!Broadcast && _udp.IsBroadcast(destination))
        {
            route = default;
            return StackError.AccessDenied;
        }

        return _udp.Ip.Route(destination, Local.Address, out route);
    }

    private void Transmit(in Datagram datagram, Instant now)
    {
        if (_udp.Ip.Route(datagram.Peer.Address, Local.Address, out var route) != StackError.None)
        {
            // The route existed when the datagram was accepted, but not any more.
            datagram.Payload.Release();
            _udp.Counters.IpOutNoRoutes++;
            return;
        }

        var payload = datagram.Payload;
        var length = payload.TotalLength;
        var packet = WithHeadroom(payload, _udp.Ip.Pool);
        new UdpHeader(Local.Port, datagram.Peer.Port, (ushort)length).Emit(packet.Prepend(UdpHeader.Length));
        _udp.Counters.UdpOutDatagrams++;
        _udp.Ip.Send(
            packet,
            new IpSendInfo
            {
                Source = route.Source,
                Destination = datagram.Peer.Address,
                Protocol = IpProtocol.Udp,
                HopLimit = HopLimit,
                TrafficClass = TrafficClass,
                ChecksumOffset = UdpHeader.ChecksumOffset,
            },
            now);
    }

    /// <summary>The payload itself where headers fit before it; otherwise a buffer for the headers, with the payload as a fragment.</summary>
    internal static PacketBuffer WithHeadroom(PacketBuffer payload, BufferPool pool)
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

    private void Associate(IpAddress address, IpEndpoint remote)
    {
        _udp.Table.Remove(this);
        Local = Local with { Address = address };
        Remote = remote;
        _udp.Table.Add(this);
    }

    private static void ReleaseAll(Queue<Datagram> datagrams)
    {
        while (datagrams.TryDequeue(out var datagram))
            datagram.Payload.Release();
    }

    /// <param name="Interface">The index of the egress interface; unused for a received datagram.</param>
    private readonly record struct Datagram(PacketBuffer Payload, IpEndpoint Peer, byte Interface);
}
