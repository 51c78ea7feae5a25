using Tapwire.Stack;
using Tapwire.Stack.Tcp;
using Tapwire.Tests.Sim;
using Xunit;

namespace Tapwire.Tests.Stack.Tcp;

/// <summary>The window of RFC 5681, its beginning (RFC 6928), its restart (RFC 2861) and its reduction (RFC 9937).</summary>
public class WindowSpec
{
    private const int Segment = 1000;

    private readonly NewRenoCongestionControl _reno = new();

    private void Acknowledge(int bytes, bool isLimited = true, bool isRecovering = false) =>
        _reno.Acknowledged(new AckReport { SegmentSize = Segment, Acknowledged = bytes, Delivered = bytes, IsWindowLimited = isLimited }, isRecovering);

    private void Begin(bool synLost = false) => _reno.Begin(Segment, synLost, TimeSpan.Zero, default);

    [Theory]
    [InlineData(536, 5360)]
    [InlineData(1460, 14600)]
    [InlineData(1461, 14600)]
    [InlineData(4000, 14600)]
    [InlineData(8960, 17920)]
    public void It_begins_with_ten_segments_and_less_of_large_ones(int segmentSize, int window) =>
        Assert.Equal(window, CongestionControl.InitialWindow(segmentSize));

    [Theory]
    [InlineData(CongestionAlgorithm.NewReno)]
    [InlineData(CongestionAlgorithm.Cubic)]
    public void After_a_lost_syn_it_begins_with_one(CongestionAlgorithm algorithm)
    {
        CongestionControl control = algorithm == CongestionAlgorithm.NewReno ? new NewRenoCongestionControl() : new CubicCongestionControl();
        control.Begin(Segment, synLost: true, TimeSpan.Zero, default);
        Assert.Equal(Segment, control.Window);
    }

    [Fact]
    public void In_slow_start_it_grows_by_what_is_acknowledged_and_then_by_a_segment_per_window()
    {
        Begin();
        Acknowledge(10 * Segment);
        Assert.Equal(20 * Segment, _reno.Window);
        _reno.LossDetected(20 * Segment, Segment, default);
        Assert.Equal(10 * Segment, _reno.Window);
        for (var i = 0; i < 9; i++)
            Acknowledge(Segment);
        Assert.Equal(10 * Segment, _reno.Window);
        Acknowledge(Segment);
        Assert.Equal(11 * Segment, _reno.Window);
        for (var i = 0; i < 11; i++)
            Acknowledge(Segment);
        Assert.Equal(12 * Segment, _reno.Window);
    }

    [Fact]
    public void It_does_not_grow_beyond_the_threshold_at_the_speed_of_slow_start()
    {
        Begin();
        _reno.TimedOut(40 * Segment, Segment, first: true, default);
        Assert.Equal((Segment, 20 * Segment), (_reno.Window, _reno.SlowStartThreshold));
        Acknowledge(30 * Segment);
        Assert.InRange(_reno.Window, 20 * Segment, 21 * Segment);
    }

    [Fact]
    public void It_does_not_grow_in_recovery_nor_while_it_is_not_used()
    {
        Begin();
        Acknowledge(10 * Segment, isLimited: false);
        Acknowledge(10 * Segment, isRecovering: true);
        Assert.Equal(10 * Segment, _reno.Window);
    }

    [Fact]
    public void The_threshold_is_half_of_what_was_in_flight_and_two_segments_at_least()
    {
        Begin();
        _reno.LossDetected(3 * Segment, Segment, default);
        Assert.Equal(2 * Segment, _reno.SlowStartThreshold);
        _reno.TimedOut(30 * Segment, Segment, first: true, default);
        Assert.Equal(15 * Segment, _reno.SlowStartThreshold);
        _reno.TimedOut(30 * Segment, Segment, first: false, default);
        Assert.Equal(15 * Segment, _reno.SlowStartThreshold);
    }

    [Fact]
    public void Each_time_out_without_sending_halves_it_down_to_where_it_began()
    {
        Begin();
        Acknowledge(150 * Segment);
        var timeout = TimeSpan.FromMilliseconds(200);
        _reno.Restarted(timeout - new TimeSpan(1), timeout, Segment, default);
        Assert.Equal(160 * Segment, _reno.Window);
        _reno.LossDetected(160 * Segment, Segment, default);
        _reno.Restarted(timeout, timeout, Segment, default);
        Assert.Equal(40 * Segment, _reno.Window);
        Assert.Equal(80 * Segment, _reno.SlowStartThreshold);
        _reno.Restarted(TimeSpan.FromDays(10_000), timeout, Segment, default);
        Assert.Equal(10 * Segment, _reno.Window);
        Assert.Equal(80 * Segment, _reno.SlowStartThreshold);
    }

    [Fact]
    public void A_window_smaller_than_the_initial_one_stays_over_an_idle_time()
    {
        Begin(synLost: true);
        _reno.Restarted(TimeSpan.FromMinutes(1), TimeSpan.FromSeconds(1), Segment, default);
        Assert.Equal(Segment, _reno.Window);
    }

    /// <summary>Each attempt to send looks at the idle time; a window that has been halved for it is not halved again.</summary>
    [Fact]
    public void An_idle_time_counts_once_however_often_sending_is_tried_into_a_closed_window() => new TcpScript().Run(TcpScript.AcceptedWithSack + TcpScript.TenSegments + """
        +20ms < . 1:1(0) ack 14601 win 65535
        +0 write 29200

        """ + TcpScript.Burst(14601, 20) + """
        +20ms < . 1:1(0) ack 43801 win 0
        +0 cwnd 58400
        +300ms write 100
        +0 cwnd 29200
        +10ms write 100
        +10ms write 100
        +0 cwnd 29200
        +0 < . 1:1(0) ack 43801 win 65535
        +0 > P. 43801:44101(300) ack 1
        """).AssertNoLeak();

    /// <summary>One of twenty segments is lost; each arrival is one acknowledgement.</summary>
    [Fact]
    public void A_reduction_sends_one_for_two_that_arrive_and_ends_at_the_threshold()
    {
        var reduction = default(ProportionalRateReduction);
        reduction.Begin(20 * Segment, 10 * Segment);
        var (pipe, sent) = (19 * Segment, 0);
        for (var i = 0; i < 19; i++)
        {
            pipe -= Segment;
            reduction.Acknowledged(Segment, pipe, 10 * Segment, Segment, isSafe: false);
            while (reduction.Window - pipe >= Segment)
            {
                reduction.Sent(Segment);
                pipe += Segment;
                sent += Segment;
            }
        }

        Assert.InRange(sent, 9 * Segment, 10 * Segment);
        Assert.InRange(pipe, 9 * Segment, 10 * Segment);
    }

    /// <summary>Half of the flight was lost: what arrives sets the pace, and while the cumulative acknowledgement moves, one more.</summary>
    [Fact]
    public void Below_the_threshold_a_reduction_sends_what_arrives_and_no_burst()
    {
        var reduction = default(ProportionalRateReduction);
        reduction.Begin(20 * Segment, 10 * Segment);
        reduction.Acknowledged(Segment, 4 * Segment, 10 * Segment, Segment, isSafe: false);
        Assert.Equal(5 * Segment, reduction.Window);
        reduction.Sent(Segment);
        reduction.Acknowledged(Segment, 4 * Segment, 10 * Segment, Segment, isSafe: true);
        Assert.Equal(6 * Segment, reduction.Window);
        reduction.Acknowledged(100 * Segment, 9 * Segment, 10 * Segment, Segment, isSafe: true);
        Assert.Equal(10 * Segment, reduction.Window);
    }

    /// <summary>What has left beyond what arrived is not held against what arrives now; but only progress without a further loss allows one segment more.</summary>
    [Fact]
    public void Below_the_threshold_an_acknowledgement_lets_out_what_it_reports()
    {
        var reduction = default(ProportionalRateReduction);
        reduction.Begin(20 * Segment, 10 * Segment);
        reduction.Sent(5 * Segment);
        reduction.Acknowledged(Segment, 4 * Segment, 10 * Segment, Segment, isSafe: false);
        Assert.Equal(5 * Segment, reduction.Window);
        reduction.Acknowledged(Segment, 4 * Segment, 10 * Segment, Segment, isSafe: true);
        Assert.Equal(6 * Segment, reduction.Window);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    public void A_reduction_of_nothing_in_flight_divides_by_nothing(int inFlight)
    {
        var reduction = default(ProportionalRateReduction);
        reduction.Begin(inFlight, 2 * Segment);
        reduction.Acknowledged(0, 10 * Segment, 2 * Segment, Segment, isSafe: false);
        Assert.Equal(10 * Segment, reduction.Window);
    }
}
