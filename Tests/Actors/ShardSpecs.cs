using System.Buffers.Binary;
using System.Text.Json;
using Akka.Actor;
using Tapwire.Actors;
using Tapwire.Actors.Link;
using Tapwire.Links.Protocol;
using Tapwire.Messages;
using Tapwire.Posix;
using Tapwire.Stack;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Packets;
using Tapwire.Tests.Actors.Support;
using Xunit;

namespace Tapwire.Tests.Actors;

/// <summary>A driver of three shards. The device has three queues; which one a frame comes in on is the spec's choice, which no shard may rely on.</summary>
public sealed class ShardSpecs() : DriverSetup("""
    shards = 3
    serve = ["echo:7", "source:19"]
    """)
{
    private const int Shards = 3;
    private const int SourcePortAt = EthernetHeader.Length + Ipv4Header.Length;

    private static readonly IpEndpoint Echo = new(Address, 7);

    private readonly List<MemoryWire> _queues = [];

    protected override DriverContext Adapted(DriverContext context)
    {
        _queues.Add(Wire);
        while (_queues.Count < Shards)
            _queues.Add(Wire.AddQueue());
        return context with { Shards = [.. _queues.Select(queue => context.Home with { Wires = [context.Home.Wires[0] with { Wire = queue }] })] };
    }

    [Fact]
    public void A_service_is_served_by_all_shards_each_on_the_connections_that_come_to_its_queue()
    {
        SteerByPort();
        var sockets = Enumerable.Range(0, 12).Select(_ => Peer.Connect(7)).ToList();
        Run();
        for (var i = 0; i < sockets.Count; i++)
            Peer.Send(sockets[i], new byte[1000 + i]);
        Run();
        Assert.Equal(Enumerable.Range(0, 12).Select(i => 1000 + i), sockets.Select(Peer.ReceivedCount));
        var served = Statuses().Select(status => status.ConnectionCount).ToList();
        Assert.Equal(12, served.Sum());
        Assert.All(served, count => Assert.InRange(count, 1, 11));
        Assert.All(Statuses(), status => Assert.False(status.Counters.ContainsKey("TcpOutRsts")));
    }

    [Fact]
    public void A_connection_stays_with_its_shard_although_the_device_changes_its_queue()
    {
        SteerByPort();
        var sockets = Enumerable.Range(0, 6).Select(_ => Peer.Connect(7)).ToList();
        Run();
        foreach (var queue in _queues)
        {
            Wire.Steering = _ => queue;
            foreach (var socket in sockets)
                Peer.Send(socket, new byte[500]);
            Run();
        }

        Assert.All(sockets, socket => Assert.Equal(1500, Peer.ReceivedCount(socket)));
        Assert.Equal(6, Statuses().Sum(status => status.ConnectionCount));
        Assert.True(Statuses().Sum(status => status.Counters.GetValueOrDefault("ShardCrossings")) > 0);
    }

    [Fact]
    public void A_segment_that_belongs_to_no_shard_is_reset_once()
    {
        var resets = 0;
        Peer.Loses = frame =>
        {
            if (frame.Length > SourcePortAt + 13 && frame[EthernetHeader.Length + 9] == IpProtocol.Tcp && (frame[SourcePortAt + 13] & 4) != 0)
                resets++;
            return false;
        };
        SteerByPort();
        var socket = Peer.Connect(7);
        Run();
        foreach (var shard in Enumerable.Range(0, Shards))
            StackActorOf(shard).Tell(new RemoveAddress(Address), Session);
        foreach (var shard in Enumerable.Range(0, Shards))
            StackActorOf(shard).Tell(new AddAddress(new IpPrefix(Address, 24)), Session);
        Run();
        Peer.Send(socket, new byte[10]);
        Run();
        Assert.Equal(1, resets);
        Assert.Contains(socket, Peer.Ended);
    }

    [Fact]
    public void A_port_that_an_application_has_bound_is_taken_for_the_applications_of_all_shards()
    {
        using var first = OpenListening(8080);
        for (var i = 0; i < Shards; i++)
        {
            using var next = Open();
            Assert.Equal((int)StackError.AddressInUse, Bind(next, 8080).Error);
            Assert.Equal((int)StackError.AddressInUse, Bind(next, 7).Error);
        }
    }

    [Fact]
    public void An_application_listens_for_connections_from_all_queues()
    {
        SteerByPort();
        for (var i = 0; i < Shards; i++)
        {
            using var listener = OpenListening((ushort)(8000 + i));
            var sockets = Enumerable.Range(0, 5).Select(_ => Peer.Connect((ushort)(8000 + i))).ToList();
            Run();
            foreach (var socket in sockets)
            {
                using var app = listener.Accept(out _)!;
                app.Write("hello"u8);
                Run();
            }

            RunUntil(() => sockets.All(socket => Peer.ReceivedCount(socket) == 5));
        }
    }

    [Fact]
    public void An_application_that_binds_another_shards_port_connects_from_it()
    {
        // Whoever binds first has the port for good; the next to bind it may be an application whose actor is elsewhere.
        for (ushort port = 80; port < 80 + Shards + 1; port++)
        {
            Peer.Listen(port);
            using var app = Open();
            Assert.Equal(0, Ask(new SetOptionRequest(5, app.Handle, 1, 2, BitConverter.GetBytes(1))).Error);
            Assert.Equal(0, Bind(app, 5000).Error);
            Assert.Equal(0, Ask(new ConnectRequest(6, app.Handle, Sockaddr.From(new IpEndpoint(Peer.Address, port)), 0, false)).Error);
            app.Write("x"u8);
        }
    }

    [Fact]
    public void Connections_of_applications_go_round_the_shards_and_answers_find_them_on_any_queue()
    {
        Peer.Listen(80);
        foreach (var queue in _queues)
        {
            Wire.Steering = _ => queue;
            var apps = Enumerable.Range(0, Shards).Select(_ => OpenConnected(80)).ToList();
            Assert.All(Statuses(), status => Assert.Equal(1, status.ConnectionCount));
            foreach (var app in apps)
                app.Dispose();
            RunUntil(() => Statuses().All(status => status.ConnectionCount == 0));
        }
    }

    [Fact]
    public void Two_applications_on_different_shards_talk_to_each_other_through_the_stacks_own_address()
    {
        using var listener = OpenListening(9000);
        for (var i = 0; i < Shards; i++)
        {
            using var client = Open();
            Assert.Equal(0, Ask(new ConnectRequest(2, client.Handle, Sockaddr.From(new IpEndpoint(Address, 9000)), 0, false)).Error);
            using var server = listener.Accept(out _)!;
            var bytes = new byte[300_000];
            new Random(i).NextBytes(bytes);
            var received = new List<byte>();
            client.Write(bytes.AsSpan(0, 100_000));
            RunUntil(() => Take(server, received).Count == 100_000);
            client.Write(bytes.AsSpan(100_000, 100_000));
            RunUntil(() => Take(server, received).Count == 200_000);
            client.Write(bytes.AsSpan(200_000));
            RunUntil(() => Take(server, received).Count == bytes.Length);
            Assert.Equal(bytes, received);
        }
    }

    [Fact]
    public void An_application_reaches_a_service_of_its_own_driver_whichever_shard_serves_it()
    {
        for (var i = 0; i < 6; i++)
        {
            using var app = Open();
            Assert.Equal(0, Ask(new ConnectRequest(2, app.Handle, Sockaddr.From(Echo), 0, false)).Error);
            app.Write("ping"u8);
            var received = new List<byte>();
            RunUntil(() => Take(app, received).Count == 4);
        }
    }

    [Fact]
    public void One_shard_answers_ARP_and_announces_and_all_learn_from_it()
    {
        var answers = 0;
        Peer.Loses = frame =>
        {
            if (BinaryPrimitives.ReadUInt16BigEndian(frame.AsSpan(12)) == (ushort)EtherType.Arp && frame[21] == 2 && frame[6 + 5] == 2)
                answers++;
            return false;
        };
        _ = Peer.Connect(7);
        Run();
        Assert.Equal(1, answers);

        // One when the address was given, two when the wire came up.
        Assert.Equal([3, 0, 0], Announcements());
    }

    [Fact]
    public void Datagrams_find_the_socket_whose_port_they_are_for_on_whichever_queue_they_come()
    {
        for (var i = 0; i < Shards; i++)
        {
            using var app = Open(LinkSocketType.Datagram);
            Assert.Equal(0, Bind(app, (ushort)(5300 + i)).Error);
            Assert.Equal(StackError.None, Peer.Stack.Udp.Bind(default, new(), out var socket));
            foreach (var queue in _queues)
            {
                Wire.Steering = _ => queue;
                var payload = new Tapwire.Stack.Buffers.BufferPool().Rent(3);
                "abc"u8.CopyTo(payload.Append(3));
                Assert.Equal(StackError.None, socket!.Send(payload, new IpEndpoint(Address, (ushort)(5300 + i)), Peer.Now));
                byte[]? message = null;
                RunUntil(() => (message = app.ReadMessage()) is not null);
                Assert.Equal("abc"u8.ToArray(), message![^3..]);
            }

            socket!.Close();
        }
    }

    [Fact]
    public void The_status_is_of_all_shards_together()
    {
        SteerByPort();
        for (var i = 0; i < 9; i++)
            _ = Peer.Connect(7);
        Advance(TimeSpan.FromSeconds(3), TimeSpan.FromMilliseconds(500));
        LinkActor.Tell(new LinkCall(new Tapwire.Links.Protocol.StatusRequest(8)), Session);
        using var status = JsonDocument.Parse(Session.ExpectMsg<LinkReply>().Answer.Body);
        Assert.Equal(9, status.RootElement.GetProperty("connectionCount").GetInt32());
        Assert.Equal(9, status.RootElement.GetProperty("counters").GetProperty("TcpPassiveOpens").GetInt64());
        Assert.Equal([Address + "/24"], status.RootElement.GetProperty("addresses").EnumerateArray().Select(address => address.GetString()!));
        Assert.Equal(Statuses().Sum(shard => shard.Counters["OutFrames"]), status.RootElement.GetProperty("wire").GetProperty("framesSent").GetInt64());
    }

    [Fact]
    public void A_queue_that_fails_is_opened_again_and_its_connections_live_on()
    {
        SteerByPort();
        var sockets = Enumerable.Range(0, 6).Select(_ => Peer.Connect(7)).ToList();
        Run();
        var next = Wire.AddQueue();
        NextWires.Enqueue(next);
        using (EventFilter.Warning(start: "Wire memory failed").Mute())
        {
            _queues[1].Break();
            Run();
        }

        _queues[1] = next;
        Advance(Settings.Tap.ReopenMinimum + TimeSpan.FromMilliseconds(10));
        foreach (var socket in sockets)
            Peer.Send(socket, new byte[100]);
        RunUntil(() => sockets.All(socket => Peer.ReceivedCount(socket) == 100));
    }

    private LinkAnswer Bind(App app, ushort port) => Ask(new BindRequest(2, app.Handle, Sockaddr.From(new IpEndpoint(Address, port))));

    private static List<byte> Take(App app, List<byte> received)
    {
        received.AddRange(app.Read());
        return received;
    }

    /// <summary>TCP by the peer's port, as a device does that hashes; all else to the first queue.</summary>
    private void SteerByPort() => Wire.Steering = frame =>
        frame[EthernetHeader.Length + 9] == IpProtocol.Tcp && BinaryPrimitives.ReadUInt16BigEndian(frame.AsSpan(12)) == (ushort)EtherType.Ipv4
            ? _queues[BinaryPrimitives.ReadUInt16BigEndian(frame.AsSpan(SourcePortAt)) / 3 % Shards]
            : Wire;

    private IActorRef StackActorOf(int shard) => shard == 0 ? StackActor
        : Sys.ActorSelection(Driver.Path / $"stack-shard{shard}").ResolveOne(TimeSpan.FromSeconds(3)).GetAwaiter().GetResult();

    private List<StackStatus> Statuses() => [.. Enumerable.Range(0, Shards).Select(shard => StatusOf(StackActorOf(shard)))];

    private List<long> Announcements()
    {
        Advance(TimeSpan.FromSeconds(3), TimeSpan.FromMilliseconds(500));
        return [.. Statuses().Select(status => status.Counters.GetValueOrDefault("ArpOutAnnouncements"))];
    }
}
