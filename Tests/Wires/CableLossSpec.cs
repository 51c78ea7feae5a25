using Tapwire.Wires;
using Xunit;

namespace Tapwire.Tests.Wires;

public sealed class CableLossSpec
{
    private const int Frames = 400_000;

    [Theory]
    [InlineData(0.01, 5)]
    [InlineData(0.1, 2)]
    [InlineData(0.3, 20)]
    [InlineData(0.2, 1)]
    [InlineData(0.8, 4)]
    public void Loss_in_bursts_hits_its_share_and_the_bursts_have_their_mean_length(double share, double burst)
    {
        var (lost, bursts) = Run(new CableImpairments { Loss = share, LossBurst = burst });

        // Losses in a row make the share less certain than single ones do.
        var tolerance = 4 * Math.Sqrt(Frames * share * (1 - share) * 2 * burst);
        Assert.InRange(lost, (Frames * share) - tolerance, (Frames * share) + tolerance);
        Assert.InRange(lost / (double)bursts, burst * 0.95, burst * 1.05);
    }

    [Fact]
    public void Bursts_of_one_never_touch_each_other()
    {
        var (lost, bursts) = Run(new CableImpairments { Loss = 0.2, LossBurst = 1 });
        Assert.Equal(lost, bursts);
    }

    [Fact]
    public void Without_bursts_frames_are_lost_independently()
    {
        var (lost, bursts) = Run(new CableImpairments { Loss = 0.2 });
        Assert.InRange(lost / (double)bursts, 1.23, 1.27);
    }

    [Fact]
    public void The_same_seed_loses_the_same_frames()
    {
        var impairments = new CableImpairments { Loss = 0.1, LossBurst = 3 };
        var (one, same, other) = (new CableLoss(impairments, 7), new CableLoss(impairments, 7), new CableLoss(impairments, 8));
        var differences = 0;
        for (var i = 0; i < 1000; i++)
        {
            var hit = one.Hits();
            Assert.Equal(hit, same.Hits());
            differences += hit == other.Hits() ? 0 : 1;
        }

        Assert.NotEqual(0, differences);
    }

    [Theory]
    [InlineData(0.5, 0.5)]
    [InlineData(0.9, 8.9)]
    [InlineData(1, 5)]
    [InlineData(0.1, double.NaN)]
    [InlineData(0.1, -1)]
    public void Bursts_that_are_too_short_for_the_loss_are_refused(double share, double burst)
    {
        var options = new CableOptions { AToB = new CableImpairments { Loss = share, LossBurst = burst } };
        var refused = Assert.Throws<ArgumentException>(() => new Cable(options, TimeProvider.System));
        Assert.StartsWith("The cable's AToB.LossBurst cannot be ", refused.Message, StringComparison.Ordinal);
    }

    private static (int Lost, int Bursts) Run(CableImpairments impairments)
    {
        var loss = new CableLoss(impairments, seed: 42);
        var (lost, bursts, before) = (0, 0, false);
        for (var i = 0; i < Frames; i++)
        {
            var hit = loss.Hits();
            lost += hit ? 1 : 0;
            bursts += hit && !before ? 1 : 0;
            before = hit;
        }

        return (lost, bursts);
    }
}
