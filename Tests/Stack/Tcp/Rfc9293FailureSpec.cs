using Tapwire.Stack;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Tcp;
using Tapwire.Tests.Sim;
using Xunit;

namespace Tapwire.Tests.Stack.Tcp;

/// <summary>Failures, keep-alives, ICMP and what the application hears of them (RFC 9293, 3.8.3, 3.8.4, 3.9.1.8, 3.9.2.2; RFC 5482).</summary>
public class Rfc9293FailureSpec
{
    /// <summary>Lets a connection go unanswered until it gives up.</summary>
    private static TimeSpan Lifetime(TcpOptions options, string? script)
    {
        var run = new TcpScript { Options = options };
        if (script is not null)
            run.Run(script);
        var host = script is null ? new SimHost(IpAddress.Parse("192.0.2.1"), new PoisoningBufferPool(), 1, options) : run.Host;
        var now = Instant.FromMilliseconds(10_000_000);
        TcpSocket? socket = null;
        if (script is null)
            host.Tcp.Connect(new IpEndpoint(IpAddress.Parse("192.0.2.2"), 80), default, default, now, out socket);
        socket ??= run.Socket;
        var begun = now;
        while (socket.State != TcpState.Closed)
        {
            host.Poll(now);
            host.Discard();
            if (socket.State != TcpState.Closed)
                now = Instant.Max(now, host.PollAt);
        }

        Assert.Equal(StackError.TimedOut, socket.Error);
        return now - begun;
    }

    [Fact]
    public void Data_that_nobody_acknowledges_is_sent_again_for_more_than_a_hundred_seconds() => Assert.InRange(
        Lifetime(new TcpOptions { Timestamps = false }, TcpScript.Accepted + """
            +0 write 10
            +0 > P. 1:11(10) ack 1
            """),
        TimeSpan.FromSeconds(100), TimeSpan.FromHours(1));

    [Fact]
    public void A_syn_is_sent_again_for_three_minutes_if_seven_times_are_allowed()
    {
        Assert.InRange(Lifetime(new TcpOptions { SynRetries = 7 }, null), TimeSpan.FromMinutes(3), TimeSpan.FromMinutes(5));
        Assert.Equal(127, (int)Lifetime(new TcpOptions(), null).TotalSeconds);
    }

    [Fact]
    public void The_third_retransmission_is_reported_long_before_the_end() => new TcpScript().Run(TcpScript.Accepted + """
        +0 write 10
        +0 > P. 1:11(10) ack 1
        +200ms > P. 1:11(10) ack 1
        +400ms > P. 1:11(10) ack 1
        +0 no-event
        +800ms > P. 1:11(10) ack 1
        +0 error-reported TimedOut
        +1600ms > P. 1:11(10) ack 1
        +0 no-event
        +0 state Established
        +0 < . 1:1(0) ack 11 win 65535
        +0 writable
        """).AssertNoLeak();

    [Theory]
    [InlineData("NetworkUnreachable", "NetworkUnreachable")]
    [InlineData("HostUnreachable", "HostUnreachable")]
    [InlineData("TimeExceeded", "HostUnreachable")]
    [InlineData("AdminProhibited", "HostUnreachable")]
    [InlineData("ParameterProblem", "ProtocolError")]
    [InlineData("PortUnreachable", "ConnectionRefused")]
    [InlineData("ProtocolUnreachable", "NoSuchOption")]
    [InlineData("SourceRouteFailed", "NotSupported")]
    [InlineData("HostUnknown", "HostDown")]
    [InlineData("HostIsolated", "NotOnNetwork")]
    public void An_icmp_error_is_reported_and_does_not_end_a_connection(string kind, string error) => new TcpScript().Run(TcpScript.Accepted + $"""
        +0 write 10
        +0 > P. 1:11(10) ack 1
        +0 icmp {kind}
        +0 error-reported {error}
        +0 state Established
        +0 < . 1:1(0) ack 11 win 65535
        +0 writable
        +1s state Established
        """).AssertNoLeak();

    [Fact]
    public void What_icmp_has_said_of_a_living_connection_is_taken_once()
    {
        var script = new TcpScript { IsOfV4Only = true }.Run(TcpScript.Accepted + """
            +0 write 10
            +0 > P. 1:11(10) ack 1
            +0 icmp HostUnreachable
            """);
        Assert.Equal(StackError.HostUnreachable, script.Socket.TakeSoftError());
        Assert.Equal(StackError.None, script.Socket.TakeSoftError());
        script.Run("""
            +200ms > P. 1:11(10) ack 1
            +400ms > P. 1:11(10) ack 1
            +800ms > P. 1:11(10) ack 1
            +0 error-reported TimedOut
            """);
        Assert.Equal(StackError.None, script.Socket.TakeSoftError());
        script.AssertNoLeak();
    }

    [Fact]
    public void An_icmp_error_about_nothing_in_flight_is_ignored() => new TcpScript().Run(TcpScript.Accepted + """
        +0 icmp HostUnreachable
        +0 no-event
        +0 counter TcpInIcmpIgnored 1
        """).AssertNoLeak();

    [Fact]
    public void The_user_time_out_also_ends_a_connection_whose_peer_keeps_its_window_closed() => new TcpScript
    {
        SocketOptions = new TcpSocketOptions { UserTimeout = TimeSpan.FromSeconds(5) },
    }.Run(TcpScript.Accepted + """
        +0 < . 1:1(0) ack 1 win 0
        +10s write 100
        +200ms > . 0:0(0) ack 1
        +0 < . 1:1(0) ack 1 win 0
        +400ms > . 0:0(0) ack 1
        +0 < . 1:1(0) ack 1 win 0
        +800ms > . 0:0(0) ack 1
        +0 < . 1:1(0) ack 1 win 0
        +1600ms > . 0:0(0) ack 1
        +0 < . 1:1(0) ack 1 win 0
        +1.9s no-event
        +0.2s closed TimedOut
        """).AssertNoLeak();

    [Fact]
    public void A_window_that_opens_in_time_starts_the_user_time_out_anew() => new TcpScript
    {
        SocketOptions = new TcpSocketOptions { UserTimeout = TimeSpan.FromSeconds(1) },
    }.Run(TcpScript.Accepted + """
        +0 < . 1:1(0) ack 1 win 0
        +10s write 100
        +200ms > . 0:0(0) ack 1
        +400ms > . 0:0(0) ack 1
        +300ms < . 1:1(0) ack 1 win 65535
        +0 > P. 1:101(100) ack 1
        +200ms > P. 1:101(100) ack 1
        +100ms < . 1:1(0) ack 101 win 65535
        +10s state Established
        """).AssertNoLeak();

    private static TcpSocketOptions KeepAlive(int idle, TimeSpan userTimeout = default) => new()
    {
        KeepAlive = true, KeepAliveIdle = TimeSpan.FromSeconds(idle), KeepAliveInterval = TimeSpan.FromSeconds(2), KeepAliveCount = 3, UserTimeout = userTimeout,
    };

    [Fact]
    public void Keepalive_waits_two_hours_unless_told_otherwise() => new TcpScript { SocketOptions = new TcpSocketOptions { KeepAlive = true } }.Run(TcpScript.Accepted + """
        +7199s no-event
        +1s > . 0:0(0) ack 1
        +75s > . 0:0(0) ack 1
        """).AssertNoLeak();

    [Fact]
    public void Keepalive_is_turned_on_and_off_on_a_living_connection()
    {
        var script = new TcpScript { IsOfV4Only = true }.Run(TcpScript.Accepted + "+100000s idle");
        script.Socket.SetOptions(KeepAlive(10), Instant.FromMilliseconds(10_000_000 + 100_000_000));
        script.Run("""
            +10s > . 0:0(0) ack 1
            +0 < . 1:1(0) ack 1 win 65535
            """);
        script.Socket.SetOptions(default, Instant.FromMilliseconds(10_000_000 + 100_010_000));
        script.Run("""
            +20s idle
            +100000s state Established
            """).AssertNoLeak();
    }

    [Fact]
    public void Keepalive_is_silent_while_data_is_outstanding() => new TcpScript { SocketOptions = KeepAlive(1) }.Run(TcpScript.Accepted + """
        +0 write 10
        +0 > P. 1:11(10) ack 1
        +200ms > P. 1:11(10) ack 1
        +400ms > P. 1:11(10) ack 1
        +800ms > P. 1:11(10) ack 1
        +1600ms > P. 1:11(10) ack 1
        +0 < . 1:1(0) ack 11 win 65535
        +1s > . 10:10(0) ack 1
        """).AssertNoLeak();

    [Fact]
    public void One_answer_among_lost_ones_keeps_a_connection_alive() => new TcpScript { SocketOptions = KeepAlive(10) }.Run(TcpScript.Accepted + """
        +10s > . 0:0(0) ack 1
        +2s > . 0:0(0) ack 1
        +2s > . 0:0(0) ack 1
        +1s < . 1:1(0) ack 1 win 65535
        +10s > . 0:0(0) ack 1
        +2s > . 0:0(0) ack 1
        +2s > . 0:0(0) ack 1
        +1s state Established
        """).AssertNoLeak();

    [Fact]
    public void The_user_time_out_takes_the_place_of_the_number_of_keepalive_probes() => new TcpScript
    {
        SocketOptions = KeepAlive(10, TimeSpan.FromSeconds(20)),
    }.Run(TcpScript.Accepted + """
        +10s > . 0:0(0) ack 1
        +2s > . 0:0(0) ack 1
        +2s > . 0:0(0) ack 1
        +2s > . 0:0(0) ack 1
        +2s > . 0:0(0) ack 1
        +2s > R. 1:1(0) ack 1
        +0 closed TimedOut
        """).AssertNoLeak();
}
