using System.Security.Cryptography;

namespace Tapwire.Wires.WireGuard.Crypto;

/// <summary>The runtime's ChaCha20-Poly1305, for machines without a libcrypto that can be called directly. It sets the key up anew for each packet, which halves the speed.</summary>
internal sealed class RuntimeCipher(ReadOnlySpan<byte> key) : TransportCipher
{
    private readonly ChaCha20Poly1305 _cipher = new(key);

    public override void Seal(ulong counter, ReadOnlySpan<byte> plaintext, ReadOnlySpan<byte> associated, Span<byte> output)
    {
        Span<byte> nonce = stackalloc byte[NonceLength];
        WriteNonce(nonce, counter);
        _cipher.Encrypt(nonce, plaintext, output[..plaintext.Length], output.Slice(plaintext.Length, TagLength), associated);
    }

    public override bool Open(ulong counter, ReadOnlySpan<byte> sealedBytes, ReadOnlySpan<byte> associated, Span<byte> output)
    {
        Span<byte> nonce = stackalloc byte[NonceLength];
        WriteNonce(nonce, counter);
        var length = sealedBytes.Length - TagLength;
        try
        {
            _cipher.Decrypt(nonce, sealedBytes[..length], sealedBytes[length..], output[..length], associated);
            return true;
        }
        catch (AuthenticationTagMismatchException)
        {
            return false;
        }
    }

    public override void Dispose() => _cipher.Dispose();
}
