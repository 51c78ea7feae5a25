using System.Text;
using Tapwire.Stack.Tcp;
using Tapwire.Tests.Sim;
using Xunit;

namespace Tapwire.Tests.Stack.Tcp;

/// <summary>Losses told by time (RFC 8985, 6): the round trip is 20 ms, and a quarter of it the reordering window.</summary>
public class RackSpec
{
    private const string TwoSegments = """
        +0 write 2920
        +0 > . 1:1461(1460) ack 1
        +0 > P. 1461:2921(1460) ack 1

        """;

    [Fact]
    public void What_was_sent_long_before_something_that_has_arrived_is_lost() => new TcpScript().Run(TcpScript.AcceptedWithSack + """
        +0 write 1460
        +0 > P. 1:1461(1460) ack 1
        +10ms write 1460
        +0 > P. 1461:2921(1460) ack 1
        +20ms < . 1:1(0) ack 1 win 65535 <sack 1461:2921>
        +0 > . 1:1461(1460) ack 1
        +0 counter TcpExtTCPSackRecovery 1
        """).AssertNoLeak();

    [Fact]
    public void What_was_sent_just_before_is_given_a_quarter_of_the_least_round_trip() => new TcpScript().Run(TcpScript.AcceptedWithSack + TwoSegments + """
        +20ms < . 1:1(0) ack 1 win 65535 <sack 1461:2921>
        +4ms counter TcpRetransSegs 0
        +1ms > . 1:1461(1460) ack 1
        +0 counter TcpExtTCPSackRecovery 1
        """).AssertNoLeak();

    [Fact]
    public void What_comes_late_within_the_window_is_not_lost_and_shows_reordering()
    {
        var script = new TcpScript().Run(TcpScript.AcceptedWithSack + TwoSegments + """
            +20ms < . 1:1(0) ack 1 win 65535 <sack 1461:2921>
            +4ms < . 1:1(0) ack 2921 win 65535
            +500ms counter TcpRetransSegs 0
            """);
        Assert.True(script.Socket.Info.ReorderingSeen);
        script.AssertNoLeak();
    }

    /// <summary>Blocks come with the latest first (RFC 2018, 4), which is no order of arrival.</summary>
    [Fact]
    public void Blocks_of_one_acknowledgement_show_no_reordering()
    {
        var script = new TcpScript().Run(TcpScript.AcceptedWithSack + TcpScript.TenSegments + """
            +20ms < . 1:1(0) ack 1 win 65535 <sack 7301:14601 1461:5841>
            +0 > . 1:1461(1460) ack 1
            +0 > . 5841:7301(1460) ack 1
            +20ms < . 1:1(0) ack 14601 win 65535
            """);
        Assert.False(script.Socket.Info.ReorderingSeen);
        script.AssertNoLeak();
    }

    /// <summary>Sequence numbers come round again after 4 GiB; a round that is over must not.</summary>
    [Fact]
    public void A_duplicate_counts_again_once_the_flight_in_which_the_last_one_came_is_acknowledged()
    {
        var rack = default(RackDetector);
        rack.DuplicateReported(sndUna: 0, sndNxt: 1000);
        rack.DuplicateReported(sndUna: 500, sndNxt: 1500);
        Assert.Equal(2, Quarters());
        rack.Acknowledged(1000);
        rack.DuplicateReported(sndUna: 3u << 30, sndNxt: (3u << 30) + 1000);
        Assert.Equal(3, Quarters());

        double Quarters() => rack.ReorderingWindow(TimeSpan.FromMilliseconds(20), TimeSpan.FromSeconds(1), isCertain: false) / TimeSpan.FromMilliseconds(5);
    }

    /// <summary>No acknowledgement sets the pace then (RFC 9937, 6): one segment leaves, as in Linux, and each that arrives lets out another.</summary>
    [Fact]
    public void A_recovery_that_the_reordering_window_begins_is_no_burst() => new TcpScript().Run(TcpScript.AcceptedWithSack + TcpScript.TenSegments + """
        +20ms < . 1:1(0) ack 1 win 65535 <sack 11681:14601>
        +5ms > . 1:1461(1460) ack 1
        +0 ssthresh 7300
        +20ms < . 1:1(0) ack 1461 win 65535 <sack 11681:14601>
        +0 > . 1461:2921(1460) ack 1
        +0 > . 2921:4381(1460) ack 1
        """).AssertNoLeak();

    [Fact]
    public void Three_segments_behind_a_gap_are_proof_unless_the_path_changes_the_order() => new TcpScript().Run(TcpScript.AcceptedWithSack + TwoSegments + """
        +20ms < . 1:1(0) ack 1 win 65535 <sack 1461:2921>
        +4ms < . 1:1(0) ack 2921 win 65535
        +0 write 14600

        """ + TcpScript.Burst(2921, 10) + """
        +20ms < . 1:1(0) ack 2921 win 65535 <sack 7301:13141>
        +4ms counter TcpRetransSegs 0
        +1ms > . 2921:4381(1460) ack 1
        +20ms < . 1:1(0) ack 4381 win 65535 <sack 7301:13141>
        +0 > . 4381:5841(1460) ack 1
        """).AssertNoLeak();

    [Fact]
    public void A_needless_repetition_widens_the_window_for_sixteen_recoveries()
    {
        var script = new StringBuilder(TcpScript.AcceptedWithSack + TwoSegments + """
            +20ms < . 1:1(0) ack 1 win 65535 <sack 1461:2921>
            +5ms > . 1:1461(1460) ack 1
            +20ms < . 1:1(0) ack 2921 win 65535 <sack 1:1461>

            """);
        for (var i = 1; i <= 17; i++)
        {
            var (start, middle, end) = (1 + 2920 * i, 1461 + 2920 * i, 2921 + 2920 * i);
            script.AppendLine("+0 write 2920").Append(TcpScript.Burst(start, 2))
                .AppendLine($"+20ms < . 1:1(0) ack {start} win 65535 <sack {middle}:{end}>")
                .AppendLine($"+{(i <= 16 ? 10 : 5)}ms > . {start}:{middle}(1460) ack 1")
                .AppendLine($"+20ms < . 1:1(0) ack {end} win 65535");
        }

        new TcpScript().Run(script.ToString()).AssertNoLeak();
    }

    [Fact]
    public void A_repetition_that_is_lost_is_repeated_as_soon_as_something_sent_later_arrives() => new TcpScript().Run(
        TcpScript.AcceptedWithSack + TcpScript.TenSegments + """
        +0 write 5840
        +20ms < . 1:1(0) ack 1 win 65535 <sack 1461:5841>
        +0 > . 1:1461(1460) ack 1
        +1ms < . 1:1(0) ack 1 win 65535 <sack 1461:14601>

        """ + TcpScript.Burst(14601, 4) + """
        +20ms < . 1:1(0) ack 1 win 65535 <sack 1461:16061>
        +0 > . 1:1461(1460) ack 1
        +0 counter TcpExtTCPLostRetransmit 1
        +20ms < . 1:1(0) ack 20441 win 65535
        +0 counter TcpRetransSegs 2
        +0 counter TcpExtTCPTimeouts 0
        """).AssertNoLeak();

    /// <summary>The timer had been set for a probe after two round trips; from the first loss on it must be the retransmission timer (RFC 8985, 7.2).</summary>
    [Fact]
    public void A_recovery_that_takes_longer_than_a_probe_would_wait_is_no_time_out() => new TcpScript().Run(TcpScript.AcceptedWithSack + TcpScript.TenSegments + """
        +20ms < . 1:1(0) ack 1 win 65535 <sack 1461:14601>
        +0 > . 1:1461(1460) ack 1
        +60ms counter TcpExtTCPTimeouts 0
        +0 < . 1:1(0) ack 14601 win 65535
        +0 counter TcpRetransSegs 1
        """).AssertNoLeak();

    [Fact]
    public void What_a_peer_has_reported_and_let_go_is_sent_again() => new TcpScript().Run(TcpScript.AcceptedWithSack + TcpScript.TenSegments + """
        +20ms < . 1:1(0) ack 1 win 65535 <sack 1461:14601>
        +0 > . 1:1461(1460) ack 1
        +20ms < . 1:1(0) ack 1461 win 65535
        +10ms > . 1461:2921(1460) ack 1
        +0 counter TcpExtTCPSACKReneging 1
        +20ms < . 1:1(0) ack 2921 win 65535
        +0 > . 2921:4381(1460) ack 1
        +0 > . 4381:5841(1460) ack 1
        +20ms < . 1:1(0) ack 5841 win 65535
        +0 > . 5841:7301(1460) ack 1
        +0 > . 7301:8761(1460) ack 1
        +0 > . 8761:10221(1460) ack 1
        +0 > . 10221:11681(1460) ack 1
        +20ms < . 1:1(0) ack 11681 win 65535
        +0 > . 11681:13141(1460) ack 1
        +0 > P. 13141:14601(1460) ack 1
        +20ms < . 1:1(0) ack 14601 win 65535
        +0 counter TcpExtTCPTimeouts 1
        """).AssertNoLeak();

    /// <summary>Every second byte, four blocks at a time, and then again from the start.</summary>
    [Fact]
    public void A_flood_of_tiny_reports_is_survived()
    {
        var script = new StringBuilder(TcpScript.AcceptedWithSack + TcpScript.TenSegments);
        for (var round = 0; round < 2; round++)
        {
            for (var at = 2; at + 8 < 14601; at += 8)
                script.AppendLine($"+0 < . 1:1(0) ack 1 win 65535 <sack {at}:{at + 1} {at + 2}:{at + 3} {at + 4}:{at + 5} {at + 6}:{at + 7}>");
            script.AppendLine("+1ms forget");
        }

        script.AppendLine("+0 < . 1:1(0) ack 7301 win 65535").AppendLine("+1ms forget").AppendLine("+10s forget").AppendLine("+0 state Established")
            .AppendLine("+0 < . 1:1(0) ack 14601 win 65535").AppendLine("+0 write 1460").AppendLine("+0 forget");
        var ran = new TcpScript().Run(script.ToString());
        Assert.Equal(1460, ran.Socket.Info.BytesInFlight);
        ran.AssertNoLeak();
    }
}
