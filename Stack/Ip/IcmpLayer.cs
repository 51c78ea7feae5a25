using System.Buffers.Binary;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Forwarding;
using Tapwire.Stack.Interfaces;
using Tapwire.Stack.Multicast;
using Tapwire.Stack.Packets;
using Tapwire.Stack.Tcp;
using Tapwire.Stack.Udp;

namespace Tapwire.Stack.Ip;

/// <summary>ICMP (RFC 792, RFC 1122 3.2.2): answers echo requests, takes errors to the transports that they concern, and serves echo sockets.</summary>
public sealed partial class IcmpLayer
{
    /// <summary>The least MTU that IPv4 allows (RFC 791, 3.2): a "too big" below it is invalid.</summary>
    private const int LeastMtu = 68;

    /// <summary>MTUs of real networks, for routers that do not name theirs (RFC 1191, 7.1).</summary>
    private static readonly int[] Plateaus = [32000, 17914, 8166, 4352, 2002, 1492, 1006, 508, 296, LeastMtu];

    private readonly IcmpOptions _options;
    private readonly IpLayer _ip;
    private readonly InterfaceTable _interfaces;
    private readonly MulticastLayer _multicast;
    private readonly IcmpErrors _errors;
    private readonly UdpLayer _udp;
    private readonly UdpLayer _echo;
    private readonly TcpLayer _tcp;
    private readonly SocketEventQueue _events;
    private readonly KeyedRandom _random;
    private readonly StackCounters _counters;
    private readonly Dictionary<ushort, IcmpEchoSocket> _sockets = [];

    internal IcmpLayer(
        IcmpOptions options, IpLayer ip, InterfaceTable interfaces, MulticastLayer multicast, IcmpErrors errors, UdpLayer udp, UdpLayer echo, TcpLayer tcp, SocketEventQueue events, KeyedRandom random,
        StackCounters counters)
    {
        _options = options;
        _ip = ip;
        _interfaces = interfaces;
        _multicast = multicast;
        _errors = errors;
        _udp = udp;
        _echo = echo;
        _tcp = tcp;
        _events = events;
        _random = random;
        _counters = counters;
    }

    /// <summary>Takes echo requests; null: this stack answers them.</summary>
    internal StackForwarder? Forwarder { get; set; }

    /// <summary>Knows whose packets have an own address only since they were translated; null: none are.</summary>
    internal Masquerade? Nat { get; set; }

    /// <summary>Makes a socket for echo requests.</summary>
    /// <returns>None, or NoBufferSpace when all 65,536 identifiers are taken.</returns>
    public StackError Open(out IcmpEchoSocket? socket)
    {
        socket = null;
        if (_sockets.Count > ushort.MaxValue)
            return StackError.NoBufferSpace;
        var identifier = (ushort)_random.NextUInt32();
        while (_sockets.ContainsKey(identifier) || !_echo.Table.IsPortFree(identifier))
            identifier++;
        socket = new IcmpEchoSocket(this, _ip, _events, _counters, identifier, _options.EchoOutstanding);
        _sockets.Add(identifier, socket);
        return StackError.None;
    }

    /// <summary>An echo socket has the identifier.</summary>
    internal bool IsTaken(ushort identifier) => _sockets.ContainsKey(identifier);

    internal void Closed(IcmpEchoSocket socket) => _sockets.Remove(socket.Identifier);

    /// <summary>Receives a message and takes it over.</summary>
    internal void Receive(PacketBuffer packet, in IpReceiveInfo info, Instant now)
    {
        _counters.IcmpInMsgs++;
        if (!Icmpv4View.TryParse(packet.Span, out var header))
        {
            _counters.IcmpInTruncated++;
        }
        else if (packet.Offload.Checksum == ChecksumState.None && Checksum.Sum(packet.Span) != 0xFFFF)
        {
            _counters.IcmpInCsumErrors++;
        }
        else if (info.ToGroup)
        {
            _counters.IcmpInGroupIgnored++;
        }
        else if (header.Type == Icmpv4Type.Echo)
        {
            _counters.IcmpInEchos++;
            if (Forwarder is { } forwarder)
                forwarder.Enqueue(packet, info);
            else
                Answer(packet, info, now);
            return;
        }
        else if (header.Type == Icmpv4Type.EchoReply)
        {
            ReceiveReply(packet, header.Identifier, header.Sequence, info, now);
            return;
        }
        else
        {
            Receive(packet.Span, header, info, now);
        }

        packet.Release();
    }

    /// <summary>Reports to the sender of a packet that its next hop does not answer.</summary>
    /// <param name="packet">Begins with its IP header; stays the caller's.</param>
    internal void NextHopUnreachable(PacketBuffer packet, Instant now)
    {
        // What another host has sent may bear an own address by now.
        Nat?.TryUndo(packet.Span, packet.Offload.Checksum);
        if (packet.Length > 0 && packet.Span[0] >> 4 == 6)
        {
            NextHopUnreachableV6(packet, now);
            return;
        }

        if (!Ipv4View.TryParse(packet.Span, out var header))
            return;
        var info = new IpReceiveInfo(
            IpAddress.FromV4(header.Source), IpAddress.FromV4(header.Destination), header.HopLimit, header.TrafficClass, false);
        if (!_ip.Addresses.IsOwn(info.Source))
        {
            Undeliverable(packet, info with { HeaderLength = header.HeaderLength, IsForwarded = true }, now);
            return;
        }

        var report = new IcmpErrorReport(IcmpErrorKind.HostUnreachable, info.Source, Icmpv4Type.DestinationUnreachable, Icmpv4Unreachable.Host, 0, info.HopLimit, 0);
        var quote = packet.Span[..Math.Min(packet.Length, IcmpErrors.MaxQuote)];
        Report(info, header.Protocol, quote[header.HeaderLength..], report, now);
    }

    /// <summary>A packet of another host's, which this router has taken on.</summary>
    private void Undeliverable(PacketBuffer packet, in IpReceiveInfo info, Instant now)
    {
        if (!Router.MayReport(packet, info))
            return;
        packet.TrimStart(info.HeaderLength);
        _errors.SendUnreachable(packet, info, Icmpv4Unreachable.Host, now);
        packet.Prepend(info.HeaderLength);
    }

    /// <summary>The largest packet to a destination, as far as is known, in bytes.</summary>
    internal int MtuTo(IpAddress destination, int linkMtu, Instant now) => _udp.PathMtu.Find(destination, linkMtu, now);

    /// <summary>Turns the request into its answer in place (RFC 1122, 3.2.2.6). An answer that routers might have to fragment may be fragmented, as nobody would learn that it was
    /// too long.</summary>
    internal void Answer(PacketBuffer packet, in IpReceiveInfo info, Instant now)
    {
        var checksum = Checksum.Update(BinaryPrimitives.ReadUInt16BigEndian(packet.Span[2..]), Icmpv4Type.Echo << 8, Icmpv4Type.EchoReply << 8);
        packet = Writable(packet, EthernetHeader.Length + Ipv4Header.Length);
        packet.Span[0] = Icmpv4Type.EchoReply;
        BinaryPrimitives.WriteUInt16BigEndian(packet.Span[2..], checksum);
        _counters.IcmpOutEchoReps++;
        _ip.Send(
            packet,
            new IpSendInfo
            {
                Source = info.Destination,
                Destination = info.Source,
                Protocol = IpProtocol.Icmp,
                TrafficClass = info.TrafficClass,
                ChecksumOffset = -1,
                Fragmentation = packet.Length + Ipv4Header.Length > PathMtuCache.LeastV4 ? Fragmentation.Allowed : Fragmentation.Avoided,
                Mtu = MtuTo(info.Source, ushort.MaxValue, now),
            },
            now);
    }

    /// <summary>The packet itself if it can become an answer in place, else a copy; takes it over.</summary>
    /// <param name="headers">Bytes of headers that the answer needs in front of it.</param>
    private PacketBuffer Writable(PacketBuffer packet, int headers)
    {
        if (packet.IsExclusive && packet.Headroom >= headers)
            return packet;
        var copy = _ip.Pool.Rent(packet.Length, BufferPool.HeaderRoom);
        packet.Span.CopyTo(copy.Append(packet.Length));
        packet.Release();
        return copy;
    }

    /// <summary>Takes an answer of either family to the socket that has asked.</summary>
    private void ReceiveReply(PacketBuffer packet, ushort identifier, ushort sequence, in IpReceiveInfo info, Instant now)
    {
        _counters.IcmpInEchoReps++;
        if (_echo.TryDeliverReply(packet, identifier, info, now))
            return;
        if (!_sockets.TryGetValue(identifier, out var socket) || !socket.Replied(info, sequence, packet.Length - Icmpv4Header.Length, now))
            _counters.IcmpInEchoRepsUnmatched++;
        packet.Release();
    }

    private void Receive(ReadOnlySpan<byte> message, in Icmpv4View header, in IpReceiveInfo info, Instant now)
    {
        switch (header.Type)
        {
            case Icmpv4Type.DestinationUnreachable:
                _counters.IcmpInDestUnreachs++;
                if (KindOf(header.Code) is { } kind)
                    ReceiveError(message, header, info, kind, now);
                else
                    _counters.IcmpInUnknownTypes++;
                break;
            case Icmpv4Type.TimeExceeded:
                _counters.IcmpInTimeExcds++;
                ReceiveError(message, header, info, IcmpErrorKind.TimeExceeded, now);
                break;
            case Icmpv4Type.ParameterProblem:
                _counters.IcmpInParmProbs++;
                ReceiveError(message, header, info, IcmpErrorKind.ParameterProblem, now);
                break;
            case Icmpv4Type.Redirect:
                // Linux accepts redirects by default. Anybody on the path could divert the route with one, and a host with one gateway gains nothing.
                _counters.IcmpInRedirectsIgnored++;
                break;
            default:
                _counters.IcmpInUnknownTypes++;
                break;
        }
    }

    /// <summary>Checks that the quoted packet is one that this stack may have sent (RFC 5927, 4), and takes the error to its transport.</summary>
    private void ReceiveError(ReadOnlySpan<byte> message, in Icmpv4View header, in IpReceiveInfo info, IcmpErrorKind kind, Instant now)
    {
        var quote = message[Icmpv4Header.Length..];
        if (!Ipv4View.TryParse(quote, out var quoted)
            || quoted.Version != 4
            || quoted.HeaderLength < Ipv4Header.Length
            || quote.Length < quoted.HeaderLength + 8
            || quoted.TotalLength < quoted.HeaderLength + 8
            || quoted.FragmentOffset != 0
            || !_ip.IsOwnOn(IpAddress.FromV4(quoted.Source), info.Interface))
        {
            _counters.IcmpInBadQuotes++;
            return;
        }

        var mtu = 0;
        if (kind == IcmpErrorKind.PacketTooBig)
        {
            mtu = header.NextHopMtu != 0 ? header.NextHopMtu : PlateauBelow(quoted.TotalLength);
            if (mtu < LeastMtu)
            {
                _counters.IcmpInBadMtu++;
                return;
            }
        }

        var sent = new IpReceiveInfo(
            IpAddress.FromV4(quoted.Source), IpAddress.FromV4(quoted.Destination), quoted.HopLimit, quoted.TrafficClass, false);
        Report(sent, quoted.Protocol, quote[quoted.HeaderLength..], new IcmpErrorReport(kind, info.Source, header.Type, header.Code, mtu, info.HopLimit, info.TrafficClass), now);
    }

    /// <param name="sent">Source, which is ours, and destination of the lost packet.</param>
    private void Report(in IpReceiveInfo sent, byte protocol, ReadOnlySpan<byte> transport, in IcmpErrorReport report, Instant now)
    {
        switch (protocol)
        {
            case IpProtocol.Tcp:
                _tcp.ErrorReceived(sent, transport, report.Kind, report.Mtu, now);
                break;
            case IpProtocol.Udp:
                _udp.ErrorReceived(sent, transport, report, now);
                break;
            case IpProtocol.Icmp or IpProtocol.Icmpv6 when _echo.ErrorReceived(sent, transport, report, now):
                break;
            case IpProtocol.Icmp or IpProtocol.Icmpv6 when Icmpv4View.TryParse(transport, out var echo) && echo.Type is Icmpv4Type.Echo or Icmpv6Type.EchoRequest
                && _sockets.TryGetValue(echo.Identifier, out var socket):
                if (socket.Refused(report.From, sent.Destination, echo.Sequence, report.Kind.ToStackError(), now) && report.Kind == IcmpErrorKind.PacketTooBig)
                    _udp.PathMtu.Set(sent.Destination, Math.Max(report.Mtu, PathMtuCache.LeastTo(sent.Destination)), now);
                break;
            default:
                _counters.IcmpInBadQuotes++;
                break;
        }
    }

    private static IcmpErrorKind? KindOf(byte code) => code switch
    {
        Icmpv4Unreachable.Network or Icmpv4Unreachable.NetworkUnknown or Icmpv4Unreachable.NetworkProhibited or Icmpv4Unreachable.NetworkForService =>
            IcmpErrorKind.NetworkUnreachable,
        Icmpv4Unreachable.Host or Icmpv4Unreachable.HostForService => IcmpErrorKind.HostUnreachable,
        Icmpv4Unreachable.HostUnknown => IcmpErrorKind.HostUnknown,
        Icmpv4Unreachable.HostIsolated => IcmpErrorKind.HostIsolated,
        Icmpv4Unreachable.SourceRouteFailed => IcmpErrorKind.SourceRouteFailed,
        Icmpv4Unreachable.Protocol => IcmpErrorKind.ProtocolUnreachable,
        Icmpv4Unreachable.Port => IcmpErrorKind.PortUnreachable,
        Icmpv4Unreachable.FragmentationNeeded => IcmpErrorKind.PacketTooBig,
        Icmpv4Unreachable.HostProhibited or Icmpv4Unreachable.Prohibited or Icmpv4Unreachable.PrecedenceViolation or Icmpv4Unreachable.PrecedenceCutoff =>
            IcmpErrorKind.AdminProhibited,
        _ => null,
    };

    private static int PlateauBelow(int length)
    {
        foreach (var plateau in Plateaus)
        {
            if (plateau < length)
                return plateau;
        }

        return LeastMtu;
    }
}
