using Tapwire.Stack.Tcp;
using Tapwire.Tests.Sim;
using Xunit;

namespace Tapwire.Tests.Stack.Tcp.Scripts;

/// <summary>Resets, SYNs and acknowledgements that do not fit (RFC 5961; RFC 9293, 3.10.7), and at what rate they are answered (RFC 5961, 7).</summary>
public class BlindSpec
{
    /// <summary>RFC 5961, 3.2: RCV.NXT is the number, whatever the acknowledgement says. (Of a reset RFC 9293 looks at the latter in SYN-SENT only.)</summary>
    [Theory]
    [InlineData("R 101:101(0)")]
    [InlineData("R. 101:101(0) ack 1")]
    [InlineData("R. 101:101(0) ack 70000")]
    [InlineData("R. 101:111(10) ack 1")]
    public void A_reset_at_the_next_byte_is_believed_whatever_it_acknowledges(string reset) => new TcpScript().Run(TcpScript.Accepted + $"""
        +0 < P. 1:101(100) ack 1 win 65535
        +0 > . 1:1(0) ack 101
        +0 < {reset}
        +0 closed ConnectionReset
        """).AssertNoLeak();

    /// <summary>The byte before and the byte after are in the window, or old: neither resets (RFC 5961, 3.2).</summary>
    [Fact]
    public void A_reset_one_byte_off_is_not_believed() => new TcpScript().Run(TcpScript.Accepted + """
        +0 < P. 1:101(100) ack 1 win 65535
        +0 > . 1:1(0) ack 101
        +0 < R 100:100(0)
        +0 state Established
        +0 < R 102:102(0)
        +0 > . 1:1(0) ack 101
        +0 state Established
        +0 counter TcpExtTCPChallengeACK 1
        """).AssertNoLeak();

    /// <summary>The answer to the challenge is the reset that a peer without the connection sends (RFC 5961, 4.2): it has the number that the challenge has
    /// named.</summary>
    [Fact]
    public void A_peer_that_has_begun_anew_is_let_in_after_its_reset() => new TcpScript().Run(TcpScript.Accepted + """
        +0 < S 5000:5000(0) win 65535 <mss 1460>
        +0 > . 1:1(0) ack 1
        +0 < R 1:1(0)
        +0 closed ConnectionReset
        +0 sockets 0
        """).AssertNoLeak();

    /// <summary>RFC 5961, 7: one answer, and none for half a second, however many SYNs come.</summary>
    [Fact]
    public void Syns_in_a_row_are_challenged_twice_a_second() => new TcpScript().Run(TcpScript.Accepted + """
        +0 < S 5000:5000(0) win 65535
        +0 > . 1:1(0) ack 1
        +100ms < S 5000:5000(0) win 65535
        +100ms < S 6000:6000(0) win 65535
        +250ms < R 50:50(0)
        +0 counter TcpExtTCPChallengeACK 1
        +60ms < S 5000:5000(0) win 65535
        +0 > . 1:1(0) ack 1
        +0 counter TcpExtTCPSYNChallenge 4
        """).AssertNoLeak();

    /// <summary>RFC 5961, 5.2: data that acknowledges what was never sent is not delivered.</summary>
    [Fact]
    public void Data_with_an_acknowledgement_of_what_was_never_sent_is_not_taken() => new TcpScript().Run(TcpScript.Accepted + """
        +0 < P. 1:101(100) ack 2 win 65535
        +0 > . 1:1(0) ack 1
        +0 take 0
        +0 < P. 1:101(100) ack 1 win 65535
        +0 > . 1:1(0) ack 101
        +0 read 100
        """).AssertNoLeak();

    /// <summary>RFC 5961, 5.2: an acknowledgement may be old by as much as the largest window that was ever announced.</summary>
    [Fact]
    public void Data_with_an_acknowledgement_as_old_as_the_largest_window_is_taken_and_with_an_older_one_not() => new TcpScript().Run("""
        +0 listen
        +0 < S 0:0(0) win 3000 <mss 1460>
        +0 > S. 0:0(0) ack 1
        +0 < . 1:1(0) ack 1 win 3000
        +0 accept
        +0 write 2920
        +0 > . 1:1461(1460) ack 1
        +0 > P. 1461:2921(1460) ack 1
        +10ms < . 1:1(0) ack 2921 win 3000
        +0 write 2920
        +0 > . 2921:4381(1460) ack 1
        +0 > P. 4381:5841(1460) ack 1
        +10ms < . 1:1(0) ack 5841 win 2000
        +0 < P. 1:101(100) ack 2841 win 2000
        +0 > . 5841:5841(0) ack 101
        +0 < P. 101:201(100) ack 2840 win 2000
        +0 > . 5841:5841(0) ack 101
        +0 read 100
        """).AssertNoLeak();

    /// <summary>Linux's addition to RFC 5961, 5.2: what was never sent cannot have been acknowledged, however large the window.</summary>
    [Fact]
    public void Data_with_an_acknowledgement_from_before_the_first_byte_is_not_taken() => new TcpScript().Run(TcpScript.Accepted + """
        +0 < P. 1:101(100) ack -100 win 65535
        +0 > . 1:1(0) ack 1
        +0 write 1000
        +0 > P. 1:1001(1000) ack 1
        +10ms < . 1:1(0) ack 1001 win 65535
        +0 < P. 1:101(100) ack 1 win 65535
        +0 > . 1001:1001(0) ack 101
        +1s < P. 101:201(100) ack -10 win 65535
        +0 > . 1001:1001(0) ack 101
        +0 read 100
        """).AssertNoLeak();

    /// <summary>RFC 9293, 3.10.7.4, fifth check: without ACK nothing else of a segment is looked at.</summary>
    [Fact]
    public void A_fin_without_acknowledgement_is_not_taken() => new TcpScript().Run(TcpScript.Accepted + """
        +0 < F 1:1(0) win 65535
        +0 state Established
        +0 no-event
        +0 < F. 1:1(0) ack 1 win 65535
        +0 > . 1:1(0) ack 2
        """).AssertNoLeak();

    /// <summary>RFC 9293, 3.10.7.4, second check before the fourth: a reset with SYN is a reset.</summary>
    [Fact]
    public void A_reset_with_syn_at_the_next_byte_is_a_reset() => new TcpScript().Run(TcpScript.Accepted + """
        +0 < SR 1:1(0)
        +0 closed ConnectionReset
        """).AssertNoLeak();

    /// <summary>RFC 9293, 3.10.7.2: a listener answers neither a reset nor a segment without SYN and ACK.</summary>
    [Theory]
    [InlineData("R 1:1(0)")]
    [InlineData("R. 1:1(0) ack 1")]
    [InlineData("F 1:1(0) win 65535")]
    [InlineData("P 1:11(10) win 65535")]
    [InlineData("0 1:1(0) win 65535")]
    [InlineData("SF 0:0(0) win 65535")]
    [InlineData("SR 0:0(0) win 65535")]
    public void What_a_listener_does_not_hear(string segment) => new TcpScript().Run($"""
        +0 listen
        +0 < {segment}
        +0 embryos 0
        +0 < S 0:0(0) win 65535 <mss 1460>
        +0 > S. 0:0(0) ack 1
        """).AssertNoLeak();

    /// <summary>RFC 9293, 3.10.7.3, first check: the reset takes its number from the acknowledgement, and the open goes on.</summary>
    [Theory]
    [InlineData(0)]
    [InlineData(2)]
    [InlineData(-70000)]
    public void In_syn_sent_a_syn_ack_for_another_syn_is_answered_with_a_reset_and_the_open_goes_on(int ack) => new TcpScript().Run($"""
        +0 connect
        +0 > S 0:0(0)
        +10ms < S. 0:0(0) ack {ack} win 65535 <mss 1460>
        +0 > R {ack}:{ack}(0)
        +5ms < S. 0:0(0) ack 1 win 65535 <mss 1460>
        +0 > . 1:1(0) ack 1
        +0 connected
        """).AssertNoLeak();

    [Fact]
    public void In_syn_sent_a_reset_for_another_syn_leaves_the_open_alone() => new TcpScript().Run("""
        +0 connect
        +0 > S 0:0(0)
        +10ms < R. 0:0(0) ack 2
        +0 < R. 0:0(0) ack 0
        +0 < R 0:0(0)
        +0 no-event
        +5ms < R. 0:0(0) ack 1
        +0 closed ConnectionRefused
        """).AssertNoLeak();

    /// <summary>RFC 9293, 3.5.1: the peer still has an old connection of the same name, answers for it, and is reset. As in Linux the SYN follows at once and
    /// not after a second; it was not lost, so the window begins as ever (RFC 6928, 2).</summary>
    [Fact]
    public void After_the_answer_of_an_old_connection_the_syn_is_sent_again_at_once_and_once() => new TcpScript().Run("""
        +0 connect
        +0 > S 0:0(0)
        +10ms < . 5000:5000(0) ack 7000 win 65535
        +0 > R 7000:7000(0)
        +10ms > S 0:0(0)
        +10ms < . 5000:5000(0) ack 7000 win 65535
        +0 > R 7000:7000(0)
        +990ms > S 0:0(0)
        """).AssertNoLeak();

    [Fact]
    public void The_window_after_the_answer_of_an_old_connection_begins_as_ever() => new TcpScript().Run("""
        +0 connect
        +0 > S 0:0(0)
        +10ms < . 5000:5000(0) ack 7000 win 65535
        +0 > R 7000:7000(0)
        +10ms > S 0:0(0)
        +10ms < S. 0:0(0) ack 1 win 65535 <mss 1460>
        +0 > . 1:1(0) ack 1
        +0 connected
        +0 cwnd 14600
        """).AssertNoLeak();

    /// <summary>A SYN-ACK that comes again says that our acknowledgement of the first was lost (RFC 5961, 4.2, answers it as any SYN).</summary>
    [Fact]
    public void A_repeated_syn_ack_is_acknowledged_again() => new TcpScript().Run(TcpScript.Connected + """
        +1s < S. 0:0(0) ack 1 win 65535 <mss 1460>
        +0 > . 1:1(0) ack 1
        +0 state Established
        """).AssertNoLeak();

    /// <summary>RFC 5927, 4.1 and 6: an ICMP error about a connection that waits to be accepted and has sent nothing is forged or late.</summary>
    [Fact]
    public void An_icmp_error_before_the_connection_is_accepted_does_not_end_it() => new TcpScript().Run("""
        +0 listen
        +0 < S 0:0(0) win 65535 <mss 1460>
        +0 > S. 0:0(0) ack 1
        +0 < . 1:1(0) ack 1 win 65535
        +10ms icmp HostUnreachable @1
        +0 accept
        +0 no-event
        +0 write 10
        +0 > P. 1:11(10) ack 1
        +10ms < P. 1:11(10) ack 11 win 65535
        +0 > . 11:11(0) ack 11
        +0 read 10
        """).AssertNoLeak();

    [Fact]
    public void A_connection_that_is_reset_before_it_is_accepted_is_accepted_and_ended() => new TcpScript().Run("""
        +0 listen
        +0 < S 0:0(0) win 65535 <mss 1460>
        +0 > S. 0:0(0) ack 1
        +0 < P. 1:11(10) ack 1 win 65535
        +0 > . 1:1(0) ack 11
        +0 < R 11:11(0)
        +0 accept
        +0 closed ConnectionReset
        +0 read 10
        """).AssertNoLeak();

    [Fact]
    public void A_connection_whose_peer_has_closed_before_it_is_accepted_is_read_to_its_end() => new TcpScript().Run("""
        +0 listen
        +0 < S 0:0(0) win 65535 <mss 1460>
        +0 > S. 0:0(0) ack 1
        +0 < FP. 1:11(10) ack 1 win 65535
        +0 > . 1:1(0) ack 12
        +0 accept
        +0 readable
        +0 read 10
        +0 eof
        +0 write 10
        +0 > P. 1:11(10) ack 12
        +0 state CloseWait
        """).AssertNoLeak();

    /// <summary>Data that comes out of order before anybody has accepted is there in order afterwards.</summary>
    [Fact]
    public void Data_out_of_order_before_the_connection_is_accepted_is_read_in_order() => new TcpScript().Run("""
        +0 listen
        +0 < S 0:0(0) win 65535 <mss 1460,sackOK>
        +0 > S. 0:0(0) ack 1
        +0 < . 1:1(0) ack 1 win 65535
        +0 < P. 101:201(100) ack 1 win 65535
        +0 > . 1:1(0) ack 1 <sack 101:201>
        +0 accept
        +0 < P. 1:101(100) ack 1 win 65535
        +0 > . 1:1(0) ack 201
        +0 < P. 301:401(100) ack 1 win 65535
        +0 > . 1:1(0) ack 201 <sack 301:401>
        +0 read 200
        """).AssertNoLeak();

    [Fact]
    public void The_first_data_takes_the_place_of_the_acknowledgement_that_ends_the_handshake() => new TcpScript().Run("""
        +0 listen
        +0 < S 0:0(0) win 65535 <mss 1460>
        +0 > S. 0:0(0) ack 1
        +100ms < P. 1:101(100) ack 1 win 65535
        +0 > . 1:1(0) ack 101
        +0 accept
        +0 read 100
        """).AssertNoLeak();

    /// <summary>RFC 9293, 3.10.7.4: any acceptable segment with the acknowledgement of our SYN does, and what it carries is kept.</summary>
    [Fact]
    public void Data_ahead_of_a_gap_ends_the_handshake_too() => new TcpScript().Run("""
        +0 listen
        +0 < S 0:0(0) win 65535 <mss 1460>
        +0 > S. 0:0(0) ack 1
        +100ms < P. 101:201(100) ack 1 win 65535
        +0 > . 1:1(0) ack 1
        +0 accept
        +0 < P. 1:101(100) ack 1 win 65535
        +0 > . 1:1(0) ack 201
        """).AssertNoLeak();

    /// <summary>RFC 9293, figure 8: the crossed SYN-ACKs end the open, and need no answer (Linux gives one). If ours was lost the peer's comes again, and is
    /// answered as any SYN.</summary>
    [Fact]
    public void Crossed_syn_acks_end_the_open_and_one_that_comes_again_is_answered() => new TcpScript().Run("""
        +0 connect
        +0 > S 0:0(0)
        +10ms < S 0:0(0) win 65535 <mss 1460>
        +0 > S. 0:0(0) ack 1
        +10ms < S. 0:0(0) ack 1 win 65535 <mss 1460>
        +0 connected
        +1s < S. 0:0(0) ack 1 win 65535 <mss 1460>
        +0 > . 1:1(0) ack 1
        +0 state Established
        """).AssertNoLeak();
}
