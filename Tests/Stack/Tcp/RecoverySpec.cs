using Tapwire.Stack.Tcp;
using Tapwire.Tests.Sim;
using Xunit;

namespace Tapwire.Tests.Stack.Tcp;

/// <summary>Loss recovery: RFC 5681, RFC 6582, RFC 6675, RFC 6298, RFC 3042.</summary>
public class RecoverySpec
{
    private const string TenSegments = """
        +0 write 14600
        +0 > . 1:1461(1460) ack 1
        +0 > . 1461:2921(1460) ack 1
        +0 > . 2921:4381(1460) ack 1
        +0 > . 4381:5841(1460) ack 1
        +0 > . 5841:7301(1460) ack 1
        +0 > . 7301:8761(1460) ack 1
        +0 > . 8761:10221(1460) ack 1
        +0 > . 10221:11681(1460) ack 1
        +0 > . 11681:13141(1460) ack 1
        +0 > P. 13141:14601(1460) ack 1

        """;

    [Fact]
    public void The_third_duplicate_acknowledgement_brings_the_lost_segment() => new TcpScript().Run(TcpScript.Accepted + TenSegments + """
        +10ms < . 1:1(0) ack 1461 win 65535
        +0 cwnd 16060
        +1ms < . 1:1(0) ack 1461 win 65535
        +0 < . 1:1(0) ack 1461 win 65535
        +1ms < . 1:1(0) ack 1461 win 65535
        +0 > . 1461:2921(1460) ack 1
        +0 ssthresh 6570
        +10ms < . 1:1(0) ack 14601 win 65535
        +0 cwnd 6570
        +0 counter TcpExtTCPRenoRecovery 1
        +0 counter TcpRetransSegs 1
        +0 counter TcpExtTCPTimeouts 0
        """).AssertNoLeak();

    /// <summary>As in Linux: acknowledgements overtake each other, and what the earlier one reports is still true.</summary>
    [Fact]
    public void Reports_of_an_acknowledgement_that_has_been_overtaken_count() => new TcpScript().Run(TcpScript.AcceptedWithSack + TenSegments + """
        +20ms < . 1:1(0) ack 2921 win 65535
        +1ms < . 1:1(0) ack 1461 win 100 <sack 4381:14601>
        +0 > . 2921:4381(1460) ack 1
        +0 counter TcpExtTCPSackRecovery 1
        +20ms < . 1:1(0) ack 14601 win 65535
        +0 < . 1:1(0) ack 13141 win 65535 <sack 2921:4381>
        +0 counter TcpExtTCPDSACKRecv 1
        +0 write 100
        +0 > P. 14601:14701(100) ack 1
        """).AssertNoLeak();

    [Fact]
    public void A_partial_acknowledgement_brings_the_next_lost_segment_at_once() => new TcpScript().Run(TcpScript.Accepted + TenSegments + """
        +10ms < . 1:1(0) ack 1 win 65535
        +0 < . 1:1(0) ack 1 win 65535
        +0 < . 1:1(0) ack 1 win 65535
        +0 > . 1:1461(1460) ack 1
        +0 < . 1:1(0) ack 1 win 65535
        +0 < . 1:1(0) ack 1 win 65535
        +10ms < . 1:1(0) ack 4381 win 65535
        +0 > . 4381:5841(1460) ack 1
        +10ms < . 1:1(0) ack 7301 win 65535
        +0 > . 7301:8761(1460) ack 1
        +10ms < . 1:1(0) ack 14601 win 65535
        +0 counter TcpExtTCPTimeouts 0
        +0 counter TcpRetransSegs 3
        """).AssertNoLeak();

    [Fact]
    public void The_first_two_duplicates_let_new_segments_out() => new TcpScript().Run(TcpScript.Accepted + TenSegments + """
        +0 write 4380
        +10ms < . 1:1(0) ack 1 win 65535
        +0 > . 14601:16061(1460) ack 1
        +1ms < . 1:1(0) ack 1 win 65535
        +0 > . 16061:17521(1460) ack 1
        +1ms < . 1:1(0) ack 1 win 65535
        +0 > . 1:1461(1460) ack 1
        """).AssertNoLeak();

    [Fact]
    public void Duplicates_with_data_or_another_window_do_not_count() => new TcpScript().Run(TcpScript.Accepted + TenSegments + """
        +10ms < . 1:1(0) ack 1 win 65000
        +0 < . 1:1(0) ack 1 win 64000
        +0 < . 1:1(0) ack 1 win 63000
        +0 < . 1:1(0) ack 1 win 62000
        +0 counter TcpRetransSegs 0
        """).AssertNoLeak();

    [Fact]
    public void With_sack_only_what_is_missing_is_sent_again() => new TcpScript().Run(TcpScript.AcceptedWithSack + TenSegments + """
        +10ms < . 1:1(0) ack 1 win 65535 <sack 1461:2921>
        +0 < . 1:1(0) ack 1 win 65535 <sack 1461:4381>
        +0 < . 1:1(0) ack 1 win 65535 <sack 5841:7301 1461:4381>
        +0 > . 1:1461(1460) ack 1
        +0 counter TcpExtTCPSackRecovery 1
        +1ms < . 1:1(0) ack 1 win 65535 <sack 5841:14601 1461:4381>
        +0 > . 4381:5841(1460) ack 1
        +20ms < . 1:1(0) ack 4381 win 65535 <sack 5841:14601>
        +10ms < . 1:1(0) ack 14601 win 65535
        +0 counter TcpRetransSegs 2
        +0 counter TcpExtTCPTimeouts 0
        """).AssertNoLeak();

    [Fact]
    public void Reports_outside_of_the_window_or_inverted_are_discarded() => new TcpScript().Run(TcpScript.AcceptedWithSack + TenSegments + """
        +10ms < . 1:1(0) ack 1 win 65535 <sack 20000:30000>
        +0 < . 1:1(0) ack 1 win 65535 <sack 4381:2921>
        +0 < . 1:1(0) ack 1 win 65535 <sack 1461:1461>
        +0 < . 1:1(0) ack 1 win 65535 <sack 1461:14602>
        +0 counter TcpExtTCPSACKDiscard 4
        +0 counter TcpRetransSegs 0
        """).AssertNoLeak();

    [Fact]
    public void A_time_out_doubles_and_sends_one_segment() => new TcpScript().Run(TcpScript.Accepted + TenSegments + """
        +200ms > . 1:1461(1460) ack 1
        +0 cwnd 1460
        +0 ssthresh 7300
        +400ms > . 1:1461(1460) ack 1
        +0 ssthresh 7300
        +800ms > . 1:1461(1460) ack 1
        +10ms < . 1:1(0) ack 1461 win 65535
        +0 > . 1461:2921(1460) ack 1
        +0 > . 2921:4381(1460) ack 1
        +10ms < . 1:1(0) ack 14601 win 65535
        +0 counter TcpExtTCPTimeouts 3
        """).AssertNoLeak();

    [Fact]
    public void After_a_time_out_what_was_reported_is_not_sent_again() => new TcpScript().Run(TcpScript.AcceptedWithSack + TenSegments + """
        +42ms > P. 13141:14601(1460) ack 1
        +220ms > . 1:1461(1460) ack 1
        +10ms < . 1:1(0) ack 1461 win 65535 <sack 2921:4381>
        +0 > . 1461:2921(1460) ack 1
        +0 > . 4381:5841(1460) ack 1
        +20ms < . 1:1(0) ack 14601 win 65535
        """).AssertNoLeak();

    [Fact]
    public void The_connection_is_given_up_after_so_many_time_outs() => new TcpScript
    {
        Options = new TcpOptions { Timestamps = false, Retries = 3 },
    }.Run(TcpScript.Accepted + """
        +0 write 100
        +0 > P. 1:101(100) ack 1
        +200ms > P. 1:101(100) ack 1
        +400ms > P. 1:101(100) ack 1
        +800ms > P. 1:101(100) ack 1
        +0 error-reported TimedOut
        +1.59s no-event
        +20ms closed TimedOut
        +0 sockets 0
        """).AssertNoLeak();

    [Fact]
    public void A_soft_error_names_the_reason_when_the_connection_is_given_up() => new TcpScript
    {
        Options = new TcpOptions { Timestamps = false, Retries = 1 },
    }.Run(TcpScript.Accepted + """
        +0 write 100
        +0 > P. 1:101(100) ack 1
        +0 icmp HostUnreachable
        +0 state Established
        +200ms > P. 1:101(100) ack 1
        +401ms closed HostUnreachable
        """).AssertNoLeak();

    [Fact]
    public void The_user_time_out_ends_a_connection_earlier() => new TcpScript
    {
        SocketOptions = new TcpSocketOptions { UserTimeout = TimeSpan.FromSeconds(1) },
    }.Run(TcpScript.Accepted + """
        +0 write 100
        +0 > P. 1:101(100) ack 1
        +200ms > P. 1:101(100) ack 1
        +400ms > P. 1:101(100) ack 1
        +401ms closed TimedOut
        """).AssertNoLeak();

    [Fact]
    public void Round_trips_set_the_timer_and_repeated_segments_do_not() => new TcpScript().Run(TcpScript.Accepted + """
        +0 write 100
        +0 > P. 1:101(100) ack 1
        +100ms < . 1:1(0) ack 101 win 65535
        +0 write 100
        +0 > P. 101:201(100) ack 1
        +212ms > P. 101:201(100) ack 1
        +100ms < . 1:1(0) ack 201 win 65535
        +0 write 10
        +0 > P. 201:211(10) ack 1
        +425ms > P. 201:211(10) ack 1
        """).AssertNoLeak();

    [Fact]
    public void A_probe_after_two_round_trips_shows_what_was_lost_at_the_end() => new TcpScript().Run(TcpScript.AcceptedWithSack + TenSegments + """
        +20ms < . 1:1(0) ack 7301 win 65535
        +42ms > P. 13141:14601(1460) ack 1
        +20ms < . 1:1(0) ack 7301 win 65535 <sack 13141:14601>
        +0 > . 7301:8761(1460) ack 1
        +20ms < . 1:1(0) ack 8761 win 65535 <sack 13141:14601>
        +0 > . 8761:10221(1460) ack 1
        +0 > . 10221:11681(1460) ack 1
        +20ms < . 1:1(0) ack 14601 win 65535
        +0 counter TcpExtTCPTimeouts 0
        +0 counter TcpExtTCPLossProbes 1
        """).AssertNoLeak();

    [Fact]
    public void A_probe_that_was_not_needed_costs_nothing_and_one_that_was_halves_the_window() => new TcpScript().Run(TcpScript.AcceptedWithSack + """
        +0 write 2920
        +0 > . 1:1461(1460) ack 1
        +0 > P. 1461:2921(1460) ack 1
        +42ms > P. 1461:2921(1460) ack 1
        +20ms < . 1:1(0) ack 2921 win 65535 <sack 1461:2921>
        +0 cwnd 14600
        +0 write 2920
        +0 > . 2921:4381(1460) ack 1
        +0 > P. 4381:5841(1460) ack 1
        +42ms > P. 4381:5841(1460) ack 1
        +20ms < . 1:1(0) ack 5841 win 65535
        +0 write 100
        +0 > P. 5841:5941(100) ack 1
        +20ms < . 1:1(0) ack 5941 win 65535
        +0 cwnd 2920
        """).AssertNoLeak();

    [Fact]
    public void A_lost_fin_is_sent_again() => new TcpScript().Run(TcpScript.Accepted + """
        +0 shutdown
        +0 > F. 1:1(0) ack 1
        +200ms > F. 1:1(0) ack 1
        +0 < . 1:1(0) ack 2 win 65535
        +0 state FinWait2
        """).AssertNoLeak();

    [Fact]
    public void A_packet_too_big_makes_segments_smaller_and_sends_them_again() => new TcpScript { IsOfV4Only = true }.Run(TcpScript.Accepted + """
        +0 write 1460
        +0 > P. 1:1461(1460) ack 1
        +0 icmp PacketTooBig 1000
        +0 > . 1:961(960) ack 1
        +0 > P. 961:1461(500) ack 1
        """).AssertNoLeak();
}
