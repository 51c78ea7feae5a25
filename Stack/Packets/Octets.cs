using System.Buffers.Binary;
using System.Runtime.CompilerServices;

namespace Tapwire.Stack.Packets;

/// <summary>
/// Reads and writes numbers in network order without a bounds check: only for header views, which checked the length once when they were made.
/// </summary>
internal static class Octets
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static byte Get8(ref readonly byte start, int offset) => Unsafe.Add(ref Unsafe.AsRef(in start), offset);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ushort Get16(ref readonly byte start, int offset)
    {
        var value = Unsafe.ReadUnaligned<ushort>(ref Unsafe.Add(ref Unsafe.AsRef(in start), offset));
        return BitConverter.IsLittleEndian ? BinaryPrimitives.ReverseEndianness(value) : value;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static uint Get32(ref readonly byte start, int offset)
    {
        var value = Unsafe.ReadUnaligned<uint>(ref Unsafe.Add(ref Unsafe.AsRef(in start), offset));
        return BitConverter.IsLittleEndian ? BinaryPrimitives.ReverseEndianness(value) : value;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Get64(ref readonly byte start, int offset)
    {
        var value = Unsafe.ReadUnaligned<ulong>(ref Unsafe.Add(ref Unsafe.AsRef(in start), offset));
        return BitConverter.IsLittleEndian ? BinaryPrimitives.ReverseEndianness(value) : value;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Put16(ref byte start, int offset, ushort value) =>
        Unsafe.WriteUnaligned(ref Unsafe.Add(ref start, offset), BitConverter.IsLittleEndian ? BinaryPrimitives.ReverseEndianness(value) : value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Put32(ref byte start, int offset, uint value) =>
        Unsafe.WriteUnaligned(ref Unsafe.Add(ref start, offset), BitConverter.IsLittleEndian ? BinaryPrimitives.ReverseEndianness(value) : value);
}
