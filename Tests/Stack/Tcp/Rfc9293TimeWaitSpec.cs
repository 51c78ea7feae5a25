using Tapwire.Stack;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Tcp;
using Tapwire.Tests.Sim;
using Xunit;

namespace Tapwire.Tests.Stack.Tcp;

/// <summary>TIME-WAIT with timestamps (RFC 6191), beside ClosingSpec.</summary>
public class Rfc9293TimeWaitSpec
{
    private const string InTimeWait = """
        +0 listen
        +0 < S 0:0(0) win 65535 <mss 1460,TS val 1000 ecr 0>
        +0 > S. 0:0(0) ack 1
        +0 < . 1:1(0) ack 1 win 65535 <TS val 1000 ecr 0>
        +0 accept
        +0 shutdown
        +0 > F. 1:1(0) ack 1
        +0 < F. 1:1(0) ack 2 win 65535 <TS val 1001 ecr 0>
        +0 > . 2:2(0) ack 2
        +0 time-waits 1

        """;

    private static TcpScript Run(string script) => new TcpScript { Options = new TcpOptions() }.Run(InTimeWait + script);

    [Fact]
    public void A_newer_timestamp_opens_the_connection_again_whatever_the_sequence_number() => Run("""
        +1s < S -5000:-5000(0) win 65535 <mss 1460,TS val 2000 ecr 0>
        +0 > S. 65539:65539(0) ack -4999
        +0 time-waits 0
        +0 embryos 1
        """).AssertNoLeak();

    [Fact]
    public void An_older_timestamp_does_not_open_the_connection_again() => Run("""
        +1s < S 5000:5000(0) win 65535 <mss 1460,TS val 900 ecr 0>
        +0 > . 2:2(0) ack 2
        +0 time-waits 1
        """).AssertNoLeak();

    [Fact]
    public void The_same_timestamp_opens_it_if_the_sequence_number_is_higher() => Run("""
        +1s < S 5000:5000(0) win 65535 <mss 1460,TS val 1001 ecr 0>
        +0 > S. 65539:65539(0) ack 5001
        +0 time-waits 0
        """).AssertNoLeak();

    /// <summary>The third connection that we close ends in order, though nothing is remembered of it.</summary>
    [Fact]
    public void Records_are_bounded_and_above_that_a_connection_ends_without_one()
    {
        var script = new TcpScript { Options = new TcpOptions { Timestamps = false, MaxTimeWait = 2 } }.Run("+0 listen");
        for (var port = 50_000; port < 50_003; port++)
        {
            script.Run($"+0 peer {port}\n" + """
                +0 < S 0:0(0) win 65535 <mss 1460>
                +0 > S. 0:0(0) ack 1
                +0 < . 1:1(0) ack 1 win 65535
                +0 accept
                +0 shutdown
                +0 > F. 1:1(0) ack 1
                +0 < F. 1:1(0) ack 2 win 65535
                +0 > . 2:2(0) ack 2
                +0 closed none
                """);
        }

        script.Run("""
            +0 time-waits 2
            +0 sockets 0
            +0 counter TcpExtTCPTimeWaitOverflow 1
            """).AssertNoLeak();
    }

    [Theory]
    [InlineData(500, false)]
    [InlineData(1001, true)]
    public void An_own_connection_is_opened_again_after_a_second_if_it_has_timestamps(int milliseconds, bool free)
    {
        var script = Run("");
        var now = Instant.FromMilliseconds(10_000_000 + milliseconds);
        var (local, remote) = (script.Socket.Local, script.Socket.Remote);
        var error = script.Host.Tcp.Connect(remote, local, default, now, out var socket);
        Assert.Equal(free ? StackError.None : StackError.AddressNotAvailable, error);
        Assert.Equal(free ? 0 : 1, script.Host.Tcp.TimeWaitCount);
        socket?.Abort(now);
        script.AssertNoLeak();
    }
}
