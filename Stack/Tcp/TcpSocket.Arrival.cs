using Tapwire.Stack.Buffers;
using Tapwire.Stack.Packets;

namespace Tapwire.Stack.Tcp;

/// <content>SEGMENT ARRIVES in the synchronized states, in the order of RFC 9293, 3.10.7.4, with the checks of RFC 5961 and RFC 7323.</content>
public sealed partial class TcpSocket
{
    /// <summary>A timestamp older than that may belong to a clock that has wrapped (RFC 7323, 5.5).</summary>
    private static readonly TimeSpan PawsAge = TimeSpan.FromDays(24);

    /// <summary>A tick less is forgiven, as in Linux (TCP_PAWS_WINDOW): segments that left together may have been overtaken.</summary>
    private const uint PawsTolerance = 1;

    private uint _tsRecent;
    private Instant _tsRecentAt;
    private Instant _lastHeard;
    private Instant _lastInvalidAnswer = new(long.MinValue / 2);

    internal void SegmentArrives(ref TcpHeader segment, PacketBuffer payload, Instant now)
    {
        if (_state == TcpState.SynSent)
        {
            SynSentReceives(ref segment, payload, now);
            return;
        }

        // The SYN-ACK of a simultaneous open repeats the SYN that has been taken already; a mere SYN says that our SYN-ACK was lost.
        if (_state == TcpState.SynReceived && segment.Has(TcpFlags.Syn) && segment.Sequence == _irs)
        {
            if (!segment.Has(TcpFlags.Ack | TcpFlags.Rst))
            {
                payload.Release();
                AnswerSynAgain(now);
                return;
            }

            if (segment.Has(TcpFlags.Ack) && !segment.Has(TcpFlags.Rst))
            {
                TakeSynOff(ref segment);
                // Its window is not scaled (RFC 7323, 2.2): what is lost by rounding down comes with the next segment.
                segment.Window = (ushort)(segment.Window >> _sndWindShift);
            }
        }

        if (!IsAcceptable(segment, payload.Length, now) || !IsAcknowledged(segment, payload.Length, now))
        {
            payload.Release();
            return;
        }

        WantOutput();
        var length = payload.Length;
        if (_state is TcpState.Closed or TcpState.TimeWait)
            payload.Release();
        else
            ReceivePayload(segment, payload, now);
        EcnArrived(segment, length);
        Charge();
    }

    /// <summary>PAWS, sequence number, RST and SYN: the first to fourth check.</summary>
    private bool IsAcceptable(in TcpHeader segment, int length, Instant now)
    {
        if (_timestamps && segment.HasTimestamp && !segment.Has(TcpFlags.Rst)
            && Seq.Lt(segment.TimestampValue + PawsTolerance, _tsRecent) && now - _tsRecentAt < PawsAge)
        {
            _layer.Counters.TcpExtPAWSEstab++;
            AnswerUnacceptable(segment, length, now);
            return false;
        }

        // As in Linux (tcp_sequence), the left edge is what was acknowledged last, and what reaches over the right edge is cut off later: a valid
        // acknowledgement is heard also while the window is closed, as RFC 9293, 3.4, asks.
        var end = segment.Sequence + (uint)length + (segment.Has(TcpFlags.Syn) ? 1u : 0) + (segment.Has(TcpFlags.Fin) ? 1u : 0);
        if (Seq.Lt(end, _lastAckSent) || Seq.Gt(segment.Sequence, RcvNxt + (uint)ReceiveWindow))
        {
            _layer.Counters.TcpInOutOfWindow++;
            if (!segment.Has(TcpFlags.Rst))
                AnswerUnacceptable(segment, length, now);
            return false;
        }

        if (segment.Has(TcpFlags.Rst))
        {
            // RFC 5961, 3.2.
            if (segment.Sequence == RcvNxt)
                ResetArrived(now);
            else
                Challenge(now);
            return false;
        }

        if (segment.Has(TcpFlags.Syn))
        {
            // RFC 5961, 4.2.
            _layer.Counters.TcpExtTCPSYNChallenge++;
            Challenge(now);
            return false;
        }

        return segment.Has(TcpFlags.Ack);
    }

    /// <summary>The fifth check, and all that an acknowledgement brings about.</summary>
    private bool IsAcknowledged(in TcpHeader segment, int length, Instant now)
    {
        if (_state == TcpState.SynReceived)
        {
            if (!AcknowledgesSyn(segment.Acknowledgment))
            {
                _layer.Counters.TcpInBadAck++;
                _layer.Reset(_entry.Pair, segment, length, now);
                return false;
            }

            SynAcknowledged(segment.Acknowledgment, now);
            FastOpenAnswered(segment, now);
            var announced = IsAnnounced;
            Established(segment, now);
            if (SndUna != SndNxt)
                RestartRetransmissionTimer(now);
            if (!announced)
                Raise(SocketEvents.Connected);
        }
        else if (Seq.Gt(segment.Acknowledgment, SndNxt) || Seq.Lt(segment.Acknowledgment, SndUna - _maxSndWnd))
        {
            // RFC 5961, 5. Such a segment must not set TS.Recent either, or one forged segment would make PAWS refuse all true ones.
            _layer.Counters.TcpInBadAck++;
            Challenge(now);
            return false;
        }

        // RFC 7323, 4.3: of the segments that one acknowledgement answers, the earliest one's timestamp goes back. A peer that stops sending
        // timestamps is tolerated, as in Linux: middle boxes strip them.
        if (_timestamps && segment.HasTimestamp && Seq.Le(segment.Sequence, _lastAckSent) && Seq.Ge(segment.TimestampValue, _tsRecent))
        {
            _tsRecent = segment.TimestampValue;
            _tsRecentAt = now;
        }

        _lastHeard = now;
        _keepAliveProbes = 0;
        ProcessAcknowledgment(segment, length, now);
        return true;
    }

    private void ResetArrived(Instant now)
    {
        if (_state == TcpState.SynReceived)
        {
            // Whoever has accepted a connection, by Fast Open, loses it; whoever is connecting is refused (RFC 9293, 3.10.7.4).
            var error = OpensFastPassively ? StackError.ConnectionReset : StackError.ConnectionRefused;
            _layer.Counters.TcpAttemptFails++;
            FastOpenFailed(error, now);
            End(error);
            return;
        }

        if (_state is TcpState.Established or TcpState.CloseWait)
            _layer.Counters.TcpEstabResets++;
        End(StackError.ConnectionReset);
    }

    private void AnswerSynAgain(Instant now)
    {
        if (now - _synSentAt < _layer.Options.InvalidRateLimit)
            return;
        _synAnsweredAgain = true;
        _layer.Counters.TcpRetransSegs++;
        _synDue = true;
        WantOutput();
    }

    /// <summary>A challenge ACK (RFC 5961, 7: at a bounded rate).</summary>
    private void Challenge(Instant now)
    {
        if (now - _lastInvalidAnswer < _layer.Options.InvalidRateLimit || !_layer.TryTakeChallenge(now))
        {
            _layer.Counters.TcpExtTCPACKSkipped++;
            return;
        }

        _lastInvalidAnswer = now;
        _layer.Counters.TcpExtTCPChallengeACK++;
        _ackNow = true;
        WantOutput();
    }

    /// <summary>Whoever sends what cannot be used is told what would be. Segments without data, which may be answers themselves, at a bounded rate,
    /// so that two ends that disagree do not storm (tcp_invalid_ratelimit).</summary>
    private void AnswerUnacceptable(in TcpHeader segment, int length, Instant now)
    {
        if (length == 0 && !segment.Has(TcpFlags.Fin))
        {
            if (now - _lastInvalidAnswer < _layer.Options.InvalidRateLimit)
            {
                _layer.Counters.TcpExtTCPACKSkipped++;
                return;
            }

            _lastInvalidAnswer = now;
        }
        else if (Seq.Lt(segment.Sequence, RcvNxt))
        {
            ReportDuplicate(segment.Sequence, Seq.Min(segment.Sequence + (uint)length, RcvNxt), now);
        }

        _ackNow = true;
        WantOutput();
    }
}
