using System.Globalization;
using Tapwire.Stack;
using Tapwire.Stack.Ip;
using Tapwire.Wires.Udp;

namespace Tapwire.Wires.WireGuard;

/// <summary>What a wire has for the log: a few words about each change, and about a peer that does not answer, not more often than once a minute.</summary>
/// <param name="file">The configuration's name.</param>
internal sealed class WireGuardNotices(string file) : IWireGuardObserver
{
    private const int Most = 256;

    private static readonly TimeSpan SilenceInterval = TimeSpan.FromMinutes(1);

    private readonly Queue<WireNotice> _waiting = new();
    private readonly Dictionary<WireGuardPeer, Instant> _toldSilent = [];
    private readonly HashSet<WireGuardPeer> _unanswered = [];
    private readonly HashSet<WireGuardPeer> _moved = [];

    /// <summary>Takes the peers that have not answered since the last call: their names are looked up again.</summary>
    public IReadOnlyCollection<WireGuardPeer> TakeUnanswered()
    {
        if (_unanswered.Count == 0)
            return [];
        WireGuardPeer[] taken = [.. _unanswered];
        _unanswered.Clear();
        return taken;
    }

    public void Add(WireNoticeLevel level, string text)
    {
        if (_waiting.Count < Most)
            _waiting.Enqueue(new WireNotice(level, text));
    }

    public bool TryTake(IDatagramPort port, out WireNotice notice)
    {
        if (port.TakeRefusal() is { Length: > 0 } refusal)
            Add(WireNoticeLevel.Debug, $"{file}: the host's network takes no message: {refusal}");
        return _waiting.TryDequeue(out notice);
    }

    /// <summary>The peer is gone.</summary>
    public void Forget(WireGuardPeer peer)
    {
        _toldSilent.Remove(peer);
        _unanswered.Remove(peer);
        _moved.Remove(peer);
    }

    public void SessionBegun(WireGuardPeer peer, Instant? unansweredSince, Instant now)
    {
        if (_toldSilent.Remove(peer))
            Add(WireNoticeLevel.Information, $"The WireGuard peer {peer.PublicKey} at {peer.Endpoint} answers again, after {Seconds(now - unansweredSince)}");
        else
            Add(peer.LastHandshake is null ? WireNoticeLevel.Information : WireNoticeLevel.Debug, $"Session with the WireGuard peer {peer.PublicKey} at {peer.Endpoint}");
        _unanswered.Remove(peer);
        _moved.Remove(peer);
    }

    public void HandshakeUnanswered(WireGuardPeer peer, Instant since, Instant now)
    {
        _unanswered.Add(peer);
        if (_toldSilent.TryGetValue(peer, out var told) && now - told < SilenceInterval)
            return;
        _toldSilent[peer] = now;
        Add(WireNoticeLevel.Warning, $"The WireGuard peer {peer.PublicKey} at {peer.Endpoint} has not answered for {Seconds(now - since)}: "
            + "its address, our keys at its end, or its keys here are wrong, or the network between does not let UDP pass");
    }

    /// <summary>Said once for each session: a peer that sends from two addresses in turn would fill the log.</summary>
    public void EndpointMoved(WireGuardPeer peer, IpEndpoint from, IpEndpoint to)
    {
        if (_moved.Add(peer))
            Add(WireNoticeLevel.Information, $"The WireGuard peer {peer.PublicKey} has moved from {from} to {to}");
    }

    private static string Seconds(TimeSpan? time) => string.Create(CultureInfo.InvariantCulture, $"{Math.Max(1, Math.Round((time ?? TimeSpan.Zero).TotalSeconds))} s");
}
