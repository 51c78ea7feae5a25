using System.Buffers.Binary;

namespace Tapwire.Stack;

/// <summary>
/// The engine's only source of randomness: SipHash-2-4 over a counter, keyed with the secret given at construction. Without the secret the numbers cannot be
/// told from random ones; the same secret repeats the run.
/// </summary>
internal sealed class KeyedRandom
{
    /// <summary>Length of the secret in bytes.</summary>
    public const int SecretLength = 32;

    private readonly SipHash _hash;
    private readonly ulong _high;
    private readonly ulong _low;
    private ulong _counter;

    /// <exception cref="ArgumentException">The secret is not <see cref="SecretLength"/> bytes long.</exception>
    public KeyedRandom(ReadOnlySpan<byte> secret)
    {
        if (secret.Length != SecretLength)
            throw new ArgumentException($"The secret has {SecretLength} bytes, not {secret.Length}.", nameof(secret));
        _hash = new SipHash(BinaryPrimitives.ReadUInt64LittleEndian(secret), BinaryPrimitives.ReadUInt64LittleEndian(secret[8..]));
        _high = BinaryPrimitives.ReadUInt64LittleEndian(secret[16..]);
        _low = BinaryPrimitives.ReadUInt64LittleEndian(secret[24..]);
    }

    public ulong NextUInt64() => _hash.Hash(_high, _low, ++_counter);

    public uint NextUInt32() => (uint)NextUInt64();

    /// <summary>A number from 0 up to, not including, <paramref name="bound"/>, which is at least 1.</summary>
    public int Next(int bound)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(bound, 1);
        return (int)Math.BigMul(NextUInt64(), (ulong)bound, out _);
    }

    public void Fill(Span<byte> destination)
    {
        for (; destination.Length >= 8; destination = destination[8..])
            BinaryPrimitives.WriteUInt64LittleEndian(destination, NextUInt64());
        if (destination.IsEmpty)
            return;
        Span<byte> last = stackalloc byte[8];
        BinaryPrimitives.WriteUInt64LittleEndian(last, NextUInt64());
        last[..destination.Length].CopyTo(destination);
    }

    /// <summary>Makes a keyed hash whose key is not drawn, so that the numbers drawn by others stay as they are.</summary>
    /// <param name="use">Another number for each use.</param>
    public SipHash DeriveHash(uint use) => new(_hash.Hash(_high, _low, ulong.MaxValue - 2UL * use), _hash.Hash(_high, _low, ulong.MaxValue - 2UL * use - 1));

    /// <summary>Makes a keyed hash with a key of its own, for one table or one sequence of numbers.</summary>
    public SipHash NextHash() => new(NextUInt64(), NextUInt64());
}
