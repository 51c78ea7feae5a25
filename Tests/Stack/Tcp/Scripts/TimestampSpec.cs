using Tapwire.Stack.Tcp;
using Tapwire.Tests.Sim;
using Xunit;

namespace Tapwire.Tests.Stack.Tcp.Scripts;

/// <summary>Timestamps (RFC 7323): which one goes back, what they measure, and what they keep out (PAWS). Ours begin with 0 in the scripts.</summary>
public class TimestampSpec
{
    private const string Accepted = """
        +0 listen
        +0 < S 0:0(0) win 65535 <mss 1460,sackOK,TS val 1000 ecr 0>
        +0 > S. 0:0(0) ack 1 <mss 1460,sackOK,TS val 0 ecr 1000>
        +20ms < . 1:1(0) ack 1 win 65535 <TS val 1020 ecr 0>
        +0 accept

        """;

    private static TcpScript WithTimestamps => new() { Options = new TcpOptions { CongestionControl = CongestionAlgorithm.NewReno } };

    /// <summary>RFC 7323, 4.3: a segment ahead of a gap does not set TS.Recent, for the acknowledgement that it calls forth answers the last one in
    /// order.</summary>
    [Fact]
    public void A_segment_ahead_of_a_gap_is_answered_with_the_timestamp_of_the_last_one_in_order() => WithTimestamps.Run(Accepted + """
        +0 < P. 1:101(100) ack 1 win 65535 <TS val 1021 ecr 20>
        +0 > . 1:1(0) ack 101 <TS val 20 ecr 1021>
        +0 < P. 201:301(100) ack 1 win 65535 <TS val 1031 ecr 20>
        +0 > . 1:1(0) ack 101 <TS val 20 ecr 1021,sack 201:301>
        """).AssertNoLeak();

    /// <summary>RFC 7323, 4.3: what fills the gap does set it, though it was sent earlier than what lies behind.</summary>
    [Fact]
    public void What_fills_a_gap_is_answered_with_its_own_timestamp() => WithTimestamps.Run(Accepted + """
        +0 < P. 101:201(100) ack 1 win 65535 <TS val 1031 ecr 20>
        +0 > . 1:1(0) ack 1 <TS val 20 ecr 1020,sack 101:201>
        +0 < P. 1:101(100) ack 1 win 65535 <TS val 1041 ecr 20>
        +0 > . 1:1(0) ack 201 <TS val 20 ecr 1041>
        """).AssertNoLeak();

    /// <summary>Our FIN answers the last segment, as any other segment does.</summary>
    [Fact]
    public void A_fin_carries_the_peers_latest_timestamp() => WithTimestamps.Run(Accepted + """
        +0 < P. 1:101(100) ack 1 win 65535 <TS val 1050 ecr 20>
        +0 > . 1:1(0) ack 101 <TS val 20 ecr 1050>
        +10ms read 100
        +0 < F. 101:101(0) ack 1 win 65535 <TS val 1060 ecr 20>
        +0 > . 1:1(0) ack 102 <TS val 30 ecr 1060>
        +10ms close
        +0 > F. 1:1(0) ack 102 <TS val 40 ecr 1060>
        """).AssertNoLeak();

    /// <summary>RFC 7323, 5.3, R1: PAWS comes before everything else; only a reset is looked at whatever its timestamp (5.2).</summary>
    [Fact]
    public void A_fin_with_an_old_timestamp_is_not_taken_and_a_reset_is() => WithTimestamps.Run(Accepted + """
        +0 < F. 1:1(0) ack 1 win 65535 <TS val 900 ecr 20>
        +0 > . 1:1(0) ack 1 <TS val 20 ecr 1020>
        +0 state Established
        +0 counter TcpExtPAWSEstab 1
        +0 < R. 1:1(0) ack 1 <TS val 900 ecr 20>
        +0 closed ConnectionReset
        """).AssertNoLeak();

    /// <summary>An acknowledgement without data that was overtaken fails PAWS, too; at a bounded rate it is answered.</summary>
    [Fact]
    public void Old_acknowledgements_are_answered_twice_a_second() => WithTimestamps.Run(Accepted + """
        +0 < . 1:1(0) ack 1 win 65535 <TS val 900 ecr 20>
        +0 > . 1:1(0) ack 1 <TS val 20 ecr 1020>
        +100ms < . 1:1(0) ack 1 win 65535 <TS val 901 ecr 20>
        +100ms < . 1:1(0) ack 1 win 65535 <TS val 902 ecr 20>
        +0 counter TcpExtPAWSEstab 3
        +310ms < . 1:1(0) ack 1 win 65535 <TS val 903 ecr 20>
        +0 > . 1:1(0) ack 1 <TS val 530 ecr 1020>
        """).AssertNoLeak();

    /// <summary>RFC 7323, 5.5: after 24 days without a segment the peer's clock may have come round, and its timestamps prove nothing.</summary>
    [Fact]
    public void After_twenty_five_days_an_old_timestamp_is_taken() => WithTimestamps.Run(Accepted + """
        +0 < P. 1:101(100) ack 1 win 65535 <TS val 1021 ecr 20>
        +0 > . 1:1(0) ack 101
        +2000000s < P. 101:201(100) ack 1 win 65535 <TS val 900 ecr 20>
        +0 > . 1:1(0) ack 101
        +160000s < P. 101:201(100) ack 1 win 65535 <TS val 900 ecr 20>
        +0 > . 1:1(0) ack 201
        """).AssertNoLeak();

    /// <summary>RFC 7323, 3.2: a timestamp that was not agreed on is no timestamp.</summary>
    [Fact]
    public void Timestamps_that_were_not_agreed_on_are_passed_over() => WithTimestamps.Run("""
        +0 listen
        +0 < S 0:0(0) win 65535 <mss 1460>
        +0 > S. 0:0(0) ack 1 <mss 1460>
        +0 < . 1:1(0) ack 1 win 65535 <TS val 1000 ecr 0>
        +0 accept
        +0 < P. 1:101(100) ack 1 win 65535 <TS val 1000 ecr 0>
        +0 > . 1:1(0) ack 101 <>
        +0 < P. 101:201(100) ack 1 win 65535 <TS val 5 ecr 0>
        +0 > . 1:1(0) ack 201 <>
        """).AssertNoLeak();

    /// <summary>A SYN-ACK that does not answer the offer: none is sent from then on.</summary>
    [Fact]
    public void Timestamps_that_the_syn_ack_does_not_answer_are_not_sent() => WithTimestamps.Run("""
        +0 connect
        +0 > S 0:0(0)
        +10ms < S. 0:0(0) ack 1 win 65535 <mss 1460,sackOK>
        +0 > . 1:1(0) ack 1 <>
        +0 write 1460
        +0 > P. 1:1461(1460) ack 1 <>
        """).AssertNoLeak();

    /// <summary>RFC 7323, 3.2: RFC 1323 let a zero mean nothing in TSecr; that is no measurement.</summary>
    [Fact]
    public void An_echo_of_zero_measures_nothing()
    {
        var script = WithTimestamps.Run("""
            +0 listen
            +0 < S 0:0(0) win 65535 <mss 1460,TS val 1000 ecr 0>
            +0 > S. 0:0(0) ack 1
            +1s > S. 0:0(0) ack 1
            +20ms < . 1:1(0) ack 1 win 65535
            +0 accept
            +0 write 100
            +0 > P. 1:101(100) ack 1
            +1ms state Established
            """);
        Assert.Equal(TimeSpan.Zero, script.Socket.Info.RoundTrip);
        script.AssertNoLeak();
    }

    /// <summary>RFC 7323, 4.1: the echo tells which copy is answered; without SACK and in spite of a repetition the round trip is the one of the copy that
    /// arrived.</summary>
    [Fact]
    public void The_echo_measures_the_round_trip_of_a_repetition()
    {
        var script = new TcpScript { Options = new TcpOptions { CongestionControl = CongestionAlgorithm.NewReno, SelectiveAck = false } }.Run("""
            +0 listen
            +0 < S 0:0(0) win 65535 <mss 1460,TS val 1000 ecr 0>
            +0 > S. 0:0(0) ack 1
            +40ms < . 1:1(0) ack 1 win 65535 <TS val 1020 ecr 0>
            +0 accept
            +0 write 100
            +0 > P. 1:101(100) ack 1
            +240ms > P. 1:101(100) ack 1
            +40ms < . 1:1(0) ack 101 win 65535 <TS val 1300 ecr 280>
            """);
        Assert.Equal(TimeSpan.FromMilliseconds(40), script.Socket.Info.RoundTrip);
        script.AssertNoLeak();
    }

    /// <summary>RFC 9293, 3.10.7.4: a timestamp on a segment outside the window says nothing; the next segment is measured by the last one that was
    /// taken.</summary>
    [Fact]
    public void A_segment_outside_the_window_does_not_set_the_timestamp_that_others_are_measured_by() => WithTimestamps.Run(Accepted + """
        +0 < P. 3000001:3000101(100) ack 1 win 65535 <TS val 5000 ecr 20>
        +0 > . 1:1(0) ack 1 <TS val 20 ecr 1020>
        +0 < P. 1:101(100) ack 1 win 65535 <TS val 1021 ecr 20>
        +0 > . 1:1(0) ack 101 <TS val 20 ecr 1021>
        """).AssertNoLeak();
}
