using System.Runtime.InteropServices;

namespace Tapwire.Wires.WireGuard;

/// <summary>
/// The indices by which peers name our handshakes and sessions: random, so that nobody can guess one, and each used once. A peer has at most one handshake and three sessions, so the table is
/// bounded by the number of peers.
/// </summary>
internal sealed class IndexTable(IRandomBytes random)
{
    private readonly Dictionary<uint, Entry> _entries = [];

    public int Count => _entries.Count;

    /// <summary>Gives a peer's handshake an index.</summary>
    public uint Add(WireGuardPeer peer)
    {
        uint index = 0;
        do
            random.Fill(MemoryMarshal.AsBytes(new Span<uint>(ref index)));
        while (!_entries.TryAdd(index, new Entry(peer, null)));
        return index;
    }

    /// <summary>A handshake has become a session.</summary>
    public void Set(KeyPair session) => _entries[session.LocalIndex] = new Entry(session.Peer, session);

    public void Remove(uint index) => _entries.Remove(index);

    /// <summary>The session with that index; null: there is none.</summary>
    public KeyPair? Session(uint index) => _entries.TryGetValue(index, out var entry) ? entry.Session : null;

    /// <summary>The peer whose handshake, or session, has that index.</summary>
    public WireGuardPeer? Peer(uint index) => _entries.TryGetValue(index, out var entry) ? entry.Peer : null;

    private readonly record struct Entry(WireGuardPeer Peer, KeyPair? Session);
}
