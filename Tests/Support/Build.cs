using System.Buffers.Binary;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Interfaces;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Packets;

namespace Tapwire.Tests.Support;

/// <summary>Makes frames from the peer to the stack of a <see cref="StackHarness"/>; a spec changes what it is about.</summary>
public static class Build
{
    public static byte[] Ethernet(ushort type, ReadOnlySpan<byte> payload, MacAddress? to = null, MacAddress? from = null)
    {
        var frame = new byte[EthernetHeader.Length + payload.Length];
        new EthernetHeader(to ?? StackHarness.OwnMac, from ?? StackHarness.PeerMac, type).Emit(frame);
        payload.CopyTo(frame.AsSpan(EthernetHeader.Length));
        return frame;
    }

    public static byte[] Arp(ArpPacket packet, MacAddress? to = null)
    {
        var bytes = new byte[ArpPacket.Length];
        packet.Emit(bytes);
        return Ethernet(EtherType.Arp, bytes, to, packet.SenderHardware);
    }

    public static byte[] Ipv4(
        byte protocol, ReadOnlySpan<byte> payload, IpAddress? source = null, IpAddress? destination = null, MacAddress? to = null, byte hopLimit = 64)
    {
        var packet = new byte[Ipv4Header.Length + payload.Length];
        new Ipv4Header
        {
            Source = source ?? StackHarness.PeerIp,
            Destination = destination ?? StackHarness.OwnIp,
            Protocol = protocol,
            HopLimit = hopLimit,
            PayloadLength = (ushort)payload.Length,
        }.Emit(packet);
        payload.CopyTo(packet.AsSpan(Ipv4Header.Length));
        return Ethernet(EtherType.Ipv4, packet, to);
    }

    public static byte[] Icmp(Icmpv4Header header, ReadOnlySpan<byte> rest, IpAddress? source = null, IpAddress? destination = null, MacAddress? to = null)
    {
        var message = new byte[Icmpv4Header.Length + rest.Length];
        rest.CopyTo(message.AsSpan(Icmpv4Header.Length));
        header.Emit(message);
        return Ipv4(IpProtocol.Icmp, message, source, destination, to);
    }

    public static byte[] Udp(
        ushort sourcePort, ushort destinationPort, ReadOnlySpan<byte> payload, IpAddress? source = null, IpAddress? destination = null,
        MacAddress? to = null)
    {
        var datagram = new byte[UdpHeader.Length + payload.Length];
        new UdpHeader(sourcePort, destinationPort, (ushort)payload.Length).Emit(datagram);
        payload.CopyTo(datagram.AsSpan(UdpHeader.Length));
        var sum = Checksum.PseudoHeader(
            source ?? StackHarness.PeerIp, destination ?? StackHarness.OwnIp, IpProtocol.Udp, datagram.Length);
        BinaryPrimitives.WriteUInt16BigEndian(datagram.AsSpan(UdpHeader.ChecksumOffset), Checksum.Finish(Checksum.Sum(datagram, sum)));
        return Ipv4(IpProtocol.Udp, datagram, source, destination, to);
    }

    /// <summary>Lays an IPv4 header with options round a payload.</summary>
    public static byte[] Ipv4WithOptions(byte protocol, byte[] options, ReadOnlySpan<byte> payload)
    {
        var packet = new byte[Ipv4Header.Length + options.Length + payload.Length];
        new Ipv4Header
        {
            Source = StackHarness.PeerIp,
            Destination = StackHarness.OwnIp,
            Protocol = protocol,
            HopLimit = 64,
            PayloadLength = (ushort)(options.Length + payload.Length),
        }.Emit(packet);
        packet[0] = (byte)(0x40 | ((Ipv4Header.Length + options.Length) / 4));
        options.CopyTo(packet.AsSpan(Ipv4Header.Length));
        payload.CopyTo(packet.AsSpan(Ipv4Header.Length + options.Length));
        return Ethernet(EtherType.Ipv4, WithHeaderChecksum(packet));
    }

    /// <summary>Changes a frame's IPv4 header and makes its checksum right again.</summary>
    public static byte[] Altered(byte[] frame, Action<byte[]> change)
    {
        var packet = frame[EthernetHeader.Length..];
        change(packet);
        WithHeaderChecksum(packet).CopyTo(frame, EthernetHeader.Length);
        return frame;
    }

    private static byte[] WithHeaderChecksum(byte[] packet)
    {
        var header = packet.AsSpan(0, Math.Min(packet.Length, (packet[0] & 15) * 4));
        if (header.Length >= Ipv4Header.Length)
        {
            header[10..12].Clear();
            BinaryPrimitives.WriteUInt16BigEndian(header[10..], Checksum.Finish(Checksum.Sum(header)));
        }

        return packet;
    }
}
