using Tapwire.Stack.Tcp;
using Tapwire.Tests.Sim;
using Xunit;

namespace Tapwire.Tests.Stack.Tcp;

/// <summary>TCP Fast Open of a server (RFC 7413, 4.1.2, 4.2.2).</summary>
public class FastOpenServerSpec
{
    /// <summary>A peer that has asked for a cookie, got it, and gone.</summary>
    private const string Cookie = """
        +0 listen
        +0 < S 0:0(0) win 65535 <mss 1460,FO>
        +0 > S. 0:0(0) ack 1 <mss 1460,FO *>
        +0 < R 1:1(0)
        +0 embryos 0
        +1s peer 50000

        """;

    private static TcpScript Run(string script, int queue = 4, TcpOptions? options = null) =>
        new TcpScript { Options = options ?? new() { Timestamps = false }, SocketOptions = new() { FastOpenQueue = queue } }.Run(script);

    [Fact]
    public void A_request_is_answered_with_a_cookie_also_when_it_is_answered_again() => Run("""
        +0 listen
        +0 < S 0:0(0) win 65535 <mss 1460,FO>
        +0 > S. 0:0(0) ack 1 <mss 1460,FO *>
        +1s > S. 0:0(0) ack 1 <mss 1460,FO *>
        +0 counter TcpExtTCPFastOpenCookieReqd 1
        +0 < . 1:1(0) ack 1 win 65535
        +0 accept
        """).AssertNoLeak();

    [Fact]
    public void A_listener_without_a_queue_for_it_knows_no_fast_open() => Run("""
        +0 listen
        +0 < S 0:0(0) win 65535 <mss 1460,FO>
        +0 > S. 0:0(0) ack 1 <mss 1460>
        +0 counter TcpExtTCPFastOpenCookieReqd 0
        """, queue: 0).AssertNoLeak();

    [Fact]
    public void A_stack_may_forbid_it() => Run("""
        +0 listen
        +0 < S 0:0(0) win 65535 <mss 1460,FO>
        +0 > S. 0:0(0) ack 1 <mss 1460>
        """, options: new TcpOptions { Timestamps = false, FastOpen = false }).AssertNoLeak();

    [Fact]
    public void Data_in_the_syn_is_delivered_and_answered_before_the_handshake_is_done() => Run(Cookie + """
        +0 < S 0:100(100) win 65535 <mss 1460,FO *>
        +0 > S. 0:0(0) ack 101 <mss 1460>
        +0 accept
        +0 readable
        +0 state SynReceived
        +0 read 100
        +0 write 3000
        +0 > . 1:1461(1460) ack 101
        +0 > . 1461:2921(1460) ack 101
        +0 > P. 2921:3001(80) ack 101
        +20ms < . 101:101(0) ack 1 win 65535
        +0 state Established
        +0 no-event
        +0 < . 101:101(0) ack 3001 win 65535
        +0 writable
        +0 < P. 101:201(100) ack 3001 win 65535
        +0 read 100
        +40ms > . 3001:3001(0) ack 201
        +0 counter TcpExtTCPFastOpenPassive 1
        +0 counter TcpPassiveOpens 1
        +0 counter TcpExtTCPFastOpenPassiveFail 0
        """).AssertNoLeak();

    [Fact]
    public void The_acknowledgement_of_early_data_ends_the_handshake() => Run(Cookie + """
        +0 < S 0:100(100) win 65535 <mss 1460,FO *>
        +0 > S. 0:0(0) ack 101
        +0 accept
        +0 read 100
        +0 write 100
        +0 > P. 1:101(100) ack 101
        +20ms < P. 101:151(50) ack 101 win 65535
        +0 state Established
        +0 writable
        +0 read 50
        +40ms > . 101:101(0) ack 151
        """).AssertNoLeak();

    [Fact]
    public void Early_data_keeps_to_the_window_of_the_syn() => Run(Cookie + """
        +0 < S 0:100(100) win 2000 <mss 1460,wscale 7,FO *>
        +0 > S. 0:0(0) ack 101
        +0 accept
        +0 read 100
        +0 > . 1:1(0) ack 101 win 32768
        +0 write 5000
        +0 > . 1:1461(1460) ack 101
        +10ms < . 101:101(0) ack 1461 win 100
        +0 > . 1461:2921(1460) ack 101
        +0 > . 2921:4381(1460) ack 101
        +0 > P. 4381:5001(620) ack 101
        """).AssertNoLeak();

    [Fact]
    public void Early_data_that_was_lost_is_sent_again_once_the_handshake_is_done() => Run(Cookie + """
        +0 < S 0:100(100) win 65535 <mss 1460,FO *>
        +0 > S. 0:0(0) ack 101
        +0 accept
        +0 read 100
        +0 write 100
        +0 > P. 1:101(100) ack 101
        +20ms < . 101:101(0) ack 1 win 65535
        # No sooner than a time-out after the handshake: 20 ms and its floor.
        +220ms > P. 1:101(100) ack 101
        """).AssertNoLeak();

    [Fact]
    public void A_syn_without_data_opens_too() => Run(Cookie + """
        +0 < S 0:0(0) win 65535 <mss 1460,FO *>
        +0 > S. 0:0(0) ack 1
        +0 accept
        +0 write 10
        +0 > P. 1:11(10) ack 1
        """).AssertNoLeak();

    [Fact]
    public void A_wrong_cookie_leads_to_the_ordinary_handshake_and_a_better_one() => Run("""
        +0 listen
        +0 < S 0:100(100) win 65535 <mss 1460,FO 0102030405060708>
        +0 > S. 0:0(0) ack 1 <mss 1460,FO *>
        +0 counter TcpExtTCPFastOpenPassiveFail 1
        +0 not-accepted
        +0 < P. 1:101(100) ack 1 win 65535
        +0 > . 1:1(0) ack 101
        +0 accept
        +0 read 100
        """).AssertNoLeak();

    [Fact]
    public void More_than_the_queue_takes_open_in_the_ordinary_way() => Run(Cookie + """
        +0 < S 0:10(10) win 65535 <mss 1460,FO *>
        +0 > S. 0:0(0) ack 11 <mss 1460>
        +0 peer 50001
        +0 < S 0:10(10) win 65535 <mss 1460,FO *>
        +0 > S. 0:0(0) ack 1 <mss 1460>
        +0 counter TcpExtTCPFastOpenListenOverflow 1
        """, queue: 1).AssertNoLeak();

    [Fact]
    public void Who_has_finished_the_handshake_makes_room() => Run(Cookie + """
        +0 < S 0:10(10) win 65535 <mss 1460,FO *>
        +0 > S. 0:0(0) ack 11 <mss 1460>
        +0 < . 11:11(0) ack 1 win 65535
        +0 peer 50001
        +0 < S 0:10(10) win 65535 <mss 1460,FO *>
        +0 > S. 0:0(0) ack 11 <mss 1460>
        """, queue: 1).AssertNoLeak();

    [Fact]
    public void A_connection_that_was_reset_counts_for_another_minute() => Run(Cookie + """
        +0 < S 0:10(10) win 65535 <mss 1460,FO *>
        +0 > S. 0:0(0) ack 11 <mss 1460>
        +0 accept
        +0 < R 11:11(0)
        +0 closed ConnectionReset
        +0 read 10
        +0 sockets 0
        +0 peer 50001
        +59.9s < S 0:10(10) win 65535 <mss 1460,FO *>
        +0 > S. 0:0(0) ack 1 <mss 1460>
        +0 < R 1:1(0)
        +0 counter TcpExtTCPFastOpenListenOverflow 1
        +0 peer 50002
        +0.2s < S 0:10(10) win 65535 <mss 1460,FO *>
        +0 > S. 0:0(0) ack 11 <mss 1460>
        """, queue: 1).AssertNoLeak();

    [Fact]
    public void A_lost_syn_ack_is_sent_again_by_the_timer_and_on_a_repeated_syn() => Run(Cookie + """
        +0 < S 0:100(100) win 65535 <mss 1460,FO *>
        +0 > S. 0:0(0) ack 101
        +0 accept
        +1s > S. 0:0(0) ack 101
        # The peer's retransmission comes without data.
        +0.6s < S 0:0(0) win 65535 <mss 1460>
        +0 > S. 0:0(0) ack 101
        +0 < S 0:0(0) win 65535 <mss 1460>
        +20ms < . 101:101(0) ack 1 win 65535
        +0 state Established
        +0 read 100
        +0 readable
        +60s no-event
        """).AssertNoLeak();

    [Fact]
    public void Without_an_answer_the_connection_times_out() => Run(
        Cookie + """
        +0 < S 0:100(100) win 65535 <mss 1460,FO *>
        +0 > S. 0:0(0) ack 101
        +0 accept
        +1s > S. 0:0(0) ack 101
        +2s closed TimedOut
        +0 counter TcpExtTCPTimeoutSynAck 1
        +0 read 100
        +0 sockets 0
        """, options: new TcpOptions { Timestamps = false, SynAckRetries = 1 }).AssertNoLeak();

    [Fact]
    public void A_wrong_acknowledgement_is_answered_with_a_reset() => Run(Cookie + """
        +0 < S 0:100(100) win 65535 <mss 1460,FO *>
        +0 > S. 0:0(0) ack 101
        +0 accept
        +0 < . 101:101(0) ack 9 win 65535
        +0 > R 9:9(0)
        +0 state SynReceived
        """).AssertNoLeak();

    [Fact]
    public void The_application_may_answer_and_close_before_the_handshake_is_done() => Run(Cookie + """
        +0 < S 0:100(100) win 65535 <mss 1460,FO *>
        +0 > S. 0:0(0) ack 101
        +0 accept
        +0 read 100
        +0 write 200
        +0 > P. 1:201(200) ack 101
        +0 close
        +0 > F. 201:201(0) ack 101
        +20ms < F. 101:101(0) ack 202 win 65535
        +0 > . 202:202(0) ack 102
        +0 closed None
        +0 time-waits 1
        """).AssertNoLeak();

    [Fact]
    public void A_listener_that_closes_resets_what_nobody_has_accepted() => Run(Cookie + """
        +0 < S 0:100(100) win 65535 <mss 1460,FO *>
        +0 > S. 0:0(0) ack 101
        +0 unlisten
        +0 > R. 1:1(0) ack 101
        +0 sockets 0
        """).AssertNoLeak();

    [Fact]
    public void Timestamps_are_checked_from_the_syn_on() => Run(
        """
        +0 listen
        +0 < S 0:0(0) win 65535 <mss 1460,TS val 90 ecr 0,FO>
        +0 > S. 0:0(0) ack 1 <mss 1460,TS val 0 ecr 90,FO *>
        +0 < R 1:1(0)
        +1s peer 50000
        +0 < S 0:100(100) win 65535 <mss 1460,TS val 100 ecr 0,FO *>
        +0 > S. 0:0(0) ack 101 <mss 1460,TS val 0 ecr 100>
        +0 accept
        +0 < . 101:101(0) ack 1 win 65535 <TS val 98 ecr 0>
        +0 > . 1:1(0) ack 101
        +0 state SynReceived
        +0 < . 101:101(0) ack 1 win 65535 <TS val 100 ecr 0>
        +0 state Established
        """, options: new TcpOptions()).AssertNoLeak();
}
