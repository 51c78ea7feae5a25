using Tapwire.Stack.Ip;

namespace Tapwire.Wires.WireGuard;

/// <summary>
/// Cryptokey routing (WireGuard paper, 2): which peer an address belongs to, by the longest prefix. A prefix belongs to one peer; the last one that is given it has it. One dictionary for each
/// length that is in use, so the cost does not grow with the number of peers.
/// </summary>
internal sealed class AllowedIps
{
    // By length, IPv4 lengths behind those of IPv6 so that both stay apart; longest first.
    private readonly SortedDictionary<int, Dictionary<IpAddress, WireGuardPeer>> _byLength = new(Comparer<int>.Create(static (a, b) => b.CompareTo(a)));
    private (bool IsV4, int Length, Dictionary<IpAddress, WireGuardPeer> Peers)[] _levels = [];

    public void Add(IpPrefix prefix, WireGuardPeer peer)
    {
        var key = LengthOf(prefix);
        if (!_byLength.TryGetValue(key, out var peers))
            _byLength.Add(key, peers = []);
        peers[prefix.Network] = peer;
        Rebuild();
    }

    public void Remove(WireGuardPeer peer)
    {
        foreach (var (length, peers) in _byLength.ToList())
        {
            foreach (var network in peers.Where(each => each.Value == peer).Select(static each => each.Key).ToList())
                peers.Remove(network);
            if (peers.Count == 0)
                _byLength.Remove(length);
        }

        Rebuild();
    }

    /// <summary>The peer that has the address; null: none.</summary>
    public WireGuardPeer? Find(IpAddress address)
    {
        var isV4 = address.IsV4;
        foreach (ref readonly var level in _levels.AsSpan())
        {
            if (level.IsV4 == isV4 && level.Peers.TryGetValue(address.Masked(level.Length), out var peer))
                return peer;
        }

        return null;
    }

    private static int LengthOf(IpPrefix prefix) => prefix.Address.IsV4 ? 129 + prefix.Length : prefix.Length;

    private void Rebuild() => _levels = [.. _byLength.Select(static each => (each.Key >= 129, each.Key >= 129 ? each.Key - 129 : each.Key, each.Value))];
}
