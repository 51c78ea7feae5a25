using System.Text;
using Tapwire.Proxy;
using Tapwire.Stack.Ip;
using Xunit;

namespace Tapwire.Tests.Proxy;

/// <summary>RFC 1928 and 1929, byte by byte.</summary>
public sealed class SocksMessagesSpecs
{
    [Fact]
    public void A_greeting_has_its_methods_and_leaves_what_follows()
    {
        Assert.Equal(ParseStatus.Complete, SocksGreeting.TryRead([5, 2, 0, 2, 77], out var greeting));
        Assert.Equal([0, 2], greeting.Methods.ToArray());
        Assert.Equal(4, greeting.Length);
    }

    [Theory]
    [InlineData(new byte[] { 4, 1, 0 })]
    [InlineData(new byte[] { 5, 0 })]
    public void A_greeting_of_another_version_or_without_a_method_is_malformed(byte[] bytes) =>
        Assert.Equal(ParseStatus.Malformed, SocksGreeting.TryRead(bytes, out _));

    [Fact]
    public void A_greeting_cut_anywhere_is_incomplete()
    {
        byte[] whole = [5, 3, 0, 1, 2];
        for (var length = 0; length < whole.Length; length++)
            Assert.Equal(ParseStatus.Incomplete, SocksGreeting.TryRead(whole.AsSpan(0, length), out _));
    }

    [Fact]
    public void A_login_has_name_and_password()
    {
        Assert.Equal(ParseStatus.Complete, SocksLogin.TryRead([1, 2, .. "me"u8, 3, .. "pwd"u8, 9], out var login));
        Assert.Equal("me"u8.ToArray(), login.User.ToArray());
        Assert.Equal("pwd"u8.ToArray(), login.Password.ToArray());
        Assert.Equal(8, login.Length);
    }

    [Fact]
    public void A_login_of_the_longest_kind_is_read_and_cut_anywhere_is_incomplete()
    {
        byte[] whole = [1, 255, .. Enumerable.Repeat((byte)'u', 255), 255, .. Enumerable.Repeat((byte)'p', 255)];
        Assert.Equal(ParseStatus.Complete, SocksLogin.TryRead(whole, out var login));
        Assert.Equal(whole.Length, login.Length);
        for (var length = 0; length < whole.Length; length++)
            Assert.Equal(ParseStatus.Incomplete, SocksLogin.TryRead(whole.AsSpan(0, length), out _));
    }

    [Fact]
    public void A_login_of_another_version_is_malformed() => Assert.Equal(ParseStatus.Malformed, SocksLogin.TryRead([5, 1, 65, 1, 65], out _));

    [Fact]
    public void A_request_is_read_with_each_type_of_address()
    {
        Check([5, 1, 0, 1, 10, 99, 0, 1, 0, 80], SocksCommand.Connect, "10.99.0.1:80");
        Check([5, 2, 0, 4, .. IpAddress.Parse("fd00::1").ToSystem().GetAddressBytes(), 1, 0], SocksCommand.Bind, "[fd00::1]:256");
        Check([5, 3, 0, 3, 11, .. "example.org"u8, 255, 255], SocksCommand.UdpAssociate, "example.org:65535");
        Check([5, 1, 0, 3, 9, .. "10.99.0.1"u8, 0, 80], SocksCommand.Connect, "10.99.0.1:80");
        Check([5, 99, 0, 1, 0, 0, 0, 0, 0, 0], (SocksCommand)99, "0.0.0.0:0");

        static void Check(byte[] bytes, SocksCommand command, string destination)
        {
            Assert.Equal(ParseStatus.Complete, SocksRequest.TryRead([.. bytes, 1, 2, 3], out var request));
            Assert.Equal(command, request.Command);
            Assert.Equal(destination, request.Destination.ToString());
            Assert.Equal(bytes.Length, request.Length);
            for (var length = 0; length < bytes.Length; length++)
                Assert.Equal(ParseStatus.Incomplete, SocksRequest.TryRead(bytes.AsSpan(0, length), out _));
        }
    }

    [Theory]
    [InlineData(new byte[] { 4, 1, 0, 1, 10, 0, 0, 1, 0, 80 }, ParseStatus.Malformed)]
    [InlineData(new byte[] { 5, 1, 0, 2, 10, 0, 0, 1, 0, 80 }, ParseStatus.UnknownAddressType)]
    [InlineData(new byte[] { 5, 1, 0, 0, 10, 0, 0, 1, 0, 80 }, ParseStatus.UnknownAddressType)]
    [InlineData(new byte[] { 5, 1, 0, 3, 0, 0, 80 }, ParseStatus.Malformed)]
    [InlineData(new byte[] { 5, 1, 0, 3, 2, 0, 65, 0, 80 }, ParseStatus.Malformed)]
    [InlineData(new byte[] { 5, 1, 0, 3, 2, 0xFF, 0xFE, 0, 80 }, ParseStatus.Malformed)]
    [InlineData(new byte[] { 5, 1, 0, 3, 3, 65, 47, 65, 0, 80 }, ParseStatus.Malformed)]
    public void A_request_that_is_none_is_told_from_one_that_is_not_all_there(byte[] bytes, ParseStatus expected) =>
        Assert.Equal(expected, SocksRequest.TryRead(bytes, out _));

    [Fact]
    public void A_reply_carries_code_and_address()
    {
        Assert.Equal([5, 0, 0, 1, 10, 99, 0, 2, 0x12, 0x34], SocksReply.Write(SocksReplyCode.Succeeded, new IpEndpoint(IpAddress.Parse("10.99.0.2"), 0x1234)));
        Assert.Equal([5, 5, 0, 1, 0, 0, 0, 0, 0, 0], SocksReply.Write(SocksReplyCode.ConnectionRefused, default));
        Assert.Equal([5, 0, 0, 4, .. new byte[15], 1, 0, 9], SocksReply.Write(SocksReplyCode.Succeeded, new IpEndpoint(IpAddress.Parse("::1"), 9)));
    }

    [Fact]
    public void A_datagrams_header_is_read_and_what_follows_is_the_payload()
    {
        byte[] header = [0, 0, 0, 3, 4, .. "peer"u8, 0, 53];
        Assert.Equal(ParseStatus.Complete, SocksDatagram.TryRead([.. header, 1, 2, 3], out var to, out var length));
        Assert.Equal("peer:53", to.ToString());
        Assert.Equal(header.Length, length);
        for (var cut = 0; cut < header.Length; cut++)
            Assert.Equal(ParseStatus.Incomplete, SocksDatagram.TryRead(header.AsSpan(0, cut), out _, out _));
    }

    [Theory]
    [InlineData(new byte[] { 0, 0, 1, 1, 10, 0, 0, 1, 0, 53 }, ParseStatus.Malformed)]
    [InlineData(new byte[] { 0, 0, 128, 1, 10, 0, 0, 1, 0, 53 }, ParseStatus.Malformed)]
    [InlineData(new byte[] { 0, 0, 0, 9, 10, 0, 0, 1, 0, 53 }, ParseStatus.UnknownAddressType)]
    public void A_fragment_and_an_unknown_type_of_address_are_no_header_of_a_whole_datagram(byte[] bytes, ParseStatus expected) =>
        Assert.Equal(expected, SocksDatagram.TryRead(bytes, out _, out _));

    [Fact]
    public void A_datagrams_header_is_written()
    {
        var bytes = new byte[SocksDatagram.MaxHeader];
        bytes.AsSpan().Fill(0xA5);
        var length = SocksDatagram.Write(bytes, new IpEndpoint(IpAddress.Parse("10.99.0.1"), 53));
        Assert.Equal([0, 0, 0, 1, 10, 99, 0, 1, 0, 53], bytes[..length]);
        Assert.Equal(SocksDatagram.MaxHeader, SocksDatagram.Write(bytes, new IpEndpoint(IpAddress.Parse("fd00::1"), 53)));
    }

    [Theory]
    [InlineData("10.99.0.1:80", "10.99.0.1:80")]
    [InlineData("[fd00::1]:80", "[fd00::1]:80")]
    [InlineData("web-1.example_x.org:65535", "web-1.example_x.org:65535")]
    [InlineData("bücher.example:1", "bücher.example:1")]
    public void A_destination_is_read_as_people_write_it(string text, string expected)
    {
        Assert.True(Destination.TryParse(text, out var destination, out _));
        Assert.Equal(expected, destination.ToString());
    }

    [Theory]
    [InlineData("80", "\"80\" must be HOST:PORT")]
    [InlineData("host:", "the port \"\" must be from 1 to 65535")]
    [InlineData("host:0", "the port \"0\" must be from 1 to 65535")]
    [InlineData("host:65536", "the port \"65536\" must be from 1 to 65535")]
    [InlineData("host:+5", "the port \"+5\" must be from 1 to 65535")]
    [InlineData(":80", "the host \"\" must be a name or an address")]
    [InlineData("a b:80", "the host \"a b\" must be a name or an address")]
    [InlineData("10.1:80", "the host \"10.1\" must be a name or an address")]
    [InlineData("256.0.0.1:80", "the host \"256.0.0.1\" must be a name or an address")]
    [InlineData("fd00::1:80", "the host \"fd00::1\" must be in brackets if it is an IPv6 address")]
    [InlineData("[10.0.0.1]:80", "the host \"10.0.0.1\" must be a name or an address")]
    [InlineData("[name]:80", "the host \"name\" must be a name or an address")]
    public void A_destination_that_is_none_is_refused_by_its_offending_part(string text, string problem)
    {
        Assert.False(Destination.TryParse(text, out _, out var found));
        Assert.StartsWith(problem, found, StringComparison.Ordinal);
    }

    [Fact]
    public void A_name_may_have_255_bytes_and_no_more()
    {
        Assert.True(Destination.TryCreate(new string('a', 255), 1, out _));
        Assert.False(Destination.TryCreate(new string('a', 256), 1, out _));
        Assert.False(Destination.TryCreate(new string('ü', 128), 1, out _));
    }

    [Fact]
    public void No_input_makes_a_parser_throw_or_read_more_than_there_is()
    {
        var random = new Random(20261122);
        for (var round = 0; round < 20_000; round++)
        {
            var bytes = new byte[random.Next(300)];
            random.NextBytes(bytes);
            if (bytes.Length > 3)
                (bytes[0], bytes[3]) = ((byte)random.Next(7), (byte)random.Next(6));
            if (SocksGreeting.TryRead(bytes, out var greeting) == ParseStatus.Complete)
                Assert.InRange(greeting.Length, 3, bytes.Length);
            if (SocksLogin.TryRead(bytes, out var login) == ParseStatus.Complete)
                Assert.InRange(login.Length, 3, bytes.Length);
            if (SocksRequest.TryRead(bytes, out var request) == ParseStatus.Complete)
                Assert.InRange(request.Length, 8, bytes.Length);
            if (SocksDatagram.TryRead(bytes, out _, out var header) == ParseStatus.Complete)
                Assert.InRange(header, 7, bytes.Length);
            _ = HttpConnect.TryRead(Encoding.Latin1.GetBytes("CONNECT a:1 HTTP/1.1\r\n" + Encoding.Latin1.GetString(bytes) + "\r\n\r\n"), out _);
        }
    }
}
