using Tapwire.Stack.Buffers;
using Tapwire.Stack.Packets;

namespace Tapwire.Stack.Tcp;

/// <content>The receiver: payload, reassembly, FIN, the window, and when to acknowledge.</content>
public sealed partial class TcpSocket
{
    /// <summary>So many acknowledgements are not delayed at the start, while the peer is in slow start (TCP_MAX_QUICKACKS).</summary>
    private const int MaxQuickAcks = 16;

    /// <summary>So many segments of a batch share an acknowledgement, about as many as in Linux under such a load.</summary>
    private const int SegmentsPerAck = 4;

    /// <summary>Beyond this many at a time and one per <see cref="EarlyAckInterval"/>, one acknowledgement answers the rest of a batch: on a fast flow
    /// there are batches enough.</summary>
    private const int EarlyAckBurst = 16;

    private static readonly TimeSpan EarlyAckInterval = TimeSpan.FromMicroseconds(200);

    /// <summary>RCV.NXT.</summary>
    internal uint RcvNxt;

    /// <summary>RCV.ADV: the right edge of the window that has been announced. What lies left of it is accepted; it never moves left.</summary>
    internal uint RcvAdv;

    private uint _lastAckSent;
    private uint _peerFin;

    /// <summary>Bytes given away by Read and not consumed.</summary>
    private int _lent;

    private ReceiveQueue _received;
    private Reassembly _ahead;
    private SackBlock _duplicate;
    private Instant _ackAt = Instant.Never;
    private Instant _lastDataAt = new(long.MinValue / 2);

    /// <summary>When the allowance of early acknowledgements is whole again.</summary>
    private Instant _earlyAcksWholeAt;

    /// <summary>The peer's segment size as seen: what "every second full-sized segment" is measured by.</summary>
    private ushort _rcvMss;
    private byte _quickAcks;

    /// <summary>Segments since the last acknowledgement, up to <see cref="SegmentsPerAck"/>.</summary>
    private byte _unanswered;

    /// <summary>Further acknowledgements owed to a peer without SACK, for whom each one counts (RFC 5681, 3.2).</summary>
    private byte _duplicateAcksOwed;
    private bool _ackNow;

    /// <summary>The application answers what it receives: an acknowledgement is worth waiting with, for data will take it along.</summary>
    private bool _interactive;
    private bool _peerFinKnown;
    private bool _finReceived;
    private bool _endDelivered;
    private bool _receiveShutdown;

    /// <summary>RCV.WND as announced.</summary>
    private int ReceiveWindow => Math.Max(0, (int)(RcvAdv - RcvNxt));

    /// <summary>Room in the receive buffer, as far as a window field can express it.</summary>
    private int FreeReceiveBuffer
    {
        get
        {
            var free = Math.Clamp(_receiveBuffer - _received.Bytes - _lent, 0, ushort.MaxValue << _rcvWindShift);
            return _layer.IsUnderPressure ? Math.Min(free, Math.Max(ReceiveWindow, LeastSegments * _rcvMss)) : free;
        }
    }

    /// <summary>The seventh and eighth check: segment text and FIN.</summary>
    private void ReceivePayload(in TcpHeader segment, PacketBuffer payload, Instant now)
    {
        CheckUrgent(segment);
        var start = segment.Sequence;
        var fin = segment.Has(TcpFlags.Fin);
        if (payload.Length == 0 && !fin)
        {
            payload.Release();
            return;
        }

        if (_state is not (TcpState.SynReceived or TcpState.Established or TcpState.FinWait1 or TcpState.FinWait2))
        {
            // The peer's FIN has come: nothing can follow it; it is repeated because our acknowledgement was lost.
            _ackNow = true;
            payload.Release();
            return;
        }

        if (_closedByOwner && payload.Length > 0 && Seq.Gt(start + (uint)payload.Length, RcvNxt))
        {
            // RFC 9293, 3.6.1: nobody is there to take it.
            _layer.Counters.TcpExtTCPAbortOnData++;
            payload.Release();
            SendReset(SndNxt, now);
            End(StackError.ConnectionAborted);
            return;
        }

        if (MustRefuse(payload.Length))
        {
            _layer.Counters.TcpExtTCPRcvQDrop++;
            _ackNow = true;
            payload.Release();
            return;
        }

        if (_timestamps && payload.Length >= _rcvMss)
            MeasurePeer(segment.TimestampEcho, now);
        var hasAnswered = AnswerEarlier(now);
        if (!Trim(ref start, ref fin, payload, now))
            return;
        Take(start, payload, now);
        _ackNow |= hasAnswered;
        if (_unanswered < SegmentsPerAck)
            _unanswered++;
        if (_peerFinKnown && RcvNxt == _peerFin)
            FinArrived(now);
        else if (fin)
            _ackNow = true;
    }

    /// <summary>Cuts off what is old, what is beyond the window, and what would follow a FIN.</summary>
    /// <returns>False if nothing is left; the payload is released then.</returns>
    private bool Trim(ref uint start, ref bool fin, PacketBuffer payload, Instant now)
    {
        var end = start + (uint)payload.Length;
        if (Seq.Lt(start, RcvNxt))
        {
            var old = (int)Math.Min(RcvNxt - start, (uint)payload.Length);
            ReportDuplicate(start, start + (uint)old, now);
            payload.TrimStart(old);
            start += (uint)old;
            _ackNow = true;
            if (Seq.Lt(end, RcvNxt))
            {
                payload.Release();
                return false;
            }
        }

        if (Seq.Gt(end, RcvAdv) && payload.Length > 0)
        {
            // A closed window is probed: the answer is the acknowledgement.
            _layer.Counters.TcpInBeyondWindow++;
            _ackNow = true;
            fin = false;
            payload.Truncate(Math.Clamp((int)(RcvAdv - start), 0, payload.Length));
        }

        if (fin && !_peerFinKnown)
        {
            _peerFinKnown = true;
            _peerFin = end;
        }

        if (_peerFinKnown && Seq.Gt(start + (uint)payload.Length, _peerFin))
            payload.Truncate(Math.Max(0, (int)(_peerFin - start)));
        if (payload.Length > 0 || fin)
            return true;
        payload.Release();
        return false;
    }

    private void Take(uint start, PacketBuffer payload, Instant now)
    {
        var length = payload.Length;
        if (length == 0)
            payload.Release();
        else if (start == RcvNxt)
            TakeInOrder(payload, length, now);
        else
            TakeAhead(start, payload, now);
    }

    private void TakeInOrder(PacketBuffer payload, int length, Instant now)
    {
        _rcvMss = (ushort)Math.Max(_rcvMss, Math.Min(length, (int)_ownMss));
        if (_received.Append(payload, _layer.Ip.Pool))
            _layer.Counters.TcpExtTCPRcvCoalesce++;
        RcvNxt += (uint)length;
        if (!_ahead.IsEmpty)
        {
            // RFC 5681, 4.2: what fills a gap, or leaves one, is acknowledged at once.
            RcvNxt = _ahead.TakeInOrder(RcvNxt, ref _received, _layer.Ranges);
            _ackNow = true;
        }

        if (_receiveShutdown)
        {
            _layer.Counters.TcpInDiscarded += _received.Bytes;
            _received.Clear();
        }
        else
        {
            Raise(SocketEvents.Readable);
        }

        ScheduleAcknowledgment(now);
    }

    private void TakeAhead(uint start, PacketBuffer payload, Instant now)
    {
        _layer.Counters.TcpExtTCPOFOQueue++;
        if (_selectiveAck && _ahead.Unreported >= SackRoom)
            AcknowledgeAtOnce(now);
        var duplicate = _ahead.Insert(start, payload, _layer.Ip.Pool, _layer.Ranges);
        if (!duplicate.IsEmpty)
            ReportDuplicate(duplicate.Start, duplicate.End, now);
        // Memory, not bytes: small segments in large buffers. What is acknowledged selectively may be dropped (RFC 2018, 8), from the far end.
        while (!_ahead.IsEmpty && (_ahead.Ranges > ReassemblyList.MaxRanges || _ahead.Memory + _received.Memory > 2L * _receiveBuffer + (64 << 10)))
        {
            _layer.Counters.TcpExtOfoPruned++;
            _ahead.DropLast(_layer.Ranges);
        }

        if (!_selectiveAck && _ackNow && _duplicateAcksOwed < 3)
            _duplicateAcksOwed++;
        _ackNow = true;
    }

    private void FinArrived(Instant now)
    {
        RcvNxt++;
        _finReceived = true;
        _ackNow = true;
        _ahead.Clear(_layer.Ranges);
        PassUrgent();
        if (!_closedByOwner)
            Raise(SocketEvents.Readable);
        switch (_state)
        {
            case TcpState.Established:
                _state = TcpState.CloseWait;
                break;
            case TcpState.FinWait1:
                _state = TcpState.Closing;
                break;
            default:
                EnterTimeWait(now);
                break;
        }
    }

    /// <summary>RFC 5681, 4.2: within a time, and at least every second full-sized segment; at once while the peer's window is small.</summary>
    private void ScheduleAcknowledgment(Instant now)
    {
        _lastDataAt = now;
        var pending = (int)(RcvNxt - _lastAckSent);
        if (pending > _rcvMss || (_quickAcks > 0 && !_interactive) || EdgeIsNear())
            _ackNow = true;
        else if (_ackAt == Instant.Never)
            _ackAt = now + _layer.Options.DelayedAck;
    }

    /// <summary>The peer can hardly send more within the window it knows, and we could announce more.</summary>
    private bool EdgeIsNear() => ReceiveWindow < 2 * _rcvMss && FreeReceiveBuffer - ReceiveWindow >= WindowStep;

    /// <summary>By less than this the window is not opened (RFC 9293, 3.8.6.2.2).</summary>
    private int WindowStep => Math.Min(_rcvMss, _receiveBuffer / 2);

    /// <summary>Bytes have left the buffer: the peer is told at once if the window it knows was small and has at least doubled, as in Linux; otherwise the
    /// next acknowledgement tells it.</summary>
    private void WindowOpened()
    {
        if (!IsSynchronized || _finReceived)
            return;
        var window = ReceiveWindow;
        var free = FreeReceiveBuffer;
        if (2L * window > _receiveBuffer || free < 2L * window || free - window < WindowStep)
            return;
        _layer.Counters.TcpInWindowUpdates++;
        _ackNow = true;
        WantOutput();
    }

    /// <summary>The window field for a segment that leaves now; moves <see cref="RcvAdv"/>. Rounded down, so that the buffer is never exceeded: the edge
    /// that the peer sees may then be short of <see cref="RcvAdv"/>, which is still accepted (RFC 7323, 2.4).</summary>
    private ushort SelectWindow()
    {
        var window = ReceiveWindow;
        if (FreeReceiveBuffer - window >= WindowStep)
            window = FreeReceiveBuffer;
        var field = (uint)Math.Min(window >> _rcvWindShift, ushort.MaxValue);
        RcvAdv = Seq.Max(RcvAdv, RcvNxt + (field << _rcvWindShift));
        return (ushort)field;
    }

    private void AcknowledgmentSent()
    {
        _lastAckSent = RcvNxt;
        _ackAt = Instant.Never;
        _unanswered = 0;
        if (_quickAcks > 0)
            _quickAcks--;
        _ackNow = _duplicateAcksOwed > 0;
        if (_ackNow)
            _duplicateAcksOwed--;
    }

    private void ReportDuplicate(uint start, uint end, Instant now)
    {
        if (_selectiveAck && !_duplicate.IsEmpty)
            AcknowledgeAtOnce(now);
        _layer.Counters.TcpInDuplicateBytes += (int)(end - start);
        _duplicate = new SackBlock(start, end);
    }

    /// <summary>
    /// A segment comes while an acknowledgement of several before it, in the same batch, is due. A window often arrives as one batch, for the window
    /// before was acknowledged at once; if one acknowledgement answers it all and is lost, nothing keeps the sender going until its timer fires.
    /// </summary>
    /// <returns>True: it has left. The rest of the batch will not wait for more, as it would not if one acknowledgement answered all.</returns>
    private bool AnswerEarlier(Instant now)
    {
        if (!_ackNow || _unanswered < SegmentsPerAck || _earlyAcksWholeAt - now > EarlyAckInterval * (EarlyAckBurst - 1))
            return false;
        _earlyAcksWholeAt = Instant.Max(_earlyAcksWholeAt, now) + EarlyAckInterval;
        AcknowledgeAtOnce(now);
        return true;
    }

    /// <summary>SACK blocks that an acknowledgement has room for.</summary>
    private int SackRoom => _timestamps ? 3 : 4;

    /// <summary>One acknowledgement answers a batch; but not if it cannot say all: what the sender does not hear of it takes for lost.</summary>
    private void AcknowledgeAtOnce(Instant now)
    {
        if (_layer.Ip.HasRoom)
            Emit(SndNxt, 0, TcpFlags.Ack, again: false, now);
    }

    /// <summary>SACK blocks for an acknowledgement, a duplicate first (RFC 2018, 4; RFC 2883, 4).</summary>
    private void ReportAhead(ref TcpHeader header)
    {
        if (!_selectiveAck)
            return;
        var room = SackRoom;
        var count = 0;
        if (!_duplicate.IsEmpty)
        {
            header.Sacks[count++] = _duplicate;
            _duplicate = default;
            _layer.Counters.TcpExtTCPDSACKOldSent++;
        }

        if (!_ahead.IsEmpty)
            count += _ahead.Report(ref header.Sacks, count, room - count);
        header.SackCount = (byte)count;
    }
}
