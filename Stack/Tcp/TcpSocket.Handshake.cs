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
    private ushort _peerMss;

    /// <summary>MSS of what we send, options included: the peer's, or what the path takes.</summary>
    private ushort _sendMss;

    /// <summary>MSS that we announced.</summary>
    private ushort _ownMss;
    private byte _sndWindShift;
    private byte _rcvWindShift;
    private bool _timestamps;
    private bool _selectiveAck;
    private bool _synDue;

    /// <summary>The SYN-ACK was sent again because the SYN came again: its acknowledgement measures nothing (Karn).</summary>
    private bool _synAnsweredAgain;
    private Instant _synSentAt;

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
        PrepareFastOpen(now);
        _synDue = true;
        WantOutput();
    }

    /// <summary>Takes over from SYN-RECEIVED; the segment that ended it follows as any other.</summary>
    internal void BeginPassive(TcpEmbryo embryo, in TcpHeader ack, Instant now)
    {
        _waitsForAccept = true;
        Begin(embryo.Iss, embryo.Mtu, embryo.SuperFrame, now);
        SndUna = embryo.Iss + 1;
        AgreeOn(embryo.Irs, embryo.Agreed);
        _tsRecentAt = embryo.Since;
        RcvAdv = RcvNxt + (uint)Math.Min(_receiveBuffer, ushort.MaxValue);
        if (embryo.Retries == 0 && !embryo.AnsweredOften)
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
        _sender?.Rack.Begin(iss);
        _send.Start = iss + 1;
        _lastSmall = iss;
        BeginPath(mtu, superFrame, now);
        _ownMss = AnnouncedMss(mtu, _entry.RemoteAddress, _options.Value.MaxSegment);
        _sendMss = (ushort)Math.Min(DefaultMss, _ownMss);
        _segmentSize = _sendMss;
        _rcvMss = Math.Min(_ownMss, (ushort)DefaultMss);
        _timestampOffset = _layer.TimestampOffset(_entry.Pair);
        _lastHeard = now;
        _lastProgress = now;
    }

    private int DefaultMss => DefaultMssFor(_entry.RemoteAddress);

    internal static int DefaultMssFor(IpAddress peer) => peer.IsV4 ? DefaultMssV4 : DefaultMssV6;

    private void AgreeOn(uint irs, in SynOptions agreed)
    {
        _irs = irs;
        RcvNxt = irs + 1;
        RcvAdv = RcvNxt;
        _lastAckSent = RcvNxt;
        _timestamps = agreed.Timestamps;
        _tsRecent = agreed.TsRecent;
        _selectiveAck = agreed.SelectiveAck;
        _ecn = agreed.Ecn;
        if (agreed.WindowScaling)
        {
            // RFC 7323, 2.3: more than 14 counts as 14.
            _sndWindShift = Math.Min(agreed.PeerWindowScale, (byte)MaxWindowScale);
            _rcvWindShift = WindowScaleFor(_receiveBufferMaximum);
        }

        SetSendMss(agreed.PeerMss == 0 ? DefaultMss : Math.Max((int)agreed.PeerMss, MinMss));
    }

    private void SetSendMss(int mss)
    {
        _peerMss = (ushort)mss;
        UpdateSegmentSize();
    }

    private void Established(in TcpHeader segment, Instant now)
    {
        _state = TcpState.Established;
        LeaveFastOpen();
        _backoff = 0;
        _rtoAt = Instant.Never;
        SndWl1 = segment.Sequence;
        SndWl2 = segment.Acknowledgment;
        SndWnd = (uint)segment.Window << _sndWindShift;
        if (segment.Has(TcpFlags.Syn))
            SndWnd = segment.Window;
        _maxSndWnd = SndWnd;
        _quickAcks = MaxQuickAcks;
        BeginCongestionControl(_synRetransmits > 0, _rtt.Smoothed, now);
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
        var acceptable = segment.Has(TcpFlags.Ack) && AcknowledgesSyn(segment.Acknowledgment);
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
        // A SYN-ACK agrees with ECE alone (RFC 3168, 6.1.1); crossed SYNs have both offered.
        if (segment.Has(TcpFlags.Ack))
            _ecn = _ecnOffered && segment.Has(TcpFlags.Ece) && !segment.Has(TcpFlags.Cwr);
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

        SynAcknowledged(segment.Acknowledgment, now);
        FastOpenAnswered(segment, now);
        var announced = IsAnnounced;
        Established(segment, now);
        _ackNow = true;
        if (!announced)
            Raise(SocketEvents.Connected);
        TakeSynOff(ref segment);
        ReceivePayload(segment, payload, now);
    }

    private void TakeSyn(in TcpHeader syn, Instant now)
    {
        AgreeOn(syn.Sequence, SynOptions.Of(syn, _layer.Options));
        RcvAdv = RcvNxt + (uint)Math.Min(_receiveBuffer, ushort.MaxValue);
        _tsRecentAt = now;
        _lastHeard = now;
    }

    /// <summary>Emits the SYN, or the SYN-ACK of a simultaneous open, if it is time for it.</summary>
    private bool SendSyn(Instant now)
    {
        if (!_synDue || (_fastOpen is { IsDeferred: true } && !HasUnsent))
            return false;
        _synDue = false;
        if (_fastOpen is { IsDeferred: true })
        {
            _fastOpen.IsDeferred = false;
            _lastProgress = now;
        }

        var received = _state == TcpState.SynReceived;
        var options = _layer.Options;
        var header = new TcpHeader
        {
            Sequence = _iss,
            Acknowledgment = received ? RcvNxt : 0,
            Flags = received ? TcpFlags.Syn | TcpFlags.Ack : TcpFlags.Syn,
            Window = (ushort)Math.Min(FreeReceiveBuffer, ushort.MaxValue),
            Mss = _ownMss,
            SackPermitted = received ? _selectiveAck : options.SelectiveAck,
            HasWindowScale = received ? _rcvWindShift > 0 || _sndWindShift > 0 : options.WindowScaling,
            WindowScale = WindowScaleFor(_receiveBufferMaximum),
            HasTimestamp = received ? _timestamps : options.Timestamps,
            TimestampValue = TcpLayer.TimestampClock(now) + _timestampOffset,
            TimestampEcho = received ? _tsRecent : 0,
        };
        PutEcnOffer(ref header);
        var data = AddFastOpen(ref header);
        _lastSent = now;
        _synSentAt = now;
        if (received)
        {
            RcvAdv = Seq.Max(RcvAdv, RcvNxt + header.Window);
            AcknowledgmentSent();
        }

        _rtoAt = now + CurrentRto;
        _layer.SendControl(_entry.Pair, ref header, _options.Value, now, data);
        return true;
    }

    /// <summary>No answer to the SYN, or to the SYN-ACK of a simultaneous open (RFC 9293, 3.8.3).</summary>
    private void SynTimedOut(Instant now)
    {
        _layer.Counters.TcpExtTCPTimeouts++;
        if (_synRetransmits >= (OpensFastPassively ? _layer.Options.SynAckRetries : _layer.Options.SynRetries) || UserTimeoutOver(now))
        {
            _layer.Counters.TcpAttemptFails++;
            if (OpensFastPassively)
                _layer.Counters.TcpExtTCPTimeoutSynAck++;
            var error = _softError == StackError.None ? StackError.TimedOut : _softError;
            FastOpenFailed(error, now);
            End(error);
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
