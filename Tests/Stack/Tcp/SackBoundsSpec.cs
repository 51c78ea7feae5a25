using Tapwire.Tests.Sim;
using Xunit;

namespace Tapwire.Tests.Stack.Tcp;

/// <summary>Reports of arrivals (RFC 2018) count for whole segments, as they were sent. Ten segments of 1460 bytes are one entry of the log; the round trip is 20 ms.</summary>
public class SackBoundsSpec
{
    [Fact]
    public void Parts_of_segments_that_a_peer_reports_are_not_heard() => new TcpScript().Run(TcpScript.AcceptedWithSack + TcpScript.TenSegments + """
        +20ms < . 1:1(0) ack 1 win 65535 <sack 1462:2920 2922:4380 4382:5840 5842:7300>
        +0 < . 1:1(0) ack 1 win 65535 <sack 7302:8760 8762:10220 10222:11680 11682:13140>
        +20ms counter TcpRetransSegs 0
        +0 counter TcpExtTCPSackRecovery 0
        """).AssertNoLeak();

    /// <summary>The report begins in the second segment and ends in the ninth.</summary>
    [Fact]
    public void Of_a_report_across_segments_the_whole_ones_count_and_the_others_are_sent_again_whole() =>
        new TcpScript().Run(TcpScript.AcceptedWithSack + TcpScript.TenSegments + """
        +20ms < . 1:1(0) ack 1 win 65535 <sack 2000:12000>
        +0 > . 1:1461(1460) ack 1
        +0 > . 1461:2921(1460) ack 1
        +20ms < . 1:1(0) ack 11681 win 65535 <sack 13141:14601>
        +0 > . 11681:13141(1460) ack 1
        +20ms < . 1:1(0) ack 14601 win 65535
        +0 counter TcpRetransSegs 3
        """).AssertNoLeak();

    [Fact]
    public void Single_bytes_are_never_sent_again_by_themselves() => new TcpScript().Run(TcpScript.AcceptedWithSack + TcpScript.TenSegments + """
        +20ms < . 1:1(0) ack 1 win 65535 <sack 3:4 5:6 7:8 5841:14601>
        +0 > . 1:1461(1460) ack 1
        +0 > . 1461:2921(1460) ack 1
        +0 > . 2921:4381(1460) ack 1
        +0 > . 4381:5841(1460) ack 1
        +20ms < . 1:1(0) ack 14601 win 65535
        """).AssertNoLeak();

    /// <summary>An application without Nagle's algorithm: each small segment of one turn has bounds of its own.</summary>
    [Fact]
    public void Small_segments_count_each_by_itself() => new TcpScript().Run(TcpScript.AcceptedWithSack + """
        +0 nodelay
        +0 write 10
        +0 > P. 1:11(10) ack 1
        +0 write 10
        +0 > P. 11:21(10) ack 1
        +0 write 7
        +0 > P. 21:28(7) ack 1
        +0 write 20
        +0 > P. 28:48(20) ack 1
        +0 write 20
        +0 > P. 48:68(20) ack 1
        +20ms < . 1:1(0) ack 1 win 65535 <sack 11:28 48:68>
        +5ms > . 1:11(10) ack 1
        +20ms < . 1:1(0) ack 28 win 65535 <sack 48:68>
        +0 > . 28:48(20) ack 1
        +20ms < . 1:1(0) ack 68 win 65535
        +0 counter TcpRetransSegs 2
        """).AssertNoLeak();

    /// <summary>The FIN takes a sequence number of its own, which receivers may leave out of their reports.</summary>
    [Fact]
    public void A_report_that_ends_before_the_fin_counts() => new TcpScript().Run(TcpScript.AcceptedWithSack + "+0 write 15000\n" + TcpScript.Burst(1, 10, push: false) + """
        +0 shutdown
        +20ms < . 1:1(0) ack 13141 win 65535
        +0 > FP. 14601:15001(400) ack 1
        +20ms < . 1:1(0) ack 13141 win 65535 <sack 14601:15001>
        +0 > . 13141:14601(1460) ack 1
        +20ms < . 1:1(0) ack 15002 win 65535
        +0 counter TcpRetransSegs 1
        """).AssertNoLeak();

    /// <summary>What was acknowledged within a segment does not move the bounds of those that follow.</summary>
    [Fact]
    public void An_acknowledgement_within_a_segment_leaves_the_bounds_where_they_are() =>
        new TcpScript().Run(TcpScript.AcceptedWithSack + TcpScript.TenSegments + """
        +20ms < . 1:1(0) ack 1000 win 65535 <sack 1461:2921 4381:14601>
        +0 > . 1000:1461(461) ack 1
        +0 > . 2921:4381(1460) ack 1
        +20ms < . 1:1(0) ack 14601 win 65535
        +0 counter TcpRetransSegs 2
        """).AssertNoLeak();
}
