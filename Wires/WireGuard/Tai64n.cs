using System.Buffers.Binary;
using Tapwire.Stack;

namespace Tapwire.Wires.WireGuard;

/// <summary>The clock of initiations: TAI64N labels (cr.yp.to/libtai/tai64.html), of which only the order matters. Rounded down to 33 ms, so that they tell little about the machine's clock.</summary>
/// <param name="epoch">The wall clock at <see cref="Instant.Zero"/>.</param>
internal sealed class Tai64n(DateTimeOffset epoch)
{
    // Linux: 2^62 and the ten seconds between TAI and UTC of 1970; 1 s / INITIATIONS_PER_SECOND rounded up to a power of two.
    private const ulong Base = 0x4000_0000_0000_000A;
    private const uint Rounding = 1 << 25;

    public void Write(Instant now, Span<byte> label)
    {
        var ticks = (epoch - DateTimeOffset.UnixEpoch).Ticks + now.Ticks;
        BinaryPrimitives.WriteUInt64BigEndian(label, Base + (ulong)(ticks / TimeSpan.TicksPerSecond));
        var nanoseconds = (uint)(ticks % TimeSpan.TicksPerSecond * TimeSpan.NanosecondsPerTick);
        BinaryPrimitives.WriteUInt32BigEndian(label[8..], nanoseconds & ~(Rounding - 1));
    }
}
