using Tapwire.Stack.Interfaces;

namespace Tapwire.Wires;

/// <summary>
/// Two wires joined in memory: frames written at one end are read at the other, with the impairments of a real path. Each end has one owner; the two may be on
/// different threads. A direction without latency, bandwidth limit and reordering has no clock: a frame has arrived when the write returns, and its receiver is
/// notified on the writer's thread. Otherwise a timer notifies the receiver: a timer of the given clock; or, with the system's clock, whose timers are up to 4
/// ms late, one of the receiver's own reactor.
/// </summary>
public sealed class Cable : IDisposable
{
    private readonly CableEnd _a;
    private readonly CableEnd _b;

    /// <param name="time"><see cref="TimeProvider.System"/>, or a clock of virtual time.</param>
    /// <exception cref="ArgumentException">The message names the option, its value and what is accepted.</exception>
    public Cable(CableOptions options, TimeProvider time)
    {
        options.Validate();

        // Locally administered addresses that are easy to recognise in a log.
        _a = new CableEnd(options, options.NameA, new MacAddress(0x02_74_77_00_00_0A));
        _b = new CableEnd(options, options.NameB, new MacAddress(0x02_74_77_00_00_0B));
        var seeds = new CableRandom(options.Seed);
        _a.Outgoing = _b.Incoming = new CableDirection(options, options.AToB, time, seeds.Next()) { Writer = _a, Reader = _b };
        _b.Outgoing = _a.Incoming = new CableDirection(options, options.BToA, time, seeds.Next()) { Writer = _b, Reader = _a };
    }

    /// <summary>One end. Once it is disposed, frames to it are dropped and counted as disconnected.</summary>
    public IWire A => _a;

    /// <inheritdoc cref="A"/>
    public IWire B => _b;

    public CableCounters AToB => _a.Outgoing.Counters;

    public CableCounters BToA => _b.Outgoing.Counters;

    /// <summary>Fails both ends, as if a device were removed: a hang-up is reported, and every use throws a <see cref="WireException"/>.</summary>
    public void Unplug()
    {
        _a.Unplug();
        _b.Unplug();
    }

    /// <summary>Disposes both ends.</summary>
    public void Dispose()
    {
        _a.Dispose();
        _b.Dispose();
    }
}
