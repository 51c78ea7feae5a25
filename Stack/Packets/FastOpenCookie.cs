using System.Buffers.Binary;

namespace Tapwire.Stack.Packets;

/// <summary>The cookie of a TCP Fast Open option (RFC 7413, 4.1.1): 4 to 16 bytes, an even number. <c>default</c>, without bytes, requests one.</summary>
internal readonly record struct FastOpenCookie(ulong High, ulong Low, byte Length)
{
    public const int MinLength = 4;
    public const int MaxLength = 16;

    public bool IsRequest => Length == 0;

    public static bool IsValidLength(int length) => length == 0 || (length is >= MinLength and <= MaxLength && length % 2 == 0);

    /// <param name="value">A cookie of valid length.</param>
    public static FastOpenCookie Read(ReadOnlySpan<byte> value)
    {
        Span<byte> whole = stackalloc byte[MaxLength];
        whole.Clear();
        value.CopyTo(whole);
        return new FastOpenCookie(BinaryPrimitives.ReadUInt64BigEndian(whole), BinaryPrimitives.ReadUInt64BigEndian(whole[8..]), (byte)value.Length);
    }

    /// <summary>Writes <see cref="Length"/> bytes.</summary>
    public void Write(Span<byte> destination)
    {
        Span<byte> whole = stackalloc byte[MaxLength];
        BinaryPrimitives.WriteUInt64BigEndian(whole, High);
        BinaryPrimitives.WriteUInt64BigEndian(whole[8..], Low);
        whole[..Length].CopyTo(destination);
    }
}
