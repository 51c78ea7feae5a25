using System.Buffers.Binary;
using Akka.Actor;
using Tapwire.Actors;
using Tapwire.Actors.Link;
using Tapwire.Links.Protocol;
using Tapwire.Messages;
using Tapwire.Posix;
using Tapwire.Stack;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Packets;
using Tapwire.Stack.Tcp;
using Tapwire.Stack.Udp;
using Tapwire.Tests.Actors.Support;
using Xunit;

namespace Tapwire.Tests.Actors;

/// <summary>Applications whose sockets share a port (SO_REUSEPORT) on a driver of two shards. Frames come in on the queues by turns.</summary>
public sealed class ShardGroupSpecs() : DriverSetup("shards = 2")
{
    private const int SolSocket = 1;
    private const int ReusePort = 15;

    private readonly List<MemoryWire> _queues = [];
    private int _turn;

    protected override DriverContext Adapted(DriverContext context)
    {
        _queues.AddRange([Wire, Wire.AddQueue()]);
        Wire.Steering = _ => _queues[_turn++ % 2];
        return context with { Shards = [.. _queues.Select(queue => context.Home with { Wires = [context.Home.Wires[0] with { Wire = queue }] })] };
    }

    [Theory]
    [InlineData(2)]
    [InlineData(3)]
    public void Workers_are_on_all_shards_and_each_has_its_part_of_the_connections(int members)
    {
        const int Clients = 120;
        var workers = Enumerable.Range(0, members).Select(_ => Worker(80)).ToList();
        var clients = Enumerable.Range(0, Clients).Select(_ => Peer.Connect(80)).ToList();
        Run();
        foreach (var client in clients)
            Peer.Send(client, new byte[10]);
        RunUntil(() => Statuses().Sum(static status => status.ConnectionCount) == Clients);
        Assert.All(Statuses(), static status => Assert.InRange(status.ConnectionCount, 20, 100));

        // Each worker answers by its number.
        var counts = workers.Select((worker, i) => ServeAll(worker, (byte)i)).ToList();
        Assert.Equal(Clients, counts.Sum(static apps => apps.Count));
        Assert.All(counts, apps => Assert.InRange(apps.Count, Clients / members / 2, Clients / members * 2));
        RunUntil(() => clients.All(client => Peer.ReceivedCount(client) == 1));

        // A worker more, and then one less: what is established stays. Whoever waits with the one that closes is reset.
        using (Worker(80))
            Run();
        workers[0].Dispose();
        foreach (var app in counts.SelectMany(static apps => apps))
            app.Write("more"u8);
        RunUntil(() => clients.All(client => Peer.ReceivedCount(client) == 5));
        Assert.DoesNotContain(clients, Peer.Ended.Contains);
        foreach (var app in counts.SelectMany(static apps => apps).Concat(workers))
            app.Dispose();
        RunUntil(() => Statuses().All(static status => status.ConnectionCount == 0));
    }

    [Fact]
    public void A_worker_that_closes_takes_what_waits_with_it_and_the_others_serve_on()
    {
        var workers = new[] { Worker(80, 64), Worker(80, 64) };
        var clients = Enumerable.Range(0, 40).Select(_ => Peer.Connect(80)).ToList();
        Run();
        workers[1].Dispose();
        RunUntil(() => clients.Count(Peer.Ended.Contains) > 0);
        Assert.InRange(clients.Count(Peer.Ended.Contains), 8, 32);
        clients.AddRange(Enumerable.Range(0, 20).Select(_ => Peer.Connect(80)));
        Run();
        var served = ServeAll(workers[0], 1);

        // What the driver had accepted for the worker is closed, what waited in the stack is reset.
        Assert.Equal(clients.Count(client => !Peer.Ended.Contains(client) && !Peer.EndOfStream.Contains(client)), served.Count);
        served.ForEach(static app => app.Dispose());
        workers[0].Dispose();
    }

    [Fact]
    public void Datagrams_are_for_one_worker_each_and_a_flow_for_always_the_same()
    {
        var workers = Enumerable.Range(0, 4).Select(_ => Bound(LinkSocketType.Datagram, 53)).ToList();
        var answered = new Dictionary<int, int>();
        for (var i = 0; i < 80; i++)
        {
            Assert.Equal(StackError.None, Peer.Stack.Udp.Bind(default, new UdpSocketOptions(), out var client));
            var who = new HashSet<int>();
            for (var repeat = 0; repeat < 3; repeat++)
            {
                var payload = new BufferPool().Rent(3);
                "who"u8.CopyTo(payload.Append(3));
                Assert.Equal(StackError.None, client!.Send(payload, new IpEndpoint(Address, 53), Peer.Now));
                var taker = -1;
                RunUntil(() => (taker = workers.FindIndex(static worker => worker.ReadMessage() is not null)) >= 0);
                who.Add(taker);
            }

            answered[Assert.Single(who)] = answered.GetValueOrDefault(who.Single()) + 1;
            client!.Close();
        }

        Assert.Equal(4, answered.Count);
        Assert.All(answered.Values, static count => Assert.InRange(count, 8, 36));
        workers.ForEach(static worker => worker.Dispose());
    }

    [Fact]
    public void A_port_is_free_again_once_its_workers_have_closed()
    {
        var workers = new[] { Worker(80), Worker(80), Worker(80) };
        using (var alone = Open())
            Assert.Equal((int)StackError.AddressInUse, Bind(alone, 80).Error);
        foreach (var worker in workers)
            worker.Dispose();
        for (var i = 0; i < 2; i++)
        {
            using var alone = Open();
            Assert.Equal(0, Bind(alone, 80).Error);
            using var shared = Open();
            Assert.Equal(0, Ask(new SetOptionRequest(5, shared.Handle, SolSocket, ReusePort, BitConverter.GetBytes(1))).Error);
            Assert.Equal((int)StackError.AddressInUse, Bind(shared, 80).Error);
        }
    }

    private App Worker(ushort port, int backlog = 128)
    {
        var app = Bound(LinkSocketType.Stream, port);
        Assert.Equal(0, Ask(new ListenRequest(3, app.Handle, backlog)).Error);
        return app;
    }

    private App Bound(LinkSocketType type, ushort port)
    {
        var app = Open(type);
        Assert.Equal(0, Ask(new SetOptionRequest(5, app.Handle, SolSocket, ReusePort, BitConverter.GetBytes(1))).Error);
        Assert.Equal(0, Bind(app, port).Error);
        return app;
    }

    private LinkAnswer Bind(App app, ushort port) => Ask(new BindRequest(2, app.Handle, Sockaddr.From(new IpEndpoint(Address, port))));

    private List<App> ServeAll(App worker, byte answer)
    {
        var apps = new List<App>();
        for (Run(); worker.Accept(out _) is { } app; Run())
        {
            app.Write([answer]);
            apps.Add(app);
        }

        return apps;
    }

    private IActorRef StackActorOf(int shard) => shard == 0 ? StackActor
        : Sys.ActorSelection(Driver.Path / $"stack-shard{shard}").ResolveOne(TimeSpan.FromSeconds(3)).GetAwaiter().GetResult();

    private List<StackStatus> Statuses() => [.. Enumerable.Range(0, 2).Select(shard => StatusOf(StackActorOf(shard)))];
}
