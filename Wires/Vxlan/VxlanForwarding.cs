using Tapwire.Stack;
using Tapwire.Stack.Interfaces;

namespace Tapwire.Wires.Vxlan;

/// <summary>What learning an address has come to.</summary>
internal enum VxlanLearning
{
    /// <summary>It was known.</summary>
    Known,
    Learned,

    /// <summary>It was another peer's.</summary>
    Moved,

    /// <summary>The settings give it to another peer: the frame is not to be believed.</summary>
    Refused,

    /// <summary>There is no room; frames to it go to all peers.</summary>
    Full,
}

/// <summary>
/// Which peer has which Ethernet address: what the settings say, and what received frames have shown (RFC 7348, 4.1). The number of learned addresses is bounded, and one that has sent nothing for the ageing time
/// counts no more, as in a bridge (IEEE 802.1Q, 8.8.3).
/// </summary>
/// <param name="most">Learned addresses at once.</param>
internal sealed class VxlanForwarding(int most, TimeSpan ageing)
{
    /// <summary>How often a full table is searched for old entries: whoever floods it must not have it searched for each frame.</summary>
    private static readonly TimeSpan SweepInterval = TimeSpan.FromSeconds(1);

    private readonly Dictionary<MacAddress, Entry> _entries = [];
    private readonly List<MacAddress> _old = [];
    private int _static;
    private Instant _sweptAt = Instant.Zero;

    /// <summary>Addresses, old ones included that nobody has asked for.</summary>
    public int Count => _entries.Count;

    /// <summary>Gives an address to a peer for good.</summary>
    public void Add(MacAddress address, int peer)
    {
        if (_entries.TryAdd(address, new Entry(peer, Instant.Never)))
            _static++;
    }

    /// <summary>The peer that has the address; -1: it is not known.</summary>
    public int Find(MacAddress address, Instant now)
    {
        if (!_entries.TryGetValue(address, out var entry))
            return -1;
        if (!IsOld(entry, now))
            return entry.Peer;
        _entries.Remove(address);
        return -1;
    }

    /// <summary>A frame from the address has come from the peer.</summary>
    public VxlanLearning Learn(MacAddress address, int peer, Instant now)
    {
        if (_entries.TryGetValue(address, out var known))
        {
            if (known.SeenAt == Instant.Never)
                return known.Peer == peer ? VxlanLearning.Known : VxlanLearning.Refused;
            _entries[address] = new Entry(peer, now);
            return known.Peer == peer ? VxlanLearning.Known : VxlanLearning.Moved;
        }

        if (_entries.Count - _static >= most && !MakeRoom(now))
            return VxlanLearning.Full;
        _entries.Add(address, new Entry(peer, now));
        return VxlanLearning.Learned;
    }

    /// <summary>Whether a frame from the address may come from the peer; nothing is learned.</summary>
    public bool MayCome(MacAddress address, int peer) => !_entries.TryGetValue(address, out var known) || known.SeenAt != Instant.Never || known.Peer == peer;

    private bool MakeRoom(Instant now)
    {
        if (now - _sweptAt < SweepInterval)
            return false;
        _sweptAt = now;
        foreach (var (address, entry) in _entries)
        {
            if (IsOld(entry, now))
                _old.Add(address);
        }

        foreach (var address in _old)
            _entries.Remove(address);
        _old.Clear();
        return _entries.Count - _static < most;
    }

    private bool IsOld(in Entry entry, Instant now) => entry.SeenAt != Instant.Never && now - entry.SeenAt > ageing;

    /// <param name="SeenAt">Never: the settings have it.</param>
    private readonly record struct Entry(int Peer, Instant SeenAt);
}
