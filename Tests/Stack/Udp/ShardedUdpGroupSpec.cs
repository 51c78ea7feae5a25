using Tapwire.Stack;
using Tapwire.Stack.Interfaces;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Udp;
using Tapwire.Tests.Support;
using Xunit;

namespace Tapwire.Tests.Stack.Udp;

/// <summary>UDP sockets with SO_REUSEPORT on several shards. Whichever queue a datagram comes in on, all is as with one stack (UdpSharingSpec).</summary>
public sealed class ShardedUdpGroupSpec : IDisposable
{
    private const int Shards = 3;
    private const ushort Port = 53;

    private static readonly PortSharing Sharing = new() { ReusePort = true, Owner = 1000 };

    private readonly ShardedHarness _driver = new(Shards);

    public ShardedUdpGroupSpec() => _driver.TeachPeer();

    public void Dispose() => _driver.Dispose();

    [Theory]
    [InlineData(new[] { 0, 1 })]
    [InlineData(new[] { 0, 0, 1 })]
    [InlineData(new[] { 2, 1, 2, 2, 0 })]
    public void Datagrams_are_spread_evenly_and_a_flow_stays_with_its_socket(int[] shards)
    {
        const int Flows = 1500;
        var group = shards.Select(shard => JoinOn(shard)).ToList();
        for (var i = 0; i < Flows; i++)
            Send((ushort)(10_000 + i), queue: i % Shards);
        var first = group.Select(TakeAll).ToList();
        var mean = (double)Flows / group.Count;
        var tolerance = 5 * Math.Sqrt(mean * (1 - (1.0 / group.Count)));
        Assert.Equal(Flows, first.Sum(static ports => ports.Count));
        Assert.All(first, ports => Assert.InRange(ports.Count, mean - tolerance, mean + tolerance));
        for (var i = 0; i < Flows; i++)
            Send((ushort)(10_000 + i), queue: (i + 1) % Shards);
        Assert.Equal(first, group.Select(TakeAll));
        Assert.Empty(_driver.Frames());
    }

    [Fact]
    public void What_a_closed_socket_received_goes_to_the_others()
    {
        var group = new[] { Join(), Join(), Join() };
        group[1].Close();
        for (ushort port = 10_000; port < 10_100; port++)
            Send(port, queue: 1);
        Assert.Equal(100, TakeAll(group[0]).Count + TakeAll(group[2]).Count);
        Assert.Empty(_driver.Frames());
        group[0].Close();
        group[2].Close();
        Send(5000, queue: 2);
        Assert.Single(_driver.Frames());
        Assert.Equal(StackError.None, TryBind(2, default, out _));
    }

    [Fact]
    public void A_connected_socket_has_its_peers_datagrams_whichever_shard_it_is_on()
    {
        var group = new List<UdpSocket> { Join(), Join() };
        for (ushort port = 5000; port < 5006; port++)
        {
            var connected = Join();
            Assert.Equal(StackError.None, connected.Connect(new IpEndpoint(StackHarness.PeerIp, port)));
            for (var queue = 0; queue < Shards; queue++)
                Send(port, queue);
            Assert.Equal([port, port, port], TakeAll(connected));

            // It takes nobody else's, and another one cannot have both ends.
            var second = Join();
            Assert.Equal(StackError.AddressInUse, second.Connect(new IpEndpoint(StackHarness.PeerIp, port)));
            second.Close();
            Assert.Equal(StackError.None, connected.Connect(default));
            connected.Close();
        }

        for (ushort port = 5000; port < 5006; port++)
            Send(port, 0);
        Assert.Equal(6, group.Sum(static socket => TakeAll(socket).Count));
    }

    [Fact]
    public void A_broadcast_is_for_every_socket()
    {
        var group = new[] { Join(), Join(), Join(), Join() };
        _driver.Arrive(Build.Udp(5000, Port, [1], destination: IpAddress.Parse("10.0.0.255"), to: MacAddress.Broadcast), 1);
        Assert.All(group, static socket => Assert.Equal([5000], TakeAll(socket)));
    }

    [Fact]
    public void Who_does_not_share_the_port_is_refused_on_every_shard()
    {
        Join();
        Join();
        for (var shard = 0; shard < Shards; shard++)
        {
            Assert.Equal(StackError.AddressInUse, TryBind(shard, Sharing with { Owner = 1001 }, out _));
            Assert.Equal(StackError.AddressInUse, TryBind(shard, new PortSharing { ReuseAddress = true }, out _));
            Assert.Equal(StackError.AddressInUse, TryBind(shard, default, out _));
        }
    }

    [Fact]
    public void A_port_that_the_stack_chooses_is_nobodys_on_another_shard()
    {
        for (ushort port = EphemeralPorts.First; port <= EphemeralPorts.Last; port++)
        {
            if (port % Shards == 1 && port != 40_000)
                Assert.Equal(StackError.None, _driver[0].Stack.Udp.Bind(new IpEndpoint(IpAddress.AnyV4, port), new UdpSocketOptions(), out _));
        }

        Assert.Equal(StackError.None, _driver[1].Stack.Udp.Bind(default, new UdpSocketOptions(), out var socket));
        Assert.Equal(40_000, socket!.Local.Port);
    }

    private UdpSocket Join() => JoinOn(_driver.Steering.JoinUdp(Port, Sharing, 0));

    private UdpSocket JoinOn(int shard)
    {
        Assert.Equal(StackError.None, TryBind(shard, Sharing, out var socket));
        _driver.Steering.JoinUdp(Port, Sharing, 0);
        return socket!;
    }

    private StackError TryBind(int shard, PortSharing sharing, out UdpSocket? socket) =>
        _driver[shard].Stack.Udp.Bind(new IpEndpoint(IpAddress.AnyV4, Port), new UdpSocketOptions { Sharing = sharing, ReceiveBuffer = 16 << 20 }, out socket);

    private void Send(ushort from, int queue) => _driver.Arrive(Build.Udp(from, Port, [1, 2, 3]), queue);

    private static List<ushort> TakeAll(UdpSocket socket)
    {
        var ports = new List<ushort>();
        while (socket.TryReceive(out var payload, out var from))
        {
            ports.Add(from.Port);
            payload.Release();
        }

        return [.. ports.Order()];
    }
}
