using Tapwire.Tests.Sim;
using Xunit;

namespace Tapwire.Tests.Stack.Tcp.Scripts;

/// <summary>What is sent again at the end of a flight, after a time-out, and without SACK (RFC 6298, RFC 6582, RFC 8985, 7).</summary>
public class RetransmissionSpec
{
    /// <summary>RFC 8985, 7.3: a FIN alone in flight is probed, and then timed, as data is.</summary>
    [Fact]
    public void A_fin_alone_is_probed_and_then_timed() => new TcpScript().Run(TcpScript.AcceptedWithSack + """
        +0 write 1460
        +0 > P. 1:1461(1460) ack 1
        +20ms < . 1:1(0) ack 1461 win 65535
        +0 shutdown
        +0 > F. 1461:1461(0) ack 1
        +220ms > F. 1461:1461(0) ack 1
        +0 counter TcpExtTCPLossProbes 1
        +220ms > F. 1461:1461(0) ack 1
        +0 counter TcpExtTCPTimeouts 1
        +20ms < . 1:1(0) ack 1462 win 65535
        +0 state FinWait2
        """).AssertNoLeak();

    [Fact]
    public void Of_data_and_fin_in_flight_only_what_is_missing_is_sent_again() => new TcpScript().Run(TcpScript.AcceptedWithSack + """
        +0 write 4380
        +0 > . 1:1461(1460) ack 1
        +0 > . 1461:2921(1460) ack 1
        +0 > P. 2921:4381(1460) ack 1
        +0 shutdown
        +0 > F. 4381:4381(0) ack 1
        +20ms < . 1:1(0) ack 1 win 65535 <sack 1461:4382>
        +5ms > . 1:1461(1460) ack 1
        +20ms < . 1:1(0) ack 4382 win 65535
        +0 state FinWait2
        +0 counter TcpRetransSegs 1
        """).AssertNoLeak();

    [Fact]
    public void A_fin_that_was_lost_behind_its_data_is_sent_again_alone() => new TcpScript().Run(TcpScript.AcceptedWithSack + """
        +0 write 1460
        +0 > P. 1:1461(1460) ack 1
        +0 shutdown
        +0 > F. 1461:1461(0) ack 1
        +20ms < . 1:1(0) ack 1461 win 65535
        +220ms > F. 1461:1461(0) ack 1
        +20ms < . 1:1(0) ack 1462 win 65535
        +0 state FinWait2
        """).AssertNoLeak();

    /// <summary>RFC 2018, 5.1, and RFC 5681, 3.1: slow start after a time-out counts what arrives, and passes over what was reported.</summary>
    [Fact]
    public void After_a_time_out_slow_start_passes_over_what_was_reported() => new TcpScript().Run(TcpScript.AcceptedWithSack + TcpScript.TenSegments + """
        +42ms > P. 13141:14601(1460) ack 1
        +220ms > . 1:1461(1460) ack 1
        +10ms < . 1:1(0) ack 1 win 65535 <sack 13141:14601>
        +5ms < . 1:1(0) ack 1461 win 65535 <sack 13141:14601>
        +0 cwnd 2920
        +0 > . 1461:2921(1460) ack 1
        +0 > . 2921:4381(1460) ack 1
        +20ms < . 1:1(0) ack 4381 win 65535 <sack 13141:14601>
        +0 cwnd 5840
        +0 > . 4381:5841(1460) ack 1
        +0 > . 5841:7301(1460) ack 1
        +0 > . 7301:8761(1460) ack 1
        +0 > . 8761:10221(1460) ack 1
        +20ms < . 1:1(0) ack 10221 win 65535 <sack 13141:14601>
        +0 > . 10221:11681(1460) ack 1
        +0 > . 11681:13141(1460) ack 1
        +20ms < . 1:1(0) ack 14601 win 65535
        +0 counter TcpRetransSegs 10
        """).AssertNoLeak();

    /// <summary>RFC 5681, 3.1: an acknowledgement after a time-out that jumps over a reported range lets the window grow by what it reports for the first
    /// time, and no burst follows. (Linux takes the report for a sign that the time-out was needless; RFC 5682, 3.1, step 2, waits for more.)</summary>
    [Fact]
    public void After_a_time_out_an_acknowledgement_that_jumps_over_a_reported_range_is_worth_one_segment() => new TcpScript().Run(
        TcpScript.AcceptedWithSack + TcpScript.TenSegments + """
        +42ms > P. 13141:14601(1460) ack 1
        +220ms > . 1:1461(1460) ack 1
        +10ms < . 1:1(0) ack 1 win 65535 <sack 1461:11681>
        +0 cwnd 1460
        +10ms < . 1:1(0) ack 11681 win 65535
        +0 cwnd 2920
        +0 forget
        """).AssertNoLeak();

    /// <summary>RFC 5682, 3.1, step 2: a report that comes before the repetition is acknowledged leaves the verification as it is, and the acknowledgement
    /// then lets new data out.</summary>
    [Fact]
    public void A_report_before_the_repetition_is_acknowledged_does_not_end_the_verification_of_a_time_out() => new TcpScript().Run(
        TcpScript.AcceptedWithSack + TcpScript.TenSegments + """
        +42ms > P. 13141:14601(1460) ack 1
        +220ms > . 1:1461(1460) ack 1
        +0 write 7300
        +5ms < . 1:1(0) ack 1 win 65535 <sack 13141:14601>
        +5ms < . 1:1(0) ack 1461 win 65535 <sack 13141:14601>
        +0 > . 14601:16061(1460) ack 1
        +0 > . 16061:17521(1460) ack 1
        +1ms < . 1:1(0) ack 2921 win 65535 <sack 13141:14601>
        +0 counter TcpExtTCPSpuriousRTOs 1
        +0 forget
        """).AssertNoLeak();

    /// <summary>RFC 3708: a time-out whose repetitions were both needless, told by two reports, is taken back.</summary>
    [Fact]
    public void A_time_out_whose_repetitions_are_all_reported_as_duplicates_is_taken_back() => new TcpScript().Run(TcpScript.AcceptedWithSack + """
        +0 write 1460
        +0 > P. 1:1461(1460) ack 1
        +220ms > P. 1:1461(1460) ack 1
        +220ms > P. 1:1461(1460) ack 1
        +0 cwnd 1460
        +10ms < . 1:1(0) ack 1461 win 65535
        +1ms < . 1:1(0) ack 1461 win 65535 <sack 1:1461>
        +1ms < . 1:1(0) ack 1461 win 65535 <sack 1:1461>
        +0 cwnd 14600
        """).AssertNoLeak();

    /// <summary>RFC 6298, 5.5, behind a probe: the probe is no time-out, and doubles nothing.</summary>
    [Fact]
    public void A_probe_and_then_time_outs_that_double() => new TcpScript().Run(TcpScript.AcceptedWithSack + """
        +0 write 1460
        +0 > P. 1:1461(1460) ack 1
        +220ms > P. 1:1461(1460) ack 1
        +220ms > P. 1:1461(1460) ack 1
        +440ms > P. 1:1461(1460) ack 1
        +880ms > P. 1:1461(1460) ack 1
        +0 counter TcpExtTCPTimeouts 3
        """).AssertNoLeak();

    /// <summary>RFC 8985, 7.2, 7.3: the probe counts from the last new data and repeats its last segment, whose report shows what was lost before it.</summary>
    [Fact]
    public void The_report_of_a_probe_shows_what_was_lost_before_it() => new TcpScript().Run(TcpScript.AcceptedWithSack + """
        +0 write 2920
        +0 > . 1:1461(1460) ack 1
        +0 > P. 1461:2921(1460) ack 1
        +20ms write 1460
        +0 > P. 2921:4381(1460) ack 1
        +42ms > P. 2921:4381(1460) ack 1
        +25ms < . 1:1(0) ack 1 win 65535 <sack 2921:4381>
        +0 > . 1:1461(1460) ack 1
        +0 counter TcpExtTCPSackRecovery 1
        +20ms < . 1:1(0) ack 1461 win 65535 <sack 2921:4381>
        +0 > . 1461:2921(1460) ack 1
        +20ms < . 1:1(0) ack 4381 win 65535
        +0 counter TcpExtTCPTimeouts 0
        """).AssertNoLeak();

    /// <summary>RFC 8985, 7.2: data that keeps coming puts the probe off, but not beyond the time-out of what has been in flight longest.</summary>
    [Fact]
    public void New_data_puts_a_probe_off_no_further_than_the_time_out() => new TcpScript().Run(TcpScript.AcceptedWithSack + """
        +0 nodelay
        +0 write 1460
        +0 > P. 1:1461(1460) ack 1
        +0 write 1460
        +0 > P. 1461:2921(1460) ack 1
        +40ms write 1460
        +0 > P. 2921:4381(1460) ack 1
        +40ms write 1460
        +0 > P. 4381:5841(1460) ack 1
        +40ms write 1460
        +0 > P. 5841:7301(1460) ack 1
        +40ms write 1460
        +0 > P. 7301:8761(1460) ack 1
        +40ms write 1460
        +0 > P. 8761:10221(1460) ack 1
        +0 counter TcpExtTCPLossProbes 0
        +20ms > P. 8761:10221(1460) ack 1
        +0 counter TcpExtTCPLossProbes 1
        """).AssertNoLeak();

    /// <summary>RFC 5681, 3.2: the count of duplicates begins anew with each acknowledgement of new data.</summary>
    [Fact]
    public void Duplicates_are_counted_anew_after_progress() => new TcpScript().Run(TcpScript.Accepted + TcpScript.TenSegments + """
        +20ms < . 1:1(0) ack 1 win 65535
        +0 < . 1:1(0) ack 1 win 65535
        +0 < . 1:1(0) ack 1461 win 65535
        +0 cwnd 16060
        +0 < . 1:1(0) ack 1461 win 65535
        +0 < . 1:1(0) ack 1461 win 65535
        +0 counter TcpRetransSegs 0
        +0 < . 1:1(0) ack 1461 win 65535
        +0 > . 1461:2921(1460) ack 1
        """).AssertNoLeak();

    /// <summary>RFC 6582 with RFC 9937: a partial acknowledgement lets out the next lost segment, and what it delivers beyond the duplicates that were
    /// counted already is what the window follows.</summary>
    [Fact]
    public void Without_sack_a_partial_acknowledgement_counts_what_its_duplicates_have_not() => new TcpScript().Run(TcpScript.Accepted + TcpScript.TenSegments + """
        +20ms < . 1:1(0) ack 1 win 65535
        +0 < . 1:1(0) ack 1 win 65535
        +0 < . 1:1(0) ack 1 win 65535
        +0 > . 1:1461(1460) ack 1
        +0 write 29200
        +0 < . 1:1(0) ack 1 win 65535
        +0 < . 1:1(0) ack 1 win 65535
        +0 < . 1:1(0) ack 1 win 65535
        +0 > . 14601:16061(1460) ack 1
        +0 < . 1:1(0) ack 1 win 65535
        +0 > . 16061:17521(1460) ack 1
        +0 < . 1:1(0) ack 1 win 65535
        +0 > . 17521:18981(1460) ack 1
        +20ms < . 1:1(0) ack 4381 win 65535
        +0 > . 4381:5841(1460) ack 1
        +0 > . 18981:20441(1460) ack 1
        +20ms < . 1:1(0) ack 20441 win 65535
        +0 ssthresh 7300
        +0 forget
        +0 counter TcpRetransSegs 2
        """).AssertNoLeak();

    /// <summary>RFC 5681, 3.2: a flight too small for three duplicates waits for the timer.</summary>
    [Fact]
    public void Without_sack_two_duplicates_are_no_loss_and_the_timer_decides() => new TcpScript().Run(TcpScript.Accepted + """
        +0 write 100
        +0 > P. 1:101(100) ack 1
        +10ms < . 1:1(0) ack 101 win 65535
        +0 write 3000
        +0 > . 101:1561(1460) ack 1
        +0 > . 1561:3021(1460) ack 1
        +0 > P. 3021:3101(80) ack 1
        +10ms < . 1:1(0) ack 1561 win 65535
        +1ms < . 1:1(0) ack 1561 win 65535
        +1ms < . 1:1(0) ack 1561 win 65535
        +201ms > . 1561:3021(1460) ack 1
        """).AssertNoLeak();
}
