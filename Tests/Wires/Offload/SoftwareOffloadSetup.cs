using Tapwire.Tests.Actors.Support;
using Tapwire.Tests.Support;
using Tapwire.Wires;
using Tapwire.Wires.Offload;

namespace Tapwire.Tests.Wires.Offload;

/// <summary>Software offload over a device without any, which the test plays. Every spec ends with all buffers back in their pool.</summary>
public abstract class SoftwareOffloadSetup : IDisposable
{
    protected SoftwareOffloadSetup() => Wire = SoftwareOffloadWire.Over(Device, Pool);

    internal DiagnosingBufferPool Pool { get; } = new();

    internal MemoryWire Device { get; } = new();

    internal IWire Wire { get; }

    public void Dispose()
    {
        Wire.Dispose();
        Pool.AssertAllReturned();
        GC.SuppressFinalize(this);
    }
}
