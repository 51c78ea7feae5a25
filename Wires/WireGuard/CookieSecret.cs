using System.Buffers.Binary;
using System.Security.Cryptography;
using Tapwire.Stack;
using Tapwire.Stack.Ip;
using Tapwire.Wires.WireGuard.Crypto;

namespace Tapwire.Wires.WireGuard;

/// <summary>What a received handshake message has shown by its MACs.</summary>
internal enum MacState
{
    Invalid,

    /// <summary>mac1 is right: the sender knows our public key.</summary>
    Mac1,

    /// <summary>mac2 is right, too: the sender has received a cookie at its address.</summary>
    Cookie,
}

/// <summary>
/// Checks the MACs of received handshake messages, and makes cookies (WireGuard paper, 5.3): a MAC of the sender's address with a secret that changes every two minutes, so that nothing is
/// stored for a sender.
/// </summary>
internal sealed class CookieSecret
{
    /// <summary>The paper's two minutes.</summary>
    public static readonly TimeSpan Lifetime = TimeSpan.FromMinutes(2);

    private readonly IRandomBytes _random;
    private readonly byte[] _mac1Key = new byte[Blake2s.Length];
    private readonly byte[] _cookieKey = new byte[Blake2s.Length];
    private readonly byte[] _secret = new byte[Blake2s.Length];
    private Instant _until;

    /// <param name="own">Our own public key.</param>
    public CookieSecret(PublicKey own, IRandomBytes random)
    {
        _random = random;
        MacKeys.Mac1(own, _mac1Key);
        MacKeys.Cookie(own, _cookieKey);
    }

    /// <param name="wantsCookie">Looks at mac2, too.</param>
    public MacState Check(ReadOnlySpan<byte> message, in IpEndpoint from, bool wantsCookie, Instant now)
    {
        Span<byte> mac = stackalloc byte[Blake2s.MacLength];
        var macs = message[^WireGuardMessage.MacsLength..];
        Blake2s.Mac(_mac1Key, message[..^WireGuardMessage.MacsLength], mac);
        if (!CryptographicOperations.FixedTimeEquals(mac, macs[..Blake2s.MacLength]))
            return MacState.Invalid;
        if (!wantsCookie || now >= _until)
            return MacState.Mac1;
        Span<byte> cookie = stackalloc byte[Blake2s.MacLength];
        Make(from, cookie);
        Blake2s.Mac(cookie, message[..^Blake2s.MacLength], mac);
        return CryptographicOperations.FixedTimeEquals(mac, macs[Blake2s.MacLength..]) ? MacState.Cookie : MacState.Mac1;
    }

    /// <summary>Writes the reply to a message: 64 bytes, less than either handshake message.</summary>
    public void PutReply(ReadOnlySpan<byte> message, in IpEndpoint from, Span<byte> reply, Instant now)
    {
        if (now >= _until)
        {
            _random.Fill(_secret);
            _until = now + Lifetime;
        }

        Span<byte> cookie = stackalloc byte[Blake2s.MacLength];
        Make(from, cookie);
        WireGuardMessage.PutType(reply, WireGuardMessage.CookieReply);
        WireGuardMessage.PutReceiver(reply, WireGuardMessage.CookieReply, WireGuardMessage.SenderOf(message));
        var nonce = reply.Slice(8, CookieCipher.NonceLength);
        _random.Fill(nonce);
        var mac1 = message.Slice(message.Length - WireGuardMessage.MacsLength, Blake2s.MacLength);
        CookieCipher.Seal(_cookieKey, nonce, cookie, mac1, reply[(8 + CookieCipher.NonceLength)..]);
    }

    public void Erase() => CryptographicOperations.ZeroMemory(_secret);

    private void Make(in IpEndpoint from, Span<byte> cookie)
    {
        Span<byte> address = stackalloc byte[18];
        from.Address.CopyTo16(address);
        BinaryPrimitives.WriteUInt16BigEndian(address[16..], from.Port);
        Blake2s.Mac(_secret, address, cookie);
    }
}
