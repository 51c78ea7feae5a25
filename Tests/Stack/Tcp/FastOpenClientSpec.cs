using Tapwire.Stack;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Packets;
using Tapwire.Stack.Tcp;
using Tapwire.Tests.Sim;
using Xunit;

namespace Tapwire.Tests.Stack.Tcp;

/// <summary>TCP Fast Open of a client (RFC 7413, 4.1.3, 4.2.1).</summary>
public class FastOpenClientSpec
{
    /// <summary>A first connection, which brings the cookie.</summary>
    private const string Cookie = """
        +0 connect
        +0 > S 0:0(0) <mss 1460,sackOK,wscale 5,FO>
        +0 < S. 0:0(0) ack 1 win 65535 <mss 1400,sackOK,FO 0102030405060708>
        +0 > . 1:1(0) ack 1
        +0 connected
        +0 < R 1:1(0)
        +0 closed ConnectionReset
        +0 peer 50000

        """;

    private static TcpScript Run(string script, TcpOptions? options = null, TcpSocketOptions socketOptions = default) =>
        new TcpScript { Options = options ?? new() { Timestamps = false }, SocketOptions = socketOptions with { FastOpen = true } }.Run(script);

    [Fact]
    public void Without_a_cookie_the_syn_asks_for_one_and_data_follows_the_handshake() => Run("""
        +0 connect
        +0 no-event
        +0 > S 0:0(0) <mss 1460,sackOK,wscale 5,FO>
        +0 write 100
        +0 < S. 0:0(0) ack 1 win 65535 <mss 1400,sackOK,FO 0102030405060708>
        +0 > P. 1:101(100) ack 1
        +0 connected
        +0 counter TcpExtTCPFastOpenActive 0
        """).AssertNoLeak();

    [Fact]
    public void With_a_cookie_the_first_write_sends_the_syn_with_the_data() => Run(Cookie + """
        +0 connect
        +0 connected
        +0 idle
        +5s write 100
        +0 > S 0:100(100) <mss 1460,sackOK,wscale 5,FO 0102030405060708>
        +10ms < S. 0:0(0) ack 101 win 65535 <mss 1400,sackOK>
        +0 > . 101:101(0) ack 1
        +0 writable
        +0 state Established
        +0 counter TcpExtTCPFastOpenActive 1
        +0 write 10
        +0 > P. 101:111(10) ack 1
        """).AssertNoLeak();

    [Fact]
    public void Whoever_was_told_of_a_connection_early_is_told_when_it_is_there()
    {
        var script = Run(Cookie + """
            +0 connect
            +0 connected
            +0 write 100
            +0 > S 0:100(100) <mss 1460,sackOK,wscale 5,FO 0102030405060708>
            """);
        Assert.True(script.Socket.IsEarly);
        script.Run("""
            +10ms < S. 0:0(0) ack 101 win 65535 <mss 1400,sackOK>
            +0 > . 101:101(0) ack 1
            +0 connected
            """).AssertNoLeak();
        Assert.False(script.Socket.IsEarly);
    }

    [Fact]
    public void The_data_of_the_syn_fills_at_most_what_the_server_said_it_takes() => Run(
        """
        +0 connect
        +0 > S 0:0(0) <mss 1460,sackOK,TS val 0 ecr 0,wscale 5,FO>
        +0 < S. 0:0(0) ack 1 win 65535 <mss 1400,sackOK,FO 0102030405060708>
        +0 > . 1:1(0) ack 1
        +0 < R 1:1(0)
        +0 peer 50000
        +0 connect
        +0 write 5000
        # The MSS of 1400, without 32 bytes of options.
        +0 > S 0:1368(1368) <mss 1460,sackOK,TS val 0 ecr 0,wscale 5,FO 0102030405060708>
        +10ms < S. 0:0(0) ack 1369 win 65535 <mss 1400,sackOK,TS val 5 ecr 0>
        +0 > . 1369:2757(1388) ack 1 <TS val 10 ecr 5>
        +0 > . 2757:4145(1388) ack 1
        +0 > P. 4145:5001(856) ack 1
        """, new TcpOptions()).AssertNoLeak();

    [Fact]
    public void Data_that_the_syn_ack_does_not_acknowledge_is_sent_again_at_once() => Run(Cookie + """
        +0 connect
        +0 write 300
        +0 > S 0:300(300)
        +0 write 50
        +10ms < S. 0:0(0) ack 1 win 65535 <mss 1400,sackOK,FO 1112131415161718>
        +0 > P. 1:351(350) ack 1
        +0 counter TcpExtTCPFastOpenActiveFail 1
        +0 counter TcpRetransSegs 0
        +0 < R 1:1(0)
        +0 closed ConnectionReset
        # The new cookie is the one to use.
        +0 peer 50000
        +0 connect
        +0 connected
        +0 write 10
        +0 > S 0:10(10) <mss 1460,sackOK,wscale 5,FO 1112131415161718>
        """).AssertNoLeak();

    [Fact]
    public void Of_data_that_is_acknowledged_in_part_the_rest_is_sent_again() => Run(Cookie + """
        +0 connect
        +0 write 300
        +0 > S 0:300(300)
        +10ms < S. 0:0(0) ack 101 win 65535 <mss 1400,sackOK>
        +0 > P. 101:301(200) ack 1
        """).AssertNoLeak();

    [Fact]
    public void An_acknowledgement_beyond_the_data_of_the_syn_is_answered_with_a_reset() => Run(Cookie + """
        +0 connect
        +0 write 300
        +0 > S 0:300(300)
        +10ms < S. 0:0(0) ack 302 win 65535 <mss 1400>
        +0 > R 302:302(0)
        +0 state SynSent
        """).AssertNoLeak();

    [Fact]
    public void A_lost_syn_is_sent_again_without_data_and_option() => Run(Cookie + """
        +0 connect
        +0 write 300
        +0 > S 0:300(300)
        +1s > S 0:0(0) <mss 1460,sackOK,wscale 5>
        +10ms < S. 0:0(0) ack 1 win 65535 <mss 1400,sackOK>
        +0 > P. 1:301(300) ack 1
        +0 counter TcpExtTCPFastOpenActiveFail 1
        """).AssertNoLeak();

    [Fact]
    public void A_late_answer_to_the_first_syn_still_acknowledges_its_data() => Run(Cookie + """
        +0 connect
        +0 write 300
        +0 > S 0:300(300)
        +1s > S 0:0(0)
        +10ms < S. 0:0(0) ack 301 win 65535 <mss 1400,sackOK>
        +0 > . 301:301(0) ack 1
        +0 counter TcpExtTCPFastOpenActive 1
        """).AssertNoLeak();

    [Fact]
    public void After_a_suspected_black_hole_the_path_is_spared_for_a_minute_and_then_two() => Run(Cookie + """
        +0 connect
        +0 write 10
        +0 > S 0:10(10)
        +1s > S 0:0(0)
        +0 < S. 0:0(0) ack 1 win 65535 <mss 1400,sackOK>
        +0 > P. 1:11(10) ack 1
        +0 < R 1:1(0)
        +0 peer 50000
        +59s connect
        +0 > S 0:0(0) <mss 1460,sackOK,wscale 5>
        +0 abort
        +0 peer 50000
        +1s connect
        +0 connected
        +0 write 10
        +0 > S 0:10(10)
        +1s > S 0:0(0)
        +0 < S. 0:0(0) ack 1 win 65535 <mss 1400,sackOK>
        +0 > P. 1:11(10) ack 1
        +0 < R 1:1(0)
        +0 peer 50000
        +119s connect
        +0 > S 0:0(0) <mss 1460,sackOK,wscale 5>
        +0 abort
        +0 peer 50000
        +1s connect
        +0 connected
        """).AssertNoLeak();

    [Fact]
    public void Silence_and_unreachable_hosts_are_remembered() => Run(
        Cookie + """
        +0 connect
        +0 write 10
        +0 > S 0:10(10)
        +1s closed TimedOut
        +0 peer 50000
        +0 connect
        +0 > S 0:0(0) <mss 1460,sackOK,wscale 5>
        +0 abort
        +0 peer 50000
        +60s connect
        +0 write 10
        +0 > S 0:10(10)
        +0 icmp HostUnreachable
        +0 closed HostUnreachable
        +0 peer 50000
        +0 connect
        +0 > S 0:0(0) <mss 1460,sackOK,wscale 5>
        """, new TcpOptions { Timestamps = false, SynRetries = 0 }).AssertNoLeak();

    [Fact]
    public void A_request_that_the_path_swallows_is_not_repeated_at_once() => Run("""
        +0 connect
        +0 > S 0:0(0) <mss 1460,sackOK,wscale 5,FO>
        +1s > S 0:0(0) <mss 1460,sackOK,wscale 5>
        +0 < S. 0:0(0) ack 1 win 65535 <mss 1400>
        +0 > . 1:1(0) ack 1
        +0 < R 1:1(0)
        +0 peer 50000
        +0 connect
        +0 > S 0:0(0) <mss 1460,sackOK,wscale 5>
        """).AssertNoLeak();

    [Fact]
    public void A_server_without_fast_open_is_asked_again_next_time() => Run("""
        +0 connect
        +0 > S 0:0(0) <mss 1460,sackOK,wscale 5,FO>
        +0 < S. 0:0(0) ack 1 win 65535 <mss 1400>
        +0 > . 1:1(0) ack 1
        +0 < R 1:1(0)
        +0 peer 50000
        +0 connect
        +0 > S 0:0(0) <mss 1460,sackOK,wscale 5,FO>
        """).AssertNoLeak();

    [Fact]
    public void Data_and_fin_in_answer_to_the_syn_are_delivered() => Run(Cookie + """
        +0 connect
        +0 write 100
        +0 > S 0:100(100)
        +10ms < S. 0:500(500) ack 101 win 65535 <mss 1400,sackOK>
        +0 > . 101:101(0) ack 501
        +0 < F. 501:501(0) ack 101 win 65535
        +0 > . 101:101(0) ack 502
        +0 read 500
        """).AssertNoLeak();

    [Fact]
    public void The_end_of_sending_sends_the_syn_too() => Run(Cookie + """
        +0 connect
        +0 shutdown
        +0 > S 0:0(0) <mss 1460,sackOK,wscale 5,FO 0102030405060708>
        +10ms < S. 0:0(0) ack 1 win 65535 <mss 1400,sackOK>
        +0 > F. 1:1(0) ack 1
        """).AssertNoLeak();

    [Fact]
    public void What_was_written_before_closing_is_delivered() => Run(Cookie + """
        +0 connect
        +0 write 100
        +0 close
        +0 > S 0:100(100)
        +10ms < S. 0:0(0) ack 101 win 65535 <mss 1400,sackOK>
        +0 > F. 101:101(0) ack 1
        +0 < F. 1:1(0) ack 102 win 65535
        +0 > . 102:102(0) ack 2
        +0 closed None
        """).AssertNoLeak();

    /// <summary>The user time-out begins with the SYN, however late the application has written.</summary>
    [Fact]
    public void Waiting_for_the_first_write_is_not_waiting_for_the_peer() => Run(
        Cookie + """
        +0 connect
        +60s write 100
        +0 > S 0:100(100)
        +1s > S 0:0(0)
        +2s > S 0:0(0)
        +4s closed TimedOut
        """, socketOptions: new() { UserTimeout = TimeSpan.FromSeconds(5) }).AssertNoLeak();

    [Fact]
    public void Closing_without_a_word_sends_nothing() => Run(Cookie + """
        +0 connect
        +0 close
        +0 closed ConnectionAborted
        +0 sockets 0
        +0 idle
        """).AssertNoLeak();

    [Fact]
    public void A_refusal_after_the_connection_was_reported_is_its_end() => Run(Cookie + """
        +0 connect
        +0 connected
        +0 write 100
        +0 > S 0:100(100)
        +0 < R. 0:0(0) ack 101
        +0 closed ConnectionRefused
        """).AssertNoLeak();

    [Fact]
    public void A_simultaneous_open_sends_the_data_after_the_handshake() => Run(Cookie + """
        +0 connect
        +0 write 100
        +0 > S 0:100(100)
        +0 < S 0:0(0) win 65535 <mss 1400>
        +0 > S. 0:0(0) ack 1 <mss 1460>
        +0 < S. 0:0(0) ack 1 win 65535 <mss 1400>
        +0 > P. 1:101(100) ack 1
        """).AssertNoLeak();

    [Fact]
    public void Fast_open_is_for_sockets_that_ask_and_stacks_that_allow_it()
    {
        new TcpScript().Run("""
            +0 connect
            +0 > S 0:0(0) <mss 1460,sackOK,wscale 5>
            """).AssertNoLeak();
        Run("""
            +0 connect
            +0 > S 0:0(0) <mss 1460,sackOK,wscale 5>
            """, new TcpOptions { Timestamps = false, FastOpen = false }).AssertNoLeak();
    }

    [Fact]
    public void The_cache_is_bounded_and_forgets_what_was_not_used_for_longest()
    {
        var cache = new FastOpenCache(3);
        var now = Instant.FromMilliseconds(5);
        var cookie = new FastOpenCookie(1, 0, 8);
        for (var i = 1u; i <= 3; i++)
            cache.Answered(default, IpAddress.FromV4(i), cookie, 1000);
        Assert.True(cache.TryFind(default, IpAddress.FromV4(1), now, out var found, out var mss));
        Assert.Equal((cookie, 1000), (found, (int)mss));
        cache.Answered(default, IpAddress.FromV4(4), cookie, 1000);
        Assert.Equal(3, cache.Count);
        cache.TryFind(default, IpAddress.FromV4(2), now, out found, out _);
        Assert.True(found.IsRequest);
        cache.TryFind(default, IpAddress.FromV4(1), now, out found, out _);
        Assert.False(found.IsRequest);
        cache.TryFind(IpAddress.FromV4(9), IpAddress.FromV4(1), now, out found, out _);
        Assert.True(found.IsRequest);
    }
}
