using Tapwire.Stack;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Packets;
using Tapwire.Stack.Tcp;
using Tapwire.Tests.Support;
using Xunit;

namespace Tapwire.Tests.Stack;

/// <summary>Listeners with SO_REUSEPORT on several shards. Whichever queue a segment comes in on, all is as with one stack (ReusePortSpec).</summary>
public sealed class ShardedGroupSpec : IDisposable
{
    private const int Shards = 3;
    private const ushort Port = 80;

    private static readonly PortSharing Sharing = new() { ReusePort = true, Owner = 1000 };

    // Of each flow: our initial sequence number, and the peer's next.
    private readonly Dictionary<ushort, uint> _sequences = [];
    private readonly Dictionary<ushort, uint> _next = [];
    private readonly List<TcpBinding> _bindings = [];
    private ShardedHarness _driver = new(Shards);

    public ShardedGroupSpec() => _driver.TeachPeer();

    public void Dispose() => _driver.Dispose();

    [Theory]
    [InlineData(new[] { 0, 1 })]
    [InlineData(new[] { 0, 0, 1 })]
    [InlineData(new[] { 0, 1, 2, 0, 1 })]
    [InlineData(new[] { 2, 2, 2, 2, 1 })]
    public void Connections_are_spread_evenly_however_members_are_distributed(int[] shards)
    {
        const int Flows = 1500;
        _driver.Steering.JoinTcp(Port, Sharing, 0);
        var group = shards.Select(shard => JoinOn(shard)).ToList();
        for (ushort port = 10_000; port < 10_000 + Flows; port++)
            Handshake(port);
        AssertEven(group.Select(static listener => listener.Waiting).ToList(), Flows);

        // The same flows again, after a reset of each.
        var first = group.Select(TakeAll).ToList();
        foreach (var port in _sequences.Keys)
            Arrive(port, TcpFlags.Rst, 101, 0);
        for (ushort port = 10_000; port < 10_000 + Flows; port++)
            Handshake(port);
        Assert.Equal(first, group.Select(TakeAll));
        Assert.Equal(2 * Flows, _driver.Shards.Sum(static shard => shard.Counters.Tcp.TcpPassiveOpens));
    }

    [Fact]
    public void A_new_member_goes_where_the_fewest_are_whichever_sockets_are_made_beside_it()
    {
        Assert.Equal([0, 1, 2, 0, 1, 2], Enumerable.Range(0, 6).Select(i =>
        {
            // Of each three sockets that go round the shards one is for this port, so that all come to it by way of the same shard.
            var shard = _driver.Steering.JoinTcp(Port, Sharing, 0);
            JoinOn(shard);
            return shard;
        }));
    }

    [Fact]
    public void Who_joins_or_leaves_moves_no_connection()
    {
        var group = new List<TcpListener> { Join(), Join(), Join() };
        for (ushort port = 10_000; port < 10_150; port++)
            Handshake(port);
        var sockets = group.SelectMany(static listener => Accepted(listener)).ToDictionary(static socket => socket.Remote.Port);
        Assert.Equal(150, sockets.Count);

        group.Add(Join());
        AssertAllAnswer(sockets);
        group[0].Close(_driver[0].Now);
        AssertAllAnswer(sockets);
        group[2].Close(_driver[0].Now);
        group[3].Close(_driver[0].Now);
        AssertAllAnswer(sockets);
        Assert.Equal(0, _driver.Shards.Sum(static shard => shard.Counters.Tcp.TcpOutRsts));
    }

    [Fact]
    public void Who_closes_resets_what_waits_with_it_and_the_others_stay()
    {
        var group = new[] { Join(), Join(), Join() };
        for (ushort port = 10_000; port < 10_060; port++)
            Handshake(port);
        for (ushort port = 10_060; port < 10_120; port++)
            Syn(port);
        var waiting = group[1].Waiting;
        var embryos = group[1].EmbryonicCount;
        Assert.InRange(waiting, 1, 59);
        Assert.InRange(embryos, 1, 59);
        group[1].Close(_driver[1].Now);
        Assert.Equal(waiting + embryos, _driver.Segments().Count(static header => header.Has(TcpFlags.Rst)));
        Assert.Equal(60 - waiting, group[0].Waiting + group[2].Waiting);
        for (ushort port = 11_000; port < 11_060; port++)
            Handshake(port);
        Assert.Equal(120 - waiting, group[0].Waiting + group[2].Waiting);
    }

    [Fact]
    public void A_repeated_SYN_finds_the_handshake_that_its_first_began_although_the_group_has_changed()
    {
        Join();
        Join();
        for (ushort port = 10_000; port < 10_100; port++)
            Syn(port);
        Join();
        foreach (var port in _sequences.Keys)
            Arrive(port, TcpFlags.Syn, 100, 0);
        Assert.Equal(100, _driver.Shards.Sum(static shard => shard.Stack.Tcp.EmbryonicCount));
        Assert.All(_driver.Segments(), header => Assert.Equal(_sequences[header.DestinationPort], header.Sequence));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_SYN_crosses_to_its_shard_and_what_follows_on_that_shards_queue_not_at_all(bool isSettled)
    {
        JoinOn(0);
        _driver.Steering.JoinTcp(Port, Sharing, 0);
        var there = JoinOn(1);
        for (ushort port = 10_000; port < 10_040; port++)
        {
            if (isSettled && port == 10_001)
                _driver.Advance(TimeSpan.FromMinutes(3));
            var header = new TcpHeader { SourcePort = port, DestinationPort = Port, Flags = TcpFlags.Syn, Sequence = 100, Window = 65535 };
            var waiting = there.EmbryonicCount;
            var hops = _driver.Arrive(ShardedHarness.Segment(header), 1);
            var shard = there.EmbryonicCount > waiting ? 1 : 0;

            // For two minutes after the second joined, by way of the shard that would have had it before, which is the first.
            int[] way = isSettled && port > 10_000 ? [] : [0, 1];
            Assert.Equal(shard == 1 ? way : [0], hops);
            var answer = Assert.Single(_driver.Segments());
            Assert.Empty(_driver.Arrive(ShardedHarness.Segment(header with { Flags = TcpFlags.Ack, Sequence = 101, Acknowledgment = answer.Sequence + 1 }), shard));
            Assert.Equal([shard], _driver.Arrive(ShardedHarness.Segment(header with { Flags = TcpFlags.Ack, Sequence = 101, Acknowledgment = answer.Sequence + 1 }), 2));
        }
    }

    [Fact]
    public void A_connection_in_TIME_WAIT_gives_way_to_a_new_one_although_its_shard_has_no_listener_any_more()
    {
        var group = new[] { Join(), Join() };
        ushort port = 10_000;
        while (group[1].Waiting == 0)
            Handshake(++port);
        var socket = group[1].Accept()!;
        socket.Close(_driver[1].Now);
        var fin = _driver.Segments().Single(static header => header.Has(TcpFlags.Fin));
        Arrive(port, TcpFlags.Fin | TcpFlags.Ack, 101, fin.Sequence + 1);
        _driver.Frames();
        Assert.Equal(1, _driver[1].Stack.Tcp.TimeWaitCount);
        group[1].Close(_driver[1].Now);
        var waiting = group[0].Waiting;
        Arrive(port, TcpFlags.Syn, 10_000, 0);
        var answer = Assert.Single(_driver.Segments());
        Assert.True(answer.Has(TcpFlags.Syn));
        Arrive(port, TcpFlags.Ack, 10_001, answer.Sequence + 1);
        Assert.Equal(waiting + 1, group[0].Waiting);
        Assert.Equal(0, _driver[1].Stack.Tcp.TimeWaitCount);
    }

    [Fact]
    public void A_segment_that_belongs_to_no_connection_is_reset_once()
    {
        Join();
        Join();
        for (ushort port = 10_000; port < 10_020; port++)
        {
            Arrive(port, TcpFlags.Ack, 101, 1);
            Assert.True(Assert.Single(_driver.Segments()).Has(TcpFlags.Rst));
        }
    }

    [Fact]
    public void A_cookie_is_taken_back_on_whichever_queue_it_comes()
    {
        Restart(new TcpOptions { MaxEmbryonicPerListener = 1, MaxEmbryonic = 2 });
        var group = new List<TcpListener> { Join(backlog: 1000), Join(backlog: 1000) };
        for (ushort port = 10_000; port < 10_100; port++)
            Syn(port);
        Assert.InRange(_driver.Shards.Sum(static shard => shard.Counters.Tcp.TcpExtSyncookiesSent), 90, 99);
        group.Add(Join(backlog: 1000));
        foreach (var (port, sequence) in _sequences)
            Arrive(port, TcpFlags.Ack, 101, sequence + 1);
        Assert.Equal(100, group.Sum(static listener => listener.Waiting));
        Assert.DoesNotContain(_driver.Segments(), static header => header.Has(TcpFlags.Rst));
    }

    [Fact]
    public void Fast_open_works_with_the_cookie_of_any_member()
    {
        var group = Enumerable.Range(0, Shards).Select(_ => Join(queue: 8)).ToList();
        SynWithCookie(5000, default);
        var cookie = _driver.Segments().Single(static header => header.DestinationPort == 5000).FastOpenCookie;
        for (ushort port = 6000; port < 6015; port++)
            SynWithCookie(port, cookie);
        Assert.Equal(15, group.Sum(static listener => listener.Waiting));
        Assert.All(group, static listener => Assert.True(listener.Waiting > 0));
    }

    [Fact]
    public void The_drivers_own_clients_are_spread_too_and_their_connections_stay()
    {
        var group = new List<TcpListener> { Join(), Join() };
        var clients = new List<TcpSocket>();
        for (var i = 0; i < 60; i++)
        {
            var from = _driver[i % Shards];
            Assert.Equal(StackError.None, from.Stack.Tcp.Connect(new IpEndpoint(StackHarness.OwnIp, Port), default(IpEndpoint), default, from.Now, out var client));
            clients.Add(client!);
        }

        Settle();
        Assert.Equal(60, group.Sum(static listener => listener.Waiting));
        Assert.All(group, static listener => Assert.InRange(listener.Waiting, 15, 45));
        var sockets = group.SelectMany(static listener => Accepted(listener)).ToList();
        group.Add(Join());
        foreach (var (i, client) in clients.Index())
            Assert.Equal(StackError.None, client.Write(_driver[i % Shards].Payload(1, 2, 3), _driver[i % Shards].Now));
        Settle();
        Assert.All(sockets, static socket =>
        {
            var chain = socket.Read(out var bytes, out _);
            Assert.Equal(3, bytes);
            chain?.Release();
        });
    }

    [Fact]
    public void Who_does_not_share_the_port_is_refused_on_every_shard()
    {
        Join();
        Join();
        for (var shard = 0; shard < Shards; shard++)
        {
            Assert.Equal(StackError.AddressInUse, TryBind(shard, Sharing with { Owner = 1001 }));
            Assert.Equal(StackError.AddressInUse, TryBind(shard, Sharing with { Owner = 1001 }, "10.0.0.1"));
            Assert.Equal(StackError.AddressInUse, TryBind(shard, new PortSharing { ReuseAddress = true, Owner = 1000 }));
            Assert.Equal(StackError.AddressInUse, TryBind(shard, default));
            Assert.Equal(StackError.None, TryBind(shard, Sharing with { IsV6Only = true, Owner = 1001 }, "::"));
            Assert.Equal(StackError.AddressInUse, TryBind((shard + 1) % Shards, Sharing, "::"));
            _bindings[^1].Release();
        }
    }

    [Fact]
    public void The_connections_of_a_group_that_is_closed_keep_the_port_from_others_wherever_they_bind_it()
    {
        var group = new[] { Join(), Join() };
        for (ushort port = 10_000; port < 10_020; port++)
            Handshake(port);
        var sockets = Accepted(group[1]);
        foreach (var listener in group)
            listener.Close(_driver[0].Now);
        _driver.Frames();
        for (var shard = 0; shard < Shards; shard++)
        {
            Assert.Equal(StackError.AddressInUse, TryBind(shard, new PortSharing { ReuseAddress = true }));
            Assert.Equal(StackError.None, TryBind(shard, Sharing with { Owner = 7 }));
            _bindings[^1].Release();
        }

        foreach (var socket in sockets)
            socket.Abort(_driver[1].Now);
        _driver.Frames();
        Assert.Equal(StackError.None, TryBind(2, default));
    }

    private void Restart(TcpOptions options)
    {
        _driver.Dispose();
        _driver = new ShardedHarness(Shards, options);
        _driver.TeachPeer();
    }

    private static void AssertEven(List<int> counts, int total)
    {
        // Five standard deviations of the binomial distribution.
        var mean = (double)total / counts.Count;
        var tolerance = 5 * Math.Sqrt(mean * (1 - (1.0 / counts.Count)));
        Assert.Equal(total, counts.Sum());
        Assert.All(counts, count => Assert.InRange(count, mean - tolerance, mean + tolerance));
    }

    /// <summary>Each connection takes a byte that comes in on the wrong queue, and answers it.</summary>
    private void AssertAllAnswer(Dictionary<ushort, TcpSocket> sockets)
    {
        foreach (var (port, socket) in sockets)
        {
            var header = new TcpHeader
            {
                SourcePort = port, DestinationPort = Port, Flags = TcpFlags.Ack | TcpFlags.Psh, Sequence = _next.GetValueOrDefault(port, 101u),
                Acknowledgment = _sequences[port] + 1, Window = 65535,
            };
            _driver.Arrive(ShardedHarness.Segment(header, 7), (port + 1) % Shards);
            var chain = socket.Read(out var bytes, out _);
            Assert.Equal(1, bytes);
            chain?.Release();
            _next[port] = header.Sequence + 1;
        }

        _driver.Frames();
    }

    private void Arrive(ushort from, TcpFlags flags, uint sequence, uint acknowledgment) => _driver.Arrive(ShardedHarness.Segment(new TcpHeader
    {
        SourcePort = from, DestinationPort = Port, Flags = flags, Sequence = sequence, Acknowledgment = acknowledgment, Window = 65535,
    }), ((from * 7) + (int)sequence) % Shards);

    private uint Syn(ushort port)
    {
        Arrive(port, TcpFlags.Syn, 100, 0);
        return _sequences[port] = _driver.Segments().Single(header => header.DestinationPort == port && header.Has(TcpFlags.Syn)).Sequence;
    }

    private void Handshake(ushort port) => Arrive(port, TcpFlags.Ack, 101, Syn(port) + 1);

    private void SynWithCookie(ushort port, FastOpenCookie cookie) => _driver.Arrive(ShardedHarness.Segment(new TcpHeader
    {
        SourcePort = port, DestinationPort = Port, Flags = TcpFlags.Syn, Sequence = 100, Window = 65535, HasFastOpen = true, FastOpenCookie = cookie,
    }), port % Shards);

    private void Settle()
    {
        do
            Assert.Empty(_driver.Frames());
        while (_driver.Cross().Count > 0);
    }

    private TcpListener Join(int backlog = 4096, int queue = 0) => JoinOn(_driver.Steering.JoinTcp(Port, Sharing, 0), backlog, queue);

    private TcpListener JoinOn(int shard, int backlog = 4096, int queue = 0)
    {
        // As a second member would: what is grouped stays so.
        Assert.Equal(StackError.None, TryBind(shard, Sharing));
        var binding = _bindings[^1];
        Assert.Equal(StackError.None, binding.Listen(backlog, new TcpSocketOptions { ReusePort = true, FastOpenQueue = queue }, out var listener));
        _driver.Steering.JoinTcp(Port, Sharing, 0);
        return listener!;
    }

    private StackError TryBind(int shard, PortSharing sharing, string address = "0.0.0.0")
    {
        var error = _driver[shard].Stack.Tcp.Bind(new IpEndpoint(IpAddress.Parse(address), Port), sharing, out var binding);
        if (binding is not null)
            _bindings.Add(binding);
        return error;
    }

    private static List<TcpSocket> Accepted(TcpListener listener)
    {
        var sockets = new List<TcpSocket>();
        while (listener.Accept() is { } socket)
            sockets.Add(socket);
        return sockets;
    }

    private static List<ushort> TakeAll(TcpListener listener) => [.. Accepted(listener).Select(static socket => socket.Remote.Port).Order()];
}
