using Tapwire.Stack.Buffers;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Packets;

namespace Tapwire.Stack.Tcp;

/// <content>The active and the simultaneous open (RFC 9293, 3.5 and 3.10.7.3), and what both ends agree on in the handshake.</content>
public sealed partial class TcpSocket
{
    /// <summary>What a peer is assumed to take that does not say (RFC 9293, 3.7.1; for IPv6 1220).</summary>
    private const int DefaultMssV4 = 536;
    private const int DefaultMssV6 = 1220;

    /// <summary>Peers that announce less are sent that much, or headers would be most of the traffic (TCP_MIN_SND_MSS).</summary>
    private const int MinMss = 48;

    private const int MaxWindowScale = 14;

    private uint _iss;
    private uint _irs;
    private uint _timestampOffset;
    private int _mtu;
    private int _superFrame;

    /// <summary>MSS of what we send, options included: the peer's, or what the path takes.</summary>
    private ushort _sendMss;

    /// <summary>MSS that we announced.</summary>
    private ushort _ownMss;
    private byte _sndWindShift;
    private byte _rcvWindShift;
    private bool _timestamps;
    private bool _selectiveAck;
    private bool _synDue;

    internal static ushort AnnouncedMss(int mtu, IpAddress peer, ushort bound)
    {
        var mss = Math.Clamp(mtu - IpHeaderLength(peer) - TcpHeader.MinLength, MinMss, ushort.MaxValue);
        return (ushort)(bound > 0 ? Math.Clamp(bound, MinMss, mss) : mss);
    }

    /// <summary>The least shift with which a buffer can be announced (RFC 7323, 2.3).</summary>
    internal static byte WindowScaleFor(int buffer)
    {
        byte shift = 0;
        while (shift < MaxWindowScale && buffer >> shift > ushort.MaxValue)
            shift++;
        return shift;
    }

    internal void BeginActive(uint iss, in IpRoute route, Instant now)
    {
        _state = TcpState.SynSent;
        Begin(iss, route.Mtu, route.SuperFrame, now);
        SndUna = iss;
        _synDue = true;
        WantOutput();
    }

    /// <summary>Takes over from SYN-RECEIVED; the segment that ended it follows as any other.</summary>
    internal void BeginPassive(TcpEmbryo embryo, in TcpHeader ack, TcpListener listener, Instant now)
    {
        _waitsForAccept = true;
        Begin(embryo.Iss, embryo.Mtu, embryo.SuperFrame, now);
        SndUna = embryo.Iss + 1;
        AgreeOn(embryo.Irs, embryo.PeerMss, embryo.Timestamps, embryo.SelectiveAck, embryo.WindowScaling, embryo.PeerWindowScale);
        _tsRecent = embryo.TsRecent;
        _tsRecentAt = embryo.Since;
        RcvAdv = RcvNxt + (uint)Math.Min(_receiveBuffer, ushort.MaxValue);
        if (embryo.Retries == 0)
            _rtt.Sample(now - embryo.Since);
        _synRetransmits = embryo.Retries;
        Established(ack, now);
    }

    private static int IpHeaderLength(IpAddress address) => address.IsV4 ? 20 : 40;

    private void Begin(uint iss, int mtu, int superFrame, Instant now)
    {
        _iss = iss;
        SndNxt = iss + 1;
        _recover = iss;
        _measuredTo = iss;
        _windowLimitedTo = iss;
        _rack.Begin(iss);
        _send.Start = iss + 1;
        _lastSmall = iss;
        _mtu = mtu;
        _superFrame = superFrame;
        _ownMss = AnnouncedMss(mtu, _entry.RemoteAddress, _options.Value.MaxSegment);
        _sendMss = (ushort)Math.Min(DefaultMss, _ownMss);
        _segmentSize = _sendMss;
        _rcvMss = Math.Min(_ownMss, (ushort)DefaultMss);
        _timestampOffset = _layer.TimestampOffset(_entry.Pair);
        _lastHeard = now;
        _lastProgress = now;
    }

    private int DefaultMss => _entry.RemoteAddress.IsV4 ? DefaultMssV4 : DefaultMssV6;

    /// <summary>Takes what the peer's SYN offered and we want too.</summary>
    private void AgreeOn(uint irs, ushort mss, bool timestamps, bool selectiveAck, bool windowScaling, byte peerScale)
    {
        _irs = irs;
        RcvNxt = irs + 1;
        RcvAdv = RcvNxt;
        _lastAckSent = RcvNxt;
        _timestamps = timestamps;
        _selectiveAck = selectiveAck;
        if (windowScaling)
        {
            // RFC 7323, 2.3: more than 14 counts as 14.
            _sndWindShift = Math.Min(peerScale, (byte)MaxWindowScale);
            _rcvWindShift = WindowScaleFor(_receiveBuffer);
        }

        SetSendMss(mss == 0 ? DefaultMss : Math.Max((int)mss, MinMss));
    }

    private void SetSendMss(int mss)
    {
        _sendMss = (ushort)Math.Min(mss, AnnouncedMss(_mtu, _entry.RemoteAddress, _options.Value.MaxSegment));
        _segmentSize = _sendMss - (_timestamps ? TcpHeader.TimestampLength : 0);
    }

    private void Established(in TcpHeader segment, Instant now)
    {
        _state = TcpState.Established;
        _backoff = 0;
        _rtoAt = Instant.Never;
        SndWl1 = segment.Sequence;
        SndWl2 = segment.Acknowledgment;
        SndWnd = (uint)segment.Window << _sndWindShift;
        if (segment.Has(TcpFlags.Syn))
            SndWnd = segment.Window;
        _maxSndWnd = SndWnd;
        _quickAcks = MaxQuickAcks;
        _congestion.Begin(_segmentSize, _synRetransmits > 0, _rtt.Smoothed, now);
        _minRoundTrip = _rtt.Smoothed;
        _minRoundTripAt = now;
        _lastProgress = now;
        _lastSent = now;
        ArmKeepAlive(now);
        if (_finQueued)
            _state = TcpState.FinWait1;
        WantOutput();
    }

    /// <summary>SYN-SENT (RFC 9293, 3.10.7.3).</summary>
    private void SynSentReceives(ref TcpHeader segment, PacketBuffer payload, Instant now)
    {
        var acceptable = segment.Has(TcpFlags.Ack) && segment.Acknowledgment == SndNxt;
        if (segment.Has(TcpFlags.Ack) && !acceptable)
        {
            _layer.Counters.TcpInBadAck++;
            payload.Release();
            if (!segment.Has(TcpFlags.Rst))
                SendReset(segment.Acknowledgment, now);
            return;
        }

        if (segment.Has(TcpFlags.Rst))
        {
            payload.Release();
            if (acceptable)
            {
                _layer.Counters.TcpAttemptFails++;
                End(StackError.ConnectionRefused);
            }

            return;
        }

        if (!segment.Has(TcpFlags.Syn))
        {
            payload.Release();
            return;
        }

        TakeSyn(segment, now);
        if (!acceptable)
        {
            // Simultaneous open: both SYNs have crossed. Data in the SYN is left to be sent again.
            payload.Release();
            _state = TcpState.SynReceived;
            _synDue = true;
            _backoff = 0;
            WantOutput();
            return;
        }

        if (_synRetransmits == 0)
            _rtt.Sample(now - _lastSent);
        SndUna = segment.Acknowledgment;
        Established(segment, now);
        _ackNow = true;
        Raise(SocketEvents.Connected);
        segment.Sequence++;
        ReceivePayload(segment, payload, now);
    }

    private void TakeSyn(in TcpHeader syn, Instant now)
    {
        var options = _layer.Options;
        AgreeOn(
            syn.Sequence, syn.Mss, options.Timestamps && syn.HasTimestamp, options.SelectiveAck && syn.SackPermitted,
            options.WindowScaling && syn.HasWindowScale, syn.WindowScale);
        RcvAdv = RcvNxt + (uint)Math.Min(_receiveBuffer, ushort.MaxValue);
        _tsRecent = syn.TimestampValue;
        _tsRecentAt = now;
        _lastHeard = now;
    }

    /// <summary>Emits the SYN, or the SYN-ACK of a simultaneous open, if it is time for it.</summary>
    private bool SendSyn(Instant now)
    {
        if (!_synDue)
            return false;
        _synDue = false;
        var received = _state == TcpState.SynReceived;
        var options = _layer.Options;
        var header = new TcpHeader
        {
            Sequence = _iss,
            Acknowledgment = received ? RcvNxt : 0,
            Flags = received ? TcpFlags.Syn | TcpFlags.Ack : TcpFlags.Syn,
            Window = (ushort)Math.Min(_receiveBuffer, ushort.MaxValue),
            Mss = _ownMss,
            SackPermitted = received ? _selectiveAck : options.SelectiveAck,
            HasWindowScale = received ? _rcvWindShift > 0 || _sndWindShift > 0 : options.WindowScaling,
            WindowScale = WindowScaleFor(_receiveBuffer),
            HasTimestamp = received ? _timestamps : options.Timestamps,
            TimestampValue = TcpLayer.TimestampClock(now) + _timestampOffset,
            TimestampEcho = received ? _tsRecent : 0,
        };
        _lastSent = now;
        if (received)
            AcknowledgmentSent();
        _rtoAt = now + CurrentRto;
        _layer.SendControl(_entry.Pair, ref header, _options.Value, now);
        return true;
    }

    /// <summary>No answer to the SYN, or to the SYN-ACK of a simultaneous open (RFC 9293, 3.8.3).</summary>
    private void SynTimedOut(Instant now)
    {
        _layer.Counters.TcpExtTCPTimeouts++;
        if (_synRetransmits >= _layer.Options.SynRetries || UserTimeoutOver(now))
        {
            _layer.Counters.TcpAttemptFails++;
            End(_softError == StackError.None ? StackError.TimedOut : _softError);
            return;
        }

        _synRetransmits++;
        _retransmits++;
        _backoff++;
        _layer.Counters.TcpRetransSegs++;
        _synDue = true;
        _rtoAt = Instant.Never;
    }
}
