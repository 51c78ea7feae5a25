using System.Security.Cryptography;
using Tapwire.Stack;
using Tapwire.Wires.WireGuard.Crypto;

namespace Tapwire.Wires.WireGuard;

/// <summary>The MACs of handshake messages to one peer, and the last cookie that it has sent (WireGuard paper, 5.4.4 and 5.4.7).</summary>
internal sealed class CookieJar
{
    /// <summary>How long a cookie is used: its maker's two minutes, less the five seconds that it may have been under way (Linux: COOKIE_SECRET_LATENCY).</summary>
    private static readonly TimeSpan Lifetime = CookieSecret.Lifetime - TimeSpan.FromSeconds(5);

    private readonly byte[] _mac1Key = new byte[Blake2s.Length];
    private readonly byte[] _cookieKey = new byte[Blake2s.Length];
    private readonly byte[] _lastMac1 = new byte[Blake2s.MacLength];
    private readonly byte[] _cookie = new byte[Blake2s.MacLength];
    private Instant _cookieUntil;
    private bool _hasSentMac1;

    /// <param name="peer">Whoever checks the MACs.</param>
    public CookieJar(PublicKey peer)
    {
        MacKeys.Mac1(peer, _mac1Key);
        MacKeys.Cookie(peer, _cookieKey);
    }

    /// <summary>Writes mac1 and mac2, the last 32 bytes of a handshake message.</summary>
    public void PutMacs(Span<byte> message, Instant now)
    {
        var body = message[..^WireGuardMessage.MacsLength];
        var macs = message[^WireGuardMessage.MacsLength..];
        Blake2s.Mac(_mac1Key, body, macs[..Blake2s.MacLength]);
        macs[..Blake2s.MacLength].CopyTo(_lastMac1);
        _hasSentMac1 = true;
        if (now < _cookieUntil)
            Blake2s.Mac(_cookie, message[..^Blake2s.MacLength], macs[Blake2s.MacLength..]);
        else
            macs[Blake2s.MacLength..].Clear();
    }

    /// <summary>Takes the cookie of a reply. One reply is taken for each message that was sent.</summary>
    /// <returns>False: it is forged, or answers nothing.</returns>
    public bool TryTake(ReadOnlySpan<byte> reply, Instant now)
    {
        Span<byte> cookie = stackalloc byte[Blake2s.MacLength];
        if (!_hasSentMac1 || !CookieCipher.TryOpen(_cookieKey, reply.Slice(8, CookieCipher.NonceLength), reply[(8 + CookieCipher.NonceLength)..], _lastMac1, cookie))
            return false;
        _hasSentMac1 = false;
        cookie.CopyTo(_cookie);
        _cookieUntil = now + Lifetime;
        return true;
    }

    public void Erase()
    {
        CryptographicOperations.ZeroMemory(_cookie);
        _cookieUntil = Instant.Zero;
    }
}

/// <summary>The keys of mac1 and of cookie replies, which anybody can compute who knows the public key.</summary>
internal static class MacKeys
{
    public static void Mac1(PublicKey of, Span<byte> key) => Hash("mac1----"u8, of, key);

    public static void Cookie(PublicKey of, Span<byte> key) => Hash("cookie--"u8, of, key);

    private static void Hash(ReadOnlySpan<byte> label, PublicKey of, Span<byte> key)
    {
        Span<byte> bytes = stackalloc byte[Curve25519.Length];
        of.CopyTo(bytes);
        Blake2s.Hash(label, bytes, key);
    }
}
