using Tapwire.Stack;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Packets;
using Tapwire.Stack.Tcp;
using Tapwire.Tests.Sim;
using Xunit;

namespace Tapwire.Tests.Stack.Tcp;

/// <summary>Connections opened by Fast Open or by SYN cookies, over paths that lose, reorder and spoil packets: every byte arrives all the same.</summary>
public class OpenOverLossSpec
{
    private static readonly TcpPair AtServer = new(new IpEndpoint(SimWorld.RightAddress, 80), new IpEndpoint(SimWorld.LeftAddress, 0));

    /// <summary>No duplicates: a server that meets a SYN with a cookie again after the connection has ended opens another one (RFC 7413, 2.1).</summary>
    private static SimWorld World(int seed, Random random, Func<TcpOptions, TcpOptions> server) => new(
        seed,
        new Impairments
        {
            Latency = TimeSpan.FromTicks(random.Next(100, 300_000)),
            Loss = random.NextDouble() * 0.2,
            Reorder = random.Next(2) == 0 ? 0 : random.NextDouble() * 0.3,
            Corrupt = random.Next(2) == 0 ? 0 : random.NextDouble() * 0.05,
        },
        Options(random),
        server(Options(random)));

    private static TcpOptions Options(Random random) => new()
    {
        // The last acknowledgement may be lost many times.
        TimeWait = TimeSpan.FromMinutes(30),
        SelectiveAck = random.Next(4) != 0,
        Timestamps = random.Next(4) != 0,
        WindowScaling = random.Next(4) != 0,
    };

    private static void Run(SimWorld world, int seed, Random random)
    {
        var (there, back) = (random.Next(0, 100_000), random.Next(0, 100_000));
        SimStream? server = null;
        world.OnAccept = socket => server = new SimStream(world.Right, socket, random, back, there, 2, 1);
        var options = new TcpSocketOptions { FastOpen = true };
        var client = world.Add(new SimStream(world.Left, world.Connect(options), random, there, back, 1, 2) { MaxWrite = random.Next(1, 40_000) });
        try
        {
            world.RunUntil(() => client.Finished && server is { Finished: true }, TimeSpan.FromHours(1));
        }
        catch (InvalidOperationException e)
        {
            throw new InvalidOperationException($"Seed {seed}, {world.Path.Impairments}: {e.Message}", e);
        }
    }

    [Fact]
    public void By_fast_open()
    {
        long opened = 0;
        long refused = 0;
        for (var seed = 1; seed <= 100; seed++)
        {
            var random = new Random(seed);
            var world = World(seed, random, options => options);
            world.Listen(new TcpSocketOptions { FastOpenQueue = 4 });
            // Sometimes the cookie is stale.
            var cookie = random.Next(8) == 0 ? new FastOpenCookie(1, 0, 8) : world.Right.Tcp.Secrets.FastOpenCookieFor(AtServer);
            world.Left.Tcp.FastOpenCache.Answered(SimWorld.LeftAddress, SimWorld.RightAddress, cookie, 1460);
            Run(world, seed, random);
            opened += world.Right.Counters.TcpExtTCPFastOpenPassive;
            refused += world.Right.Counters.TcpExtTCPFastOpenPassiveFail;
            world.AssertNoLeak();
        }

        Assert.InRange(opened, 60, 95);
        Assert.InRange(refused, 5, 20);
    }

    [Fact]
    public void By_syn_cookies()
    {
        long opened = 0;
        for (var seed = 1; seed <= 100; seed++)
        {
            var random = new Random(seed);
            var world = World(seed, random, options => options with { MaxEmbryonic = 1 });
            world.Listen();
            SynFloodSpec.Arrive(world, 0x20000001, new TcpHeader { SourcePort = 5, DestinationPort = 80, Flags = TcpFlags.Syn });
            world.Right.Discard();
            Run(world, seed, random);
            opened += world.Right.Counters.TcpExtSyncookiesRecv;
            world.AssertNoLeak();
        }

        Assert.InRange(opened, 80, 150);
    }
}
