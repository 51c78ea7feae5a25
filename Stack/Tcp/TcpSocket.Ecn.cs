using Tapwire.Stack.Packets;

namespace Tapwire.Stack.Tcp;

/// <content>
/// Explicit congestion notification (RFC 3168): routers mark packets instead of dropping them; the receiver says so until the sender says that it has heard, and the
/// sender behaves as after a loss, without one.
/// </content>
public sealed partial class TcpSocket
{
    /// <summary>Both ends take part.</summary>
    private bool _ecn;

    /// <summary>A marked packet has come, and the peer has not said that it knows: ECE on every acknowledgement.</summary>
    private bool _ecnEcho;

    /// <summary>The window was reduced: CWR on the next new data.</summary>
    private bool _ecnReduced;

    /// <summary>The SYN offered it.</summary>
    private bool _ecnOffered;

    /// <summary>Puts the offer on a SYN, or the answer on a SYN-ACK (RFC 3168, 6.1.1). A SYN that was sent again goes without: some paths drop those with it.</summary>
    private void PutEcnOffer(ref TcpHeader syn)
    {
        if (syn.Has(TcpFlags.Ack))
        {
            if (_ecn)
                syn.Flags |= TcpFlags.Ece;
            return;
        }

        _ecnOffered = _layer.Options.Ecn == EcnMode.On && _synRetransmits == 0;
        if (_ecnOffered)
            syn.Flags |= TcpFlags.Ece | TcpFlags.Cwr;
    }

    /// <summary>What an acceptable segment says about marks (RFC 3168, 6.1.3): CWR first, for the mark may be newer.</summary>
    private void EcnArrived(in TcpHeader segment, int length)
    {
        if (!_ecn)
            return;
        if (segment.Has(TcpFlags.Cwr))
            _ecnEcho = false;
        if (!segment.IsMarked || length == 0)
            return;
        _layer.Counters.TcpInMarked++;
        if (!_ecnEcho)
            _ackNow = true;
        _ecnEcho = true;
    }

    /// <summary>The peer has seen a mark: once per window that is a loss for congestion control (RFC 3168, 6.1.2).</summary>
    private void EcnEchoed(in TcpHeader segment, int inFlight, Instant now)
    {
        if (!_ecn || !segment.Has(TcpFlags.Ece) || segment.Has(TcpFlags.Syn) || Sender.LossState != LossState.Open || Seq.Le(SndUna, _recover))
            return;
        _layer.Counters.TcpEcnReductions++;
        Sender.LossState = LossState.Reduction;
        _recover = SndNxt;
        Sender.MayUndo = false;
        EndTailProbe(now);
        ReduceWindow(inFlight, now);
    }

    private void WindowReduced() => _ecnReduced = _ecn;

    /// <summary>The flags, and the mark in the IP header, of a segment that leaves: only new data can be marked (RFC 3168, 6.1.5, 6.1.6).</summary>
    /// <returns>The ECN bits of the traffic class.</returns>
    private byte PutEcn(ref TcpHeader header, bool isNewData)
    {
        if (!_ecn)
            return 0;
        if (_ecnEcho)
            header.Flags |= TcpFlags.Ece;
        if (!isNewData)
            return 0;
        if (_ecnReduced)
            header.Flags |= TcpFlags.Cwr;
        _ecnReduced = false;
        return EcnField.Capable;
    }
}
