using Tapwire.Stack.Tcp;
using Tapwire.Tests.Sim;
using Xunit;

namespace Tapwire.Tests.Stack.Tcp.Scripts;

/// <summary>Socket options of Linux that decide when something leaves: TCP_CORK, TCP_QUICKACK, TCP_WINDOW_CLAMP, TCP_DEFER_ACCEPT, TCP_SYNCNT, TCP_LINGER2.</summary>
public class CorkSpec
{
    [Fact]
    public void Under_a_cork_only_full_segments_leave_and_the_rest_when_it_is_taken_out() => new TcpScript().Run(TcpScript.Accepted + """
        +0 cork 1
        +0 write 100
        +0 write 1500
        +0 > . 1:1461(1460) ack 1
        +20ms cork 0
        +0 > P. 1461:1601(140) ack 1
        """).AssertNoLeak();

    /// <summary>tcp(7): "There is a 200 millisecond ceiling on the time for which output is corked".</summary>
    [Fact]
    public void What_is_corked_leaves_after_200_ms() => new TcpScript().Run(TcpScript.Accepted + """
        +0 cork 1
        +0 write 100
        +100ms write 100
        +100ms > P. 1:201(200) ack 1
        +10ms < . 1:1(0) ack 201 win 65535
        +0 write 50
        +200ms > P. 201:251(50) ack 1
        """).AssertNoLeak();

    /// <summary>A cork is stronger than TCP_NODELAY (tcp(7)), and taking it out is stronger than Nagle's algorithm.</summary>
    [Fact]
    public void Taking_the_cork_out_sends_beside_a_small_segment_in_flight() => new TcpScript().Run(TcpScript.Accepted + """
        +0 write 10
        +0 > P. 1:11(10) ack 1
        +0 cork 1
        +0 write 10
        +10ms cork 0
        +0 > P. 11:21(10) ack 1
        +0 write 10
        +10ms < . 1:1(0) ack 21 win 65535
        +0 > P. 21:31(10) ack 1
        """).AssertNoLeak();

    [Fact]
    public void A_cork_is_stronger_than_nodelay() => new TcpScript { SocketOptions = new TcpSocketOptions { NoDelay = true } }.Run(TcpScript.Accepted + """
        +0 cork 1
        +0 write 10
        +50ms cork 0
        +0 > P. 1:11(10) ack 1
        """).AssertNoLeak();

    [Fact]
    public void The_end_of_the_stream_takes_along_what_is_corked() => new TcpScript().Run(TcpScript.Accepted + """
        +0 cork 1
        +0 write 10
        +10ms shutdown
        +0 > FP. 1:11(10) ack 1
        """).AssertNoLeak();

    /// <summary>A reply makes acknowledgements wait for the next one. TCP_QUICKACK sends the one that waits.</summary>
    [Fact]
    public void Quickack_sends_the_acknowledgement_that_waits() => new TcpScript().Run(TcpScript.Accepted + """
        +0 < P. 1:101(100) ack 1 win 65535
        +0 > . 1:1(0) ack 101
        +0 write 50
        +0 > P. 1:51(50) ack 101
        +10ms < P. 101:201(100) ack 51 win 65535
        +5ms quickack 1
        +0 > . 51:51(0) ack 201
        +10ms < P. 201:301(100) ack 51 win 65535
        +0 > . 51:51(0) ack 301
        +0 quickack 0
        +10ms < P. 301:401(100) ack 51 win 65535
        +40ms > . 51:51(0) ack 401
        """).AssertNoLeak();

    [Fact]
    public void A_clamped_window_is_announced_and_opens_again() => new TcpScript
    {
        SocketOptions = new TcpSocketOptions { WindowClamp = 2000 },
    }.Run("""
        +0 listen
        +0 < S 0:0(0) win 65535 <mss 1460>
        +0 > S. 0:0(0) ack 1 win 2000
        +0 < . 1:1(0) ack 1 win 65535
        +0 accept
        +0 < P. 1:1001(1000) ack 1 win 65535
        +0 > . 1:1(0) ack 1001 win 2000
        +0 read 1000
        +0 < P. 1001:2001(1000) ack 1 win 65535
        +0 > . 1:1(0) ack 2001 win 2000
        """).AssertNoLeak();

    [Fact]
    public void A_deferred_connection_is_made_by_the_first_data() => new TcpScript
    {
        SocketOptions = new TcpSocketOptions { DeferAccept = 3 },
    }.Run("""
        +0 listen
        +0 < S 0:0(0) win 65535 <mss 1460>
        +0 > S. 0:0(0) ack 1
        +0 < . 1:1(0) ack 1 win 65535
        +0 not-accepted
        +500ms < P. 1:11(10) ack 1 win 65535
        +0 accept
        +0 > . 1:1(0) ack 11
        +0 read 10
        """).AssertNoLeak();

    /// <summary>syn_ack_recalc: the peer that has acknowledged is asked again when its time is over, and what it answers makes the connection.</summary>
    [Fact]
    public void A_deferred_connection_without_data_is_made_in_the_end() => new TcpScript
    {
        SocketOptions = new TcpSocketOptions { DeferAccept = 2 },
    }.Run("""
        +0 listen
        +0 < S 0:0(0) win 65535 <mss 1460>
        +0 > S. 0:0(0) ack 1
        +0 < . 1:1(0) ack 1 win 65535
        +3s > S. 0:0(0) ack 1
        +0 < . 1:1(0) ack 1 win 65535
        +0 accept
        +0 state Established
        """).AssertNoLeak();

    [Fact]
    public void A_syn_is_sent_again_as_often_as_the_application_says() => new TcpScript
    {
        SocketOptions = new TcpSocketOptions { SynRetries = 1 },
    }.Run("""
        +0 connect
        +0 > S 0:0(0)
        +1s > S 0:0(0)
        +2s closed timedout
        """).AssertNoLeak();

    [Fact]
    public void The_peers_FIN_is_waited_for_as_long_as_the_application_says() => new TcpScript
    {
        SocketOptions = new TcpSocketOptions { FinWait2 = TimeSpan.FromSeconds(3) },
    }.Run(TcpScript.Accepted + """
        +0 close
        +0 > F. 1:1(0) ack 1
        +10ms < . 1:1(0) ack 2 win 65535
        +0 state FinWait2
        +2990ms state FinWait2
        +20ms state Closed
        """).AssertNoLeak();

    /// <summary>SO_MAX_PACING_RATE holds whatever the congestion control would send.</summary>
    [Fact]
    public void A_flow_is_no_faster_than_its_pacing_rate()
    {
        var path = new Impairments { Latency = TimeSpan.FromMilliseconds(5), Bandwidth = 100e6, QueueLimit = 1000 };
        var world = new SimWorld(1, path, new TcpOptions(), new TcpOptions());
        var transfer = new SimTransfer(world);
        transfer.Start();
        transfer.Senders[0].SetOptions(new TcpSocketOptions { MaxPacingRate = 250_000 }, world.Now);
        transfer.Run(TimeSpan.FromSeconds(2));
        var goodput = transfer.Measure(TimeSpan.FromSeconds(4))[0];
        Assert.InRange(goodput, 0.9 * 2e6, 1.02 * 2e6);
        transfer.End();
    }
}
