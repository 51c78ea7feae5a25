using Tapwire.Tests.Actors.Support;
using Tapwire.Tests.Support;
using Tapwire.Wires;
using Tapwire.Wires.Offload;

namespace Tapwire.Tests.Wires.Offload;

/// <summary>Software offload over a device without any, which the test plays. Every spec ends with all buffers back in their pool.</summary>
public abstract class SoftwareOffloadSetup : IDisposable
{
    /// <param name="placing">The device can place the frames that are read.</param>
    protected SoftwareOffloadSetup(bool placing = false)
    {
        Placing = placing ? new PlacingWire(Device) : null;
        Wire = Over(Device);
    }

    internal DiagnosingBufferPool Pool { get; } = new();

    internal MemoryWire Device { get; } = new();

    /// <summary>What makes the device one that places.</summary>
    internal PlacingWire? Placing { get; }

    internal IWire Wire { get; }

    public void Dispose()
    {
        Wire.Dispose();
        Pool.AssertAllReturned();
        GC.SuppressFinalize(this);
    }

    /// <summary>Software offload over this or another device.</summary>
    internal IWire Over(MemoryWire device) => SoftwareOffloadWire.Over(Placing is null ? device : device == Device ? Placing : new PlacingWire(device), Pool);
}
