using Tapwire.Stack;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Tcp;
using Tapwire.Tests.Sim;
using Xunit;

namespace Tapwire.Tests.Stack.Tcp;

/// <summary>Many connections at once whose applications do what they like, when they like, over a bad path: in the end nothing is left.</summary>
public class ChaosSpec
{
    public static IEnumerable<object[]> Seeds => Enumerable.Range(1, 60).Select(seed => new object[] { seed });

    /// <summary>An application without manners: reads, writes, shuts down, closes and aborts at random.</summary>
    private sealed class Rascal(SimHost host, TcpSocket socket, Random random)
    {
        private bool _closed;

        public int ClosedEvents { get; set; }

        public TcpSocket Socket => socket;

        public void Act(Instant now)
        {
            if (_closed)
                return;
            switch (random.Next(40))
            {
                case 0:
                    socket.ShutdownSend(now);
                    break;
                case 1:
                    socket.Close(now);
                    _closed = true;
                    break;
                case 2 when random.Next(3) == 0:
                    socket.Abort(now);
                    _closed = true;
                    break;
                case 3:
                    socket.ShutdownReceive(now);
                    break;
                case < 20:
                    PacketBuffer.ReleaseChain(socket.Read(out var bytes, out _));
                    socket.Consumed(bytes, now);
                    break;
                default:
                    var buffer = host.Pool.Rent(8000);
                    buffer.Append(random.Next(8000));
                    socket.Write(buffer, now, urgent: random.Next(6) == 0);
                    break;
            }
        }

        public void End(Instant now)
        {
            if (!_closed)
                socket.Close(now);
            _closed = true;
        }
    }

    [Theory]
    [MemberData(nameof(Seeds))]
    public void Nothing_is_left_and_every_socket_ends_exactly_once(int seed)
    {
        var random = new Random(seed);
        var world = new SimWorld(seed, new Impairments
        {
            Latency = TimeSpan.FromTicks(random.Next(100, 200_000)),
            Loss = random.NextDouble() * 0.2,
            Reorder = random.NextDouble() * 0.2,
            Duplicate = random.NextDouble() * 0.1,
            Corrupt = random.NextDouble() * 0.05,
        });
        world.Listen(backlog: 4);
        var rascals = new Dictionary<StackSocket, Rascal>();
        for (var round = 0; round < 400; round++)
        {
            if (round < 300 && random.Next(8) == 0)
                Add(rascals, new Rascal(world.Left, world.Connect(), random));
            if (round > 200 && random.Next(200) == 0)
                world.Path.Impairments = world.Path.Impairments with { Loss = 1 };
            foreach (var rascal in rascals.Values.ToList())
                rascal.Act(world.Now);
            Advance(world, rascals, random, TimeSpan.FromMilliseconds(random.Next(20)));
        }

        world.Listener!.Close(world.Now);
        foreach (var rascal in rascals.Values)
            rascal.End(world.Now);
        Advance(world, rascals, random, TimeSpan.FromHours(2));
        Assert.Equal((0, 0, 0), (world.Left.Tcp.Count, world.Left.Tcp.EmbryonicCount, world.Left.Tcp.TimeWaitCount));
        Assert.Equal((0, 0, 0), (world.Right.Tcp.Count, world.Right.Tcp.EmbryonicCount, world.Right.Tcp.TimeWaitCount));
        Assert.Equal(0, world.Left.Timers.Count + world.Right.Timers.Count);
        Assert.All(rascals.Values, rascal => Assert.Equal(1, rascal.ClosedEvents));
        Assert.True(rascals.Count > 10);
        world.AssertNoLeak();
    }

    private static void Add(Dictionary<StackSocket, Rascal> rascals, Rascal rascal) => rascals.Add(rascal.Socket, rascal);

    private static void Advance(SimWorld world, Dictionary<StackSocket, Rascal> rascals, Random random, TimeSpan time) => world.Run(time, host =>
    {
        while (host.Events.TryDequeue(out var socket, out var events))
        {
            if (socket is TcpListener listener)
            {
                while (random.Next(3) != 0 && listener.Accept() is { } accepted)
                    Add(rascals, new Rascal(host, accepted, random));
            }
            else if (events.HasFlag(SocketEvents.Closed))
            {
                rascals[socket].ClosedEvents++;
            }
        }
    });
}
