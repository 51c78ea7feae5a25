using Tapwire.Posix;
using Xunit;

namespace Tapwire.Tests.Posix;

public sealed class SpinGaugeSpec
{
    private const long Spin = 30;

    [Fact]
    public void Looking_is_worthwhile_after_a_row_of_short_sleeps_and_until_a_long_one()
    {
        var gauge = new SpinGauge(Spin);
        for (var i = 0; i < SpinGauge.Proof; i++)
        {
            Assert.False(gauge.IsWorthwhile);
            gauge.Slept(2 * Spin);
        }

        Assert.True(gauge.IsWorthwhile);
        gauge.Looked(found: true);
        Assert.True(gauge.IsWorthwhile);
        gauge.Slept((2 * Spin) + 1);
        Assert.False(gauge.IsWorthwhile);
    }

    [Fact]
    public void Vain_looks_become_rare_and_a_good_one_makes_up_for_them()
    {
        var gauge = new SpinGauge(Spin);
        var looks = 0;
        const int sleeps = 100_000;
        for (var i = 0; i < sleeps; i++)
        {
            gauge.Slept(1);
            if (!gauge.IsWorthwhile)
                continue;
            looks++;
            gauge.Looked(found: false);
        }

        Assert.InRange(looks, 10, 10 + (sleeps / SpinGauge.MostPause));
        while (!gauge.IsWorthwhile)
            gauge.Slept(1);
        gauge.Looked(found: true);
        gauge.Looked(found: false);
        for (var i = 0; i < SpinGauge.LeastPause; i++)
        {
            Assert.False(gauge.IsWorthwhile);
            gauge.Slept(1);
        }

        Assert.True(gauge.IsWorthwhile);
    }

    [Fact]
    public void Without_a_time_to_look_it_is_never_worthwhile()
    {
        var gauge = new SpinGauge(0);
        for (var i = 0; i < 100; i++)
            gauge.Slept(0);
        Assert.False(gauge.IsWorthwhile);
    }
}
