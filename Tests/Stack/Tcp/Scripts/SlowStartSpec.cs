using Tapwire.Tests.Sim;
using Xunit;

namespace Tapwire.Tests.Stack.Tcp.Scripts;

/// <summary> How the congestion window grows, and when it does not (RFC 5681, 3.1): by each acknowledgement, by few that say much, while the application
/// holds back, after a pause. What counts as used is Linux's choice (tcp_is_cwnd_limited), for no RFC has a rule. </summary>
public class SlowStartSpec
{
    /// <summary>Thirty segments are written, and ten leave.</summary>
    private static string Sent => TcpScript.Accepted + "+0 write 43800\n" + TcpScript.Burst(1, 10, push: false);

    [Fact]
    public void Each_acknowledgement_of_one_segment_lets_two_out() => new TcpScript().Run(Sent + """
        +20ms < . 1:1(0) ack 1461 win 65535
        +0 > . 14601:16061(1460) ack 1
        +0 > . 16061:17521(1460) ack 1
        +0 cwnd 16060
        +1ms < . 1:1(0) ack 2921 win 65535
        +0 > . 17521:18981(1460) ack 1
        +0 > . 18981:20441(1460) ack 1
        +0 cwnd 17520
        +1ms < . 1:1(0) ack 4381 win 65535
        +0 > . 20441:21901(1460) ack 1
        +0 > . 21901:23361(1460) ack 1
        +0 cwnd 18980
        """).AssertNoLeak();

    [Fact]
    public void An_acknowledgement_of_two_segments_lets_four_out() => new TcpScript().Run(Sent + """
        +20ms < . 1:1(0) ack 2921 win 65535
        +0 > . 14601:16061(1460) ack 1
        +0 > . 16061:17521(1460) ack 1
        +0 > . 17521:18981(1460) ack 1
        +0 > . 18981:20441(1460) ack 1
        +0 cwnd 17520
        """).AssertNoLeak();

    /// <summary>Linux's choice (RFC 5681, 3.1, allows one segment for each acknowledgement, and RFC 3465 two): peers and devices merge what they
    /// answer.</summary>
    [Fact]
    public void An_acknowledgement_of_the_whole_window_doubles_it() => new TcpScript().Run(Sent + """
        +20ms < . 1:1(0) ack 14601 win 65535
        +0 cwnd 29200
        +0 forget
        """).AssertNoLeak();

    /// <summary>RFC 5681, 3.1: growth counts what is acknowledged, so dividing an acknowledgement wins nothing.</summary>
    [Fact]
    public void Acknowledgements_of_parts_of_a_segment_add_up_to_one_segment() => new TcpScript().Run(Sent + """
        +20ms < . 1:1(0) ack 366 win 65535
        +0 forget
        +1ms < . 1:1(0) ack 731 win 65535
        +0 forget
        +1ms < . 1:1(0) ack 1096 win 65535
        +0 forget
        +1ms < . 1:1(0) ack 1461 win 65535
        +0 forget
        +0 cwnd 16060
        """).AssertNoLeak();

    /// <summary>A flight of more than half the window shows that the doubled one will be used; it is remembered while its acknowledgements come in.</summary>
    [Fact]
    public void Nine_segments_of_ten_let_the_window_grow_to_twice_as_many() => new TcpScript().Run(
        TcpScript.Accepted + "+0 write 13140\n" + TcpScript.Burst(1, 9) + """
        +20ms < . 1:1(0) ack 2921 win 65535
        +0 cwnd 17520
        +1ms < . 1:1(0) ack 5841 win 65535
        +0 cwnd 20440
        +1ms < . 1:1(0) ack 8761 win 65535
        +0 cwnd 23360
        +1ms < . 1:1(0) ack 11681 win 65535
        +0 cwnd 26280
        +1ms < . 1:1(0) ack 13141 win 65535
        +0 cwnd 26280
        """).AssertNoLeak();

    [Theory]
    [InlineData(5840, 5841)]
    [InlineData(7300, 7301)]
    public void A_flight_of_half_the_window_or_less_leaves_it_as_it_is(int bytes, int end) => new TcpScript().Run(TcpScript.Accepted + $"""
        +0 write {bytes}
        +0 forget
        +20ms < . 1:1(0) ack {end} win 65535
        +0 cwnd 14600
        """).AssertNoLeak();

    /// <summary>The next flight is measured by itself.</summary>
    [Fact]
    public void A_small_flight_after_a_large_one_leaves_the_window_as_it_is() => new TcpScript().Run(TcpScript.Accepted + TcpScript.TenSegments + """
        +20ms < . 1:1(0) ack 14601 win 65535
        +0 cwnd 29200
        +0 write 2920
        +0 > . 14601:16061(1460) ack 1
        +0 > P. 16061:17521(1460) ack 1
        +20ms < . 1:1(0) ack 17521 win 65535
        +0 cwnd 29200
        """).AssertNoLeak();

    /// <summary>A full window that is acknowledged piece by piece stays a full window: what has been acknowledged first does not make the rest a small
    /// flight.</summary>
    [Fact]
    public void A_full_flight_counts_to_its_last_acknowledgement() => new TcpScript().Run(TcpScript.Accepted + TcpScript.TenSegments + """
        +20ms < . 1:1(0) ack 2921 win 65535
        +0 cwnd 17520
        +1ms < . 1:1(0) ack 5841 win 65535
        +0 cwnd 20440
        +1ms < . 1:1(0) ack 8761 win 65535
        +0 cwnd 23360
        +1ms < . 1:1(0) ack 11681 win 65535
        +0 cwnd 26280
        +1ms < . 1:1(0) ack 14601 win 65535
        +0 cwnd 29200
        """).AssertNoLeak();

    [Fact]
    public void In_congestion_avoidance_a_window_of_acknowledgements_brings_one_segment() => new TcpScript().Run(
        TcpScript.AcceptedWithSack + TcpScript.TenSegments + """
        +20ms < . 1:1(0) ack 1 win 65535 <sack 1461:14601>
        +0 > . 1:1461(1460) ack 1
        +20ms < . 1:1(0) ack 14601 win 65535
        +0 cwnd 7300
        +0 write 29200
        +0 > . 14601:16061(1460) ack 1
        +0 > . 16061:17521(1460) ack 1
        +0 > . 17521:18981(1460) ack 1
        +0 > . 18981:20441(1460) ack 1
        +0 > . 20441:21901(1460) ack 1
        +20ms < . 1:1(0) ack 20441 win 65535
        +0 > . 21901:23361(1460) ack 1
        +0 > . 23361:24821(1460) ack 1
        +0 > . 24821:26281(1460) ack 1
        +0 > . 26281:27741(1460) ack 1
        +0 cwnd 7300
        +1ms < . 1:1(0) ack 21901 win 65535
        +0 > . 27741:29201(1460) ack 1
        +0 > . 29201:30661(1460) ack 1
        +0 cwnd 8760
        """).AssertNoLeak();

    [Fact]
    public void In_congestion_avoidance_a_window_that_is_not_full_does_not_grow() => new TcpScript().Run(TcpScript.AcceptedWithSack + TcpScript.TenSegments + """
        +20ms < . 1:1(0) ack 1 win 65535 <sack 1461:14601>
        +0 > . 1:1461(1460) ack 1
        +20ms < . 1:1(0) ack 14601 win 65535
        +0 cwnd 7300
        +0 write 5840
        +0 forget
        +20ms < . 1:1(0) ack 20441 win 65535
        +0 write 5840
        +0 forget
        +20ms < . 1:1(0) ack 26281 win 65535
        +0 cwnd 7300
        """).AssertNoLeak();

    /// <summary>RFC 2861, 3: a sender that has paused begins anew, also if it was the peer's window that made it pause.</summary>
    [Fact]
    public void After_a_window_update_that_comes_late_sending_begins_with_the_initial_window() => new TcpScript().Run(TcpScript.Accepted + TcpScript.TenSegments + """
        +20ms < . 1:1(0) ack 14601 win 65535
        +0 cwnd 29200
        +0 write 29200
        +19ms forget
        +1ms < . 1:1(0) ack 43801 win 0
        +0 cwnd 58400
        +0 write 43800
        +250ms forget
        +450ms forget
        +200ms < . 1:1(0) ack 43801 win 65535
        +0 cwnd 14600
        +0 forget
        """).AssertNoLeak();

    [Fact]
    public void After_a_window_update_that_comes_soon_the_window_is_as_it_was() => new TcpScript().Run(TcpScript.Accepted + TcpScript.TenSegments + """
        +20ms < . 1:1(0) ack 14601 win 0
        +0 write 43800
        +50ms < . 1:1(0) ack 14601 win 65535
        +0 cwnd 29200
        +0 forget
        """).AssertNoLeak();

    /// <summary>RFC 7661, 4.3, and Linux: what an application does not use for a while costs nobody anything, and it need not find its rate anew with every
    /// burst.</summary>
    [Fact]
    public void An_application_that_sends_little_for_some_time_keeps_the_window_it_has_earned() => new TcpScript().Run(
        TcpScript.Accepted + TcpScript.TenSegments + """
        +20ms < . 1:1(0) ack 14601 win 65535
        +0 cwnd 29200
        +100ms write 100
        +0 > P. 14601:14701(100) ack 1
        +20ms < . 1:1(0) ack 14701 win 65535
        +100ms write 100
        +0 > P. 14701:14801(100) ack 1
        +20ms < . 1:1(0) ack 14801 win 65535
        +100ms write 100
        +0 > P. 14801:14901(100) ack 1
        +20ms < . 1:1(0) ack 14901 win 65535
        +0 cwnd 29200
        """).AssertNoLeak();
}
