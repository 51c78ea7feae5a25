using Tapwire.Stack;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Forwarding;
using Tapwire.Stack.Interfaces;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Packets;
using Tapwire.Stack.Tcp;
using Tapwire.Stack.Udp;
using Tapwire.Tests.Support;
using Xunit;

namespace Tapwire.Tests.Stack.Forwarding;

/// <summary>A stack that is the way out of one host. A is that host; B takes what A sends to anywhere.</summary>
public sealed class StackForwarderSpec : IDisposable
{
    private static readonly IpEndpoint Web = new(IpAddress.Parse("198.51.100.7"), 80);
    private static readonly IpEndpoint Names = new(IpAddress.Parse("203.0.113.53"), 53);

    private readonly StackPair _pair;
    private readonly StackForwarder _forwarder;

    public StackForwarderSpec()
    {
        _pair = new StackPair(static host => new StackOptions
        {
            Interfaces = [new() { Medium = Medium.Ip }],
            Forwarding = host == 1 ? null : new ForwardingOptions { Guest = new GuestAddresses(StackPair.AddressA), Handshakes = 2, Datagrams = 2, Echoes = 2 },
        });
        Assert.Equal(StackError.None, _pair.A.AddRoute(new IpPrefix(IpAddress.AnyV4, 0), IpAddress.AnyV4));
        _forwarder = _pair.B.Forwarder!;
    }

    public void Dispose() => _pair.Dispose();

    [Fact]
    public void A_stack_of_sockets_only_forwards_nothing() => Assert.Null(_pair.A.Forwarder);

    [Fact]
    public void A_SYN_is_answered_only_when_it_is_accepted()
    {
        var client = Connect(Web);
        _pair.Run(TimeSpan.FromMilliseconds(500));
        Assert.True(_forwarder.TryTakeHandshake(out var source, out var destination));
        Assert.Equal((client.Local, Web), (source, destination));
        Assert.Equal(TcpState.SynSent, client.State);

        var server = Accept(source, destination);
        Assert.Equal((Web, client.Local), (server.Local, server.Remote));
        _pair.RunUntil(() => _pair.News(client).HasFlag(SocketEvents.Connected));
        Assert.Equal(0, _forwarder.Handshakes);
        Assert.Equal(StackError.None, server.Write(Bytes(1, 2, 3), _pair.Now));
        Assert.Equal(StackError.None, client.Write(Bytes(4, 5), _pair.Now));
        _pair.RunUntil(() => client.Available == 3 && server.Available == 2);
        client.Abort(_pair.Now);
        server.Abort(_pair.Now);
    }

    [Fact]
    public void Data_may_follow_the_SYN_ACK_at_once()
    {
        var (client, source) = Waiting(Web);
        var server = Accept(source, Web);
        Assert.Equal(StackError.None, server.Write(Bytes(7, 8, 9), _pair.Now));
        _pair.RunUntil(() => client.Available == 3);
        Assert.Equal(TcpState.Established, client.State);
        client.Abort(_pair.Now);
        server.Abort(_pair.Now);
    }

    [Fact]
    public void A_refusal_is_the_destinations_reset()
    {
        var (client, source) = Waiting(Web);
        _forwarder.Refuse(source, Web, StackError.ConnectionRefused, _pair.Now);
        _pair.RunUntil(() => _pair.News(client).HasFlag(SocketEvents.Closed), 1);
        Assert.Equal(StackError.ConnectionRefused, client.Error);
    }

    [Theory]
    [InlineData(StackError.HostUnreachable, StackError.HostUnreachable)]
    [InlineData(StackError.NetworkUnreachable, StackError.NetworkUnreachable)]
    [InlineData(StackError.HostDown, StackError.HostDown)]
    [InlineData(StackError.AccessDenied, StackError.HostUnreachable)]
    public void An_unreachable_destination_is_an_ICMP_error_that_the_host_knows_its_connection_by(StackError reason, StackError seen)
    {
        var (client, source) = Waiting(Web);
        _forwarder.Refuse(source, Web, reason, _pair.Now);
        _pair.Run(TimeSpan.FromMilliseconds(100));
        Assert.Equal((1, 0), (_pair.A.Counters.IcmpInDestUnreachs, _pair.A.Counters.IcmpInBadQuotes));
        Assert.Equal((TcpState.Closed, seen), (client.State, client.Error));
    }

    [Fact]
    public void Silence_leaves_the_host_to_try_again()
    {
        var (client, source) = Waiting(Web);
        _forwarder.Refuse(source, Web, StackError.TimedOut, _pair.Now);
        _pair.Run(TimeSpan.FromMilliseconds(100));
        Assert.Equal((0, 0, TcpState.SynSent), (_pair.A.Counters.IcmpInMsgs, _pair.A.Counters.Tcp.TcpExtEmbryonicRsts, client.State));
        _pair.RunUntil(() => _forwarder.TryTakeHandshake(out _, out _), 2);
        client.Abort(_pair.Now);
    }

    [Fact]
    public void A_SYN_that_comes_again_waits_once_and_more_than_there_is_room_for_are_dropped()
    {
        var clients = new[] { Connect(Web), Connect(Web), Connect(Names) };
        _pair.Run(TimeSpan.FromSeconds(10));
        var taken = 0;
        while (_forwarder.TryTakeHandshake(out _, out _))
            taken++;
        Assert.Equal((2, 2), (taken, _forwarder.Handshakes));
        Assert.True(_pair.B.Counters.Tcp.TcpExtListenDrops > 0);
        foreach (var client in clients)
            client.Abort(_pair.Now);
    }

    [Fact]
    public void A_connection_that_the_host_has_given_up_ends_by_its_reset()
    {
        var (client, source) = Waiting(Web);
        client.Abort(_pair.Now);
        _pair.Run(TimeSpan.FromMilliseconds(10));
        var server = Accept(source, Web);
        _pair.RunUntil(() => _pair.News(server).HasFlag(SocketEvents.Closed), 1);
        Assert.Equal(StackError.ConnectionReset, server.Error);
    }

    [Fact]
    public void A_port_that_is_used_again_after_TIME_WAIT_is_forwarded_again()
    {
        var (client, source) = Waiting(Web);
        var server = Accept(source, Web);
        _pair.RunUntil(() => client.State == TcpState.Established);
        server.Close(_pair.Now);
        client.Close(_pair.Now);
        _pair.RunUntil(() => _pair.B.Tcp.TimeWaitCount == 1 || _pair.A.Tcp.TimeWaitCount == 1);
        _pair.Run(TimeSpan.FromSeconds(2));
        Assert.Equal(StackError.None, _pair.A.Tcp.Connect(Web, client.Local, default, _pair.Now, out var second));
        _pair.Run(TimeSpan.FromMilliseconds(10));
        Assert.True(_forwarder.TryTakeHandshake(out source, out var destination));
        server = Accept(source, destination);
        _pair.RunUntil(() => second!.State == TcpState.Established, 1);
        second!.Abort(_pair.Now);
        server.Abort(_pair.Now);
    }

    [Fact]
    public void A_datagram_and_its_answer_keep_their_ends()
    {
        var client = Udp();
        Assert.Equal(StackError.None, client.Send(Bytes(1, 2), Names, _pair.Now));
        _pair.RunUntil(() => _pair.News(_forwarder).HasFlag(SocketEvents.Readable), 1);
        Assert.True(_forwarder.TryTakeDatagram(out var payload, out var source, out var destination, out _));
        Assert.Equal([1, 2], payload.Span.ToArray());
        Assert.Equal((Names, client.Local.Port), (destination, source.Port));
        _forwarder.Send(payload, destination, source, _pair.Now);
        _pair.RunUntil(() => client.TryReceive(out payload, out source), 1);
        Assert.Equal([1, 2], payload!.Span.ToArray());
        Assert.Equal(Names, source);
        payload.Release();
        client.Close();
    }

    [Fact]
    public void A_refused_datagram_is_an_error_of_its_socket()
    {
        var client = Udp();
        RefuseDatagramOf(client, StackError.ConnectionRefused, 0);
        Assert.Equal(StackError.ConnectionRefused, client.TakeError());
        client.Close();
    }

    [Fact]
    public void Of_a_datagram_that_is_too_long_its_socket_learns_what_fits()
    {
        var client = Udp();
        RefuseDatagramOf(client, StackError.MessageTooLong, 1300);
        Assert.Equal(StackError.MessageTooLong, client.TakeError());
        Assert.Equal(StackError.None, _pair.A.FindPath(Names.Address, default, MtuDiscovery.Want, _pair.Now, out var mtu, out _));
        Assert.Equal(1300, mtu);
        client.Close();
    }

    [Theory]
    [InlineData(1472, true)]
    [InlineData(1473, false)]
    [InlineData(65507, false)]
    public void A_datagram_of_any_length_and_its_answer_arrive_whole(int length, bool dontFragment)
    {
        var client = Udp();
        var bytes = new byte[length];
        new Random(length).NextBytes(bytes);
        Assert.Equal(StackError.None, client.Send(Bytes(bytes), Names, _pair.Now));
        _pair.RunUntil(() => _pair.News(_forwarder).HasFlag(SocketEvents.Readable), 1);
        Assert.True(_forwarder.TryTakeDatagram(out var payload, out var source, out var destination, out var mustFit));
        Assert.Equal(bytes, payload.Span.ToArray());
        Assert.Equal(dontFragment, mustFit);
        _forwarder.Send(payload, destination, source, _pair.Now);
        _pair.RunUntil(() => client.TryReceive(out payload, out source), 1);
        Assert.Equal(bytes, payload!.Span.ToArray());
        payload.Release();
        client.Close();
    }

    [Fact]
    public void An_echo_request_in_fragments_waits_as_one()
    {
        Assert.Equal(StackError.None, _pair.A.Icmp.Open(out var ping));
        Assert.Equal(StackError.None, ping!.Send(Web.Address, 5, new byte[9000], _pair.Now));
        _pair.RunUntil(() => _pair.News(_forwarder).HasFlag(SocketEvents.Readable), 1);
        Assert.True(_forwarder.TryTakeEcho(out var echo));
        Assert.Equal((Web.Address, 9000), (echo.Destination, echo.Size));
        _forwarder.Answer(echo, StackError.None, _pair.Now);
        IcmpEchoResult result = default;
        _pair.RunUntil(() => ping.TryReceive(out result), 1);
        Assert.Equal((StackError.None, 9000), (result.Error, result.Bytes));
        ping.Close();
    }

    [Fact]
    public void Datagrams_that_nobody_takes_are_dropped_and_counted()
    {
        var client = Udp();
        for (var i = 0; i < 5; i++)
            Assert.Equal(StackError.None, client.Send(Bytes(1), Names, _pair.Now));
        _pair.Run(TimeSpan.FromMilliseconds(10));
        Assert.Equal(3, _pair.B.Counters.UdpRcvbufErrors);
        client.Close();
    }

    [Theory]
    [InlineData(StackError.None)]
    [InlineData(StackError.HostUnreachable)]
    public void An_echo_request_is_answered_as_its_destination_has(StackError result)
    {
        Assert.Equal(StackError.None, _pair.A.Icmp.Open(out var ping));
        Assert.Equal(StackError.None, ping!.Send(Web.Address, 5, new byte[56], _pair.Now));
        _pair.Run(TimeSpan.FromMilliseconds(100));
        Assert.Equal(0, _pair.A.Counters.IcmpInEchoReps);
        Assert.True(_forwarder.TryTakeEcho(out var echo));
        Assert.Equal((Web.Address, 56), (echo.Destination, echo.Size));
        _forwarder.Answer(echo, result, _pair.Now);
        _pair.Run(TimeSpan.FromMilliseconds(10));
        Assert.True(ping.TryReceive(out var answer));
        Assert.Equal((result, 5), (answer.Error, answer.Sequence));
        Assert.Equal(Web.Address, answer.From);
    }

    [Fact]
    public void An_echo_request_that_the_destination_does_not_answer_is_not_answered()
    {
        Assert.Equal(StackError.None, _pair.A.Icmp.Open(out var ping));
        for (ushort i = 0; i < 3; i++)
            Assert.Equal(StackError.None, ping!.Send(Web.Address, i, new byte[8], _pair.Now));
        _pair.Run(TimeSpan.FromMilliseconds(10));
        Assert.Equal(1, _pair.B.Counters.IcmpInForwardOverflow);
        while (_forwarder.TryTakeEcho(out var echo))
            _forwarder.Answer(echo, StackError.TimedOut, _pair.Now);
        _pair.Run(TimeSpan.FromMilliseconds(10));
        Assert.Equal(0, _pair.A.Counters.IcmpInMsgs);
    }

    [Fact]
    public void Only_the_guests_own_address_is_a_source()
    {
        Assert.Equal(StackError.None, _pair.A.AddAddress(IpPrefix.Parse("10.0.0.9/24"), _pair.Now));
        Assert.Equal(StackError.None, _pair.A.Udp.Bind(new IpEndpoint(IpAddress.Parse("10.0.0.9"), 0), new(), out var client));
        Assert.Equal(StackError.None, client!.Send(Bytes(1), Names, _pair.Now));
        _pair.Run(TimeSpan.FromMilliseconds(10));
        Assert.False(_forwarder.TryTakeDatagram(out _, out _, out _, out _));
        Assert.Equal(1, _pair.B.Counters.IpInOwnSource);
        client.Close();
    }

    [Theory]
    [InlineData("0.1.2.3")]
    [InlineData("240.0.0.1")]
    public void What_no_host_has_is_no_destination(string address)
    {
        var client = Udp();
        Assert.Equal(StackError.None, client.Send(Bytes(1), new IpEndpoint(IpAddress.Parse(address), 9), _pair.Now));
        _pair.Run(TimeSpan.FromMilliseconds(10));
        Assert.False(_forwarder.TryTakeDatagram(out _, out _, out _, out _));
        Assert.Equal(1, _pair.B.Counters.IpInMartianDestination);
        client.Close();
    }

    private TcpSocket Connect(IpEndpoint to)
    {
        Assert.Equal(StackError.None, _pair.A.Tcp.Connect(to, default(IpEndpoint), default, _pair.Now, out var client));
        return client!;
    }

    private (TcpSocket Client, IpEndpoint Source) Waiting(IpEndpoint to)
    {
        var client = Connect(to);
        _pair.Run(TimeSpan.FromMilliseconds(10));
        Assert.True(_forwarder.TryTakeHandshake(out var source, out _));
        return (client, source);
    }

    private TcpSocket Accept(IpEndpoint source, IpEndpoint destination)
    {
        Assert.Equal(StackError.None, _forwarder.Accept(source, destination, default, _pair.Now, out var server));
        return server!;
    }

    /// <summary>Has a datagram of a socket's refused, and lets the answer arrive.</summary>
    private void RefuseDatagramOf(UdpSocket client, StackError reason, int mtu)
    {
        Assert.Equal(StackError.None, client.Connect(Names));
        Assert.Equal(StackError.None, client.Send(Bytes(1), null, _pair.Now));
        _pair.Run(TimeSpan.FromMilliseconds(10));
        Assert.True(_forwarder.TryTakeDatagram(out var payload, out var source, out var destination, out _));
        payload.Release();
        _forwarder.RefuseDatagram(source, destination, reason, mtu, _pair.Now);
        _pair.Run(TimeSpan.FromMilliseconds(10));
    }

    private UdpSocket Udp()
    {
        Assert.Equal(StackError.None, _pair.A.Udp.Bind(default, new(), out var client));
        return client!;
    }

    private PacketBuffer Bytes(params byte[] bytes)
    {
        var buffer = _pair.Pool.Rent(bytes.Length, BufferPool.HeaderRoom);
        bytes.CopyTo(buffer.Append(bytes.Length));
        return buffer;
    }
}
