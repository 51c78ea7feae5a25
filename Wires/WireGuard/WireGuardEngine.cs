using System.Diagnostics;
using System.Runtime.InteropServices;
using Tapwire.Stack;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Ip;
using Tapwire.Wires.Udp;
using Tapwire.Wires.WireGuard.Crypto;

namespace Tapwire.Wires.WireGuard;

/// <summary>What becomes of a packet of the stack.</summary>
internal enum SendOutcome
{
    /// <summary>It has been sealed and given to the sink.</summary>
    Sent,

    /// <summary>It waits for a session; the engine has a copy.</summary>
    Staged,

    /// <summary>It has been dropped and counted.</summary>
    Dropped,
}

/// <summary>
/// WireGuard without sockets, clock and random source: datagrams and packets come in with the time, datagrams and packets go out, and <see cref="PollAt"/> says when <see cref="Poll"/> is to be
/// called. Everything that a datagram may claim is verified before it changes anything; what is not genuine is dropped and counted.
/// </summary>
/// <remarks>One owner calls it. Its memory is bounded by the number of peers: each has at most one handshake, three sessions and <see cref="WireGuardLimits.StagedPackets"/> packets.</remarks>
internal sealed class WireGuardEngine : IDisposable
{
    private readonly Dictionary<PublicKey, WireGuardPeer> _peers = [];
    private readonly List<WireGuardPeer> _order = [];
    private readonly AllowedIps _routes = new();
    private readonly IndexTable _indices;
    private readonly WireGuardHandshakes _handshakes;
    private readonly WireGuardIdentity _own;
    private readonly WireGuardLimits _limits;
    private readonly BufferPool _pool;
    private readonly IRandomBytes _random;
    private readonly ushort[] _jitters = new ushort[128];
    private readonly IDatagramSink _sink;
    private Instant _pollAt = Instant.Never;
    private int _jittersLeft;

    /// <param name="privateKey">Copied.</param>
    /// <param name="epoch">The wall clock at <see cref="Instant.Zero"/>: initiations have timestamps.</param>
    /// <param name="pool">For packets that wait for a session.</param>
    /// <param name="ciphers">Null: the fastest that the machine has.</param>
    public WireGuardEngine(SecretKey privateKey, WireGuardLimits limits, IRandomBytes random, DateTimeOffset epoch, BufferPool pool, IDatagramSink sink, IWireGuardObserver observer,
        TransportCipherFactory? ciphers = null)
    {
        _own = new WireGuardIdentity(privateKey);
        (_limits, _random, _pool, _sink) = (limits, random, pool, sink);
        _indices = new IndexTable(random);
        _handshakes = new WireGuardHandshakes(_own, _indices, limits, random, new Tai64n(epoch), sink, observer, Counters, ciphers ?? TransportCipher.Fastest,
            key => _peers.GetValueOrDefault(key));
    }

    public PublicKey PublicKey => _own.PublicKey;

    public WireGuardCounters Counters { get; } = new();

    /// <summary>All peers, in the order in which they were added.</summary>
    public IReadOnlyList<WireGuardPeer> Peers => _order;

    /// <summary>When <see cref="Poll"/> is to be called next; never earlier than the last call's time. It may be earlier than anything that is due.</summary>
    public Instant PollAt => _pollAt;

    /// <summary>Handshakes and sessions in memory.</summary>
    public int Indices => _indices.Count;

    /// <summary>Adds a peer, or changes what is configured of one. Its session stays.</summary>
    /// <returns>False: the public key is a point with which there is no secret.</returns>
    public bool SetPeer(WireGuardPeerOptions options, Instant now)
    {
        if (!_peers.TryGetValue(options.PublicKey, out var peer))
        {
            peer = new WireGuardPeer(options.PublicKey, _own, _indices.Remove, Jitter);
            if (!peer.HasUsableKey || options.PublicKey == _own.PublicKey)
            {
                peer.Dispose();
                return false;
            }

            _peers.Add(options.PublicKey, peer);
            _order.Add(peer);
        }

        if (!peer.HasPresharedKey(options.PresharedKey))
            peer.SetPresharedKey(options.PresharedKey);
        if (!peer.AllowedIps.SequenceEqual(options.AllowedIps))
        {
            _routes.Remove(peer);
            foreach (var prefix in options.AllowedIps)
                _routes.Add(prefix, peer);
            peer.AllowedIps = options.AllowedIps;
        }

        if (options.Endpoint is { } endpoint)
            SetEndpoint(peer, endpoint, now);
        var interval = TimeSpan.FromSeconds(options.PersistentKeepalive);
        var begins = interval > TimeSpan.Zero && peer.Timers.PersistentKeepalive == TimeSpan.Zero;
        peer.Timers.SetPersistentKeepalive(interval, now);
        if (begins)
            SendKeepalive(peer, now);
        Note(peer);
        return true;
    }

    /// <summary>Removes a peer, and erases its keys.</summary>
    public void RemovePeer(PublicKey key)
    {
        if (!_peers.Remove(key, out var peer))
            return;
        _order.Remove(peer);
        _routes.Remove(peer);
        Discard(peer);
    }

    public WireGuardPeer? FindPeer(PublicKey key) => _peers.GetValueOrDefault(key);

    /// <summary>The peer's address has been looked up, or configured anew. What waits for it goes on.</summary>
    public void SetEndpoint(WireGuardPeer peer, IpEndpoint endpoint, Instant now)
    {
        var isFirst = peer.Endpoint is null;
        if (peer.Endpoint != endpoint)
            peer.Local = default;
        peer.Endpoint = endpoint;
        if (isFirst && (peer.HasStaged || peer.Timers.PersistentKeepalive > TimeSpan.Zero))
            _handshakes.Initiate(peer, isRetry: false, now);
        Note(peer);
    }

    /// <summary>Sends a packet of the stack to the peer that has its destination.</summary>
    /// <param name="packet">An IP packet, at most the MTU; it stays the caller's.</param>
    public SendOutcome Send(PacketBuffer packet, Instant now)
    {
        if (!InnerPacket.TryGetDestination(packet.Span, out var destination))
            return Drop(WireGuardDrop.MalformedPacket);
        if (_routes.Find(destination) is not { } peer)
            return Drop(WireGuardDrop.NoPeer);
        SendOutcome outcome;
        if (!peer.HasStaged && peer.Endpoint is not null && peer.Keys.Current is { } session && session.MaySend(now))
        {
            outcome = TrySeal(peer, session, packet, now) ? SendOutcome.Sent : SendOutcome.Dropped;
        }
        else
        {
            var copy = _pool.RentFilled(packet.TotalLength);
            packet.CopyTo(copy.Span);
            Counters.Count(WireGuardDrop.NoSession, peer.Stage(copy, _limits.StagedPackets));
            SendStaged(peer, now);
            outcome = SendOutcome.Staged;
        }

        Note(peer);
        return outcome;
    }

    /// <summary>Takes a datagram off the network.</summary>
    /// <param name="packet">Room for the packet in a data message: 32 bytes less than the datagram, or the packet is dropped and counted. Its content is undefined where nothing is returned.</param>
    /// <returns>The length of a packet for the stack at the start of <paramref name="packet"/>; 0: none.</returns>
    public int Receive(ReadOnlySpan<byte> datagram, in DatagramPath from, Instant now, Span<byte> packet)
    {
        var type = WireGuardMessage.TypeOf(datagram);
        if (type == WireGuardMessage.Data)
            return ReceiveData(datagram, from, now, packet);
        var reply = type switch
        {
            WireGuardMessage.Initiation => _handshakes.ReceiveInitiation(datagram, from, now),
            WireGuardMessage.Response => _handshakes.ReceiveResponse(datagram, from, now),
            WireGuardMessage.CookieReply => _handshakes.ReceiveCookie(datagram, now),
            _ => HandshakeReply.Malformed,
        };
        if (reply.Drop is { } drop)
            Counters.Count(drop);
        if (reply.Peer is not { } peer)
            return 0;
        // We are the initiator: the responder sends nothing by the session before it has received something (5.4.5).
        if (type == WireGuardMessage.Response && reply.Drop is null)
            SendKeepalive(peer, now);
        Note(peer);
        return 0;
    }

    /// <summary>Does what is due.</summary>
    public void Poll(Instant now)
    {
        if (_pollAt > now)
            return;
        _pollAt = Instant.Never;
        foreach (var peer in _order)
        {
            if (peer.Timers.Due <= now)
                Act(peer, peer.Timers.Expire(now), now);
            Note(peer);
        }

        Debug.Assert(_pollAt > now, "What is due has been done.");
    }

    /// <summary>Erases all keys, and drops what waits.</summary>
    public void Dispose()
    {
        foreach (var peer in _order)
            Discard(peer);
        _order.Clear();
        _peers.Clear();
        _handshakes.Dispose();
        _own.Dispose();
    }

    private int ReceiveData(ReadOnlySpan<byte> datagram, in DatagramPath from, Instant now, Span<byte> packet)
    {
        var counter = WireGuardMessage.CounterOf(datagram);
        var length = datagram.Length - WireGuardMessage.DataOverhead;
        if (_indices.Session(WireGuardMessage.ReceiverOf(datagram, WireGuardMessage.Data)) is not { } session)
            return Refuse(WireGuardDrop.UnknownIndex);
        if (!session.MayReceive(counter, now))
            return Refuse(WireGuardDrop.ExpiredSession);
        // Nothing is decrypted that would be dropped anyway.
        if (!session.Window.MayBeNew(counter))
            return Refuse(WireGuardDrop.ReplayedData);
        if (length > packet.Length)
            return Refuse(WireGuardDrop.TooLong);
        if (!session.Receiving.Open(counter, datagram[WireGuardMessage.DataHeaderLength..], default, packet[..length]))
            return Refuse(WireGuardDrop.InvalidData);
        session.Window.TryAccept(counter);

        var peer = session.Peer;
        peer.BytesReceived += datagram.Length;
        _handshakes.MoveEndpoint(peer, from);
        if (peer.Keys.Confirm(session))
        {
            _handshakes.Begun(peer, now);
            SendStaged(peer, now);
        }

        if (peer.Timers.IsLastMinute(session, now))
            _handshakes.Initiate(peer, isRetry: false, now);
        peer.Timers.AuthenticatedPacketReceived();
        peer.Timers.AuthenticatedPacketTraversal(now);
        var result = Deliver(peer, packet[..length], from.TrafficClass, now);
        Note(peer);
        return result;
    }

    /// <summary>Checks the packet in a genuine message.</summary>
    private int Deliver(WireGuardPeer peer, Span<byte> packet, byte trafficClass, Instant now)
    {
        if (packet.IsEmpty)
        {
            Counters.KeepalivesReceived++;
            return 0;
        }

        peer.Timers.DataReceived(now);
        if (!InnerPacket.TryGetSource(packet, out var source, out var length))
            return Refuse(WireGuardDrop.MalformedPacket);
        if (_routes.Find(source) != peer)
            return Refuse(WireGuardDrop.DisallowedSource);
        // As Linux does, one that cannot be marked is taken all the same: the outer header is not authenticated, and would let anybody on the way drop by a bit.
        _ = TunnelEcn.Decapsulate(packet[..length], trafficClass);
        return length;
    }

    private void Act(WireGuardPeer peer, TimerActions actions, Instant now)
    {
        if ((actions & TimerActions.Erase) != 0)
        {
            if (peer.Handshake.State == HandshakeState.InitiationSent)
                _indices.Remove(peer.Handshake.LocalIndex);
            peer.Handshake.Erase();
            peer.Keys.Erase();
        }

        if ((actions & TimerActions.GiveUp) != 0)
            Counters.Count(WireGuardDrop.NoSession, peer.DropStaged());
        if ((actions & TimerActions.HandshakeAgain) != 0)
            _handshakes.InitiateAgain(peer, now);
        if ((actions & TimerActions.Handshake) != 0)
        {
            // The peer is silent: perhaps the address that we send from leads nowhere.
            peer.Local = default;
            _handshakes.Initiate(peer, isRetry: false, now);
        }

        if ((actions & TimerActions.Keepalive) != 0)
            SendKeepalive(peer, now);
    }

    /// <summary>Sends what waits; where nothing waits, a message without a packet.</summary>
    private void SendKeepalive(WireGuardPeer peer, Instant now)
    {
        if (peer.HasStaged)
            SendStaged(peer, now);
        else if (peer.Endpoint is null)
            return;
        else if (peer.Keys.Current is { } session && session.MaySend(now))
            TrySeal(peer, session, null, now);
        else
            _handshakes.Initiate(peer, isRetry: false, now);
    }

    private void SendStaged(WireGuardPeer peer, Instant now)
    {
        if (peer.Endpoint is null)
            return;
        while (peer.HasStaged)
        {
            if (peer.Keys.Current is not { } session || !session.MaySend(now))
            {
                _handshakes.Initiate(peer, isRetry: false, now);
                return;
            }

            if (peer.TryUnstage(out var packet))
            {
                TrySeal(peer, session, packet, now);
                packet.Release();
            }
        }
    }

    /// <param name="packet">Null: a keepalive.</param>
    private bool TrySeal(WireGuardPeer peer, KeyPair session, PacketBuffer? packet, Instant now)
    {
        var length = packet?.TotalLength ?? 0;
        var padded = WireGuardMessage.PaddedLength(length, _limits.Mtu);
        var datagram = _sink.Begin(peer.PathWith(packet is null ? (byte)0 : TunnelEcn.Encapsulate(packet.Span)), padded + WireGuardMessage.DataOverhead);
        if (datagram.IsEmpty)
        {
            Counters.Count(WireGuardDrop.SocketFull);
            return false;
        }

        var counter = session.NextCounter++;
        WireGuardMessage.PutType(datagram, WireGuardMessage.Data);
        WireGuardMessage.PutReceiver(datagram, WireGuardMessage.Data, session.RemoteIndex);
        WireGuardMessage.PutCounter(datagram, counter);
        var body = datagram[WireGuardMessage.DataHeaderLength..];
        packet?.CopyTo(body);
        body[length..padded].Clear();
        session.Sending.Seal(counter, body[..padded], default, body);
        _sink.End();

        peer.BytesSent += datagram.Length;
        if (packet is null)
            Counters.KeepalivesSent++;
        else
            peer.Timers.DataSent(now);
        peer.Timers.AuthenticatedPacketSent();
        peer.Timers.AuthenticatedPacketTraversal(now);
        if (session.IsStaleForSending(now))
            _handshakes.Initiate(peer, isRetry: false, now);
        return true;
    }

    private SendOutcome Drop(WireGuardDrop reason)
    {
        Counters.Count(reason);
        return SendOutcome.Dropped;
    }

    private int Refuse(WireGuardDrop reason)
    {
        Counters.Count(reason);
        return 0;
    }

    private void Discard(WireGuardPeer peer)
    {
        if (peer.Handshake.State == HandshakeState.InitiationSent)
            _indices.Remove(peer.Handshake.LocalIndex);
        peer.Dispose();
    }

    /// <summary>A peer's deadlines may have changed.</summary>
    private void Note(WireGuardPeer peer) => _pollAt = Instant.Min(_pollAt, peer.Timers.Due);

    private TimeSpan Jitter()
    {
        // A question and an answer take one each: the system's random bytes cost as much as sealing such a packet, so many are fetched at once.
        if (_jittersLeft == 0)
        {
            _random.Fill(MemoryMarshal.AsBytes(_jitters.AsSpan()));
            _jittersLeft = _jitters.Length;
        }

        return TimeSpan.FromTicks(TimeSpan.TicksPerSecond / 3 * _jitters[--_jittersLeft] / ushort.MaxValue);
    }
}
