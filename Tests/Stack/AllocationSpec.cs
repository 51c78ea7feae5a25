using Tapwire.Stack.Buffers;
using Tapwire.Tests.Support;
using Xunit;

namespace Tapwire.Tests.Stack;

/// <summary>The engine allocates while it gets to know a connection, and not for its packets after that.</summary>
public sealed class AllocationSpec
{
    public enum Hop
    {
        Frames,
        SuperFrames,
    }

    private const long Bulk = 16 << 20;

    [Theory]
    [InlineData(Hop.Frames, 1448)]
    [InlineData(Hop.Frames, 60_000)]
    [InlineData(Hop.SuperFrames, 60_000)]
    public void A_transfer_in_steady_state_allocates_nothing_per_packet(Hop hop, int write)
    {
        var pair = Connect(hop);
        Assert.Equal(0, Allocated.Least(() => pair.Transfer(Bulk, write)));
        Assert.InRange(pair.Frames, hop == Hop.Frames ? Bulk / 1448 : Bulk / 65535, long.MaxValue);
    }

    [Theory]
    [InlineData(Hop.Frames)]
    [InlineData(Hop.SuperFrames)]
    public void A_round_trip_in_steady_state_allocates_nothing(Hop hop)
    {
        var pair = Connect(hop);
        Assert.Equal(0, Allocated.Least(() => RoundTrips(pair)));
    }

    private static DirectPair Connect(Hop hop) => new(hop == Hop.Frames ? DirectPair.Ethernet : DirectPair.Offloading, new BufferPool());

    private static void RoundTrips(DirectPair pair)
    {
        for (var i = 0; i < 10_000; i++)
            pair.RoundTrip();
    }
}
