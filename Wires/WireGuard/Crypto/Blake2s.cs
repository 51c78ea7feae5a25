using System.Security.Cryptography;
using Org.BouncyCastle.Crypto.Digests;

namespace Tapwire.Wires.WireGuard.Crypto;

/// <summary>
/// WireGuard's hash functions over BouncyCastle's BLAKE2s (RFC 7693): HASH, MAC, and HKDF (RFC 5869) with HMAC-BLAKE2s. HMAC (RFC 2104) is put together here and not by the library, whose keys
/// would stay in the heap; a spec compares both.
/// </summary>
internal static class Blake2s
{
    /// <summary>Bytes of a hash, of a chaining key, and of a derived key.</summary>
    public const int Length = 32;

    /// <summary>Bytes of a MAC and of a cookie.</summary>
    public const int MacLength = 16;

    private const int BlockLength = 64;

    [ThreadStatic]
    private static Blake2sDigest? t_digest;

    private static Blake2sDigest Digest => t_digest ??= new Blake2sDigest(8 * Length);

    /// <summary>HASH of two inputs, one after the other; 32 bytes.</summary>
    /// <param name="output">May overlap the inputs.</param>
    public static void Hash(ReadOnlySpan<byte> first, ReadOnlySpan<byte> second, Span<byte> output)
    {
        var digest = Digest;
        digest.BlockUpdate(first);
        digest.BlockUpdate(second);
        digest.DoFinal(output);
    }

    /// <summary>MAC: keyed BLAKE2s with 16 bytes of output.</summary>
    /// <param name="key">At most 32 bytes.</param>
    public static void Mac(ReadOnlySpan<byte> key, ReadOnlySpan<byte> input, Span<byte> output)
    {
        var copy = key.ToArray();
        var digest = new Blake2sDigest(copy, MacLength, null, null);
        digest.BlockUpdate(input);
        digest.DoFinal(output);
        digest.ClearKey();
        CryptographicOperations.ZeroMemory(copy);
    }

    /// <summary>HMAC-BLAKE2s of two inputs, one after the other; 32 bytes.</summary>
    /// <param name="key">At most 64 bytes.</param>
    public static void Hmac(ReadOnlySpan<byte> key, ReadOnlySpan<byte> first, ReadOnlySpan<byte> second, Span<byte> output)
    {
        Span<byte> pad = stackalloc byte[BlockLength];
        Span<byte> inner = stackalloc byte[Length];
        var digest = Digest;
        Fill(pad, key, 0x36);
        digest.BlockUpdate(pad);
        digest.BlockUpdate(first);
        digest.BlockUpdate(second);
        digest.DoFinal(inner);
        Fill(pad, key, 0x5C);
        Hash(pad, inner, output);
        CryptographicOperations.ZeroMemory(pad);
        CryptographicOperations.ZeroMemory(inner);
    }

    /// <summary>KDF1 of the WireGuard paper: the new chaining key alone.</summary>
    /// <param name="chain">The chaining key, which is replaced.</param>
    public static void Derive(Span<byte> chain, ReadOnlySpan<byte> input) => Derive(chain, input, default, default);

    /// <summary>KDF2 of the WireGuard paper: the new chaining key and a key.</summary>
    /// <inheritdoc cref="Derive(Span{byte}, ReadOnlySpan{byte})"/>
    public static void Derive(Span<byte> chain, ReadOnlySpan<byte> input, Span<byte> second) => Derive(chain, input, second, default);

    /// <summary>KDF3 of the WireGuard paper: the new chaining key and two more outputs.</summary>
    /// <param name="second">32 bytes, or empty if it is not wanted.</param>
    /// <param name="third">32 bytes, or empty if it is not wanted.</param>
    /// <inheritdoc cref="Derive(Span{byte}, ReadOnlySpan{byte})"/>
    public static void Derive(Span<byte> chain, ReadOnlySpan<byte> input, Span<byte> second, Span<byte> third)
    {
        Span<byte> secret = stackalloc byte[Length];
        Span<byte> output = stackalloc byte[Length];
        Hmac(chain, input, default, secret);
        Hmac(secret, [1], default, output);
        output.CopyTo(chain);
        if (!second.IsEmpty)
        {
            Hmac(secret, output, [2], output);
            output.CopyTo(second);
        }

        if (!third.IsEmpty)
        {
            Hmac(secret, output, [3], output);
            output.CopyTo(third);
        }

        CryptographicOperations.ZeroMemory(secret);
        CryptographicOperations.ZeroMemory(output);
    }

    private static void Fill(Span<byte> pad, ReadOnlySpan<byte> key, byte value)
    {
        pad.Fill(value);
        for (var i = 0; i < key.Length; i++)
            pad[i] ^= key[i];
    }
}
