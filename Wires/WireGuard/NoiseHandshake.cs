using System.Security.Cryptography;
using Tapwire.Stack;
using Tapwire.Wires.WireGuard.Crypto;

namespace Tapwire.Wires.WireGuard;

/// <summary>Where a handshake with a peer is.</summary>
internal enum HandshakeState
{
    None,

    /// <summary>We have sent an initiation, and wait for the response.</summary>
    InitiationSent,

    /// <summary>We have received an initiation, and are to answer.</summary>
    InitiationReceived,
}

/// <summary>
/// One handshake with one peer, as initiator or responder: Noise_IKpsk2_25519_ChaChaPoly_BLAKE2s (WireGuard paper, 5.4). The variables have the paper's meaning: the chaining key C, the hash H,
/// and the ephemeral keys. They are erased as soon as there is a session.
/// </summary>
internal sealed class NoiseHandshake : IDisposable
{
    private const int KeyLength = Curve25519.Length;
    private const int TagLength = TransportCipher.TagLength;

    // Places in the initiation.
    private const int EphemeralAt = 8;
    private const int StaticAt = EphemeralAt + KeyLength;
    private const int TimestampAt = StaticAt + KeyLength + TagLength;

    // Places in the response.
    private const int ResponseEphemeralAt = 12;
    private const int EmptyAt = ResponseEphemeralAt + KeyLength;

    private static readonly byte[] InitialChain = Hash("Noise_IKpsk2_25519_ChaChaPoly_BLAKE2s"u8, default);
    private static readonly byte[] InitialHash = Hash(InitialChain, "WireGuard v1 zx2c4 Jason@zx2c4.com"u8);

    // In memory that does not move: these are secrets.
    private readonly byte[] _chain = GC.AllocateArray<byte>(Blake2s.Length, pinned: true);
    private readonly byte[] _ephemeral = GC.AllocateArray<byte>(KeyLength, pinned: true);
    private readonly byte[] _hash = new byte[Blake2s.Length];
    private readonly byte[] _remoteEphemeral = new byte[KeyLength];

    public HandshakeState State { get; private set; }

    /// <summary>The index under which this handshake, and then its session, is known here.</summary>
    public uint LocalIndex { get; private set; }

    public uint RemoteIndex { get; private set; }

    /// <summary>Writes an initiation, without its MACs.</summary>
    /// <param name="agreed">The secret of both static keys.</param>
    /// <param name="timestamp">TAI64N, later than that of any initiation before.</param>
    /// <returns>False: the peer's key is of no use.</returns>
    public bool TryPutInitiation(Span<byte> message, WireGuardIdentity own, PublicKey peer, ReadOnlySpan<byte> agreed, ReadOnlySpan<byte> timestamp, uint localIndex, IRandomBytes random)
    {
        Span<byte> key = stackalloc byte[KeyLength];
        Span<byte> secret = stackalloc byte[KeyLength];
        Span<byte> ownPublic = stackalloc byte[KeyLength];
        Begin(peer);
        Span<byte> peerBytes = stackalloc byte[KeyLength];
        peer.CopyTo(peerBytes);
        WireGuardMessage.PutType(message, WireGuardMessage.Initiation);
        WireGuardMessage.PutSender(message, localIndex);
        PutEphemeral(message.Slice(EphemeralAt, KeyLength), random);
        if (!Curve25519.TryAgree(_ephemeral, peerBytes, secret))
        {
            Erase();
            return false;
        }

        Blake2s.Derive(_chain, secret, key);
        own.PublicKey.CopyTo(ownPublic);
        SealAndMix(key, ownPublic, message.Slice(StaticAt, KeyLength + TagLength));
        Blake2s.Derive(_chain, agreed, key);
        SealAndMix(key, timestamp, message.Slice(TimestampAt, WireGuardMessage.TimestampLength + TagLength));
        CryptographicOperations.ZeroMemory(key);
        CryptographicOperations.ZeroMemory(secret);
        LocalIndex = localIndex;
        State = HandshakeState.InitiationSent;
        return true;
    }

    /// <summary>
    /// Decrypts an initiation of a sender who is not known yet.
    /// </summary>
    /// <param name="findPeer">The peer with that static key, and the secret of both static keys; or null.</param>
    /// <param name="timestamp">12 bytes.</param>
    /// <param name="isGenuine">With null: the message is genuine, but the sender is no peer.</param>
    public WireGuardPeer? TakeInitiation(ReadOnlySpan<byte> message, WireGuardIdentity own, Func<PublicKey, WireGuardPeer?> findPeer, Span<byte> timestamp, out bool isGenuine)
    {
        Span<byte> key = stackalloc byte[KeyLength];
        Span<byte> secret = stackalloc byte[KeyLength];
        Span<byte> sender = stackalloc byte[KeyLength];
        isGenuine = false;
        Begin(own.PublicKey);
        TakeEphemeral(message.Slice(EphemeralAt, KeyLength));
        if (!Curve25519.TryAgree(own.PrivateKey, _remoteEphemeral, secret))
            return null;
        Blake2s.Derive(_chain, secret, key);
        CryptographicOperations.ZeroMemory(secret);
        if (!TryOpenAndMix(key, message.Slice(StaticAt, KeyLength + TagLength), sender))
            return null;
        var peer = findPeer(new PublicKey(sender));
        if (peer is null)
        {
            isGenuine = true;
            return null;
        }

        Blake2s.Derive(_chain, peer.Agreed, key);
        if (!TryOpenAndMix(key, message.Slice(TimestampAt, WireGuardMessage.TimestampLength + TagLength), timestamp))
            return null;
        CryptographicOperations.ZeroMemory(key);
        isGenuine = true;
        RemoteIndex = WireGuardMessage.SenderOf(message);
        State = HandshakeState.InitiationReceived;
        return peer;
    }

    /// <summary>Writes the response to a received initiation, without its MACs.</summary>
    /// <returns>False: the peer's keys are of no use.</returns>
    public bool TryPutResponse(Span<byte> message, PublicKey peer, ReadOnlySpan<byte> preshared, uint localIndex, IRandomBytes random)
    {
        Span<byte> secret = stackalloc byte[KeyLength];
        Span<byte> peerBytes = stackalloc byte[KeyLength];
        peer.CopyTo(peerBytes);
        WireGuardMessage.PutType(message, WireGuardMessage.Response);
        WireGuardMessage.PutSender(message, localIndex);
        WireGuardMessage.PutReceiver(message, WireGuardMessage.Response, RemoteIndex);
        PutEphemeral(message.Slice(ResponseEphemeralAt, KeyLength), random);
        if (!Curve25519.TryAgree(_ephemeral, _remoteEphemeral, secret))
            return false;
        Blake2s.Derive(_chain, secret);
        if (!Curve25519.TryAgree(_ephemeral, peerBytes, secret))
            return false;
        Blake2s.Derive(_chain, secret);
        CryptographicOperations.ZeroMemory(secret);
        Span<byte> key = stackalloc byte[KeyLength];
        MixPreshared(preshared, key);
        SealAndMix(key, default, message.Slice(EmptyAt, TagLength));
        CryptographicOperations.ZeroMemory(key);
        LocalIndex = localIndex;
        return true;
    }

    /// <summary>Takes the response to our initiation. A response that is not genuine changes nothing.</summary>
    public bool TryTakeResponse(ReadOnlySpan<byte> message, WireGuardIdentity own, ReadOnlySpan<byte> preshared)
    {
        Span<byte> chain = stackalloc byte[Blake2s.Length];
        Span<byte> hash = stackalloc byte[Blake2s.Length];
        _chain.CopyTo(chain);
        _hash.CopyTo(hash);
        Span<byte> secret = stackalloc byte[KeyLength];
        Span<byte> key = stackalloc byte[KeyLength];
        TakeEphemeral(message.Slice(ResponseEphemeralAt, KeyLength));
        var isGenuine = Curve25519.TryAgree(_ephemeral, _remoteEphemeral, secret);
        if (isGenuine)
        {
            Blake2s.Derive(_chain, secret);
            isGenuine = Curve25519.TryAgree(own.PrivateKey, _remoteEphemeral, secret);
        }

        if (isGenuine)
        {
            Blake2s.Derive(_chain, secret);
            MixPreshared(preshared, key);
            isGenuine = TryOpenAndMix(key, message.Slice(EmptyAt, TagLength), default);
        }

        if (isGenuine)
        {
            RemoteIndex = WireGuardMessage.SenderOf(message);
        }
        else
        {
            chain.CopyTo(_chain);
            hash.CopyTo(_hash);
        }

        CryptographicOperations.ZeroMemory(chain);
        CryptographicOperations.ZeroMemory(secret);
        CryptographicOperations.ZeroMemory(key);
        return isGenuine;
    }

    /// <summary>Makes the session of a finished handshake, and erases the handshake.</summary>
    public KeyPair Finish(WireGuardPeer peer, TransportCipherFactory ciphers, Instant now)
    {
        // KDF2 of the chaining key and nothing: the initiator's key to send first.
        Span<byte> first = stackalloc byte[Blake2s.Length];
        Span<byte> second = stackalloc byte[Blake2s.Length];
        _chain.CopyTo(first);
        Blake2s.Derive(first, default, second);
        var isInitiator = State == HandshakeState.InitiationSent;
        var keys = new KeyPair(peer, LocalIndex, RemoteIndex, isInitiator,
            ciphers(isInitiator ? first : second, true), ciphers(isInitiator ? second : first, false), now);
        CryptographicOperations.ZeroMemory(first);
        CryptographicOperations.ZeroMemory(second);
        Erase();
        return keys;
    }

    /// <summary>Forgets the handshake and its keys. Its index is no longer this object's.</summary>
    public void Erase()
    {
        CryptographicOperations.ZeroMemory(_chain);
        CryptographicOperations.ZeroMemory(_ephemeral);
        Array.Clear(_hash);
        Array.Clear(_remoteEphemeral);
        (State, LocalIndex, RemoteIndex) = (HandshakeState.None, 0, 0);
    }

    public void Dispose() => Erase();

    private static byte[] Hash(ReadOnlySpan<byte> first, ReadOnlySpan<byte> second)
    {
        var output = new byte[Blake2s.Length];
        Blake2s.Hash(first, second, output);
        return output;
    }

    private void Begin(PublicKey responder)
    {
        Span<byte> bytes = stackalloc byte[KeyLength];
        responder.CopyTo(bytes);
        InitialChain.CopyTo(_chain, 0);
        Blake2s.Hash(InitialHash, bytes, _hash);
    }

    private void PutEphemeral(Span<byte> place, IRandomBytes random)
    {
        random.Fill(_ephemeral);
        Curve25519.Clamp(_ephemeral);
        Curve25519.PublicOf(_ephemeral).CopyTo(place);
        MixEphemeral(place);
    }

    private void TakeEphemeral(ReadOnlySpan<byte> ephemeral)
    {
        ephemeral.CopyTo(_remoteEphemeral);
        MixEphemeral(ephemeral);
    }

    private void MixEphemeral(ReadOnlySpan<byte> ephemeral)
    {
        Blake2s.Hash(_hash, ephemeral, _hash);
        Blake2s.Derive(_chain, ephemeral);
    }

    private void MixPreshared(ReadOnlySpan<byte> preshared, Span<byte> key)
    {
        Span<byte> mixed = stackalloc byte[Blake2s.Length];
        Blake2s.Derive(_chain, preshared, mixed, key);
        Blake2s.Hash(_hash, mixed, _hash);
        CryptographicOperations.ZeroMemory(mixed);
    }

    private void SealAndMix(ReadOnlySpan<byte> key, ReadOnlySpan<byte> plaintext, Span<byte> output)
    {
        using (var cipher = TransportCipher.Fastest(key, true))
            cipher.Seal(0, plaintext, _hash, output);
        Blake2s.Hash(_hash, output, _hash);
    }

    private bool TryOpenAndMix(ReadOnlySpan<byte> key, ReadOnlySpan<byte> sealedBytes, Span<byte> output)
    {
        using (var cipher = TransportCipher.Fastest(key, false))
        {
            if (!cipher.Open(0, sealedBytes, _hash, output))
                return false;
        }

        Blake2s.Hash(_hash, sealedBytes, _hash);
        return true;
    }
}

/// <summary>Our own static keys.</summary>
internal sealed class WireGuardIdentity(SecretKey privateKey) : IDisposable
{
    private readonly SecretKey _privateKey = privateKey.Copy();

    public ReadOnlySpan<byte> PrivateKey => _privateKey.Bytes;

    public PublicKey PublicKey { get; } = Curve25519.PublicOf(privateKey.Bytes);

    public void Dispose() => _privateKey.Dispose();
}
