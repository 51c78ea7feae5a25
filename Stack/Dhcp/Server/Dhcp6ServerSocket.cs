using Tapwire.Stack.Buffers;
using Tapwire.Stack.Dhcp.V6;
using Tapwire.Stack.Interfaces;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Packets;

namespace Tapwire.Stack.Dhcp.Server;

/// <summary>UDP port 547 of one interface, for its DHCPv6 server: it receives what stations of the link send to all servers, whose group the interface is in (RFC 8415, 7). Event: Readable.</summary>
public sealed class Dhcp6ServerSocket : DhcpPort
{
    private const byte HopLimit = 64;

    private readonly IpLayer _ip;
    private readonly StackCounters _counters;
    private readonly Action _leave;

    /// <param name="leave">Leaves the group.</param>
    internal Dhcp6ServerSocket(NetworkInterface on, IpLayer ip, SocketEventQueue events, StackCounters counters, Action leave)
        : base(on, Dhcp6.MaxLength, events, counters)
    {
        _ip = ip;
        _counters = counters;
        _leave = leave;
    }

    /// <summary>Sends a message to port 546 of a station. Without a link-local address, which another station may have taken, it is dropped and counted.</summary>
    /// <param name="message">Up to <see cref="Dhcp6.MaxLength"/> bytes; copied.</param>
    /// <param name="destination">A link-local address.</param>
    public void Send(ReadOnlySpan<byte> message, IpAddress destination, Instant now)
    {
        var source = Interface.Addresses.FirstOrDefault(static own => own.Address.IsLinkLocal).Address;
        if (!source.IsLinkLocal || !destination.IsLinkLocal)
        {
            _counters.IpOutNoRoutes++;
            return;
        }

        var length = UdpHeader.Length + message.Length;
        var packet = _ip.Pool.Rent(length, BufferPool.HeaderRoom);
        message.CopyTo(packet.Append(length)[UdpHeader.Length..]);
        new UdpHeader(Dhcp6.ServerPort, Dhcp6.ClientPort, (ushort)message.Length).Emit(packet.Span);
        _counters.UdpOutDatagrams++;
        _ip.Send(packet, new IpSendInfo { Source = source, Destination = destination, Protocol = IpProtocol.Udp, HopLimit = HopLimit, ChecksumOffset = UdpHeader.ChecksumOffset }, now);
    }

    /// <inheritdoc/>
    public override void Close()
    {
        if (Interface.Dhcp6Server == this)
        {
            Interface.Dhcp6Server = null;
            _leave();
        }

        base.Close();
    }

    /// <summary>Takes a packet over if it is a datagram for a DHCPv6 server.</summary>
    /// <param name="packet">Begins with its UDP header.</param>
    /// <returns>False: it is another one, and stays the caller's.</returns>
    internal bool TryTake(PacketBuffer packet, in IpReceiveInfo info)
    {
        var datagram = packet.Span;
        if ((info.ToGroup ? info.Destination != Dhcp6.Servers : !info.Destination.IsLinkLocal) || !UdpView.TryParse(datagram, out var udp) || udp.DestinationPort != Dhcp6.ServerPort
            || udp.SourcePort != Dhcp6.ClientPort)
            return false;
        if (!info.Source.IsLinkLocal)
            _counters.IpInMartianSource++;
        else if (udp.Length < UdpHeader.Length || udp.Length > datagram.Length)
            _counters.UdpInBadLength++;
        else if (!HasValidChecksum(packet, info, datagram[..udp.Length], udp.Checksum))
            _counters.UdpInCsumErrors++;
        else
            Take(datagram[UdpHeader.Length..udp.Length], info.Source);
        packet.Release();
        return true;
    }
}
