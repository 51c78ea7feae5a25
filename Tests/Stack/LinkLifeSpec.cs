using Tapwire.Stack;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Interfaces;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Neighbors;
using Tapwire.Stack.Tcp;
using Tapwire.Stack.Udp;
using Tapwire.Tests.Support;
using Xunit;

namespace Tapwire.Tests.Stack;

/// <summary>What happens to sockets of either family in the life of a link: addresses and routes that go under traffic, hours of silence, and datagrams of every length.</summary>
public sealed class LinkLifeSpec
{
    private const ushort Port = 80;

    [Theory]
    [InlineData(4)]
    [InlineData(6)]
    public void An_address_that_goes_under_traffic_ends_its_connections_and_datagrams_and_leaves_the_others(int family)
    {
        using var pair = new StackPair().AddV6();
        var gone = IpAddress.Parse(family == 4 ? "10.0.0.9" : "fd00::9");
        Assert.Equal(StackError.None, pair.A.AddAddress(pair.A.Interfaces[0], new IpPrefix(gone, family == 4 ? 24 : 64), pair.Now));
        pair.Run(TimeSpan.FromSeconds(3)); // nobody else has it
        var (doomed, other) = Connected(pair, family, new IpEndpoint(gone, 0), 8 << 20);
        var (living, server) = Connected(pair, family, default, 1 << 20, port: Port + 1);
        Assert.Equal(StackError.None, pair.A.Udp.Bind(new IpEndpoint(gone, 53), new(), out var datagrams));
        pair.Act = () =>
        {
            foreach (var app in (TcpApp[])[doomed, other, living, server])
                app.Act(pair.Now);
        };
        pair.RunUntil(() => other.BytesRead > 1 << 20);
        Assert.True(pair.A.RemoveAddress(gone, pair.Now));
        pair.RunUntil(() => server.EndOfStream);
        Assert.Equal((StackError.ConnectionAborted, TcpState.Closed), (doomed.Socket.Error, doomed.Socket.State));
        Assert.True(pair.News(doomed.Socket).HasFlag(SocketEvents.Closed));
        Assert.Equal(1 << 20, server.BytesRead);
        Assert.Equal(StackError.ConnectionAborted, datagrams!.TakeError());
        Assert.True(pair.News(datagrams).HasFlag(SocketEvents.Closed));

        // The peer, whose segments nobody answers, gives up by itself.
        other.Socket.Abort(pair.Now);
        doomed.Dispose();
        other.Dispose();
    }

    [Theory]
    [InlineData(4)]
    [InlineData(6)]
    public void A_route_that_goes_under_traffic_is_an_error_to_who_sends_or_connects_and_a_connection_waits_for_its_return(int family)
    {
        using var pair = new StackPair().AddV6();
        var (network, far, gateway) = family == 4 ? (IpPrefix.Parse("172.16.0.0/12"), "172.16.0.1/32", StackPair.AddressB) : (IpPrefix.Parse("2001:db8::/32"), "2001:db8::1/128", StackPair.AddressB6);
        Assert.Equal(StackError.None, pair.B.AddAddress(pair.B.Interfaces[0], IpPrefix.Parse(far), pair.Now));
        Assert.Equal(StackError.None, pair.A.AddRoute(network, gateway));
        pair.Run(TimeSpan.FromSeconds(3));
        var there = IpPrefix.Parse(far).Address;
        var (client, server) = Connected(pair, family, default, 16 << 20, there);
        Assert.Equal(StackError.None, pair.A.Udp.Bind(default, new(), out var datagrams));
        Assert.Equal(StackError.None, datagrams!.Send(Payload(pair, 1), new IpEndpoint(there, 9), pair.Now));
        pair.Act = () =>
        {
            client.Act(pair.Now);
            server.Act(pair.Now);
        };
        pair.RunUntil(() => server.BytesRead > 1 << 20);
        Assert.True(pair.A.RemoveRoute(network));
        pair.Run(TimeSpan.FromSeconds(5));
        var before = server.BytesRead;
        pair.Run(TimeSpan.FromSeconds(20));
        Assert.Equal(before, server.BytesRead);
        Assert.Equal(StackError.NetworkUnreachable, datagrams.Send(Payload(pair, 1), new IpEndpoint(there, 9), pair.Now));
        Assert.Equal(StackError.NetworkUnreachable, pair.A.Tcp.Connect(new IpEndpoint(there, Port), default(IpEndpoint), default, pair.Now, out _));
        Assert.NotEqual(TcpState.Closed, client.Socket.State);

        Assert.Equal(StackError.None, pair.A.AddRoute(network, gateway, metric: 7));
        pair.RunUntil(() => server.EndOfStream);
        Assert.Equal(16 << 20, server.BytesRead);
        Assert.Equal(client.SentHash, server.ReadHash);
        datagrams.Close();
    }

    /// <summary>Each end asks the other whether it is still there, as a kernel does: the question is always answered, whatever this end thinks of its own neighbour.</summary>
    [Theory]
    [InlineData(4)]
    [InlineData(6)]
    public void For_hours_of_seldom_traffic_from_one_side_each_end_is_reachable_to_the_other(int family)
    {
        using var pair = new StackPair().AddV6();
        pair.Run(TimeSpan.FromSeconds(3));
        var (own, peer) = family == 4 ? (StackPair.AddressA, StackPair.AddressB) : (StackPair.AddressA6, StackPair.AddressB6);
        Assert.Equal(StackError.None, pair.A.Udp.Bind(new IpEndpoint(default, 9), new(), out var receiver));
        Assert.Equal(StackError.None, pair.B.Udp.Bind(new IpEndpoint(default, 9), new(), out var sender));
        for (var round = 0; round < 6 * 60; round++)
        {
            Assert.Equal(StackError.None, sender!.Send(Payload(pair, 1), new IpEndpoint(own, 9), pair.Now));
            // A question follows five seconds after traffic to a neighbour that is not confirmed, and is answered at once.
            pair.Run(TimeSpan.FromSeconds(8));
            Assert.Equal(NeighborState.Reachable, StateOf(pair.B, own));
            pair.Run(TimeSpan.FromSeconds(52));
            Assert.True(receiver!.TryReceive(out var payload, out _));
            payload.Release();
            if (round % 60 == 0)
            {
                Assert.Equal(StackError.None, receiver.Send(Payload(pair, 1), new IpEndpoint(peer, 9), pair.Now));
                pair.Run(TimeSpan.FromSeconds(8));
                Assert.Equal(NeighborState.Reachable, StateOf(pair.A, peer));
                Assert.True(sender.TryReceive(out payload, out _));
                payload.Release();
            }
        }

        Assert.Equal((0, 0), (pair.A.Counters.NeighborUnreachable, pair.B.Counters.NeighborUnreachable));
        receiver!.Close();
        sender!.Close();
    }

    /// <summary>In steps that hit every remainder, with all lengths near which the number of fragments changes.</summary>
    [Theory]
    [InlineData(1280, 4)]
    [InlineData(1500, 4)]
    [InlineData(9000, 4)]
    [InlineData(1280, 6)]
    [InlineData(1500, 6)]
    [InlineData(9000, 6)]
    public void Datagrams_of_all_lengths_come_back_whole(int mtu, int family)
    {
        using var pair = new StackPair(host => new() { Interfaces = [new() { HardwareAddress = new MacAddress(0x02_00_00_00_00_00UL + (uint)host), Mtu = mtu }] }).AddV6();
        pair.Run(TimeSpan.FromSeconds(3));
        var options = new UdpSocketOptions { ReceiveBuffer = 1 << 20, SendBuffer = 1 << 20 };
        Assert.Equal(StackError.None, pair.A.Udp.Bind(default, options, out var asker));
        Assert.Equal(StackError.None, pair.B.Udp.Bind(new IpEndpoint(default, 7), options, out var echo));
        var to = new IpEndpoint(family == 4 ? StackPair.AddressB : StackPair.AddressB6, 7);
        var longest = family == 4 ? UdpSocket.MaxPayloadV4 : UdpSocket.MaxPayload;
        var bytes = new byte[longest];
        new Random(mtu).NextBytes(bytes);
        var cut = mtu - (family == 4 ? 28 : 48);
        var lengths = Enumerable.Range(0, longest + 1).Where(length => length % 509 == 0 || length <= 64 || length >= longest - 8 || Math.Abs((length % cut) - 4) < 6);
        foreach (var length in lengths)
        {
            Assert.Equal(StackError.None, asker!.Send(Payload(pair, bytes.AsSpan(0, length)), to, pair.Now));
            PacketBuffer? back = null;
            pair.RunUntil(() =>
            {
                if (echo!.TryReceive(out var question, out var from))
                    Assert.Equal(StackError.None, echo.Send(question, from, pair.Now));
                return asker.TryReceive(out back, out _);
            });
            Assert.True(back!.TotalLength == length, $"{length} bytes have come back as {back.TotalLength}.");
            var whole = new byte[length];
            back.CopyTo(whole);
            back.Release();
            Assert.True(whole.AsSpan().SequenceEqual(bytes.AsSpan(0, length)), $"{length} bytes have come back as others.");
        }

        asker!.Close();
        echo!.Close();
    }

    private static NeighborState StateOf(NetworkStack stack, IpAddress address) => stack.Neighbors.Single(neighbor => neighbor.Address == address).State;

    private static PacketBuffer Payload(StackPair pair, params ReadOnlySpan<byte> bytes)
    {
        var buffer = pair.Pool.Rent(bytes.Length, BufferPool.HeaderRoom);
        bytes.CopyTo(buffer.Append(bytes.Length));
        return buffer;
    }

    /// <summary>A connection from A to B, by which A sends so many bytes.</summary>
    private static (TcpApp Client, TcpApp Server) Connected(StackPair pair, int family, IpEndpoint from, int bytes, IpAddress to = default, ushort port = Port)
    {
        if (to.IsUnspecified)
            to = family == 4 ? StackPair.AddressB : StackPair.AddressB6;
        Assert.Equal(StackError.None, pair.B.Tcp.Listen(new IpEndpoint(to, port), 10, default, out var listener));
        Assert.Equal(StackError.None, pair.A.Tcp.Connect(new IpEndpoint(to, port), from, default, pair.Now, out var socket));
        TcpSocket? accepted = null;
        pair.RunUntil(() => (accepted ??= listener!.Accept()) is not null && socket!.State == TcpState.Established);
        listener!.Close(pair.Now);
        return (new TcpApp(pair.Pool, socket!, bytes, 1), new TcpApp(pair.Pool, accepted!, 0, 2));
    }
}
