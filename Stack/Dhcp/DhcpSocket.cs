using System.Buffers.Binary;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Interfaces;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Packets;

namespace Tapwire.Stack.Dhcp;

/// <summary>
/// UDP port 68 of one interface, for its DHCP client: it sends from 0.0.0.0, and receives whatever comes from port 67 to port 68, to a group or to any address, because the
/// interface may have none yet (RFC 2131, 4.1). It asks by ARP, too, whether somebody has an address. While it is open no other socket receives these datagrams. Event: Readable.
/// </summary>
public sealed class DhcpSocket : DhcpPort
{
    private const byte HopLimit = 64;

    private readonly IpLayer _ip;
    private readonly StackCounters _counters;
    private readonly Queue<(IpAddress Address, MacAddress By)> _claims = new();
    private IpAddress _probed = IpAddress.AnyV4;

    internal DhcpSocket(NetworkInterface on, IpLayer ip, SocketEventQueue events, StackCounters counters)
        : base(on, DhcpMessage.MaxLength, events, counters)
    {
        _ip = ip;
        _counters = counters;
    }

    /// <summary>Sends a message to port 67. What has no way there is dropped and counted, as any packet.</summary>
    /// <param name="message">Up to <see cref="DhcpMessage.MaxLength"/> bytes; copied.</param>
    /// <param name="source">0.0.0.0, or an address of the interface.</param>
    /// <param name="destination">255.255.255.255 for all stations on the interface, or a server, to which routes lead.</param>
    public void Send(ReadOnlySpan<byte> message, IpAddress source, IpAddress destination, Instant now)
    {
        var length = UdpHeader.Length + message.Length;
        var packet = _ip.Pool.Rent(length, BufferPool.HeaderRoom);
        message.CopyTo(packet.Append(length)[UdpHeader.Length..]);
        new UdpHeader(DhcpMessage.ClientPort, DhcpMessage.ServerPort, (ushort)message.Length).Emit(packet.Span);
        _counters.UdpOutDatagrams++;
        if (!destination.IsLimitedBroadcast)
        {
            _ip.Send(packet, new IpSendInfo { Source = source, Destination = destination, Protocol = IpProtocol.Udp, ChecksumOffset = UdpHeader.ChecksumOffset }, now);
            return;
        }

        // Routes and addresses say nothing of this packet: it goes to the link as it is.
        _counters.IpOutRequests++;
        var sum = Checksum.Sum(packet.Span, Checksum.PseudoHeader(source, destination, IpProtocol.Udp, length));
        var checksum = Checksum.Finish(sum);
        BinaryPrimitives.WriteUInt16BigEndian(packet.Span[UdpHeader.ChecksumOffset..], checksum == 0 ? ushort.MaxValue : checksum);
        new Ipv4Header { Source = source, Destination = destination, Protocol = IpProtocol.Udp, HopLimit = HopLimit, DontFragment = true, PayloadLength = (ushort)length }
            .Emit(packet.Prepend(Ipv4Header.Length));
        Interface.Framing.Send(packet, destination, AddressKind.Broadcast, now);
    }

    /// <summary>Asks all stations by ARP whether one of them has an address (RFC 5227, 2.1.1). Whoever has it is told by <see cref="TryTakeClaim"/>, until another one is asked for.</summary>
    public void Probe(IpAddress address)
    {
        _probed = address;
        _claims.Clear();
        _counters.ArpOutRequests++;
        var own = Interface.Options.HardwareAddress;
        var frame = _ip.Pool.Rent(ArpPacket.Length, BufferPool.HeaderRoom);
        new ArpPacket(ArpOperation.Request, own, IpAddress.AnyV4, default, address).Emit(frame.Append(ArpPacket.Length));
        new EthernetHeader(MacAddress.Broadcast, own, EtherType.Arp).Emit(frame.Prepend(EthernetHeader.Length));
        Interface.Egress.Enqueue(frame);
    }

    /// <summary>Takes the oldest claim of the address that was asked for.</summary>
    public bool TryTakeClaim(out IpAddress address, out MacAddress by)
    {
        var any = _claims.TryDequeue(out var claim);
        (address, by) = claim;
        return any;
    }

    /// <inheritdoc/>
    public override void Close()
    {
        if (Interface.Dhcp == this)
            Interface.Dhcp = null;
        base.Close();
        _claims.Clear();
        _probed = IpAddress.AnyV4;
    }

    /// <summary>Takes a packet over if it is a datagram for a DHCP client.</summary>
    /// <param name="packet">Begins with its IP header, which is well-formed.</param>
    /// <returns>False: it is another one, and stays the caller's.</returns>
    internal bool TryTake(PacketBuffer packet, in Ipv4View header)
    {
        var datagram = packet.Span[header.HeaderLength..header.TotalLength];
        if (header.Protocol != IpProtocol.Udp || header.IsFragment || !UdpView.TryParse(datagram, out var udp) || udp.DestinationPort != DhcpMessage.ClientPort
            || udp.SourcePort != DhcpMessage.ServerPort)
            return false;
        if (header.Source >> 24 is 0 or 127 or >= 224)
            _counters.IpInMartianSource++;
        else if (udp.Length < UdpHeader.Length || udp.Length > datagram.Length)
            _counters.UdpInBadLength++;
        else if (!HasValidChecksum(packet, header, datagram[..udp.Length], udp.Checksum))
            _counters.UdpInCsumErrors++;
        else
            Take(datagram[UdpHeader.Length..udp.Length], IpAddress.FromV4(header.Source));
        packet.Release();
        return true;
    }

    /// <summary>An ARP packet has come, of a station on the link.</summary>
    internal void Heard(in ArpView arp)
    {
        var sender = arp.SenderProtocol;
        var isProbe = arp.Operation == ArpOperation.Request && sender.IsUnspecified && arp.TargetProtocol == _probed;
        if (_probed.IsUnspecified || (sender != _probed && !isProbe) || arp.SenderHardware == Interface.Options.HardwareAddress || _claims.Count == MostMessages)
            return;
        _claims.Enqueue((_probed, arp.SenderHardware));
        Raise();
    }
}
