using Tapwire.Stack;
using Tapwire.Stack.Tcp;
using Xunit;

namespace Tapwire.Tests.Stack.Tcp;

/// <summary>CUBIC (RFC 9438) against its formulas. A whole window is acknowledged in each round trip, one segment at a time.</summary>
public class CubicSpec
{
    private const int Segment = 1000;
    private const double C = 0.4;
    private const double Beta = 0.7;

    private readonly CubicCongestionControl _cubic = new();
    private TimeSpan _roundTrip = TimeSpan.FromMilliseconds(100);
    private Instant _now = Instant.FromMilliseconds(5000);

    private double Window => (double)_cubic.Window / Segment;

    private void Acknowledge(int bytes, bool isLimited = true) => _cubic.Acknowledged(
        new AckReport
        {
            Now = _now,
            SegmentSize = Segment,
            Acknowledged = bytes,
            Delivered = bytes,
            IsWindowLimited = isLimited,
            SmoothedRoundTrip = _roundTrip,
            MinRoundTrip = _roundTrip,
        },
        isRecovering: false);

    private void Round(bool isLimited = true)
    {
        var (began, segments) = (_now, (int)Window);
        for (var i = 1; i <= segments; i++)
        {
            _now = began + _roundTrip * i / segments;
            Acknowledge(Segment, isLimited);
        }
    }

    private void Run(double seconds)
    {
        for (var end = _now + TimeSpan.FromSeconds(seconds); _now < end;)
            Round();
    }

    private void Lose()
    {
        _cubic.LossDetected((int)_cubic.Window, Segment, _now);
        _cubic.Recovered();
    }

    /// <summary>A loss at a window of so many segments.</summary>
    private void LoseAt(int segments)
    {
        _cubic.Begin(Segment, synLost: false, _roundTrip, _now);
        Acknowledge((segments * Segment) - (int)_cubic.Window);
        Assert.Equal(segments, Window);
        Lose();
    }

    /// <summary>W_cubic(t) after a loss at a window of <paramref name="maximum"/>.</summary>
    private static double Curve(double t, double maximum, double begin)
    {
        var x = t - Math.Cbrt((maximum - begin) / C);
        return (C * x * x * x) + maximum;
    }

    private static void Near(double expected, double actual, double share) =>
        Assert.True(Math.Abs(expected - actual) <= share * expected, $"{actual} is not near {expected}");

    [Fact]
    public void The_cube_root_is_right_but_for_its_last_bits_and_the_same_on_every_machine()
    {
        var random = new Random(1);
        for (var i = 0; i < 10_000; i++)
        {
            var number = Math.Exp(60 * random.NextDouble() - 10);
            Assert.InRange(CubicCongestionControl.CubeRoot(number) / Math.Cbrt(number), 1 - 1e-15, 1 + 1e-15);
        }

        Assert.Equal(0, CubicCongestionControl.CubeRoot(0));
        // Seen on x86-64 and Arm64.
        Assert.Equal([0.4641588833612779, 1.4422495703074083, 10.727463151582116, 1000.0000000000001], (double[])[.. ((double[])[0.1, 3, 1234.5, 1e9]).Select(CubicCongestionControl.CubeRoot)]);
    }

    [Fact]
    public void A_loss_leaves_seven_tenths()
    {
        LoseAt(1000);
        Assert.Equal(700, Window);
        Assert.Equal(700 * Segment, _cubic.SlowStartThreshold);
    }

    [Fact]
    public void The_window_is_never_less_than_two_segments_after_a_loss()
    {
        _cubic.Begin(Segment, synLost: true, _roundTrip, _now);
        Lose();
        Assert.Equal(2, Window);
    }

    [Fact]
    public void It_returns_along_the_curve_first_concave_then_convex()
    {
        LoseAt(1000);
        var began = _now;
        Acknowledge(Segment);
        var before = Window;
        var growth = new List<double>();
        for (var second = 1; second <= 14; second++)
        {
            Run(1);
            Near(Curve((_now - began).TotalSeconds, 1000, 700), Window, 0.01);
            growth.Add(Window - before);
            before = Window;
        }

        // K is 9.1 s.
        for (var i = 1; i < 8; i++)
            Assert.True(growth[i] < growth[i - 1], string.Join(' ', growth));
        for (var i = 10; i < 14; i++)
            Assert.True(growth[i] > growth[i - 1], string.Join(' ', growth));
    }

    [Fact]
    public void On_a_short_path_it_grows_as_reno_would()
    {
        _roundTrip = TimeSpan.FromMilliseconds(5);
        LoseAt(20);
        // From 14 to 20 by 0.53 of a segment per round trip, then one.
        for (var i = 0; i < 11; i++)
            Round();
        Assert.InRange(Window, 19, 21.5);
        for (var i = 0; i < 20; i++)
            Round();
        Assert.InRange(Window, 36, 41);
    }

    [Fact]
    public void Who_has_not_come_back_to_where_he_was_aims_lower()
    {
        LoseAt(1000);
        Run(3);
        var second = Window;
        Assert.True(second < 990);
        Lose();
        var (begin, maximum) = (Window, second * (1 + Beta) / 2);
        var plateau = Math.Cbrt((maximum - begin) / C);
        Run(plateau);
        Near(maximum, Window, 0.01);
        Run(1);
        Near(Curve(plateau + 1, maximum, begin), Window, 0.015);
    }

    [Fact]
    public void Who_has_come_back_aims_where_the_loss_was()
    {
        LoseAt(1000);
        Run(14);
        var second = Window;
        Assert.True(second > 1000);
        Lose();
        Run(Math.Cbrt(second * (1 - Beta) / C));
        Near(second, Window, 0.01);
    }

    /// <summary>4.8: after a time-out the curve begins at its inflection.</summary>
    [Fact]
    public void After_a_time_out_it_slow_starts_to_seven_tenths_and_goes_on_from_there()
    {
        _cubic.Begin(Segment, synLost: false, _roundTrip, _now);
        Acknowledge(990 * Segment);
        _cubic.TimedOut((int)_cubic.Window, Segment, first: true, _now);
        Assert.Equal(1, Window);
        Assert.Equal(700 * Segment, _cubic.SlowStartThreshold);
        Acknowledge(699 * Segment);
        Assert.Equal(700, Window);
        Run(2);
        Assert.InRange(Window, 700, 716);
    }

    [Fact]
    public void A_second_time_out_of_the_same_segment_leaves_the_threshold()
    {
        _cubic.Begin(Segment, synLost: false, _roundTrip, _now);
        Acknowledge(90 * Segment);
        _cubic.TimedOut(100 * Segment, Segment, first: true, _now);
        _cubic.TimedOut(100 * Segment, Segment, first: false, _now);
        Assert.Equal(70 * Segment, _cubic.SlowStartThreshold);
    }

    [Fact]
    public void A_loss_that_was_none_leaves_everything_as_it_was()
    {
        LoseAt(1000);
        var began = _now;
        Run(5);
        var (window, threshold) = (_cubic.Window, _cubic.SlowStartThreshold);
        _cubic.LossDetected((int)_cubic.Window, Segment, _now);
        Assert.True(_cubic.Window < window);
        _cubic.Undo();
        Assert.Equal((window, threshold), (_cubic.Window, _cubic.SlowStartThreshold));
        Run(3);
        Near(Curve((_now - began).TotalSeconds, 1000, 700), Window, 0.01);
    }

    [Fact]
    public void A_time_out_that_was_none_leaves_everything_as_it_was()
    {
        LoseAt(1000);
        var began = _now;
        Run(5);
        var window = _cubic.Window;
        _cubic.TimedOut((int)_cubic.Window, Segment, first: true, _now);
        _cubic.Undo();
        Assert.Equal(window, _cubic.Window);
        Run(3);
        Near(Curve((_now - began).TotalSeconds, 1000, 700), Window, 0.01);
    }

    /// <summary>5.8.</summary>
    [Fact]
    public void Time_in_which_the_application_did_not_use_the_window_does_not_count()
    {
        LoseAt(1000);
        var began = _now;
        Run(3);
        var (window, stopped) = (_cubic.Window, _now);
        for (var i = 0; i < 100; i++)
            Round(isLimited: false);
        Assert.Equal(window, _cubic.Window);
        var pause = _now - stopped;
        Run(3);
        Near(Curve((_now - pause - began).TotalSeconds, 1000, 700), Window, 0.01);
    }

    /// <summary>Nothing was in flight, so no acknowledgement came that could have said so; and the pause was too short for the window to begin anew.</summary>
    [Fact]
    public void Time_in_which_nothing_was_sent_does_not_count_either()
    {
        LoseAt(1000);
        var began = _now;
        Run(3);
        var stopped = _now;
        for (var i = 0; i < 5; i++)
        {
            _now += TimeSpan.FromSeconds(2);
            _cubic.Restarted(TimeSpan.FromSeconds(2), TimeSpan.FromSeconds(3), Segment, _now);
        }

        var pause = _now - stopped;
        Run(3);
        Near(Curve((_now - pause - began).TotalSeconds, 1000, 700), Window, 0.01);
    }

    /// <summary>4.2: at most half as much again in a round trip, however long the last one has been.</summary>
    [Fact]
    public void No_gap_between_acknowledgements_makes_it_jump()
    {
        LoseAt(1000);
        Run(1);
        var window = _cubic.Window;
        _now += TimeSpan.FromMinutes(10);
        Round();
        Assert.True(_cubic.Window <= (1.5 * window) + Segment);
    }

    [Fact]
    public void It_makes_better_use_of_a_long_fat_path_than_reno()
    {
        var reno = new NewRenoCongestionControl();
        reno.Begin(Segment, synLost: false, _roundTrip, _now);
        LoseAt(1000);
        reno.Acknowledged(new AckReport { SegmentSize = Segment, Acknowledged = 990 * Segment, Delivered = 990 * Segment, IsWindowLimited = true }, isRecovering: false);
        reno.LossDetected((int)reno.Window, Segment, _now);
        for (var i = 0; i < 100; i++)
        {
            Round();
            for (var acknowledged = reno.Window; acknowledged > 0; acknowledged -= Segment)
                reno.Acknowledged(new AckReport { SegmentSize = Segment, Acknowledged = Segment, Delivered = Segment, IsWindowLimited = true }, isRecovering: false);
        }

        Assert.InRange(reno.Window, 590 * Segment, 610 * Segment);
        Assert.True(_cubic.Window > 980 * Segment);
    }
}
