using Tapwire.Stack;
using Tapwire.Stack.Ip;
using Tapwire.Wires.Udp;
using Tapwire.Wires.WireGuard.Crypto;

namespace Tapwire.Wires.WireGuard;

/// <summary>What a handshake message has come to.</summary>
/// <param name="Drop">Why it was dropped; null: it was taken.</param>
/// <param name="Peer">The peer that it is of; null: nothing of a peer has changed.</param>
internal readonly record struct HandshakeReply(WireGuardDrop? Drop, WireGuardPeer? Peer = null)
{
    public static readonly HandshakeReply Malformed = new(WireGuardDrop.Malformed);
}

/// <summary>
/// Begins handshakes with peers and answers theirs (WireGuard paper, 5.3 and 5.4). An answer is never longer than the message that it answers, and without a peer's key there is none but a cookie
/// reply.
/// </summary>
internal sealed class WireGuardHandshakes(WireGuardIdentity own, IndexTable indices, WireGuardLimits limits, IRandomBytes random, Tai64n clock, IDatagramSink sink, IWireGuardObserver observer,
    WireGuardCounters counters, TransportCipherFactory ciphers, Func<PublicKey, WireGuardPeer?> findPeer) : IDisposable
{
    /// <summary>Between two initiations of one peer (Linux: INITIATIONS_PER_SECOND).</summary>
    private static readonly TimeSpan InitiationInterval = TimeSpan.FromMilliseconds(20);

    private readonly CookieSecret _cookies = new(own.PublicKey, random);
    private readonly HandshakeLoad _load = new(limits);

    // The initiation that is being answered. It is apart from a peer's own handshake: when both ends begin at the same time, both get their answers, where Linux has both wait for five seconds.
    private readonly NoiseHandshake _received = new();

    /// <summary>Sends an initiation, unless a handshake message has been sent in the last five seconds.</summary>
    /// <param name="isRetry">The last one has not been answered. Otherwise attempts are counted anew.</param>
    /// <returns>True: it has been sent.</returns>
    public bool Initiate(WireGuardPeer peer, bool isRetry, Instant now)
    {
        if (peer.Endpoint is null || now - peer.LastInitiationSent < WireGuardTimers.RekeyTimeout)
            return false;
        // The last one came to nothing: perhaps the address that it left from leads nowhere.
        if (isRetry)
            peer.Local = default;
        var message = sink.Begin(peer.PathWith(WireGuardMessage.HandshakeTrafficClass), WireGuardMessage.InitiationLength);
        if (message.IsEmpty)
        {
            // As if it were lost on the way.
            counters.Count(WireGuardDrop.SocketFull);
            peer.Timers.HandshakeInitiated(now, isRetry);
            return false;
        }

        if (peer.Handshake.State == HandshakeState.InitiationSent)
            indices.Remove(peer.Handshake.LocalIndex);
        Span<byte> timestamp = stackalloc byte[WireGuardMessage.TimestampLength];
        clock.Write(now, timestamp);
        // The peer's static key is usable, or there would be no peer.
        _ = peer.Handshake.TryPutInitiation(message, own, peer.PublicKey, peer.Agreed, timestamp, indices.Add(peer), random);
        peer.Cookies.PutMacs(message, now);
        sink.End();
        counters.InitiationsSent++;
        peer.BytesSent += message.Length;
        peer.LastInitiationSent = now;
        peer.UnansweredSince ??= now;
        peer.Timers.AuthenticatedPacketTraversal(now);
        peer.Timers.AuthenticatedPacketSent();
        peer.Timers.HandshakeInitiated(now, isRetry);
        return true;
    }

    /// <summary>The last initiation has not been answered in time.</summary>
    public void InitiateAgain(WireGuardPeer peer, Instant now)
    {
        observer.HandshakeUnanswered(peer, peer.UnansweredSince ?? now, now);
        // A response that was sent meanwhile may have begun a session; it ends this timer when it is used.
        if (!Initiate(peer, isRetry: true, now))
            peer.Timers.HandshakeInitiated(now, isRetry: true);
    }

    public HandshakeReply ReceiveInitiation(ReadOnlySpan<byte> message, in DatagramPath from, Instant now)
    {
        if (CheckMacs(message, from, now) is { } refused)
            return new HandshakeReply(refused);
        Span<byte> timestamp = stackalloc byte[WireGuardMessage.TimestampLength];
        var peer = _received.TakeInitiation(message, own, findPeer, timestamp, out var isGenuine);
        if (peer is null)
        {
            _received.Erase();
            return new HandshakeReply(isGenuine ? WireGuardDrop.UnknownPeer : WireGuardDrop.InvalidHandshake);
        }

        if (timestamp.SequenceCompareTo(peer.LastTimestamp) <= 0 || now - peer.LastInitiationReceived < InitiationInterval)
        {
            _received.Erase();
            return new HandshakeReply(WireGuardDrop.ReplayedHandshake);
        }

        timestamp.CopyTo(peer.LastTimestamp);
        peer.LastInitiationReceived = now;
        MoveEndpoint(peer, from);
        peer.BytesReceived += message.Length;
        Respond(peer, now);
        _received.Erase();
        peer.Timers.AuthenticatedPacketReceived();
        peer.Timers.AuthenticatedPacketTraversal(now);
        return new HandshakeReply(null, peer);
    }

    public HandshakeReply ReceiveResponse(ReadOnlySpan<byte> message, in DatagramPath from, Instant now)
    {
        if (CheckMacs(message, from, now) is { } refused)
            return new HandshakeReply(refused);
        var index = WireGuardMessage.ReceiverOf(message, WireGuardMessage.Response);
        if (indices.Peer(index) is not { } peer || peer.Handshake.State != HandshakeState.InitiationSent || peer.Handshake.LocalIndex != index)
            return new HandshakeReply(WireGuardDrop.UnknownIndex);
        if (!peer.Handshake.TryTakeResponse(message, own, peer.PresharedKey))
            return new HandshakeReply(WireGuardDrop.InvalidHandshake);
        MoveEndpoint(peer, from);
        peer.BytesReceived += message.Length;
        AddSession(peer, peer.Handshake, now);
        Begun(peer, now);
        peer.Timers.AuthenticatedPacketReceived();
        peer.Timers.AuthenticatedPacketTraversal(now);
        return new HandshakeReply(null, peer);
    }

    public HandshakeReply ReceiveCookie(ReadOnlySpan<byte> message, Instant now)
    {
        var peer = indices.Peer(WireGuardMessage.ReceiverOf(message, WireGuardMessage.CookieReply));
        if (peer is null)
            return new HandshakeReply(WireGuardDrop.UnknownIndex);
        return peer.Cookies.TryTake(message, now) ? new HandshakeReply(null, peer) : new HandshakeReply(WireGuardDrop.InvalidCookie);
    }

    /// <summary>A session is confirmed: the peer has its keys, too.</summary>
    public void Begun(WireGuardPeer peer, Instant now)
    {
        counters.Handshakes++;
        peer.Timers.HandshakeComplete();
        observer.SessionBegun(peer, peer.UnansweredSince, now);
        peer.LastHandshake = now;
        peer.UnansweredSince = null;
    }

    /// <summary>A genuine message has come from there: messages go there from now on, from the address at which it came.</summary>
    public void MoveEndpoint(WireGuardPeer peer, in DatagramPath from)
    {
        peer.Local = from.Local;
        if (peer.Endpoint is { } before)
        {
            if (before == from.Remote)
                return;
            observer.EndpointMoved(peer, before, from.Remote);
        }

        peer.Endpoint = from.Remote;
    }

    public void Dispose()
    {
        _received.Dispose();
        _cookies.Erase();
    }

    /// <summary>Answers an initiation, which has said where the peer is.</summary>
    private void Respond(WireGuardPeer peer, Instant now)
    {
        var message = sink.Begin(peer.PathWith(WireGuardMessage.HandshakeTrafficClass), WireGuardMessage.ResponseLength);
        if (message.IsEmpty)
        {
            counters.Count(WireGuardDrop.SocketFull);
            return;
        }

        var index = indices.Add(peer);
        if (!_received.TryPutResponse(message, peer.PublicKey, peer.PresharedKey, index, random))
        {
            // An ephemeral key of small order. The room in the sink is not used.
            indices.Remove(index);
            counters.Count(WireGuardDrop.InvalidHandshake);
            return;
        }

        peer.Cookies.PutMacs(message, now);
        sink.End();
        counters.ResponsesSent++;
        peer.BytesSent += message.Length;
        peer.LastInitiationSent = now;
        AddSession(peer, _received, now);
        peer.Timers.AuthenticatedPacketTraversal(now);
        peer.Timers.AuthenticatedPacketSent();
    }

    private void AddSession(WireGuardPeer peer, NoiseHandshake handshake, Instant now)
    {
        var session = handshake.Finish(peer, ciphers, now);
        indices.Set(session);
        peer.Keys.Add(session);
        peer.Timers.SessionDerived(now);
    }

    /// <returns>Null: the message may be handled.</returns>
    private WireGuardDrop? CheckMacs(ReadOnlySpan<byte> message, in DatagramPath from, Instant now)
    {
        switch (_cookies.Check(message, from.Remote, _load.IsLoaded(now), now))
        {
            case MacState.Invalid:
                return WireGuardDrop.InvalidMac;
            case MacState.Cookie:
                _load.Count(now);
                return _load.TryTake(from.Remote.Address, now) ? null : WireGuardDrop.RateLimited;
            default:
                if (!_load.Count(now))
                    return null;
                SendCookie(message, from, now);
                return WireGuardDrop.NoCookie;
        }
    }

    private void SendCookie(ReadOnlySpan<byte> message, in DatagramPath path, Instant now)
    {
        var reply = sink.Begin(path with { TrafficClass = 0 }, WireGuardMessage.CookieReplyLength);
        if (reply.IsEmpty)
        {
            counters.Count(WireGuardDrop.SocketFull);
            return;
        }

        _cookies.PutReply(message, path.Remote, reply, now);
        sink.End();
        counters.CookieRepliesSent++;
    }
}
