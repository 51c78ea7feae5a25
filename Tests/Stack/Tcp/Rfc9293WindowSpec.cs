using Tapwire.Stack.Tcp;
using Tapwire.Tests.Sim;
using Xunit;

namespace Tapwire.Tests.Stack.Tcp;

/// <summary>Windows, silly windows and delayed acknowledgements (RFC 9293, 3.8.6), beside ReceiverSpec and SenderSpec.</summary>
public class Rfc9293WindowSpec
{
    [Fact]
    public void The_right_edge_stays_until_it_can_move_by_a_segment() => new TcpScript
    {
        Options = new TcpOptions { Timestamps = false, ReceiveBuffer = 4096 },
    }.Run(TcpScript.Accepted + """
        +0 < . 1:1461(1460) ack 1 win 65535
        +0 > . 1:1(0) ack 1461 win 2636
        +0 take 1460
        +0 consume 100
        +0 < P. 1461:1561(100) ack 1 win 65535
        +0 > . 1:1(0) ack 1561 win 2536
        +0 take 100
        +0 consume 1360
        +0 < P. 1561:1661(100) ack 1 win 65535
        +0 > . 1:1(0) ack 1661 win 3896
        """).AssertNoLeak();

    [Fact]
    public void Half_of_a_small_buffer_is_step_enough() => new TcpScript
    {
        Options = new TcpOptions { Timestamps = false, ReceiveBuffer = 2048 },
    }.Run(TcpScript.Accepted + """
        +0 < . 1:1461(1460) ack 1 win 65535
        +0 > . 1:1(0) ack 1461 win 588
        +0 < . 1461:2049(588) ack 1 win 65535
        +0 > . 1:1(0) ack 2049 win 0
        +0 take 2048
        +0 consume 1023
        +1s consume 1
        +0 > . 1:1(0) ack 2049 win 1024
        """).AssertNoLeak();

    [Fact]
    public void A_smaller_buffer_does_not_take_back_what_was_announced()
    {
        var script = new TcpScript { IsOfV4Only = true, Options = new TcpOptions { Timestamps = false, ReceiveBuffer = 8192 } }.Run(TcpScript.Accepted + """
            +0 < . 1:1461(1460) ack 1 win 65535
            +0 > . 1:1(0) ack 1461 win 6732
            """);
        script.Socket.SetOptions(script.Socket.Options with { ReceiveBuffer = 2048 }, Tapwire.Stack.Instant.FromMilliseconds(10_000_000));
        script.Run("""
            +0 < . 1461:2921(1460) ack 1 win 65535
            +0 > . 1:1(0) ack 2921 win 5272
            +0 < . 2921:8193(5272) ack 1 win 65535
            +0 > . 1:1(0) ack 8193 win 0
            +0 read 8192
            +0 > . 1:1(0) ack 8193 win 2048
            """).AssertNoLeak();
    }

    [Fact]
    public void A_closed_window_does_not_keep_a_reset_out() => new TcpScript
    {
        Options = new TcpOptions { Timestamps = false, ReceiveBuffer = 2048 },
    }.Run(TcpScript.Accepted + """
        +0 < . 1:2049(2048) ack 1 win 65535
        +0 > . 1:1(0) ack 2049 win 0
        +0 < R 2049:2049(0)
        +0 closed ConnectionReset
        """).AssertNoLeak();

    [Fact]
    public void A_closed_window_may_stay_closed_and_every_probe_is_answered() => new TcpScript
    {
        Options = new TcpOptions { Timestamps = false, ReceiveBuffer = 2048 },
    }.Run(TcpScript.Accepted + """
        +0 < . 1:2049(2048) ack 1 win 65535
        +0 > . 1:1(0) ack 2049 win 0
        +10s < . 2048:2048(0) ack 1 win 65535
        +0 > . 1:1(0) ack 2049 win 0
        +100s < . 2049:2050(1) ack 1 win 65535
        +0 > . 1:1(0) ack 2049 win 0
        +1000s < . 2048:2049(1) ack 1 win 65535
        +0 > . 1:1(0) ack 2049 win 0
        +0 take 2048
        """).AssertNoLeak();

    [Fact]
    public void In_a_window_that_has_shrunk_old_data_is_sent_again_and_no_new() => new TcpScript().Run(TcpScript.Accepted + """
        +0 write 1000
        +0 > P. 1:1001(1000) ack 1
        +1ms < . 1:1(0) ack 1 win 500
        +0 write 500
        +199ms > . 1:501(500) ack 1
        +1ms < . 1:1(0) ack 1001 win 499
        +1ms < . 1:1(0) ack 1001 win 500
        +0 > P. 1001:1501(500) ack 1
        """).AssertNoLeak();

    [Fact]
    public void A_peer_whose_whole_window_is_small_is_sent_halves_of_it() => new TcpScript().Run("""
        +0 listen
        +0 < S 0:0(0) win 600 <mss 1460>
        +0 > S. 0:0(0) ack 1
        +0 < . 1:1(0) ack 1 win 600
        +0 accept
        +0 write 3000
        +0 > . 1:601(600) ack 1
        +1ms < . 1:1(0) ack 601 win 299
        +1ms < . 1:1(0) ack 601 win 300
        +0 > . 601:901(300) ack 1
        """).AssertNoLeak();

    [Fact]
    public void An_old_segment_does_not_set_the_window() => new TcpScript().Run(TcpScript.Accepted + """
        +0 < P. 1:11(10) ack 1 win 1000
        +0 > . 1:1(0) ack 11
        +0 write 1000
        +0 > P. 1:1001(1000) ack 11
        +1ms < . 11:11(0) ack 1001 win 0
        +0 write 500
        +0 < P. 5:11(6) ack 1001 win 65535
        +0 > . 1001:1001(0) ack 11
        +1ms < . 11:11(0) ack 1001 win 5000
        +0 > P. 1001:1501(500) ack 11
        """).AssertNoLeak();

    [Fact]
    public void A_delay_of_acknowledgements_of_half_a_second_is_refused()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => new TcpOptions { DelayedAck = TimeSpan.FromMilliseconds(500) }.Validate());
        new TcpOptions { DelayedAck = TimeSpan.FromMilliseconds(499) }.Validate();
    }

    [Fact]
    public void A_delayed_acknowledgement_is_counted_from_the_first_byte_that_waits() => new TcpScript
    {
        Options = new TcpOptions { Timestamps = false, DelayedAck = TimeSpan.FromMilliseconds(200) },
    }.Run(TcpScript.Accepted + """
        +0 < P. 1:101(100) ack 1 win 65535
        +0 > . 1:1(0) ack 101
        +0 write 10
        +0 > P. 1:11(10) ack 101
        +0 < P. 101:111(10) ack 11 win 65535
        +100ms < P. 111:121(10) ack 11 win 65535
        +90ms < P. 121:131(10) ack 11 win 65535
        +10ms > . 11:11(0) ack 131
        """).AssertNoLeak();
}
