using Tapwire.Stack.Tcp;
using Tapwire.Tests.Sim;
using Xunit;

namespace Tapwire.Tests.Stack.Tcp;

/// <summary>Urgent data both ways: RFC 9293, 3.8.5; RFC 6093.</summary>
public class UrgentSpec
{
    [Fact]
    public void Urgent_data_is_told_and_stays_in_line() => new TcpScript().Run(TcpScript.Accepted + """
        +0 < PU. 1:11(10) ack 1 win 65535 urg 10
        +0 urgent
        +0 mark 10
        +0 > . 1:1(0) ack 11
        +0 read 10
        +0 mark 0
        +0 counter TcpInUrgent 1
        """).AssertNoLeak();

    [Fact]
    public void The_pointer_names_the_byte_after_the_last_urgent_one() => new TcpScript().Run(TcpScript.Accepted + """
        +0 < P. 1:11(10) ack 1 win 65535
        +0 > . 1:1(0) ack 11
        +0 < PU. 11:21(10) ack 1 win 65535 urg 1
        +0 mark 11
        +0 > . 1:1(0) ack 21
        +0 read 20
        +0 mark 0
        """).AssertNoLeak();

    [Fact]
    public void A_pointer_may_come_before_its_data_and_without_any() => new TcpScript().Run(TcpScript.Accepted + """
        +0 < U. 1:1(0) ack 1 win 65535 urg 5
        +0 urgent
        +0 mark 5
        +0 < P. 1:4(3) ack 1 win 65535
        +0 > . 1:1(0) ack 4
        +0 mark 5
        +0 read 3
        +0 mark 2
        +0 < P. 4:11(7) ack 1 win 65535
        +0 > . 1:1(0) ack 11
        +0 mark 2
        +0 read 7
        +0 mark 0
        """).AssertNoLeak();

    [Fact]
    public void Every_advance_is_told_and_nothing_else() => new TcpScript().Run(TcpScript.Accepted + """
        +0 < U. 1:1(0) ack 1 win 65535 urg 100
        +0 urgent
        +0 < U. 1:1(0) ack 1 win 65535 urg 100
        +0 no-event
        +0 < U. 1:1(0) ack 1 win 65535 urg 50
        +0 no-event
        +0 mark 100
        +0 < U. 1:1(0) ack 1 win 65535 urg 101
        +0 urgent
        +0 mark 101
        """).AssertNoLeak();

    [Fact]
    public void What_lies_behind_the_reader_is_not_urgent_any_more() => new TcpScript().Run(TcpScript.Accepted + """
        +0 < P. 1:11(10) ack 1 win 65535
        +0 > . 1:1(0) ack 11
        +0 read 10
        +0 readable
        +0 < PU. 1:11(10) ack 1 win 65535 urg 10
        +0 > . 1:1(0) ack 11
        +0 < U. 11:11(0) ack 1 win 65535 urg 0
        +0 no-event
        +0 mark 0
        """).AssertNoLeak();

    [Fact]
    public void A_closed_window_does_not_keep_the_pointer_out() => new TcpScript
    {
        Options = new TcpOptions { Timestamps = false, ReceiveBuffer = 2048 },
    }.Run(TcpScript.Accepted + """
        +0 < . 1:2049(2048) ack 1 win 65535
        +0 > . 1:1(0) ack 2049 win 0
        +0 readable
        +0 < PU. 2049:2059(10) ack 1 win 65535 urg 10
        +0 urgent
        +0 mark 2058
        +0 > . 1:1(0) ack 2049 win 0
        +0 read 2048
        +0 > . 1:1(0) ack 2049 win 2048
        +0 mark 10
        """).AssertNoLeak();

    [Fact]
    public void Behind_a_gap_the_pointer_counts_at_once() => new TcpScript().Run(TcpScript.Accepted + """
        +0 < PU. 101:111(10) ack 1 win 65535 urg 10
        +0 urgent
        +0 mark 110
        +0 > . 1:1(0) ack 1
        """).AssertNoLeak();

    [Fact]
    public void A_pointer_beyond_the_end_of_the_stream_is_cut_off_there() => new TcpScript().Run(TcpScript.Accepted + """
        +0 < U. 1:1(0) ack 1 win 65535 urg 60000
        +0 mark 60000
        +0 < FP. 1:11(10) ack 1 win 65535
        +0 > . 1:1(0) ack 12
        +0 mark 10
        +0 read 10
        +0 mark 0
        """).AssertNoLeak();

    [Fact]
    public void Behind_the_fin_the_pointer_is_ignored() => new TcpScript().Run(TcpScript.Accepted + """
        +0 < F. 1:1(0) ack 1 win 65535
        +0 > . 1:1(0) ack 2
        +0 readable
        +0 < U. 2:2(0) ack 1 win 65535 urg 10
        +0 no-event
        +0 mark 0
        """).AssertNoLeak();

    [Fact]
    public void Nobody_is_told_who_does_not_read() => new TcpScript().Run(TcpScript.Accepted + """
        +0 < U. 1:1(0) ack 1 win 65535 urg 10
        +0 urgent
        +0 shutdown-read
        +0 mark 0
        +0 < PU. 1:21(20) ack 1 win 65535 urg 20
        +0 > . 1:1(0) ack 21
        +0 no-event
        +0 mark 0
        """).AssertNoLeak();

    [Fact]
    public void Whoever_accepts_a_connection_hears_of_what_came_before() => new TcpScript().Run("""
        +0 listen
        +0 < S 0:0(0) win 65535 <mss 1460>
        +0 > S. 0:0(0) ack 1
        +0 < PU. 1:11(10) ack 1 win 65535 urg 10
        +0 > . 1:1(0) ack 11
        +0 accept
        +0 urgent
        +0 mark 10
        """).AssertNoLeak();

    [Fact]
    public void A_syn_ack_may_bring_urgent_data() => new TcpScript().Run("""
        +0 connect
        +0 > S 0:0(0)
        +0 < SU. 0:10(10) ack 1 win 65535 urg 6 <mss 1460>
        +0 > . 1:1(0) ack 11
        +0 urgent
        +0 mark 5
        """).AssertNoLeak();

    [Fact]
    public void Urgent_data_is_marked_from_its_first_byte_to_its_last() => new TcpScript().Run(TcpScript.Accepted + """
        +0 write-urgent 3000
        +0 > U. 1:1461(1460) ack 1 urg 3000
        +0 > U. 1461:2921(1460) ack 1 urg 1540
        +0 > PU. 2921:3001(80) ack 1 urg 80
        +0 write 10
        +0 > P. 3001:3011(10) ack 1
        +1ms < . 1:1(0) ack 3011 win 65535
        +0 write 10
        +0 > P. 3011:3021(10) ack 1
        """).AssertNoLeak();

    [Fact]
    public void What_was_written_before_is_marked_too_and_waits_for_nobody() => new TcpScript().Run(TcpScript.Accepted + """
        +0 write 10
        +0 > P. 1:11(10) ack 1
        +0 write 10
        +0 write-urgent 1
        +0 > PU. 11:22(11) ack 1 urg 11
        """).AssertNoLeak();

    [Fact]
    public void A_repeated_segment_is_marked_too() => new TcpScript().Run(TcpScript.Accepted + """
        +0 write-urgent 10
        +0 > PU. 1:11(10) ack 1 urg 10
        +200ms > PU. 1:11(10) ack 1 urg 10
        +0 < P. 1:5(4) ack 1 win 65535
        +0 > . 11:11(0) ack 5
        """).AssertNoLeak();

    [Fact]
    public void A_device_is_not_asked_to_cut_urgent_segments() => new TcpScript { SuperFrame = 65535 }.Run(TcpScript.Accepted + """
        +0 write-urgent 3000
        +0 > U. 1:1461(1460) ack 1 urg 3000
        +0 > U. 1461:2921(1460) ack 1 urg 1540
        +0 > PU. 2921:3001(80) ack 1 urg 80
        +1ms < . 1:1(0) ack 3001 win 65535
        +0 write 3000
        +0 > P. 3001:6001(3000) ack 1
        """).AssertNoLeak();

    [Fact]
    public void A_closed_window_does_not_keep_the_peer_from_hearing_of_it() => new TcpScript().Run(TcpScript.Accepted + """
        +0 < . 1:1(0) ack 1 win 0
        +0 write-urgent 10
        +0 > U. 1:1(0) ack 1 urg 10
        +200ms > U. 0:0(0) ack 1 urg 11
        +0 > U. 1:1(0) ack 1 urg 10
        +1ms < . 1:1(0) ack 1 win 65535
        +0 > PU. 1:11(10) ack 1 urg 10
        """).AssertNoLeak();

    [Fact]
    public void Urgent_data_of_any_length_is_announced_as_far_as_the_pointer_reaches() => new TcpScript().Run(TcpScript.Accepted + """
        +0 < . 1:1(0) ack 1 win 0
        +0 write-urgent 60000
        +0 > U. 1:1(0) ack 1 urg 60000
        +0 write-urgent 60000
        +0 > U. 1:1(0) ack 1 urg 65535
        +1ms < . 1:1(0) ack 1 win 65535
        +0 > U. 1:1461(1460) ack 1 urg 65535
        +0 > U. 1461:2921(1460) ack 1 urg 65535
        +0 > U. 2921:4381(1460) ack 1 urg 65535
        +0 > U. 4381:5841(1460) ack 1 urg 65535
        +0 > U. 5841:7301(1460) ack 1 urg 65535
        +0 > U. 7301:8761(1460) ack 1 urg 65535
        +0 > U. 8761:10221(1460) ack 1 urg 65535
        +0 > U. 10221:11681(1460) ack 1 urg 65535
        +0 > U. 11681:13141(1460) ack 1 urg 65535
        +0 > U. 13141:14601(1460) ack 1 urg 65535
        """).AssertNoLeak();

    [Fact]
    public void Urgent_data_after_shutdown_is_a_broken_pipe() => new TcpScript().Run(TcpScript.Accepted + """
        +0 shutdown
        +0 > F. 1:1(0) ack 1
        +0 write-urgent 10 BrokenPipe
        """).AssertNoLeak();
}
