using System.Buffers.Binary;
using Tapwire.Stack;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Interfaces;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Packets;
using Tapwire.Tests.Support;
using Xunit;

namespace Tapwire.Tests.Stack.Ip;

public sealed class IcmpSpec : IDisposable
{
    private readonly StackHarness _h = new();

    public IcmpSpec() => _h.TeachPeer();

    public void Dispose() => _h.Dispose();

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(56)]
    [InlineData(1471)]
    [InlineData(1472)]
    public void An_echo_request_of_any_size_is_answered_with_the_same_bytes(int size)
    {
        var payload = new byte[size];
        new Random(size).NextBytes(payload);
        var reply = _h.Exchange(Build.Icmp(Icmpv4Header.EchoRequest(0x1234, 0x5678), payload));
        Assert.True(Ipv4View.TryParse(reply.AsSpan(14), out var ip));
        Assert.Equal((StackHarness.OwnIp.V4, StackHarness.PeerIp.V4, 64), (ip.Source, ip.Destination, ip.HopLimit));
        Assert.Equal(0xFFFFu, Checksum.Sum(reply.AsSpan(14, 20)));
        Assert.Equal(0xFFFFu, Checksum.Sum(reply.AsSpan(34)));
        Assert.True(Icmpv4View.TryParse(reply.AsSpan(34), out var icmp));
        Assert.Equal(Icmpv4Header.EchoReply(0x1234, 0x5678), icmp.ToHeader());
        Assert.Equal(payload, reply[42..]);
    }

    [Fact]
    public void An_echo_request_is_answered_in_its_own_buffer()
    {
        var frame = Build.Icmp(Icmpv4Header.EchoRequest(1, 1), new byte[100]);
        var buffer = _h.Pool.Rent(frame.Length);
        frame.CopyTo(buffer.Append(frame.Length));
        _h.Stack.Receive(buffer, _h.Now);
        Assert.True(_h.Stack.TryDequeueFrame(out var reply));
        Assert.Same(buffer, reply);
        reply.Release();
    }

    [Fact]
    public void A_request_whose_buffer_is_shared_is_answered_from_a_copy()
    {
        var frame = Build.Icmp(Icmpv4Header.EchoRequest(1, 1), new byte[100]);
        var buffer = _h.Pool.Rent(frame.Length);
        frame.CopyTo(buffer.Append(frame.Length));
        buffer.Retain();
        _h.Stack.Receive(buffer, _h.Now);
        Assert.Equal(Icmpv4Type.EchoReply, _h.Single()[34]);
        Assert.Equal(frame, buffer.Span.ToArray());
        buffer.Release();
    }

    [Fact]
    public void Echo_requests_to_a_group_are_not_answered()
    {
        _h.Receive(Build.Icmp(Icmpv4Header.EchoRequest(1, 1), [], destination: IpAddress.BroadcastV4, to: MacAddress.Broadcast));
        _h.Receive(Build.Icmp(Icmpv4Header.EchoRequest(1, 1), [], destination: IpAddress.Parse("224.0.0.1"), to: new MacAddress(0x0100_5E00_0001)));
        _h.Silent();
        Assert.Equal(2, _h.Counters.IcmpInGroupIgnored);
    }

    [Fact]
    public void Short_and_corrupt_messages_are_dropped()
    {
        for (var length = 0; length < Icmpv4Header.Length; length++)
            _h.Receive(Build.Ipv4(IpProtocol.Icmp, new byte[length]));
        Assert.Equal(Icmpv4Header.Length, _h.Counters.IcmpInTruncated);
        var frame = Build.Icmp(Icmpv4Header.EchoRequest(1, 1), new byte[9]);
        frame[^1] ^= 1;
        _h.Receive(frame);
        Assert.Equal(1, _h.Counters.IcmpInCsumErrors);
        _h.Silent();
    }

    [Fact]
    public void Redirects_and_unknown_types_change_nothing()
    {
        _h.Receive(Build.Icmp(new Icmpv4Header(Icmpv4Type.Redirect, 1, 0x0A000003), Quote(IpProtocol.Udp, new byte[8])));
        _h.Receive(Build.Icmp(new Icmpv4Header(13, 0, 0), new byte[12]));
        _h.Receive(Build.Icmp(new Icmpv4Header(4, 0, 0), Quote(IpProtocol.Udp, new byte[8])));
        _h.Silent();
        Assert.Equal((1, 2), (_h.Counters.IcmpInRedirectsIgnored, _h.Counters.IcmpInUnknownTypes));
    }

    [Fact]
    public void Errors_that_quote_foreign_malformed_or_cut_packets_are_dropped()
    {
        var good = Quote(IpProtocol.Udp, new byte[8]);
        for (var length = 0; length < good.Length; length++)
            _h.Receive(Build.Icmp(Icmpv4Header.Unreachable(Icmpv4Unreachable.Port), good.AsSpan(0, length)));
        Assert.Equal(good.Length, _h.Counters.IcmpInBadQuotes);
        foreach (var (offset, value) in new (int, byte)[] { (0, 0x65), (0, 0x44), (0, 0x4F), (2, 0xFF), (3, 27), (7, 1), (12, 99), (9, 200) })
        {
            var bad = (byte[])good.Clone();
            bad[offset] = value;
            _h.Receive(Build.Icmp(Icmpv4Header.Unreachable(Icmpv4Unreachable.Port), bad));
        }

        // A total length that is too long is what a quote cut by a router looks like.
        Assert.Equal(good.Length + 7, _h.Counters.IcmpInBadQuotes);
        _h.Silent();
    }

    [Fact]
    public void Too_big_with_an_impossible_mtu_is_dropped()
    {
        var quote = Quote(IpProtocol.Udp, new byte[8]);
        _h.Receive(Build.Icmp(Icmpv4Header.TooBig(67), quote));
        Assert.Equal(1, _h.Counters.IcmpInBadMtu);
        _h.Receive(Build.Icmp(Icmpv4Header.TooBig(68), quote));
        _h.Receive(Build.Icmp(Icmpv4Header.TooBig(0), quote));
        Assert.Equal(1, _h.Counters.IcmpInBadMtu);
    }

    [Fact]
    public void An_error_is_never_answered_with_an_error()
    {
        // An unknown protocol in the quote, and an error that arrives for a closed port.
        _h.Receive(Build.Icmp(Icmpv4Header.Unreachable(Icmpv4Unreachable.Protocol), Quote(99, new byte[8])));
        _h.Receive(Build.Icmp(Icmpv4Header.Unreachable(Icmpv4Unreachable.Port), Quote(IpProtocol.Udp, new byte[8])));
        _h.Silent();
    }

    [Fact]
    public void An_error_quotes_no_more_than_fits_576_bytes()
    {
        var frame = Build.Udp(1, 2, new byte[1400]);
        var error = _h.Exchange(frame);
        Assert.Equal(14 + 576, error.Length);
        Assert.Equal(frame[14..(14 + 548)], error[42..]);
    }

    [Fact]
    public void Errors_are_limited_in_rate_and_recover()
    {
        var frame = Build.Udp(1, 2, new byte[4]);
        for (var i = 0; i < 500; i++)
            _h.Receive(frame);
        var sent = _h.Frames().Count;
        Assert.InRange(sent, 40, 60);
        Assert.Equal(500 - sent, _h.Counters.IcmpOutRateLimited);
        _h.Advance(TimeSpan.FromMilliseconds(100));
        _h.Receive(frame);
        _h.Single();
    }

    [Fact]
    public void No_errors_are_sent_at_a_rate_of_zero()
    {
        using var h = new StackHarness(new StackOptions { Interfaces = [new() { HardwareAddress = StackHarness.OwnMac }], Icmp = new IcmpOptions { ErrorsPerSecond = 0 } });
        h.Receive(Build.Udp(1, 2, new byte[4]));
        h.Silent();
        Assert.Equal(1, h.Counters.IcmpOutRateLimited);
    }

    [Fact]
    public void A_ping_sends_requests_and_reports_replies_with_their_round_trip()
    {
        var ping = Ping();
        Assert.Equal(StackError.None, ping.Send(StackHarness.PeerIp, 7, "hello"u8, _h.Now));
        var request = _h.Single();
        Assert.True(Icmpv4View.TryParse(request.AsSpan(34), out var header));
        Assert.Equal(Icmpv4Header.EchoRequest(ping.Identifier, 7), header.ToHeader());
        Assert.Equal(0xFFFFu, Checksum.Sum(request.AsSpan(34)));
        Assert.Equal("hello"u8.ToArray(), request[42..]);
        _h.Advance(TimeSpan.FromMilliseconds(12));
        _h.Receive(Build.Icmp(Icmpv4Header.EchoReply(ping.Identifier, 7), "hello"u8));
        Assert.Equal(SocketEvents.Readable, _h.EventsOf(ping));
        Assert.True(ping.TryReceive(out var result));
        Assert.Equal(
            new IcmpEchoResult(StackHarness.PeerIp, ping.Identifier, 7, StackError.None, 5, 64, TimeSpan.FromMilliseconds(12)), result);
        Assert.False(ping.TryReceive(out _));
    }

    [Fact]
    public void Replies_nobody_awaits_are_counted_and_no_news()
    {
        var ping = Ping();
        ping.Send(StackHarness.PeerIp, 7, [], _h.Now);
        _h.Frames();
        _h.Receive(Build.Icmp(Icmpv4Header.EchoReply(ping.Identifier, 8), []));
        _h.Receive(Build.Icmp(Icmpv4Header.EchoReply((ushort)(ping.Identifier + 1), 7), []));
        _h.Receive(Build.Icmp(Icmpv4Header.EchoReply(ping.Identifier, 7), [], source: IpAddress.Parse("10.0.0.9")));
        Assert.False(ping.TryReceive(out _));
        _h.Receive(Build.Icmp(Icmpv4Header.EchoReply(ping.Identifier, 7), []));
        _h.Receive(Build.Icmp(Icmpv4Header.EchoReply(ping.Identifier, 7), []));
        Assert.True(ping.TryReceive(out _));
        Assert.False(ping.TryReceive(out _));
        Assert.Equal(4, _h.Counters.IcmpInEchoRepsUnmatched);
    }

    [Theory]
    [InlineData(Icmpv4Type.TimeExceeded, 0, StackError.HostUnreachable)]
    [InlineData(Icmpv4Type.ParameterProblem, 0, StackError.ProtocolError)]
    [InlineData(Icmpv4Type.DestinationUnreachable, 0, StackError.NetworkUnreachable)]
    [InlineData(Icmpv4Type.DestinationUnreachable, 1, StackError.HostUnreachable)]
    [InlineData(Icmpv4Type.DestinationUnreachable, 2, StackError.NoSuchOption)]
    [InlineData(Icmpv4Type.DestinationUnreachable, 3, StackError.ConnectionRefused)]
    [InlineData(Icmpv4Type.DestinationUnreachable, 5, StackError.NotSupported)]
    [InlineData(Icmpv4Type.DestinationUnreachable, 6, StackError.NetworkUnreachable)]
    [InlineData(Icmpv4Type.DestinationUnreachable, 7, StackError.HostDown)]
    [InlineData(Icmpv4Type.DestinationUnreachable, 8, StackError.NotOnNetwork)]
    [InlineData(Icmpv4Type.DestinationUnreachable, 9, StackError.NetworkUnreachable)]
    [InlineData(Icmpv4Type.DestinationUnreachable, 10, StackError.HostUnreachable)]
    [InlineData(Icmpv4Type.DestinationUnreachable, 11, StackError.NetworkUnreachable)]
    [InlineData(Icmpv4Type.DestinationUnreachable, 12, StackError.HostUnreachable)]
    [InlineData(Icmpv4Type.DestinationUnreachable, 13, StackError.HostUnreachable)]
    [InlineData(Icmpv4Type.DestinationUnreachable, 14, StackError.HostUnreachable)]
    [InlineData(Icmpv4Type.DestinationUnreachable, 15, StackError.HostUnreachable)]
    public void A_ping_hears_from_routers_what_Linux_would_call_it(byte type, byte code, StackError expected)
    {
        _h.Stack.AddRoute(IpPrefix.Parse("0.0.0.0/0"), StackHarness.PeerIp);
        var target = IpAddress.Parse("203.0.113.1");
        var ping = Ping();
        ping.HopLimit = 3;
        Assert.Equal(StackError.None, ping.Send(target, 1, [], _h.Now));
        var request = _h.Single();
        Assert.Equal(3, request[14 + 8]);
        _h.Receive(Build.Icmp(new Icmpv4Header(type, code, 0), request.AsSpan(14)));
        Assert.True(ping.TryReceive(out var result));
        Assert.Equal((StackHarness.PeerIp, expected), (result.From, result.Error));
    }

    [Fact]
    public void A_ping_to_a_silent_neighbour_is_told_so()
    {
        var ping = Ping();
        ping.Send(IpAddress.Parse("10.0.0.77"), 1, [], _h.Now);
        _h.Advance(TimeSpan.FromSeconds(4));
        Assert.True(ping.TryReceive(out var result));
        Assert.Equal((StackHarness.OwnIp, StackError.HostUnreachable), (result.From, result.Error));
    }

    [Fact]
    public void A_ping_refuses_what_cannot_be_sent()
    {
        var ping = Ping();
        Assert.Equal(StackError.NetworkUnreachable, ping.Send(IpAddress.Parse("203.0.113.1"), 1, [], _h.Now));
        Assert.Equal(StackError.MessageTooLong, ping.Send(StackHarness.PeerIp, 1, new byte[65508], _h.Now));
        Assert.Equal(StackError.InvalidArgument, ping.Send(IpAddress.BroadcastV4, 1, [], _h.Now));
        Assert.Equal(StackError.NetworkUnreachable, ping.Send(IpAddress.Parse("fd00::1"), 1, [], _h.Now));
        Assert.Equal(StackError.None, ping.Send(StackHarness.PeerIp, 1, new byte[1472], _h.Now));
        _h.Single();
        ping.Close();
        Assert.Equal(StackError.InvalidArgument, ping.Send(StackHarness.PeerIp, 1, [], _h.Now));
        ping.Close();
    }

    [Fact]
    public void A_ping_keeps_a_bounded_number_of_requests_and_results()
    {
        using var h = new StackHarness(new StackOptions { Interfaces = [new() { HardwareAddress = StackHarness.OwnMac }], Icmp = new IcmpOptions { EchoOutstanding = 4 } });
        h.TeachPeer();
        Assert.Equal(StackError.None, h.Stack.Icmp.Open(out var ping));
        for (ushort i = 0; i < 10; i++)
            ping!.Send(StackHarness.PeerIp, i, [], h.Now);
        h.Frames();
        for (ushort i = 0; i < 10; i++)
            h.Receive(Build.Icmp(Icmpv4Header.EchoReply(ping!.Identifier, i), []));
        Assert.Equal(6, h.Counters.IcmpInEchoRepsUnmatched);
        for (ushort i = 0; i < 3; i++)
            ping!.Send(StackHarness.PeerIp, i, [], h.Now);
        for (ushort i = 0; i < 3; i++)
            h.Receive(Build.Icmp(Icmpv4Header.EchoReply(ping!.Identifier, i), []));
        Assert.Equal(3, h.Counters.IcmpEchoQueueOverflow);
        Assert.True(ping!.TryReceive(out var first));
        Assert.Equal(9, first.Sequence);
    }

    /// <summary>The beginning of a packet that this stack might have sent to the peer.</summary>
    private static byte[] Quote(byte protocol, byte[] transport)
    {
        var packet = new byte[Ipv4Header.Length + transport.Length];
        new Ipv4Header
        {
            Source = StackHarness.OwnIp, Destination = StackHarness.PeerIp, Protocol = protocol, HopLimit = 64, PayloadLength = (ushort)transport.Length,
        }.Emit(packet);
        transport.CopyTo(packet.AsSpan(Ipv4Header.Length));
        BinaryPrimitives.WriteUInt16BigEndian(packet.AsSpan(10), 0);
        return packet;
    }

    private IcmpEchoSocket Ping()
    {
        Assert.Equal(StackError.None, _h.Stack.Icmp.Open(out var ping));
        return ping!;
    }
}
