using System.Diagnostics.CodeAnalysis;
using System.Runtime.InteropServices;

namespace Tapwire.Wires.WireGuard.Crypto;

/// <summary>A Curve25519 public key, which is a peer's name. Its text is base64, as wg(8) writes it.</summary>
[StructLayout(LayoutKind.Sequential, Size = Curve25519.Length)]
public readonly record struct PublicKey
{
    private const int TextLength = 44;

    private readonly ulong _a, _b, _c, _d;

    /// <param name="bytes">32 bytes.</param>
    public PublicKey(ReadOnlySpan<byte> bytes)
    {
        var words = MemoryMarshal.Cast<byte, ulong>(bytes);
        (_a, _b, _c, _d) = (words[0], words[1], words[2], words[3]);
    }

    /// <summary>Writes 32 bytes.</summary>
    public void CopyTo(Span<byte> destination)
    {
        var words = MemoryMarshal.Cast<byte, ulong>(destination);
        (words[0], words[1], words[2], words[3]) = (_a, _b, _c, _d);
    }

    /// <summary>Decodes a key of 32 bytes from base64; for private and pre-shared keys, too.</summary>
    /// <param name="key">32 bytes.</param>
    public static bool TryDecode(ReadOnlySpan<char> text, Span<byte> key) =>
        text.Length == TextLength && Convert.TryFromBase64Chars(text, key, out var length) && length == Curve25519.Length;

    public static bool TryParse([NotNullWhen(true)] string? text, out PublicKey key)
    {
        Span<byte> bytes = stackalloc byte[Curve25519.Length];
        var isKey = TryDecode(text, bytes);
        key = isKey ? new PublicKey(bytes) : default;
        return isKey;
    }

    public override string ToString()
    {
        Span<byte> bytes = stackalloc byte[Curve25519.Length];
        CopyTo(bytes);
        return Convert.ToBase64String(bytes);
    }
}
