using Tapwire.Tests.Support;
using Xunit;

namespace Tapwire.Tests.Wires.WireGuard;

/// <summary>What a flood leaves behind.</summary>
[Collection(AloneCollection.Name)]
public sealed class HostileMemorySpec
{
    [Fact]
    public void A_flood_leaves_no_memory_behind()
    {
        using var net = new WireGuardNetwork();
        var (_, b) = net.Pair();
        WireGuardHostility.Random(b, 1000, 1);
        var before = GC.GetTotalMemory(forceFullCollection: true);
        WireGuardHostility.Random(b, 50_000, 2);
        Assert.InRange(GC.GetTotalMemory(forceFullCollection: true) - before, long.MinValue, 100_000);
        Assert.Equal(0, b.Engine.Indices);
    }
}
