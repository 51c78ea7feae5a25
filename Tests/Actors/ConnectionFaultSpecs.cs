using Akka.Actor;
using Akka.TestKit;
using Tapwire.Actors.Link;
using Tapwire.Links.Protocol;
using Tapwire.Messages;
using Tapwire.Posix;
using Tapwire.Stack;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Interfaces;
using Tapwire.Stack.Packets;
using Tapwire.Stack.Tcp;
using Tapwire.Tests.Actors.Support;
using Tapwire.Tests.Support;
using Xunit;

namespace Tapwire.Tests.Actors;

/// <summary>Connections that meet a fault, an outage, a loss or an impatient application.</summary>
public sealed class ConnectionFaultSpecs : DriverSetup
{
    private static readonly IpAddress Second = IpAddress.Parse("192.0.2.2");

    private static Sockaddr PeerAt(ushort port) => Sockaddr.From(new IpEndpoint(Support.Peer.Address, port));

    [Fact]
    public void An_exception_in_a_connections_actor_resets_that_connection_and_nothing_else()
    {
        var listener = Peer.Listen(80);
        using var first = OpenConnected(80);
        var toFirst = listener.Accept()!;
        var actors = SocketActors();
        using var second = OpenConnected(80);
        var toSecond = listener.Accept()!;
        var ofSecond = Assert.Single(SocketActors().Except(actors));

        // A buffer that has been given back already: the actor fails when it has written it.
        var dead = Pool.Rent(10);
        dead.Append(10);
        dead.Release();
        // It fails on it once more when it gives back what it has.
        EventFilter.Exception<ObjectDisposedException>().Expect(2, () => ofSecond.Tell(new ReadReady(dead, 10, false)));
        RunUntil(() => Peer.Ended.Contains(toSecond));
        Assert.Equal(StackError.ConnectionReset, toSecond.Error);
        second.Read();
        Assert.True(second.SawReset);
        Assert.Equal(LinkErrno.BadHandle, Ask(new GetSockNameRequest(1, second.Handle)).Error);

        Peer.Send(toFirst, "still here"u8);
        Run();
        Assert.Equal("still here"u8.ToArray(), first.Read());
        Assert.Equal(1, StackStatus().ConnectionCount);
    }

    [Fact]
    public void An_address_that_is_removed_under_a_live_connection_is_ECONNRESET_and_SO_ERROR_says_ECONNABORTED()
    {
        Peer.Listen(80);
        using var app = OpenConnected(80);
        Probe(new RemoveAddress(Address));
        Run();
        app.Read();
        Assert.True(app.SawReset);
        Assert.Equal((int)StackError.ConnectionAborted, OptionOf(app, 1, 4));
        Assert.Equal(0, OptionOf(app, 1, 4));

        // Added again, it serves new connections.
        Probe(new AddAddress(new IpPrefix(Address, 24)));
        using var again = OpenConnected(80);
    }

    [Fact]
    public void Removing_one_address_leaves_connections_on_another_alone()
    {
        var listener = Peer.Listen(80);
        Probe(new AddAddress(new IpPrefix(Second, 24)));
        using var app = OpenConnected(80);
        var socket = listener.Accept()!;
        Probe(new RemoveAddress(Second));
        Peer.Send(socket, "untouched"u8);
        Run();
        Assert.Equal("untouched"u8.ToArray(), app.Read());
    }

    [Fact]
    public void P7_a_peer_that_vanishes_is_ETIMEDOUT_and_SO_ERROR_says_so()
    {
        Peer.Listen(80);
        using var app = OpenConnected(80);
        Assert.Equal(0, Ask(new SetOptionRequest(1, app.Handle, 6, 18, BitConverter.GetBytes(5000))).Error); // TCP_USER_TIMEOUT
        Peer.Loses = _ => true;
        app.Write("is anybody there?"u8);
        RunUntil(() =>
        {
            app.Read();
            return app.SawReset;
        }, within: TimeSpan.FromSeconds(30));
        Assert.Equal((int)StackError.TimedOut, OptionOf(app, 1, 4));
    }

    [Fact]
    public void SO_ERROR_of_a_living_connection_tells_once_what_ICMP_has_said()
    {
        Peer.Listen(80);
        using var app = OpenConnected(80);
        byte[]? lost = null;
        Peer.Loses = bytes =>
        {
            if (bytes.AsSpan().EndsWith("anybody there?"u8))
                lost = bytes;
            return true;
        };
        app.Write("is anybody there?"u8);
        RunUntil(() => lost is not null);
        var error = new Icmpv4Header(Icmpv4Type.DestinationUnreachable, Icmpv4Unreachable.Host, 0);
        var frame = Build.Icmp(error, lost.AsSpan(14), Support.Peer.Address, Address, MacAddress.FromBytes(lost.AsSpan(6, 6)));
        lost.AsSpan(0, 6).CopyTo(frame.AsSpan(6));
        Wire.Deliver(frame);
        Run();
        Assert.Equal((int)StackError.HostUnreachable, OptionOf(app, 1, 4));
        Assert.Equal(0, OptionOf(app, 1, 4));
        Peer.Loses = _ => false;
        Advance(TimeSpan.FromSeconds(2));
        app.Read();
        Assert.False(app.SawReset);
    }

    [Fact]
    public void What_is_kept_of_a_failed_connection_stays_as_long_as_its_application_may_ask()
    {
        Peer.Listen(80);
        using var app = OpenConnected(80);
        Assert.Equal(0, Ask(new SetOptionRequest(2, app.Handle, 6, 1, BitConverter.GetBytes(1))).Error); // TCP_NODELAY
        var name = Ask(new GetSockNameRequest(1, app.Handle)).Address;
        Probe(new RemoveAddress(Address));
        Advance(TimeSpan.FromHours(1));
        Assert.Equal(name, Ask(new GetSockNameRequest(1, app.Handle)).Address);
        Assert.Equal((int)StackError.NotConnected, Ask(new GetPeerNameRequest(1, app.Handle)).Error);
        Assert.Equal(1, OptionOf(app, 6, 1));
        Assert.Equal(0, Ask(new SetOptionRequest(2, app.Handle, 1, 9, BitConverter.GetBytes(1))).Error); // SO_KEEPALIVE
        Assert.Equal(1, OptionOf(app, 1, 9));
        Assert.Equal(1, OptionOf(app, 1, 3)); // SO_TYPE
        Assert.Equal((int)StackError.AlreadyConnected, Ask(new ConnectRequest(3, app.Handle, Sockaddr.None, 0, false)).Error);
        Assert.Equal((int)StackError.InvalidArgument, Ask(new ListenRequest(3, app.Handle, 1)).Error);
        Assert.Equal((int)StackError.ConnectionAborted, OptionOf(app, 1, 4));
        Assert.Equal(0, OptionOf(app, 1, 4));
    }

    [Fact]
    public void Of_sockets_that_have_ended_the_oldest_is_forgotten_first()
    {
        var ended = new EndedSockets();
        for (var handle = 1ul; handle <= EndedSockets.Limit + 1; handle++)
            ended.Add(handle, new Ended());
        Assert.Null(ended.Answer(new GetSockNameRequest(1, 1)));
        Assert.NotNull(ended.Answer(new GetSockNameRequest(1, 2)));
        Assert.NotNull(ended.Answer(new GetSockNameRequest(1, EndedSockets.Limit + 1)));
    }

    private sealed class Ended : IEndedSocket
    {
        public LinkAnswer Answer(LinkSocketRequest request) => request.Failed(StackError.NotConnected);
    }

    [Fact]
    public void A_wire_that_fails_costs_no_connection_TCP_sends_again_when_it_is_back()
    {
        var listener = Peer.Listen(80);
        using var app = OpenConnected(80);
        var socket = listener.Accept()!;
        EventFilter.Warning(contains: "no such device").ExpectOne(Wire.Break);
        app.Write("during the outage"u8);
        Peer.Send(socket, "from the other side"u8);
        Advance(TimeSpan.FromSeconds(2));
        Assert.Empty(Peer.Received(socket));

        var second = new MemoryWire("second");
        NextWires.Enqueue(second);
        Peer.Wire = second;
        RunUntil(() => Peer.ReceivedCount(socket) > 0, within: TimeSpan.FromSeconds(20));
        Assert.Equal("during the outage"u8.ToArray(), Peer.Received(socket));
        var got = new List<byte>();
        RunUntil(() =>
        {
            got.AddRange(app.Read());
            return got.Count > 0;
        }, within: TimeSpan.FromSeconds(20));
        Assert.Equal("from the other side"u8.ToArray(), got);
    }

    [Fact]
    public void When_the_wire_is_back_the_stack_announces_its_addresses_on_it()
    {
        Advance(TimeSpan.FromSeconds(10));
        Wire.Break();
        var second = new MemoryWire("second");
        NextWires.Enqueue(second);
        Advance(TimeSpan.FromMilliseconds(100));
        Assert.True(second.Sent.TryDequeue(out var frame));
        Assert.Equal((0xFF, 0xFF, 0x08, 0x06), (frame![0], frame[5], frame[12], frame[13])); // a broadcast ARP packet
        Assert.Equal(new byte[] { 10, 99, 0, 2 }, frame[28..32]); // whose sender is the stack
    }

    [Fact]
    public void Fifty_connections_at_once_over_a_path_that_loses_frames_are_all_intact()
    {
        const int Count = 50;
        const int Size = 25_000;
        var random = new Random(7);
        var listener = Peer.Listen(80, backlog: Count);
        var apps = new List<App>();
        var got = new Dictionary<App, List<byte>>();
        var sockets = new Dictionary<IpEndpoint, TcpSocket>();
        for (var i = 0; i < Count; i++)
        {
            var app = OpenConnected(80);
            apps.Add(app);
            got[app] = [];
            var socket = listener.Accept()!;
            sockets[socket.Remote] = socket;
        }

        var pairs = apps.Select(app => (App: app, Socket: sockets[Ask(new GetSockNameRequest(1, app.Handle)).Address.Endpoint])).ToList();
        Peer.Loses = _ => random.Next(100) < 5;
        for (var i = 0; i < Count; i++)
        {
            Peer.Send(pairs[i].Socket, Bytes(i, Size));
            Assert.Equal(Size, pairs[i].App.TryWrite(Bytes(1000 + i, Size)));
        }

        RunUntil(() =>
        {
            foreach (var (app, _) in pairs)
                got[app].AddRange(app.Read());
            return pairs.TrueForAll(pair => got[pair.App].Count == Size && Peer.ReceivedCount(pair.Socket) == Size);
        });
        for (var i = 0; i < Count; i++)
        {
            Assert.Equal(Bytes(i, Size), got[pairs[i].App]);
            Assert.Equal(Bytes(1000 + i, Size), Peer.Received(pairs[i].Socket));
        }

        Assert.True(StackStatus().Counters.GetValueOrDefault("TcpRetransSegs") > 0, "Nothing was lost.");
        Peer.Loses = _ => false;
        apps.ForEach(app => app.Dispose());
    }

    [Fact]
    public void A_connect_that_the_application_gives_up_by_closing_is_answered_all_the_same()
    {
        Peer.Loses = _ => true;
        var app = Open();
        LinkActor.Tell(new LinkCall(new ConnectRequest(7, app.Handle, PeerAt(80), 0, false)), Session);
        Run();
        Assert.False(Session.HasMessages);
        app.Dispose();
        Run();
        Assert.Equal((7u, (int)StackError.ConnectionAborted), Reply(Session));
        Assert.Empty(StackStatus().Connections);
    }

    [Fact]
    public void A_connect_that_is_given_up_by_a_close_request_is_answered_too()
    {
        Peer.Loses = _ => true;
        using var app = Open();
        LinkActor.Tell(new LinkCall(new ConnectRequest(7, app.Handle, PeerAt(80), 0, false)), Session);
        LinkActor.Tell(new LinkCall(new CloseRequest(8, app.Handle)), Session);
        Assert.Equal((8u, 0), Reply(Session));
        Assert.Equal((7u, (int)StackError.ConnectionAborted), Reply(Session));
        Run();
        Assert.False(Session.HasMessages);
    }

    [Fact]
    public void While_connecting_a_second_connect_is_EALREADY_and_a_bind_or_listen_EINVAL()
    {
        Peer.Loses = _ => true;
        using var app = Open();
        Assert.Equal(LinkErrno.InProgress, Ask(new ConnectRequest(7, app.Handle, PeerAt(80), 0, NoWait: true)).Error);
        Assert.Equal(LinkErrno.AlreadyConnecting, Ask(new ConnectRequest(8, app.Handle, PeerAt(80), 0, false)).Error);
        Assert.Equal((int)StackError.InvalidArgument, Ask(new BindRequest(9, app.Handle, PeerAt(80))).Error);
        Assert.Equal((int)StackError.InvalidArgument, Ask(new ListenRequest(10, app.Handle, 1)).Error);
        Assert.Equal(0, OptionOf(app, 1, 4));
    }

    [Fact]
    public void A_driver_that_stops_while_an_application_connects_ends_its_descriptor()
    {
        Peer.Loses = _ => true;
        using var app = Open();
        LinkActor.Tell(new LinkCall(new ConnectRequest(7, app.Handle, PeerAt(80), 0, false)), Session);
        Run();
        StopDriver();
        app.Read();
        Assert.True(app.SawEndOfFile || app.SawReset);
        Assert.Equal((7u, (int)StackError.ConnectionAborted), Reply(Session));
    }

    [Fact]
    public void A_thousand_open_and_close_cycles_leave_nothing_behind()
    {
        var listener = Peer.Listen(80, backlog: 4);
        var registered = Reactor.Count;
        for (var i = 0; i < 1000; i++)
        {
            var app = OpenConnected(80);
            var socket = listener.Accept()!;
            Peer.Send(socket, "x"u8);
            Run();
            Assert.Single(app.Read());
            app.Dispose();
            Run();
            socket.Close(Peer.Now);
            Run();
            if (i % 100 == 99)
                Advance(TimeSpan.FromSeconds(61), TimeSpan.FromSeconds(1)); // the peer's TIME-WAIT, or ours
        }

        Assert.Equal(registered, Reactor.Count);
        Assert.Empty(StackStatus().Connections);
        Assert.Equal(0, Pool.Rented);
    }

    private static byte[] Bytes(int seed, int size)
    {
        var bytes = new byte[size];
        new Random(seed).NextBytes(bytes);
        return bytes;
    }

    private static (uint Id, int Error) Reply(TestProbe session)
    {
        var answer = session.ExpectMsg<LinkReply>().Answer;
        return (answer.Id, answer.Error);
    }

    private void Probe(object question)
    {
        var asker = CreateTestProbe();
        asker.Send(StackActor, question);
        Assert.Equal(StackError.None, asker.ExpectMsg<AddressAnswer>().Error);
    }

    private HashSet<IActorRef> SocketActors()
    {
        var asker = CreateTestProbe();
        Sys.ActorSelection("/user/driver/link/*").Tell(new Identify(0), asker.Ref);
        var actors = new HashSet<IActorRef>();
        while (asker.HasMessages)
            actors.Add(asker.ExpectMsg<ActorIdentity>().Subject);
        return actors;
    }
}
