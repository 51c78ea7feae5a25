using Tapwire.Stack;
using Tapwire.Wires.WireGuard.Crypto;

namespace Tapwire.Wires.WireGuard;

/// <summary>One session: the keys of both directions, which are erased when it is disposed.</summary>
internal sealed class KeyPair(WireGuardPeer peer, uint localIndex, uint remoteIndex, bool isInitiator, TransportCipher sending, TransportCipher receiving, Instant birth) : IDisposable
{
    // Linux's COUNTER_WINDOW_SIZE keeps the last numbers of a session unused, so that none repeats.
    private const ulong RejectAfterMessages = ulong.MaxValue - 8192 - 1;
    private const ulong RekeyAfterMessages = 1UL << 60;

    public WireGuardPeer Peer => peer;

    /// <summary>Our index: what the peer writes into its messages.</summary>
    public uint LocalIndex => localIndex;

    public uint RemoteIndex => remoteIndex;

    /// <summary>We have begun the handshake, so it is we who begin the next one by time.</summary>
    public bool IsInitiator => isInitiator;

    public TransportCipher Sending => sending;

    public TransportCipher Receiving => receiving;

    public Instant Birth => birth;

    /// <summary>The counter of the next packet to be sent.</summary>
    public ulong NextCounter { get; set; }

    public ReplayWindow Window { get; } = new();

    public bool MaySend(Instant now) => NextCounter < RejectAfterMessages && now - birth < WireGuardTimers.RejectAfterTime;

    public bool MayReceive(ulong counter, Instant now) => counter < RejectAfterMessages && now - birth < WireGuardTimers.RejectAfterTime;

    /// <summary>After a packet has been sent: a new session is due.</summary>
    public bool IsStaleForSending(Instant now) => NextCounter > RekeyAfterMessages || (isInitiator && now - birth >= WireGuardTimers.RekeyAfterTime);

    public void Dispose()
    {
        sending.Dispose();
        receiving.Dispose();
    }
}

/// <summary>
/// The sessions of a peer (Linux: noise.c). The current one sends. The previous one still receives what is under way. The responder of a handshake keeps the new one as the next, until a packet
/// shows that the initiator has it.
/// </summary>
internal sealed class KeyPairs(Action<uint> forgetIndex)
{
    private KeyPair? _previous;
    private KeyPair? _next;

    public KeyPair? Current { get; private set; }

    /// <summary>There are keys of this peer in memory.</summary>
    public bool HasAny => Current is not null || _previous is not null || _next is not null;

    public void Add(KeyPair added)
    {
        if (added.IsInitiator)
        {
            Replace(ref _previous, _next ?? Current);
            if (_next is not null && Current is not null)
                Discard(Current);
            _next = null;
            Current = added;
        }
        else
        {
            Replace(ref _next, added);
            Replace(ref _previous, null);
        }
    }

    /// <summary>A genuine packet has come by this session.</summary>
    /// <returns>True: it was the next one, and is the current one from now on.</returns>
    public bool Confirm(KeyPair used)
    {
        if (used != _next)
            return false;
        Replace(ref _previous, Current);
        Current = used;
        _next = null;
        return true;
    }

    /// <summary>Erases all keys.</summary>
    public void Erase()
    {
        Replace(ref _previous, null);
        Replace(ref _next, null);
        if (Current is { } current)
            Discard(current);
        Current = null;
    }

    private void Replace(ref KeyPair? place, KeyPair? by)
    {
        if (place is { } old)
            Discard(old);
        place = by;
    }

    private void Discard(KeyPair old)
    {
        forgetIndex(old.LocalIndex);
        old.Dispose();
    }
}
