using Tapwire.Stack.Tcp;
using Tapwire.Tests.Sim;
using Xunit;

namespace Tapwire.Tests.Stack.Tcp;

/// <summary>Two TCPs over a path that does everything to packets that paths do, from seeds.</summary>
public class LossyPathSpec
{
    public static IEnumerable<object[]> Seeds => Enumerable.Range(1, 250).Select(seed => new object[] { seed });

    [Theory]
    [MemberData(nameof(Seeds))]
    public void Every_byte_arrives_once_and_in_order_and_nothing_leaks(int seed) => RunSeed(seed);

    internal static SimWorld RunSeed(int seed)
    {
        var random = new Random(seed);
        var impairments = new Impairments
        {
            Latency = TimeSpan.FromTicks(random.Next(100, 300_000)),
            Loss = random.Next(3) == 0 ? 0 : random.NextDouble() * 0.15,
            Reorder = random.Next(2) == 0 ? 0 : random.NextDouble() * 0.3,
            Duplicate = random.Next(2) == 0 ? 0 : random.NextDouble() * 0.1,
            Corrupt = random.Next(2) == 0 ? 0 : random.NextDouble() * 0.05,
            KeepSuperFrames = random.Next(2) == 0,
            Bandwidth = random.Next(3) == 0 ? random.Next(1, 100) * 1e6 : 0,
            QueueLimit = random.Next(10, 200),
        };
        var world = new SimWorld(seed, impairments, Options(random), Options(random));
        if (random.Next(2) == 0)
            world.Left.SuperFrame = world.Right.SuperFrame = random.Next(3000, 65536);
        world.Left.EgressLimit = random.Next(1, 100);
        try
        {
            Run(world, random);
            return world;
        }
        catch (Exception e)
        {
            throw new InvalidOperationException($"Seed {seed}, {impairments}: {e.Message}", e);
        }
    }

    private static void Run(SimWorld world, Random random)
    {
        var there = (long)random.Next(0, 300_000);
        var back = random.Next(3) == 0 ? random.Next(0, 300_000) : 0L;
        var socketOptions = new TcpSocketOptions { NoDelay = random.Next(2) == 0 };
        world.Listen(socketOptions);
        SimStream? server = null;
        world.OnAccept = socket => server = new SimStream(world.Right, socket, random, back, there, 2, 1)
        {
            MaxWrite = random.Next(1, 40_000),
            Eagerness = random.NextDouble() * 0.9 + 0.1,
        };
        var client = world.Add(new SimStream(world.Left, world.Connect(socketOptions), random, there, back, 1, 2)
        {
            MaxWrite = random.Next(2) == 0 ? 200 : random.Next(1, 40_000),
            Eagerness = random.NextDouble() * 0.9 + 0.1,
        });
        world.RunUntil(() => client.Finished && server is { Finished: true }, TimeSpan.FromHours(3));
        world.AssertNoLeak();
    }

    private static TcpOptions Options(Random random) => new()
    {
        ReceiveBuffer = random.Next(2) == 0 ? 1 << 20 : random.Next(4096, 100_000),
        SendBuffer = random.Next(2) == 0 ? 1 << 20 : random.Next(4096, 100_000),
        SelectiveAck = random.Next(4) != 0,
        Timestamps = random.Next(4) != 0,
        WindowScaling = random.Next(4) != 0,
    };
}
