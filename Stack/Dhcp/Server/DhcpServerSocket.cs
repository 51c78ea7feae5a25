using System.Buffers.Binary;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Interfaces;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Packets;

namespace Tapwire.Stack.Dhcp.Server;

/// <summary>
/// UDP port 67 of one interface, for its DHCP server: it receives what clients send to all stations, or to an own address, although they may have no address themselves, and sends to stations that do not answer for their
/// address yet. While it is open no other socket receives these datagrams. Event: Readable.
/// </summary>
public sealed class DhcpServerSocket : DhcpPort
{
    private const byte HopLimit = 64;

    private readonly IpLayer _ip;
    private readonly StackCounters _counters;

    internal DhcpServerSocket(NetworkInterface on, IpLayer ip, SocketEventQueue events, StackCounters counters)
        : base(on, DhcpMessage.MaxLength, events, counters)
    {
        _ip = ip;
        _counters = counters;
    }

    /// <summary>Sends a message to port 68.</summary>
    /// <param name="message">Up to <see cref="DhcpMessage.MaxLength"/> bytes; copied. What is longer than the MTU is dropped and counted.</param>
    /// <param name="source">An address of the interface.</param>
    /// <param name="hardware">The station; null: all.</param>
    public void Send(ReadOnlySpan<byte> message, IpAddress source, IpAddress destination, MacAddress? hardware)
    {
        var length = UdpHeader.Length + message.Length;
        if (Ipv4Header.Length + length > Interface.Mtu)
        {
            _counters.IpOutNoRoutes++;
            return;
        }

        var packet = _ip.Pool.Rent(length, BufferPool.HeaderRoom);
        message.CopyTo(packet.Append(length)[UdpHeader.Length..]);
        new UdpHeader(DhcpMessage.ServerPort, DhcpMessage.ClientPort, (ushort)message.Length).Emit(packet.Span);
        _counters.UdpOutDatagrams++;
        _counters.IpOutRequests++;
        var checksum = Checksum.Finish(Checksum.Sum(packet.Span, Checksum.PseudoHeader(source, destination, IpProtocol.Udp, length)));
        BinaryPrimitives.WriteUInt16BigEndian(packet.Span[UdpHeader.ChecksumOffset..], checksum == 0 ? ushort.MaxValue : checksum);
        new Ipv4Header { Source = source, Destination = destination, Protocol = IpProtocol.Udp, HopLimit = HopLimit, DontFragment = true, PayloadLength = (ushort)length }
            .Emit(packet.Prepend(Ipv4Header.Length));
        new EthernetHeader(hardware ?? MacAddress.Broadcast, Interface.Options.HardwareAddress, EtherType.Ipv4).Emit(packet.Prepend(EthernetHeader.Length));
        Interface.Egress.Enqueue(packet);
    }

    /// <inheritdoc/>
    public override void Close()
    {
        if (Interface.DhcpServer == this)
            Interface.DhcpServer = null;
        base.Close();
    }

    /// <summary>Takes a packet over if it is a datagram for a DHCP server.</summary>
    /// <param name="packet">Begins with its IP header, which is well-formed.</param>
    /// <returns>False: it is another one, and stays the caller's.</returns>
    internal bool TryTake(PacketBuffer packet, in Ipv4View header)
    {
        var datagram = packet.Span[header.HeaderLength..header.TotalLength];
        if (header.Protocol != IpProtocol.Udp || header.IsFragment || !UdpView.TryParse(datagram, out var udp) || udp.DestinationPort != DhcpMessage.ServerPort
            || udp.SourcePort != DhcpMessage.ClientPort || !IsForUs(IpAddress.FromV4(header.Destination)))
            return false;
        if (header.Source >> 24 is 127 or >= 224)
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

    private bool IsForUs(IpAddress destination) =>
        destination.IsLimitedBroadcast || Interface.Own.IsOwn(destination) || Interface.Own.KindOf(destination) == AddressKind.Broadcast;
}
