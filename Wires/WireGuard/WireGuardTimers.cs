using Tapwire.Stack;

namespace Tapwire.Wires.WireGuard;

/// <summary>What a peer's timers ask for.</summary>
[Flags]
internal enum TimerActions
{
    None = 0,

    /// <summary>Send an initiation.</summary>
    Handshake = 1,

    /// <summary>Send an initiation again: the last one has not been answered.</summary>
    HandshakeAgain = 2,

    /// <summary>Nobody answers: drop what waits for a session.</summary>
    GiveUp = 4,

    /// <summary>Send a message without a packet.</summary>
    Keepalive = 8,

    /// <summary>Erase all keys.</summary>
    Erase = 16,
}

/// <summary>
/// The timers of one peer (WireGuard paper, 6; Linux: timers.c, whose names the events have). They are deadlines that the engine asks for; nothing here sends.
/// </summary>
/// <param name="jitter">A random time up to a third of a second, so that two ends do not go on meeting each other.</param>
internal sealed class WireGuardTimers(Func<TimeSpan> jitter)
{
    public static readonly TimeSpan RekeyAfterTime = TimeSpan.FromSeconds(120);
    public static readonly TimeSpan RejectAfterTime = TimeSpan.FromSeconds(180);
    public static readonly TimeSpan RekeyTimeout = TimeSpan.FromSeconds(5);
    public static readonly TimeSpan KeepaliveTimeout = TimeSpan.FromSeconds(10);

    /// <summary>Initiations after the first one before it is given up: REKEY_ATTEMPT_TIME / REKEY_TIMEOUT.</summary>
    public const int MaxHandshakeAttempts = 18;

    private Instant _retransmitHandshake = Instant.Never;
    private Instant _sendKeepalive = Instant.Never;
    private Instant _newHandshake = Instant.Never;
    private Instant _erase = Instant.Never;
    private Instant _persistentKeepalive = Instant.Never;
    private bool _needsAnotherKeepalive;
    private bool _hasSentLastMinute;

    /// <summary>Initiations sent again since the last session.</summary>
    public int Attempts { get; private set; }

    /// <summary>Zero: off.</summary>
    public TimeSpan PersistentKeepalive { get; private set; }

    /// <summary>The earliest deadline.</summary>
    public Instant Due => Instant.Min(Instant.Min(Instant.Min(_retransmitHandshake, _sendKeepalive), Instant.Min(_newHandshake, _erase)), _persistentKeepalive);

    public void SetPersistentKeepalive(TimeSpan interval, Instant now)
    {
        PersistentKeepalive = interval;
        _persistentKeepalive = interval > TimeSpan.Zero ? Instant.Min(_persistentKeepalive, now + interval) : Instant.Never;
    }

    /// <summary>A packet has been sent: an answer, or at least a keepalive, is expected.</summary>
    public void DataSent(Instant now)
    {
        if (_newHandshake == Instant.Never)
            _newHandshake = now + KeepaliveTimeout + RekeyTimeout + jitter();
    }

    /// <summary>A packet has been received: it is answered by a keepalive, unless something else goes first.</summary>
    public void DataReceived(Instant now)
    {
        if (_sendKeepalive == Instant.Never)
            _sendKeepalive = now + KeepaliveTimeout;
        else
            _needsAnotherKeepalive = true;
    }

    public void AuthenticatedPacketSent() => _sendKeepalive = Instant.Never;

    public void AuthenticatedPacketReceived() => _newHandshake = Instant.Never;

    public void AuthenticatedPacketTraversal(Instant now)
    {
        if (PersistentKeepalive > TimeSpan.Zero)
            _persistentKeepalive = now + PersistentKeepalive;
    }

    public void HandshakeInitiated(Instant now, bool isRetry)
    {
        if (!isRetry)
            Attempts = 0;
        _retransmitHandshake = now + RekeyTimeout + jitter();
    }

    public void HandshakeComplete()
    {
        _retransmitHandshake = Instant.Never;
        Attempts = 0;
        _hasSentLastMinute = false;
    }

    public void SessionDerived(Instant now) => _erase = now + RejectAfterTime * 3;

    /// <summary>A packet has come by a session that ends soon.</summary>
    /// <returns>True, once for each session: its initiator begins the next one now.</returns>
    public bool IsLastMinute(KeyPair session, Instant now)
    {
        if (_hasSentLastMinute || !session.IsInitiator || now - session.Birth < RejectAfterTime - KeepaliveTimeout - RekeyTimeout)
            return false;
        _hasSentLastMinute = true;
        return true;
    }

    /// <summary>Takes the deadlines that have come, and sets those that follow from them.</summary>
    public TimerActions Expire(Instant now)
    {
        var actions = TimerActions.None;
        if (Take(ref _retransmitHandshake, now))
            actions |= RetransmitHandshake(now);
        if (Take(ref _sendKeepalive, now))
        {
            actions |= TimerActions.Keepalive;
            if (_needsAnotherKeepalive)
                _sendKeepalive = now + KeepaliveTimeout;
            _needsAnotherKeepalive = false;
        }

        if (Take(ref _newHandshake, now))
            actions |= TimerActions.Handshake;
        if (Take(ref _erase, now))
            actions |= TimerActions.Erase;
        if (Take(ref _persistentKeepalive, now) && PersistentKeepalive > TimeSpan.Zero)
        {
            // Sending it sets the timer anew. Where nothing can be sent, as without an endpoint, it comes again.
            actions |= TimerActions.Keepalive;
            _persistentKeepalive = now + PersistentKeepalive;
        }

        return actions;
    }

    /// <summary>The keys have been erased.</summary>
    public void Erased() => _erase = Instant.Never;

    private TimerActions RetransmitHandshake(Instant now)
    {
        if (Attempts < MaxHandshakeAttempts)
        {
            Attempts++;
            return TimerActions.HandshakeAgain;
        }

        _sendKeepalive = Instant.Never;
        if (_erase == Instant.Never)
            _erase = now + RejectAfterTime * 3;
        return TimerActions.GiveUp;
    }

    private static bool Take(ref Instant deadline, Instant now)
    {
        if (deadline > now)
            return false;
        deadline = Instant.Never;
        return true;
    }
}
