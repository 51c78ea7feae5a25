using System.Buffers.Binary;
using System.Numerics;
using System.Runtime.CompilerServices;

namespace Tapwire.Stack;

/// <summary>
/// SipHash (Aumasson and Bernstein, 2012): a keyed hash whose values nobody can predict without the key. It has 2-4 rounds where an attacker sees something
/// derived from the value (ISNs, ports), and 1-3 rounds for hash tables, as in Linux and Rust.
/// </summary>
internal readonly struct SipHash
{
    private readonly ulong _k0;
    private readonly ulong _k1;

    public SipHash(ulong k0, ulong k1)
    {
        _k0 = k0;
        _k1 = k1;
    }

    /// <summary>SipHash-2-4 of a byte string, in the order of the paper's test vectors.</summary>
    public ulong Hash(ReadOnlySpan<byte> data)
    {
        var state = new State(_k0, _k1);
        var length = data.Length;
        for (; data.Length >= 8; data = data[8..])
            state.Absorb2(BinaryPrimitives.ReadUInt64LittleEndian(data));
        var last = (ulong)length << 56;
        for (var i = 0; i < data.Length; i++)
            last |= (ulong)data[i] << (8 * i);
        state.Absorb2(last);
        return state.Finish(4);
    }

    /// <summary>SipHash-2-4 of three words.</summary>
    public ulong Hash(ulong a, ulong b, ulong c)
    {
        var state = new State(_k0, _k1);
        state.Absorb2(a);
        state.Absorb2(b);
        state.Absorb2(c);
        state.Absorb2(24UL << 56);
        return state.Finish(4);
    }

    /// <summary>SipHash-2-4 of five words: two addresses, and a word with the rest of what identifies a connection.</summary>
    public ulong Hash(ulong a, ulong b, ulong c, ulong d, ulong e)
    {
        var state = new State(_k0, _k1);
        state.Absorb2(a);
        state.Absorb2(b);
        state.Absorb2(c);
        state.Absorb2(d);
        state.Absorb2(e);
        state.Absorb2(40UL << 56);
        return state.Finish(4);
    }

    /// <summary>SipHash-1-3 of two words, for hash tables only.</summary>
    public ulong TableHash(ulong a, ulong b)
    {
        var state = new State(_k0, _k1);
        state.Absorb1(a);
        state.Absorb1(b);
        state.Absorb1(16UL << 56);
        return state.Finish(3);
    }

    /// <summary>SipHash-1-3 of five words, for hash tables only.</summary>
    public ulong TableHash(ulong a, ulong b, ulong c, ulong d, ulong e)
    {
        var state = new State(_k0, _k1);
        state.Absorb1(a);
        state.Absorb1(b);
        state.Absorb1(c);
        state.Absorb1(d);
        state.Absorb1(e);
        state.Absorb1(40UL << 56);
        return state.Finish(3);
    }

    private struct State(ulong k0, ulong k1)
    {
        private ulong _v0 = k0 ^ 0x736f6d6570736575;
        private ulong _v1 = k1 ^ 0x646f72616e646f6d;
        private ulong _v2 = k0 ^ 0x6c7967656e657261;
        private ulong _v3 = k1 ^ 0x7465646279746573;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public void Absorb1(ulong word)
        {
            _v3 ^= word;
            Round();
            _v0 ^= word;
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public void Absorb2(ulong word)
        {
            _v3 ^= word;
            Round();
            Round();
            _v0 ^= word;
        }

        public ulong Finish(int rounds)
        {
            _v2 ^= 0xFF;
            for (var i = 0; i < rounds; i++)
                Round();
            return _v0 ^ _v1 ^ _v2 ^ _v3;
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        private void Round()
        {
            _v0 += _v1;
            _v1 = BitOperations.RotateLeft(_v1, 13) ^ _v0;
            _v0 = BitOperations.RotateLeft(_v0, 32);
            _v2 += _v3;
            _v3 = BitOperations.RotateLeft(_v3, 16) ^ _v2;
            _v0 += _v3;
            _v3 = BitOperations.RotateLeft(_v3, 21) ^ _v0;
            _v2 += _v1;
            _v1 = BitOperations.RotateLeft(_v1, 17) ^ _v2;
            _v2 = BitOperations.RotateLeft(_v2, 32);
        }
    }
}
