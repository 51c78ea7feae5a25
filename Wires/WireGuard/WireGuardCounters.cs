namespace Tapwire.Wires.WireGuard;

/// <summary>Why a datagram, or a packet, was dropped. Each is counted.</summary>
public enum WireGuardDrop
{
    /// <summary>No message of WireGuard: its type, reserved bytes or length are wrong.</summary>
    Malformed,

    /// <summary>mac1 is wrong: the sender does not know our public key, or something has changed the message.</summary>
    InvalidMac,

    /// <summary>Under load, without a valid cookie; a cookie reply has been sent.</summary>
    NoCookie,

    /// <summary>Under load, and the address has sent too many handshakes.</summary>
    RateLimited,

    /// <summary>A handshake that does not decrypt: forged, or with a wrong key or pre-shared key.</summary>
    InvalidHandshake,

    /// <summary>The handshake is genuine, but its sender is no peer of ours.</summary>
    UnknownPeer,

    /// <summary>A handshake that has been received before, or follows the one before too soon.</summary>
    ReplayedHandshake,

    /// <summary>No session or handshake has that index.</summary>
    UnknownIndex,

    /// <summary>A cookie reply that does not decrypt, or answers nothing.</summary>
    InvalidCookie,

    /// <summary>The session is too old, or has sent too many packets.</summary>
    ExpiredSession,

    /// <summary>A data message that does not decrypt.</summary>
    InvalidData,

    /// <summary>A data message that has been received before, or is older than the window.</summary>
    ReplayedData,

    /// <summary>The packet in a genuine data message is no IP packet, or longer than the message.</summary>
    MalformedPacket,

    /// <summary>The packet's source is none of the peer's allowed addresses.</summary>
    DisallowedSource,

    /// <summary>A received packet is longer than the reader has room for.</summary>
    TooLong,

    /// <summary>A packet of the stack for an address that no peer has.</summary>
    NoPeer,

    /// <summary>A packet of the stack that waited for a session: the queue was full, or the peer has not answered.</summary>
    NoSession,

    /// <summary>A message that the socket had no room for.</summary>
    SocketFull,
}

/// <summary>The counters of an engine.</summary>
internal sealed class WireGuardCounters
{
    private readonly long[] _drops = new long[Enum.GetValues<WireGuardDrop>().Length];

    /// <summary>Data messages without a packet that have been received.</summary>
    public long KeepalivesReceived { get; set; }

    public long KeepalivesSent { get; set; }

    public long InitiationsSent { get; set; }

    public long ResponsesSent { get; set; }

    public long CookieRepliesSent { get; set; }

    public long Handshakes { get; set; }

    public long this[WireGuardDrop reason] => _drops[(int)reason];

    public long AllDrops => _drops.Sum();

    public void Count(WireGuardDrop reason, int count = 1) => _drops[(int)reason] += count;
}
