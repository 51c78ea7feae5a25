using Tapwire.Tests.Sim;
using Xunit;

namespace Tapwire.Tests.Stack.Tcp;

/// <summary>Tail loss probes (RFC 8985, 7): after two round trips of 20 ms each, and 2 ms.</summary>
public class TailProbeSpec
{
    private const string Probed = TcpScript.AcceptedWithSack + """
        +0 write 2920
        +0 > . 1:1461(1460) ack 1
        +0 > P. 1461:2921(1460) ack 1
        +42ms > P. 1461:2921(1460) ack 1

        """;

    private const string TwoMore = """
        +0 write 2920
        +0 > . 2921:4381(1460) ack 1
        +0 > P. 4381:5841(1460) ack 1

        """;

    [Fact]
    public void A_probe_is_new_data_if_there_is_any_whatever_the_congestion_window() => new TcpScript().Run(TcpScript.AcceptedWithSack + TcpScript.TenSegments + """
        +0 write 2920
        +42ms > . 14601:16061(1460) ack 1
        +0 counter TcpExtTCPLossProbes 1
        +0 counter TcpRetransSegs 0
        +20ms < . 1:1(0) ack 14601 win 65535
        +0 > P. 16061:17521(1460) ack 1
        +20ms < . 1:1(0) ack 17521 win 65535
        +0 counter TcpExtTCPLossProbeRecovery 0
        """).AssertNoLeak();

    [Fact]
    public void One_probe_is_sent_and_then_the_timer_counts() => new TcpScript().Run(Probed + """
        +220ms > . 1:1461(1460) ack 1
        +0 counter TcpExtTCPLossProbes 1
        +0 counter TcpExtTCPTimeouts 1
        """).AssertNoLeak();

    [Fact]
    public void A_single_segment_is_given_the_time_of_a_delayed_acknowledgement() => new TcpScript().Run(TcpScript.AcceptedWithSack + """
        +0 write 100
        +0 > P. 1:101(100) ack 1
        +200ms counter TcpExtTCPLossProbes 0
        +20ms > P. 1:101(100) ack 1
        """).AssertNoLeak();

    /// <summary>7.2: on a steady path two round trips and that time end later than the time-out does. The probe takes its place, and the window stays as it was.</summary>
    [Fact]
    public void A_probe_that_would_come_after_the_time_out_comes_in_its_place() => new TcpScript().Run(TcpScript.AcceptedWithSack + """
        +0 write 100
        +0 > P. 1:101(100) ack 1
        +220ms > P. 1:101(100) ack 1
        +0 counter TcpExtTCPLossProbes 1
        +0 counter TcpExtTCPTimeouts 0
        +20ms < . 1:1(0) ack 101 win 65535
        +0 write 14600

        """ + TcpScript.Burst(101, 10)).AssertNoLeak();

    [Fact]
    public void A_single_segment_whose_probe_is_lost_too_times_out() => new TcpScript().Run(TcpScript.AcceptedWithSack + """
        +0 write 100
        +0 > P. 1:101(100) ack 1
        +220ms > P. 1:101(100) ack 1
        +220ms > P. 1:101(100) ack 1
        +0 counter TcpExtTCPLossProbes 1
        +0 counter TcpExtTCPTimeouts 1
        """).AssertNoLeak();

    /// <summary>7.4.2: an acknowledgement of the end alone may answer the first copy; it is the next one that tells.</summary>
    [Fact]
    public void A_probe_that_made_good_for_a_loss_counts_as_one_once_something_later_is_acknowledged() => new TcpScript().Run(Probed + """
        +20ms < . 1:1(0) ack 2921 win 65535
        +0 cwnd 14600

        """ + TwoMore + """
        +20ms < . 1:1(0) ack 5841 win 65535
        +0 counter TcpExtTCPLossProbeRecovery 1
        +0 cwnd 2920
        """).AssertNoLeak();

    [Fact]
    public void An_acknowledgement_that_was_merely_late_costs_nothing() => new TcpScript().Run(Probed + """
        +5ms < . 1:1(0) ack 2921 win 65535
        +20ms < . 1:1(0) ack 2921 win 65535 <sack 1461:2921>

        """ + TwoMore + """
        +20ms < . 1:1(0) ack 5841 win 65535
        +0 counter TcpExtTCPLossProbeRecovery 0
        +0 cwnd 14600
        """).AssertNoLeak();

    /// <summary>Without SACK blocks at all (7.4.2, case 2).</summary>
    [Fact]
    public void A_bare_duplicate_of_the_acknowledgement_tells_as_well_that_nothing_was_lost() => new TcpScript().Run(Probed + """
        +5ms < . 1:1(0) ack 2921 win 65535
        +20ms < . 1:1(0) ack 2921 win 65535

        """ + TwoMore + """
        +20ms < . 1:1(0) ack 5841 win 65535
        +0 counter TcpExtTCPLossProbeRecovery 0
        """).AssertNoLeak();

    [Fact]
    public void The_first_parts_of_a_late_flight_do_not_end_the_wait() => new TcpScript().Run(Probed + """
        +5ms < . 1:1(0) ack 1461 win 65535
        +100ms counter TcpExtTCPLossProbes 1
        +0 < . 1:1(0) ack 2921 win 65535

        """ + TwoMore + """
        +20ms < . 1:1(0) ack 5841 win 65535
        +0 counter TcpExtTCPLossProbeRecovery 1
        """).AssertNoLeak();

    [Fact]
    public void A_probe_that_arrives_twice_says_nothing_about_the_order()
    {
        var script = new TcpScript().Run(Probed + """
            +20ms < . 1:1(0) ack 2921 win 65535 <sack 1461:2921>
            +0 cwnd 14600
            """);
        Assert.False(script.Socket.Info.ReorderingSeen);
        script.AssertNoLeak();
    }

    [Fact]
    public void A_fin_is_probed_with_the_data_before_it() => new TcpScript().Run(TcpScript.AcceptedWithSack + """
        +0 write 2920
        +0 > . 1:1461(1460) ack 1
        +0 > P. 1461:2921(1460) ack 1
        +0 shutdown
        +0 > F. 2921:2921(0) ack 1
        +42ms > FP. 1461:2921(1460) ack 1
        +20ms < . 1:1(0) ack 2922 win 65535 <sack 1461:2922>
        +0 state FinWait2
        """).AssertNoLeak();

    [Fact]
    public void Nothing_is_probed_into_a_closed_window() => new TcpScript().Run(TcpScript.AcceptedWithSack + """
        +0 write 2920
        +0 > . 1:1461(1460) ack 1
        +0 > P. 1461:2921(1460) ack 1
        +20ms < . 1:1(0) ack 1461 win 0
        +150ms counter TcpExtTCPLossProbes 0
        """).AssertNoLeak();
}
