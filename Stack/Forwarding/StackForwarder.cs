using System.Diagnostics.CodeAnalysis;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Packets;
using Tapwire.Stack.Tcp;
using Tapwire.Stack.Udp;

namespace Tapwire.Stack.Forwarding;

/// <summary>
/// What a host sends to others through this stack (<see cref="ForwardingOptions"/>): SYNs that wait until the owner knows whether their destination answers, datagrams, and echo
/// requests. The event Readable says that there is something to take. A connection exists only once it is accepted, so that a destination that refuses is seen to refuse.
/// </summary>
/// <remarks>The event's receiver, like every socket's, is the one that set <see cref="StackSocket.Owner"/>.</remarks>
public sealed class StackForwarder : StackSocket
{
    // Ports and sequence number: what a host needs of an error to know its connection, and what RFC 792 has in it.
    private const int QuotedTransport = 8;

    private readonly ForwardingOptions _options;
    private readonly TcpLayer _tcp;
    private readonly IcmpLayer _icmp;
    private readonly IcmpErrors _errors;
    private readonly IIpOutput _ip;
    private readonly SocketEventQueue _events;
    private readonly StackCounters _counters;

    // Counts for the handshakes of accepted connections. No port leads to it.
    private readonly TcpListener _place;
    private readonly Dictionary<TcpPair, Held> _held = [];
    private readonly Queue<TcpPair> _newlyHeld = new();
    private readonly Queue<(PacketBuffer Payload, IpEndpoint From, IpEndpoint To, bool DontFragment)> _datagrams = new();
    private readonly Queue<ForwardedEcho> _echoes = new();

    internal StackForwarder(ForwardingOptions options, TcpLayer tcp, IcmpLayer icmp, IcmpErrors errors, IIpOutput ip, SocketEventQueue events, StackCounters counters)
    {
        options.Validate();
        _options = options;
        _tcp = tcp;
        _icmp = icmp;
        _errors = errors;
        _ip = ip;
        _events = events;
        _counters = counters;
        _place = new TcpListener(tcp, default, default);
    }

    /// <summary>The host whose traffic this is.</summary>
    public GuestAddresses Guest => _options.Guest;

    /// <summary>SYNs that wait for a decision, those included that have been taken.</summary>
    public int Handshakes => _held.Count;

    /// <summary>Takes the next SYN. It waits until <see cref="Accept"/>, <see cref="Refuse"/>.</summary>
    /// <param name="source">The host's end.</param>
    /// <param name="destination">The end that the host wants to reach.</param>
    public bool TryTakeHandshake(out IpEndpoint source, out IpEndpoint destination)
    {
        var found = _newlyHeld.TryDequeue(out var pair);
        (source, destination) = (pair.Remote, pair.Local);
        return found;
    }

    /// <summary>Answers a SYN that waits: the connection is in SYN-RECEIVED, and takes data at once. Its event Closed tells if the host has given it up.</summary>
    /// <param name="socket">Null unless None is returned; its <see cref="TcpSocket.Local"/> is the destination.</param>
    /// <returns>None; InvalidArgument: no such SYN waits; AddressInUse; NoBufferSpace: too many sockets, or no memory; NetworkUnreachable. With these the SYN is forgotten, and the host
    /// sends it again.</returns>
    public StackError Accept(IpEndpoint source, IpEndpoint destination, in TcpSocketOptions options, Instant now, out TcpSocket? socket)
    {
        socket = null;
        var pair = new TcpPair(destination, source);
        if (!_held.Remove(pair, out var held))
            return StackError.InvalidArgument;
        if (_tcp.Table.Find(pair) is not null)
            return StackError.AddressInUse;
        if (_tcp.Count >= _tcp.Options.MaxSockets || _tcp.RefusesMore())
        {
            _tcp.Counters.TcpSocketsRefused++;
            return StackError.NoBufferSpace;
        }

        var error = _ip.Route(source.Address, destination.Address, out var route);
        if (error != StackError.None)
            return error;
        // Forgets resets that are too old to count, of which nobody else asks here.
        _ = _place.HasFastOpenPlace(now);
        var connection = new TcpConnection(pair, _tcp.Table.HashOf(pair));
        _tcp.Table.Add(connection);
        socket = _tcp.Adopt(connection, _tcp.Shared(options));
        _tcp.Counters.TcpPassiveOpens++;
        socket.BeginFastOpen(_place, held.Syn, _ip.Pool.Rent(0, BufferPool.HeaderRoom), held.Sequence ?? _tcp.Secrets.InitialSequence(pair, now), route, now);
        socket.Accepted();
        return StackError.None;
    }

    /// <summary>Answers a SYN that waits as its destination, or the way there, has: with RST, or an ICMP error. Any other reason is silence, and the host sends the SYN again.</summary>
    public void Refuse(IpEndpoint source, IpEndpoint destination, StackError reason, Instant now)
    {
        var pair = new TcpPair(destination, source);
        if (!_held.Remove(pair, out var held))
            return;
        _tcp.Counters.TcpAttemptFails++;
        if (reason is StackError.ConnectionRefused or StackError.ConnectionReset)
        {
            _tcp.Control.Reset(pair, held.Syn, held.Payload, now);
            return;
        }

        Span<byte> transport = stackalloc byte[TcpHeader.MaxLength];
        held.Syn.Emit(transport[..held.Syn.Length]);
        Report(source.Address, destination.Address, TcpLayer.Protocol, transport[..QuotedTransport], reason, now);
    }

    /// <summary>Takes the next datagram; the caller owns the payload.</summary>
    /// <param name="dontFragment">The host wants to know what the path takes: a datagram that is too long is to be refused, and not to be fragmented.</param>
    public bool TryTakeDatagram([NotNullWhen(true)] out PacketBuffer? payload, out IpEndpoint source, out IpEndpoint destination, out bool dontFragment)
    {
        var found = _datagrams.TryDequeue(out var datagram);
        (payload, source, destination, dontFragment) = datagram;
        return found;
    }

    /// <summary>Sends the host a datagram, in fragments if it is longer than the MTU, and takes the payload over. One that finds no room in the egress queue is dropped and counted, as UDP may be.</summary>
    /// <param name="from">The sender that the host sees.</param>
    /// <param name="to">The host's end.</param>
    public void Send(PacketBuffer payload, IpEndpoint from, IpEndpoint to, Instant now)
    {
        if (_ip.Route(to.Address, from.Address, out var route) != StackError.None || payload.TotalLength > DatagramKind.Udp.MostTo(to.Address))
        {
            _counters.IpOutNoRoutes++;
            payload.Release();
            return;
        }

        if (!_ip.HasRoom(route.Interface))
        {
            _counters.UdpSndbufErrors++;
            payload.Release();
            return;
        }

        var length = payload.TotalLength;
        var packet = UdpSendQueue.WithHeadroom(payload, _ip.Pool);
        new UdpHeader(from.Port, to.Port, (ushort)length).Emit(packet.Prepend(UdpHeader.Length));
        _counters.UdpOutDatagrams++;
        _ip.Send(packet, new IpSendInfo
        {
            Source = from.Address,
            Destination = to.Address,
            Protocol = IpProtocol.Udp,
            ChecksumOffset = UdpHeader.ChecksumOffset,
            Fragmentation = Fragmentation.Avoided,
        }, now);
    }

    /// <summary>Tells the host by an ICMP error that a datagram of its has not arrived.</summary>
    /// <param name="source">The host's end.</param>
    /// <param name="mtu">With MessageTooLong: the largest packet that arrives, in bytes.</param>
    public void RefuseDatagram(IpEndpoint source, IpEndpoint destination, StackError reason, int mtu, Instant now)
    {
        Span<byte> transport = stackalloc byte[UdpHeader.Length];
        new UdpHeader(source.Port, destination.Port, 0).Emit(transport);
        Report(source.Address, destination.Address, IpProtocol.Udp, transport, reason, now, mtu);
    }

    /// <summary>Takes the next echo request; the caller owns it.</summary>
    public bool TryTakeEcho([NotNullWhen(true)] out ForwardedEcho? echo) => _echoes.TryDequeue(out echo);

    /// <summary>Answers an echo request as the host that it was for has, and takes it over: by the reply, an ICMP error, or silence.</summary>
    public void Answer(ForwardedEcho echo, StackError result, Instant now)
    {
        if (result == StackError.None)
        {
            if (echo.Destination.IsV4)
                _icmp.Answer(echo.Packet, echo.Info, now);
            else
                _icmp.AnswerV6(echo.Packet, echo.Info, now);
            return;
        }

        if (CodeOf(result) is { } code)
            _errors.SendUnreachable(echo.Packet, echo.Info, code, now);
        echo.Release();
    }

    /// <summary>Keeps a SYN until the owner knows more; the same SYN again changes nothing.</summary>
    /// <param name="payload">Bytes of data in the SYN. They are dropped, and the host sends them again.</param>
    /// <param name="sequence">The initial sequence number if it matters, after TIME-WAIT.</param>
    /// <returns>False: there is no room, and the SYN is dropped.</returns>
    internal bool TryHold(in TcpPair pair, in TcpHeader syn, int payload, uint? sequence)
    {
        if (_held.ContainsKey(pair))
            return true;
        if (_held.Count >= _options.Handshakes)
        {
            _tcp.Counters.TcpExtListenDrops++;
            return false;
        }

        _held.Add(pair, new Held(syn, payload, sequence));
        _newlyHeld.Enqueue(pair);
        _events.Raise(this, SocketEvents.Readable);
        return true;
    }

    /// <summary>Takes over a datagram's payload.</summary>
    internal void Enqueue(PacketBuffer payload, IpEndpoint source, IpEndpoint destination, bool dontFragment)
    {
        if (_datagrams.Count >= _options.Datagrams)
        {
            _counters.UdpRcvbufErrors++;
            payload.Release();
            return;
        }

        _datagrams.Enqueue((payload, source, destination, dontFragment));
        _events.Raise(this, SocketEvents.Readable);
    }

    /// <summary>Takes over an echo request, from its ICMP header on.</summary>
    internal void Enqueue(PacketBuffer request, in IpReceiveInfo info)
    {
        if (_echoes.Count >= _options.Echoes)
        {
            _counters.IcmpInForwardOverflow++;
            request.Release();
            return;
        }

        _echoes.Enqueue(new ForwardedEcho(request, info));
        _events.Raise(this, SocketEvents.Readable);
    }

    /// <summary>Drops everything that waits.</summary>
    internal void Clear()
    {
        _held.Clear();
        _newlyHeld.Clear();
        while (_datagrams.TryDequeue(out var datagram))
            datagram.Payload.Release();
        while (_echoes.TryDequeue(out var echo))
            echo.Release();
    }

    /// <summary>Sends the error that a router, or the destination, would have sent about a packet of the host's; none for a reason that has no such error.</summary>
    private void Report(IpAddress source, IpAddress destination, byte protocol, ReadOnlySpan<byte> transport, StackError reason, Instant now, int mtu = 0)
    {
        var isTooLong = reason == StackError.MessageTooLong && mtu > 0;
        var code = CodeOf(reason);
        if (code is null && !isTooLong)
            return;
        var length = source.IsV4 ? Ipv4Header.Length : Ipv6Header.Length;
        var packet = _ip.Pool.Rent(length + transport.Length);
        var bytes = packet.Append(length + transport.Length);
        EmitHeader(bytes, source, destination, protocol, (ushort)transport.Length);
        transport.CopyTo(bytes[length..]);
        packet.TrimStart(length);
        var info = new IpReceiveInfo(source, destination, 1, 0, false) { HeaderLength = length };
        if (isTooLong)
            _errors.SendFragmentationNeeded(packet, info, mtu, now);
        else
            _errors.SendUnreachable(packet, info, code!.Value, now);
        packet.Release();
    }

    /// <summary>Writes the IP header of a packet of the host's as it would be seen at its last hop.</summary>
    private static void EmitHeader(Span<byte> bytes, IpAddress source, IpAddress destination, byte protocol, ushort length)
    {
        if (source.IsV4)
            new Ipv4Header { Source = source, Destination = destination, Protocol = protocol, HopLimit = 1, DontFragment = true, PayloadLength = length }.Emit(bytes);
        else
            new Ipv6Header { Source = source, Destination = destination, NextHeader = protocol, HopLimit = 1, PayloadLength = length }.Emit(bytes);
    }

    /// <summary>The error that hosts understand as that reason (icmp_err_convert of Linux); about an IPv6 packet it becomes the one of ICMPv6 with that meaning.</summary>
    private static byte? CodeOf(StackError reason) => reason switch
    {
        StackError.NetworkUnreachable => Icmpv4Unreachable.Network,
        StackError.HostUnreachable => Icmpv4Unreachable.Host,
        StackError.HostDown => Icmpv4Unreachable.HostUnknown,
        StackError.NotOnNetwork => Icmpv4Unreachable.HostIsolated,
        StackError.ConnectionRefused => Icmpv4Unreachable.Port,
        StackError.NoSuchOption => Icmpv4Unreachable.Protocol,
        StackError.NotSupported => Icmpv4Unreachable.SourceRouteFailed,
        StackError.AccessDenied => Icmpv4Unreachable.Prohibited,
        _ => null,
    };

    /// <summary>A SYN that waits.</summary>
    private readonly record struct Held(TcpHeader Syn, int Payload, uint? Sequence);
}
