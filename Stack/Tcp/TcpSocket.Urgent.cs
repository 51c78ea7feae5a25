using Tapwire.Stack.Packets;

namespace Tapwire.Stack.Tcp;

/// <content>
/// Urgent data (RFC 9293, 3.8.5; RFC 6093): a mark in the stream, no stream of its own. The bytes stay in line; the urgent pointer names the byte that
/// follows the last urgent one, both ways. Linux takes it to name the last urgent byte unless tcp_stdurg is set, so one urgent byte sent by either
/// side is marked one byte late or early at the other: RFC 6093 decided for what is done here.
/// </content>
public sealed partial class TcpSocket
{
    /// <summary>SND.UP: the sequence number after the last urgent byte written. Means nothing unless <see cref="_sendsUrgent"/>.</summary>
    private uint _sndUp;

    /// <summary>RCV.UP: the same of the peer's. Means nothing unless <see cref="_hearsUrgent"/>.</summary>
    private uint _rcvUp;
    private bool _sendsUrgent;
    private bool _hearsUrgent;
    private bool _urgentNoticeDue;

    /// <summary>
    /// Bytes from the next one that <see cref="Read"/> gives up to the end of the peer's urgent data; 0: none is outstanding. It may be more than
    /// <see cref="Available"/>: announced and not here yet. Asked before Read, it is where in the chain the urgent data ends (RFC 9293, 3.9.1.3).
    /// </summary>
    public int UrgentMark => _hearsUrgent ? Math.Max(0, (int)(_rcvUp - NextToRead)) : 0;

    /// <summary>Urgent data is written and not acknowledged.</summary>
    private bool IsUrgent => _sendsUrgent && Seq.Gt(_sndUp, SndUna);

    /// <summary>Sequence number of the byte that Read gives next.</summary>
    private uint NextToRead => RcvNxt - (_finReceived ? 1u : 0) - (uint)_received.Bytes;

    private void MarkUrgent()
    {
        _sendsUrgent = true;
        _sndUp = _send.End;
        _urgentNoticeDue = true;
    }

    /// <summary>Sets URG and the pointer on a segment that urgent data follows. A pointer that does not reach says "all you can see", and the segments
    /// after it say more.</summary>
    private void PutUrgent(ref TcpHeader header)
    {
        if (!_sendsUrgent)
            return;
        if (Seq.Le(_sndUp, SndUna))
        {
            _sendsUrgent = false;
            return;
        }

        if (Seq.Ge(header.Sequence, _sndUp))
            return;
        _urgentNoticeDue = false;
        header.Flags |= TcpFlags.Urg;
        header.UrgentPointer = (ushort)Math.Min(_sndUp - header.Sequence, ushort.MaxValue);
    }

    /// <summary>The peer is told of urgent data also while its window keeps the data back: that is what it is for.</summary>
    private bool SendUrgentNotice(Instant now)
    {
        if (!_urgentNoticeDue)
            return false;
        _urgentNoticeDue = false;
        // What has been sent of it has carried the mark.
        if (SndNxt == _send.End)
            return false;
        Emit(SndNxt, 0, TcpFlags.Ack, again: false, now);
        return true;
    }

    /// <summary>What is left of a segment when its SYN has been taken.</summary>
    private static void TakeSynOff(ref TcpHeader segment)
    {
        segment.Flags &= ~TcpFlags.Syn;
        segment.Sequence++;
        if (segment.UrgentPointer > 0)
            segment.UrgentPointer--;
    }

    /// <summary>The sixth check (RFC 9293, 3.10.7.4). Each advance is told while its end lies ahead of the reader (3.8.5).</summary>
    private void CheckUrgent(in TcpHeader segment)
    {
        if (!segment.Has(TcpFlags.Urg) || _closedByOwner || _receiveShutdown
            || _state is not (TcpState.Established or TcpState.FinWait1 or TcpState.FinWait2))
            return;
        var end = segment.Sequence + segment.UrgentPointer;
        // Behind a FIN nothing comes.
        if (_peerFinKnown)
            end = Seq.Min(end, _peerFin);
        if (Seq.Le(end, NextToRead) || (_hearsUrgent && Seq.Le(end, _rcvUp)))
            return;
        _hearsUrgent = true;
        _rcvUp = end;
        _layer.Counters.TcpInUrgent++;
        Raise(SocketEvents.Urgent);
    }

    /// <summary>Bytes were read, or the stream has ended: the mark may lie behind, and must not stay until sequence numbers come round.</summary>
    private void PassUrgent()
    {
        if (_peerFinKnown)
            _rcvUp = Seq.Min(_rcvUp, _peerFin);
        _hearsUrgent = _hearsUrgent && Seq.Gt(_rcvUp, NextToRead);
    }
}
