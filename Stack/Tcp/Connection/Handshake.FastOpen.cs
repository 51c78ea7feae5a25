using Tapwire.Stack.Buffers;
using Tapwire.Stack.Packets;

namespace Tapwire.Stack.Tcp.Connection;

/// <content>TCP Fast Open (RFC 7413) of one connection: data in the SYN, on both sides.</content>
internal sealed partial class Handshake
{
    /// <summary>Null without Fast Open.</summary>
    private FastOpening? _fastOpen;

    /// <summary>A passive Fast Open: data may be exchanged in SYN-RECEIVED already (RFC 7413, 4.2.2).</summary>
    public bool IsPassive => _fastOpen is { Listener: not null };

    /// <summary>The application has been told that it is connected: data that it writes before it closes is sent.</summary>
    public bool IsAnnounced => _fastOpen is { IsAnnounced: true };

    /// <summary>The SYN will carry data, but none is written yet.</summary>
    private bool WaitsForData => _fastOpen is { IsDeferred: true } && !connection.Sender.HasUnsent;

    /// <summary>Bytes of data in the SYN.</summary>
    private int SentData => _fastOpen?.Data ?? 0;

    /// <summary>A SYN has come with a valid cookie: the connection opens at once.</summary>
    public void OpenFast(TcpListener listener)
    {
        _fastOpen = new FastOpening { Listener = listener, IsAnnounced = true };
        listener.FastOpenCount++;
    }

    /// <summary>The handshake, or the connection, is over.</summary>
    public void Leave()
    {
        if (_fastOpen?.Listener is { } listener)
            listener.FastOpenCount--;
        _fastOpen = null;
    }

    /// <summary>Looks for a cookie. If there is one, the SYN waits for the data that it will carry.</summary>
    private void PrepareFastOpen(Instant now)
    {
        if (!connection.Options.FastOpen || !Layer.Options.FastOpen
            || !Layer.FastOpenCache.TryFind(connection.Pair.Local.Address, connection.Pair.Remote.Address, now, out var cookie, out var mss))
            return;
        _fastOpen = new FastOpening { Cookie = cookie, PeerMss = mss };
        if (cookie.IsRequest)
            return;
        _fastOpen.IsAnnounced = true;
        _fastOpen.IsDeferred = true;
        connection.Raise(SocketEvents.Connected);
    }

    /// <summary>The SYN leaves. If it has waited for data, the user time-out begins now.</summary>
    private void StopWaiting(Instant now)
    {
        if (_fastOpen is not { IsDeferred: true })
            return;
        _fastOpen.IsDeferred = false;
        connection.UserTimeout.Restart(now);
    }

    /// <summary>Adds the option to the first SYN, and data if there is a cookie. A repeated SYN has neither, because the path may have dropped the first for
    /// them (RFC 7413, 4.2.1).</summary>
    /// <remarks>SND.NXT stays before the data: data that the SYN-ACK does not acknowledge then leaves as new data, at once.</remarks>
    /// <returns>Null if there is no data.</returns>
    private PacketBuffer? AddFastOpen(ref TcpHeader syn)
    {
        if (_fastOpen is not { Listener: null } opening || Retransmits > 0 || connection.State != TcpState.SynSent)
            return null;
        syn.HasFastOpen = true;
        syn.FastOpenCookie = opening.Cookie;
        opening.IsSent = true;
        if (opening.Cookie.IsRequest)
            return null;
        var mss = Math.Min(opening.PeerMss == 0 ? SynOptions.DefaultMss(connection.Pair.Remote.Address) : opening.PeerMss, connection.OwnMss);
        var data = connection.Sender.FirstData(Math.Max(0, mss - (syn.Length - TcpHeader.MinLength)), out var length);
        opening.Data = length;
        return data;
    }

    /// <summary>The client has its SYN-ACK: the cache keeps the cookie, or the suspicion that the path drops Fast Open.</summary>
    private void FastOpenAnswered(in TcpHeader synAck, Instant now)
    {
        if (_fastOpen is not { IsSent: true } opening)
            return;
        var cookie = synAck is { HasFastOpen: true, FastOpenCookie.IsRequest: false } ? synAck.FastOpenCookie : default(FastOpenCookie?);
        var acknowledged = (int)(synAck.Acknowledgment - iss) - 1;
        var counters = Layer.Counters;
        if (opening.Data > 0 && acknowledged >= opening.Data)
            counters.TcpExtTCPFastOpenActive++;
        else if (opening.Data > 0)
            counters.TcpExtTCPFastOpenActiveFail++;
        var pair = connection.Pair;
        var ignored = cookie is null && acknowledged == 0 && (Retransmits > 0 || opening.Data > 0);
        if (ignored)
            Layer.FastOpenCache.Failed(pair.Local.Address, pair.Remote.Address, now);
        else
            Layer.FastOpenCache.Answered(pair.Local.Address, pair.Remote.Address, cookie, synAck.Mss);
    }

    /// <summary>The handshake has failed. A server goes on counting a reset connection for some time, because a victim whose address is forged answers with a
    /// reset (RFC 7413, 5.1). A client remembers a missing answer.</summary>
    private void FastOpenFailed(StackError error, Instant now)
    {
        if (_fastOpen is not { } opening)
            return;
        if (opening.Listener is { } listener && error == StackError.ConnectionReset)
            listener.FastOpenReset(now);
        else if (opening.IsSent && error is StackError.TimedOut or StackError.HostUnreachable or StackError.NetworkUnreachable)
            Layer.FastOpenCache.Failed(connection.Pair.Local.Address, connection.Pair.Remote.Address, now);
        if (opening.Data > 0)
            Layer.Counters.TcpExtTCPFastOpenActiveFail++;
        Leave();
    }

    private sealed class FastOpening
    {
        /// <summary>The listener of a passive open; null on the active side.</summary>
        public TcpListener? Listener;
        public FastOpenCookie Cookie;

        /// <summary>The MSS that came with the cookie; 0: not known.</summary>
        public ushort PeerMss;

        /// <summary>Connected was raised, or need not be, because accepting the connection implies it.</summary>
        public bool IsAnnounced;

        /// <summary>The SYN waits for data.</summary>
        public bool IsDeferred;

        /// <summary>The SYN has left with the option, and <see cref="Data"/> bytes.</summary>
        public bool IsSent;
        public int Data;
    }
}
