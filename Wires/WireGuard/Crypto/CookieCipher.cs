using Org.BouncyCastle.Crypto;
using Org.BouncyCastle.Crypto.Modes;
using Org.BouncyCastle.Crypto.Parameters;

namespace Tapwire.Wires.WireGuard.Crypto;

/// <summary>XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha-03) by BouncyCastle, for the cookies of cookie replies. Its keys are derived from public keys, so nothing here is secret.</summary>
internal static class CookieCipher
{
    public const int NonceLength = 24;

    /// <param name="output">The plaintext's length and 16 bytes.</param>
    public static void Seal(ReadOnlySpan<byte> key, ReadOnlySpan<byte> nonce, ReadOnlySpan<byte> plaintext, ReadOnlySpan<byte> associated, Span<byte> output)
    {
        var cipher = Begin(true, key, nonce, associated);
        var written = cipher.ProcessBytes(plaintext, output);
        cipher.DoFinal(output[written..]);
    }

    /// <param name="output">16 bytes less than the input.</param>
    /// <returns>False: forged.</returns>
    public static bool TryOpen(ReadOnlySpan<byte> key, ReadOnlySpan<byte> nonce, ReadOnlySpan<byte> sealedBytes, ReadOnlySpan<byte> associated, Span<byte> output)
    {
        try
        {
            var cipher = Begin(false, key, nonce, associated);
            var written = cipher.ProcessBytes(sealedBytes, output);
            cipher.DoFinal(output[written..]);
            return true;
        }
        catch (InvalidCipherTextException)
        {
            return false;
        }
    }

    private static XChaCha20Poly1305 Begin(bool seals, ReadOnlySpan<byte> key, ReadOnlySpan<byte> nonce, ReadOnlySpan<byte> associated)
    {
        var cipher = new XChaCha20Poly1305();
        cipher.Init(seals, new ParametersWithIV(new KeyParameter(key), nonce));
        cipher.ProcessAadBytes(associated);
        return cipher;
    }
}
