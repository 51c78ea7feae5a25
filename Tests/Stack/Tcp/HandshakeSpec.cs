using Tapwire.Stack.Tcp;
using Tapwire.Tests.Sim;
using Xunit;

namespace Tapwire.Tests.Stack.Tcp;

/// <summary>Openings: RFC 9293, 3.5, 3.10.7.2 and 3.10.7.3.</summary>
public class HandshakeSpec
{
    [Fact]
    public void An_active_open_offers_everything_and_takes_what_the_peer_wants() => new TcpScript { Options = new TcpOptions() }.Run("""
        +0 connect
        +0 > S 0:0(0) win 65535 <mss 1460,sackOK,TS val 0 ecr 0,wscale 5>
        +10ms < S. 0:0(0) ack 1 win 30000 <mss 1400,sackOK,TS val 700 ecr 0,wscale 7>
        +0 > . 1:1(0) ack 1 win 32768 <TS val 10 ecr 700>
        +0 connected
        +0 state Established
        +0 write 3000
        +0 > . 1:1389(1388) ack 1 <TS val 10 ecr 700>
        +0 > . 1389:2777(1388) ack 1
        +0 > P. 2777:3001(224) ack 1
        """).AssertNoLeak();

    [Fact]
    public void A_passive_open_answers_with_the_options_of_the_syn_only() => new TcpScript { Options = new TcpOptions() }.Run("""
        +0 listen
        +0 < S 0:0(0) win 65535 <mss 1000,wscale 3>
        +0 > S. 0:0(0) ack 1 win 65535 <mss 1460,wscale 5>
        +0 not-accepted
        +0 < . 1:1(0) ack 1 win 100
        +0 accept
        +0 state Established
        +0 write 900
        +0 > . 1:801(800) ack 1
        """).AssertNoLeak();

    [Fact]
    public void A_syn_is_sent_again_with_doubled_times_and_then_given_up() => new TcpScript().Run("""
        +0 connect
        +0 > S 0:0(0)
        +1s > S 0:0(0)
        +2s > S 0:0(0)
        +4s > S 0:0(0)
        +8s > S 0:0(0)
        +16s > S 0:0(0)
        +32s > S 0:0(0)
        +63.9s no-event
        +0.2s closed TimedOut
        +0 sockets 0
        +0 idle
        """).AssertNoLeak();

    [Fact]
    public void After_a_lost_syn_the_window_begins_with_one_segment_and_the_timer_with_three_seconds() => new TcpScript().Run("""
        +0 connect
        +0 > S 0:0(0)
        +1s > S 0:0(0)
        +0 < S. 0:0(0) ack 1 win 65535 <mss 1460>
        +0 > . 1:1(0) ack 1
        +0 write 5000
        +0 > . 1:1461(1460) ack 1
        +3s > . 1:1461(1460) ack 1
        """).AssertNoLeak();

    [Fact]
    public void A_reset_in_answer_to_the_syn_is_a_refusal() => new TcpScript().Run("""
        +0 connect
        +0 > S 0:0(0)
        +0 < R. 0:0(0) ack 1
        +0 closed ConnectionRefused
        +0 sockets 0
        """).AssertNoLeak();

    [Fact]
    public void A_reset_that_does_not_acknowledge_the_syn_is_ignored() => new TcpScript().Run("""
        +0 connect
        +0 > S 0:0(0)
        +0 < R. 0:0(0) ack 2
        +0 < R 0:0(0)
        +0 no-event
        +0 state SynSent
        """).AssertNoLeak();

    [Fact]
    public void A_wrong_acknowledgement_in_syn_sent_is_answered_with_a_reset() => new TcpScript().Run("""
        +0 connect
        +0 > S 0:0(0)
        +0 < S. 0:0(0) ack 5 win 65535
        +0 > R 5:5(0)
        +0 < . 0:0(0) ack 0 win 65535
        +0 > R 0:0(0)
        +0 state SynSent
        """).AssertNoLeak();

    [Fact]
    public void Data_in_the_syn_ack_is_delivered() => new TcpScript().Run("""
        +0 connect
        +0 > S 0:0(0)
        +0 < S. 0:100(100) ack 1 win 65535 <mss 1460>
        +0 > . 1:1(0) ack 101
        +0 read 100
        """).AssertNoLeak();

    [Fact]
    public void Data_in_the_syn_is_left_for_the_peer_to_send_again() => new TcpScript().Run("""
        +0 listen
        +0 < S 0:100(100) win 65535 <mss 1460>
        +0 > S. 0:0(0) ack 1
        +0 < P. 1:101(100) ack 1 win 65535
        +0 > . 1:1(0) ack 101
        +0 accept
        +0 read 100
        """).AssertNoLeak();

    [Fact]
    public void Simultaneous_open_with_a_syn_ack() => new TcpScript().Run("""
        +0 connect
        +0 > S 0:0(0)
        +0 < S 0:0(0) win 65535 <mss 1460,sackOK>
        +0 > S. 0:0(0) ack 1 <mss 1460,sackOK>
        +0 state SynReceived
        +0 no-event
        +0 < S. 0:0(0) ack 1 win 65535 <mss 1460,sackOK>
        +0 connected
        +0 state Established
        +0 write 10
        +0 > P. 1:11(10) ack 1
        """).AssertNoLeak();

    [Fact]
    public void Simultaneous_open_with_a_bare_acknowledgement() => new TcpScript().Run("""
        +0 connect
        +0 > S 0:0(0)
        +0 < S 0:0(0) win 65535
        +0 > S. 0:0(0) ack 1
        +1s > S. 0:0(0) ack 1
        +0 < . 1:1(0) ack 1 win 65535
        +0 connected
        """).AssertNoLeak();

    [Fact]
    public void A_reset_in_a_simultaneous_open_is_a_refusal() => new TcpScript().Run("""
        +0 connect
        +0 > S 0:0(0)
        +0 < S 0:0(0) win 65535
        +0 > S. 0:0(0) ack 1
        +0 < R. 1:1(0) ack 1
        +0 closed ConnectionRefused
        """).AssertNoLeak();

    [Fact]
    public void Closing_in_syn_sent_forgets_the_connection_without_a_word() => new TcpScript().Run("""
        +0 connect
        +0 > S 0:0(0)
        +0 close
        +0 closed ConnectionAborted
        +0 sockets 0
        """).AssertNoLeak();

    [Fact]
    public void Data_and_fin_wait_for_the_handshake() => new TcpScript().Run("""
        +0 connect
        +0 > S 0:0(0)
        +0 write 100
        +0 shutdown
        +10ms < S. 0:0(0) ack 1 win 65535 <mss 1460>
        +0 > FP. 1:101(100) ack 1
        +0 state FinWait1
        """).AssertNoLeak();

    [Fact]
    public void A_syn_ack_is_sent_again_and_then_forgotten() => new TcpScript().Run("""
        +0 listen
        +0 < S 0:0(0) win 65535 <mss 1460>
        +0 > S. 0:0(0) ack 1
        +1s > S. 0:0(0) ack 1
        +2s > S. 0:0(0) ack 1
        +4s > S. 0:0(0) ack 1
        +8s > S. 0:0(0) ack 1
        +16s > S. 0:0(0) ack 1
        +0 embryos 1
        +32.01s embryos 0
        +0 counter TcpExtTCPTimeoutSynAck 1
        +0 idle
        """).AssertNoLeak();

    [Fact]
    public void A_repeated_syn_is_answered_again_but_not_at_any_rate() => new TcpScript().Run("""
        +0 listen
        +0 < S 0:0(0) win 65535 <mss 1460>
        +0 > S. 0:0(0) ack 1
        +10ms < S 0:0(0) win 65535 <mss 1460>
        +600ms < S 0:0(0) win 65535 <mss 1460>
        +0 > S. 0:0(0) ack 1
        """).AssertNoLeak();

    [Fact]
    public void Only_an_exact_reset_ends_syn_received() => new TcpScript().Run("""
        +0 listen
        +0 < S 0:0(0) win 65535 <mss 1460>
        +0 > S. 0:0(0) ack 1
        +600ms < R 100:100(0)
        +0 > . 1:1(0) ack 1
        +0 embryos 1
        +0 < R 1:1(0)
        +0 embryos 0
        +0 counter TcpExtEmbryonicRsts 1
        """).AssertNoLeak();

    [Fact]
    public void A_wrong_acknowledgement_in_syn_received_is_answered_with_a_reset() => new TcpScript().Run("""
        +0 listen
        +0 < S 0:0(0) win 65535 <mss 1460>
        +0 > S. 0:0(0) ack 1
        +0 < . 1:1(0) ack 7 win 65535
        +0 > R 7:7(0)
        +0 < . 1:1(0) ack 1 win 65535
        +0 accept
        """).AssertNoLeak();

    [Fact]
    public void The_last_acknowledgement_may_carry_data_and_fin() => new TcpScript().Run("""
        +0 listen
        +0 < S 0:0(0) win 65535 <mss 1460>
        +0 > S. 0:0(0) ack 1
        +0 < FP. 1:11(10) ack 1 win 65535
        +0 > . 1:1(0) ack 12
        +0 accept
        +0 readable
        +0 read 10
        +0 state CloseWait
        """).AssertNoLeak();

    [Fact]
    public void Segments_for_nobody_are_answered_with_the_resets_of_the_rfc() => new TcpScript().Run("""
        +0 < S 0:0(0) win 65535
        +0 > R. 0:0(0) ack 1
        +0 < . 5:5(0) ack 77 win 65535
        +0 > R 77:77(0)
        +0 < R 5:5(0)
        +0 < F. 5:5(0) ack 3 win 65535
        +0 > R 3:3(0)
        """).AssertNoLeak();

    [Fact]
    public void A_listener_ignores_resets_and_refuses_acknowledgements() => new TcpScript().Run("""
        +0 listen
        +0 < R 0:0(0)
        +0 < . 1:1(0) ack 9 win 65535
        +0 > R 9:9(0)
        +0 embryos 0
        """).AssertNoLeak();

    [Fact]
    public void A_window_scale_above_fourteen_counts_as_fourteen() => new TcpScript().Run("""
        +0 listen
        +0 < S 0:0(0) win 65535 <mss 1460,wscale 200>
        +0 > S. 0:0(0) ack 1
        +0 < . 1:1(0) ack 1 win 1
        +0 accept
        +0 write 30000
        +0 > . 1:1461(1460) ack 1
        +0 > . 1461:2921(1460) ack 1
        +0 > . 2921:4381(1460) ack 1
        +0 > . 4381:5841(1460) ack 1
        +0 > . 5841:7301(1460) ack 1
        +0 > . 7301:8761(1460) ack 1
        +0 > . 8761:10221(1460) ack 1
        +0 > . 10221:11681(1460) ack 1
        +0 > . 11681:13141(1460) ack 1
        +0 > . 13141:14601(1460) ack 1
        """).AssertNoLeak();

    [Theory]
    [InlineData(0, 536)]
    [InlineData(1, 48)]
    [InlineData(100, 100)]
    [InlineData(9000, 1460)]
    public void The_segment_size_has_bounds(int announced, int used) => new TcpScript { IsOfV4Only = true }.Run($"""
        +0 listen
        +0 < S 0:0(0) win 65535 <mss {announced}>
        +0 > S. 0:0(0) ack 1
        +0 < . 1:1(0) ack 1 win 65535
        +0 accept
        +0 write {used + 1}
        +0 > . 1:{used + 1}({used}) ack 1
        +0 > P. {used + 1}:{used + 2}(1) ack 1
        """).AssertNoLeak();

    [Theory]
    [InlineData("NetworkUnreachable", "NetworkUnreachable")]
    [InlineData("HostUnreachable", "HostUnreachable")]
    [InlineData("PortUnreachable", "ConnectionRefused")]
    public void An_icmp_error_ends_an_open_at_once(string kind, string error) => new TcpScript().Run($"""
        +0 connect
        +0 > S 0:0(0)
        +0 icmp {kind}
        +0 closed {error}
        """).AssertNoLeak();
}
