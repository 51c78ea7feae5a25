using Tapwire.Stack.Tcp;
using Tapwire.Tests.Sim;
using Xunit;

namespace Tapwire.Tests.Stack.Tcp;

/// <summary>What bulk flows do to a path, and to each other.</summary>
public class BulkSpec
{
    private static readonly TcpOptions LargeBuffers = new() { ReceiveBuffer = 8 << 20, SendBuffer = 8 << 20 };

    /// <summary>The queue takes a whole window: nothing is lost, and nothing may be taken for lost.</summary>
    [Theory]
    [InlineData(1e9, 0.02, 1500)]
    [InlineData(1e9, 20, 65535)]
    [InlineData(50e6, 100, 1500)]
    [InlineData(0, 5, 65535)]
    public void No_retransmission_at_all_on_a_clean_path_at_full_speed(double bandwidth, double roundTrip, int superFrame)
    {
        var path = new Impairments { Latency = TimeSpan.FromMilliseconds(roundTrip / 2), Bandwidth = bandwidth, QueueLimit = 10_000 };
        var world = new SimWorld(1, path, LargeBuffers, LargeBuffers);
        world.Left.SuperFrame = superFrame;
        var transfer = new SimTransfer(world);
        transfer.Start();
        transfer.Measure(TimeSpan.FromSeconds(60), bytes: 60_000_000);
        Assert.True(transfer.Received[0] >= 60_000_000, $"only {transfer.Received[0]} bytes in a minute");
        Assert.Equal(0, transfer.Segments.Again);
        Assert.Equal(0, world.Left.Counters.TcpRetransSegs);
        transfer.End();
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void Two_flows_share_a_bottleneck_fairly(int seed)
    {
        // 20 Mbit/s, 20 ms, a queue of one bandwidth-delay product.
        var path = new Impairments { Latency = TimeSpan.FromMilliseconds(10), Bandwidth = 20e6, QueueLimit = 33 };
        var world = new SimWorld(seed, path);
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
    [Fact(Skip = "Waits for RACK (RFC 8985): counting duplicate acknowledgements sends every twelfth segment again.")]
    public void Under_pure_reordering_less_than_one_percent_is_sent_again_needlessly()
    {
        var (sent, needless) = (0L, 0L);
        for (var seed = 1; seed <= 4; seed++)
        {
            var path = new Impairments { Latency = TimeSpan.FromMilliseconds(10), Bandwidth = 100e6, Reorder = 0.1, ReorderTime = TimeSpan.FromMilliseconds(4) };
            var world = new SimWorld(seed, path, path with { Reorder = 0 }, LargeBuffers, LargeBuffers, new PoisoningBufferPool());
            var transfer = new SimTransfer(world);
            transfer.Start();
            transfer.Measure(TimeSpan.FromSeconds(20), bytes: 10_000_000);
            sent += transfer.Segments.Sent;
            needless += transfer.Segments.Needless;
            transfer.End();
        }

        Assert.True(needless < 0.01 * sent, $"{needless} of {sent}");
    }
}
