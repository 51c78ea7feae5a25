using Tapwire.Tests.Actors.Support;
using Tapwire.Tests.Support;
using Tapwire.Wires;
using Tapwire.Wires.Offload;

namespace Tapwire.Tests.Wires.Offload;

/// <summary>Software offload over a device without any, which the test plays. Every spec ends with all buffers back in their pool.</summary>
public abstract class SoftwareOffloadSetup : IDisposable
{
    /// <param name="inPlace">The device reads frames straight into the place where they are merged.</param>
    protected SoftwareOffloadSetup(bool inPlace = false)
    {
        DirectRead = inPlace ? new DirectReadWire(Device) : null;
        Wire = Over(Device);
    }

    internal DiagnosingBufferPool Pool { get; } = new();

    internal MemoryWire Device { get; } = new();

    /// <summary>What makes the device one that places.</summary>
    internal DirectReadWire? DirectRead { get; }

    internal IWire Wire { get; }

    public void Dispose()
    {
        Wire.Dispose();
        Pool.AssertAllReturned();
        GC.SuppressFinalize(this);
    }

    /// <summary>Software offload over this or another device.</summary>
    internal IWire Over(MemoryWire device) => SoftwareOffloadWire.Over(DirectRead is null ? device : device == Device ? DirectRead : new DirectReadWire(device), Pool);
}
