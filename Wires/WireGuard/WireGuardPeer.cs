using Tapwire.Stack;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Ip;
using Tapwire.Wires.Udp;
using Tapwire.Wires.WireGuard.Crypto;

namespace Tapwire.Wires.WireGuard;

/// <summary>The state of one peer. Its engine is the only one who changes it.</summary>
internal sealed class WireGuardPeer : IDisposable
{
    private static readonly byte[] NoPresharedKey = new byte[Curve25519.Length];

    private readonly byte[] _agreed = GC.AllocateArray<byte>(Curve25519.Length, pinned: true);
    private readonly Queue<PacketBuffer> _staged = new();
    private SecretKey? _presharedKey;

    /// <param name="forgetIndex">Frees an index of a session that is gone.</param>
    public WireGuardPeer(PublicKey publicKey, WireGuardIdentity own, Action<uint> forgetIndex, Func<TimeSpan> jitter)
    {
        PublicKey = publicKey;
        Keys = new KeyPairs(forgetIndex);
        Timers = new WireGuardTimers(jitter);
        Cookies = new CookieJar(publicKey);
        Span<byte> bytes = stackalloc byte[Curve25519.Length];
        publicKey.CopyTo(bytes);
        HasUsableKey = Curve25519.TryAgree(own.PrivateKey, bytes, _agreed);
    }

    public PublicKey PublicKey { get; }

    /// <summary>The key is no point of small order, with which there would be no secret.</summary>
    public bool HasUsableKey { get; }

    /// <summary>The secret of both static keys.</summary>
    public ReadOnlySpan<byte> Agreed => _agreed;

    public ReadOnlySpan<byte> PresharedKey => _presharedKey is { } key ? key.Bytes : NoPresharedKey;

    public NoiseHandshake Handshake { get; } = new();

    public KeyPairs Keys { get; }

    public WireGuardTimers Timers { get; }

    public CookieJar Cookies { get; }

    public IReadOnlyList<IpPrefix> AllowedIps { get; set; } = [];

    /// <summary>Where its messages go; it follows the address that the last genuine message has come from. Null: not known yet.</summary>
    public IpEndpoint? Endpoint { get; set; }

    /// <summary>The own address at which its last genuine message has come, and from which it is answered: a host with several may be known to it by one. Default: the host chooses.</summary>
    public IpAddress Local { get; set; }

    /// <summary>The way of a message to the peer, which has an <see cref="Endpoint"/>.</summary>
    public DatagramPath PathWith(byte trafficClass) => new(Endpoint!.Value, Local, trafficClass);

    /// <summary>The timestamp of its last initiation, so that an older one is not taken.</summary>
    public byte[] LastTimestamp { get; } = new byte[WireGuardMessage.TimestampLength];

    public Instant? LastInitiationReceived { get; set; }

    public Instant? LastInitiationSent { get; set; }

    public Instant? LastHandshake { get; set; }

    /// <summary>When the first of the initiations was sent that nothing has answered; null: all are answered.</summary>
    public Instant? UnansweredSince { get; set; }

    /// <summary>Bytes of messages, as wg(8) counts them.</summary>
    public long BytesReceived { get; set; }

    /// <inheritdoc cref="BytesReceived"/>
    public long BytesSent { get; set; }

    public bool HasStaged => _staged.Count > 0;

    public void SetPresharedKey(SecretKey? key)
    {
        _presharedKey?.Dispose();
        _presharedKey = key?.Copy();
    }

    public bool HasPresharedKey(SecretKey? key) => key is null ? _presharedKey is null : _presharedKey is { } own && own.Equals(key);

    /// <summary>Keeps a packet until there is a session.</summary>
    /// <returns>Number of older packets dropped for it.</returns>
    public int Stage(PacketBuffer packet, int most)
    {
        var dropped = 0;
        for (; _staged.Count >= most; dropped++)
            _staged.Dequeue().Release();
        _staged.Enqueue(packet);
        return dropped;
    }

    public bool TryUnstage(out PacketBuffer packet) => _staged.TryDequeue(out packet!);

    /// <returns>Number of packets dropped.</returns>
    public int DropStaged()
    {
        var dropped = _staged.Count;
        while (_staged.TryDequeue(out var packet))
            packet.Release();
        return dropped;
    }

    public void Dispose()
    {
        DropStaged();
        Handshake.Dispose();
        Keys.Erase();
        Cookies.Erase();
        _presharedKey?.Dispose();
        Array.Clear(_agreed);
    }
}
