using System.Buffers.Binary;
using Tapwire.Stack;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Interfaces;
using Tapwire.Stack.Packets;
using Tapwire.Tests.Support;
using Xunit;

namespace Tapwire.Tests.Stack.Ip;

/// <summary>IPv6 packets off the wire (RFC 8200), and ICMPv6 (RFC 4443).</summary>
public sealed class Ipv6InputSpec : IDisposable
{
    private readonly StackHarness _h = BuildV6.Harness();

    public void Dispose() => _h.Dispose();

    [Fact]
    public void An_echo_request_is_answered()
    {
        var (header, message) = BuildV6.ReadIcmp(_h.Exchange(BuildV6.Echo(100)));
        Assert.Equal((BuildV6.Own, BuildV6.Peer), (header.Source, header.Destination));
        Assert.Equal((Icmpv6Type.EchoReply, 7, 9, 108), (message[0], message[5], message[7], message.Length));
    }

    [Fact]
    public void An_echo_request_to_all_nodes_is_answered_from_an_own_address_and_one_to_another_group_is_not()
    {
        var (header, _) = BuildV6.ReadIcmp(_h.Exchange(BuildV6.Echo(destination: IpAddress.AllNodes)));
        Assert.Equal(BuildV6.Own, header.Source);
        _h.Receive(BuildV6.Echo(destination: BuildV6.Own.SolicitedNode));
        _h.Receive(BuildV6.Echo(destination: IpAddress.Parse("ff02::fb")));
        _h.Silent();
        Assert.Equal((1, 1), (_h.Counters.IcmpInGroupIgnored, _h.Counters.IpInAddrErrors));
    }

    [Fact]
    public void A_frame_cut_anywhere_is_dropped()
    {
        var good = BuildV6.Echo(100);
        for (var length = EthernetHeader.Length; length < good.Length; length++)
            _h.Receive(good.AsSpan(0, length));
        _h.Silent();
        Assert.Equal((40, 108), (_h.Counters.IpInTruncated, _h.Counters.IpInBadLength));
    }

    [Fact]
    public void Padding_behind_the_packet_is_no_part_of_it()
    {
        var (_, message) = BuildV6.ReadIcmp(_h.Exchange([.. BuildV6.Echo(), 1, 2, 3, 4]));
        Assert.Equal(8, message.Length);
    }

    [Theory]
    [InlineData("::", "IpInMartianSource")]
    [InlineData("::1", "IpInMartianSource")]
    [InlineData("ff02::1", "IpInMartianSource")]
    [InlineData("::ffff:10.0.0.2", "IpInMartianSource")]
    [InlineData("fd00::1", "IpInOwnSource")]
    public void A_source_that_no_packet_may_have_is_dropped(string source, string counter)
    {
        // ::ffff:10.0.0.2 is an IPv4 address to this stack, so it is put into the packet by hand.
        var frame = BuildV6.Echo(source: IpAddress.Parse("fd00::9"));
        System.Net.IPAddress.Parse(source).GetAddressBytes().CopyTo(frame, EthernetHeader.Length + Ipv6Field.Source);
        Tampering.Repair(frame);
        _h.Receive(frame);
        _h.Silent();
        Assert.Equal(1, _h.Counters.All().Single(c => c.Name == counter).Value);
    }

    [Theory]
    [InlineData("::", "IpInMartianDestination")]
    [InlineData("::1", "IpInMartianDestination")]
    [InlineData("::ffff:10.0.0.1", "IpInMartianDestination")]
    [InlineData("fd00::9", "IpInAddrErrors")]
    [InlineData("ff05::1", "IpInAddrErrors")]
    public void A_destination_that_is_not_ours_is_dropped(string destination, string counter)
    {
        var frame = BuildV6.Echo();
        System.Net.IPAddress.Parse(destination).GetAddressBytes().CopyTo(frame, EthernetHeader.Length + Ipv6Field.Destination);
        Tampering.Repair(frame);
        _h.Receive(frame);
        _h.Silent();
        Assert.Equal(1, _h.Counters.All().Single(c => c.Name == counter).Value);
    }

    [Fact]
    public void A_unicast_packet_in_a_frame_for_many_is_dropped()
    {
        _h.Receive(BuildV6.Packet(IpProtocol.Udp, BuildV6.UdpDatagram(1, 2, [3]), to: MacAddress.Broadcast));
        _h.Silent();
        Assert.Equal(1, _h.Counters.IpInLinkBroadcast);
    }

    [Fact]
    public void An_unknown_protocol_is_refused_with_the_place_that_names_it()
    {
        var (header, message) = BuildV6.ReadIcmp(_h.Exchange(BuildV6.Packet(60, Convert.FromHexString("6300010400000000AABBCCDD"))));
        Assert.Equal((BuildV6.Own, BuildV6.Peer), (header.Source, header.Destination));
        Assert.Equal((Icmpv6Type.ParameterProblem, Icmpv6ParameterProblem.NextHeader, 40u), (message[0], message[1], BinaryPrimitives.ReadUInt32BigEndian(message.AsSpan(4))));
        Assert.Equal(8 + 40 + 12, message.Length); // all of the packet is quoted
    }

    [Theory]
    [InlineData("1100820400000000", false, true)]
    [InlineData("1100820400000000", true, true)]
    [InlineData("1100C20400000000", false, true)]
    [InlineData("1100C20400000000", true, false)]
    [InlineData("1100420400000000", false, false)]
    public void An_unknown_option_is_handled_as_its_type_says(string header, bool toGroup, bool isReported)
    {
        _h.Receive(BuildV6.Packet(60, [.. Convert.FromHexString(header), .. new byte[8]], destination: toGroup ? IpAddress.AllNodes : null));
        if (!isReported)
        {
            _h.Silent();
            return;
        }

        var (_, message) = BuildV6.ReadIcmp(_h.Single());
        Assert.Equal((Icmpv6Type.ParameterProblem, Icmpv6ParameterProblem.Option, 42u), (message[0], message[1], BinaryPrimitives.ReadUInt32BigEndian(message.AsSpan(4))));
    }

    [Fact]
    public void A_packet_with_nothing_behind_its_header_is_dropped_in_silence()
    {
        _h.Receive(BuildV6.Packet(Ipv6Extension.NoNextHeader, [1, 2, 3]));
        _h.Silent();
    }

    [Fact]
    public void A_datagram_behind_options_arrives()
    {
        Assert.Equal(StackError.None, _h.Stack.Udp.Bind(new IpEndpoint(default, 53), new(), out var socket));
        _h.Receive(BuildV6.Packet(0, [.. Convert.FromHexString("1100050200000100"), .. BuildV6.UdpDatagram(4000, 53, [1, 2, 3])]));
        Assert.True(socket!.TryReceive(out var payload, out var from));
        Assert.Equal(new IpEndpoint(BuildV6.Peer, 4000), from);
        Assert.Equal([1, 2, 3], payload.Span.ToArray());
        payload.Release();
    }

    [Fact]
    public void A_datagram_without_a_checksum_is_dropped()
    {
        Assert.Equal(StackError.None, _h.Stack.Udp.Bind(new IpEndpoint(default, 53), new(), out _));
        var datagram = BuildV6.UdpDatagram(4000, 53, [1, 2, 3]);
        datagram.AsSpan(UdpHeader.ChecksumOffset, 2).Clear();
        _h.Receive(BuildV6.Packet(IpProtocol.Udp, datagram));
        Assert.Equal(1, _h.Counters.UdpInCsumErrors);
    }

    [Fact]
    public void A_datagram_to_a_closed_port_is_refused()
    {
        var (_, message) = BuildV6.ReadIcmp(_h.Exchange(BuildV6.Udp(4000, 53, [1, 2, 3])));
        Assert.Equal((Icmpv6Type.DestinationUnreachable, Icmpv6Unreachable.Port), (message[0], message[1]));
    }

    [Fact]
    public void A_long_packet_is_quoted_as_far_as_the_least_MTU_goes()
    {
        var frame = _h.Exchange(BuildV6.Udp(4000, 53, new byte[1400]));
        Assert.Equal(EthernetHeader.Length + 1280, frame.Length);
    }

    [Theory]
    [InlineData(Icmpv6Type.DestinationUnreachable, 0, 0u, StackError.NetworkUnreachable)]
    [InlineData(Icmpv6Type.DestinationUnreachable, 1, 0u, StackError.AccessDenied)]
    [InlineData(Icmpv6Type.DestinationUnreachable, 3, 0u, StackError.HostUnreachable)]
    [InlineData(Icmpv6Type.DestinationUnreachable, 4, 0u, StackError.ConnectionRefused)]
    [InlineData(Icmpv6Type.PacketTooBig, 0, 1300u, StackError.MessageTooLong)]
    [InlineData(Icmpv6Type.ParameterProblem, 1, 6u, StackError.ProtocolError)]
    [InlineData(Icmpv6Type.PacketTooBig, 0, 1279u, StackError.None)]
    [InlineData(Icmpv6Type.DestinationUnreachable, 99, 0u, StackError.None)]
    public void An_error_reaches_the_socket_whose_datagram_it_quotes(byte type, byte code, uint rest, StackError expected)
    {
        Assert.Equal(StackError.None, _h.Stack.Udp.Bind(default, new(), out var socket));
        Assert.Equal(StackError.None, socket!.Connect(new IpEndpoint(BuildV6.Peer, 4000)));
        Assert.Equal(StackError.None, socket.Send(_h.Payload(1, 2, 3), null, _h.Now));
        var sent = _h.Single()[EthernetHeader.Length..];
        _h.Receive(BuildV6.Icmp(new Icmpv6Header(type, code, rest), sent, source: IpAddress.Parse("fd00::fe")));
        Assert.Equal(expected, socket.TakeError());
        _h.Receive(BuildV6.Icmp(new Icmpv6Header(type, code, rest), sent.AsSpan(0, 47), source: IpAddress.Parse("fd00::fe")));
        Assert.Equal(StackError.None, socket.TakeError());
    }

    [Fact]
    public void A_ping_of_ours_is_answered_and_refused()
    {
        Assert.Equal(StackError.None, _h.Stack.Icmp.Open(out var ping));
        Assert.Equal(StackError.None, ping!.Send(BuildV6.Peer, 3, [1, 2, 3, 4], _h.Now));
        var request = _h.Single();
        var (_, message) = BuildV6.ReadIcmp(request);
        Assert.Equal(Icmpv6Type.EchoRequest, message[0]);
        _h.Receive(BuildV6.Icmp(Icmpv6Header.EchoReply(ping.Identifier, 3), [1, 2, 3, 4]));
        Assert.True(ping.TryReceive(out var result));
        Assert.Equal((BuildV6.Peer, StackError.None, 4), (result.From, result.Error, result.Bytes));
        Assert.Equal(StackError.None, ping.Send(BuildV6.Peer, 4, [1, 2, 3, 4], _h.Now));
        _h.Receive(BuildV6.Icmp(new Icmpv6Header(Icmpv6Type.TimeExceeded, 0, 0), _h.Single()[EthernetHeader.Length..], source: IpAddress.Parse("fd00::fe")));
        Assert.True(ping.TryReceive(out result));
        Assert.Equal((IpAddress.Parse("fd00::fe"), StackError.HostUnreachable), (result.From, result.Error));
    }

    [Fact]
    public void The_least_device_of_IPv6_is_one_of_1280_bytes()
    {
        using var h = new StackHarness(new StackOptions { Interfaces = [new() { HardwareAddress = StackHarness.OwnMac, Mtu = 1279 }] });
        Assert.Equal(StackError.AddressFamilyNotSupported, h.Stack.AddAddress(h.Stack.Interfaces[0], IpPrefix.Parse("fd00::1/64"), h.Now));
    }

    [Theory]
    [InlineData("::/64")]
    [InlineData("::1/128")]
    [InlineData("ff02::1/64")]
    public void No_host_has_such_an_address(string prefix) =>
        Assert.Equal(StackError.InvalidArgument, _h.Stack.AddAddress(_h.Stack.Interfaces[0], IpPrefix.Parse(prefix), _h.Now));

    [Fact]
    public void A_default_route_of_one_family_is_none_of_the_other()
    {
        Assert.Equal(StackError.None, _h.Stack.AddRoute(IpPrefix.Parse("::/0"), BuildV6.Peer));
        Assert.Equal(StackError.InvalidArgument, _h.Stack.AddRoute(IpPrefix.Parse("::/0"), StackHarness.PeerIp));
        Assert.Equal(StackError.None, _h.Stack.Udp.Bind(default, new(), out var socket));
        Assert.Equal(StackError.None, socket!.Send(_h.Payload(1), new IpEndpoint(IpAddress.Parse("2001:db8::1"), 9), _h.Now));
        Assert.Equal(BuildV6.Own, BuildV6.Read(_h.Single()).Header.Source);
        Assert.Equal(StackError.NetworkUnreachable, socket.Send(_h.Payload(1), new IpEndpoint(IpAddress.Parse("192.0.2.1"), 9), _h.Now));
    }
}
