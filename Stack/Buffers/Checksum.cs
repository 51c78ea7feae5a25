using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using Tapwire.Stack.Ip;

namespace Tapwire.Stack.Buffers;

/// <summary>
/// The Internet checksum (RFC 1071). Sums are 16-bit one's-complement sums of big-endian words, always folded, in a <see cref="uint"/>: any number of
/// them may be chained through the <c>sum</c> parameters.
/// </summary>
public static class Checksum
{
    // Each lane of a vector accumulator has 32 bits and takes one word per step.
    private const int MaxSteps = 65536;

    // Below this length the set-up of a vector loop costs more than the loop saves.
    private const int ShortLength = 64;

    /// <summary>Adds the words of <paramref name="data"/> to <paramref name="sum"/>; an odd last byte counts as the high half of a word.</summary>
    public static uint Sum(ReadOnlySpan<byte> data, uint sum = 0)
    {
        ref var start = ref MemoryMarshal.GetReference(data);
        // Headers are short, and most sums are over headers.
        var words = Fold(data.Length < ShortLength ? SumScalar(ref start, data.Length) : SumVectors(ref start, data.Length));
        if (BitConverter.IsLittleEndian)
            words = BinaryPrimitives.ReverseEndianness((ushort)words);
        return sum == 0 ? words : Fold(sum + words);
    }

    /// <summary>Adds the bytes of a buffer from <paramref name="offset"/> on, and of its fragments, as if they were contiguous.</summary>
    /// <param name="offset">At most the length of the buffer's own data.</param>
    public static uint Sum(PacketBuffer buffer, int offset = 0, uint sum = 0)
    {
        var own = buffer.Span[offset..];
        sum = Sum(own, sum);
        var odd = (own.Length & 1) != 0;
        for (var i = 0; i < buffer.FragmentCount; i++)
        {
            var fragment = buffer.GetFragment(i);
            var part = Sum(fragment);
            // The bytes of a part at an odd offset are in the other halves of the words (RFC 1071, 2(B)).
            sum = Fold(sum + (odd ? BinaryPrimitives.ReverseEndianness((ushort)part) : part));
            odd ^= (fragment.Length & 1) != 0;
        }

        return sum;
    }

    /// <summary>The sum of the pseudo-header of TCP, UDP and ICMPv6 (RFC 9293, 3.1; RFC 8200, 8.1).</summary>
    /// <param name="length">Bytes of transport header and payload.</param>
    public static uint PseudoHeader(IpAddress source, IpAddress destination, byte protocol, int length)
    {
        ulong sum = (uint)length + (ulong)protocol;
        if (source.IsV4)
        {
            // The mapped form would add ffff, which is zero in one's complement; but only the four bytes belong to the pseudo-header.
            sum += source.V4;
            sum += destination.V4;
        }
        else
        {
            var (high, low) = source.Halves;
            sum += (high >> 32) + (uint)high + (low >> 32) + (uint)low;
            (high, low) = destination.Halves;
            sum += (high >> 32) + (uint)high + (low >> 32) + (uint)low;
        }

        return Fold(sum);
    }

    /// <summary>The checksum field for a sum: its complement. A sum that includes a correct checksum gives 0.</summary>
    public static ushort Finish(uint sum) => (ushort)~Fold(sum);

    /// <summary>The checksum after one 16-bit word of the data has changed (RFC 1624, equation 3).</summary>
    public static ushort Update(ushort checksum, ushort oldWord, ushort newWord) =>
        (ushort)~Fold((uint)(ushort)~checksum + (ushort)~oldWord + newWord);

    /// <summary>Brings a sum of words to 16 bits by end-around carry. 0 stays 0; nothing else becomes 0.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static uint Fold(ulong sum)
    {
        sum = (sum & 0xFFFF_FFFF) + (sum >> 32);
        sum = (sum & 0xFFFF) + (sum >> 16 & 0xFFFF) + (sum >> 32);
        sum = (sum & 0xFFFF) + (sum >> 16);
        return (uint)((sum & 0xFFFF) + (sum >> 16));
    }

    /// <summary>The sum of words in the machine's own byte order. Folded, it is the byte-swapped sum of big-endian words (RFC 1071, 2(B)).</summary>
    private static ulong SumVectors(ref byte data, int length)
    {
        ulong sum = 0;
        // Below four vectors the set-up costs more than the vectors save.
        if (Vector512.IsHardwareAccelerated && length >= 4 * Vector512<byte>.Count)
        {
            var count = length / Vector512<byte>.Count;
            sum = SumVectors512(ref data, count);
            data = ref Unsafe.Add(ref data, count * Vector512<byte>.Count);
            length -= count * Vector512<byte>.Count;
        }

        if (Vector256.IsHardwareAccelerated && length >= 4 * Vector256<byte>.Count)
        {
            var count = length / Vector256<byte>.Count;
            sum += SumVectors256(ref data, count);
            data = ref Unsafe.Add(ref data, count * Vector256<byte>.Count);
            length -= count * Vector256<byte>.Count;
        }
        else if (Vector128.IsHardwareAccelerated && length >= 4 * Vector128<byte>.Count)
        {
            var count = length / Vector128<byte>.Count;
            sum += SumVectors128(ref data, count);
            data = ref Unsafe.Add(ref data, count * Vector128<byte>.Count);
            length -= count * Vector128<byte>.Count;
        }

        return sum + SumScalar(ref data, length);
    }

    private static ulong SumVectors512(ref byte data, int count)
    {
        ulong sum = 0;
        var mask = Vector512.Create(0xFFFFu);
        while (count > 0)
        {
            var steps = Math.Min(count, MaxSteps);
            count -= steps;
            var low = Vector512<uint>.Zero;
            var high = Vector512<uint>.Zero;
            for (; steps > 0; steps--)
            {
                var words = Vector512.LoadUnsafe(ref data).AsUInt32();
                low += words & mask;
                high += words >>> 16;
                data = ref Unsafe.Add(ref data, Vector512<byte>.Count);
            }

            var (low0, low1) = Vector512.Widen(low);
            var (high0, high1) = Vector512.Widen(high);
            sum += Vector512.Sum(low0 + low1 + high0 + high1);
        }

        return sum;
    }

    private static ulong SumVectors256(ref byte data, int count)
    {
        ulong sum = 0;
        var mask = Vector256.Create(0xFFFFu);
        while (count > 0)
        {
            var steps = Math.Min(count, MaxSteps);
            count -= steps;
            var low = Vector256<uint>.Zero;
            var high = Vector256<uint>.Zero;
            for (; steps > 0; steps--)
            {
                var words = Vector256.LoadUnsafe(ref data).AsUInt32();
                low += words & mask;
                high += words >>> 16;
                data = ref Unsafe.Add(ref data, Vector256<byte>.Count);
            }

            var (low0, low1) = Vector256.Widen(low);
            var (high0, high1) = Vector256.Widen(high);
            sum += Vector256.Sum(low0 + low1 + high0 + high1);
        }

        return sum;
    }

    private static ulong SumVectors128(ref byte data, int count)
    {
        ulong sum = 0;
        var mask = Vector128.Create(0xFFFFu);
        while (count > 0)
        {
            var steps = Math.Min(count, MaxSteps);
            count -= steps;
            var low = Vector128<uint>.Zero;
            var high = Vector128<uint>.Zero;
            for (; steps > 0; steps--)
            {
                var words = Vector128.LoadUnsafe(ref data).AsUInt32();
                low += words & mask;
                high += words >>> 16;
                data = ref Unsafe.Add(ref data, Vector128<byte>.Count);
            }

            var (low0, low1) = Vector128.Widen(low);
            var (high0, high1) = Vector128.Widen(high);
            sum += Vector128.Sum(low0 + low1 + high0 + high1);
        }

        return sum;
    }

    private static ulong SumScalar(ref byte data, int length)
    {
        ulong sum = 0;
        for (; length >= 8; length -= 8)
        {
            var words = Unsafe.ReadUnaligned<ulong>(ref data);
            sum += (uint)words + (words >> 32);
            data = ref Unsafe.Add(ref data, 8);
        }

        if ((length & 4) != 0)
        {
            sum += Unsafe.ReadUnaligned<uint>(ref data);
            data = ref Unsafe.Add(ref data, 4);
        }

        if ((length & 2) != 0)
        {
            sum += Unsafe.ReadUnaligned<ushort>(ref data);
            data = ref Unsafe.Add(ref data, 2);
        }

        if ((length & 1) != 0)
            sum += BitConverter.IsLittleEndian ? data : (uint)data << 8;
        return sum;
    }
}
