using Tapwire.Stack;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Tcp;
using Tapwire.Stack.Udp;
using Tapwire.Tests.Support;
using Xunit;

namespace Tapwire.Tests.Stack;

/// <summary>Two whole stacks that talk to each other, frame by frame, in virtual time.</summary>
public sealed class TwoStacksSpec
{
    public enum Hop
    {
        Ethernet,
        RawIp,
        Offloading,
    }

    [Fact]
    public void A_ping_takes_two_latencies_and_the_first_two_more_for_arp()
    {
        using var pair = new StackPair { Latency = TimeSpan.FromMilliseconds(10) };
        pair.Run(TimeSpan.FromSeconds(5));
        Assert.Equal(StackError.None, pair.A.Icmp.Open(out var ping));
        var times = new List<double>();
        for (ushort i = 0; i < 3; i++)
        {
            Assert.Equal(StackError.None, ping!.Send(StackPair.AddressB, i, new byte[56], pair.Now));
            pair.RunUntil(() => pair.News(ping).HasFlag(SocketEvents.Readable), 1);
            Assert.True(ping.TryReceive(out var result));
            Assert.Equal((StackPair.AddressB, StackError.None, i), (result.From, result.Error, result.Sequence));
            times.Add(result.RoundTrip.TotalMilliseconds);
        }

        Assert.Equal([40.0, 20.0, 20.0], times);
    }

    [Theory]
    [InlineData("10.0.0.2")]
    [InlineData("fd00::2")]
    public void Datagrams_go_both_ways_and_a_closed_port_refuses(string address)
    {
        using var pair = new StackPair().AddV6();
        Assert.Equal(StackError.None, pair.B.Udp.Bind(new IpEndpoint(default, 53), new(), out var server));
        Assert.Equal(StackError.None, pair.A.Udp.Bind(default, new(), out var client));
        Assert.Equal(StackError.None, client!.Connect(new IpEndpoint(IpAddress.Parse(address), 53)));
        Assert.Equal(StackError.None, client.Send(Payload(pair, 1, 2, 3), null, pair.Now));
        pair.RunUntil(() => pair.News(server!).HasFlag(SocketEvents.Readable), 1);
        Assert.True(server!.TryReceive(out var request, out var from));
        Assert.Equal(client.Local, from);
        Assert.Equal(StackError.None, server.Send(request, from, pair.Now));
        pair.RunUntil(() => pair.News(client).HasFlag(SocketEvents.Readable), 1);
        Assert.True(client.TryReceive(out var reply, out from));
        Assert.Equal(new byte[] { 1, 2, 3 }, reply.Span.ToArray());
        reply.Release();
        server.Close();
        Assert.Equal(StackError.None, client.Send(Payload(pair, 1), null, pair.Now));
        pair.RunUntil(() => pair.News(client).HasFlag(SocketEvents.Readable), 1);
        Assert.Equal(StackError.ConnectionRefused, client.TakeError());
        client.Close();
    }

    [Theory]
    [InlineData(Hop.Ethernet, 0, 1 << 20, 4)]
    [InlineData(Hop.Ethernet, 0.02, 1 << 20, 4)]
    [InlineData(Hop.Ethernet, 0.1, 200_000, 4)]
    [InlineData(Hop.RawIp, 0, 1 << 20, 4)]
    [InlineData(Hop.RawIp, 0.05, 300_000, 4)]
    [InlineData(Hop.Offloading, 0, 4 << 20, 4)]
    [InlineData(Hop.Offloading, 0.02, 1 << 20, 4)]
    [InlineData(Hop.Ethernet, 0, 1 << 20, 6)]
    [InlineData(Hop.Ethernet, 0.1, 200_000, 6)]
    [InlineData(Hop.RawIp, 0.05, 300_000, 6)]
    [InlineData(Hop.Offloading, 0, 4 << 20, 6)]
    [InlineData(Hop.Offloading, 0.02, 1 << 20, 6)]
    public void A_stream_arrives_intact_in_both_directions(Hop hop, double loss, int bytes, int family)
    {
        using var pair = new StackPair(OptionsFor(hop)) { Loss = loss, Latency = TimeSpan.FromMilliseconds(5) }.AddV6();
        var (client, server) = Connected(pair, family == 4 ? StackPair.AddressB : StackPair.AddressB6, bytes, bytes / 2);
        pair.Act = () =>
        {
            client.Act(pair.Now);
            server.Act(pair.Now);
        };
        pair.RunUntil(() => client.EndOfStream && server.EndOfStream && client.Socket.State is TcpState.Closed or TcpState.TimeWait
            && server.Socket.State is TcpState.Closed or TcpState.TimeWait, 3600);
        Assert.Equal((bytes / 2, bytes), (client.BytesRead, server.BytesRead));
        Assert.Equal(client.SentHash, server.ReadHash);
        Assert.Equal(server.SentHash, client.ReadHash);
        Assert.Equal((StackError.None, StackError.None), (client.Socket.Error, server.Socket.Error));
        if (hop == Hop.Offloading && loss == 0)
            Assert.True(pair.A.Counters.OutFrames < bytes / 4000, $"{pair.A.Counters.OutFrames} frames are no super-frames.");
    }

    [Theory]
    [InlineData("10.0.0.1")]
    [InlineData("fd00::1")]
    [InlineData("::1")]
    public void A_stream_to_an_own_address_arrives_intact(string address)
    {
        using var pair = new StackPair().AddV6();
        var (client, server) = Connected(pair, IpAddress.Parse(address), 3 << 20, 1 << 20);
        pair.Act = () =>
        {
            client.Act(pair.Now);
            server.Act(pair.Now);
        };
        pair.RunUntil(() => client.EndOfStream && server.EndOfStream, 60);
        Assert.Equal(client.SentHash, server.ReadHash);
        Assert.Equal(server.SentHash, client.ReadHash);
        Assert.Equal(0, pair.B.Counters.Tcp.TcpInSegs);
        Assert.Equal(0, pair.A.Counters.Tcp.TcpRetransSegs);
    }

    [Fact]
    public void A_hundred_connections_share_a_small_egress_queue()
    {
        StackOptions Small(int host) => new() { Interfaces = [new() { HardwareAddress = StackPair.Ethernet(host).Interfaces[0].HardwareAddress, EgressFrames = 8 }] };
        using var pair = new StackPair(Small) { FramesPerMoment = 4 };
        var apps = new List<(TcpApp Client, TcpApp Server)>();
        for (var i = 0; i < 100; i++)
            apps.Add(Connected(pair, StackPair.AddressB, 30_000, 10_000, (ushort)(1000 + i)));
        pair.Act = () =>
        {
            foreach (var (client, server) in apps)
            {
                client.Act(pair.Now);
                server.Act(pair.Now);
            }
        };
        pair.RunUntil(() => apps.TrueForAll(a => a.Client.EndOfStream && a.Server.EndOfStream), 600);
        foreach (var (client, server) in apps)
        {
            Assert.Equal(client.SentHash, server.ReadHash);
            Assert.Equal(server.SentHash, client.ReadHash);
        }
    }

    [Fact]
    public void A_closed_port_refuses_a_connection()
    {
        using var pair = new StackPair();
        var socket = Connect(pair, StackPair.AddressB, 81);
        pair.RunUntil(() => pair.News(socket).HasFlag(SocketEvents.Closed), 1);
        Assert.Equal(StackError.ConnectionRefused, socket.Error);
    }

    [Fact]
    public void A_host_that_is_not_there_is_unreachable_after_three_seconds()
    {
        using var pair = new StackPair();
        var start = pair.Now;
        var socket = Connect(pair, IpAddress.Parse("10.0.0.99"), 80);
        pair.RunUntil(() => pair.News(socket).HasFlag(SocketEvents.Closed), 30);
        Assert.Equal(StackError.HostUnreachable, socket.Error);
        Assert.Equal(3.0, (pair.Now - start).TotalSeconds, 2);
    }

    [Fact]
    public void Without_a_route_a_connection_fails_at_once()
    {
        using var pair = new StackPair();
        Assert.Equal(
            StackError.NetworkUnreachable,
            pair.A.Tcp.Connect(new IpEndpoint(IpAddress.Parse("203.0.113.1"), 80), default(IpEndpoint), default, pair.Now, out _));
    }

    [Fact]
    public void Connections_of_a_removed_address_are_aborted_and_others_live_on()
    {
        using var pair = new StackPair();
        pair.A.AddAddress(IpPrefix.Parse("10.0.0.3/24"), pair.Now);
        var (doomed, _) = Connected(pair, StackPair.AddressB, 0, 0, 80, new IpEndpoint(IpAddress.Parse("10.0.0.3"), 0));
        var (client, server) = Connected(pair, StackPair.AddressB, 100_000, 100_000, 81);
        Assert.True(pair.A.RemoveAddress(IpAddress.Parse("10.0.0.3"), pair.Now));
        pair.Act = () =>
        {
            client.Act(pair.Now);
            server.Act(pair.Now);
        };
        pair.RunUntil(() => client.EndOfStream && server.EndOfStream, 60);
        Assert.Equal(StackError.ConnectionAborted, doomed.Socket.Error);
        Assert.True(pair.News(doomed.Socket).HasFlag(SocketEvents.Closed));
        Assert.Equal(client.SentHash, server.ReadHash);
    }

    [Fact]
    public void A_live_connection_keeps_its_neighbour_confirmed_without_probes()
    {
        using var pair = new StackPair();
        var (client, server) = Connected(pair, StackPair.AddressB, 1, 1);
        var requests = pair.A.Counters.ArpOutRequests;
        for (var i = 0; i < 100; i++)
        {
            Assert.Equal(StackError.None, client.Socket.Write(Payload(pair, 1), pair.Now));
            pair.Run(TimeSpan.FromSeconds(2));
            PacketBuffer.ReleaseChain(server.Socket.Read(out var bytes, out _));
            Assert.Equal(1, bytes);
            server.Socket.Consumed(bytes, pair.Now);
        }

        Assert.Equal(requests, pair.A.Counters.ArpOutRequests);
    }

    [Fact]
    public void Two_idle_stacks_come_to_rest()
    {
        using var pair = new StackPair();
        var (client, server) = Connected(pair, StackPair.AddressB, 1000, 1000);
        pair.Act = () =>
        {
            client.Act(pair.Now);
            server.Act(pair.Now);
        };
        pair.RunUntil(() => client.EndOfStream && server.EndOfStream, 10);
        pair.Run(TimeSpan.FromMinutes(30));
        Assert.Equal((Instant.Never, Instant.Never), (pair.A.PollAt, pair.B.PollAt));
    }

    private static Func<int, StackOptions> OptionsFor(Hop hop) => hop switch
    {
        Hop.RawIp => StackPair.RawIp,
        Hop.Offloading => StackPair.Offloading,
        _ => StackPair.Ethernet,
    };

    private static PacketBuffer Payload(StackPair pair, params byte[] bytes)
    {
        var buffer = pair.Pool.Rent(bytes.Length, BufferPool.HeaderRoom);
        bytes.CopyTo(buffer.Append(bytes.Length));
        return buffer;
    }

    private static TcpSocket Connect(StackPair pair, IpAddress to, ushort port, IpEndpoint from = default)
    {
        Assert.Equal(StackError.None, pair.A.Tcp.Connect(new IpEndpoint(to, port), from, default, pair.Now, out var socket));
        return socket!;
    }

    /// <summary>A connection from A to one of the addresses, with an application at each end.</summary>
    private static (TcpApp Client, TcpApp Server) Connected(
        StackPair pair, IpAddress to, int clientSends, int serverSends, ushort port = 80, IpEndpoint from = default)
    {
        var target = to == StackPair.AddressB || to == StackPair.AddressB6 ? pair.B : pair.A;
        Assert.Equal(StackError.None, target.Tcp.Listen(new IpEndpoint(default, port), 10, default, out var listener));
        var socket = Connect(pair, to, port, from);
        TcpSocket? accepted = null;
        pair.RunUntil(() => (accepted ??= listener!.Accept()) is not null && socket.State == TcpState.Established, 600);
        Assert.Equal(socket.Local, accepted!.Remote);
        listener!.Close(pair.Now);
        return (new TcpApp(pair.Pool, socket, clientSends, port), new TcpApp(pair.Pool, accepted, serverSends, port + 1));
    }
}
