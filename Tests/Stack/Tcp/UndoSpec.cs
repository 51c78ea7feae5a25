using Tapwire.Stack.Tcp;
using Tapwire.Tests.Sim;
using Xunit;

namespace Tapwire.Tests.Stack.Tcp;

/// <summary>What seemed lost and was not: timestamps tell (RFC 3522), duplicates that are reported (RFC 3708), and what arrives after a time-out (RFC 5682).</summary>
public class UndoSpec
{
    private const string AcceptedWithTimestamps = """
        +0 listen
        +0 < S 0:0(0) win 65535 <mss 1460,sackOK,TS val 1000 ecr 0>
        +0 > S. 0:0(0) ack 1
        +20ms < . 1:1(0) ack 1 win 65535 <TS val 1020 ecr 0>
        +0 accept
        +0 write 14480

        """;

    private static TcpScript WithTimestamps => new() { Options = new TcpOptions { CongestionControl = CongestionAlgorithm.NewReno } };

    private static string Suspected => AcceptedWithTimestamps + TcpScript.Burst(1, 10, 1448) + """
        +20ms < . 1:1(0) ack 1 win 65535 <TS val 1040 ecr 20,sack 1449:5793>
        +0 > . 1:1449(1448) ack 1
        +0 ssthresh 7240

        """;

    [Fact]
    public void An_acknowledgement_that_answers_the_first_copy_takes_a_recovery_back() => WithTimestamps.Run(Suspected + """
        +1ms < . 1:1(0) ack 5793 win 65535 <TS val 1041 ecr 20>
        +0 cwnd 14480
        +0 counter TcpExtTCPFullUndo 1
        +20ms < . 1:1(0) ack 14481 win 65535 <TS val 1061 ecr 20>
        +0 counter TcpRetransSegs 1
        """).AssertNoLeak();

    [Fact]
    public void An_acknowledgement_that_answers_the_repetition_does_not() => WithTimestamps.Run(Suspected + """
        +20ms < . 1:1(0) ack 14481 win 65535 <TS val 1060 ecr 40>
        +0 cwnd 7240
        +0 counter TcpExtTCPFullUndo 0
        """).AssertNoLeak();

    [Fact]
    public void A_time_out_that_came_too_early_is_taken_back_by_timestamps() => WithTimestamps.Run(AcceptedWithTimestamps + TcpScript.Burst(1, 10, 1448) + """
        +42ms > P. 13033:14481(1448) ack 1
        +220ms > . 1:1449(1448) ack 1
        +0 cwnd 1448
        +10ms < . 1:1(0) ack 1449 win 65535 <TS val 1292 ecr 20>
        +0 counter TcpExtTCPSpuriousRTOs 1
        +0 cwnd 15928
        +10ms < . 1:1(0) ack 14481 win 65535 <TS val 1302 ecr 20>
        +0 counter TcpRetransSegs 2
        """).AssertNoLeak();

    [Fact]
    public void Each_repetition_reported_as_a_duplicate_takes_a_recovery_back() => new TcpScript().Run(TcpScript.AcceptedWithSack + TcpScript.TenSegments + """
        +20ms < . 1:1(0) ack 1 win 65535 <sack 1461:5841>
        +0 > . 1:1461(1460) ack 1
        +1ms < . 1:1(0) ack 5841 win 65535
        +0 ssthresh 7300
        +19ms < . 1:1(0) ack 5841 win 65535 <sack 1:1461>
        +0 cwnd 14600
        +0 counter TcpExtTCPFullUndo 1
        """).AssertNoLeak();

    [Fact]
    public void One_duplicate_of_two_repetitions_is_not_enough() => new TcpScript().Run(TcpScript.AcceptedWithSack + TcpScript.TenSegments + """
        +20ms < . 1:1(0) ack 1 win 65535 <sack 1461:4381 5841:14601>
        +0 > . 1:1461(1460) ack 1
        +0 > . 4381:5841(1460) ack 1
        +1ms < . 1:1(0) ack 4381 win 65535 <sack 5841:14601>
        +19ms < . 1:1(0) ack 4381 win 65535 <sack 1:1461 5841:14601>
        +1ms < . 1:1(0) ack 14601 win 65535
        +0 cwnd 7300
        +0 counter TcpExtTCPFullUndo 0
        """).AssertNoLeak();

    /// <summary>The duplicate's report comes when everything is acknowledged and nothing in flight.</summary>
    [Fact]
    public void A_duplicate_that_is_reported_last_of_all_counts_too() => new TcpScript().Run(TcpScript.AcceptedWithSack + TcpScript.TenSegments + """
        +20ms < . 1:1(0) ack 1 win 65535 <sack 1461:5841>
        +0 > . 1:1461(1460) ack 1
        +1ms < . 1:1(0) ack 14601 win 65535
        +0 cwnd 7300
        +19ms < . 1:1(0) ack 14601 win 65535 <sack 1:1461>
        +0 cwnd 14600
        +0 counter TcpExtTCPFullUndo 1
        """).AssertNoLeak();

    [Fact]
    public void Duplicates_that_the_network_made_take_nothing_back() => new TcpScript().Run(TcpScript.AcceptedWithSack + TcpScript.TenSegments + """
        +20ms < . 1:1(0) ack 4381 win 65535 <sack 1:1461>
        +0 < . 1:1(0) ack 4381 win 65535 <sack 5841:14601>
        +0 > . 4381:5841(1460) ack 1
        +19ms < . 1:1(0) ack 4381 win 65535 <sack 1461:2921 5841:14601>
        +0 counter TcpExtTCPFullUndo 0
        +0 ssthresh 5110
        """).AssertNoLeak();

    private static string TimedOut => TcpScript.AcceptedWithSack + TcpScript.TenSegments + """
        +0 write 7300
        +42ms > . 14601:16061(1460) ack 1
        +220ms > . 1:1461(1460) ack 1
        +0 cwnd 1460
        +10ms < . 1:1(0) ack 1461 win 65535
        +0 > . 16061:17521(1460) ack 1
        +0 > . 17521:18981(1460) ack 1

        """;

    [Fact]
    public void After_a_time_out_new_data_is_sent_and_what_comes_then_of_the_old_takes_it_back() => new TcpScript().Run(TimedOut + """
        +1ms < . 1:1(0) ack 2921 win 65535
        +0 counter TcpExtTCPSpuriousRTOs 1
        +0 cwnd 16060
        +9ms < . 1:1(0) ack 18981 win 65535
        +0 forget
        +0 counter TcpRetransSegs 1
        """).AssertNoLeak();

    [Fact]
    public void A_report_of_what_was_never_sent_again_takes_it_back_as_well() => new TcpScript().Run(TimedOut + """
        +1ms < . 1:1(0) ack 1461 win 65535 <sack 4381:5841>
        +0 counter TcpExtTCPSpuriousRTOs 1
        +0 counter TcpRetransSegs 1
        """).AssertNoLeak();

    [Fact]
    public void If_only_the_new_data_arrives_it_was_a_time_out() => new TcpScript().Run(TimedOut + """
        +10ms < . 1:1(0) ack 1461 win 65535 <sack 16061:17521>
        +0 > . 1461:2921(1460) ack 1
        +0 forget
        +0 counter TcpExtTCPSpuriousRTOs 0
        +0 ssthresh 8030
        """).AssertNoLeak();

    private static string TimedOutWithoutSack => TcpScript.Accepted + TcpScript.TenSegments + """
        +0 write 7300
        +200ms > . 1:1461(1460) ack 1
        +10ms < . 1:1(0) ack 1461 win 65535
        +0 > . 14601:16061(1460) ack 1
        +0 > . 16061:17521(1460) ack 1

        """;

    [Fact]
    public void Without_sack_the_second_acknowledgement_of_new_data_takes_a_time_out_back() => new TcpScript().Run(TimedOutWithoutSack + """
        +1ms < . 1:1(0) ack 2921 win 65535
        +0 > . 17521:18981(1460) ack 1
        +0 counter TcpExtTCPSpuriousRTOs 1
        +0 counter TcpRetransSegs 1
        """).AssertNoLeak();

    /// <summary>RFC 5682, 2.1, step 3a.</summary>
    [Fact]
    public void Without_sack_a_duplicate_says_that_it_was_one_and_repetition_goes_on() => new TcpScript().Run(TimedOutWithoutSack + """
        +10ms < . 1:1(0) ack 1461 win 65535
        +0 > . 1461:2921(1460) ack 1
        +0 forget
        +0 counter TcpExtTCPSpuriousRTOs 0
        +0 counter TcpExtTCPTimeouts 1
        """).AssertNoLeak();
}
