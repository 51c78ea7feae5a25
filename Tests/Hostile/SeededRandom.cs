using System.Buffers.Binary;
using Tapwire.Wires;

namespace Tapwire.Tests.Hostile;

/// <summary>A fast generator whose numbers belong to its seed, not to a version of the runtime.</summary>
internal sealed class SeededRandom(ulong seed) : Random(0)
{
    private CableRandom _source = new(seed);

    /// <summary>The seed of part <paramref name="index"/> of what has a seed.</summary>
    public static ulong Derive(ulong seed, long index)
    {
        var source = new CableRandom(seed);
        return new CableRandom(source.Next() + (ulong)index).Next();
    }

    public uint NextWord() => (uint)(_source.Next() >> 32);

    public bool OneIn(int count) => _source.Next(count) == 0;

    public override int Next(int maxValue) => _source.Next(maxValue);

    public override int Next(int minValue, int maxValue) => minValue + _source.Next(maxValue - minValue);

    public override int Next() => _source.Next(int.MaxValue);

    public override double NextDouble() => _source.NextShare();

    public override void NextBytes(byte[] buffer) => NextBytes(buffer.AsSpan());

    public override void NextBytes(Span<byte> buffer)
    {
        for (; buffer.Length >= sizeof(ulong); buffer = buffer[sizeof(ulong)..])
            BinaryPrimitives.WriteUInt64LittleEndian(buffer, _source.Next());
        foreach (ref var octet in buffer)
            octet = (byte)_source.Next();
    }

    protected override double Sample() => _source.NextShare();
}
