using Tapwire.Stack.Buffers;
using Tapwire.Stack.Packets;
using Tapwire.Stack.Tcp.Connection;

namespace Tapwire.Stack.Tcp;

/// <content>SEGMENT ARRIVES in the synchronized states, in the order of RFC 9293, 3.10.7.4, with the checks of RFC 5961 and RFC 7323.</content>
internal sealed partial class TcpConnection
{
    private InvalidAnswers _answers = new();

    /// <summary>SEGMENT ARRIVES (RFC 9293, 3.10.7). Takes the buffer.</summary>
    public void SegmentArrives(ref TcpHeader segment, PacketBuffer payload, Instant now)
    {
        if (State == TcpState.SynSent)
        {
            _handshake!.SynSentReceives(ref segment, payload, now);
            return;
        }

        if (_handshake is not null && !_handshake.SynReceivedAdmits(ref segment, now))
        {
            payload.Release();
            return;
        }

        if (!IsAcceptable(segment, payload.Length, now) || !IsAcknowledged(segment, payload.Length, now))
        {
            payload.Release();
            return;
        }

        WantOutput();
        var length = payload.Length;
        if (State is TcpState.Closed or TcpState.TimeWait)
            payload.Release();
        else
            Receiver.Receive(segment, payload, now);
        Receiver.MarksArrived(segment, length);
        Charge();
    }

    /// <summary>PAWS, sequence number, RST and SYN: the first to fourth check.</summary>
    private bool IsAcceptable(in TcpHeader segment, int length, Instant now)
    {
        if (Timestamps.IsOld(segment, now))
        {
            Layer.Counters.TcpExtPAWSEstab++;
            _answers.Unacceptable(this, segment, length, now);
            return false;
        }

        // As in Linux (tcp_sequence), the left edge is what was acknowledged last, and what reaches over the right edge is cut off later: a valid
        // acknowledgement is heard also while the window is closed, as RFC 9293, 3.4, asks.
        var end = segment.Sequence + (uint)length + (segment.Has(TcpFlags.Syn) ? 1u : 0) + (segment.Has(TcpFlags.Fin) ? 1u : 0);
        if (Seq.Lt(end, Receiver.LastAckSent) || Seq.Gt(segment.Sequence, Receiver.RcvNxt + (uint)Receiver.Window))
        {
            Layer.Counters.TcpInOutOfWindow++;
            if (!segment.Has(TcpFlags.Rst))
                _answers.Unacceptable(this, segment, length, now);
            return false;
        }

        if (segment.Has(TcpFlags.Rst))
        {
            // RFC 5961, 3.2.
            if (segment.Sequence == Receiver.RcvNxt)
                ResetArrived(now);
            else
                _answers.Challenge(this, now);
            return false;
        }

        if (segment.Has(TcpFlags.Syn))
        {
            // RFC 5961, 4.2.
            Layer.Counters.TcpExtTCPSYNChallenge++;
            _answers.Challenge(this, now);
            return false;
        }

        return segment.Has(TcpFlags.Ack);
    }

    /// <summary>The fifth check, and all that an acknowledgement brings about.</summary>
    private bool IsAcknowledged(in TcpHeader segment, int length, Instant now)
    {
        if (_handshake is not null)
        {
            if (!_handshake.IsCompletedBy(segment, length, now))
                return false;
        }
        else if (!Sender.CanBeTrue(segment.Acknowledgment))
        {
            // RFC 5961, 5. Such a segment must not set TS.Recent either, or one forged segment would make PAWS refuse all true ones.
            Layer.Counters.TcpInBadAck++;
            _answers.Challenge(this, now);
            return false;
        }

        Timestamps.Take(segment, Receiver.LastAckSent, now);
        _keepAlive.Heard(now);
        Sender.Acknowledged(segment, length, now);
        return true;
    }

    private void ResetArrived(Instant now)
    {
        if (_handshake is not null)
        {
            _handshake.ResetArrived(now);
            return;
        }

        if (State is TcpState.Established or TcpState.CloseWait)
            Layer.Counters.TcpEstabResets++;
        End(StackError.ConnectionReset);
    }
}
