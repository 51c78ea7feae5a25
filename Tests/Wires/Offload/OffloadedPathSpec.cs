using Tapwire.Wires;
using Xunit;

namespace Tapwire.Tests.Wires.Offload;

/// <summary>Whole stacks over a cable without offloads, with software offload on one side, the other, and both.</summary>
public sealed class OffloadedPathSpec
{
    private const int Bytes = 1 << 20;

    [Theory]
    [InlineData(true, false, false)]
    [InlineData(false, true, true)]
    [InlineData(true, true, false)]
    [InlineData(true, true, true)]
    [InlineData(true, false, false, true)]
    [InlineData(false, true, true, true)]
    [InlineData(true, true, true, true)]
    public void A_stream_arrives_intact_in_both_directions_in_frames_of_MTU_size(bool offloadsA, bool offloadsB, bool inPlace, bool isV6 = false)
    {
        var way = new CableImpairments { Latency = TimeSpan.FromMilliseconds(2), BitsPerSecond = 1_000_000_000 };
        using var pair = new WiredPair(new CableOptions { AToB = way, BToA = way }, offloadsA, offloadsB, inPlace, isV6);
        pair.Transfer(4 * Bytes, 2 * Bytes, TimeSpan.FromSeconds(30));
        Assert.True(pair.Cable.AToB.Frames > 4 * Bytes / 1460, "A frame is larger than the MTU.");
        Assert.Equal(0, pair.A.Counters.Tcp.TcpInErrs + pair.B.Counters.Tcp.TcpInErrs);

        // The stacks with offload have worked on super-frames both ways.
        if (offloadsA)
            Assert.InRange(pair.A.Counters.OutFrames, 1, pair.Cable.AToB.Frames / 3);
        if (offloadsB)
            Assert.InRange(pair.B.Counters.Tcp.TcpInSegs, 1, pair.Cable.AToB.Frames / 3);
    }

    [Theory]
    [InlineData(true, false, false, 1)]
    [InlineData(false, true, true, 2)]
    [InlineData(true, true, false, 3)]
    [InlineData(true, true, true, 4)]
    [InlineData(true, true, true, 5)]
    [InlineData(true, false, false, 6, true)]
    [InlineData(true, true, true, 7, true)]
    public void A_stream_arrives_intact_through_loss_reordering_duplication_and_corruption(bool offloadsA, bool offloadsB, bool inPlace, int seed, bool isV6 = false)
    {
        var way = new CableImpairments
        {
            Latency = TimeSpan.FromMilliseconds(2), Loss = 0.01, Reorder = 0.02, ReorderDelay = TimeSpan.FromMilliseconds(1), Duplicate = 0.02, Corrupt = 0.01,
            BitsPerSecond = 200_000_000,
        };
        using var pair = new WiredPair(new CableOptions { AToB = way, BToA = way, Seed = (ulong)seed }, offloadsA, offloadsB, inPlace, isV6);
        pair.Transfer(Bytes, Bytes, TimeSpan.FromMinutes(5));
        foreach (var counters in new[] { pair.Cable.AToB, pair.Cable.BToA })
            Assert.True(counters is { Lost: > 0, Reordered: > 0, Duplicated: > 0, Corrupted: > 0 }, $"{counters}");
        Assert.NotEqual(0, pair.A.Counters.Tcp.TcpInCsumErrors + pair.B.Counters.Tcp.TcpInCsumErrors);
    }

    [Theory]
    [InlineData(true, false, false)]
    [InlineData(true, true, true)]
    [InlineData(true, true, true, true)]
    public void A_cable_that_is_full_again_and_again_stops_super_frames_halfway_and_loses_nothing(bool offloadsA, bool offloadsB, bool inPlace, bool isV6 = false)
    {
        var way = new CableImpairments { Latency = TimeSpan.FromMilliseconds(1) };
        using var pair = new WiredPair(new CableOptions { AToB = way, BToA = way, InFlightBytes = 66_048, ReceiveBytes = 66_048 }, offloadsA, offloadsB, inPlace, isV6);
        pair.Transfer(Bytes, Bytes, TimeSpan.FromMinutes(5));
        Assert.Equal(0, pair.A.Counters.Tcp.TcpRetransSegs + pair.B.Counters.Tcp.TcpRetransSegs);
    }
}
