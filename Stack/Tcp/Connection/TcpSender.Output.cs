using Tapwire.Stack.Packets;

namespace Tapwire.Stack.Tcp.Connection;

/// <content>The choice of what to send next, made in one place after every event: <see cref="SendNext"/>.</content>
internal sealed partial class TcpSender
{
    /// <summary>Packets per turn, and new bytes after which a turn ends; then other sockets have theirs.</summary>
    private const int Quantum = 16;
    private const int QuantumBytes = 128 << 10;

    /// <summary>Sends what may be sent, within one turn.</summary>
    /// <returns>True if there may be more to send.</returns>
    public bool Output(Instant now)
    {
        var more = true;
        _state?.Pacer.BeginTurn();
        var from = SndNxt;
        for (var sent = 0; sent < Quantum && SndNxt - from < QuantumBytes && Layer.Ip.HasRoom(connection.Interface); sent++)
        {
            more = connection.SendNext(now);
            if (!more)
                break;
        }

        _state?.Pacer.EndTurn(more);
        return more;
    }

    /// <summary>A turn is over. Starts or stops the persist timer; without anything under way the state returns to the pool.</summary>
    public void OutputDone(bool more, Instant now)
    {
        _state?.Persist.Update(_state.NewData.IsPeerLimited && SndNxt == SndUna, now);
        if (!more)
            LeaveSending(now);
    }

    /// <summary>Sends the next segment, in a state in which data may be sent.</summary>
    /// <returns>False if there is nothing to send now.</returns>
    public bool SendNext(Instant now) =>
        (_state is { } state && SendData(state, now)) || SendAckEliciting(now) || SendUrgentNotice(now) || SendDueAcknowledgment(now);

    /// <summary>Sends data: a tail loss probe, a retransmission, a path MTU probe, or new data. Each condition before a call repeats what the part would check
    /// first, because most turns need only the last one.</summary>
    private bool SendData(SenderState state, Instant now) =>
        (state.TailLossProbe.IsDue && state.TailLossProbe.Send(now)) || (state.Board.LostBytes > 0 && state.Recovery.Retransmit(now))
        || ((Path.IsReduced || state.MtuProbe.IsWaiting) && state.MtuProbe.Send(now)) || state.NewData.Send(now);

    /// <summary>Sends new data, or the FIN, in SYN-RECEIVED of a passive open by Fast Open (RFC 7413, 4.2.2).</summary>
    public bool SendEarly(Instant now) => _state is not null && _state.NewData.Send(now);

    /// <summary>Sends an acknowledgement by itself, if one is due.</summary>
    public bool SendDueAcknowledgment(Instant now)
    {
        if (!connection.Receiver.MustAcknowledge(now))
            return false;
        SendAcknowledgment(now);
        return true;
    }

    /// <summary>Sends an acknowledgement by itself, whatever the pace and the windows say.</summary>
    public void SendAcknowledgment(Instant now) => Emit(new SegmentSpan(SndNxt, 0, TcpFlags.Ack, Again: false, IsMtuProbe: false), now);

    /// <summary>Sends an entry again. It is no longer than one packet.</summary>
    public void EmitAgain(Transmission entry, Instant now)
    {
        var state = State;
        var length = entry.Length;
        state.Undo.Repeated(length, now);
        _unreportedRepeats += length;
        state.Recovery.Sent(length);
        Rate.Sent(entry, Pipe, entry.State == TransmissionState.Lost ? length : 0, now);
        state.Board.Log!.MarkSent(entry, now, CurrentSegmentSize);
        state.Pacer.Sent(length, now);
        var flags = TcpFlags.Ack;
        var data = (int)Math.Min((uint)length, state.Queue.End - entry.Start);
        if (data < length)
            flags |= TcpFlags.Fin;
        if (data > 0 && entry.Start + (uint)data == state.Queue.End)
            flags |= TcpFlags.Psh;
        Emit(new SegmentSpan(entry.Start, data, flags, Again: true, IsMtuProbe: false), now);
    }

    /// <summary>Sends a zero-window or keep-alive probe: an old sequence number without data, which the peer must answer with its window, as in Linux. If the
    /// window is merely too small for a worthwhile segment, sends the data that fits instead.</summary>
    private bool SendAckEliciting(Instant now)
    {
        if (!_elicitsAcknowledgment)
            return false;
        _elicitsAcknowledgment = false;
        var length = Math.Min(Unsent, Math.Min(UsableWindow, CurrentSegmentSize));
        if (length > 0)
            return State.NewData.Emit(length, now);
        Emit(new SegmentSpan(SndUna - 1, 0, TcpFlags.Ack, Again: false, IsMtuProbe: false), now);

        // The peer ignores the urgent pointer of an old sequence number.
        _state?.Urgent.RepeatNotice(SndUna);
        return true;
    }

    /// <summary>Tells the peer of urgent data that no segment has announced.</summary>
    private bool SendUrgentNotice(Instant now)
    {
        // All urgent data that was sent has carried the pointer.
        if (_state is null || !_state.Urgent.TakeNotice() || Unsent == 0)
            return false;
        SendAcknowledgment(now);
        return true;
    }

    /// <summary>Gives a segment to the IP layer.</summary>
    public void Emit(in SegmentSpan span, Instant now)
    {
        var segments = SegmentWriter.Emit(connection, _state, span, now);
        if (span.Again)
            Retransmits += segments;
    }
}
