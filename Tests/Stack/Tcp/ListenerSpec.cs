using Tapwire.Stack;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Packets;
using Tapwire.Stack.Tcp;
using Tapwire.Tests.Sim;
using Xunit;

namespace Tapwire.Tests.Stack.Tcp;

/// <summary>Ports, listeners, backlogs and limits.</summary>
public class ListenerSpec
{
    private static readonly IpAddress Ours = IpAddress.Parse("192.0.2.1");
    private static readonly IpAddress Theirs = IpAddress.Parse("192.0.2.2");

    private readonly PoisoningBufferPool _pool = new();
    private readonly Instant _now = Instant.FromMilliseconds(1_000_000);
    private SimHost _host = null!;

    private TcpLayer Start(TcpOptions? options = null) => (_host = new SimHost(Ours, _pool, 1, options) { EgressLimit = 10_000 }).Tcp;

    private void Arrive(ushort from, TcpFlags flags, uint sequence, uint acknowledgment, ushort to = 80)
    {
        var header = new TcpHeader
        {
            SourcePort = from, DestinationPort = to, Flags = flags, Sequence = sequence, Acknowledgment = acknowledgment, Window = 65535,
        };
        var buffer = _pool.Rent(header.Length);
        header.Emit(buffer.Append(header.Length));
        SimChecksum.Fill(buffer.Span, Theirs, Ours);
        _host.Tcp.Receive(buffer, new IpReceiveInfo(Theirs, Ours, 64, 0, false), _now);
    }

    private List<TcpHeader> Sent(Instant now)
    {
        _host.Poll(now);
        var sent = new List<TcpHeader>();
        while (_host.TryDequeue(out var packet, out _))
        {
            TcpHeader.TryParse(packet.Span, out var header, out _);
            sent.Add(header);
            packet.Release();
        }

        return sent;
    }

    private void Handshake(ushort port, ushort to = 80)
    {
        Arrive(port, TcpFlags.Syn, 100, 0, to);
        var answer = Sent(_now).SingleOrDefault(header => header.DestinationPort == port && header.Has(TcpFlags.Syn));
        if (answer.Has(TcpFlags.Syn))
            Arrive(port, TcpFlags.Ack, 101, answer.Sequence + 1, to);
    }

    private TcpListener Listen(string address, ushort port, bool reuse = false, int backlog = 8, bool spread = false)
    {
        Assert.Equal(StackError.None, TryListen(address, port, out var listener, reuse, backlog, spread));
        return listener!;
    }

    private StackError TryListen(string address, ushort port, out TcpListener? listener, bool reuse = false, int backlog = 8, bool spread = false) =>
        _host.Tcp.Listen(new IpEndpoint(IpAddress.Parse(address), port), backlog, new TcpSocketOptions { ReuseAddress = reuse, ReusePort = spread }, out listener);

    [Fact]
    public void A_port_is_given_to_one_listener()
    {
        Start();
        Listen("192.0.2.1", 80);
        Assert.Equal(StackError.AddressInUse, TryListen("192.0.2.1", 80, out _));
        Assert.Equal(StackError.AddressInUse, TryListen("0.0.0.0", 80, out _));
        Assert.Equal(StackError.AddressInUse, TryListen("::", 80, out _));
        Assert.Equal(StackError.AddressNotAvailable, TryListen("192.0.2.9", 81, out _));
    }

    [Fact]
    public void A_closed_listener_gives_its_port_back()
    {
        Start();
        var first = Listen("192.0.2.1", 80, spread: true);
        var second = Listen("0.0.0.0", 80, spread: true);
        first.Close(_now);
        second.Close(_now);
        Listen("::", 80);
        Arrive(5000, TcpFlags.Syn, 1, 0);
        Assert.Equal(TcpFlags.Syn | TcpFlags.Ack, Assert.Single(Sent(_now)).Flags);
    }

    [Fact]
    public void Port_zero_chooses_a_free_one()
    {
        Start();
        var first = Listen("0.0.0.0", 0);
        var second = Listen("0.0.0.0", 0);
        Assert.InRange(first.Local.Port, EphemeralPorts.First, EphemeralPorts.Last);
        Assert.NotEqual(first.Local.Port, second.Local.Port);
    }

    [Fact]
    public void The_listener_of_the_address_comes_before_the_wildcard()
    {
        Start();
        var wildcard = Listen("0.0.0.0", 80, spread: true);
        var own = Listen("192.0.2.1", 80, spread: true);
        Handshake(5000);
        Assert.NotNull(own.Accept());
        Assert.Null(wildcard.Accept());
        own.Close(_now);
        Handshake(5001);
        Assert.NotNull(wildcard.Accept());
    }

    [Fact]
    public void A_port_of_living_connections_can_be_had_with_reuse_on_both_sides_only()
    {
        Start();
        var listener = Listen("192.0.2.1", 80, reuse: true);
        Handshake(5000);
        listener.Accept();
        listener.Close(_now);
        Assert.Equal(StackError.AddressInUse, TryListen("0.0.0.0", 80, out _));
        Assert.Equal(StackError.AddressInUse, TryListen("0.0.0.0", 80, out _, spread: true));
        Listen("0.0.0.0", 80, reuse: true).Close(_now);
        listener = Listen("192.0.2.1", 81);
        Handshake(5001, 81);
        listener.Accept();
        listener.Close(_now);
        Assert.Equal(StackError.AddressInUse, TryListen("0.0.0.0", 81, out _, reuse: true));
    }

    [Fact]
    public void Accepted_connections_know_their_peers_in_order()
    {
        Start();
        var listener = Listen("0.0.0.0", 80, backlog: 100);
        for (ushort port = 5000; port < 5100; port++)
            Handshake(port);
        Assert.Equal(100, listener.Waiting);
        for (ushort port = 5000; port < 5100; port++)
        {
            var socket = listener.Accept()!;
            Assert.Equal(new IpEndpoint(Theirs, port), socket.Remote);
            Assert.Equal(new IpEndpoint(Ours, 80), socket.Local);
        }

        Assert.Null(listener.Accept());
    }

    [Fact]
    public void A_full_queue_drops_syns_and_keeps_what_was_begun()
    {
        var tcp = Start();
        var listener = Listen("0.0.0.0", 80, backlog: 2);
        for (ushort port = 5000; port < 5003; port++)
            Arrive(port, TcpFlags.Syn, 100, 0);
        var answers = Sent(_now);
        Assert.Equal(3, answers.Count);
        foreach (var answer in answers)
            Arrive(answer.DestinationPort, TcpFlags.Ack, 101, answer.Sequence + 1);
        Assert.Equal(2, listener.Waiting);
        Assert.Equal(1, tcp.EmbryonicCount);
        Arrive(6000, TcpFlags.Syn, 100, 0);
        Assert.Empty(Sent(_now));
        Assert.Equal(2, tcp.Counters.TcpExtListenOverflows);
        Assert.Equal(1, tcp.Counters.TcpExtListenDrops);

        listener.Accept();
        // The peer hears our SYN-ACK again, and answers it.
        var again = Assert.Single(Sent(_now + TimeSpan.FromSeconds(1.1)));
        Arrive(again.DestinationPort, TcpFlags.Ack, 101, again.Sequence + 1);
        Assert.Equal(2, listener.Waiting);
    }

    [Fact]
    public void A_flood_of_syns_is_bounded()
    {
        var tcp = Start(new TcpOptions { MaxEmbryonic = 50, MaxEmbryonicPerListener = 30, SynCookies = false });
        Listen("0.0.0.0", 80);
        Listen("0.0.0.0", 81);
        for (ushort port = 5000; port < 5040; port++)
        {
            Arrive(port, TcpFlags.Syn, 100, 0);
            Arrive(port, TcpFlags.Syn, 100, 0, to: 81);
        }

        Assert.Equal(50, tcp.EmbryonicCount);
        Assert.Equal(30, tcp.Counters.TcpExtTCPReqQFullDrop);
        _host.Discard();
        for (var at = _now; _host.Timers.NextDeadline != Instant.Never; at = _host.Timers.NextDeadline)
            Sent(at);
        Assert.Equal(0, tcp.EmbryonicCount);
        Assert.Equal(0, tcp.Count);
    }

    [Fact]
    public void The_number_of_sockets_is_bounded()
    {
        var tcp = Start(new TcpOptions { MaxSockets = 2 });
        var listener = Listen("0.0.0.0", 80);
        Handshake(5000);
        Handshake(5001);
        Handshake(5002);
        Assert.Equal(2, listener.Waiting);
        Assert.Equal(StackError.NoBufferSpace, tcp.Connect(new IpEndpoint(Theirs, 9), default(IpEndpoint), default, _now, out var socket));
        Assert.Null(socket);
        Assert.Equal(2, tcp.Counters.TcpSocketsRefused);
    }

    [Fact]
    public void Closing_a_listener_resets_what_nobody_accepted()
    {
        var tcp = Start();
        var listener = Listen("0.0.0.0", 80);
        Handshake(5000);
        Arrive(5001, TcpFlags.Syn, 100, 0);
        var iss = Sent(_now).Single(header => header.DestinationPort == 5001).Sequence;
        listener.Close(_now);
        var resets = Sent(_now);
        Assert.Equal(2, resets.Count);
        Assert.All(resets, static header => Assert.True(header.Has(TcpFlags.Rst)));
        Assert.Equal((0, 0), (tcp.Count, tcp.EmbryonicCount));

        // Whether the peer has seen the SYN-ACK or not: it believes this one.
        var begun = Assert.Single(resets, static header => header.DestinationPort == 5001);
        Assert.Equal((TcpFlags.Rst | TcpFlags.Ack, iss + 1, 101u), (begun.Flags, begun.Sequence, begun.Acknowledgment));
        Arrive(5001, TcpFlags.Ack, 101, iss + 1);
        Assert.True(Assert.Single(Sent(_now)).Has(TcpFlags.Rst));
        _pool.AssertAllReturned();
    }

    [Fact]
    public void Resets_for_strangers_are_bounded()
    {
        var tcp = Start(new TcpOptions { ResetsPerSecond = 10 });
        for (ushort port = 1; port <= 100; port++)
            Arrive(5000, TcpFlags.Syn, 1, 0, to: port);
        Assert.Equal(10, Sent(_now).Count);
        Assert.Equal(90, tcp.Counters.TcpOutRstsRateLimited);
    }

    [Fact]
    public void Challenges_are_bounded_for_all_connections_together()
    {
        var tcp = Start(new TcpOptions { ChallengeAcksPerSecond = 20 });
        Listen("0.0.0.0", 80, backlog: 100);
        for (ushort port = 5000; port < 5100; port++)
            Handshake(port);
        for (ushort port = 5000; port < 5100; port++)
            Arrive(port, TcpFlags.Rst, 102, 0);
        Assert.InRange(Sent(_now).Count, 10, 20);
        Assert.Equal(100, tcp.Count);
    }

    [Fact]
    public void An_address_that_goes_takes_its_connections_along()
    {
        var tcp = Start();
        var listener = Listen("0.0.0.0", 80);
        Handshake(5000);
        Arrive(5001, TcpFlags.Syn, 100, 0);
        var socket = listener.Accept()!;
        while (_host.Events.TryDequeue(out _, out _))
        {
        }

        tcp.AddressRemoved(Ours, tellsPeers: false, _now);
        Assert.Equal(StackError.ConnectionAborted, socket.Error);
        Assert.True(_host.Events.TryDequeue(out var closed, out var events));
        Assert.Same(socket, closed);
        Assert.True(events.HasFlag(SocketEvents.Closed));
        Assert.Equal((0, 0), (tcp.Count, tcp.EmbryonicCount));
    }

    [Fact]
    public void Connecting_answers_at_once_what_can_be_known_at_once()
    {
        var tcp = Start();
        Assert.Equal(StackError.InvalidArgument, Connect("192.0.2.2", 0));
        Assert.Equal(StackError.InvalidArgument, Connect("0.0.0.0", 80));
        Assert.Equal(StackError.NetworkUnreachable, Connect("224.0.0.1", 80));
        Assert.Equal(StackError.AddressNotAvailable, Connect("192.0.2.2", 80, "192.0.2.9"));
        Assert.Equal(StackError.None, Connect("192.0.2.2", 80, "192.0.2.1", 4000));
        Assert.Equal(StackError.AddressNotAvailable, Connect("192.0.2.2", 80, "192.0.2.1", 4000));
        Assert.Equal(StackError.None, Connect("192.0.2.2", 81, "192.0.2.1", 4000));
        _host.RouteError = StackError.NetworkUnreachable;
        Assert.Equal(StackError.NetworkUnreachable, Connect("192.0.2.2", 80));
        Assert.Equal(2, tcp.Count);
    }

    private StackError Connect(string remote, ushort port, string local = "0.0.0.0", ushort localPort = 0) => _host.Tcp.Connect(
        new IpEndpoint(IpAddress.Parse(remote), port), new IpEndpoint(IpAddress.Parse(local), localPort), default, _now, out _);

    [Fact]
    public void Initial_sequence_numbers_differ_by_connection_and_grow_with_time()
    {
        var tcp = Start();
        var pair = new TcpPair(new IpEndpoint(Ours, 1), new IpEndpoint(Theirs, 2));
        var other = new TcpPair(new IpEndpoint(Ours, 1), new IpEndpoint(Theirs, 3));
        var first = tcp.Secrets.InitialSequence(pair, _now);
        Assert.Equal(250_000u, tcp.Secrets.InitialSequence(pair, _now + TimeSpan.FromSeconds(1)) - first);
        Assert.NotInRange(tcp.Secrets.InitialSequence(other, _now) - first, 0u, 1_000_000u);
        Assert.NotEqual(first, new SimHost(Ours, _pool, 2).Tcp.Secrets.InitialSequence(pair, _now));
    }

    [Fact]
    public void The_table_finds_everything_while_it_grows_and_shrinks()
    {
        var table = new TcpTable(new KeyedRandom(new byte[32]));
        var random = new Random(3);
        var there = new List<TcpConnection>();
        for (var i = 0; i < 30_000; i++)
        {
            var pair = new TcpPair(new IpEndpoint(Ours, 80), new IpEndpoint(IpAddress.FromV4((uint)i), 9));
            var entry = new TcpConnection(pair, table.HashOf(pair));
            Assert.Null(table.Find(pair));
            table.Add(entry);
            there.Add(entry);
            if (random.Next(3) == 0)
            {
                var index = random.Next(there.Count);
                table.Remove(there[index]);
                Assert.Null(table.Find(there[index].Pair));
                there[index] = there[^1];
                there.RemoveAt(there.Count - 1);
            }

            Assert.Equal(there.Count, table.Count);
            if (there.Count > 0)
                Assert.NotNull(table.Find(there[random.Next(there.Count)].Pair));
        }

        Assert.Equal(there.ToHashSet<TcpEntry>(), table.Snapshot().ToHashSet());
    }
}
