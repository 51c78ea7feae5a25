using Tapwire.Tests.Sim;
using Xunit;

namespace Tapwire.Tests.Stack.Tcp.Scripts;

/// <summary> What acknowledgements that report something missing let out: new segments at first (RFC 3042), then what is lost (RFC 6675), in proportion to
/// what arrives (RFC 9937). </summary>
public class FastRecoverySpec
{
    /// <summary>Fifteen segments are written, and ten leave.</summary>
    private static string Sent => TcpScript.AcceptedWithSack + "+0 write 21900\n" + TcpScript.Burst(1, 10, push: false);

    private static string SentWithoutSack => TcpScript.Accepted + "+0 write 21900\n" + TcpScript.Burst(1, 10, push: false);

    /// <summary>RFC 3042, 2: each of the first two reports lets a new segment out, though the window is full.</summary>
    [Fact]
    public void The_first_two_reports_let_new_segments_out() => new TcpScript().Run(Sent + """
        +20ms < . 1:1(0) ack 1 win 65535 <sack 1461:2921>
        +0 > . 14601:16061(1460) ack 1
        +1ms < . 1:1(0) ack 1 win 65535 <sack 1461:4381>
        +0 > . 16061:17521(1460) ack 1
        +0 cwnd 14600
        +1ms < . 1:1(0) ack 1 win 65535 <sack 1461:5841>
        +0 > . 1:1461(1460) ack 1
        +0 counter TcpExtTCPSackRecovery 1
        """).AssertNoLeak();

    [Fact]
    public void The_first_two_reports_let_nothing_out_that_the_peers_window_does_not_take() => new TcpScript().Run("""
        +0 listen
        +0 < S 0:0(0) win 14600 <mss 1460,sackOK>
        +0 > S. 0:0(0) ack 1
        +20ms < . 1:1(0) ack 1 win 14600
        +0 accept
        +0 write 21900

        """ + TcpScript.Burst(1, 10, push: false) + """
        +20ms < . 1:1(0) ack 1 win 14600 <sack 1461:2921>
        +0 < . 1:1(0) ack 1 win 14600 <sack 1461:4381>
        +0 < . 1:1(0) ack 1 win 14600 <sack 1461:5841>
        +0 > . 1:1461(1460) ack 1
        """).AssertNoLeak();

    /// <summary>RFC 3042, 2, without SACK, and the window that a segment's loss leaves is half of what was in flight without those two (RFC 5681, 3.2, step
    /// 2).</summary>
    [Fact]
    public void Segments_of_a_limited_transmit_do_not_count_for_the_threshold() => new TcpScript().Run(SentWithoutSack + """
        +20ms < . 1:1(0) ack 1 win 65535
        +0 > . 14601:16061(1460) ack 1
        +1ms < . 1:1(0) ack 1 win 65535
        +0 > . 16061:17521(1460) ack 1
        +1ms < . 1:1(0) ack 1 win 65535
        +0 > . 1:1461(1460) ack 1
        +0 ssthresh 7300
        """).AssertNoLeak();

    /// <summary>Segments that merely changed places on the way leave the window as it was. RFC 5681, 3.1: the acknowledgement that fills the gap counts for
    /// the one segment that it reports, so no burst follows.</summary>
    [Fact]
    public void Disorder_that_resolves_itself_lets_the_window_grow_by_the_segment_that_was_late() => new TcpScript().Run(Sent + """
        +20ms < . 1:1(0) ack 1 win 65535 <sack 1461:2921>
        +0 > . 14601:16061(1460) ack 1
        +1ms < . 1:1(0) ack 1 win 65535 <sack 1461:4381>
        +0 > . 16061:17521(1460) ack 1
        +1ms < . 1:1(0) ack 4381 win 65535
        +0 cwnd 16060
        +0 > . 17521:18981(1460) ack 1
        +0 > . 18981:20441(1460) ack 1
        +0 counter TcpRetransSegs 0
        """).AssertNoLeak();

    /// <summary>The same without SACK: what two duplicates have stood for is not counted again.</summary>
    [Fact]
    public void Disorder_without_sack_lets_the_window_grow_by_the_segment_that_was_late() => new TcpScript().Run(SentWithoutSack + """
        +20ms < . 1:1(0) ack 1 win 65535
        +0 > . 14601:16061(1460) ack 1
        +1ms < . 1:1(0) ack 1 win 65535
        +0 > . 16061:17521(1460) ack 1
        +1ms < . 1:1(0) ack 4381 win 65535
        +0 cwnd 16060
        +0 > . 17521:18981(1460) ack 1
        +0 > . 18981:20441(1460) ack 1
        +0 counter TcpRetransSegs 0
        """).AssertNoLeak();

    /// <summary>RFC 6675, 4: of two gaps each is filled once, the first one first.</summary>
    [Fact]
    public void Two_gaps_are_filled_once_each_in_their_order() => new TcpScript().Run(TcpScript.AcceptedWithSack + TcpScript.TenSegments + """
        +20ms < . 1:1(0) ack 1 win 65535 <sack 1461:2921>
        +0 < . 1:1(0) ack 1 win 65535 <sack 1461:4381>
        +0 < . 1:1(0) ack 1 win 65535 <sack 5841:7301 1461:4381>
        +0 > . 1:1461(1460) ack 1
        +0 < . 1:1(0) ack 1 win 65535 <sack 5841:8761 1461:4381>
        +0 < . 1:1(0) ack 1 win 65535 <sack 5841:10221 1461:4381>
        +0 > . 4381:5841(1460) ack 1
        +0 < . 1:1(0) ack 1 win 65535 <sack 5841:14601 1461:4381>
        +20ms < . 1:1(0) ack 4381 win 65535 <sack 5841:14601>
        +1ms < . 1:1(0) ack 14601 win 65535
        +0 counter TcpRetransSegs 2
        +0 counter TcpExtTCPLostRetransmit 0
        """).AssertNoLeak();

    /// <summary>An acknowledgement of part of what was missing does not end the recovery (RFC 6675, 5), and the window is not reduced again in it.</summary>
    [Fact]
    public void A_recovery_reduces_the_window_once_however_much_is_lost_in_it() => new TcpScript().Run(TcpScript.AcceptedWithSack + TcpScript.TenSegments + """
        +20ms < . 1:1(0) ack 1 win 65535 <sack 1461:5841>
        +0 > . 1:1461(1460) ack 1
        +0 ssthresh 7300
        +20ms < . 1:1(0) ack 5841 win 65535 <sack 7301:14601>
        +0 > . 5841:7301(1460) ack 1
        +0 ssthresh 7300
        +20ms < . 1:1(0) ack 14601 win 65535
        +0 cwnd 7300
        +0 counter TcpExtTCPSackRecovery 1
        """).AssertNoLeak();

    /// <summary>RFC 9937, 6: a full flight's reports after one loss let out one segment for two that arrive, until half the window is in flight; from there
    /// on one for each.</summary>
    [Fact]
    public void In_a_recovery_one_segment_leaves_for_two_that_arrive_and_at_the_threshold_one_for_each() => new TcpScript().Run(Sent + """
        +20ms < . 1:1(0) ack 1 win 65535 <sack 1461:5841>
        +0 > . 1:1461(1460) ack 1
        +0 < . 1:1(0) ack 1 win 65535 <sack 1461:7301>
        +0 > . 14601:16061(1460) ack 1
        +0 < . 1:1(0) ack 1 win 65535 <sack 1461:8761>
        +0 < . 1:1(0) ack 1 win 65535 <sack 1461:10221>
        +0 < . 1:1(0) ack 1 win 65535 <sack 1461:11681>
        +0 > . 16061:17521(1460) ack 1
        +0 < . 1:1(0) ack 1 win 65535 <sack 1461:13141>
        +0 > . 17521:18981(1460) ack 1
        +0 < . 1:1(0) ack 1 win 65535 <sack 1461:14601>
        +0 > . 18981:20441(1460) ack 1
        +20ms < . 1:1(0) ack 14601 win 65535
        +0 cwnd 7300
        +0 > P. 20441:21901(1460) ack 1
        """).AssertNoLeak();

    /// <summary>RFC 6582, 3.2, step 1: duplicates of an acknowledgement below the end of the last recovery begin no other one, without SACK to tell.</summary>
    [Fact]
    public void Without_sack_duplicates_right_after_a_recovery_begin_no_other_one() => new TcpScript().Run(TcpScript.Accepted + TcpScript.TenSegments + """
        +20ms < . 1:1(0) ack 1 win 65535
        +0 < . 1:1(0) ack 1 win 65535
        +0 < . 1:1(0) ack 1 win 65535
        +0 > . 1:1461(1460) ack 1
        +20ms < . 1:1(0) ack 14601 win 65535
        +0 write 2920
        +0 > . 14601:16061(1460) ack 1
        +0 > P. 16061:17521(1460) ack 1
        +1ms < . 1:1(0) ack 14601 win 65535
        +0 < . 1:1(0) ack 14601 win 65535
        +0 < . 1:1(0) ack 14601 win 65535
        +0 counter TcpExtTCPRenoRecovery 1
        +0 counter TcpRetransSegs 1
        """).AssertNoLeak();

    /// <summary>RFC 5681, 2: what carries data is no duplicate, so traffic in the other direction shows no loss.</summary>
    [Fact]
    public void Data_of_the_peer_that_acknowledges_nothing_new_is_no_duplicate() => new TcpScript().Run(TcpScript.Accepted + TcpScript.TenSegments + """
        +20ms < P. 1:101(100) ack 1 win 65535
        +0 < P. 101:201(100) ack 1 win 65535
        +0 < P. 201:301(100) ack 1 win 65535
        +0 < P. 301:401(100) ack 1 win 65535
        +0 > . 14601:14601(0) ack 401
        +0 counter TcpRetransSegs 0
        """).AssertNoLeak();

    [Fact]
    public void The_same_report_once_more_is_no_news() => new TcpScript().Run(TcpScript.AcceptedWithSack + TcpScript.TenSegments + """
        +20ms < . 1:1(0) ack 1 win 65535 <sack 1461:2921>
        +0 < . 1:1(0) ack 1 win 65535 <sack 1461:2921>
        +0 < . 1:1(0) ack 1 win 65535 <sack 1461:2921>
        +0 < . 1:1(0) ack 1 win 65535 <sack 1461:2921>
        +4ms counter TcpRetransSegs 0
        +0 counter TcpExtTCPSackRecovery 0
        """).AssertNoLeak();

    /// <summary>A report that covers SND.UNA itself contradicts the acknowledgement: nobody who follows RFC 2018, 4, sends it. What arrived counts as
    /// arrived, and nothing breaks.</summary>
    [Fact]
    public void A_report_that_begins_at_the_acknowledgement_does_no_harm() => new TcpScript().Run(TcpScript.AcceptedWithSack + TcpScript.TenSegments + """
        +20ms < . 1:1(0) ack 1 win 65535 <sack 1:2921>
        +10ms forget
        +10ms < . 1:1(0) ack 14601 win 65535
        +0 write 1460
        +0 > P. 14601:16061(1460) ack 1
        +20ms < . 1:1(0) ack 16061 win 65535
        +0 state Established
        """).AssertNoLeak();

    /// <summary>RFC 5961, 5.2, holds in a recovery, too.</summary>
    [Fact]
    public void In_a_recovery_an_acknowledgement_of_what_was_never_sent_changes_nothing() => new TcpScript().Run(TcpScript.AcceptedWithSack + TcpScript.TenSegments + """
        +25ms < . 1:1(0) ack 1 win 65535 <sack 1461:5841>
        +0 > . 1:1461(1460) ack 1
        +1ms < . 1:1(0) ack 20000 win 65535
        +0 > . 14601:14601(0) ack 1
        +20ms < . 1:1(0) ack 14601 win 65535
        +0 cwnd 7300
        +0 counter TcpExtTCPChallengeACK 1
        """).AssertNoLeak();

    /// <summary>RFC 6691, 2: a segment with options is no longer than one without.</summary>
    [Fact]
    public void Reports_take_their_room_from_each_segment_of_a_flight() => new TcpScript().Run(TcpScript.AcceptedWithSack + """
        +0 < . 1001:2001(1000) ack 1 win 65535
        +0 > . 1:1(0) ack 1 <sack 1001:2001>
        +0 write 2920
        +0 > . 1:1449(1448) ack 1 <sack 1001:2001>
        +0 > . 1449:2897(1448) ack 1 <sack 1001:2001>
        +0 > P. 2897:2921(24) ack 1 <sack 1001:2001>
        """).AssertNoLeak();

    /// <summary>RFC 3708, 2: nothing was sent again, so nothing can be taken back, and nothing is lost.</summary>
    [Fact]
    public void A_duplicate_that_the_network_has_made_leaves_the_window_as_it_is() => new TcpScript().Run(TcpScript.AcceptedWithSack + TcpScript.TenSegments + """
        +25ms < . 1:1(0) ack 14601 win 65535
        +0 < . 1:1(0) ack 14601 win 65535 <sack 1:1461>
        +0 counter TcpExtTCPDSACKRecv 1
        +0 cwnd 29200
        """).AssertNoLeak();
}
