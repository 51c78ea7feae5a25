using Tapwire.Stack.Interfaces;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Packets;
using Xunit;

namespace Tapwire.Tests.Stack.Packets;

/// <summary>Each format with the bytes of a real packet, both ways; emitting starts from 0xA5, so that an unwritten byte shows.</summary>
public class HeaderSpec
{
    private delegate void Emitter(Span<byte> bytes);

    [Fact]
    public void An_ethernet_header_is_read_and_written()
    {
        var golden = Convert.FromHexString("02005e100001" + "0200000000ff" + "0806");
        var header = new EthernetHeader(MacAddress.Parse("02:00:5e:10:00:01"), MacAddress.Parse("02:00:00:00:00:ff"), EtherType.Arp);
        Assert.True(EthernetView.TryParse(golden, out var view));
        Assert.Equal(header, view.ToHeader());
        Assert.Equal(golden, Emitted(golden.Length, header.Emit));
        Assert.False(EthernetView.TryParse(golden.AsSpan(1), out _));
    }

    [Fact]
    public void An_arp_packet_is_read_and_written()
    {
        var golden = Convert.FromHexString("0001080006040002" + "02000000000a" + "0a630002" + "020000000b0c" + "0a630001");
        var packet = new ArpPacket(
            ArpOperation.Reply, MacAddress.Parse("02:00:00:00:00:0a"), IpAddress.Parse("10.99.0.2"),
            MacAddress.Parse("02:00:00:00:0b:0c"), IpAddress.Parse("10.99.0.1"));
        Assert.True(ArpView.TryParse(golden, out var view));
        Assert.True(view.IsEthernetIpv4);
        Assert.Equal(packet, view.ToPacket());
        Assert.Equal(golden, Emitted(golden.Length, packet.Emit));
        Assert.False(ArpView.TryParse(golden.AsSpan(1), out _));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(4)]
    [InlineData(5)]
    public void An_arp_packet_of_other_types_or_lengths_says_so(int offset)
    {
        var bytes = Convert.FromHexString("0001080006040002" + "02000000000a" + "0a630002" + "020000000b0c" + "0a630001");
        bytes[offset] ^= 1;
        Assert.True(ArpView.TryParse(bytes, out var view));
        Assert.False(view.IsEthernetIpv4);
    }

    [Fact]
    public void An_ipv4_header_is_read_and_written_with_its_checksum()
    {
        // The header of RFC 1071 tutorials: 192.168.0.1 to 192.168.0.199, UDP, 115 bytes.
        var golden = Convert.FromHexString("4500007300004000" + "4011b861" + "c0a80001" + "c0a800c7");
        var header = new Ipv4Header
        {
            Source = IpAddress.Parse("192.168.0.1"),
            Destination = IpAddress.Parse("192.168.0.199"),
            Protocol = IpProtocol.Udp,
            HopLimit = 64,
            DontFragment = true,
            PayloadLength = 95,
        };
        Assert.True(Ipv4View.TryParse(golden, out var view));
        Assert.Equal(4, view.Version);
        Assert.Equal(20, view.HeaderLength);
        Assert.Equal(115, view.TotalLength);
        Assert.Equal(0xb861, view.HeaderChecksum);
        Assert.False(view.IsFragment);
        Assert.Equal(header, view.ToHeader());
        Assert.Equal(golden, Emitted(golden.Length, header.Emit));
        Assert.False(Ipv4View.TryParse(golden.AsSpan(1), out _));
    }

    [Theory]
    [InlineData("2000", true, 0)]
    [InlineData("0001", true, 8)]
    [InlineData("1fff", true, 65528)]
    [InlineData("4000", false, 0)]
    [InlineData("8000", false, 0)]
    public void Fragment_fields_are_read(string word, bool fragment, int offset)
    {
        var bytes = Convert.FromHexString("450000730000" + word + "4011b861" + "c0a80001" + "c0a800c7");
        Assert.True(Ipv4View.TryParse(bytes, out var view));
        Assert.Equal(fragment, view.IsFragment);
        Assert.Equal(offset, view.FragmentOffset);
    }

    [Fact]
    public void An_icmp_echo_request_is_read_and_written_with_its_checksum()
    {
        var golden = Convert.FromHexString("0800" + "6664" + "00010005" + Convert.ToHexString("abcdefgh"u8));
        Assert.True(Icmpv4View.TryParse(golden, out var view));
        Assert.Equal(Icmpv4Header.EchoRequest(1, 5), view.ToHeader());
        Assert.Equal(1, view.Identifier);
        Assert.Equal(5, view.Sequence);
        var written = new byte[golden.Length];
        written.AsSpan().Fill(0xA5);
        "abcdefgh"u8.CopyTo(written.AsSpan(8));
        Icmpv4Header.EchoRequest(1, 5).Emit(written);
        Assert.Equal(golden, written);
        Assert.False(Icmpv4View.TryParse(golden.AsSpan(9), out _));
    }

    [Fact]
    public void A_udp_header_is_read_and_written_with_an_empty_checksum()
    {
        var golden = Convert.FromHexString("0035d431" + "000c0000");
        var header = new UdpHeader(53, 54321, 4);
        Assert.True(UdpView.TryParse(golden, out var view));
        Assert.Equal(header, view.ToHeader());
        Assert.Equal(0, view.Checksum);
        Assert.Equal(golden, Emitted(golden.Length, header.Emit));
        Assert.False(UdpView.TryParse(golden.AsSpan(1), out _));
    }

    private static byte[] Emitted(int length, Emitter emit)
    {
        var bytes = new byte[length + 8];
        bytes.AsSpan().Fill(0xA5);
        emit(bytes);
        Assert.False(bytes.AsSpan(length).ContainsAnyExcept((byte)0xA5), "Written beyond the header.");
        return bytes[..length];
    }
}
