using Tapwire.Stack.Buffers;
using Tapwire.Stack.Interfaces;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Packets;

namespace Tapwire.Stack.Dhcp.V6;

/// <summary>UDP port 546 of one interface, for its DHCPv6 client: it sends from the interface's link-local address to all servers, and receives what comes from port 547 to that address (RFC 8415, 7.2).</summary>
public sealed class Dhcp6Socket : DhcpPort
{
    /// <summary>Relays listen on the link; nobody forwards what is sent to them.</summary>
    private const byte HopLimit = 1;

    private readonly IpLayer _ip;
    private readonly StackCounters _counters;

    internal Dhcp6Socket(NetworkInterface on, IpLayer ip, SocketEventQueue events, StackCounters counters)
        : base(on, Dhcp6.MaxLength, events, counters)
    {
        _ip = ip;
        _counters = counters;
    }

    /// <summary>Sends a message to port 547 of all servers. Without a link-local address, which another station may have taken, it is dropped and counted.</summary>
    /// <param name="message">Up to <see cref="Dhcp6.MaxLength"/> bytes; copied.</param>
    public void Send(ReadOnlySpan<byte> message, Instant now)
    {
        var source = Interface.Addresses.FirstOrDefault(static own => own.Address.IsLinkLocal).Address;
        if (!source.IsLinkLocal)
        {
            _counters.IpOutNoRoutes++;
            return;
        }

        var length = UdpHeader.Length + message.Length;
        var packet = _ip.Pool.Rent(length, BufferPool.HeaderRoom);
        message.CopyTo(packet.Append(length)[UdpHeader.Length..]);
        new UdpHeader(Dhcp6.ClientPort, Dhcp6.ServerPort, (ushort)message.Length).Emit(packet.Span);
        _counters.UdpOutDatagrams++;
        var info = new IpSendInfo { Source = source, Destination = Dhcp6.Servers, Protocol = IpProtocol.Udp, HopLimit = HopLimit, ChecksumOffset = UdpHeader.ChecksumOffset, Reach = GroupReach.Link };
        _ip.Send(packet, info, now);
    }

    /// <inheritdoc/>
    public override void Close()
    {
        if (Interface.Dhcp6 == this)
            Interface.Dhcp6 = null;
        base.Close();
    }

    /// <summary>Takes a packet over if it is a datagram for a DHCPv6 client.</summary>
    /// <param name="packet">Begins with its UDP header.</param>
    /// <returns>False: it is another one, and stays the caller's.</returns>
    internal bool TryTake(PacketBuffer packet, in IpReceiveInfo info)
    {
        var datagram = packet.Span;
        if (info.ToGroup || !info.Destination.IsLinkLocal || !UdpView.TryParse(datagram, out var udp) || udp.DestinationPort != Dhcp6.ClientPort || udp.SourcePort != Dhcp6.ServerPort)
            return false;
        if (udp.Length < UdpHeader.Length || udp.Length > datagram.Length)
            _counters.UdpInBadLength++;
        else if (!HasValidChecksum(packet, info, datagram[..udp.Length], udp.Checksum))
            _counters.UdpInCsumErrors++;
        else
            Take(datagram[UdpHeader.Length..udp.Length], info.Source);
        packet.Release();
        return true;
    }
}
