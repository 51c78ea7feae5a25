using Tapwire.Stack.Tcp;
using Tapwire.Tests.Sim;
using Xunit;

namespace Tapwire.Tests.Stack.Tcp;

/// <summary>Every way out: RFC 9293, 3.6, 3.10.4 and 3.10.5, RFC 5961, TIME-WAIT, keepalive.</summary>
public class ClosingSpec
{
    [Fact]
    public void We_close_first() => new TcpScript().Run(TcpScript.Accepted + """
        +0 shutdown
        +0 > F. 1:1(0) ack 1
        +0 state FinWait1
        +1ms < . 1:1(0) ack 2 win 65535
        +0 state FinWait2
        +1ms < F. 1:1(0) ack 2 win 65535
        +0 > . 2:2(0) ack 2
        +0 closed None
        +0 eof
        +0 state TimeWait
        +0 time-waits 1
        +0 sockets 0
        +59.9s time-waits 1
        +0.2s time-waits 0
        +0 idle
        """).AssertNoLeak();

    [Fact]
    public void The_peer_closes_first() => new TcpScript().Run(TcpScript.Accepted + """
        +0 < FP. 1:101(100) ack 1 win 65535
        +0 > . 1:1(0) ack 102
        +0 readable
        +0 take 100
        +0 state CloseWait
        +0 write 50
        +0 > P. 1:51(50) ack 102
        +0 shutdown
        +0 > F. 51:51(0) ack 102
        +0 state LastAck
        +1ms < . 102:102(0) ack 52 win 65535
        +0 closed None
        +0 state Closed
        +0 sockets 0
        +0 time-waits 0
        """).AssertNoLeak();

    [Fact]
    public void Both_close_at_once() => new TcpScript().Run(TcpScript.Accepted + """
        +0 shutdown
        +0 > F. 1:1(0) ack 1
        +0 < F. 1:1(0) ack 1 win 65535
        +0 > . 2:2(0) ack 2
        +0 state Closing
        +1ms < . 2:2(0) ack 2 win 65535
        +0 state TimeWait
        +0 closed None
        +0 time-waits 1
        """).AssertNoLeak();

    [Fact]
    public void A_fin_and_the_acknowledgement_of_ours_in_one_segment() => new TcpScript().Run(TcpScript.Accepted + """
        +0 shutdown
        +0 > F. 1:1(0) ack 1
        +1ms < FP. 1:11(10) ack 2 win 65535
        +0 > . 2:2(0) ack 12
        +0 readable
        +0 read 10
        +0 state TimeWait
        """).AssertNoLeak();

    [Fact]
    public void After_a_half_close_the_other_direction_lives_on() => new TcpScript().Run(TcpScript.Accepted + """
        +0 shutdown
        +0 > F. 1:1(0) ack 1
        +1ms < . 1:1(0) ack 2 win 65535
        +1s < P. 1:1001(1000) ack 2 win 65535
        +0 > . 2:2(0) ack 1001
        +0 read 1000
        +100s < P. 1001:2001(1000) ack 2 win 65535
        +0 > . 2:2(0) ack 2001
        +0 read 1000
        +0 state FinWait2
        """).AssertNoLeak();

    [Fact]
    public void Pending_data_goes_before_the_fin() => new TcpScript { SuperFrame = 65535 }.Run(TcpScript.Accepted + """
        +0 write 50000
        +0 > . 1:14601(14600) ack 1
        +0 close
        +1ms < . 1:1(0) ack 14601 win 65535
        +0 > . 14601:43801(29200) ack 1
        +1ms < . 1:1(0) ack 43801 win 65535
        +0 > FP. 43801:50001(6200) ack 1
        +1ms < . 1:1(0) ack 50002 win 65535
        +1ms < F. 1:1(0) ack 50002 win 65535
        +0 > . 50002:50002(0) ack 2
        +0 closed None
        """).AssertNoLeak();

    [Fact]
    public void Closing_with_unread_bytes_resets() => new TcpScript().Run(TcpScript.Accepted + """
        +0 < P. 1:101(100) ack 1 win 65535
        +0 > . 1:1(0) ack 101
        +0 close
        +0 > R. 1:1(0) ack 101
        +0 closed ConnectionAborted
        +0 counter TcpExtTCPAbortOnClose 1
        """).AssertNoLeak();

    [Fact]
    public void Closing_with_bytes_given_away_and_not_consumed_resets() => new TcpScript().Run(TcpScript.Accepted + """
        +0 < P. 1:101(100) ack 1 win 65535
        +0 > . 1:1(0) ack 101
        +0 take 100
        +0 consume 99
        +0 close
        +0 > R. 1:1(0) ack 101
        +0 closed ConnectionAborted
        +0 counter TcpExtTCPAbortOnClose 1
        """).AssertNoLeak();

    [Fact]
    public void Bytes_that_come_after_close_are_answered_with_a_reset() => new TcpScript().Run(TcpScript.Accepted + """
        +0 close
        +0 > F. 1:1(0) ack 1
        +1ms < P. 1:101(100) ack 2 win 65535
        +0 > R. 2:2(0) ack 1
        +0 closed ConnectionAborted
        +0 counter TcpExtTCPAbortOnData 1
        """).AssertNoLeak();

    [Fact]
    public void Reset_on_close_forgets_what_was_not_sent() => new TcpScript { SocketOptions = new TcpSocketOptions { ResetOnClose = true } }.Run(TcpScript.Accepted + """
        +0 write 100
        +0 > P. 1:101(100) ack 1
        +0 close
        +0 > R. 101:101(0) ack 1
        +0 closed ConnectionAborted
        """).AssertNoLeak();

    [Fact]
    public void Abort_resets_in_any_synchronized_state() => new TcpScript().Run(TcpScript.Accepted + """
        +0 < F. 1:1(0) ack 1 win 65535
        +0 > . 1:1(0) ack 2
        +0 abort
        +0 > R. 1:1(0) ack 2
        +0 closed ConnectionAborted
        +0 sockets 0
        """).AssertNoLeak();

    [Fact]
    public void A_closed_connection_does_not_wait_for_ever_for_the_peers_fin() => new TcpScript().Run(TcpScript.Accepted + """
        +0 close
        +0 > F. 1:1(0) ack 1
        +0 < . 1:1(0) ack 2 win 65535
        +59.9s no-event
        +0.2s closed TimedOut
        +0 sockets 0
        """).AssertNoLeak();

    [Fact]
    public void An_orphan_gives_up_earlier() => new TcpScript
    {
        Options = new TcpOptions { Timestamps = false, OrphanRetries = 1 },
    }.Run(TcpScript.Accepted + """
        +0 close
        +0 > F. 1:1(0) ack 1
        +200ms > F. 1:1(0) ack 1
        +401ms closed TimedOut
        """).AssertNoLeak();

    [Fact]
    public void An_exact_reset_ends_the_connection_and_leaves_the_bytes_to_read() => new TcpScript().Run(TcpScript.Accepted + """
        +0 < P. 1:101(100) ack 1 win 65535
        +0 < R 101:101(0)
        +0 closed ConnectionReset
        +0 take 100
        +0 sockets 0
        """).AssertNoLeak();

    [Theory]
    [InlineData("R 2:2(0)")]
    [InlineData("R. 65000:65000(0) ack 1")]
    [InlineData("S 1:1(0) win 65535")]
    [InlineData("S 0:0(0) win 65535")]
    [InlineData("S. 500:500(0) ack 1 win 65535")]
    [InlineData(". 1:1(0) ack 2 win 65535")]
    [InlineData(". 1:1(0) ack -70000 win 65535")]
    public void What_is_nearly_right_is_challenged(string segment) => new TcpScript().Run(TcpScript.Accepted + $"""
        +1s < {segment}
        +0 > . 1:1(0) ack 1
        +0 < {segment}
        +100ms < {segment}
        +1s < {segment}
        +0 > . 1:1(0) ack 1
        +0 no-event
        +0 state Established
        """).AssertNoLeak();

    [Theory]
    [InlineData("R 70000:70000(0)")]
    [InlineData("R -5:-5(0)")]
    [InlineData("0 1:1(0)")]
    [InlineData("P 1:11(10)")]
    [InlineData("SF 1:1(0)")]
    [InlineData("FPU 1:1(0)")]
    public void What_is_far_off_or_nonsense_is_dropped(string segment) => new TcpScript().Run(TcpScript.Accepted + $"""
        +1s < {segment}
        +0 no-event
        +0 state Established
        """).AssertNoLeak();

    [Fact]
    public void A_reset_ahead_of_lost_data_is_challenged_and_the_second_one_believed() => new TcpScript().Run(TcpScript.Accepted + """
        +1s < R 101:101(0)
        +0 > . 1:1(0) ack 1
        +1ms < R 1:1(0)
        +0 closed ConnectionReset
        """).AssertNoLeak();

    [Fact]
    public void An_old_segment_is_answered_but_not_at_any_rate() => new TcpScript().Run(TcpScript.Accepted + """
        +0 < P. 1:101(100) ack 1 win 65535
        +0 > . 1:1(0) ack 101
        +1s < . 100:100(0) ack 1 win 65535
        +0 > . 1:1(0) ack 101
        +0 < . 100:100(0) ack 1 win 65535
        +100ms < . 100:100(0) ack 1 win 65535
        +500ms < . 100:100(0) ack 1 win 65535
        +0 > . 1:1(0) ack 101
        """).AssertNoLeak();

    private const string InTimeWait = TcpScript.Accepted + """
        +0 shutdown
        +0 > F. 1:1(0) ack 1
        +0 < F. 1:1(0) ack 2 win 65535
        +0 > . 2:2(0) ack 2
        +0 time-waits 1

        """;

    [Fact]
    public void In_time_wait_a_repeated_fin_is_acknowledged_and_starts_the_time_again() => new TcpScript().Run(InTimeWait + """
        +30s < F. 1:1(0) ack 2 win 65535
        +0 > . 2:2(0) ack 2
        +59.9s time-waits 1
        +0.2s time-waits 0
        """).AssertNoLeak();

    [Fact]
    public void In_time_wait_a_reset_and_a_fitting_acknowledgement_change_nothing() => new TcpScript().Run(InTimeWait + """
        +1s < R 2:2(0)
        +1s < . 2:2(0) ack 2 win 65535
        +0 time-waits 1
        """).AssertNoLeak();

    [Fact]
    public void In_time_wait_a_newer_syn_opens_the_connection_again() => new TcpScript().Run(InTimeWait + """
        +1s < S 100:100(0) win 65535 <mss 1460>
        +0 > S. 65539:65539(0) ack 101
        +0 time-waits 0
        +0 embryos 1
        +0 < . 101:101(0) ack 65540 win 65535
        +0 accept
        +0 state Established
        """).AssertNoLeak();

    [Fact]
    public void In_time_wait_an_older_syn_is_answered_with_an_acknowledgement() => new TcpScript().Run(InTimeWait + """
        +1s < S -100:-100(0) win 65535 <mss 1460>
        +0 > . 2:2(0) ack 2
        +0 time-waits 1
        """).AssertNoLeak();

    [Fact]
    public void Keepalive_probes_an_idle_peer_and_gives_it_up() => new TcpScript
    {
        SocketOptions = new TcpSocketOptions
        {
            KeepAlive = true, KeepAliveIdle = TimeSpan.FromSeconds(10), KeepAliveInterval = TimeSpan.FromSeconds(2), KeepAliveCount = 3,
        },
    }.Run(TcpScript.Accepted + """
        +10s > . 0:0(0) ack 1
        +0 < . 1:1(0) ack 1 win 65535
        +10s > . 0:0(0) ack 1
        +2s > . 0:0(0) ack 1
        +2s > . 0:0(0) ack 1
        +2s > R. 1:1(0) ack 1
        +0 closed TimedOut
        """).AssertNoLeak();

    [Fact]
    public void Keepalive_waits_while_there_is_traffic() => new TcpScript
    {
        SocketOptions = new TcpSocketOptions { KeepAlive = true, KeepAliveIdle = TimeSpan.FromSeconds(10) },
    }.Run(TcpScript.Accepted + """
        +6s < P. 1:11(10) ack 1 win 65535
        +0 > . 1:1(0) ack 11
        +0 read 10
        +10s > . 0:0(0) ack 11
        """).AssertNoLeak();

    [Fact]
    public void A_connection_without_anything_to_do_has_no_deadline() => new TcpScript().Run(TcpScript.Accepted + """
        +0 write 10
        +0 > P. 1:11(10) ack 1
        +1ms < . 1:1(0) ack 11 win 65535
        +10s idle
        """).AssertNoLeak();

    [Fact]
    public void Writing_after_shutdown_is_a_broken_pipe()
    {
        var script = new TcpScript().Run(TcpScript.Accepted + """
            +0 shutdown
            +0 > F. 1:1(0) ack 1
            """);
        var buffer = script.Host.Pool.Rent(10);
        buffer.Append(10);
        Assert.Equal(Tapwire.Stack.StackError.BrokenPipe, script.Socket.Write(buffer, Tapwire.Stack.Instant.Zero));
        script.AssertNoLeak();
    }
}
