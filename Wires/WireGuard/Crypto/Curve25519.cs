using Org.BouncyCastle.Math.EC.Rfc7748;

namespace Tapwire.Wires.WireGuard.Crypto;

/// <summary>X25519 (RFC 7748) by BouncyCastle, whose ladder takes the same time for all keys.</summary>
internal static class Curve25519
{
    /// <summary>Bytes of a private key, a public key and a shared secret.</summary>
    public const int Length = 32;

    /// <summary>Turns 32 random bytes into a private key (RFC 7748, 5).</summary>
    public static void Clamp(Span<byte> privateKey) => X25519.ClampPrivateKey(privateKey);

    public static PublicKey PublicOf(ReadOnlySpan<byte> privateKey)
    {
        Span<byte> point = stackalloc byte[Length];
        X25519.ScalarMultBase(privateKey, point);
        return new PublicKey(point);
    }

    /// <summary>The shared secret.</summary>
    /// <returns>False: the public key is a point of small order, with which there is no secret (RFC 7748, 6.1).</returns>
    public static bool TryAgree(ReadOnlySpan<byte> privateKey, ReadOnlySpan<byte> publicKey, Span<byte> secret) =>
        X25519.CalculateAgreement(privateKey, publicKey, secret);
}
