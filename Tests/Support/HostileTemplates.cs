using System.Buffers.Binary;
using Tapwire.Stack.Interfaces;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Packets;

namespace Tapwire.Tests.Support;

/// <summary>One frame of every kind from <see cref="StackHarness.PeerIp"/> to <see cref="StackHarness.OwnIp"/>, for others to be made of them.</summary>
internal static class HostileTemplates
{
    /// <param name="identifier">That of the receiver's echo socket.</param>
    public static List<byte[]> Make(ushort identifier)
    {
        var quote = new byte[28];
        new Ipv4Header { Source = StackHarness.OwnIp, Destination = StackHarness.PeerIp, Protocol = 6, HopLimit = 64, PayloadLength = 8 }.Emit(quote);
        return
        [
            Build.Arp(new ArpPacket(ArpOperation.Request, StackHarness.PeerMac, StackHarness.PeerIp, default, StackHarness.OwnIp), MacAddress.Broadcast),
            Build.Arp(new ArpPacket(ArpOperation.Reply, StackHarness.PeerMac, StackHarness.PeerIp, StackHarness.OwnMac, StackHarness.OwnIp)),
            Build.Icmp(Icmpv4Header.EchoRequest(1, 2), new byte[56]),
            Build.Icmp(Icmpv4Header.EchoReply(identifier, 1), [1, 2, 3]),
            Build.Icmp(Icmpv4Header.Unreachable(3), quote),
            Build.Icmp(Icmpv4Header.TooBig(576), quote),
            Build.Udp(4000, 53, new byte[20]),
            Build.Udp(4000, 54, new byte[20]),
            Build.Udp(4000, 55, new byte[20]),
            Build.Udp(67, 68, new byte[300], destination: IpAddress.BroadcastV4, to: MacAddress.Broadcast),
            Build.Ipv4WithOptions(IpProtocol.Udp, [7, 7, 4, 0, 0, 0, 0, 1], Build.Udp(4000, 53, new byte[4]).AsSpan(34)),
            Tcp(80, TcpFlags.Syn, [2, 4, 5, 0xB4, 4, 2, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0, 1, 3, 3, 7]),
            Tcp(80, TcpFlags.Ack, []),
            Tcp(80, TcpFlags.Ack | TcpFlags.Psh, [1, 1, 8, 10, 0, 0, 0, 2, 0, 0, 0, 1], 100),
            Tcp(80, TcpFlags.Fin | TcpFlags.Ack, []),
            Tcp(80, TcpFlags.Rst, []),
            Tcp(82, TcpFlags.Syn, [2, 4, 5, 0xB4]),
        ];
    }

    /// <summary>The same over IPv6, from <see cref="BuildV6.Peer"/> to <see cref="BuildV6.Own"/>.</summary>
    /// <inheritdoc cref="Make"/>
    public static List<byte[]> MakeV6(ushort identifier)
    {
        var quote = new byte[48];
        new Ipv6Header { Source = BuildV6.Own, Destination = BuildV6.Peer, NextHeader = 6, HopLimit = 64, PayloadLength = 8 }.Emit(quote);
        var datagram = BuildV6.UdpDatagram(4000, 53, new byte[40]);
        return
        [
            BuildV6.Solicitation(BuildV6.Own),
            BuildV6.Neighbor(new NeighborMessage(Icmpv6Type.NeighborSolicitation, 0, BuildV6.Own), BuildV6.Option(NdpOption.Nonce, default), IpAddress.Unspecified, BuildV6.Own.SolicitedNode),
            BuildV6.Advertisement(BuildV6.Peer, NeighborMessage.Solicited | NeighborMessage.Override),
            BuildV6.Advertisement(BuildV6.Own, NeighborMessage.Override, destination: IpAddress.AllNodes),
            BuildV6.Echo(56),
            BuildV6.Echo(destination: IpAddress.AllNodes),
            BuildV6.Icmp(Icmpv6Header.EchoReply(identifier, 1), [1, 2, 3]),
            BuildV6.Icmp(Icmpv6Header.Unreachable(4), quote),
            BuildV6.Icmp(Icmpv6Header.TooBig(1400), quote),
            BuildV6.Icmp(Icmpv6Header.TooBig(1000), quote),
            BuildV6.Icmp(new Icmpv6Header(Icmpv6Type.MulticastListenerQuery, 0, 1000u << 16), new byte[20], destination: IpAddress.AllNodes, hopLimit: 1),
            BuildV6.Packet(IpProtocol.Udp, datagram),
            BuildV6.Udp(4000, 54, new byte[20]),
            BuildV6.Udp(4000, 55, new byte[20]),
            BuildV6.Packet(0, [.. Convert.FromHexString("3C00050200000100" + "2B00010400000000" + "1100000000000000"), .. datagram]),
            BuildV6.Fragment(17, 1, datagram.AsSpan(0, 24), 0, true),
            BuildV6.Fragment(17, 1, datagram.AsSpan(24), 24, false),
            BuildV6.Fragment(17, 2, datagram, 0, false),
            TcpV6(80, TcpFlags.Syn, [2, 4, 5, 0xB4, 4, 2, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0, 1, 3, 3, 7]),
            TcpV6(80, TcpFlags.Ack, []),
            TcpV6(80, TcpFlags.Ack | TcpFlags.Psh, [1, 1, 8, 10, 0, 0, 0, 2, 0, 0, 0, 1], 100),
            TcpV6(80, TcpFlags.Rst, []),
            TcpV6(82, TcpFlags.Syn, [2, 4, 5, 0xB4]),
        ];
    }

    private static byte[] TcpV6(ushort port, TcpFlags flags, byte[] options, int payload = 0)
    {
        var frame = BuildV6.Packet(IpProtocol.Tcp, Tcp(port, flags, options, payload).AsSpan(EthernetHeader.Length + Ipv4Header.Length));
        Tampering.Repair(frame);
        return frame;
    }

    private static byte[] Tcp(ushort port, TcpFlags flags, byte[] options, int payload = 0)
    {
        var segment = new byte[20 + options.Length + payload];
        BinaryPrimitives.WriteUInt16BigEndian(segment, 4000);
        BinaryPrimitives.WriteUInt16BigEndian(segment.AsSpan(2), port);
        BinaryPrimitives.WriteUInt32BigEndian(segment.AsSpan(4), 1000);
        segment[12] = (byte)((20 + options.Length) / 4 << 4);
        segment[13] = (byte)flags;
        segment[14] = 0xFF;
        options.CopyTo(segment.AsSpan(20));
        var frame = Build.Ipv4(IpProtocol.Tcp, segment);
        Tampering.Repair(frame);
        return frame;
    }
}
