using Tapwire.Stack.Tcp;
using Tapwire.Tests.Sim;
using Xunit;

namespace Tapwire.Tests.Stack.Tcp.Scripts;

/// <summary>When a receiver answers, and what it answers to probes, old segments and what lies outside its window (RFC 9293, 3.10.7.4; RFC 5681, 4.2; RFC
/// 2883).</summary>
public class AnswerSpec
{
    /// <summary>Sixteen acknowledgements have left at once: the peer's slow start is over, and acknowledgements are delayed.</summary>
    private static string Delayed
    {
        get
        {
            var script = TcpScript.Accepted;
            for (var at = 1; at < 1600; at += 100)
                script += $"+1ms < P. {at}:{at + 100}(100) ack 1 win 65535\n+0 > . 1:1(0) ack {at + 100}\n";
            return script + "+0 read 1600\n";
        }
    }

    [Fact]
    public void After_the_beginning_a_lone_segment_is_answered_after_the_delay() => new TcpScript().Run(Delayed + """
        +10ms < P. 1601:1701(100) ack 1 win 65535
        +40ms > . 1:1(0) ack 1701
        +0 counter TcpExtDelayedACKs 1
        """).AssertNoLeak();

    /// <summary>Linux's choice (tcp_event_data_recv): after a pause of more than a time-out the peer's window is small again, and waiting for an
    /// acknowledgement would keep it so.</summary>
    [Fact]
    public void After_a_pause_acknowledgements_are_not_delayed() => new TcpScript().Run(Delayed + """
        +10ms < P. 1601:1701(100) ack 1 win 65535
        +40ms > . 1:1(0) ack 1701
        +1s < P. 1701:1801(100) ack 1 win 65535
        +0 > . 1:1(0) ack 1801
        +10ms < P. 1801:1901(100) ack 1 win 65535
        +0 > . 1:1(0) ack 1901
        """).AssertNoLeak();

    /// <summary>An application that answers takes the acknowledgement along, however long the pause before the request (Linux, pingpong mode).</summary>
    [Fact]
    public void After_a_pause_the_acknowledgement_of_a_request_still_waits_for_the_answer() => new TcpScript().Run(TcpScript.Accepted + """
        +0 < P. 1:101(100) ack 1 win 65535
        +0 > . 1:1(0) ack 101
        +10ms write 100
        +0 > P. 1:101(100) ack 101
        +10ms < . 101:101(0) ack 101 win 65535
        +1s < P. 101:201(100) ack 101 win 65535
        +20ms write 100
        +0 > P. 101:201(100) ack 201
        """).AssertNoLeak();

    /// <summary>An acknowledgement whose delay is over before the answer: the application does not answer at once, and the next one does not wait.</summary>
    [Fact]
    public void Data_takes_a_delayed_acknowledgement_along() => new TcpScript().Run(Delayed + """
        +10ms < P. 1601:1701(100) ack 1 win 65535
        +20ms write 100
        +0 > P. 1:101(100) ack 1701
        +60ms counter TcpExtDelayedACKs 0
        """).AssertNoLeak();

    /// <summary>RFC 5681, 4.2: a segment ahead of a gap is answered at once, whatever is delayed.</summary>
    [Fact]
    public void A_gap_ends_the_delay() => new TcpScript().Run(Delayed + """
        +10ms < P. 1601:1701(100) ack 1 win 65535
        +10ms < P. 1801:1901(100) ack 1 win 65535
        +0 > . 1:1(0) ack 1701
        +10ms < P. 1701:1801(100) ack 1 win 65535
        +0 > . 1:1(0) ack 1901
        """).AssertNoLeak();

    /// <summary>A FIN is answered at once, with what waits.</summary>
    [Fact]
    public void A_fin_ends_the_delay() => new TcpScript().Run(Delayed + """
        +10ms < P. 1601:1701(100) ack 1 win 65535
        +10ms < F. 1701:1701(0) ack 1 win 65535
        +0 > . 1:1(0) ack 1702
        """).AssertNoLeak();

    /// <summary>RFC 9293, 3.8.4: the probe of a peer that keeps the connection alive has an old sequence number and no data.</summary>
    [Fact]
    public void A_keepalive_is_answered() => new TcpScript().Run(TcpScript.Accepted + """
        +1s < . 0:0(0) ack 1 win 65535
        +0 > . 1:1(0) ack 1
        +1s < . 0:0(0) ack 1 win 65535
        +0 > . 1:1(0) ack 1
        """).AssertNoLeak();

    /// <summary>RFC 9293, 3.8.4, MAY-6: old peers send a byte that has no meaning; it is old, and never read.</summary>
    [Fact]
    public void A_keepalive_with_a_byte_of_garbage_is_answered_and_its_byte_not_read() => new TcpScript().Run(TcpScript.Accepted + """
        +0 < P. 1:101(100) ack 1 win 65535
        +0 > . 1:1(0) ack 101
        +0 read 100
        +1s < . 100:101(1) ack 1 win 65535
        +0 > . 1:1(0) ack 101
        +0 take 0
        """).AssertNoLeak();

    [Fact]
    public void The_byte_of_garbage_is_reported_as_a_duplicate_to_a_peer_with_sack() => new TcpScript().Run(TcpScript.AcceptedWithSack + """
        +0 < P. 1:101(100) ack 1 win 65535
        +0 > . 1:1(0) ack 101
        +0 read 100
        +1s < . 100:101(1) ack 1 win 65535
        +0 > . 1:1(0) ack 101 <sack 100:101>
        """).AssertNoLeak();

    /// <summary>RFC 2883, 4.1.3: the duplicate of a segment that has arrived ahead of a gap is the first block, and the whole range that it lies in the
    /// second.</summary>
    [Fact]
    public void A_duplicate_ahead_of_a_gap_is_reported_with_the_range_that_it_lies_in() => new TcpScript().Run(TcpScript.AcceptedWithSack + """
        +0 < . 1001:2001(1000) ack 1 win 65535
        +0 > . 1:1(0) ack 1 <sack 1001:2001>
        +0 < . 2001:3001(1000) ack 1 win 65535
        +0 > . 1:1(0) ack 1 <sack 1001:3001>
        +0 < . 1001:2001(1000) ack 1 win 65535
        +0 > . 1:1(0) ack 1 <sack 1001:2001 1001:3001>
        +0 < . 4001:5001(1000) ack 1 win 65535
        +0 > . 1:1(0) ack 1 <sack 4001:5001 1001:3001>
        """).AssertNoLeak();

    /// <summary>RFC 2883, 4.1.1: a duplicate of what was read long ago is reported once and no more.</summary>
    [Fact]
    public void A_duplicate_of_what_was_acknowledged_is_reported_in_one_acknowledgement() => new TcpScript().Run(TcpScript.AcceptedWithSack + """
        +0 < . 1:1001(1000) ack 1 win 65535
        +0 > . 1:1(0) ack 1001
        +0 < . 1:1001(1000) ack 1 win 65535
        +0 > . 1:1(0) ack 1001 <sack 1:1001>
        +0 < . 2001:3001(1000) ack 1 win 65535
        +0 > . 1:1(0) ack 1001 <sack 2001:3001>
        """).AssertNoLeak();

    /// <summary>RFC 2883, 4.2.1: of a segment that is old in part, that part is the duplicate, and the rest is taken.</summary>
    [Fact]
    public void Of_a_segment_that_is_old_in_part_the_rest_is_taken() => new TcpScript().Run(TcpScript.AcceptedWithSack + """
        +0 < . 1:1001(1000) ack 1 win 65535
        +0 > . 1:1(0) ack 1001
        +0 < . 501:1501(1000) ack 1 win 65535
        +0 > . 1:1(0) ack 1501 <sack 501:1001>
        +0 read 1500
        """).AssertNoLeak();

    /// <summary>RFC 2018, 4: the block with the segment that has just come is the first, also if it joins two.</summary>
    [Fact]
    public void A_segment_that_joins_two_ranges_makes_them_the_first_block() => new TcpScript().Run(TcpScript.AcceptedWithSack + """
        +0 < . 1001:2001(1000) ack 1 win 65535
        +0 > . 1:1(0) ack 1 <sack 1001:2001>
        +0 < . 3001:4001(1000) ack 1 win 65535
        +0 > . 1:1(0) ack 1 <sack 3001:4001 1001:2001>
        +0 < . 5001:6001(1000) ack 1 win 65535
        +0 > . 1:1(0) ack 1 <sack 5001:6001 3001:4001 1001:2001>
        +0 < . 2001:3001(1000) ack 1 win 65535
        +0 > . 1:1(0) ack 1 <sack 1001:4001 5001:6001>
        """).AssertNoLeak();

    /// <summary>RFC 2018, 3: four blocks fit without timestamps; the oldest ones give way.</summary>
    [Fact]
    public void Of_five_ranges_the_four_latest_are_reported() => new TcpScript().Run(TcpScript.AcceptedWithSack + """
        +0 < . 1001:1101(100) ack 1 win 65535
        +0 > . 1:1(0) ack 1 <sack 1001:1101>
        +0 < . 2001:2101(100) ack 1 win 65535
        +0 > . 1:1(0) ack 1 <sack 2001:2101 1001:1101>
        +0 < . 3001:3101(100) ack 1 win 65535
        +0 > . 1:1(0) ack 1 <sack 3001:3101 2001:2101 1001:1101>
        +0 < . 4001:4101(100) ack 1 win 65535
        +0 > . 1:1(0) ack 1 <sack 4001:4101 3001:3101 2001:2101 1001:1101>
        +0 < . 5001:5101(100) ack 1 win 65535
        +0 > . 1:1(0) ack 1 <sack 5001:5101 4001:4101 3001:3101 2001:2101>
        """).AssertNoLeak();

    /// <summary>Data that the peer sends takes the report along (RFC 2018, 4: each acknowledgement carries it while there is a gap).</summary>
    [Fact]
    public void Data_carries_the_report_of_what_is_ahead_of_a_gap() => new TcpScript().Run(TcpScript.AcceptedWithSack + """
        +0 < . 1001:2001(1000) ack 1 win 65535
        +0 > . 1:1(0) ack 1 <sack 1001:2001>
        +0 write 100
        +0 > P. 1:101(100) ack 1 <sack 1001:2001>
        """).AssertNoLeak();

    /// <summary>RFC 9293, 3.10.7.4, first check: what begins beyond the window is answered and not taken; what reaches over its edge is cut there. (Linux
    /// drops the latter if something is unread.)</summary>
    [Fact]
    public void What_begins_at_the_edge_of_the_window_is_not_taken() => new TcpScript { SocketOptions = new TcpSocketOptions { ReceiveBuffer = 4096 } }.Run(
        TcpScript.Accepted + """
        +0 < P. 4097:4197(100) ack 1 win 65535
        +0 > . 1:1(0) ack 1 win 4096
        +0 < P. 1:101(100) ack 1 win 65535
        +0 > . 1:1(0) ack 101
        +0 read 100
        """).AssertNoLeak();

    /// <summary>A segment longer than any that is announced is a merged one: its length does not matter.</summary>
    [Fact]
    public void A_segment_longer_than_the_announced_size_is_taken_whole() => new TcpScript().Run(TcpScript.Accepted + """
        +0 < P. 1:20001(20000) ack 1 win 65535
        +0 > . 1:1(0) ack 20001
        +0 read 20000
        """).AssertNoLeak();

    /// <summary>The window opens for a reader that had let it fill, by itself: the peer may have nothing to ask with.</summary>
    [Fact]
    public void A_reader_that_has_emptied_a_closed_window_tells_the_peer() => new TcpScript { SocketOptions = new TcpSocketOptions { ReceiveBuffer = 4096 } }.Run(
        TcpScript.Accepted + """
        +0 < . 1:1461(1460) ack 1 win 65535
        +0 < . 1461:2921(1460) ack 1 win 65535
        +0 < P. 2921:4097(1176) ack 1 win 65535
        +0 > . 1:1(0) ack 4097 win 0
        +1s read 4096
        +0 > . 1:1(0) ack 4097 win 4096
        """).AssertNoLeak();

    /// <summary>The later segment covers more on both sides, and the last one everything.</summary>
    [Fact]
    public void Segments_that_overlap_what_came_before_are_read_once() => new TcpScript().Run(TcpScript.AcceptedWithSack + """
        +0 < . 1001:2001(1000) ack 1 win 65535
        +0 > . 1:1(0) ack 1 <sack 1001:2001>
        +0 < . 501:2501(2000) ack 1 win 65535
        +0 > . 1:1(0) ack 1
        +0 < . 1:3001(3000) ack 1 win 65535
        +0 > . 1:1(0) ack 3001
        +0 read 3000
        """).AssertNoLeak();

    /// <summary>RFC 9293, 3.10.7.4, fifth check: the acknowledgement of an old segment counts, for its sender has not heard ours and has moved on.</summary>
    [Fact]
    public void Data_that_comes_again_brings_its_acknowledgement() => new TcpScript().Run(TcpScript.Accepted + """
        +0 < P. 1:101(100) ack 1 win 65535
        +0 > . 1:1(0) ack 101
        +0 write 1000
        +0 > P. 1:1001(1000) ack 101
        +10ms < P. 1:101(100) ack 1001 win 65535
        +0 > . 1001:1001(0) ack 101
        +0 write 100
        +0 > P. 1001:1101(100) ack 101
        """).AssertNoLeak();

    [Fact]
    public void Data_of_the_peer_puts_the_keepalive_off() => new TcpScript
    {
        SocketOptions = new TcpSocketOptions
        {
            KeepAlive = true,
            KeepAliveIdle = TimeSpan.FromSeconds(2),
            KeepAliveInterval = TimeSpan.FromSeconds(1),
            KeepAliveCount = 2,
        },
    }.Run(TcpScript.Accepted + """
        +1s < P. 1:101(100) ack 1 win 65535
        +0 > . 1:1(0) ack 101
        +2s > . 0:0(0) ack 101
        +500ms < P. 101:201(100) ack 1 win 65535
        +0 > . 1:1(0) ack 201
        +2s > . 0:0(0) ack 201
        """).AssertNoLeak();
}
