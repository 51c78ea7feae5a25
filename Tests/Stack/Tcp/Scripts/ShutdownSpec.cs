using Tapwire.Stack.Tcp;
using Tapwire.Tests.Sim;
using Xunit;

namespace Tapwire.Tests.Stack.Tcp.Scripts;

/// <summary>FIN and shutdown in both directions, with data before, with and after them (RFC 9293, 3.6, 3.10.4, 3.10.7.4).</summary>
public class ShutdownSpec
{
    /// <summary>SHUT_RDWR, as Linux has it: nobody will read, so data is answered with a reset though the application still holds the socket.</summary>
    [Fact]
    public void Data_that_comes_after_both_directions_were_shut_down_is_answered_with_a_reset() => new TcpScript().Run(TcpScript.Accepted + """
        +0 shutdown-read
        +0 shutdown
        +0 > F. 1:1(0) ack 1
        +10ms < . 1:1(0) ack 2 win 65535
        +0 state FinWait2
        +10ms < P. 1:101(100) ack 2 win 65535
        +0 > R. 2:2(0) ack 1
        +0 closed ConnectionReset
        +0 counter TcpExtTCPAbortOnData 1
        """).AssertNoLeak();

    [Fact]
    public void The_same_while_the_fin_is_not_acknowledged() => new TcpScript().Run(TcpScript.Accepted + """
        +0 write 1000
        +0 > P. 1:1001(1000) ack 1
        +0 shutdown-read
        +0 shutdown
        +0 > F. 1001:1001(0) ack 1
        +10ms < P. 1:101(100) ack 1 win 65535
        +0 > R. 1002:1002(0) ack 1
        +0 closed ConnectionReset
        """).AssertNoLeak();

    [Fact]
    public void What_was_written_before_both_directions_were_shut_down_arrives_and_both_fins_end_it() => new TcpScript().Run(TcpScript.Accepted + """
        +0 write 2920
        +0 > . 1:1461(1460) ack 1
        +0 > P. 1461:2921(1460) ack 1
        +0 shutdown-read
        +0 shutdown
        +0 > F. 2921:2921(0) ack 1
        +10ms < . 1:1(0) ack 1461 win 65535
        +0 state FinWait1
        +1ms < . 1:1(0) ack 2922 win 65535
        +0 state FinWait2
        +10ms < F. 1:1(0) ack 2922 win 65535
        +0 > . 2922:2922(0) ack 2
        +0 closed None
        +0 time-waits 1
        """).AssertNoLeak();

    /// <summary>Only the receiving side is shut down: the peer is not told, and may send.</summary>
    [Fact]
    public void After_the_receiving_side_alone_is_shut_down_data_is_acknowledged_and_ours_goes_on() => new TcpScript().Run(TcpScript.Accepted + """
        +0 shutdown-read
        +0 < P. 1:101(100) ack 1 win 65535
        +0 > . 1:1(0) ack 101
        +0 write 100
        +0 > P. 1:101(100) ack 101
        +0 state Established
        """).AssertNoLeak();

    /// <summary>FIN-WAIT-1 and FIN-WAIT-2 receive data to the last byte (RFC 9293, 3.10.7.4, seventh check).</summary>
    [Fact]
    public void After_a_half_close_everything_up_to_the_peers_fin_is_read() => new TcpScript().Run(TcpScript.Accepted + """
        +0 shutdown
        +0 > F. 1:1(0) ack 1
        +10ms < P. 1:1001(1000) ack 1 win 65535
        +0 > . 2:2(0) ack 1001
        +10ms < P. 1001:2001(1000) ack 2 win 65535
        +0 > . 2:2(0) ack 2001
        +0 state FinWait2
        +10ms < FP. 2001:2501(500) ack 2 win 65535
        +0 > . 2:2(0) ack 2502
        +0 read 2500
        +0 eof
        +0 time-waits 1
        """).AssertNoLeak();

    /// <summary>A FIN that comes ahead of a gap in FIN-WAIT-1 waits for what is missing, also if that comes with the acknowledgement of ours.</summary>
    [Fact]
    public void A_fin_ahead_of_a_gap_is_kept_in_fin_wait() => new TcpScript().Run(TcpScript.AcceptedWithSack + """
        +0 shutdown
        +0 > F. 1:1(0) ack 1
        +10ms < F. 1001:1001(0) ack 1 win 65535
        +0 > . 2:2(0) ack 1
        +0 state FinWait1
        +10ms < P. 1:1001(1000) ack 2 win 65535
        +0 > . 2:2(0) ack 1002
        +0 read 1000
        +0 time-waits 1
        """).AssertNoLeak();

    [Fact]
    public void A_fin_ahead_of_a_gap_is_kept_in_fin_wait_2() => new TcpScript().Run(TcpScript.AcceptedWithSack + """
        +0 shutdown
        +0 > F. 1:1(0) ack 1
        +10ms < . 1:1(0) ack 2 win 65535
        +10ms < FP. 501:1001(500) ack 2 win 65535
        +0 > . 2:2(0) ack 1 <sack 501:1001>
        +0 state FinWait2
        +10ms < . 1:501(500) ack 2 win 65535
        +0 > . 2:2(0) ack 1002
        +0 read 1000
        +0 time-waits 1
        """).AssertNoLeak();

    /// <summary>RFC 9293, 3.6, case 3, with data on both sides: each FIN is acknowledged with what it follows.</summary>
    [Fact]
    public void Both_close_at_once_with_data() => new TcpScript().Run(TcpScript.Accepted + """
        +0 write 100
        +0 > P. 1:101(100) ack 1
        +0 shutdown
        +0 > F. 101:101(0) ack 1
        +5ms < FP. 1:51(50) ack 1 win 65535
        +0 > . 102:102(0) ack 52
        +0 state Closing
        +5ms < . 52:52(0) ack 102 win 65535
        +0 closed None
        +0 read 50
        +0 time-waits 1
        """).AssertNoLeak();

    [Fact]
    public void In_closing_an_acknowledgement_of_the_data_alone_leaves_the_fin_to_be_sent_again() => new TcpScript().Run(TcpScript.Accepted + """
        +0 write 100
        +0 > P. 1:101(100) ack 1
        +0 shutdown
        +0 > F. 101:101(0) ack 1
        +5ms < F. 1:1(0) ack 1 win 65535
        +0 > . 102:102(0) ack 2
        +5ms < . 2:2(0) ack 101 win 65535
        +0 state Closing
        +201ms > F. 101:101(0) ack 2
        +5ms < . 2:2(0) ack 102 win 65535
        +0 closed None
        """).AssertNoLeak();

    /// <summary>Our FIN was lost, and the peer's repeated one shows nothing of it: the timer repeats ours, with the acknowledgement.</summary>
    [Fact]
    public void In_last_ack_a_lost_fin_is_sent_again_and_its_acknowledgement_ends_it() => new TcpScript().Run(TcpScript.Accepted + """
        +0 < F. 1:1(0) ack 1 win 65535
        +0 > . 1:1(0) ack 2
        +0 close
        +0 > F. 1:1(0) ack 2
        +200ms > F. 1:1(0) ack 2
        +0 state LastAck
        +10ms < . 2:2(0) ack 2 win 65535
        +0 closed None
        +0 sockets 0
        +0 time-waits 0
        """).AssertNoLeak();

    /// <summary>The peer has not heard our acknowledgement of its FIN.</summary>
    [Fact]
    public void In_close_wait_a_fin_that_comes_again_is_acknowledged_again() => new TcpScript().Run(TcpScript.Accepted + """
        +0 < F. 1:1(0) ack 1 win 65535
        +0 > . 1:1(0) ack 2
        +300ms < F. 1:1(0) ack 1 win 65535
        +0 > . 1:1(0) ack 2
        +0 state CloseWait
        """).AssertNoLeak();

    /// <summary>The peer has closed its direction only: ours may go on for as long as we like.</summary>
    [Fact]
    public void In_close_wait_everything_written_arrives_before_our_fin() => new TcpScript().Run(TcpScript.Accepted + """
        +0 < F. 1:1(0) ack 1 win 65535
        +0 > . 1:1(0) ack 2
        +2s write 2000
        +0 > . 1:1461(1460) ack 2
        +0 > P. 1461:2001(540) ack 2
        +10ms < . 2:2(0) ack 2001 win 65535
        +0 write 100
        +0 > P. 2001:2101(100) ack 2
        +0 shutdown
        +0 > F. 2101:2101(0) ack 2
        +0 state LastAck
        +10ms < . 2:2(0) ack 2102 win 65535
        +0 closed None
        """).AssertNoLeak();

    [Fact]
    public void A_fin_with_the_last_data_is_acknowledged_once_for_both() => new TcpScript().Run(TcpScript.Accepted + """
        +0 < . 1:1461(1460) ack 1 win 65535
        +0 < FP. 1461:2001(540) ack 1 win 65535
        +0 > . 1:1(0) ack 2002
        +0 read 2000
        +0 eof
        +0 state CloseWait
        """).AssertNoLeak();

    /// <summary>The FIN takes no place in the window that matters to its receiver: a window filled to the last byte does not keep it out (RFC 9293, 3.4;
    /// Linux).</summary>
    [Fact]
    public void A_fin_behind_a_window_that_is_full_is_taken() => new TcpScript { SocketOptions = new TcpSocketOptions { ReceiveBuffer = 2048 } }.Run(
        TcpScript.Accepted + """
        +0 < . 1:1461(1460) ack 1 win 65535
        +0 < P. 1461:2049(588) ack 1 win 65535
        +0 forget
        +50ms forget
        +0 < F. 2049:2049(0) ack 1 win 65535
        +0 > . 1:1(0) ack 2050
        +0 state CloseWait
        +0 read 2048
        +0 eof
        """).AssertNoLeak();

    [Fact]
    public void Closing_with_the_peers_fin_and_everything_read_is_orderly() => new TcpScript().Run(TcpScript.Accepted + """
        +0 < FP. 1:101(100) ack 1 win 65535
        +0 > . 1:1(0) ack 102
        +0 read 100
        +0 eof
        +0 close
        +0 > F. 1:1(0) ack 102
        +0 state LastAck
        """).AssertNoLeak();

    /// <summary>RFC 2525, 2.17, also when the peer has said all it had to say.</summary>
    [Fact]
    public void Closing_with_unread_bytes_resets_in_close_wait_too() => new TcpScript().Run(TcpScript.Accepted + """
        +0 < FP. 1:101(100) ack 1 win 65535
        +0 > . 1:1(0) ack 102
        +0 close
        +0 > R. 1:1(0) ack 102
        +0 sockets 0
        """).AssertNoLeak();

    /// <summary>The end of the stream alone is no unread byte.</summary>
    [Fact]
    public void Closing_with_nothing_unread_but_the_end_is_orderly() => new TcpScript().Run(TcpScript.Accepted + """
        +0 < F. 1:1(0) ack 1 win 65535
        +0 > . 1:1(0) ack 2
        +0 close
        +0 > F. 1:1(0) ack 2
        """).AssertNoLeak();

    [Fact]
    public void In_fin_wait_1_a_reset_ends_what_nobody_holds_any_more() => new TcpScript().Run(TcpScript.Accepted + """
        +0 write 100
        +0 > P. 1:101(100) ack 1
        +0 close
        +0 > F. 101:101(0) ack 1
        +10ms < R. 1:1(0) ack 102
        +0 closed ConnectionReset
        +0 sockets 0
        """).AssertNoLeak();

    /// <summary>RFC 9293, 3.6, case 3: the FINs have crossed. A FIN that comes once more after that is acknowledged out of TIME-WAIT.</summary>
    [Fact]
    public void A_fin_that_acknowledges_only_the_data_leads_to_closing_and_the_last_acknowledgement_to_time_wait() => new TcpScript().Run(TcpScript.Accepted + """
        +0 write 100
        +0 > P. 1:101(100) ack 1
        +0 close
        +0 > F. 101:101(0) ack 1
        +10ms < . 1:1(0) ack 101 win 65535
        +10ms < F. 1:1(0) ack 101 win 65535
        +0 > . 102:102(0) ack 2
        +10ms < . 2:2(0) ack 102 win 65535
        +1s < F. 1:1(0) ack 102 win 65535
        +0 > . 102:102(0) ack 2
        """).AssertNoLeak();

    /// <summary>RFC 9293, 3.6.1, asks for a reset if data would be lost; what comes again was read.</summary>
    [Fact]
    public void Data_that_was_read_before_closing_and_comes_again_is_no_reason_for_a_reset() => new TcpScript().Run(TcpScript.Accepted + """
        +0 < P. 1:101(100) ack 1 win 65535
        +0 > . 1:1(0) ack 101
        +0 read 100
        +0 close
        +0 > F. 1:1(0) ack 101
        +10ms < P. 1:101(100) ack 1 win 65535
        +0 > . 2:2(0) ack 101
        +10ms < . 101:101(0) ack 2 win 65535
        """).AssertNoLeak();

    [Fact]
    public void After_a_half_close_a_reset_is_told() => new TcpScript().Run(TcpScript.Accepted + """
        +0 shutdown
        +0 > F. 1:1(0) ack 1
        +10ms < . 1:1(0) ack 2 win 65535
        +10ms < R 1:1(0)
        +0 closed ConnectionReset
        """).AssertNoLeak();

    [Fact]
    public void What_was_written_before_closing_waits_for_the_window_and_the_fin_goes_with_it() => new TcpScript().Run(TcpScript.Accepted + """
        +0 < . 1:1(0) ack 1 win 0
        +0 write 100
        +0 close
        +200ms > . 0:0(0) ack 1
        +10ms < . 1:1(0) ack 1 win 101
        +0 > FP. 1:101(100) ack 1
        +10ms < F. 1:1(0) ack 102 win 101
        +0 > . 102:102(0) ack 2
        """).AssertNoLeak();
}
