using Tapwire.Stack.Buffers;
using Tapwire.Stack.Packets;

namespace Tapwire.Stack.Tcp.Connection;

/// <summary>
/// The handshake of an active or simultaneous open (RFC 9293, 3.5, 3.10.7.3), and of a passive one with Fast Open: SYN-SENT and SYN-RECEIVED. It ends when both
/// SYNs are acknowledged, and the connection then drops this object.
/// </summary>
/// <remarks>Any other passive open has a <see cref="TcpEmbryo"/> until it is established.</remarks>
internal sealed partial class Handshake(TcpConnection connection, uint iss)
{
    /// <summary>Delay of a new SYN after an old connection of the peer has answered: time for our reset to arrive first.</summary>
    private static readonly TimeSpan HastenedDelay = TimeSpan.FromMilliseconds(10);

    private uint _irs;
    private Instant _sentAt;

    /// <summary>The SYN, or the SYN-ACK, must be sent.</summary>
    private bool _isDue;

    /// <summary>The SYN-ACK was repeated because the SYN came again, or the SYN was repeated without being lost: the acknowledgement measures no round trip
    /// (Karn).</summary>
    private bool _hasAnsweredAgain;

    /// <summary>The SYN offered explicit congestion notification.</summary>
    private bool _offersEcn;

    /// <summary>An old connection of the peer has answered.</summary>
    private bool _isHastened;

    /// <summary>When the SYN, or the SYN-ACK, is sent again.</summary>
    public Instant TimeoutAt { get; private set; } = Instant.Never;

    /// <summary>Number of doublings of the retransmission time-out.</summary>
    public byte Backoff { get; private set; }

    /// <summary>Number of times that the SYN, or the SYN-ACK, was sent again without an answer.</summary>
    public byte Retransmits { get; private set; }

    private TcpLayer Layer => connection.Layer;

    private TcpReceiver Receiver => connection.Receiver;

    /// <summary>Begins an active open.</summary>
    public void Open(Instant now)
    {
        PrepareFastOpen(now);
        DemandSyn();
    }

    /// <summary>SYN-SENT (RFC 9293, 3.10.7.3). Takes the buffer over.</summary>
    public void SynSentReceives(ref TcpHeader segment, PacketBuffer payload, Instant now)
    {
        var acceptable = segment.Has(TcpFlags.Ack) && Acknowledges(segment.Acknowledgment);
        if (segment.Has(TcpFlags.Ack) && !acceptable)
        {
            Layer.Counters.TcpInBadAck++;
            payload.Release();
            if (!segment.Has(TcpFlags.Rst))
                SegmentWriter.Reset(connection, segment.Acknowledgment, now);
            Hasten(now);
            return;
        }

        if (segment.Has(TcpFlags.Rst))
        {
            payload.Release();
            if (acceptable)
            {
                Layer.Counters.TcpAttemptFails++;
                connection.End(StackError.ConnectionRefused);
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
            // Simultaneous open: the SYNs have crossed. Data in the peer's SYN is dropped; the peer sends it again.
            payload.Release();
            connection.SynsCrossed();
            Backoff = 0;
            DemandSyn();
            return;
        }

        Complete(segment, now);
        Receiver.DemandAcknowledgment();
        TakeSynOff(ref segment);
        Receiver.Receive(segment, payload, now);
    }

    /// <summary>
    /// SYN-RECEIVED: the SYN-ACK of a simultaneous open repeats a SYN that has been taken already; a bare SYN shows that our SYN-ACK was lost.
    /// </summary>
    /// <returns>False if nothing is left of the segment.</returns>
    public bool SynReceivedAdmits(ref TcpHeader segment, Instant now)
    {
        if (!segment.Has(TcpFlags.Syn) || segment.Sequence != _irs)
            return true;
        if (!segment.Has(TcpFlags.Ack | TcpFlags.Rst))
        {
            AnswerAgain(now);
            return false;
        }

        if (segment.Has(TcpFlags.Ack) && !segment.Has(TcpFlags.Rst))
        {
            TakeSynOff(ref segment);
            // The window of a SYN-ACK is not scaled (RFC 7323, 2.2). Rounding loses a little, which the next segment brings.
            segment.Window = (ushort)(segment.Window >> connection.Sender.WindowShift);
        }

        return true;
    }

    /// <summary>SYN-RECEIVED: the fifth check (RFC 9293, 3.10.7.4).</summary>
    /// <returns>True if the segment completes the handshake.</returns>
    public bool IsCompletedBy(in TcpHeader segment, int length, Instant now)
    {
        if (!Acknowledges(segment.Acknowledgment))
        {
            Layer.Counters.TcpInBadAck++;
            Layer.Control.Reset(connection.Pair, segment, length, now);
            return false;
        }

        Complete(segment, now);
        return true;
    }

    /// <summary>SYN-RECEIVED: a valid reset.</summary>
    public void ResetArrived(Instant now)
    {
        // RFC 9293, 3.10.7.4: an accepted connection (Fast Open) is reset; a connecting one is refused.
        Fail(IsPassive ? StackError.ConnectionReset : StackError.ConnectionRefused, now);
    }

    /// <summary>The handshake has failed, and the connection ends.</summary>
    public void Fail(StackError error, Instant now)
    {
        Layer.Counters.TcpAttemptFails++;
        FastOpenFailed(error, now);
        connection.End(error);
    }

    /// <summary>Takes the options of the peer's SYN.</summary>
    public void TakeSyn(in TcpHeader syn, Instant now)
    {
        _irs = syn.Sequence;
        var agreed = SynOptions.Of(syn, Layer.Options);
        // A SYN-ACK accepts ECN with ECE alone (RFC 3168, 6.1.1); of crossed SYNs both have offered it.
        if (syn.Has(TcpFlags.Ack))
            agreed.Ecn = _offersEcn && syn.Has(TcpFlags.Ece) && !syn.Has(TcpFlags.Cwr);
        connection.AgreeOn(syn.Sequence, agreed, now);
    }

    /// <summary>Sends the SYN, or the SYN-ACK, if it is due.</summary>
    public bool Send(Instant now)
    {
        if (!_isDue || WaitsForData)
            return false;
        _isDue = false;
        StopWaiting(now);
        var received = connection.State == TcpState.SynReceived;
        var options = Layer.Options;
        var header = new TcpHeader
        {
            Sequence = iss,
            Acknowledgment = received ? Receiver.RcvNxt : 0,
            Flags = received ? TcpFlags.Syn | TcpFlags.Ack : TcpFlags.Syn,
            Window = Receiver.SynWindow,
            Mss = connection.OwnMss,
            SackPermitted = received ? connection.UsesSelectiveAck : options.SelectiveAck,
            HasWindowScale = received ? Receiver.WindowShift > 0 || connection.Sender.WindowShift > 0 : options.WindowScaling,
            WindowScale = Receiver.OfferedWindowShift,
            HasTimestamp = received ? connection.Timestamps.AreUsed : options.Timestamps,
            TimestampValue = connection.Timestamps.Value(now),
            TimestampEcho = received ? connection.Timestamps.Recent : 0,
        };
        PutEcnOffer(ref header);
        var data = AddFastOpen(ref header);
        connection.Sender.SynSent(now);
        _sentAt = now;
        if (received)
            Receiver.SynAckSent(header.Window);
        TimeoutAt = now + connection.CurrentRto;
        Layer.Control.Send(connection.Pair, ref header, connection.Options, now, data);
        return true;
    }

    /// <summary>The SYN, or the SYN-ACK, was not answered in time (RFC 9293, 3.8.3).</summary>
    public void TimedOut(Instant now)
    {
        TimeoutAt = Instant.Never;
        if (_isHastened && Retransmits == 0 && !_hasAnsweredAgain)
        {
            _hasAnsweredAgain = true;
            Layer.Counters.TcpRetransSegs++;
            _isDue = true;
            return;
        }

        Layer.Counters.TcpExtTCPTimeouts++;
        var retries = IsPassive ? Layer.Options.SynAckRetries : connection.Options.SynRetries > 0 ? connection.Options.SynRetries : Layer.Options.SynRetries;
        if (Retransmits >= retries || connection.UserTimeout.IsOver(connection.Options, now))
        {
            if (IsPassive)
                Layer.Counters.TcpExtTCPTimeoutSynAck++;
            Fail(connection.SoftErrors.ReasonForTimeout, now);
            return;
        }

        Retransmits++;
        Backoff++;
        connection.Sender.CountRetransmit();
        _isDue = true;
    }

    /// <summary>Requests that the SYN, or the SYN-ACK, be sent.</summary>
    public void DemandSyn()
    {
        _isDue = true;
        connection.WantOutput();
    }

    /// <summary>Packets get through again: the SYN, or the SYN-ACK, is sent once more, which does not count as a retry.</summary>
    public void PathRepaired()
    {
        if (TimeoutAt == Instant.Never)
            return;
        _hasAnsweredAgain = true;
        Layer.Counters.TcpRetransSegs++;
        DemandSyn();
    }

    /// <summary>Both SYNs are acknowledged.</summary>
    private void Complete(in TcpHeader segment, Instant now)
    {
        if (Retransmits == 0 && !_hasAnsweredAgain)
            connection.Sender.RoundTrips.Measured(now - _sentAt);
        if (!IsPassive)
            connection.Sender.SynAcknowledged(segment.Acknowledgment);
        FastOpenAnswered(segment, now);
        var accepts = IsPassive;
        connection.Established(segment, now);
        // An accepted connection needs no event. One announced early, by Fast Open, raises it again.
        if (!accepts)
            connection.Raise(SocketEvents.Connected);
    }

    /// <summary>An old connection of the peer with the same endpoints has answered the SYN (RFC 9293, 3.5.1). Our reset ends it; as in Linux, the SYN then
    /// follows soon, without waiting for the timer. The SYN was not lost, so it does not count as a retransmission. This happens once, or a peer could elicit
    /// one SYN after the other.</summary>
    private void Hasten(Instant now)
    {
        if (_isHastened || Retransmits > 0)
            return;
        _isHastened = true;
        TimeoutAt = Instant.Min(TimeoutAt, now + HastenedDelay);
        connection.WantOutput();
    }

    private void AnswerAgain(Instant now)
    {
        if (now - _sentAt < Layer.Options.InvalidRateLimit)
            return;
        _hasAnsweredAgain = true;
        Layer.Counters.TcpRetransSegs++;
        DemandSyn();
    }

    /// <summary>Puts the offer of explicit congestion notification on a SYN, or the answer on a SYN-ACK (RFC 3168, 6.1.1). A repeated SYN is sent without it,
    /// because some paths drop SYNs with it.</summary>
    private void PutEcnOffer(ref TcpHeader syn)
    {
        if (syn.Has(TcpFlags.Ack))
        {
            if (connection.UsesEcn)
                syn.Flags |= TcpFlags.Ece;
            return;
        }

        _offersEcn = Layer.Options.Ecn == EcnMode.On && Retransmits == 0;
        if (_offersEcn)
            syn.Flags |= TcpFlags.Ece | TcpFlags.Cwr;
    }

    private bool Acknowledges(uint ack) => Seq.Gt(ack, iss) && Seq.Le(ack, connection.Sender.SndNxt + (uint)SentData);

    /// <summary>Removes the SYN from a segment after it has been taken.</summary>
    private static void TakeSynOff(ref TcpHeader segment)
    {
        segment.Flags &= ~TcpFlags.Syn;
        segment.Sequence++;
        if (segment.UrgentPointer > 0)
            segment.UrgentPointer--;
    }
}
