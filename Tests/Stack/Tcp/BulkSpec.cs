using Tapwire.Stack.Tcp;
using Tapwire.Tests.Sim;
using Xunit;

namespace Tapwire.Tests.Stack.Tcp;

/// <summary>What bulk flows do to a path, and to each other.</summary>
public class BulkSpec
{
    private static readonly CongestionAlgorithm[] Algorithms = [CongestionAlgorithm.NewReno, CongestionAlgorithm.Cubic, CongestionAlgorithm.Bbr];

    private static readonly TcpOptions LargeBuffers = new() { ReceiveBuffer = 8 << 20, SendBuffer = 8 << 20 };

    /// <summary>The queue takes a whole window: nothing is lost, and nothing may be taken for lost.</summary>
    [Theory]
    [InlineData(1e9, 0.02, 1500)]
    [InlineData(1e9, 20, 65535)]
    [InlineData(50e6, 100, 1500)]
    [InlineData(0, 5, 65535)]
    public void No_retransmission_at_all_on_a_clean_path_at_full_speed(double bandwidth, double roundTrip, int superFrame)
    {
        foreach (var algorithm in Algorithms)
            StaysClean(algorithm, bandwidth, roundTrip, superFrame);
    }

    private static void StaysClean(CongestionAlgorithm algorithm, double bandwidth, double roundTrip, int superFrame)
    {
        var path = new Impairments { Latency = TimeSpan.FromMilliseconds(roundTrip / 2), Bandwidth = bandwidth, QueueLimit = 10_000 };
        var world = new SimWorld(1, path, LargeBuffers with { CongestionControl = algorithm }, LargeBuffers);
        world.Left.SuperFrame = superFrame;
        var transfer = new SimTransfer(world);
        transfer.Start();
        transfer.Measure(TimeSpan.FromSeconds(60), bytes: 30_000_000);
        Assert.True(transfer.Received[0] >= 30_000_000, $"{algorithm}: only {transfer.Received[0]} bytes in a minute");
        Assert.Equal((algorithm, 0), (algorithm, transfer.Segments.Again));
        Assert.Equal(0, world.Left.Counters.TcpRetransSegs);
        transfer.End();
    }

    [Theory]
    [InlineData(CongestionAlgorithm.NewReno, 1)]
    [InlineData(CongestionAlgorithm.NewReno, 2)]
    [InlineData(CongestionAlgorithm.Cubic, 1)]
    [InlineData(CongestionAlgorithm.Cubic, 2)]
    [InlineData(CongestionAlgorithm.Bbr, 1)]
    [InlineData(CongestionAlgorithm.Bbr, 2)]
    public void Two_flows_share_a_bottleneck_fairly(CongestionAlgorithm algorithm, int seed)
    {
        // 20 Mbit/s, 20 ms, a queue of one bandwidth-delay product.
        var path = new Impairments { Latency = TimeSpan.FromMilliseconds(10), Bandwidth = 20e6, QueueLimit = 33 };
        var world = new SimWorld(seed, path, new TcpOptions { CongestionControl = algorithm });
        var transfer = new SimTransfer(world);
        transfer.Start();
        transfer.Run(TimeSpan.FromSeconds(2.5 + seed / 10.0));
        transfer.Start();
        transfer.Run(TimeSpan.FromSeconds(10));
        var rates = transfer.Measure(TimeSpan.FromSeconds(20));
        Assert.True(SimTransfer.Fairness(rates) >= 0.9, $"{string.Join(" and ", rates)} bit/s");
        Assert.True(rates.Sum() > 0.85 * path.Bandwidth, $"{rates.Sum()} bit/s together");
        transfer.End();
    }

    /// <summary>Nothing is lost: whatever is sent again is sent in vain.</summary>
    [Theory]
    [InlineData(0.02)]
    [InlineData(0.1)]
    public void Under_pure_reordering_less_than_one_percent_is_sent_again_needlessly(double reorder)
    {
        foreach (var algorithm in Algorithms)
        {
            var (sent, needless) = (0L, 0L);
            for (var seed = 1; seed <= 2; seed++)
            {
                var segments = Reordered(algorithm, reorder, seed);
                sent += segments.Sent;
                needless += segments.Needless;
            }

            Assert.True(needless < 0.01 * sent, $"{algorithm}: {needless} of {sent}");
        }
    }

    private static (long Sent, long Again, long Needless) Reordered(CongestionAlgorithm algorithm, double reorder, int seed)
    {
        var path = new Impairments
        {
            Latency = TimeSpan.FromMilliseconds(10),
            Bandwidth = 100e6,
            QueueLimit = 10_000,
            Reorder = reorder,
            ReorderTime = TimeSpan.FromMilliseconds(4),
        };
        var options = LargeBuffers with { CongestionControl = algorithm };
        var world = new SimWorld(seed, path, path with { Reorder = 0 }, options, options, new PoisoningBufferPool());
        var transfer = new SimTransfer(world);
        transfer.Start();
        transfer.Measure(TimeSpan.FromSeconds(20), bytes: 8_000_000);
        var segments = transfer.Segments;
        transfer.End();
        return segments;
    }
}
