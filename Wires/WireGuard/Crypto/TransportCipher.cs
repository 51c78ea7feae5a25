using System.Buffers.Binary;

namespace Tapwire.Wires.WireGuard.Crypto;

/// <summary>
/// ChaCha20-Poly1305 (RFC 8439) with one key, for one direction of a session or one field of a handshake. The nonce is four zero bytes and a counter of 64 bits, little-endian.
/// The key is erased when the cipher is disposed. Not thread-safe.
/// </summary>
internal abstract class TransportCipher : IDisposable
{
    /// <summary>Bytes of the authentication tag, which follows the ciphertext.</summary>
    public const int TagLength = 16;

    protected const int NonceLength = 12;

    /// <summary>The faster implementation that this machine has.</summary>
    public static TransportCipherFactory Fastest { get; } = LibcryptoCipher.IsAvailable
        ? static (key, seals) => new LibcryptoCipher(key, seals)
        : static (key, _) => new RuntimeCipher(key);

    /// <summary>The name of <see cref="Fastest"/>, for the log.</summary>
    public static string FastestName => LibcryptoCipher.IsAvailable ? "libcrypto" : ".NET";

    /// <param name="associated">Authenticated, and not part of the output.</param>
    /// <param name="output">The plaintext's length and <see cref="TagLength"/>; it may begin where the plaintext does.</param>
    public abstract void Seal(ulong counter, ReadOnlySpan<byte> plaintext, ReadOnlySpan<byte> associated, Span<byte> output);

    /// <param name="sealedBytes">Ciphertext and tag.</param>
    /// <param name="output">The ciphertext's length; it may begin where the ciphertext does. Its content is undefined if false is returned.</param>
    /// <returns>False: forged, or sealed with another key.</returns>
    public abstract bool Open(ulong counter, ReadOnlySpan<byte> sealedBytes, ReadOnlySpan<byte> associated, Span<byte> output);

    public abstract void Dispose();

    protected static void WriteNonce(Span<byte> nonce, ulong counter)
    {
        nonce[..4].Clear();
        BinaryPrimitives.WriteUInt64LittleEndian(nonce[4..], counter);
    }
}

/// <summary>Makes a cipher of a key of 32 bytes, which it copies.</summary>
/// <param name="seals">It is to seal; false: to open. The other may not work.</param>
internal delegate TransportCipher TransportCipherFactory(ReadOnlySpan<byte> key, bool seals);
