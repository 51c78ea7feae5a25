using System.Security.Cryptography;
using Tapwire.Stack.Ip;
using Tapwire.Wires.WireGuard.Crypto;

namespace Tapwire.Wires.WireGuard;

/// <summary>A key of 32 bytes that is kept from others and erased in the end: in memory that the garbage collector does not move, so that no copy is left.</summary>
public sealed class SecretKey : IDisposable
{
    private readonly byte[] _bytes = GC.AllocateArray<byte>(Curve25519.Length, pinned: true);

    /// <param name="bytes">32 bytes, which are copied.</param>
    public SecretKey(ReadOnlySpan<byte> bytes) => bytes[..Curve25519.Length].CopyTo(_bytes);

    /// <summary>32 bytes; zeros once it is disposed.</summary>
    public ReadOnlySpan<byte> Bytes => _bytes;

    public bool Equals(SecretKey other) => CryptographicOperations.FixedTimeEquals(_bytes, other._bytes);

    public SecretKey Copy() => new(_bytes);

    public void Dispose() => CryptographicOperations.ZeroMemory(_bytes);
}

/// <summary>One peer, as it is configured.</summary>
/// <param name="AllowedIps">The networks whose packets go to it, and come from it.</param>
/// <param name="PresharedKey">Null: none, which the protocol takes as zeros. The owner is who has made the record.</param>
/// <param name="Endpoint">Null: the peer is known by its name, or it is the one who begins.</param>
/// <param name="EndpointName">HOST:PORT where the file has a name; null where it has an address, or nothing.</param>
/// <param name="PersistentKeepalive">Seconds, 1..65535; 0: off.</param>
public sealed record WireGuardPeerOptions(PublicKey PublicKey, IReadOnlyList<IpPrefix> AllowedIps, SecretKey? PresharedKey = null, IpEndpoint? Endpoint = null,
    string? EndpointName = null, int PersistentKeepalive = 0);

/// <summary>Random bytes for ephemeral keys, indices, jitter and nonces: given to the engine, so that a simulation repeats from its seed.</summary>
internal interface IRandomBytes
{
    void Fill(Span<byte> bytes);
}

/// <summary>The system's random bytes.</summary>
internal sealed class SystemRandomBytes : IRandomBytes
{
    public static readonly SystemRandomBytes Instance = new();

    public void Fill(Span<byte> bytes) => RandomNumberGenerator.Fill(bytes);
}

/// <summary>Limits of an engine, and the constants of the protocol that a test may want to change.</summary>
internal sealed record WireGuardLimits
{
    public static readonly WireGuardLimits Default = new();

    /// <summary>The inner packets' MTU, in bytes: packets are not padded beyond it.</summary>
    public int Mtu { get; init; } = 1420;

    /// <summary>Handshake messages handled in a second before a sender has to prove its address by a cookie (5.3): about a tenth of a core at 0.5 ms each.</summary>
    public int HandshakesPerSecond { get; init; } = 200;

    /// <summary>Under load: handshakes a second of one address, or one IPv6 /64, and how many at once (Linux: ratelimiter.c).</summary>
    public int HandshakesPerSecondOfAddress { get; init; } = 20;

    /// <inheritdoc cref="HandshakesPerSecondOfAddress"/>
    public int HandshakeBurstOfAddress { get; init; } = 5;

    /// <summary>Packets of one peer that wait for a session (Linux: MAX_STAGED_PACKETS); one more drops the oldest.</summary>
    public int StagedPackets { get; init; } = 128;
}
