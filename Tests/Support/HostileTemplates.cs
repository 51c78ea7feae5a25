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
