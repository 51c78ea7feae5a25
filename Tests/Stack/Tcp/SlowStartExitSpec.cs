using Tapwire.Stack;
using Tapwire.Stack.Tcp;
using Xunit;

namespace Tapwire.Tests.Stack.Tcp;

/// <summary>HyStart++ (RFC 9406): rounds of twenty acknowledgements each.</summary>
public class SlowStartExitSpec
{
    private const int Segment = 1000;
    private const int PerRound = 20;

    private SlowStartExit _exit;
    private long _delivered;

    /// <returns>How much the last acknowledgement lets the window grow; -1: slow start is over.</returns>
    private int Round(double milliseconds, int samples = PerRound)
    {
        var growth = 0;
        var prior = _delivered;
        for (var i = 0; i < PerRound; i++)
        {
            _delivered += Segment;
            var report = new AckReport
            {
                SegmentSize = Segment,
                Acknowledged = Segment,
                Delivered = Segment,
                HasRate = true,
                PriorDelivered = prior,
                TotalDelivered = _delivered,
                RoundTrip = i < samples ? TimeSpan.FromMilliseconds(milliseconds) : TimeSpan.Zero,
            };
            if (_exit.Acknowledged(report, out growth))
                return -1;
        }

        return growth;
    }

    [Fact]
    public void While_round_trips_stay_the_same_the_window_doubles()
    {
        for (var i = 0; i < 30; i++)
            Assert.Equal(Segment, Round(20));
    }

    [Fact]
    public void Longer_round_trips_slow_growth_to_a_quarter_and_end_it_after_five_rounds()
    {
        Assert.Equal(Segment, Round(20));
        Assert.Equal(Segment, Round(20));
        for (var i = 0; i < 5; i++)
            Assert.Equal(Segment / 4, Round(24 + i));
        Assert.Equal(-1, Round(30));
    }

    [Fact]
    public void Shorter_round_trips_show_that_it_was_a_false_alarm()
    {
        Round(20);
        Assert.Equal(Segment / 4, Round(25));
        Assert.Equal(Segment / 4, Round(25));
        Assert.Equal(Segment, Round(24));
        Assert.Equal(Segment, Round(24));
    }

    [Theory]
    [InlineData(2, 5.9, false)]
    [InlineData(2, 6.1, true)]
    [InlineData(80, 89, false)]
    [InlineData(80, 91, true)]
    [InlineData(400, 415, false)]
    [InlineData(400, 417, true)]
    public void An_eighth_longer_is_longer_within_bounds_of_4_and_16_milliseconds(double before, double after, bool isLonger)
    {
        Round(before);
        Assert.Equal(isLonger ? Segment / 4 : Segment, Round(after));
    }

    [Fact]
    public void Fewer_than_eight_samples_in_a_round_tell_nothing()
    {
        Round(20);
        Assert.Equal(Segment, Round(50, samples: 7));
        Round(20);
        Assert.Equal(Segment / 4, Round(50, samples: 8));
    }

    [Fact]
    public void A_single_slow_segment_among_others_tells_nothing()
    {
        Round(20);
        for (var i = 0; i < 10; i++)
        {
            var prior = _delivered;
            for (var j = 0; j < PerRound; j++)
            {
                _delivered += Segment;
                var roundTrip = TimeSpan.FromMilliseconds(j == 0 ? 20 : 60);
                var report = new AckReport { Acknowledged = Segment, Delivered = Segment, HasRate = true, PriorDelivered = prior, TotalDelivered = _delivered, RoundTrip = roundTrip };
                Assert.False(_exit.Acknowledged(report, out var growth));
                Assert.Equal(Segment, growth);
            }
        }
    }
}
