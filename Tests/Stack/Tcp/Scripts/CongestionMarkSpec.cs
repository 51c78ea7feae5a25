using Tapwire.Stack.Tcp;
using Tapwire.Tests.Sim;
using Xunit;

namespace Tapwire.Tests.Stack.Tcp.Scripts;

/// <summary>Marks beside losses (RFC 3168, 6.1.2, 6.1.3): which reduces the window, how often, and what is said of it.</summary>
public class CongestionMarkSpec
{
    private const string Accepted = """
        +0 listen
        +0 < SEW 0:0(0) win 65535 <mss 1460,sackOK>
        +0 > S.E 0:0(0) ack 1
        +20ms < . 1:1(0) ack 1 win 65535
        +0 accept

        """;

    private static TcpScript Marking => new()
    {
        Options = new TcpOptions { Timestamps = false, CongestionControl = CongestionAlgorithm.NewReno, Ecn = EcnMode.Passive },
    };

    private static string Sent => Accepted + "+0 write 14600\n" + TcpScript.Burst(1, 10, suffix: " [ect0]");

    /// <summary>RFC 3168, 6.1.2: once in a round trip, whether a loss or a mark comes first.</summary>
    [Fact]
    public void A_loss_after_a_mark_in_the_same_flight_reduces_nothing_more() => Marking.Run(Sent + """
        +20ms < .E 1:1(0) ack 1461 win 65535
        +0 ssthresh 7300
        +1ms < .E 1:1(0) ack 1461 win 65535 <sack 2921:7301>
        +0 > . 1461:2921(1460) ack 1 [not-ect]
        +0 ssthresh 7300
        +20ms < .E 1:1(0) ack 14601 win 65535
        +0 cwnd 7300
        """).AssertNoLeak();

    [Fact]
    public void A_mark_after_a_loss_in_the_same_flight_reduces_nothing_more() => Marking.Run(Sent + """
        +20ms < . 1:1(0) ack 1 win 65535 <sack 1461:5841>
        +0 > . 1:1461(1460) ack 1 [not-ect]
        +0 ssthresh 7300
        +1ms < .E 1:1(0) ack 1 win 65535 <sack 1461:7301>
        +0 ssthresh 7300
        +20ms < .E 1:1(0) ack 14601 win 65535
        +0 cwnd 7300
        """).AssertNoLeak();

    /// <summary>RFC 3168, 6.1.2: CWR after a time-out, too, on the first new data, and once.</summary>
    [Fact]
    public void After_a_time_out_the_first_new_segment_says_that_the_window_was_reduced() => Marking.Run(Accepted + """
        +0 write 1460
        +0 > P. 1:1461(1460) ack 1 [ect0]
        +220ms > P. 1:1461(1460) ack 1 [not-ect]
        +220ms > P. 1:1461(1460) ack 1 [not-ect]
        +20ms < . 1:1(0) ack 1461 win 65535
        +0 write 2920
        +0 > .W 1461:2921(1460) ack 1 [ect0]
        +0 > P. 2921:4381(1460) ack 1 [ect0]
        """).AssertNoLeak();

    /// <summary>The next round trip's mark is another one.</summary>
    [Fact]
    public void A_mark_in_the_next_flight_reduces_the_window_again() => Marking.Run(Sent + """
        +20ms < .E 1:1(0) ack 14601 win 65535
        +0 ssthresh 7300
        +0 write 14600
        +0 forget
        +20ms < .E 1:1(0) ack 18981 win 65535
        +0 forget
        +0 counter TcpEcnWindowReductions 2
        """).AssertNoLeak();

    /// <summary>RFC 3168, 6.1.3: CWR of the peer ends the echo, a new mark on the same segment begins it again.</summary>
    [Fact]
    public void A_segment_that_is_marked_and_says_that_the_window_was_reduced_keeps_the_echo() => Marking.Run(Accepted + """
        +0 < P. 1:101(100) ack 1 win 65535 [ce]
        +0 > .E 1:1(0) ack 101
        +0 < P.W 101:201(100) ack 1 win 65535 [ce]
        +0 > .E 1:1(0) ack 201
        +0 < P.W 201:301(100) ack 1 win 65535 [ect0]
        +0 > . 1:1(0) ack 301
        """).AssertNoLeak();

    /// <summary>Linux's choice (tcp_ecn_accept_cwr): a peer that has reduced its window may wait for this one answer.</summary>
    [Fact]
    public void A_segment_that_says_that_the_window_was_reduced_is_answered_at_once() => Marking.Run(Accepted + """
        +0 < P. 1:101(100) ack 1 win 65535
        +0 > . 1:1(0) ack 101
        +0 write 100
        +0 > P. 1:101(100) ack 101 [ect0]
        +10ms < P. 101:201(100) ack 101 win 65535
        +20ms write 100
        +0 > P. 101:201(100) ack 201 [ect0]
        +10ms < P.W 201:301(100) ack 201 win 65535
        +0 > . 201:201(0) ack 301
        """).AssertNoLeak();

    /// <summary>RFC 3168, 6.1.3: the echo is on every acknowledgement until the peer says that it knows, also where it travels with data.</summary>
    [Fact]
    public void Data_carries_the_echo_as_acknowledgements_do() => Marking.Run(Accepted + """
        +0 < P. 1:101(100) ack 1 win 65535 [ce]
        +0 > .E 1:1(0) ack 101
        +0 write 100
        +0 > P.E 1:101(100) ack 101 [ect0]
        +0 < P.W 101:201(100) ack 101 win 65535 [ect0]
        +0 > . 101:101(0) ack 201
        """).AssertNoLeak();

    /// <summary>RFC 3168, 6.1.1: a SYN-ACK that has both flags copies what it does not understand.</summary>
    [Fact]
    public void A_syn_ack_with_both_flags_agrees_to_nothing() => new TcpScript
    {
        Options = new TcpOptions { Timestamps = false, CongestionControl = CongestionAlgorithm.NewReno, Ecn = EcnMode.On },
    }.Run("""
        +0 connect
        +0 > SEW 0:0(0) [not-ect]
        +10ms < S.EW 0:0(0) ack 1 win 65535 <mss 1460>
        +0 > . 1:1(0) ack 1
        +0 write 100
        +0 > P. 1:101(100) ack 1 [not-ect]
        """).AssertNoLeak();
}
