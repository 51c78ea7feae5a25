using Tapwire.Stack;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Interfaces;
using Tapwire.Stack.Packets;
using Tapwire.Stack.Tcp;
using Tapwire.Tests.Support;
using Xunit;

namespace Tapwire.Tests.Stack;

/// <summary>What an engine does otherwise when it shares its addresses with siblings.</summary>
public sealed class ShardedStackSpec : IDisposable
{
    private const int Shards = 3;

    private readonly ShardedHarness _driver = new(Shards);
    private readonly FlowSteering _steering;
    private readonly IReadOnlyList<StackHarness> _shards;

    public ShardedStackSpec()
    {
        _steering = _driver.Steering;
        _shards = _driver.Shards;
    }

    public void Dispose() => _driver.Dispose();

    [Fact]
    public void A_shard_out_of_range_is_refused_by_name() => Assert.Equal(
        "Shard",
        Assert.ThrowsAny<ArgumentOutOfRangeException>(() => new NetworkStack(
            new StackOptions { Interfaces = [new() { Medium = Medium.Ip }], Shard = new StackShard(Shards, _steering) }, new BufferPool(), new byte[32])).ParamName);

    [Fact]
    public void Each_shard_chooses_only_its_own_ephemeral_ports_and_chooses_for_itself()
    {
        var all = new List<ushort>();
        for (var index = 0; index < Shards; index++)
        {
            for (var i = 0; i < 50; i++)
            {
                var h = _shards[index];
                Assert.Equal(StackError.None, h.Stack.Udp.Bind(default, new(), out var datagrams));
                Assert.Equal(StackError.None, h.Stack.Tcp.Bind(new IpEndpoint(IpAddress.AnyV4, 0), default, out var binding));
                Assert.Equal(StackError.None, h.Stack.Tcp.Connect(new IpEndpoint(StackHarness.PeerIp, 80), default(IpEndpoint), default, h.Now, out var socket));
                Assert.All([datagrams!.Local.Port, binding!.Local.Port, socket!.Local.Port], port => Assert.Equal(index, port % Shards));
                all.Add(datagrams.Local.Port);
                socket.Abort(h.Now);
                binding.Release();
            }
        }

        // Shards have one secret, but who has seen the ports of one cannot tell those of the next.
        Assert.NotEqual(all[..50].Select(port => port / Shards), all[50..100].Select(port => port / Shards));
    }

    [Theory]
    [InlineData("10.0.0.1")]
    [InlineData("10.0.0.255")]
    public void A_datagram_in_fragments_is_made_whole_by_one_shard_and_crosses_to_that_with_its_socket(string destination)
    {
        const int Owner = 1;
        const int Datagrams = 20;
        Assert.Equal(Owner, _steering.ClaimUdp(53, Owner));
        Assert.Equal(StackError.None, _shards[Owner].Stack.Udp.Bind(new IpEndpoint(IpAddress.AnyV4, 53), new() { ReceiveBuffer = 1 << 20 }, out var socket));
        var to = IpAddress.Parse(destination);
        var frame = Build.Udp(4000, 53, new byte[3000], destination: to, to: to == StackHarness.OwnIp ? null : MacAddress.Broadcast);
        for (ushort id = 0; id < Datagrams; id++)
        {
            foreach (var piece in Fragmented.Pieces(frame, 1480, id))
                _shards[_steering.OwnerOfFrame(piece, Medium.Ethernet, here: 2)].Receive(piece);
        }

        var crossed = 0;
        foreach (var shard in _shards)
        {
            for (; shard.Stack.TryDequeueCrossing(out var crossing); crossed++)
            {
                Assert.Equal(Owner, crossing.Shard);
                _shards[Owner].Stack.ReceiveCrossing(crossing.Packet, crossing.ShardsTried, _shards[Owner].Now);
            }
        }

        Assert.InRange(crossed, Datagrams / 3, Datagrams - 1);
        for (var i = 0; i < Datagrams; i++)
        {
            Assert.True(socket!.TryReceive(out var payload, out _, out var info));
            Assert.Equal((3000, to, 0), (payload.Length, info.Destination, info.Interface));
            payload.Release();
        }

        socket!.Close();
    }

    [Fact]
    public void Shards_hand_out_the_same_fast_open_cookies()
    {
        var pair = new TcpPair(new IpEndpoint(StackHarness.OwnIp, 80), new IpEndpoint(StackHarness.PeerIp, 1234));
        Assert.Single(_shards.Select(shard => shard.Stack.Tcp.Secrets.FastOpenCookieFor(pair)).Distinct());
        Assert.Equal(Shards, _shards.Select(shard => shard.Stack.Tcp.Secrets.InitialSequence(pair, Instant.Zero)).Distinct().Count());
    }

    [Fact]
    public void A_packet_between_own_addresses_crosses_to_the_shard_that_has_the_port()
    {
        Assert.Equal(2, _steering.ClaimUdp(53, 2));
        Assert.Equal(StackError.None, _shards[2].Stack.Udp.Bind(new IpEndpoint(default, 53), new(), out var server));
        Assert.Equal(StackError.None, _shards[0].Stack.Udp.Bind(default, new(), out var client));
        Assert.Equal(StackError.None, client!.Send(_shards[0].Payload(1, 2, 3), new IpEndpoint(StackHarness.OwnIp, 53), _shards[0].Now));
        _shards[0].Silent();
        _driver.Cross();
        Assert.True(server!.TryReceive(out var payload, out var from));
        Assert.Equal(new byte[] { 1, 2, 3 }, payload.Span.ToArray());
        Assert.Equal(new IpEndpoint(StackHarness.OwnIp, client.Local.Port), from);
        payload.Release();
    }

    [Fact]
    public void A_segment_without_a_connection_on_a_spread_port_asks_every_shard_before_it_is_reset()
    {
        _steering.SpreadTcp(7);
        var listeners = _shards.Select(shard =>
        {
            Assert.Equal(StackError.None, shard.Stack.Tcp.Listen(new IpEndpoint(IpAddress.AnyV4, 7), 4, default, out var listener));
            return listener!;
        }).ToList();
        _shards[0].TeachPeer();
        _shards[1].Receive(Build.Arp(new ArpPacket(ArpOperation.Request, StackHarness.PeerMac, StackHarness.PeerIp, default, StackHarness.OwnIp)));
        _shards[1].Receive(ShardedHarness.Segment(new TcpHeader { SourcePort = 1234, DestinationPort = 7, Flags = TcpFlags.Ack }));
        Assert.All(_shards, shard => shard.Silent());
        Assert.Equal([2, 0], _driver.Cross());
        Assert.Equal([1, 0, 0], _shards.Select(shard => shard.Frames().Count));
        Assert.Equal(1, _shards[0].Counters.Tcp.TcpOutRsts);

        // Of a port that is one shard's, nobody else is asked.
        _shards[1].Receive(ShardedHarness.Segment(new TcpHeader { SourcePort = 1234, DestinationPort = 8, Flags = TcpFlags.Ack }));
        Assert.Empty(_driver.Cross());
        _shards[1].Single();
        Assert.All(listeners, listener => listener.Close(_shards[0].Now));
    }

    [Fact]
    public void Packets_for_a_sibling_that_does_not_take_them_are_bounded_and_counted()
    {
        using var h = new StackHarness(new StackOptions { Interfaces = [new() { HardwareAddress = StackHarness.OwnMac }], LoopbackFrames = 8, Shard = new StackShard(0, _steering) });
        Assert.Equal(1, _steering.ClaimUdp(53, 1));
        Assert.Equal(StackError.None, h.Stack.Udp.Bind(default, new(), out var client));
        for (byte i = 0; i < 20; i++)
            Assert.Equal(StackError.None, client!.Send(h.Payload(i), new IpEndpoint(StackHarness.OwnIp, 53), h.Now));
        h.Silent();
        var crossed = 0;
        for (; h.Stack.TryDequeueCrossing(out var crossing); crossed++)
        {
            crossing.Packet.Release();
            h.Silent();
        }

        Assert.Equal(20, crossed + h.Counters.LoopbackOverflow);
        Assert.Equal(0, h.Counters.LoopbackOverflow);
    }
}
