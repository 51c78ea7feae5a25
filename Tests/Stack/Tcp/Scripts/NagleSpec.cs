using Tapwire.Stack.Tcp;
using Tapwire.Tests.Sim;
using Xunit;

namespace Tapwire.Tests.Stack.Tcp.Scripts;

/// <summary>What is held back to fill a segment and what is not (RFC 9293, 3.7.4, 3.8.6.2.1), how large segments are (3.7.1) and how windows are scaled (RFC
/// 7323, 2).</summary>
public class NagleSpec
{
    /// <summary>TCP_NODELAY on a connection that holds something back lets it go at once.</summary>
    [Fact]
    public void Turning_nagle_off_sends_what_it_has_held_back() => new TcpScript().Run(TcpScript.Accepted + """
        +0 write 10
        +0 > P. 1:11(10) ack 1
        +10ms write 10
        +10ms nodelay
        +0 > P. 11:21(10) ack 1
        """).AssertNoLeak();

    /// <summary>The end of what is written is worth a segment of its own: nothing more can fill it.</summary>
    [Fact]
    public void Shutting_down_sends_what_nagle_has_held_back() => new TcpScript().Run(TcpScript.Accepted + """
        +0 write 10
        +0 > P. 1:11(10) ack 1
        +0 write 10
        +10ms shutdown
        +0 > FP. 11:21(10) ack 1
        """).AssertNoLeak();

    [Fact]
    public void What_fills_a_segment_goes_and_the_rest_waits() => new TcpScript().Run(TcpScript.Accepted + """
        +0 write 100
        +0 > P. 1:101(100) ack 1
        +0 write 1560
        +0 > . 101:1561(1460) ack 1
        +10ms < . 1:1(0) ack 101 win 65535
        +0 > P. 1561:1661(100) ack 1
        """).AssertNoLeak();

    /// <summary>Minshall's variant, as in Linux: the small end of a large write does not wait for full segments before it to be acknowledged, a second small
    /// end does for the first.</summary>
    [Fact]
    public void The_small_end_of_a_second_large_write_waits_for_that_of_the_first() => new TcpScript().Run(TcpScript.Accepted + """
        +0 write 1500
        +0 > . 1:1461(1460) ack 1
        +0 > P. 1461:1501(40) ack 1
        +0 write 1500
        +0 > . 1501:2961(1460) ack 1
        +10ms < . 1:1(0) ack 1461 win 65535
        +10ms < . 1:1(0) ack 1501 win 65535
        +0 > P. 2961:3001(40) ack 1
        """).AssertNoLeak();

    /// <summary>A reply that is written in pieces while the request's acknowledgement waits: the first piece takes it along.</summary>
    [Fact]
    public void A_reply_in_two_pieces_waits_for_the_acknowledgement_of_the_first() => new TcpScript().Run(TcpScript.Accepted + """
        +0 < P. 1:101(100) ack 1 win 65535
        +0 > . 1:1(0) ack 101
        +0 write 50
        +0 > P. 1:51(50) ack 101
        +0 write 50
        +20ms < . 101:101(0) ack 51 win 65535
        +0 > P. 51:101(50) ack 101
        """).AssertNoLeak();

    /// <summary>RFC 9293, 3.8.6.2.1: a window that is smaller than what waits, and small beside those before, is not used up in pieces.</summary>
    [Fact]
    public void A_small_piece_of_window_is_left_alone_while_something_is_in_flight() => new TcpScript().Run("""
        +0 listen
        +0 < S 0:0(0) win 5000 <mss 1460>
        +0 > S. 0:0(0) ack 1
        +0 < . 1:1(0) ack 1 win 5000
        +0 accept
        +0 write 8760
        +0 > . 1:1461(1460) ack 1
        +0 > . 1461:2921(1460) ack 1
        +0 > . 2921:4381(1460) ack 1
        +10ms < . 1:1(0) ack 1461 win 3540
        +10ms < . 1:1(0) ack 4381 win 5000
        +0 > . 4381:5841(1460) ack 1
        +0 > . 5841:7301(1460) ack 1
        +0 > P. 7301:8761(1460) ack 1
        """).AssertNoLeak();

    /// <summary>TCP_MAXSEG bounds both directions: what is announced, and what is sent.</summary>
    [Fact]
    public void A_segment_size_that_the_application_bounds_is_announced_and_kept_to() => new TcpScript
    {
        SocketOptions = new TcpSocketOptions { MaxSegment = 1000 },
    }.Run("""
        +0 listen
        +0 < S 0:0(0) win 65535 <mss 1460>
        +0 > S. 0:0(0) ack 1 <mss 1000>
        +0 < . 1:1(0) ack 1 win 65535
        +0 accept
        +0 write 2001
        +0 > . 1:1001(1000) ack 1
        +0 > . 1001:2001(1000) ack 1
        +0 > P. 2001:2002(1) ack 1
        """).AssertNoLeak();

    [Fact]
    public void A_bound_of_the_application_above_the_peers_size_changes_nothing() => new TcpScript
    {
        SocketOptions = new TcpSocketOptions { MaxSegment = 1400 },
    }.Run("""
        +0 connect
        +0 > S 0:0(0)
        +0 < S. 0:0(0) ack 1 win 65535 <mss 800>
        +0 > . 1:1(0) ack 1
        +0 write 1600
        +0 > . 1:801(800) ack 1
        +0 > P. 801:1601(800) ack 1
        """).AssertNoLeak();

    /// <summary>RFC 6691, 2: the option's room is taken from each segment, not from what was announced.</summary>
    [Fact]
    public void Timestamps_take_their_twelve_bytes_from_each_segment() => new TcpScript
    {
        Options = new TcpOptions { CongestionControl = CongestionAlgorithm.NewReno },
    }.Run("""
        +0 listen
        +0 < S 0:0(0) win 65535 <mss 1000,TS val 1 ecr 0>
        +0 > S. 0:0(0) ack 1 <mss 1460,TS val 0 ecr 1>
        +0 < . 1:1(0) ack 1 win 65535 <TS val 1 ecr 0>
        +0 accept
        +0 write 1976
        +0 > . 1:989(988) ack 1
        +0 > P. 989:1977(988) ack 1
        """).AssertNoLeak();

    /// <summary>RFC 7323, 2.3: the peer's shift counts for every segment but the SYN.</summary>
    [Theory]
    [InlineData(0, 2920, 2)]
    [InlineData(1, 1460, 2)]
    [InlineData(7, 23, 2)]
    [InlineData(14, 1, 10)]
    [InlineData(15, 1, 10)]
    [InlineData(255, 1, 10)]
    public void The_peers_shift_scales_its_window(int shift, int window, int segments)
    {
        var script = new TcpScript().Run($"""
            +0 listen
            +0 < S 0:0(0) win 65535 <mss 1460,wscale {shift}>
            +0 > S. 0:0(0) ack 1
            +0 < . 1:1(0) ack 1 win {window}
            +0 accept
            +0 write 29200
            +0 forget
            """);
        Assert.Equal(segments * 1460, script.Socket.Info.BytesInFlight);
        script.AssertNoLeak();
    }

    /// <summary>RFC 7323, 2.2: an option in one SYN only scales nothing, in neither direction.</summary>
    [Fact]
    public void A_syn_ack_without_scaling_turns_it_off_for_both() => new TcpScript().Run("""
        +0 connect
        +0 > S 0:0(0) win 65535
        +0 < S. 0:0(0) ack 1 win 2920 <mss 1460>
        +0 > . 1:1(0) ack 1 win 65535
        +0 write 5840
        +0 > . 1:1461(1460) ack 1
        +0 > . 1461:2921(1460) ack 1
        """).AssertNoLeak();

    /// <summary>RFC 9293, 3.7.1: a SYN whose window is small bounds the first flight, whatever comes later.</summary>
    [Fact]
    public void The_first_flight_keeps_to_the_window_of_the_segment_that_ends_the_handshake() => new TcpScript().Run("""
        +0 listen
        +0 < S 0:0(0) win 65535 <mss 1460>
        +0 > S. 0:0(0) ack 1
        +0 < . 1:1(0) ack 1 win 2920
        +0 accept
        +0 write 14600
        +0 > . 1:1461(1460) ack 1
        +0 > . 1461:2921(1460) ack 1
        """).AssertNoLeak();
}
