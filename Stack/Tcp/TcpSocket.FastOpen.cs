using Tapwire.Stack.Buffers;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Packets;

namespace Tapwire.Stack.Tcp;

/// <content>TCP Fast Open (RFC 7413) of one connection: data in the SYN, on either side.</content>
public sealed partial class TcpSocket
{
    /// <summary>There until the handshake is done, if Fast Open has a part in it.</summary>
    private FastOpening? _fastOpen;

    /// <summary>In SYN-RECEIVED of a passive open data may go both ways already (RFC 7413, 4.2.2).</summary>
    private bool OpensFastPassively => _fastOpen is { Listener: not null };

    /// <summary>The application believes to be connected: what it writes before it closes is sent.</summary>
    private bool IsAnnounced => _fastOpen is { Announced: true };

    /// <summary>Looks for a cookie. With one, the SYN waits for the data it will carry.</summary>
    private void PrepareFastOpen(Instant now)
    {
        if (!_options.Value.FastOpen || !_layer.Options.FastOpen
            || !_layer.FastOpenCache.TryFind(_entry.LocalAddress, _entry.RemoteAddress, now, out var cookie, out var mss))
            return;
        _fastOpen = new FastOpening { Cookie = cookie, PeerMss = mss };
        if (cookie.IsRequest)
            return;
        _fastOpen.Announced = true;
        _fastOpen.IsDeferred = true;
        Raise(SocketEvents.Connected);
    }

    /// <summary>A SYN with a valid cookie: the connection is there at once.</summary>
    internal void BeginFastOpen(TcpListener listener, in TcpHeader syn, PacketBuffer payload, uint iss, in IpRoute route, Instant now)
    {
        _waitsForAccept = true;
        _state = TcpState.SynReceived;
        _fastOpen = new FastOpening { Listener = listener, Announced = true };
        listener.FastOpenCount++;
        Begin(iss, route.Mtu, route.SuperFrame, now);
        // The state stands for the SYN-ACK; SND.UNA is there for data.
        SndUna = SndNxt;
        TakeSyn(syn, now);
        SndWl1 = syn.Sequence;
        SndWnd = syn.Window;
        _maxSndWnd = SndWnd;
        BeginCongestionControl(synLost: false, TimeSpan.Zero, now);
        var text = syn;
        text.Flags &= ~TcpFlags.Syn;
        text.Sequence++;
        ReceivePayload(text, payload, now);
        _synDue = true;
        WantOutput();
    }

    /// <summary>Adds the option to the first SYN, and data if there is a cookie to vouch for it. What is sent again goes without, lest the path swallow it
    /// once more (RFC 7413, 4.2.1).</summary>
    /// <remarks>SND.NXT stays before the data: what the SYN-ACK does not acknowledge then leaves as new data, at once.</remarks>
    /// <returns>Null if there is no data.</returns>
    private PacketBuffer? AddFastOpen(ref TcpHeader syn)
    {
        if (_fastOpen is not { Listener: null } opening || _synRetransmits > 0 || _state != TcpState.SynSent)
            return null;
        syn.HasFastOpen = true;
        syn.FastOpenCookie = opening.Cookie;
        opening.IsSent = true;
        if (opening.Cookie.IsRequest)
            return null;
        var mss = Math.Min(opening.PeerMss == 0 ? DefaultMss : opening.PeerMss, _ownMss);
        opening.Data = Math.Clamp(mss - (syn.Length - TcpHeader.MinLength), 0, _send.Bytes);
        return opening.Data == 0 ? null : _send.Segment(_layer.Ip.Pool, SndNxt, opening.Data, ref Sender.Places.Next);
    }

    private bool AcknowledgesSyn(uint ack) => Seq.Gt(ack, _iss) && Seq.Le(ack, SndNxt + (uint)(_fastOpen?.Data ?? 0));

    /// <summary>Takes an acknowledgement of the SYN, and of the data in it.</summary>
    private void SynAcknowledged(uint ack, Instant now)
    {
        if (_synRetransmits == 0 && !_synAnsweredAgain)
            _rtt.Sample(now - _synSentAt);
        if (OpensFastPassively)
            return;
        var data = (int)(ack - SndNxt);
        SndUna = ack;
        SndNxt = ack;
        if (data == 0)
            return;
        AcknowledgeQueue(data);
        CreditWriter(data);
    }

    /// <summary>The client has its SYN-ACK: the cookie is kept, and whatever speaks against another Fast Open.</summary>
    private void FastOpenAnswered(in TcpHeader synAck, Instant now)
    {
        if (_fastOpen is not { IsSent: true } opening)
            return;
        var cookie = synAck is { HasFastOpen: true, FastOpenCookie.IsRequest: false } ? synAck.FastOpenCookie : default(FastOpenCookie?);
        var acknowledged = (int)(synAck.Acknowledgment - _iss) - 1;
        var counters = _layer.Counters;
        if (opening.Data > 0 && acknowledged >= opening.Data)
            counters.TcpExtTCPFastOpenActive++;
        else if (opening.Data > 0)
            counters.TcpExtTCPFastOpenActiveFail++;
        var ignored = cookie is null && acknowledged == 0 && (_synRetransmits > 0 || opening.Data > 0);
        if (ignored)
            _layer.FastOpenCache.Failed(_entry.LocalAddress, _entry.RemoteAddress, now);
        else
            _layer.FastOpenCache.Answered(_entry.LocalAddress, _entry.RemoteAddress, cookie, synAck.Mss);
    }

    /// <summary>The handshake is over.</summary>
    private void LeaveFastOpen()
    {
        if (_fastOpen?.Listener is { } listener)
            listener.FastOpenCount--;
        _fastOpen = null;
    }

    /// <summary>The handshake will not be done. A server keeps counting a connection that was reset for a time: a victim whose address somebody else uses
    /// answers so (RFC 7413, 5.1). A client remembers silence.</summary>
    private void FastOpenFailed(StackError error, Instant now)
    {
        if (_fastOpen is not { } opening)
            return;
        if (opening.Listener is { } listener && error == StackError.ConnectionReset)
            listener.FastOpenReset(now);
        else if (opening.IsSent && error is StackError.TimedOut or StackError.HostUnreachable or StackError.NetworkUnreachable)
            _layer.FastOpenCache.Failed(_entry.LocalAddress, _entry.RemoteAddress, now);
        if (opening.Data > 0)
            _layer.Counters.TcpExtTCPFastOpenActiveFail++;
        LeaveFastOpen();
    }

    private sealed class FastOpening
    {
        /// <summary>The passive side's.</summary>
        public TcpListener? Listener;
        public FastOpenCookie Cookie;

        /// <summary>As it was when the cookie came; 0: not known.</summary>
        public ushort PeerMss;

        /// <summary>Connected was raised, or need not be, for whoever accepts knows.</summary>
        public bool Announced;

        /// <summary>The SYN waits for data.</summary>
        public bool IsDeferred;

        /// <summary>The SYN has left with the option, and so much data.</summary>
        public bool IsSent;
        public int Data;
    }
}
