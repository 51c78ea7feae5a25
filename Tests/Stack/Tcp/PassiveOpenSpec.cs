using Tapwire.Stack.Tcp;
using Tapwire.Tests.Sim;
using Xunit;

namespace Tapwire.Tests.Stack.Tcp;

/// <summary>LISTEN and SYN-RECEIVED: RFC 9293, 3.10.7.2 and 3.10.7.4, with RFC 5961 and RFC 7323.</summary>
public class PassiveOpenSpec
{
    [Fact]
    public void A_syn_with_fin_is_not_heard() => new TcpScript().Run("""
        +0 listen
        +0 < SF 0:0(0) win 65535 <mss 1460>
        +0 counter TcpInBadFlags 1
        +0 embryos 0
        """).AssertNoLeak();

    [Fact]
    public void A_syn_with_an_acknowledgement_is_refused() => new TcpScript().Run("""
        +0 listen
        +0 < S. 0:0(0) ack 7 win 65535
        +0 > R 7:7(0)
        +0 embryos 0
        """).AssertNoLeak();

    /// <summary>RFC 9293, 3.5, figure 9.</summary>
    [Fact]
    public void An_old_duplicate_syn_gives_way_to_the_new_one() => new TcpScript().Run("""
        +0 listen
        +0 < S 100000:100000(0) win 65535 <mss 1460>
        +0 > S. 0:0(0) ack 100001
        +500ms < S 0:0(0) win 65535 <mss 1460>
        +0 > . 1:1(0) ack 100001
        +0 < R 100001:100001(0)
        +0 embryos 0
        +0 peer 50000
        +500ms < S 0:0(0) win 65535 <mss 1460>
        +0 > S. 0:0(0) ack 1
        +0 < . 1:1(0) ack 1 win 65535
        +0 accept
        """).AssertNoLeak();

    [Fact]
    public void A_syn_inside_the_window_is_challenged() => new TcpScript().Run("""
        +0 listen
        +0 < S 0:0(0) win 65535 <mss 1460>
        +0 > S. 0:0(0) ack 1
        +500ms < S 1000:1000(0) win 65535 <mss 1460>
        +0 > . 1:1(0) ack 1
        +0 counter TcpExtTCPSYNChallenge 1
        +0 embryos 1
        """).AssertNoLeak();

    [Fact]
    public void A_repeated_syn_with_other_options_gets_the_first_answer() => new TcpScript().Run("""
        +0 listen
        +0 < S 0:0(0) win 65535 <mss 1460,sackOK,wscale 7>
        +0 > S. 0:0(0) ack 1 <mss 1460,sackOK,wscale 5>
        +500ms < S 0:0(0) win 65535 <mss 500>
        +0 > S. 0:0(0) ack 1 <mss 1460,sackOK,wscale 5>
        +0 counter TcpRetransSegs 1
        +0 < . 1:1(0) ack 1 win 100
        +0 accept
        +0 write 1400
        +0 > P. 1:1401(1400) ack 1
        """).AssertNoLeak();

    /// <summary>Karn: which of the two answers was acknowledged?</summary>
    [Fact]
    public void After_a_repeated_syn_no_round_trip_is_measured() => new TcpScript().Run("""
        +0 listen
        +0 < S 0:0(0) win 65535 <mss 1460>
        +0 > S. 0:0(0) ack 1
        +600ms < S 0:0(0) win 65535 <mss 1460>
        +0 > S. 0:0(0) ack 1
        +10ms < . 1:1(0) ack 1 win 65535
        +0 accept
        +0 write 100
        +0 > P. 1:101(100) ack 1
        +1s > P. 1:101(100) ack 1
        """).AssertNoLeak();

    /// <summary>RFC 7323, 5.3, R1: before all other checks.</summary>
    [Fact]
    public void Old_timestamps_are_answered_with_an_acknowledgement() => new TcpScript { Options = new TcpOptions() }.Run("""
        +0 listen
        +0 < S 0:0(0) win 65535 <mss 1460,TS val 700 ecr 0>
        +0 > S. 0:0(0) ack 1
        +500ms < . 1:1(0) ack 9 win 65535 <TS val 699 ecr 0>
        +0 > . 1:1(0) ack 1 <TS val 500 ecr 700>
        +0 < S 0:0(0) win 65535 <mss 1460,TS val 600 ecr 0>
        +0 counter TcpExtPAWSEstab 2
        +0 < . 1:1(0) ack 1 win 65535 <TS val 700 ecr 0>
        +0 accept
        """).AssertNoLeak();

    [Fact]
    public void Resets_are_heard_whatever_their_timestamp() => new TcpScript { Options = new TcpOptions() }.Run("""
        +0 listen
        +0 < S 0:0(0) win 65535 <mss 1460,TS val 700 ecr 0>
        +0 > S. 0:0(0) ack 1
        +0 < R 1:1(0) <TS val 1 ecr 0>
        +0 embryos 0
        """).AssertNoLeak();

    [Fact]
    public void What_lies_beyond_the_announced_window_is_challenged() =>
        new TcpScript { SocketOptions = new() { ReceiveBuffer = 2048 } }.Run("""
            +0 listen
            +0 < S 0:0(0) win 65535 <mss 1460>
            +0 > S. 0:0(0) ack 1 win 2048
            +500ms < . 2050:2060(10) ack 1 win 65535
            +0 > . 1:1(0) ack 1 win 2048
            +0 embryos 1
            +0 < . 1:1(0) ack 1 win 65535
            +0 accept
            """).AssertNoLeak();

    [Fact]
    public void In_a_simultaneous_open_a_repeated_syn_is_answered_again() => new TcpScript().Run("""
        +0 connect
        +0 > S 0:0(0)
        +0 < S 0:0(0) win 65535
        +0 > S. 0:0(0) ack 1
        +400ms < S 0:0(0) win 65535
        +100ms < S 0:0(0) win 65535
        +0 > S. 0:0(0) ack 1
        +0 < . 1:1(0) ack 1 win 65535
        +0 connected
        """).AssertNoLeak();

    [Fact]
    public void In_a_simultaneous_open_the_times_between_syn_acks_double_from_one_second() => new TcpScript().Run("""
        +0 connect
        +0 > S 0:0(0)
        +0 < S 0:0(0) win 65535
        +0 > S. 0:0(0) ack 1
        +1s > S. 0:0(0) ack 1
        +2s > S. 0:0(0) ack 1
        +4s > S. 0:0(0) ack 1
        """).AssertNoLeak();

    [Fact]
    public void After_time_wait_a_full_syn_cache_is_no_obstacle() =>
        new TcpScript { Options = new() { Timestamps = false, MaxEmbryonic = 1, SynAckRetries = 0 } }.Run("""
            +0 listen
            +0 < S 0:0(0) win 65535 <mss 1460>
            +0 > S. 0:0(0) ack 1
            +0 < . 1:1(0) ack 1 win 65535
            +0 accept
            +0 close
            +0 > F. 1:1(0) ack 1
            +0 < F. 1:1(0) ack 2 win 65535
            +0 > . 2:2(0) ack 2
            +0 time-waits 1
            +0 peer 50001
            +0 < S 0:0(0) win 65535 <mss 1460>
            +0 > S. 0:0(0) ack 1
            +0 embryos 1
            +0 peer 50000
            +0 < S 10000:10000(0) win 65535 <mss 1460>
            +0 > S. 0:0(0) ack 10001
            +0 counter TcpExtSyncookiesSent 0
            +0 counter TcpExtTWRecycled 1
            +0 embryos 2
            +0 < . 10001:10001(0) ack 1 win 65535
            +0 accept
            """).AssertNoLeak();
}
