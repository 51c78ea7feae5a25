using Tapwire.Wires;
using Xunit;

namespace Tapwire.Tests.Wires;

public sealed class BurstGaugeSpec
{
    private BurstGauge _gauge = new();
    private int _vain;

    [Fact]
    public void Where_there_is_always_more_a_read_takes_twice_as_many_each_time()
    {
        var limits = new List<int>();
        for (var i = 0; i < 8; i++)
        {
            limits.Add(Math.Min(_gauge.Limit, 64));
            _gauge.Read(limits[^1], limits[^1]);
        }

        Assert.Equal([1, 2, 4, 8, 16, 32, 64, 64], limits);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    [InlineData(7)]
    public void Bursts_of_one_size_are_read_without_finding_nothing_but_for_a_trial_now_and_then(int size)
    {
        for (var i = 0; i < 100; i++)
            Burst(size);
        _vain = 0;
        for (var i = 0; i < 10 * BurstGauge.MostPatience; i++)
            Assert.Equal(1, Burst(size));
        Assert.InRange(_vain, 1, 10);
    }

    [Fact]
    public void A_read_that_was_only_a_trial_changes_nothing()
    {
        Burst(8);
        Burst(8);
        var limit = _gauge.Limit;
        _gauge.Read(0, limit);
        Assert.Equal(limit, _gauge.Limit);
    }

    [Fact]
    public void A_smaller_burst_is_followed_at_once_by_smaller_reads_but_not_by_less_than_half()
    {
        for (var i = 0; i < 5; i++)
            _gauge.Read(_gauge.Limit, _gauge.Limit);
        Assert.Equal(32, _gauge.Limit);
        _gauge.Read(1, 32);
        Assert.Equal(8, _gauge.Limit);
        _gauge.Read(5, 8);
        Assert.Equal(5, _gauge.Limit);
        _gauge.Read(1, 5);
        _gauge.Read(1, 2);
        Assert.Equal(1, _gauge.Limit);
    }

    [Fact]
    public void After_any_number_of_single_frames_a_flood_is_soon_read_in_large_batches()
    {
        for (var i = 0; i < 10_000; i++)
            Burst(1);
        var reads = 0;
        while (_gauge.Limit < 64)
        {
            _gauge.Read(_gauge.Limit, _gauge.Limit);
            reads++;
        }

        Assert.InRange(reads, 1, BurstGauge.MostPatience + 6);
    }

    /// <summary>Reads until the burst has been taken; the number of reads.</summary>
    private int Burst(int size)
    {
        var reads = 0;
        for (var left = size; left > 0; reads++)
        {
            var limit = _gauge.Limit;
            var count = Math.Min(limit, left);
            left -= count;
            _vain += count < limit ? 1 : 0;
            _gauge.Read(count, limit);
        }

        return reads;
    }
}
