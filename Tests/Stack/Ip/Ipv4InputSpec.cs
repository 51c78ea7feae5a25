using Tapwire.Stack.Buffers;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Interfaces;
using Tapwire.Stack.Packets;
using Tapwire.Tests.Support;
using Xunit;

namespace Tapwire.Tests.Stack.Ip;

public sealed class Ipv4InputSpec : IDisposable
{
    private const byte Unknown = 99;

    private readonly StackHarness _h = new();

    public Ipv4InputSpec() => _h.TeachPeer();

    public void Dispose() => _h.Dispose();

    [Fact]
    public void Packets_shorter_than_a_header_are_dropped()
    {
        var good = Echo();
        for (var length = EthernetHeader.Length; length < EthernetHeader.Length + Ipv4Header.Length; length++)
            _h.Receive(good.AsSpan(0, length));
        Assert.Equal(Ipv4Header.Length, _h.Counters.IpInTruncated);
        _h.Silent();
    }

    [Fact]
    public void A_frame_cut_anywhere_is_dropped()
    {
        var good = Echo(100);
        for (var length = EthernetHeader.Length + Ipv4Header.Length; length < good.Length; length++)
            _h.Receive(good.AsSpan(0, length));
        _h.Silent();
        Assert.Equal(good.Length - EthernetHeader.Length - Ipv4Header.Length, _h.Counters.IpInBadLength);
    }

    [Theory]
    [InlineData(0x05)]
    [InlineData(0x55)]
    [InlineData(0x65)]
    [InlineData(0xF5)]
    public void Another_version_is_dropped(byte first)
    {
        _h.Receive(Build.Altered(Echo(), p => p[0] = first));
        _h.Silent();
        Assert.Equal(1, _h.Counters.IpInBadVersion);
    }

    [Fact]
    public void A_header_length_below_five_words_or_beyond_the_packet_is_dropped()
    {
        for (byte words = 0; words < 5; words++)
            _h.Receive(Build.Altered(Echo(), p => p[0] = (byte)(0x40 | words)));
        _h.Receive(Build.Altered(Echo(), p => p[0] = 0x4F));
        _h.Silent();
        Assert.Equal(6, _h.Counters.IpInBadHeaderLength);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(19)]
    [InlineData(30)]
    [InlineData(65535)]
    public void A_total_length_below_the_header_or_beyond_the_frame_is_dropped(int length)
    {
        _h.Receive(Build.Altered(Echo(), p => (p[2], p[3]) = ((byte)(length >> 8), (byte)length)));
        _h.Silent();
        Assert.Equal(1, _h.Counters.IpInBadLength);
    }

    [Fact]
    public void Every_single_bit_error_in_the_header_is_noticed()
    {
        for (var bit = 0; bit < Ipv4Header.Length * 8; bit++)
        {
            var frame = Echo();
            frame[EthernetHeader.Length + bit / 8] ^= (byte)(1 << (bit % 8));
            _h.Receive(frame);
        }

        _h.Silent();
        Assert.Equal(0, _h.Counters.IpInDelivers);
    }

    [Fact]
    public void Link_padding_is_cut_off()
    {
        var frame = Echo(2);
        var reply = _h.Exchange([.. frame, .. Enumerable.Repeat((byte)0xEE, 16)]);
        Assert.Equal(frame.Length, reply.Length);
    }

    [Theory]
    [InlineData("0.0.0.0")]
    [InlineData("0.1.2.3")]
    [InlineData("127.0.0.1")]
    [InlineData("224.0.0.1")]
    [InlineData("240.0.0.1")]
    [InlineData("255.255.255.255")]
    [InlineData("10.0.0.255")]
    public void Sources_that_no_host_can_have_are_dropped(string source)
    {
        _h.Receive(Build.Icmp(Icmpv4Header.EchoRequest(1, 1), [], source: IpAddress.Parse(source)));
        _h.Silent();
        Assert.Equal(1, _h.Counters.IpInMartianSource);
    }

    [Fact]
    public void A_packet_from_our_own_address_is_dropped()
    {
        _h.Receive(Build.Icmp(Icmpv4Header.EchoRequest(1, 1), [], source: StackHarness.OwnIp));
        _h.Silent();
        Assert.Equal(1, _h.Counters.IpInOwnSource);
    }

    [Theory]
    [InlineData("0.0.0.0")]
    [InlineData("127.0.0.1")]
    [InlineData("240.0.0.1")]
    public void Destinations_that_are_nobodys_are_dropped(string destination)
    {
        _h.Receive(Build.Icmp(Icmpv4Header.EchoRequest(1, 1), [], destination: IpAddress.Parse(destination)));
        _h.Silent();
        Assert.Equal(1, _h.Counters.IpInMartianDestination);
    }

    [Theory]
    [InlineData("10.0.0.3")]
    [InlineData("192.168.1.1")]
    [InlineData("239.1.2.3")]
    public void Packets_to_other_hosts_and_groups_are_not_ours(string destination)
    {
        _h.Receive(Build.Icmp(Icmpv4Header.EchoRequest(1, 1), [], destination: IpAddress.Parse(destination)));
        _h.Silent();
        Assert.Equal(1, _h.Counters.IpInAddrErrors);
    }

    [Fact]
    public void A_unicast_packet_in_a_broadcast_frame_is_dropped()
    {
        _h.Receive(Build.Icmp(Icmpv4Header.EchoRequest(1, 1), [], to: MacAddress.Broadcast));
        _h.Silent();
        Assert.Equal(1, _h.Counters.IpInLinkBroadcast);
    }

    [Theory]
    [InlineData(0x20, 0x00)]
    [InlineData(0x00, 0x01)]
    [InlineData(0x1F, 0xF0)]
    public void A_fragment_alone_is_not_delivered(byte high, byte low)
    {
        _h.Receive(Build.Altered(Echo(8), p => (p[6], p[7]) = (high, low)));
        _h.Silent();
        Assert.Equal((1, 0, 0), (_h.Counters.IpReasmReqds, _h.Counters.IpReasmMalformed, _h.Counters.IpInDelivers));
    }

    [Fact]
    public void An_unknown_protocol_is_answered_with_protocol_unreachable()
    {
        var frame = Build.Ipv4(Unknown, new byte[] { 1, 2, 3, 4, 5, 6, 7, 8, 9 });
        var error = _h.Exchange(frame);
        Assert.Equal((Icmpv4Type.DestinationUnreachable, Icmpv4Unreachable.Protocol), (error[34], error[35]));
        Assert.Equal(frame[EthernetHeader.Length..], error[42..]);
        Assert.Equal(1, _h.Counters.IpInUnknownProtos);
        Assert.Equal(0xFFFFu, Checksum.Sum(error.AsSpan(34)));
    }

    [Fact]
    public void No_error_answers_a_packet_to_a_group()
    {
        _h.Receive(Build.Ipv4(Unknown, new byte[9], destination: IpAddress.BroadcastV4, to: MacAddress.Broadcast));
        _h.Receive(Build.Ipv4(Unknown, new byte[9], destination: IpAddress.Parse("10.0.0.255"), to: MacAddress.Broadcast));
        _h.Receive(Build.Ipv4(Unknown, new byte[9], destination: IpAddress.Parse("224.0.0.1"), to: new MacAddress(0x0100_5E00_0001)));
        _h.Silent();
        Assert.Equal(3, _h.Counters.IpInUnknownProtos);
    }

    [Theory]
    [InlineData("01010101")]
    [InlineData("00000000")]
    [InlineData("0100FFFF")]
    [InlineData("44040500")]
    [InlineData("0703040007030400")]
    [InlineData("94040000")]
    public void Options_that_are_well_formed_are_skipped(string options)
    {
        var reply = _h.Exchange(WithOptions(options));
        Assert.Equal(0x45, reply[EthernetHeader.Length]);
        Assert.Equal(Icmpv4Type.EchoReply, reply[34]);
    }

    [Theory]
    [InlineData("44000000")]
    [InlineData("44010000")]
    [InlineData("44050000")]
    [InlineData("01010144")]
    [InlineData("01014407")]
    [InlineData("44FF0000")]
    public void Options_that_are_short_or_overrun_are_dropped(string options)
    {
        _h.Receive(WithOptions(options));
        _h.Silent();
        Assert.Equal(1, _h.Counters.IpInBadOptions);
        Assert.Equal(0, _h.Counters.IcmpInEchos);
    }

    [Fact]
    public void A_bad_option_of_something_other_than_icmp_is_reported_with_its_place()
    {
        var error = _h.Exchange(Build.Ipv4WithOptions(IpProtocol.Udp, [1, 1, 0x44, 1], new byte[8]));
        Assert.Equal((Icmpv4Type.ParameterProblem, 0, 22), (error[34], error[35], error[38]));
    }

    [Theory]
    [InlineData("83070400000000")]
    [InlineData("89070400000000")]
    public void Source_routes_are_refused(string options)
    {
        _h.Receive(WithOptions(options + "00"));
        _h.Silent();
        Assert.Equal(1, _h.Counters.IpInSourceRoute);
    }

    private static byte[] Echo(int bytes = 1) => Build.Icmp(Icmpv4Header.EchoRequest(1, 1), new byte[bytes]);

    private static byte[] WithOptions(string options) =>
        Build.Ipv4WithOptions(IpProtocol.Icmp, Convert.FromHexString(options), Echo().AsSpan(34));
}
