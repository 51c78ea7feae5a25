using System.Buffers.Binary;
using Tapwire.Stack;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Interfaces;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Packets;

namespace Tapwire.Tests.Support;

/// <summary>Makes IPv6 frames from the peer to the stack of a <see cref="StackHarness"/>.</summary>
public static class BuildV6
{
    public static readonly IpAddress Own = IpAddress.Parse("fd00::1");
    public static readonly IpAddress Peer = IpAddress.Parse("fd00::2");

    /// <summary>A stack with <see cref="Own"/>, unique and announced, which knows the peer's hardware address.</summary>
    public static StackHarness Harness()
    {
        var h = new StackHarness();
        Add(h, "fd00::1/64");
        h.Advance(TimeSpan.FromSeconds(3));
        h.Frames();
        h.Exchange(Solicitation(Own));
        return h;
    }

    public static void Add(StackHarness h, string prefix) => Xunit.Assert.Equal(StackError.None, h.Stack.AddAddress(h.Stack.Interfaces[0], IpPrefix.Parse(prefix), h.Now));

    /// <param name="nextHeader">What <paramref name="payload"/> begins with.</param>
    public static byte[] Packet(byte nextHeader, ReadOnlySpan<byte> payload, IpAddress? source = null, IpAddress? destination = null, MacAddress? to = null, byte hopLimit = 64)
    {
        var packet = new byte[Ipv6Header.Length + payload.Length];
        var receiver = destination ?? Own;
        new Ipv6Header
        {
            Source = source ?? Peer,
            Destination = receiver,
            NextHeader = nextHeader,
            HopLimit = hopLimit,
            PayloadLength = (ushort)payload.Length,
        }.Emit(packet);
        payload.CopyTo(packet.AsSpan(Ipv6Header.Length));
        return Build.Ethernet(EtherType.Ipv6, packet, to ?? (receiver.IsMulticast ? MacAddress.OfGroup(receiver) : null));
    }

    /// <summary>A transport message with its checksum.</summary>
    public static byte[] Transport(byte protocol, byte[] message, int checksumAt, IpAddress? source = null, IpAddress? destination = null)
    {
        message.AsSpan(checksumAt, 2).Clear();
        var sum = Checksum.PseudoHeader(source ?? Peer, destination ?? Own, protocol, message.Length);
        BinaryPrimitives.WriteUInt16BigEndian(message.AsSpan(checksumAt), Checksum.Finish(Checksum.Sum(message, sum)));
        return message;
    }

    public static byte[] Icmp(Icmpv6Header header, ReadOnlySpan<byte> rest, IpAddress? source = null, IpAddress? destination = null, byte hopLimit = 64)
    {
        var message = new byte[Icmpv6Header.Length + rest.Length];
        header.Emit(message);
        rest.CopyTo(message.AsSpan(Icmpv6Header.Length));
        return Packet(IpProtocol.Icmpv6, Transport(IpProtocol.Icmpv6, message, Icmpv6Header.ChecksumOffset, source, destination), source, destination, hopLimit: hopLimit);
    }

    public static byte[] Echo(int payload = 0, IpAddress? source = null, IpAddress? destination = null) =>
        Icmp(Icmpv6Header.EchoRequest(7, 9), new byte[payload], source, destination);

    public static byte[] UdpDatagram(ushort from, ushort to, ReadOnlySpan<byte> payload)
    {
        var datagram = new byte[UdpHeader.Length + payload.Length];
        new UdpHeader(from, to, (ushort)payload.Length).Emit(datagram);
        payload.CopyTo(datagram.AsSpan(UdpHeader.Length));
        return Transport(IpProtocol.Udp, datagram, UdpHeader.ChecksumOffset);
    }

    public static byte[] Udp(ushort from, ushort to, ReadOnlySpan<byte> payload) => Packet(IpProtocol.Udp, UdpDatagram(from, to, payload));

    /// <summary>One of the peer's questions for an address of the stack's, with the peer's hardware address.</summary>
    public static byte[] Solicitation(IpAddress target, IpAddress? source = null, MacAddress? hardware = null, byte hopLimit = 255) =>
        Neighbor(new NeighborMessage(Icmpv6Type.NeighborSolicitation, 0, target), Option(NdpOption.SourceLinkLayerAddress, hardware ?? StackHarness.PeerMac), source, target.SolicitedNode, hopLimit);

    public static byte[] Advertisement(IpAddress target, byte flags, MacAddress? hardware = null, IpAddress? destination = null, byte hopLimit = 255) =>
        Neighbor(new NeighborMessage(Icmpv6Type.NeighborAdvertisement, flags, target), Option(NdpOption.TargetLinkLayerAddress, hardware ?? StackHarness.PeerMac), target, destination, hopLimit);

    public static byte[] Neighbor(NeighborMessage message, byte[] options, IpAddress? source = null, IpAddress? destination = null, byte hopLimit = 255)
    {
        var bytes = new byte[NeighborMessage.Length + options.Length];
        message.Emit(bytes);
        options.CopyTo(bytes, NeighborMessage.Length);
        return Packet(IpProtocol.Icmpv6, Transport(IpProtocol.Icmpv6, bytes, Icmpv6Header.ChecksumOffset, source, destination), source, destination, hopLimit: hopLimit);
    }

    public static byte[] Option(byte type, MacAddress hardware)
    {
        var option = new byte[NdpOption.ShortLength];
        NdpOption.Emit(option, type, hardware);
        return option;
    }

    /// <summary>A fragment of the fragmentable part of a packet from the peer.</summary>
    public static byte[] Fragment(byte protocol, uint identification, ReadOnlySpan<byte> part, int offset, bool more, IpAddress? source = null)
    {
        var payload = new byte[Ipv6FragmentHeader.Length + part.Length];
        new Ipv6FragmentHeader(protocol, offset, more, identification).Emit(payload);
        part.CopyTo(payload.AsSpan(Ipv6FragmentHeader.Length));
        return Packet(Ipv6Extension.Fragment, payload, source);
    }

    /// <summary>The IP packet in a frame: its header, and what follows.</summary>
    public static (Ipv6Header Header, byte[] Payload) Read(byte[] frame)
    {
        Xunit.Assert.True(Ipv6View.TryParse(frame.AsSpan(EthernetHeader.Length), out var view));
        Xunit.Assert.Equal(6, view.Version);
        Xunit.Assert.Equal(frame.Length, EthernetHeader.Length + Ipv6Header.Length + view.PayloadLength);
        return (view.ToHeader(), frame[(EthernetHeader.Length + Ipv6Header.Length)..]);
    }

    /// <summary>The ICMPv6 message in a frame, whose checksum is right.</summary>
    public static (Ipv6Header Header, byte[] Message) ReadIcmp(byte[] frame)
    {
        var (header, message) = Read(frame);
        Xunit.Assert.Equal(IpProtocol.Icmpv6, header.NextHeader);
        Xunit.Assert.Equal(0xFFFFu, Checksum.Sum(message, Checksum.PseudoHeader(header.Source, header.Destination, IpProtocol.Icmpv6, message.Length)));
        return (header, message);
    }
}
