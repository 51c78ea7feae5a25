using Tapwire.Stack;
using Tapwire.Stack.Tcp;
using Tapwire.Tests.Sim;
using Xunit;

namespace Tapwire.Tests.Stack.Tcp;

/// <summary>BBR (draft-ietf-ccwg-bbr) on whole paths, in virtual time.</summary>
public class BbrSpec
{
    private static readonly TcpOptions Options = new() { CongestionControl = CongestionAlgorithm.Bbr, ReceiveBuffer = 4 << 20, SendBuffer = 4 << 20 };

    private static Impairments Path(double bandwidth, double roundTrip, int queue = 2000) =>
        new() { Latency = TimeSpan.FromMilliseconds(roundTrip / 2), Bandwidth = bandwidth, QueueLimit = queue };

    private static (SimWorld World, SimTransfer Transfer) Begin(Impairments path, int seed = 1)
    {
        var world = new SimWorld(seed, path, Options, Options);
        var transfer = new SimTransfer(world);
        transfer.Start();
        return (world, transfer);
    }

    /// <summary>The pace is that of the payload, less the headers and 1 %.</summary>
    [Theory]
    [InlineData(2e6, 20)]
    [InlineData(20e6, 2)]
    [InlineData(50e6, 40)]
    [InlineData(10e6, 200)]
    public void It_finds_the_bandwidth_and_fills_the_path(double bandwidth, double roundTrip)
    {
        var (_, transfer) = Begin(Path(bandwidth, roundTrip));
        transfer.Run(TimeSpan.FromSeconds(4));
        var rate = transfer.Measure(TimeSpan.FromSeconds(8))[0];
        Assert.InRange(rate, 0.88 * bandwidth * 1448 / 1500, bandwidth);
        Assert.InRange(transfer.Senders[0].Info.MinRoundTrip.TotalMilliseconds, roundTrip, 1.1 * roundTrip + 8 * 1500 * 4 / bandwidth * 1000);
        Assert.Equal(0, transfer.Segments.Again);
        transfer.End();
    }

    /// <summary>Start-up fills the queue with as much as is in flight anyway; afterwards it is drained and stays nearly empty.</summary>
    [Fact]
    public void After_the_start_the_queue_stays_small()
    {
        var (_, transfer) = Begin(Path(50e6, 40));
        transfer.Run(TimeSpan.FromSeconds(2));
        var product = 50e6 / 8 * 0.04;
        var inFlight = new List<int>();
        for (var i = 0; i < 400; i++)
        {
            transfer.Run(TimeSpan.FromMilliseconds(10));
            inFlight.Add(transfer.Senders[0].Info.BytesInFlight);
        }

        inFlight.Sort();
        Assert.True(inFlight[200] < 1.3 * product, $"{inFlight[200] / product} in the median");
        Assert.True(inFlight[380] < 2 * product, $"{inFlight[380] / product} in 19 of 20");
        transfer.End();
    }

    /// <summary>4.3.5: for 200 ms half of what is in flight otherwise, each five seconds, if nothing else has shown the least round trip.</summary>
    [Fact]
    public void Every_five_seconds_it_looks_for_the_least_round_trip()
    {
        var (world, transfer) = Begin(Path(50e6, 40));
        transfer.Run(TimeSpan.FromSeconds(1));
        var product = 50e6 / 8 * 0.04;
        var began = world.Now;
        var probes = new List<double>();
        for (var i = 0; i < 2400; i++)
        {
            transfer.Run(TimeSpan.FromMilliseconds(10));
            var at = (world.Now - began).TotalSeconds;
            if (transfer.Senders[0].Info.BytesInFlight < 0.62 * product && (probes.Count == 0 || at - probes[^1] > 1))
                probes.Add(at);
        }

        Assert.InRange(probes.Count, 3, 5);
        for (var i = 1; i < probes.Count; i++)
            Assert.InRange(probes[i] - probes[i - 1], 4.9, 7.5);
        transfer.End();
    }

    [Fact]
    public void It_finds_out_that_there_is_more_and_that_there_is_less()
    {
        var path = Path(10e6, 20, queue: 100);
        var (world, transfer) = Begin(path);
        transfer.Run(TimeSpan.FromSeconds(5));
        world.Path.There.Impairments = path with { Bandwidth = 40e6 };
        transfer.Run(TimeSpan.FromSeconds(10));
        Assert.True(transfer.Measure(TimeSpan.FromSeconds(5))[0] > 0.85 * 40e6 * 1448 / 1500);
        world.Path.There.Impairments = path with { Bandwidth = 5e6 };
        transfer.Run(TimeSpan.FromSeconds(10));
        Assert.True(transfer.Measure(TimeSpan.FromSeconds(5))[0] > 0.8 * 5e6 * 1448 / 1500);
        Assert.True(transfer.Senders[0].Info.PacingRate < 2 * 5e6 / 8);
        transfer.End();
    }

    [Fact]
    public void Random_loss_is_not_taken_for_congestion()
    {
        var (_, transfer) = Begin(Path(20e6, 40) with { Loss = 0.01 });
        transfer.Run(TimeSpan.FromSeconds(3));
        Assert.True(transfer.Measure(TimeSpan.FromSeconds(10))[0] > 0.7 * 20e6);
        transfer.End();
    }

    /// <summary>What the application left unused says nothing about the path (4.1.2.4): the pace stays, and the next bulk finds it.</summary>
    /// <summary>Four of a hundred segments are lost, and two of them are as many as are heeded.</summary>
    [Fact]
    public void Losses_never_raise_the_bound_above_what_was_in_flight()
    {
        var loss = default(BbrPathLoss);
        for (var round = 0; round < 16; round++)
            loss.Learn(lost: 0, delivered: 100_000);
        Assert.True(loss.IsExceeded(4000, 100_000, 1000));
        Assert.Equal(99_000, loss.InflightAtLoss(100_000, lost: 4000, size: 1000));
        Assert.Equal(97_959, loss.InflightAtLoss(100_000, lost: 4000, size: 4000));
        for (var lost = 2000; lost < 20_000; lost += 500)
            Assert.InRange(loss.InflightAtLoss(100_000, lost, size: 1500), 98_500, 100_000);
    }

    [Fact]
    public void A_pause_of_the_application_does_not_lower_the_pace()
    {
        var (world, transfer) = Begin(Path(20e6, 40));
        transfer.Run(TimeSpan.FromSeconds(4));
        var before = transfer.Senders[0].Info.PacingRate;
        var sender = transfer.Senders[0];
        transfer.Pause();
        transfer.Run(TimeSpan.FromSeconds(2));
        for (var i = 0; i < 40; i++)
        {
            var buffer = world.Pool.Rent(10);
            buffer.Append(10);
            Assert.Equal(StackError.None, sender.Write(buffer, world.Now));
            transfer.Run(TimeSpan.FromMilliseconds(50));
        }

        Assert.InRange(sender.Info.PacingRate, 0.5 * before, 3 * before);
        transfer.Resume();
        transfer.Run(TimeSpan.FromSeconds(1));
        Assert.True(transfer.Measure(TimeSpan.FromSeconds(2))[0] > 0.7 * 20e6);
        transfer.End();
    }

    [Fact]
    public void An_outage_is_survived_and_the_path_full_again_soon()
    {
        var path = Path(20e6, 40) with { OutageAfter = TimeSpan.FromSeconds(3), OutageTime = TimeSpan.FromSeconds(4) };
        var (world, transfer) = Begin(path);
        transfer.Run(TimeSpan.FromSeconds(7));
        Assert.True(world.Left.Counters.TcpExtTCPTimeouts > 0);
        transfer.Run(TimeSpan.FromSeconds(6));
        Assert.True(transfer.Measure(TimeSpan.FromSeconds(4))[0] > 0.7 * 20e6);
        transfer.End();
    }

    /// <summary>With whatever path, a segment leaves each second at least.</summary>
    [Theory]
    [InlineData(9600, 2000, 10)]
    [InlineData(64e3, 5, 4)]
    [InlineData(1e9, 0.01, 50)]
    [InlineData(0, 0, 50)]
    public void The_pace_never_stands_still(double bandwidth, double roundTrip, int queue)
    {
        var (_, transfer) = Begin(Path(bandwidth, roundTrip, queue) with { Loss = 0.05 });
        var seconds = bandwidth is > 0 and < 1e6 ? 120 : 1;
        transfer.Measure(TimeSpan.FromSeconds(seconds), bytes: 20_000_000);
        Assert.True(transfer.Received[0] > Math.Min(bandwidth == 0 ? 1e9 : bandwidth, 1e7) / 8 * seconds / 4, $"{transfer.Received[0]} bytes");
        Assert.True(transfer.Senders[0].Info.PacingRate >= 1000, $"{transfer.Senders[0].Info.PacingRate}");
        transfer.End();
    }

    /// <summary>A bottleneck with hardly any queue: what leaves at once is two segments, or a millisecond's worth.</summary>
    [Fact]
    public void No_burst_is_larger_than_the_quantum()
    {
        var (world, transfer) = Begin(Path(10e6, 20, queue: 1000));
        transfer.Run(TimeSpan.FromSeconds(1));
        var before = transfer.Segments.Sent;
        var most = 0L;
        for (var i = 0; i < 3000; i++)
        {
            transfer.Run(TimeSpan.FromMilliseconds(1));
            var sent = transfer.Segments.Sent;
            most = Math.Max(most, sent - before);
            before = sent;
        }

        // 10 Mbit/s are 0.83 segments in a millisecond, 1.04 while it probes for more.
        Assert.InRange(most, 1, 4);
        transfer.End();
    }
}
