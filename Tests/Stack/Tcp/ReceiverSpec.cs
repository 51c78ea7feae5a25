using System.Text;
using Tapwire.Stack.Tcp;
using Tapwire.Tests.Sim;
using Xunit;

namespace Tapwire.Tests.Stack.Tcp;

/// <summary>Acknowledgements, reassembly and the receive window.</summary>
public class ReceiverSpec
{
    /// <summary>An interactive connection, on which acknowledgements are delayed: 100 bytes came, 10 went.</summary>
    private const string Interactive = TcpScript.Accepted + """
        +0 < P. 1:101(100) ack 1 win 65535
        +0 > . 1:1(0) ack 101
        +0 read 100
        +0 write 10
        +0 > P. 1:11(10) ack 101

        """;

    [Fact]
    public void The_first_segments_are_acknowledged_at_once() => new TcpScript().Run(TcpScript.Accepted + """
        +0 < P. 1:101(100) ack 1 win 65535
        +0 > . 1:1(0) ack 101
        +1ms < P. 101:201(100) ack 1 win 65535
        +0 > . 1:1(0) ack 201
        """).AssertNoLeak();

    [Fact]
    public void An_acknowledgement_waits_forty_milliseconds_for_data_to_travel_with() => new TcpScript().Run(Interactive + """
        +0 < P. 101:201(100) ack 11 win 65535
        +40ms > . 11:11(0) ack 201
        +0 counter TcpExtDelayedACKs 1
        """).AssertNoLeak();

    [Fact]
    public void Data_takes_the_acknowledgement_along() => new TcpScript().Run(Interactive + """
        +0 < P. 101:201(100) ack 11 win 65535
        +20ms write 5
        +0 > P. 11:16(5) ack 201
        +100ms counter TcpExtDelayedACKs 0
        """).AssertNoLeak();

    /// <summary>What was ahead of a gap and is in order now needs no report any more.</summary>
    [Fact]
    public void Segments_that_change_places_within_a_batch_get_one_acknowledgement_each_time()
    {
        var script = new StringBuilder(TcpScript.AcceptedWithSack);
        for (var i = 0; i < 6; i++)
        {
            var at = 1 + 200 * i;
            script.AppendLine($"+1ms < . {at + 100}:{at + 200}(100) ack 1 win 65535")
                .AppendLine($"+0 < . {at}:{at + 100}(100) ack 1 win 65535")
                .AppendLine($"+0 > . 1:1(0) ack {at + 200}");
        }

        new TcpScript().Run(script.AppendLine("+0 read 1200").ToString()).AssertNoLeak();
    }

    /// <summary>RFC 2883, 4: also where the segment that repeats is one that fills the gap.</summary>
    [Fact]
    public void What_was_ahead_of_a_gap_and_comes_again_in_order_is_reported_as_a_duplicate() => new TcpScript().Run(TcpScript.AcceptedWithSack + """
        +0 < . 501:901(400) ack 1 win 65535
        +0 > . 1:1(0) ack 1 <sack 501:901>
        +0 < . 3001:3401(400) ack 1 win 65535
        +0 > . 1:1(0) ack 1 <sack 3001:3401 501:901>
        +0 < . 1:1401(1400) ack 1 win 65535
        +0 > . 1:1(0) ack 1401 <sack 501:901 3001:3401>
        +0 < . 1401:3201(1800) ack 1 win 65535
        +0 > . 1:1(0) ack 3401 <sack 3001:3201>
        +0 read 3400
        """).AssertNoLeak();

    [Fact]
    public void Every_second_full_sized_segment_is_acknowledged_at_once() => new TcpScript().Run(Interactive + """
        +0 < . 101:1561(1460) ack 11 win 65535
        +5ms < . 1561:3021(1460) ack 11 win 65535
        +0 > . 11:11(0) ack 3021
        """).AssertNoLeak();

    [Fact]
    public void A_batch_of_four_segments_gets_one_acknowledgement() => new TcpScript().Run(TcpScript.Accepted + """
        +0 < . 1:1461(1460) ack 1 win 65535
        +0 < . 1461:2921(1460) ack 1 win 65535
        +0 < . 2921:4381(1460) ack 1 win 65535
        +0 < . 4381:5841(1460) ack 1 win 65535
        +0 > . 1:1(0) ack 5841
        +0 read 5840
        """).AssertNoLeak();

    /// <summary>An initial window: a single acknowledgement, if it were lost, would leave the sender to its timer.</summary>
    [Fact]
    public void Of_a_larger_batch_every_fourth_segment_is_acknowledged_and_the_last() => new TcpScript().Run(TcpScript.Accepted + """
        +0 < . 1:1461(1460) ack 1 win 65535
        +0 < . 1461:2921(1460) ack 1 win 65535
        +0 < . 2921:4381(1460) ack 1 win 65535
        +0 < . 4381:5841(1460) ack 1 win 65535
        +0 < . 5841:7301(1460) ack 1 win 65535
        +0 < . 7301:8761(1460) ack 1 win 65535
        +0 < . 8761:10221(1460) ack 1 win 65535
        +0 < . 10221:11681(1460) ack 1 win 65535
        +0 < . 11681:13141(1460) ack 1 win 65535
        +0 > . 1:1(0) ack 5841
        +0 > . 1:1(0) ack 11681
        +0 > . 1:1(0) ack 13141
        +0 read 13140
        """).AssertNoLeak();

    [Fact]
    public void In_a_larger_batch_with_a_gap_what_came_is_reported_before_its_end() => new TcpScript().Run(TcpScript.AcceptedWithSack + """
        +0 < . 1:1461(1460) ack 1 win 65535
        +0 < . 2921:4381(1460) ack 1 win 65535
        +0 < . 4381:5841(1460) ack 1 win 65535
        +0 < . 5841:7301(1460) ack 1 win 65535
        +0 < . 7301:8761(1460) ack 1 win 65535
        +0 > . 1:1(0) ack 1461 <sack 2921:7301>
        +0 > . 1:1(0) ack 1461 <sack 2921:8761>
        """).AssertNoLeak();

    /// <summary>Sixteen at a time, and one more after each 200 microseconds: what a fast flow brings costs little more than one for the batch.</summary>
    [Fact]
    public void Of_many_segments_at_a_time_the_rest_gets_one_acknowledgement()
    {
        var script = new TcpScript { Options = new TcpOptions { Timestamps = false, ReceiveBuffer = 65535 } };
        script.Run(TcpScript.Accepted);
        script.Run(Segments(0, 80) + string.Concat(Enumerable.Range(1, 16).Select(ack => $"+0 > . 1:1(0) ack {ack * 2000 + 1}\n")) + "+0 > . 1:1(0) ack 40001\n");
        script.Run("+1ms read 40000\n+0 > . 1:1(0) ack 40001\n" + Segments(80, 30)
            + string.Concat(Enumerable.Range(1, 5).Select(ack => $"+0 > . 1:1(0) ack {ack * 2000 + 40001}\n")) + "+0 > . 1:1(0) ack 55001\n");
        script.AssertNoLeak();

        static string Segments(int from, int count) => string.Concat(
            Enumerable.Range(from, count).Select(i => $"+0 < . {i * 500 + 1}:{i * 500 + 501}(500) ack 1 win 65535\n"));
    }

    [Fact]
    public void A_super_segment_counts_as_the_segments_it_is_made_of() => new TcpScript().Run(Interactive + """
        +0 < . 101:14701(14600) ack 11 win 65535
        +0 > . 11:11(0) ack 14701
        +0 read 14600
        """).AssertNoLeak();

    [Fact]
    public void A_gap_is_reported_at_once_and_its_filling_too() => new TcpScript().Run(TcpScript.AcceptedWithSack + """
        +0 < . 1461:2921(1460) ack 1 win 65535
        +0 > . 1:1(0) ack 1 <sack 1461:2921>
        +0 < . 4381:5841(1460) ack 1 win 65535
        +0 > . 1:1(0) ack 1 <sack 4381:5841 1461:2921>
        +0 no-event
        +0 < . 1:1461(1460) ack 1 win 65535
        +0 > . 1:1(0) ack 2921 <sack 4381:5841>
        +0 readable
        +0 < . 2921:4381(1460) ack 1 win 65535
        +0 > . 1:1(0) ack 5841 <>
        +0 read 5840
        """).AssertNoLeak();

    [Fact]
    public void Three_duplicate_acknowledgements_reach_a_peer_without_sack_also_from_a_batch() => new TcpScript().Run(TcpScript.Accepted + """
        +0 < . 1461:2921(1460) ack 1 win 65535
        +0 < . 2921:4381(1460) ack 1 win 65535
        +0 < . 4381:5841(1460) ack 1 win 65535
        +0 > . 1:1(0) ack 1
        +0 > . 1:1(0) ack 1
        +0 > . 1:1(0) ack 1
        """).AssertNoLeak();

    [Fact]
    public void Overlaps_are_cut_and_bytes_delivered_once() => new TcpScript().Run(TcpScript.AcceptedWithSack + """
        +0 < . 1001:2001(1000) ack 1 win 65535
        +0 < . 3001:4001(1000) ack 1 win 65535
        +0 < . 501:3501(3000) ack 1 win 65535
        +0 < . 1:801(800) ack 1 win 65535
        +0 > . 1:1(0) ack 4001 <sack 3001:3501>
        +0 > . 1:1(0) ack 4001 <sack 501:801>
        +0 read 4000
        """).AssertNoLeak();

    [Fact]
    public void A_segment_that_comes_again_is_acknowledged_and_reported() => new TcpScript().Run(TcpScript.AcceptedWithSack + """
        +0 < . 1:1001(1000) ack 1 win 65535
        +0 > . 1:1(0) ack 1001
        +0 < . 1:1001(1000) ack 1 win 65535
        +0 > . 1:1(0) ack 1001 <sack 1:1001>
        +0 < . 501:1501(1000) ack 1 win 65535
        +0 > . 1:1(0) ack 1501 <sack 501:1001>
        +0 read 1500
        """).AssertNoLeak();

    [Fact]
    public void The_window_counts_what_is_read_but_not_consumed_and_closes() => new TcpScript
    {
        Options = new TcpOptions { Timestamps = false, ReceiveBuffer = 4096 },
    }.Run(TcpScript.Accepted + """
        +0 < . 1:1461(1460) ack 1 win 65535
        +0 > . 1:1(0) ack 1461 win 2636
        +0 take 1460
        +0 < . 1461:2921(1460) ack 1 win 65535
        +0 > . 1:1(0) ack 2921 win 1176
        +0 < . 2921:4097(1176) ack 1 win 65535
        +0 > . 1:1(0) ack 4097 win 0
        +0 take 2636
        +1s < . 4097:4098(1) ack 1 win 65535
        +0 > . 1:1(0) ack 4097 win 0
        +1s consume 100
        +1s consume 3996
        +0 > . 1:1(0) ack 4097 win 4096
        """).AssertNoLeak();

    [Fact]
    public void What_was_given_away_before_the_receiving_side_is_shut_down_does_not_keep_the_window_closed() => new TcpScript
    {
        Options = new TcpOptions { Timestamps = false, ReceiveBuffer = 4096 },
    }.Run(TcpScript.Accepted + """
        +0 < . 1:1461(1460) ack 1 win 65535
        +0 > . 1:1(0) ack 1461 win 2636
        +0 < . 1461:2921(1460) ack 1 win 65535
        +0 > . 1:1(0) ack 2921 win 1176
        +0 < . 2921:4097(1176) ack 1 win 65535
        +0 > . 1:1(0) ack 4097 win 0
        +0 take 4096
        +1s shutdown-read
        +0 > . 1:1(0) ack 4097 win 4096
        +0 consume 4096
        +0 < . 4097:5557(1460) ack 1 win 65535
        +0 > . 1:1(0) ack 5557 win 4096
        """).AssertNoLeak();

    [Fact]
    public void The_window_never_moves_back_when_bytes_come() => new TcpScript
    {
        IsOfV4Only = true, Options = new TcpOptions { Timestamps = false, ReceiveBuffer = 8000 },
    }.Run(TcpScript.Accepted + """
        +0 < . 1:1001(1000) ack 1 win 65535
        +0 > . 1:1(0) ack 1001 win 7000
        +0 read 1000
        +0 < . 1001:1101(100) ack 1 win 65535
        +0 > . 1:1(0) ack 1101 win 7900
        """).AssertNoLeak();

    [Fact]
    public void What_reaches_over_the_window_is_cut_off() => new TcpScript
    {
        Options = new TcpOptions { Timestamps = false, ReceiveBuffer = 2048 },
    }.Run(TcpScript.Accepted + """
        +0 < FP. 1:3001(3000) ack 1 win 65535
        +0 > . 1:1(0) ack 2049 win 0
        +0 take 2048
        +0 state Established
        """).AssertNoLeak();

    [Fact]
    public void An_acknowledgement_is_heard_while_the_window_is_closed() => new TcpScript
    {
        Options = new TcpOptions { Timestamps = false, ReceiveBuffer = 2048 },
    }.Run(TcpScript.Accepted + """
        +0 < . 1:2049(2048) ack 1 win 65535
        +0 > . 1:1(0) ack 2049 win 0
        +0 write 100
        +0 > P. 1:101(100) ack 2049 win 0
        +1ms < . 2049:2049(0) ack 101 win 65535
        +0 writable
        +1s counter TcpRetransSegs 0
        """).AssertNoLeak();

    [Fact]
    public void After_shutdown_of_the_receiving_side_bytes_are_acknowledged_and_discarded() => new TcpScript { IsOfV4Only = true }.Run(TcpScript.Accepted + """
        +0 < P. 1:101(100) ack 1 win 65535
        +0 > . 1:1(0) ack 101
        +0 shutdown-read
        +0 < P. 101:1101(1000) ack 1 win 65535
        +0 > . 1:1(0) ack 1101 win 65535
        +0 counter TcpInDiscarded 1100
        """).AssertNoLeak();

    [Fact]
    public void A_fin_ahead_of_a_gap_waits_for_the_gap() => new TcpScript().Run(TcpScript.AcceptedWithSack + """
        +0 < FP. 101:201(100) ack 1 win 65535
        +0 > . 1:1(0) ack 1 <sack 101:201>
        +0 state Established
        +0 < . 1:101(100) ack 1 win 65535
        +0 > . 1:1(0) ack 202 <>
        +0 read 200
        +0 state CloseWait
        """).AssertNoLeak();

    [Fact]
    public void Data_behind_a_fin_is_ignored() => new TcpScript().Run(TcpScript.AcceptedWithSack + """
        +0 < F. 101:101(0) ack 1 win 65535
        +0 > . 1:1(0) ack 1
        +0 < . 51:301(250) ack 1 win 65535
        +0 > . 1:1(0) ack 1 <sack 51:101>
        +0 < . 1:51(50) ack 1 win 65535
        +0 > . 1:1(0) ack 102
        +0 read 100
        """).AssertNoLeak();

    [Fact]
    public void Old_timestamps_are_refused_and_the_peer_is_told() => new TcpScript { Options = new TcpOptions() }.Run("""
        +0 listen
        +0 < S 0:0(0) win 65535 <mss 1460,TS val 1000 ecr 0>
        +0 > S. 0:0(0) ack 1 <mss 1460,TS val 0 ecr 1000>
        +10ms < . 1:1(0) ack 1 win 65535 <TS val 1010 ecr 0>
        +0 accept
        +0 < P. 1:101(100) ack 1 win 65535 <TS val 900 ecr 0>
        +0 > . 1:1(0) ack 1 <TS val 10 ecr 1010>
        +0 counter TcpExtPAWSEstab 1
        +0 < P. 1:101(100) ack 1 win 65535 <TS val 1010 ecr 0>
        +0 > . 1:1(0) ack 101 <TS val 10 ecr 1010>
        """).AssertNoLeak();

    [Fact]
    public void The_earliest_timestamp_since_the_last_acknowledgement_goes_back() => new TcpScript { Options = new TcpOptions() }.Run("""
        +0 listen
        +0 < S 0:0(0) win 65535 <mss 1460,TS val 1000 ecr 0>
        +0 > S. 0:0(0) ack 1 <mss 1460,TS val 0 ecr 1000>
        +10ms < . 1:1(0) ack 1 win 65535 <TS val 1010 ecr 0>
        +0 accept
        +0 < . 1:1001(1000) ack 1 win 65535 <TS val 1020 ecr 0>
        +0 < . 1001:2001(1000) ack 1 win 65535 <TS val 1030 ecr 0>
        +0 > . 1:1(0) ack 2001 <TS val 10 ecr 1020>
        """).AssertNoLeak();
}
