using System.Buffers.Binary;
using Tapwire.Stack;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Packets;
using Tapwire.Stack.Udp;
using Tapwire.Tests.Support;
using Xunit;

namespace Tapwire.Tests.Stack.Udp;

/// <summary>Sockets for ICMP echo messages, as Linux has them (net/ipv4/ping.c).</summary>
public sealed class EchoSocketSpec : IDisposable
{
    private readonly StackHarness _h = BuildV6.Harness();

    public EchoSocketSpec()
    {
        _h.Exchange(Build.Arp(new ArpPacket(ArpOperation.Request, StackHarness.PeerMac, StackHarness.PeerIp, default, StackHarness.OwnIp)));
    }

    public void Dispose() => _h.Dispose();

    [Theory]
    [InlineData("10.0.0.2")]
    [InlineData("fd00::2")]
    public void A_request_leaves_with_the_identifier_of_its_socket_and_its_answer_comes_back_whole(string to)
    {
        var peer = IpAddress.Parse(to);
        var socket = Open();
        Assert.Equal(StackError.None, Send(socket, peer, Request(peer, 7, "hello"u8)));
        var sent = Assert.Single(_h.Frames());
        var message = sent[(EthernetHeader.Length + (peer.IsV4 ? 20 : 40))..];
        Assert.Equal((peer.IsV4 ? Icmpv4Type.Echo : Icmpv6Type.EchoRequest, socket.Local.Port, (ushort)7), (message[0], Get(message, 4), Get(message, 6)));
        Assert.Equal("hello"u8.ToArray(), message[8..]);
        Assert.Equal(0xFFFFu, Checksum.Fold(Checksum.Sum(message, peer.IsV4 ? 0 : Checksum.PseudoHeader(BuildV6.Own, BuildV6.Peer, IpProtocol.Icmpv6, message.Length))));

        Reply(peer, socket.Local.Port, 7, "hello"u8);
        Assert.True(socket.TryReceive(out var payload, out var from, out var info));
        Assert.Equal((new IpEndpoint(peer, 0), (byte)64), (from, info.HopLimit));
        Assert.Equal((peer.IsV4 ? Icmpv4Type.EchoReply : Icmpv6Type.EchoReply, socket.Local.Port, 13), (payload.Span[0], Get(payload.Span, 4), payload.Length));
        payload.Release();
        Assert.Equal((1, 1, 0), (_h.Counters.IcmpOutEchos, _h.Counters.IcmpInEchoReps, _h.Counters.IcmpInEchoRepsUnmatched));
    }

    [Fact]
    public void An_answer_goes_to_the_socket_with_its_identifier_and_to_no_other()
    {
        var one = Open();
        var other = Open();
        Assert.NotEqual(one.Local.Port, other.Local.Port);
        Reply(StackHarness.PeerIp, other.Local.Port, 1, []);
        Assert.False(one.TryReceive(out _, out _));
        Assert.True(other.TryReceive(out var payload, out _));
        payload.Release();
        Reply(StackHarness.PeerIp, (ushort)(one.Local.Port ^ other.Local.Port ^ 1), 1, []);
        Assert.Equal(1, _h.Counters.IcmpInEchoRepsUnmatched);
    }

    [Fact]
    public void An_identifier_may_be_chosen_and_belongs_to_one_socket_whoever_uses_it()
    {
        var socket = Open(1234);
        Assert.Equal(1234, socket.Local.Port);
        Assert.Equal(StackError.AddressInUse, _h.Stack.Echo.Bind(new IpEndpoint(IpAddress.AnyV4, 1234), new(), out _));
        Assert.Equal(StackError.None, _h.Stack.Icmp.Open(out var ping));
        Assert.Equal(StackError.AddressInUse, _h.Stack.Echo.Bind(new IpEndpoint(IpAddress.AnyV4, ping!.Identifier), new(), out _));
        ping.Close();
        Open(ping.Identifier);
        socket.Close();
        Open(1234);
        Assert.Equal(StackError.AddressNotAvailable, _h.Stack.Echo.Bind(new IpEndpoint(IpAddress.Parse("239.1.1.1"), 0), new(), out _));
    }

    public static TheoryData<string, byte[]> Wrong => new()
    {
        { "10.0.0.2", [8, 0, 0, 0, 0, 0, 0] },
        { "10.0.0.2", [0, 0, 0, 0, 0, 0, 0, 0] },
        { "10.0.0.2", [8, 1, 0, 0, 0, 0, 0, 0] },
        { "10.0.0.2", [128, 0, 0, 0, 0, 0, 0, 0] },
        { "fd00::2", [8, 0, 0, 0, 0, 0, 0, 0] },
        { "fd00::2", [129, 0, 0, 0, 0, 0, 0, 0] },
        { "10.0.0.2", [] },
    };

    [Theory]
    [MemberData(nameof(Wrong))]
    public void What_is_no_request_of_the_family_is_refused(string to, byte[] message)
    {
        Assert.Equal(StackError.InvalidArgument, Send(Open(), IpAddress.Parse(to), message));
        Assert.Empty(_h.Frames());
    }

    [Fact]
    public void A_router_that_drops_a_request_is_reported_with_the_request()
    {
        var socket = Open();
        socket.ErrorReports = true;
        var request = Request(StackHarness.PeerIp, 3, "x"u8);
        Send(socket, StackHarness.PeerIp, request);
        var sent = Assert.Single(_h.Frames())[EthernetHeader.Length..];
        _h.Receive(Build.Icmp(new Icmpv4Header(Icmpv4Type.TimeExceeded, 0, 0), sent, IpAddress.Parse("10.0.0.77")));
        Assert.True(socket.TryTakeReport(out var report));
        Assert.Equal((StackError.HostUnreachable, new IpEndpoint(StackHarness.PeerIp, 0), IpAddress.Parse("10.0.0.77"), UdpErrorOrigin.Icmp, Icmpv4Type.TimeExceeded),
            (report.Error, report.Destination, report.Offender, report.Origin, report.Type));
        Assert.Equal(sent[20..], report.Payload.ToArray());
    }

    [Fact]
    public void A_connected_socket_sends_without_an_address_and_hears_its_peer_only()
    {
        var socket = Open();
        Assert.Equal(StackError.DestinationRequired, Send(socket, null, Request(StackHarness.PeerIp, 1, [])));
        Assert.Equal(StackError.None, socket.Connect(new IpEndpoint(StackHarness.PeerIp, 0)));
        Assert.Equal(StackError.None, Send(socket, null, Request(StackHarness.PeerIp, 1, [])));
        Assert.Single(_h.Frames());
        Reply(IpAddress.Parse("10.0.0.3"), socket.Local.Port, 1, []);
        Assert.False(socket.TryReceive(out _, out _));
        Reply(StackHarness.PeerIp, socket.Local.Port, 1, []);
        Assert.True(socket.TryReceive(out var payload, out _));
        payload.Release();
        Assert.Equal(StackError.None, socket.Connect(default));
        Assert.Equal(StackError.DestinationRequired, Send(socket, null, Request(StackHarness.PeerIp, 2, [])));
    }

    [Fact]
    public void Answers_beyond_the_buffer_are_dropped_and_counted_and_a_long_request_goes_in_fragments()
    {
        var socket = Open();
        socket.ReceiveBuffer = 0;
        for (var i = 0; i < 100; i++)
            Reply(StackHarness.PeerIp, socket.Local.Port, (ushort)i, new byte[500]);
        Assert.InRange(_h.Counters.IcmpEchoQueueOverflow, 90, 99);
        socket.MtuDiscovery = MtuDiscovery.Dont;
        Assert.Equal(StackError.None, Send(socket, StackHarness.PeerIp, Request(StackHarness.PeerIp, 1, new byte[4000])));
        Assert.Equal(3, _h.Frames().Count);
        socket.MtuDiscovery = MtuDiscovery.Do;
        Assert.Equal(StackError.MessageTooLong, Send(socket, StackHarness.PeerIp, Request(StackHarness.PeerIp, 1, new byte[1473])));
        Assert.Equal(StackError.None, Send(socket, StackHarness.PeerIp, Request(StackHarness.PeerIp, 1, new byte[1472])));
        socket.Close();
    }

    /// <summary>The message has the ICMP header in it, and IPv6's own header is not counted.</summary>
    [Theory]
    [InlineData("10.0.0.2", 65515)]
    [InlineData("fd00::2", 65535)]
    public void A_request_may_be_as_long_as_a_packet_holds(string to, int longest)
    {
        var socket = Open();
        var peer = IpAddress.Parse(to);
        Assert.Equal(StackError.MessageTooLong, Send(socket, peer, Request(peer, 1, new byte[longest - 7])));
        Assert.Equal(StackError.None, Send(socket, peer, Request(peer, 1, new byte[longest - 8])));
        Assert.Equal(longest, _h.Frames().Sum(frame => frame.Length - EthernetHeader.Length - (peer.IsV4 ? Ipv4Header.Length : Ipv6Header.Length + Ipv6FragmentHeader.Length)));
        socket.Close();
    }

    private static ushort Get(ReadOnlySpan<byte> message, int at) => BinaryPrimitives.ReadUInt16BigEndian(message[at..]);

    private UdpSocket Open(ushort identifier = 0)
    {
        Assert.Equal(StackError.None, _h.Stack.Echo.Bind(new IpEndpoint(IpAddress.Unspecified, identifier), new(), out var socket));
        return socket!;
    }

    private static byte[] Request(IpAddress to, ushort sequence, ReadOnlySpan<byte> payload)
    {
        var message = new byte[8 + payload.Length];
        message[0] = to.IsV4 ? Icmpv4Type.Echo : Icmpv6Type.EchoRequest;
        BinaryPrimitives.WriteUInt16BigEndian(message.AsSpan(6), sequence);
        payload.CopyTo(message.AsSpan(8));
        return message;
    }

    private StackError Send(UdpSocket socket, IpAddress? to, ReadOnlySpan<byte> message)
    {
        var buffer = _h.Pool.Rent(message.Length, BufferPool.HeaderRoom);
        message.CopyTo(buffer.Append(message.Length));
        return socket.Send(buffer, to is { } address ? new IpEndpoint(address, 0) : null, _h.Now);
    }

    private void Reply(IpAddress from, ushort identifier, ushort sequence, ReadOnlySpan<byte> payload) => _h.Receive(from.IsV4
        ? Build.Icmp(Icmpv4Header.EchoReply(identifier, sequence), payload, from)
        : BuildV6.Icmp(Icmpv6Header.EchoReply(identifier, sequence), payload, from));
}
