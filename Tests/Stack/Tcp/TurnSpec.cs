using Tapwire.Stack.Buffers;
using Tapwire.Stack.Packets;
using Tapwire.Stack.Tcp;
using Tapwire.Tests.Sim;
using Xunit;

namespace Tapwire.Tests.Stack.Tcp;

/// <summary>Sockets that all have something to send take turns, and what each sends in its turn.</summary>
public class TurnSpec
{
    private const int Flows = 4;

    private static readonly TcpOptions Options = new() { SendBuffer = 1 << 20, ReceiveBuffer = 4 << 20 };

    /// <summary>A long path without loss, on which every window has grown beyond a turn; nothing is in flight.</summary>
    private static (SimWorld World, SimTransfer Transfer) Grown(CongestionAlgorithm algorithm)
    {
        var path = new Impairments { Latency = TimeSpan.FromMilliseconds(20), QueueLimit = 100_000 };
        var world = new SimWorld(7, path, Options with { CongestionControl = algorithm }, Options);
        world.Left.SuperFrame = 65535;
        var transfer = new SimTransfer(world);
        for (var i = 0; i < Flows; i++)
            transfer.Start();
        while (transfer.Senders.Any(sender => sender.Info.CongestionWindow < 400_000))
            transfer.Run(TimeSpan.FromMilliseconds(20));
        transfer.Pause();
        transfer.Run(TimeSpan.FromMilliseconds(180));
        Assert.All(transfer.Senders, sender => Assert.Equal(0, sender.Info.BytesInFlight));
        return (world, transfer);
    }

    /// <summary>What one poll emits: the port of the sender and the bytes, packet by packet. The packets are lost.</summary>
    private static List<(ushort Port, int Bytes)> Emitted(SimWorld world)
    {
        world.Left.Poll(world.Now);
        var emitted = new List<(ushort, int)>();
        while (world.Left.TryDequeue(out var packet, out _))
        {
            Assert.Equal(TcpParseResult.Ok, TcpHeader.TryParse(packet.Span, out var header, out var length));
            emitted.Add((header.SourcePort, packet.TotalLength - length));
            packet.Release();
        }

        return emitted;
    }

    [Fact]
    public void Nobody_sends_more_than_a_turn_while_others_wait()
    {
        var (world, transfer) = Grown(CongestionAlgorithm.Cubic);
        world.Left.EgressLimit = 8;
        transfer.Resume();
        var emitted = Emitted(world);
        Assert.Equal(Flows, emitted.Select(packet => packet.Port).Distinct().Count());
        foreach (var flow in emitted.GroupBy(packet => packet.Port))
            Assert.InRange(flow.Sum(packet => packet.Bytes), 1, (128 << 10) + 65535);
        transfer.End();
    }

    /// <summary>The last in the queue has nobody behind it, and goes at its own pace.</summary>
    [Theory]
    [InlineData(CongestionAlgorithm.Cubic, 60_000, 65_535)]
    [InlineData(CongestionAlgorithm.Bbr, 1, 40_000)]
    public void While_others_wait_packets_are_large_unless_the_pace_must_be_kept(CongestionAlgorithm algorithm, int least, int most)
    {
        var (world, transfer) = Grown(algorithm);
        transfer.Resume();
        Assert.InRange(Emitted(world)[0].Bytes, least, most);
        transfer.End();
    }
}
