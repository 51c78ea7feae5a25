using Tapwire.Stack.Tcp;
using Tapwire.Tests.Sim;
using Xunit;

namespace Tapwire.Tests.Stack.Tcp;

/// <summary>The pace at which segments leave, where clocks are not precise.</summary>
public class PacingSpec
{
    /// <summary>A control that measures what it sends would lower the pace again and again if what late timers miss were lost.</summary>
    [Theory]
    [InlineData(0.3)]
    [InlineData(3)]
    public void Timers_that_are_late_do_not_slow_a_flow_down(double milliseconds)
    {
        const double Bandwidth = 200e6;
        var path = new Impairments { Latency = TimeSpan.FromMilliseconds(10), Bandwidth = Bandwidth, QueueLimit = 1000, Loss = 0.01 };
        var options = new TcpOptions { CongestionControl = CongestionAlgorithm.Bbr, ReceiveBuffer = 16 << 20, SendBuffer = 16 << 20 };
        var world = new SimWorld(1, path, options, options);
        world.Left.TimerDelay = TimeSpan.FromMilliseconds(milliseconds);
        var transfer = new SimTransfer(world);
        transfer.Start();
        transfer.Run(TimeSpan.FromSeconds(2));
        var goodput = transfer.Measure(TimeSpan.FromSeconds(1))[0];
        Assert.True(goodput > 0.85 * Bandwidth, $"{goodput / 1e6:F1} Mbit/s");
        transfer.End();
    }
}
