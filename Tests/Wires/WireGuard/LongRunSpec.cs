using Tapwire.Stack.Ip;
using Tapwire.Wires.WireGuard;
using Xunit;

namespace Tapwire.Tests.Wires.WireGuard;

/// <summary>A day of virtual time between clocks that drift apart.</summary>
public sealed class LongRunSpec
{
    [Theory]
    [InlineData(0.0005, -0.0005)]
    [InlineData(-0.01, 0.01)]
    [InlineData(0.05, 0)]
    public void For_a_day_every_packet_arrives_although_the_clocks_drift(double driftA, double driftB)
    {
        using var net = new WireGuardNetwork(seed: 3);
        var (a, b) = net.Pair(driftA: driftA, driftB: driftB);
        var random = new Random(17);
        var (sentA, sentB) = (0, 0);
        for (var hour = 0; hour < 24; hour++)
        {
            // Both talk, one asks and the other answers, one talks alone, nobody does for most of the time.
            for (var second = 0; second < 3600; second++)
            {
                var (fromA, fromB) = (hour % 4) switch
                {
                    0 => (true, true),
                    1 => (second % 7 == 0, second % 7 == 0),
                    2 => (hour % 8 < 4, hour % 8 >= 4),
                    _ => (random.Next(900) == 0, random.Next(900) == 0),
                };
                if (fromA)
                    a.Send("10.0.0.1", "10.0.0.2", 10, (byte)sentA++);
                if (fromB)
                    b.Send("fd00::2", "fd00::1", 10, (byte)sentB++);
                net.RunSeconds(1);
            }

            Assert.InRange(net.Sent.Count(static each => each.Type == WireGuardMessage.Initiation), 1, 100);
            net.Sent.Clear();
            // A session is refused by its receiver a moment before its sender's clock says so, and what is sent in this moment after a silence is lost, as it is with Linux.
            var expired = (int)(a.Counters[WireGuardDrop.ExpiredSession] + b.Counters[WireGuardDrop.ExpiredSession]);
            Assert.InRange(expired, 0, 2);
            Assert.InRange(a.Packets.Count + b.Packets.Count, sentA + sentB - expired, sentA + sentB);
            Assert.Equal(expired, a.Counters.AllDrops + b.Counters.AllDrops);
            Assert.InRange(a.Engine.Indices, 0, 4);
            Assert.InRange(b.Engine.Indices, 0, 4);
        }
    }

    [Fact]
    public void For_a_day_a_lossy_path_between_drifting_clocks_and_a_host_that_moves_have_no_long_silence()
    {
        using var net = new WireGuardNetwork(seed: 4) { Loss = 0.01, Reordering = 0.02, Latency = TimeSpan.FromMilliseconds(50) };
        var (a, b) = net.Pair(driftA: 0.0002, driftB: -0.0002);
        var (count, silence, longest) = (0, 0, 0);
        for (var second = 0; second < 86400; second++)
        {
            if (second % 3600 == 1800)
                a.Address = new IpEndpoint(IpAddress.Parse($"198.51.100.{second / 3600 + 1}"), 4500);
            a.Send("10.0.0.1", "10.0.0.2", 10);
            b.Send("10.0.0.2", "10.0.0.1", 10);
            net.RunSeconds(1);
            silence = b.Packets.Count == count ? silence + 1 : 0;
            longest = Math.Max(longest, silence);
            count = b.Packets.Count;
            net.Sent.Clear();
        }

        Assert.InRange(count, 86400 * 98 / 100, 86400);
        Assert.InRange(a.Packets.Count, 86400 * 98 / 100, 86400);
        Assert.InRange(longest, 0, 6);
    }
}
