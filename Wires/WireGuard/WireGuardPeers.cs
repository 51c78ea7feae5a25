using Tapwire.Stack;
using Tapwire.Stack.Ip;
using Tapwire.Wires.Udp;
using Tapwire.Wires.WireGuard.Crypto;

namespace Tapwire.Wires.WireGuard;

/// <summary>The peers of a wire as they are configured: adds, changes and removes the engine's, and looks up their names.</summary>
internal sealed class WireGuardPeers : IDisposable
{
    private readonly WireGuardEngine _engine;
    private readonly WireGuardNotices _notices;
    private readonly WireGuardParts _parts;
    private readonly EndpointResolver _resolver;
    private readonly PublicKey _own;

    // What is configured of each, without its secrets.
    private readonly Dictionary<PublicKey, WireGuardPeerOptions> _configured = [];
    private readonly HashSet<PublicKey> _toldUnresolved = [];

    /// <param name="answered">Called on any thread when a name has been looked up.</param>
    public WireGuardPeers(WireGuardEngine engine, WireGuardNotices notices, WireGuardParts parts, Action answered)
    {
        (_engine, _notices, _parts) = (engine, notices, parts);
        _own = engine.PublicKey;
        _resolver = new EndpointResolver(parts.Lookup, parts.Clock, answered);
    }

    /// <summary>The configuration at the start.</summary>
    public void Apply(WgQuickFile file, Instant now)
    {
        foreach (var warning in file.Warnings)
            _notices.Add(WireNoticeLevel.Warning, warning.TrimEnd('.'));
        foreach (var peer in file.Peers)
            Set(peer, now);
        _notices.Add(WireNoticeLevel.Information,
            $"WireGuard {_own} on UDP port {_parts.Port.Port}, {(file.Peers.Count == 1 ? "one peer" : $"{file.Peers.Count} peers")}, ciphers of {TransportCipher.FastestName}");
    }

    /// <summary>The configuration has been read again: peers come, go and change; sessions of the others go on.</summary>
    public void ApplyAgain(WgQuickFile file, Instant now)
    {
        if (Curve25519.PublicOf(file.PrivateKey.Bytes) != _own)
            _notices.Add(WireNoticeLevel.Warning, $"{file.Name}: another PrivateKey takes effect at the next start");
        if (file.ListenPort != _parts.File.ListenPort || file.FwMark != _parts.File.FwMark || file.Mtu != _parts.File.Mtu)
            _notices.Add(WireNoticeLevel.Warning, $"{file.Name}: ListenPort, FwMark and MTU take effect at the next start");
        var wanted = file.Peers.ToDictionary(static peer => peer.PublicKey);
        foreach (var gone in _configured.Keys.Where(key => !wanted.ContainsKey(key)).ToList())
        {
            if (_engine.FindPeer(gone) is { } peer)
                _notices.Forget(peer);
            _engine.RemovePeer(gone);
            _configured.Remove(gone);
            _toldUnresolved.Remove(gone);
            _notices.Add(WireNoticeLevel.Information, $"The WireGuard peer {gone} has been removed");
        }

        foreach (var peer in file.Peers)
        {
            var isNew = !_configured.ContainsKey(peer.PublicKey);
            if (Set(peer, now))
                _notices.Add(WireNoticeLevel.Information, $"The WireGuard peer {peer.PublicKey} has been {(isNew ? "added" : "changed")}");
        }
    }

    /// <summary>Takes the addresses of names that have been looked up, and looks up those of peers that have fallen silent.</summary>
    public void TakeAnswers(Instant now)
    {
        foreach (var silent in _notices.TakeUnanswered())
        {
            if (_configured.GetValueOrDefault(silent.PublicKey)?.EndpointName is { } name)
                _resolver.Begin(silent.PublicKey, name);
        }

        while (_resolver.TryTake(out var answer))
            Take(answer, now);
    }

    /// <summary>What 'wg show' shows.</summary>
    public IReadOnlyList<WirePeer> Describe(Instant now) => [.. _engine.Peers.Select(peer => new WirePeer($"{peer.PublicKey}", peer.Endpoint, peer.AllowedIps, now - peer.LastHandshake,
        now - peer.UnansweredSince, peer.BytesReceived, peer.BytesSent, peer.Timers.PersistentKeepalive))];

    public IReadOnlyDictionary<string, long> DescribeCounters(IDatagramPort port)
    {
        var counters = _engine.Counters;
        var all = new SortedDictionary<string, long>(StringComparer.Ordinal)
        {
            ["Handshakes"] = counters.Handshakes,
            ["InitiationsSent"] = counters.InitiationsSent,
            ["ResponsesSent"] = counters.ResponsesSent,
            ["CookieRepliesSent"] = counters.CookieRepliesSent,
            ["KeepalivesSent"] = counters.KeepalivesSent,
            ["KeepalivesReceived"] = counters.KeepalivesReceived,
            ["Unsendable"] = port.Refused,
        };
        foreach (var reason in Enum.GetValues<WireGuardDrop>())
            all[$"Drop{reason}"] = counters[reason];
        return all.Where(static each => each.Value != 0).ToDictionary();
    }

    public void Dispose() => _resolver.Dispose();

    /// <returns>True: something of it has changed.</returns>
    private bool Set(WireGuardPeerOptions options, Instant now)
    {
        var before = _configured.GetValueOrDefault(options.PublicKey);
        var key = options.PublicKey;
        var hasOtherSecret = before is not null && _engine.FindPeer(key)?.HasPresharedKey(options.PresharedKey) == false;
        if (before is not null && !hasOtherSecret && before.Endpoint == options.Endpoint && before.EndpointName == options.EndpointName
            && before.PersistentKeepalive == options.PersistentKeepalive && before.AllowedIps.SequenceEqual(options.AllowedIps))
        {
            return false;
        }

        _configured[key] = options with { PresharedKey = null };
        // A peer that has moved stays where it is unless the file names another place than before.
        if (!_engine.SetPeer(before is not null && before.Endpoint == options.Endpoint ? options with { Endpoint = null } : options, now))
        {
            _configured.Remove(key);
            _notices.Add(WireNoticeLevel.Warning, $"The WireGuard peer {key} is left out: its public key is none that a private key has");
            return false;
        }

        if (options.EndpointName is { } name && before?.EndpointName != name)
            _resolver.Begin(key, name);
        return true;
    }

    private void Take(in ResolvedEndpoint answer, Instant now)
    {
        if (_engine.FindPeer(answer.Peer) is not { } peer || _configured.GetValueOrDefault(answer.Peer)?.EndpointName is not { } name)
            return;
        if (name != answer.Name)
        {
            // The file has been read again meanwhile.
            if (answer.Addresses.Count > 0)
                _resolver.Begin(answer.Peer, name);
            return;
        }

        if (answer.Addresses.Count == 0)
        {
            if (_toldUnresolved.Add(answer.Peer))
                _notices.Add(WireNoticeLevel.Warning, $"The endpoint {name} of the WireGuard peer {answer.Peer} has no address yet: {answer.Problem}; it is looked up again");
            return;
        }

        _toldUnresolved.Remove(answer.Peer);
        if (peer.Endpoint is { } current && current.Port == answer.Port && answer.Addresses.Contains(current.Address))
            return;
        var endpoint = new IpEndpoint(answer.Addresses[0], answer.Port);
        if (peer.Endpoint is null || peer.UnansweredSince is not null)
        {
            _notices.Add(WireNoticeLevel.Information, $"The endpoint {name} of the WireGuard peer {answer.Peer} is {endpoint}");
            _engine.SetEndpoint(peer, endpoint, now);
        }
    }
}
