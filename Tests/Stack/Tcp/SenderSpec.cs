using Tapwire.Stack.Buffers;
using Tapwire.Stack.Tcp;
using Tapwire.Tests.Sim;
using Xunit;

namespace Tapwire.Tests.Stack.Tcp;

/// <summary>What is sent when: Nagle, silly windows, probes, write credit, super-frames.</summary>
public class SenderSpec
{
    [Fact]
    public void The_initial_window_is_ten_segments_and_the_rest_follows_on_acknowledgements() => new TcpScript().Run(TcpScript.Accepted + """
        +0 write 20000
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
        +0 cwnd 14600
        +10ms < . 1:1(0) ack 2921 win 65535
        +0 > . 14601:16061(1460) ack 1
        +0 > . 16061:17521(1460) ack 1
        +0 > . 17521:18981(1460) ack 1
        +0 > P. 18981:20001(1020) ack 1
        +0 cwnd 17520
        """).AssertNoLeak();

    [Fact]
    public void A_second_small_segment_waits_for_the_acknowledgement_of_the_first() => new TcpScript().Run(TcpScript.Accepted + """
        +0 write 10
        +0 > P. 1:11(10) ack 1
        +0 write 10
        +5ms write 10
        +5ms < . 1:1(0) ack 11 win 65535
        +0 > P. 11:31(20) ack 1
        """).AssertNoLeak();

    [Fact]
    public void A_small_segment_behind_full_ones_does_not_wait() => new TcpScript().Run(TcpScript.Accepted + """
        +0 write 1500
        +0 > . 1:1461(1460) ack 1
        +0 > P. 1461:1501(40) ack 1
        """).AssertNoLeak();

    [Fact]
    public void Without_nagle_nothing_waits() => new TcpScript().Run(TcpScript.Accepted + """
        +0 nodelay
        +0 write 10
        +0 > P. 1:11(10) ack 1
        +0 write 10
        +0 > P. 11:21(10) ack 1
        """).AssertNoLeak();

    [Fact]
    public void Small_writes_are_sent_as_one_segment() => new TcpScript().Run(TcpScript.Accepted + """
        +0 write 1
        +0 > P. 1:2(1) ack 1
        +0 write 1
        +0 write 700
        +0 write 700
        +0 write 58
        +0 write 1
        +0 > P. 2:1462(1460) ack 1
        +0 write 99
        +1ms < . 1:1(0) ack 2 win 65535
        +0 > P. 1462:1561(99) ack 1
        """).AssertNoLeak();

    [Fact]
    public void A_window_smaller_than_a_segment_is_left_alone_until_the_timer_says_otherwise() => new TcpScript().Run("""
        +0 listen
        +0 < S 0:0(0) win 10000 <mss 1460>
        +0 > S. 0:0(0) ack 1
        +0 < . 1:1(0) ack 1 win 10000
        +0 accept
        +0 write 9000
        +0 > . 1:1461(1460) ack 1
        +0 > . 1461:2921(1460) ack 1
        +0 > . 2921:4381(1460) ack 1
        +0 > . 4381:5841(1460) ack 1
        +0 > . 5841:7301(1460) ack 1
        +0 > . 7301:8761(1460) ack 1
        +0 > P. 8761:9001(240) ack 1
        +1ms < . 1:1(0) ack 9001 win 500
        +0 write 2000
        +200ms > . 9001:9501(500) ack 1
        +1ms < . 1:1(0) ack 9501 win 9000
        +0 > . 9501:10961(1460) ack 1
        +0 > P. 10961:11001(40) ack 1
        """).AssertNoLeak();

    [Fact]
    public void A_closed_window_is_probed_with_growing_intervals_for_as_long_as_the_peer_answers() => new TcpScript
    {
        Options = new TcpOptions { Timestamps = false, MaxRto = TimeSpan.FromSeconds(1), Retries = 3 },
    }.Run(TcpScript.Accepted + """
        +0 write 100
        +0 > P. 1:101(100) ack 1
        +0 < . 1:1(0) ack 101 win 0
        +0 write 100
        +200ms > . 100:100(0) ack 1
        +0 < . 1:1(0) ack 101 win 0
        +400ms > . 100:100(0) ack 1
        +0 < . 1:1(0) ack 101 win 0
        +800ms > . 100:100(0) ack 1
        +0 < . 1:1(0) ack 101 win 0
        +1s > . 100:100(0) ack 1
        +0 < . 1:1(0) ack 101 win 0
        +1s > . 100:100(0) ack 1
        +0 < . 1:1(0) ack 101 win 0
        +1s > . 100:100(0) ack 1
        +500ms < . 1:1(0) ack 101 win 1000
        +0 > P. 101:201(100) ack 1
        +0 state Established
        """).AssertNoLeak();

    [Fact]
    public void A_closed_window_whose_probes_nobody_answers_ends_the_connection() => new TcpScript
    {
        Options = new TcpOptions { Timestamps = false, Retries = 2 },
    }.Run(TcpScript.Accepted + """
        +0 < . 1:1(0) ack 1 win 0
        +0 write 100
        +200ms > . 0:0(0) ack 1
        +400ms > . 0:0(0) ack 1
        +800ms no-event
        +10ms closed TimedOut
        """).AssertNoLeak();

    [Fact]
    public void A_lost_window_update_is_made_good_by_a_probe() => new TcpScript().Run(TcpScript.Accepted + """
        +0 < . 1:1(0) ack 1 win 0
        +0 write 10
        +200ms > . 0:0(0) ack 1
        +5ms < . 1:1(0) ack 1 win 65535
        +0 > P. 1:11(10) ack 1
        """).AssertNoLeak();

    [Fact]
    public void A_window_that_shrinks_over_what_is_in_flight_is_survived() => new TcpScript
    {
        Options = new TcpOptions { Timestamps = false, Retries = 2, MaxRto = TimeSpan.FromSeconds(1) },
    }.Run(TcpScript.Accepted + """
        +0 write 2000
        +0 > . 1:1461(1460) ack 1
        +0 > P. 1461:2001(540) ack 1
        +0 < . 1:1(0) ack 1 win 0
        +200ms > . 1:1461(1460) ack 1
        +0 < . 1:1(0) ack 1 win 0
        +400ms > . 1:1461(1460) ack 1
        +0 < . 1:1(0) ack 1 win 0
        +800ms > . 1:1461(1460) ack 1
        +0 < . 1:1(0) ack 1 win 0
        +1s > . 1:1461(1460) ack 1
        +10ms < . 1:1(0) ack 1461 win 65535
        +0 > P. 1461:2001(540) ack 1
        +10ms < . 1:1(0) ack 2001 win 65535
        +0 state Established
        """).AssertNoLeak();

    [Fact]
    public void A_peer_that_answers_every_probe_does_not_keep_a_connection_whose_application_is_gone() => new TcpScript
    {
        Options = new TcpOptions { Timestamps = false, OrphanRetries = 3, MaxRto = TimeSpan.FromSeconds(1) },
    }.Run(TcpScript.Accepted + """
        +0 < . 1:1(0) ack 1 win 0
        +0 write 100
        +0 close
        +200ms > . 0:0(0) ack 1
        +0 < . 1:1(0) ack 1 win 0
        +400ms > . 0:0(0) ack 1
        +0 < . 1:1(0) ack 1 win 0
        +800ms > . 0:0(0) ack 1
        +0 < . 1:1(0) ack 1 win 0
        +1s closed TimedOut
        +0 sockets 0
        """).AssertNoLeak();

    [Fact]
    public void A_window_that_shrinks_over_what_is_in_flight_does_not_keep_it_either() => new TcpScript
    {
        Options = new TcpOptions { Timestamps = false, OrphanRetries = 2, MaxRto = TimeSpan.FromSeconds(1) },
    }.Run(TcpScript.Accepted + """
        +0 write 100
        +0 > P. 1:101(100) ack 1
        +0 close
        +0 > F. 101:101(0) ack 1
        +0 < . 1:1(0) ack 1 win 0
        +200ms > FP. 1:101(100) ack 1
        +0 < . 1:1(0) ack 1 win 0
        +400ms > FP. 1:101(100) ack 1
        +0 < . 1:1(0) ack 1 win 0
        +801ms closed TimedOut
        +0 sockets 0
        """).AssertNoLeak();

    [Fact]
    public void A_fin_waits_for_the_window_as_a_byte_does() => new TcpScript().Run(TcpScript.Accepted + """
        +0 < . 1:1(0) ack 1 win 0
        +0 shutdown
        +200ms > . 0:0(0) ack 1
        +0 < . 1:1(0) ack 1 win 10
        +0 > F. 1:1(0) ack 1
        """).AssertNoLeak();

    [Fact]
    public void Whoever_writes_is_told_when_room_has_come_back()
    {
        var script = new TcpScript { SocketOptions = new TcpSocketOptions { SendBuffer = 4000 } }.Run(TcpScript.Accepted + """
            +0 write 3000
            +0 > . 1:1461(1460) ack 1
            +0 > . 1461:2921(1460) ack 1
            +0 > P. 2921:3001(80) ack 1
            +0 no-event
            +1ms < . 1:1(0) ack 1461 win 65535
            +0 writable
            """);
        Assert.Equal(1460, script.Socket.TakeAcknowledged());
        Assert.Equal(0, script.Socket.TakeAcknowledged());
        Assert.Equal(4000 - 1540, script.Socket.SendRoom);
        script.AssertNoLeak();
    }

    [Fact]
    public void A_device_that_cuts_segments_is_given_large_packets() => new TcpScript { SuperFrame = 65535 }.Run(TcpScript.Accepted + """
        +0 write 14600
        +0 > P. 1:14601(14600) ack 1
        +5ms < . 1:1(0) ack 14601 win 65535
        +0 write 10000
        +0 > P. 14601:24601(10000) ack 1
        +0 write 10000
        +0 > . 24601:33361(8760) ack 1
        +5ms < . 1:1(0) ack 33361 win 65535
        +0 > P. 33361:34601(1240) ack 1
        """).AssertNoLeak();

    [Fact]
    public void After_an_idle_time_the_congestion_window_begins_anew() => new TcpScript().Run(TcpScript.Accepted + """
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
        +1ms < . 1:1(0) ack 14601 win 65535
        +0 cwnd 29200
        +1s write 10
        +0 > P. 14601:14611(10) ack 1
        +0 cwnd 14600
        """).AssertNoLeak();

    [Fact]
    public void A_congestion_window_that_is_not_used_does_not_grow() => new TcpScript().Run(TcpScript.Accepted + """
        +0 write 100
        +0 > P. 1:101(100) ack 1
        +1ms < . 1:1(0) ack 101 win 65535
        +0 write 100
        +0 > P. 101:201(100) ack 1
        +1ms < . 1:1(0) ack 201 win 65535
        +0 cwnd 14600
        """).AssertNoLeak();

    /// <summary>The retransmission that fills a gap has an old sequence number, but its acknowledgement moves SND.UNA: its window counts.</summary>
    [Fact]
    public void An_acknowledgement_of_new_data_brings_its_window_whatever_its_sequence_number() => new TcpScript().Run(TcpScript.Accepted + """
        +0 < . 1:1(0) ack 1 win 2920
        +0 write 5840
        +0 > . 1:1461(1460) ack 1
        +0 > . 1461:2921(1460) ack 1
        +1ms < P. 1001:1101(100) ack 1 win 2920
        +0 > . 2921:2921(0) ack 1
        +1ms < . 1:1001(1000) ack 2921 win 0
        +0 > . 2921:2921(0) ack 1101
        +1ms < . 1101:1101(0) ack 2921 win 2920
        +0 > . 2921:4381(1460) ack 1101
        +0 > P. 4381:5841(1460) ack 1101
        """).AssertNoLeak();

    [Fact]
    public void A_fin_for_which_the_window_has_no_room_beside_the_data_follows_later() => new TcpScript().Run(TcpScript.Accepted + """
        +0 < . 1:1(0) ack 1 win 0
        +0 write 1000
        +0 shutdown
        +10ms < . 1:1(0) ack 1 win 1000
        +0 > P. 1:1001(1000) ack 1
        +10ms < . 1:1(0) ack 1001 win 1
        +0 > F. 1001:1001(0) ack 1
        """).AssertNoLeak();

    /// <summary>A place in what is queued is sought from buffer to buffer: an application that writes little at a time must not make that long.</summary>
    [Theory]
    [InlineData(1)]
    [InlineData(200)]
    [InlineData(1100)]
    public void Small_writes_by_the_hundred_thousand_share_few_buffers(int size)
    {
        const int Bytes = 1 << 20;
        const int Segment = 1460;
        var pool = new BufferPool();
        var queue = default(SendQueue);
        for (var at = 0; at < Bytes; at += size)
        {
            var data = pool.Rent(size);
            var span = data.Append(size);
            for (var i = 0; i < size; i++)
                span[i] = Pattern(at + i);
            queue.Append(data, pool);
        }

        Assert.InRange(pool.Rented, 1, 1100);
        var places = default(SendPlaces);
        var bytes = new byte[Segment];
        for (var at = 0; at + Segment <= Bytes; at += Segment)
        {
            var segment = queue.Segment(pool, (uint)at, Segment, ref places.Next);
            segment.CopyTo(bytes);
            segment.Release();
            for (var i = 0; i < Segment; i++)
                Assert.Equal(Pattern(at + i), bytes[i]);
        }

        queue.Clear();
        Assert.Equal(0, pool.Rented);
    }

    private static byte Pattern(int at) => (byte)(at * 31 + (at >> 8));
}
