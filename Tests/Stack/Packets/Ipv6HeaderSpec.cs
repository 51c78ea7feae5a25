using Tapwire.Stack.Ip;
using Tapwire.Stack.Packets;
using Xunit;

namespace Tapwire.Tests.Stack.Packets;

public sealed class Ipv6HeaderSpec
{
    private static readonly byte[] Golden = Convert.FromHexString(
        "6ABABCDE" + "1234" + "3A" + "FF" + "20010DB8000000000000000000000001" + "FE80000000000000020000FFFE000002");

    [Fact]
    public void A_header_is_written_as_RFC_8200_draws_it_and_read_again()
    {
        Assert.True(Ipv6View.TryParse(Golden, out var view));
        Assert.Equal((6, 0xABu, 0xABCDEu, 0x1234, 58u, 255u), (view.Version, (uint)view.TrafficClass, view.FlowLabel, view.PayloadLength, (uint)view.NextHeader, (uint)view.HopLimit));
        Assert.Equal((IpAddress.Parse("2001:db8::1"), IpAddress.Parse("fe80::200:ff:fe00:2")), (view.Source, view.Destination));
        var bytes = new byte[Golden.Length];
        bytes.AsSpan().Fill(0xA5);
        view.ToHeader().Emit(bytes);
        Assert.Equal(Golden, bytes);
        Assert.False(Ipv6View.TryParse(Golden.AsSpan(0, 39), out _));
    }

    [Fact]
    public void A_fragment_header_is_written_and_read_again()
    {
        var bytes = new byte[8];
        bytes.AsSpan().Fill(0xA5);
        var header = new Ipv6FragmentHeader(17, 1448, true, 0xDEADBEEF);
        header.Emit(bytes);
        Assert.Equal(Convert.FromHexString("110005A9DEADBEEF"), bytes);
        Assert.True(Ipv6FragmentHeader.TryParse(bytes, out var read));
        Assert.Equal(header, read);
    }

    [Fact]
    public void A_link_local_address_has_the_modified_EUI64_of_the_station()
    {
        Assert.Equal(IpAddress.Parse("fe80::3456:78ff:fe9a:bcde"), Tapwire.Stack.Interfaces.MacAddress.Parse("36:56:78:9a:bc:de").LinkLocal);
        Assert.Equal(IpAddress.Parse("ff02::1:ff9a:bcde"), IpAddress.Parse("2001:db8::789a:bcde").SolicitedNode);
        Assert.Equal("33:33:ff:9a:bc:de", Tapwire.Stack.Interfaces.MacAddress.OfGroup(IpAddress.Parse("ff02::1:ff9a:bcde")).ToString());
    }

    [Theory]
    [InlineData(6, "", Ipv6ChainProblem.None, 6, 40)] // no extension headers
    [InlineData(0, "1100010400000000", Ipv6ChainProblem.None, 17, 48)] // hop-by-hop options, all padding
    [InlineData(0, "3C00050200000100" + "2B00010400000000" + "0600000000000000", Ipv6ChainProblem.None, 6, 64)] // router alert, destination options, routing
    [InlineData(0, "0000010400000000" + "0600010400000000", Ipv6ChainProblem.BadNextHeader, 0, 0)] // hop-by-hop options twice
    [InlineData(60, "0000010400000000" + "0600010400000000", Ipv6ChainProblem.BadNextHeader, 0, 0)] // hop-by-hop options late
    [InlineData(60, "06FF010400000000", Ipv6ChainProblem.Truncated, 0, 0)] // length beyond the packet
    [InlineData(60, "060001", Ipv6ChainProblem.Truncated, 0, 0)] // cut short
    [InlineData(60, "0600010500000000", Ipv6ChainProblem.Truncated, 0, 0)] // padding beyond the header
    [InlineData(60, "0600000000000001", Ipv6ChainProblem.Truncated, 0, 0)] // an option without its length
    [InlineData(60, "0600000000000000", Ipv6ChainProblem.None, 6, 48)] // Pad1 six times
    [InlineData(60, "06010000000000000000000000000000", Ipv6ChainProblem.TooMany, 0, 0)] // and fourteen times
    [InlineData(60, "0600C20400000000", Ipv6ChainProblem.UnknownOptionReportedUnlessGroup, 0, 0)] // a jumbo payload
    [InlineData(60, "06008A0400000000", Ipv6ChainProblem.UnknownOptionReported, 0, 0)]
    [InlineData(60, "06004A0400000000", Ipv6ChainProblem.UnknownOption, 0, 0)]
    [InlineData(60, "06001E0400000000", Ipv6ChainProblem.None, 6, 48)] // unknown, to be skipped
    [InlineData(60, "06021E001E001E001E001E001E001E001E001E001E001E00", Ipv6ChainProblem.TooMany, 0, 0)] // options without end
    [InlineData(43, "0600000100000000", Ipv6ChainProblem.BadField, 0, 0)] // a source route that is not at its end
    [InlineData(43, "0600040000000000", Ipv6ChainProblem.None, 6, 48)] // and one that is
    [InlineData(44, "0600000000000000", Ipv6ChainProblem.None, 44, 40)] // a fragment header ends the walk
    [InlineData(59, "", Ipv6ChainProblem.None, 59, 40)]
    public void A_chain_of_extension_headers_is_walked(byte first, string headers, Ipv6ChainProblem problem, byte next, int length)
    {
        var extension = Convert.FromHexString(headers);
        var packet = new byte[40 + extension.Length];
        packet[0] = 0x60;
        packet[6] = first;
        extension.CopyTo(packet, 40);
        var chain = Ipv6HeaderChain.Walk(packet);
        Assert.Equal(problem, chain.Problem);
        if (problem == Ipv6ChainProblem.None)
            Assert.Equal((next, length), (chain.NextHeader, chain.Length));
        else
            Assert.InRange(chain.Pointer, 6, packet.Length);
    }

    [Fact]
    public void A_chain_without_end_is_refused_after_eight_headers()
    {
        var packet = new byte[40 + 8 * 100];
        packet[6] = 60;
        for (var at = 40; at < packet.Length; at += 8)
            (packet[at], packet[at + 2], packet[at + 3]) = (60, 1, 4);
        Assert.Equal(Ipv6ChainProblem.TooMany, Ipv6HeaderChain.Walk(packet).Problem);
    }

    [Fact]
    public void No_packet_makes_the_walk_fail()
    {
        var random = new Random(5);
        var packet = new byte[200];
        byte[] types = [0, 43, 60, 44, 6, 59];
        for (var i = 0; i < 200_000; i++)
        {
            random.NextBytes(packet);
            packet[6] = types[random.Next(types.Length)];
            for (var at = 40; at < 100; at += 8)
                (packet[at], packet[at + 1]) = (types[random.Next(types.Length)], (byte)random.Next(4));
            var chain = Ipv6HeaderChain.Walk(packet.AsSpan(0, random.Next(40, 200)));
            Assert.InRange(chain.Length, 0, 200);
        }
    }
}
