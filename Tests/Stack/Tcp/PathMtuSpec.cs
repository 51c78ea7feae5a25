using Tapwire.Stack;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Tcp;
using Tapwire.Tests.Sim;
using Xunit;

namespace Tapwire.Tests.Stack.Tcp;

/// <summary>What the path takes: told by ICMP (RFC 1191, RFC 5927), or found out by trying (RFC 4821, RFC 8899).</summary>
public class PathMtuSpec
{
    private static string Flight => TcpScript.Accepted + """
        +0 write 2920
        +0 > . 1:1461(1460) ack 1
        +0 > P. 1461:2921(1460) ack 1

        """;

    /// <summary>RFC 5927, 4.1: what is quoted must be in flight.</summary>
    [Theory]
    [InlineData(0)]
    [InlineData(2921)]
    [InlineData(100_000)]
    public void A_quote_of_what_is_not_in_flight_is_ignored(int sequence) => new TcpScript().Run(Flight + $"""
        +10ms icmp PacketTooBig 1000@{sequence}
        +0 counter TcpInIcmpIgnored 1
        +0 counter TcpRetransSegs 0
        +10ms < . 1:1(0) ack 2921 win 65535
        +0 write 1460
        +0 > P. 2921:4381(1460) ack 1
        """).AssertNoLeak();

    [Fact]
    public void A_quote_of_the_last_byte_in_flight_counts() => new TcpScript { IsOfV4Only = true }.Run(Flight + """
        +10ms icmp PacketTooBig 1000@2920
        +0 > . 1:961(960) ack 1
        +0 > . 961:1921(960) ack 1
        +0 > . 1921:2881(960) ack 1
        +0 > P. 2881:2921(40) ack 1
        """).AssertNoLeak();

    [Theory]
    [InlineData(1500)]
    [InlineData(1501)]
    [InlineData(65535)]
    public void A_larger_size_than_ours_changes_nothing(int mtu) => new TcpScript().Run(Flight + $"""
        +10ms icmp PacketTooBig {mtu}
        +0 counter TcpRetransSegs 0
        +0 < . 1:1(0) ack 2921 win 65535
        +0 write 1460
        +0 > P. 2921:4381(1460) ack 1
        """).AssertNoLeak();

    /// <summary>As in Linux no router presses the path below 552.</summary>
    [Theory]
    [InlineData(0)]
    [InlineData(68)]
    [InlineData(551)]
    public void An_absurd_size_is_not_gone_below(int mtu) => new TcpScript { IsOfV4Only = true }.Run(TcpScript.Accepted + $"""
        +0 write 1024
        +0 > P. 1:1025(1024) ack 1
        +10ms icmp PacketTooBig {mtu}
        +0 > . 1:513(512) ack 1
        +0 > P. 513:1025(512) ack 1
        +0 icmp PacketTooBig {mtu}
        +0 counter TcpRetransSegs 2
        """).AssertNoLeak();

    [Fact]
    public void A_packet_too_big_costs_no_window() => new TcpScript().Run(TcpScript.Accepted + TcpScript.TenSegments + """
        +10ms icmp PacketTooBig 1400
        +0 forget
        +0 cwnd 14600
        +10ms < . 1:1(0) ack 14601 win 65535
        +0 cwnd 29200
        +0 counter TcpExtTCPTimeouts 0
        """).AssertNoLeak();

    /// <summary>The same in congestion avoidance, where the window is far above the threshold that an old loss has left.</summary>
    [Fact]
    public void A_packet_too_big_costs_no_window_above_an_old_threshold()
    {
        var script = new TcpScript().Run(TcpScript.AcceptedWithSack + TcpScript.TenSegments + """
            +20ms < . 1:1(0) ack 1 win 65535 <sack 1461:14601>
            +0 > . 1:1461(1460) ack 1
            +20ms < . 1:1(0) ack 14601 win 65535
            +0 cwnd 7300

            """);
        var at = 14601;
        for (var i = 0; i < 8; i++, at += 14600)
        {
            script.Run($"""
                +0 write 14600
                +1ms forget
                +20ms < . 1:1(0) ack {at + 7300} win 65535
                +1ms forget
                +20ms < . 1:1(0) ack {at + 14600} win 65535
                +1ms forget
                """);
        }

        var window = script.Socket.Info.CongestionWindow;
        Assert.True(window > 7300);
        script.Run("""
            +0 write 14600
            +0 forget
            +1ms icmp PacketTooBig 1400
            +0 forget
            """);
        Assert.Equal(window, script.Socket.Info.CongestionWindow);
        for (var i = 0; i < 3; i++)
        {
            script.Run($"""
                +20ms forget
                +0 < . 1:1(0) ack {at + 4000 * i} win 65535
                +0 forget
                """);
        }

        script.Run($"""
            +20ms forget
            +0 < . 1:1(0) ack {at + 14600} win 65535
            +0 forget
            """);
        Assert.True(script.Socket.Info.CongestionWindow >= window);
        script.AssertNoLeak();
    }

    [Fact]
    public void Other_connections_to_the_same_destination_know_for_ten_minutes() => new TcpScript { IsOfV4Only = true }.Run(TcpScript.Accepted + """
        +0 write 1460
        +0 > P. 1:1461(1460) ack 1
        +0 icmp PacketTooBig 1000
        +0 > . 1:961(960) ack 1
        +0 > P. 961:1461(500) ack 1
        +0 < . 1:1(0) ack 1461 win 65535
        +0 peer 50001
        +599s < S 0:0(0) win 65535 <mss 1460>
        +0 > S. 0:0(0) ack 1 <mss 1460>
        +0 < . 1:1(0) ack 1 win 65535
        +0 accept
        +0 write 1460
        +0 > . 1:961(960) ack 1
        +0 > P. 961:1461(500) ack 1
        +0 < . 1:1(0) ack 1461 win 65535
        +0 peer 50002
        +2s < S 0:0(0) win 65535 <mss 1460>
        +0 > S. 0:0(0) ack 1
        +0 < . 1:1(0) ack 1 win 65535
        +0 accept
        +0 write 1460
        +0 > P. 1:1461(1460) ack 1
        """).AssertNoLeak();

    [Fact]
    public void What_is_remembered_is_bounded_and_the_oldest_goes()
    {
        var cache = new PathMtuCache();
        var now = Instant.FromMilliseconds(1);
        for (var i = 0; i < 10_000; i++)
            cache.Set(Address(i), 1000, now);
        Assert.Equal(4096, cache.Count);
        Assert.Equal(1500, cache.Find(Address(0), 1500, now));
        Assert.Equal(1000, cache.Find(Address(9999), 1500, now));
        Assert.Equal(900, cache.Find(Address(9999), 900, now));
        cache.Set(Address(9999), 1200, now + TimeSpan.FromMinutes(5));
        Assert.Equal(1200, cache.Find(Address(9999), 1500, now + TimeSpan.FromMinutes(14)));
        Assert.Equal(1500, cache.Find(Address(9999), 1500, now + TimeSpan.FromMinutes(15)));
        Assert.Equal(4095, cache.Count);
    }

    private static IpAddress Address(int number) => IpAddress.Parse($"10.{number >> 16}.{(number >> 8) & 255}.{number & 255}");

    [Fact]
    public void Repeated_time_outs_of_large_segments_lead_to_small_ones() => new TcpScript { IsOfV4Only = true }.Run(TcpScript.Accepted + """
        +0 write 1460
        +0 > P. 1:1461(1460) ack 1
        +200ms > P. 1:1461(1460) ack 1
        +400ms > P. 1:1461(1460) ack 1
        +800ms > P. 1:1461(1460) ack 1
        +1.6s > . 1:1025(1024) ack 1
        +0 counter TcpMtuBlackHoles 1
        +10ms < . 1:1(0) ack 1025 win 65535
        +0 > P. 1025:1461(436) ack 1
        """).AssertNoLeak();

    [Fact]
    public void If_these_vanish_as_well_to_what_every_router_must_take_and_no_further() => new TcpScript { IsOfV4Only = true }.Run(TcpScript.Accepted + """
        +0 write 1460
        +0 > P. 1:1461(1460) ack 1
        +200ms > P. 1:1461(1460) ack 1
        +400ms > P. 1:1461(1460) ack 1
        +800ms > P. 1:1461(1460) ack 1
        +1.6s > . 1:1025(1024) ack 1
        +3.2s > . 1:513(512) ack 1
        +0 > . 513:1025(512) ack 1
        +6.4s > . 1:513(512) ack 1
        +0 counter TcpMtuBlackHoles 2
        """).AssertNoLeak();

    [Fact]
    public void Without_probing_segments_stay_as_they_are() => new TcpScript
    {
        Options = new TcpOptions { Timestamps = false, MtuProbing = false },
    }.Run(TcpScript.Accepted + """
        +0 write 1460
        +0 > P. 1:1461(1460) ack 1
        +200ms > P. 1:1461(1460) ack 1
        +400ms > P. 1:1461(1460) ack 1
        +800ms > P. 1:1461(1460) ack 1
        +1.6s > P. 1:1461(1460) ack 1
        +3.2s > P. 1:1461(1460) ack 1
        """).AssertNoLeak();

    [Theory]
    [InlineData(CongestionAlgorithm.NewReno)]
    [InlineData(CongestionAlgorithm.Cubic)]
    [InlineData(CongestionAlgorithm.Bbr)]
    public void Behind_a_black_hole_the_largest_that_passes_is_found_and_larger_ones_once_it_is_gone(CongestionAlgorithm algorithm)
    {
        var path = new Impairments { Latency = TimeSpan.FromMilliseconds(5), Bandwidth = 2e6, QueueLimit = 60, Mtu = 1300, IsBlackHole = true };
        var world = new SimWorld(3, path, new TcpOptions { CongestionControl = algorithm, SendBuffer = 256 << 10 });
        var transfer = new SimTransfer(world);
        transfer.Start();
        transfer.Run(TimeSpan.FromSeconds(15));
        var (info, counters) = (transfer.Senders[0].Info, world.Left.Counters);
        Assert.InRange(info.SegmentSize + 52, 1300 - 32, 1300);
        Assert.True(counters.TcpExtTCPMTUPSuccess > 0 && counters.TcpExtTCPMTUPFail > 0);
        var (probes, timeouts) = (counters.TcpExtTCPMTUPSuccess + counters.TcpExtTCPMTUPFail, counters.TcpExtTCPTimeouts);
        var rate = transfer.Measure(TimeSpan.FromSeconds(10))[0];
        Assert.True(rate > 0.9 * path.Bandwidth * 1248 / 1300, $"{rate} bit/s");
        Assert.Equal(probes, counters.TcpExtTCPMTUPSuccess + counters.TcpExtTCPMTUPFail);
        Assert.Equal(timeouts, counters.TcpExtTCPTimeouts);

        world.Path.There.Impairments = path with { Mtu = 0 };
        transfer.Run(TimeSpan.FromMinutes(10));
        Assert.Equal(1448, transfer.Senders[0].Info.SegmentSize);
        Assert.Equal(timeouts, counters.TcpExtTCPTimeouts);
        transfer.End();
    }

    /// <summary>RFC 4821, 7.5. A queue that never overflows: every loss is that of a probe.</summary>
    [Fact]
    public void The_loss_of_a_probe_is_no_congestion()
    {
        var path = new Impairments { Latency = TimeSpan.FromMilliseconds(5), Mtu = 1300, IsBlackHole = true };
        var world = new SimWorld(3, path, new TcpOptions { CongestionControl = CongestionAlgorithm.NewReno, SendBuffer = 256 << 10 });
        var transfer = new SimTransfer(world);
        transfer.Start();
        var counters = world.Left.Counters;
        while (counters.TcpMtuBlackHoles == 0)
            transfer.Run(TimeSpan.FromMilliseconds(10));
        var fails = counters.TcpExtTCPMTUPFail;
        var window = 0L;
        for (var i = 0; i < 1000; i++)
        {
            transfer.Run(TimeSpan.FromMilliseconds(10));
            var info = transfer.Senders[0].Info;
            Assert.True(info.CongestionWindow >= window, $"{info.CongestionWindow} after {window}");
            window = info.CongestionWindow;
        }

        Assert.True(counters.TcpExtTCPMTUPFail > fails);
        transfer.End();
    }
}
