using Tapwire.Stack.Tcp;
using Tapwire.Tests.Sim;
using Xunit;

namespace Tapwire.Tests.Stack.Tcp.Scripts;

/// <summary>The retransmission timer (RFC 6298), the user time-out (RFC 9293, 3.9.1.1; TCP_USER_TIMEOUT), probes of closed windows and of quiet peers.</summary>
public class TimeoutSpec
{
    /// <summary>RFC 6298, 5; the second half of Karn's algorithm. An acknowledgement of what was sent twice measures nothing: the time-out stays doubled, or
    /// a path that takes longer than it would have every segment sent twice for ever.</summary>
    [Fact]
    public void The_doubled_time_out_stays_until_a_segment_that_was_sent_once_is_acknowledged() => new TcpScript().Run(TcpScript.Accepted + """
        +0 write 100
        +0 > P. 1:101(100) ack 1
        +200ms > P. 1:101(100) ack 1
        +100ms < . 1:1(0) ack 101 win 65535
        +0 write 100
        +0 > P. 101:201(100) ack 1
        +300ms < . 1:1(0) ack 201 win 65535
        +0 counter TcpRetransSegs 1
        +0 write 100
        +0 > P. 201:301(100) ack 1
        +338ms > P. 201:301(100) ack 1
        """).AssertNoLeak();

    /// <summary>It stays over a second segment that was sent twice, and doubles on from there.</summary>
    [Fact]
    public void Time_outs_of_several_segments_in_a_row_double_on() => new TcpScript().Run(TcpScript.Accepted + """
        +0 write 100
        +0 > P. 1:101(100) ack 1
        +200ms > P. 1:101(100) ack 1
        +10ms < . 1:1(0) ack 101 win 65535
        +0 write 100
        +0 > P. 101:201(100) ack 1
        +400ms > P. 101:201(100) ack 1
        +10ms < . 1:1(0) ack 201 win 65535
        +0 write 100
        +0 > P. 201:301(100) ack 1
        +800ms > P. 201:301(100) ack 1
        """).AssertNoLeak();

    /// <summary>RFC 7323, 4.1: a timestamp tells which copy is answered, so the round trip is measured and the time-out is its own again.</summary>
    [Fact]
    public void With_timestamps_the_acknowledgement_of_a_repetition_measures_and_ends_the_doubling() => new TcpScript
    {
        Options = new TcpOptions { CongestionControl = CongestionAlgorithm.NewReno, SelectiveAck = false },
    }.Run("""
        +0 listen
        +0 < S 0:0(0) win 65535 <mss 1460,TS val 1000 ecr 0>
        +0 > S. 0:0(0) ack 1 <mss 1460,TS val 0 ecr 1000>
        +0 < . 1:1(0) ack 1 win 65535 <TS val 1000 ecr 0>
        +0 accept
        +0 write 100
        +0 > P. 1:101(100) ack 1
        +200ms > P. 1:101(100) ack 1
        +0 < . 1:1(0) ack 101 win 65535 <TS val 1200 ecr 200>
        +0 write 100
        +0 > P. 101:201(100) ack 1
        +201ms > P. 101:201(100) ack 1
        """).AssertNoLeak();

    /// <summary>RFC 6298, 5.3: an acknowledgement of new data starts the timer anew, so the time counts from it.</summary>
    [Fact]
    public void An_acknowledgement_of_part_of_the_flight_starts_the_timer_anew() => new TcpScript().Run(TcpScript.Accepted + """
        +0 write 2920
        +0 > . 1:1461(1460) ack 1
        +0 > P. 1461:2921(1460) ack 1
        +100ms < . 1:1(0) ack 1461 win 65535
        +190ms counter TcpRetransSegs 0
        +23ms > P. 1461:2921(1460) ack 1
        """).AssertNoLeak();

    /// <summary>RFC 6298, 5.2.</summary>
    [Fact]
    public void With_everything_acknowledged_no_timer_runs() => new TcpScript().Run(TcpScript.Accepted + """
        +0 write 100
        +0 > P. 1:101(100) ack 1
        +100ms < . 1:1(0) ack 101 win 65535
        +0 idle
        """).AssertNoLeak();

    /// <summary>RFC 6298, 5.3 says new data: a duplicate does not put the time-out off, or a peer that keeps talking would keep a lost segment from being
    /// sent again.</summary>
    [Fact]
    public void An_acknowledgement_of_nothing_new_leaves_the_timer_running() => new TcpScript().Run(TcpScript.Accepted + """
        +0 write 100
        +0 > P. 1:101(100) ack 1
        +100ms < . 1:1(0) ack 1 win 65535
        +90ms < . 1:1(0) ack 1 win 60000
        +10ms > P. 1:101(100) ack 1
        """).AssertNoLeak();

    /// <summary>RFC 5681, 3.1, and RFC 6298, 5.4: one segment after a time-out, then slow start to half of what was in flight.</summary>
    [Fact]
    public void After_a_time_out_slow_start_leads_to_the_threshold() => new TcpScript().Run(TcpScript.Accepted + TcpScript.TenSegments + """
        +200ms > . 1:1461(1460) ack 1
        +0 cwnd 1460
        +0 ssthresh 7300
        +20ms < . 1:1(0) ack 1461 win 65535
        +0 cwnd 2920
        +0 > . 1461:2921(1460) ack 1
        +0 > . 2921:4381(1460) ack 1
        +20ms < . 1:1(0) ack 4381 win 65535
        +0 cwnd 5840
        +0 forget
        +20ms < . 1:1(0) ack 7301 win 65535
        +0 cwnd 7300
        +0 forget
        """).AssertNoLeak();

    /// <summary>RFC 5681, 3.1, last paragraph: a time-out in a fast recovery reduces the window once more, from what is in flight then.</summary>
    [Fact]
    public void A_time_out_in_a_fast_recovery_sends_what_was_lost_once_more() => new TcpScript().Run(TcpScript.AcceptedWithSack + TcpScript.TenSegments + """
        +20ms < . 1:1(0) ack 1 win 65535 <sack 1461:5841>
        +0 > . 1:1461(1460) ack 1
        +220ms > . 1:1461(1460) ack 1
        +0 cwnd 1460
        +20ms < . 1:1(0) ack 5841 win 65535
        +0 > . 5841:7301(1460) ack 1
        +0 forget
        +0 counter TcpExtTCPTimeouts 1
        """).AssertNoLeak();

    /// <summary>R2 counts time-outs in a row (RFC 9293, 3.8.3): progress in between begins the count anew, though the time-out stays doubled.</summary>
    [Fact]
    public void Progress_begins_the_count_of_time_outs_anew() => new TcpScript { Options = new TcpOptions { Timestamps = false, Retries = 2 } }.Run(
        TcpScript.Accepted + """
        +0 write 2000
        +0 > . 1:1461(1460) ack 1
        +0 > P. 1461:2001(540) ack 1
        +200ms > . 1:1461(1460) ack 1
        +400ms > . 1:1461(1460) ack 1
        +10ms < . 1:1(0) ack 1461 win 65535
        +0 > P. 1461:2001(540) ack 1
        +800ms > P. 1461:2001(540) ack 1
        +1.6s > P. 1461:2001(540) ack 1
        +100ms state Established
        """).AssertNoLeak();

    /// <summary>TCP_USER_TIMEOUT: the last time-out comes when the user time-out ends, not when the doubled one would.</summary>
    [Fact]
    public void The_user_time_out_ends_the_connection_when_it_is_over_and_not_at_the_next_retransmission() => new TcpScript
    {
        SocketOptions = new TcpSocketOptions { UserTimeout = TimeSpan.FromMilliseconds(2500) },
    }.Run(TcpScript.Accepted + """
        +0 write 100
        +0 > P. 1:101(100) ack 1
        +200ms > P. 1:101(100) ack 1
        +400ms > P. 1:101(100) ack 1
        +800ms > P. 1:101(100) ack 1
        +1.09s state Established
        +20ms closed TimedOut
        """).AssertNoLeak();

    /// <summary>Time in which nothing was outstanding does not count.</summary>
    [Fact]
    public void The_user_time_out_counts_from_the_first_byte_that_waits() => new TcpScript
    {
        SocketOptions = new TcpSocketOptions { UserTimeout = TimeSpan.FromSeconds(1) },
    }.Run(TcpScript.Accepted + """
        +3s write 100
        +0 > P. 1:101(100) ack 1
        +200ms > P. 1:101(100) ack 1
        +400ms > P. 1:101(100) ack 1
        +100ms < . 1:1(0) ack 101 win 65535
        +2s state Established
        """).AssertNoLeak();

    /// <summary>Each byte acknowledged begins it anew.</summary>
    [Fact]
    public void Progress_begins_the_user_time_out_anew() => new TcpScript
    {
        SocketOptions = new TcpSocketOptions { UserTimeout = TimeSpan.FromSeconds(1) },
    }.Run(TcpScript.Accepted + """
        +0 write 2920
        +0 > . 1:1461(1460) ack 1
        +0 > P. 1461:2921(1460) ack 1
        +200ms > . 1:1461(1460) ack 1
        +400ms > . 1:1461(1460) ack 1
        +300ms < . 1:1(0) ack 1461 win 65535
        +0 > P. 1461:2921(1460) ack 1
        +800ms > P. 1461:2921(1460) ack 1
        +100ms state Established
        +110ms closed TimedOut
        """).AssertNoLeak();

    /// <summary>RFC 9293, 3.8.6.1: the probe is an old sequence number without data, as Linux has it, so that it takes nothing from the window.</summary>
    [Fact]
    public void A_probe_of_a_closed_window_carries_nothing_new() => new TcpScript().Run(TcpScript.Accepted + """
        +0 write 100
        +0 > P. 1:101(100) ack 1
        +10ms < . 1:1(0) ack 101 win 0
        +0 write 1000
        +201ms > . 100:100(0) ack 1
        +10ms < . 1:1(0) ack 101 win 1000
        +0 > P. 101:1101(1000) ack 1
        """).AssertNoLeak();

    /// <summary>A window that opens and closes again begins with a short interval.</summary>
    [Fact]
    public void Probes_begin_anew_after_the_window_has_been_open() => new TcpScript().Run(TcpScript.Accepted + """
        +0 < . 1:1(0) ack 1 win 0
        +0 write 2000
        +200ms > . 0:0(0) ack 1
        +0 < . 1:1(0) ack 1 win 0
        +400ms > . 0:0(0) ack 1
        +0 < . 1:1(0) ack 1 win 1460
        +0 > . 1:1461(1460) ack 1
        +1ms < . 1:1(0) ack 1461 win 0
        +200ms > . 1460:1460(0) ack 1
        """).AssertNoLeak();

    /// <summary>Nothing is written: nobody waits for the window.</summary>
    [Fact]
    public void A_closed_window_is_not_probed_while_there_is_nothing_to_send() => new TcpScript().Run(TcpScript.Accepted + """
        +0 < . 1:1(0) ack 1 win 0
        +0 idle
        """).AssertNoLeak();

    [Fact]
    public void The_answer_to_a_probe_brings_data_and_not_only_its_acknowledgement() => new TcpScript().Run(TcpScript.Accepted + """
        +0 < . 1:1(0) ack 1 win 0
        +0 write 100
        +200ms > . 0:0(0) ack 1
        +10ms < P. 1:101(100) ack 1 win 65535
        +0 > P. 1:101(100) ack 101
        """).AssertNoLeak();

    /// <summary>RFC 9293, 3.8.4: a keepalive's answer is an acknowledgement of nothing new; it begins the idle time anew.</summary>
    [Fact]
    public void An_answered_keepalive_begins_the_idle_time_anew() => new TcpScript
    {
        SocketOptions = new TcpSocketOptions
        {
            KeepAlive = true,
            KeepAliveIdle = TimeSpan.FromSeconds(2),
            KeepAliveInterval = TimeSpan.FromSeconds(1),
            KeepAliveCount = 2,
        },
    }.Run(TcpScript.Accepted + """
        +2s > . 0:0(0) ack 1
        +10ms < . 1:1(0) ack 1 win 65535
        +2s > . 0:0(0) ack 1
        +10ms < . 1:1(0) ack 1 win 65535
        +0 state Established
        """).AssertNoLeak();

    /// <summary>The last probe without an answer ends in a reset, so that a peer that comes back learns of it (Linux, tcp_keepalive_timer).</summary>
    [Fact]
    public void Unanswered_keepalives_end_in_a_reset() => new TcpScript
    {
        SocketOptions = new TcpSocketOptions
        {
            KeepAlive = true,
            KeepAliveIdle = TimeSpan.FromSeconds(2),
            KeepAliveInterval = TimeSpan.FromSeconds(1),
            KeepAliveCount = 2,
        },
    }.Run(TcpScript.Accepted + """
        +2s > . 0:0(0) ack 1
        +1s > . 0:0(0) ack 1
        +1s > R. 1:1(0) ack 1
        +0 closed TimedOut
        """).AssertNoLeak();

    [Fact]
    public void A_reset_in_answer_to_a_keepalive_ends_the_connection() => new TcpScript
    {
        SocketOptions = new TcpSocketOptions
        {
            KeepAlive = true,
            KeepAliveIdle = TimeSpan.FromSeconds(2),
            KeepAliveInterval = TimeSpan.FromSeconds(1),
            KeepAliveCount = 2,
        },
    }.Run(TcpScript.Accepted + """
        +2s > . 0:0(0) ack 1
        +10ms < R 1:1(0)
        +0 closed ConnectionReset
        """).AssertNoLeak();

    /// <summary>FIN-WAIT-2 after a half close: only a keepalive tells that the peer has gone.</summary>
    [Fact]
    public void Keepalives_go_on_after_a_half_close() => new TcpScript
    {
        SocketOptions = new TcpSocketOptions
        {
            KeepAlive = true,
            KeepAliveIdle = TimeSpan.FromSeconds(2),
            KeepAliveInterval = TimeSpan.FromSeconds(1),
            KeepAliveCount = 2,
        },
    }.Run(TcpScript.Accepted + """
        +0 shutdown
        +0 > F. 1:1(0) ack 1
        +10ms < . 1:1(0) ack 2 win 65535
        +2s > . 1:1(0) ack 1
        +1s > . 1:1(0) ack 1
        +1s > R. 2:2(0) ack 1
        +0 closed TimedOut
        """).AssertNoLeak();

    /// <summary>RFC 9293, 3.8.6.2.1: half of what waits is no segment worth sending, until the timer says so; what is left then ends the write and
    /// goes.</summary>
    [Fact]
    public void A_window_for_half_of_what_waits_is_used_by_the_next_probe() => new TcpScript().Run(TcpScript.Accepted + """
        +0 < . 1:1(0) ack 1 win 0
        +0 write 100
        +200ms > . 0:0(0) ack 1
        +10ms < . 1:1(0) ack 1 win 50
        +390ms > . 1:51(50) ack 1
        +10ms < . 1:1(0) ack 51 win 50
        +0 > P. 51:101(50) ack 1
        """).AssertNoLeak();
}
