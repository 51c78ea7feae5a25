using Tapwire.Stack.Buffers;
using Tapwire.Stack.Packets;

namespace Tapwire.Stack.Tcp.Connection;

/// <content>The arrival of an acceptable segment, in the order of RFC 9293, 3.10.7.4: the sixth check (URG), the seventh (segment text) and the eighth
/// (FIN).</content>
internal sealed partial class TcpReceiver
{
    /// <summary>The sixth to eighth check: URG, segment text and FIN. Takes the buffer over.</summary>
    public void Receive(in TcpHeader segment, PacketBuffer payload, Instant now)
    {
        CheckUrgent(segment);
        var start = segment.Sequence;
        var fin = segment.Has(TcpFlags.Fin);
        if (payload.Length == 0 && !fin)
        {
            payload.Release();
            return;
        }

        if (connection.State is not (TcpState.SynReceived or TcpState.Established or TcpState.FinWait1 or TcpState.FinWait2))
        {
            // Nothing can follow the peer's FIN, which has arrived. It is repeated because our acknowledgement was lost.
            _acknowledgment.Demand();
            payload.Release();
            return;
        }

        if (HasNoReader && payload.Length > 0 && Seq.Gt(start + (uint)payload.Length, RcvNxt))
        {
            // RFC 9293, 3.6.1: no application is left to read the data.
            Layer.Counters.TcpExtTCPAbortOnData++;
            payload.Release();
            connection.Reset(connection.IsClosedByOwner ? StackError.ConnectionAborted : StackError.ConnectionReset, now);
            return;
        }

        if (MustRefuse(payload.Length))
        {
            Layer.Counters.TcpExtTCPRcvQDrop++;
            _acknowledgment.Demand();
            payload.Release();
            return;
        }

        MeasureRoundTrip(segment, payload.Length, now);
        var hasAnswered = _acknowledgment.TakeEarly(now);
        if (hasAnswered)
            AcknowledgeAtOnce(now);
        if (!Trim(ref start, ref fin, payload, now))
            return;
        Take(start, payload, now);
        // The rest of the batch is acknowledged without delay as well, as with one acknowledgement for all of it.
        if (hasAnswered)
            _acknowledgment.Demand();
        _acknowledgment.Count();
        if (_end != StreamEnd.Unknown && RcvNxt == _peerFin)
            TakeFin(now);
        else if (fin)
            _acknowledgment.Demand();
    }

    /// <summary>Takes the ECN bits of an acceptable segment (RFC 3168, 6.1.3): CWR first, because the mark may be newer.</summary>
    public void MarksArrived(in TcpHeader segment, int length)
    {
        if (!connection.UsesEcn)
            return;
        if (segment.Has(TcpFlags.Cwr))
        {
            _echoesMark = false;
            // The peer's window may be down to one segment, and wait for this answer (as in Linux, tcp_ecn_accept_cwr).
            if (length > 0)
                _acknowledgment.Demand();
        }

        if (!segment.IsMarked || length == 0)
            return;
        Layer.Counters.TcpInMarked++;
        if (!_echoesMark)
            _acknowledgment.Demand();
        _echoesMark = true;
    }

    /// <summary>The sixth check (RFC 9293, 3.10.7.4). Each advance of the urgent pointer is reported while it lies ahead of the reader (3.8.5).</summary>
    private void CheckUrgent(in TcpHeader segment)
    {
        if (!segment.Has(TcpFlags.Urg) || connection.IsClosedByOwner || _isShutDown
            || connection.State is not (TcpState.Established or TcpState.FinWait1 or TcpState.FinWait2))
            return;
        var end = segment.Sequence + segment.UrgentPointer;
        // Nothing follows a FIN.
        if (_end != StreamEnd.Unknown)
            end = Seq.Min(end, _peerFin);
        if (!_urgent.Announced(end, NextToRead))
            return;
        Layer.Counters.TcpInUrgent++;
        connection.Raise(SocketEvents.Urgent);
    }

    /// <summary>Memory is used up: data is neither taken nor acknowledged until some is free again; the sender will repeat it. Before that, the last quarter is
    /// for connections below their share: those above it have announced their windows when there was memory.</summary>
    private bool MustRefuse(int length)
    {
        if (length == 0 || !Layer.IsUnderPressure)
            return false;
        if (_received.Bytes + _lent > LeastSegments * _segmentSize && _received.Memory + _lentMemory > Layer.ReceiveShare)
            return true;
        if (!Layer.IsOutOfMemory)
            return false;

        // A super-frame occupies a large buffer, however little it holds; its sender repeats the data in single segments. Data waiting to be sent must not
        // count here, or two ends could refuse each other's data for ever.
        if (length <= connection.OwnMss && _received.Bytes + _lent + _ahead.Memory < LeastSegments * _segmentSize)
            return false;
        while (!_ahead.IsEmpty)
            PruneAhead();
        connection.Charge();
        return Layer.IsOutOfMemory;
    }

    /// <summary>A full-sized segment measures the round trip by its echoed timestamp.</summary>
    private void MeasureRoundTrip(in TcpHeader segment, int length, Instant now)
    {
        if (connection.Timestamps.AreUsed && length >= _segmentSize && _buffer.Measures(segment.TimestampEcho))
            _buffer.Measured(connection.Timestamps.Age(segment.TimestampEcho, now));
    }

    /// <summary>Cuts off old data, data beyond the window, and data behind a FIN.</summary>
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
            _acknowledgment.Demand();
            if (Seq.Lt(end, RcvNxt))
            {
                payload.Release();
                return false;
            }
        }

        if (Seq.Gt(end, RcvAdv) && payload.Length > 0)
        {
            // A segment beyond a closed window is a zero-window probe: the acknowledgement answers it.
            Layer.Counters.TcpInBeyondWindow++;
            _acknowledgment.Demand();
            fin = false;
            payload.Truncate(Math.Clamp((int)(RcvAdv - start), 0, payload.Length));
        }

        if (fin && _end == StreamEnd.Unknown)
        {
            _end = StreamEnd.Announced;
            _peerFin = end;
        }

        if (_end != StreamEnd.Unknown && Seq.Gt(start + (uint)payload.Length, _peerFin))
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
        _segmentSize = (ushort)Math.Max(_segmentSize, Math.Min(length, (int)connection.OwnMss));
        if (_received.Append(payload, Layer.Ip.Pool, isTight: Layer.IsUnderPressure))
            Layer.Counters.TcpExtTCPRcvCoalesce++;
        RcvNxt += (uint)length;
        TotalBytes += length;
        if (!_ahead.IsEmpty)
            FillGap(now);
        if (_isShutDown)
            DiscardReceived();
        else
            connection.Raise(SocketEvents.Readable);
        AnswerQuicklyAfterPause(now);
        _acknowledgment.DataArrived((int)(RcvNxt - LastAckSent), _segmentSize, IsWindowNarrow, Layer.Options.DelayedAck, now);
    }

    /// <summary>After a pause the peer's window is small, and each acknowledgement lets it grow. So acknowledgements are not delayed, as in Linux
    /// (tcp_event_data_recv).</summary>
    private void AnswerQuicklyAfterPause(Instant now)
    {
        var pause = now - _acknowledgment.LastDataAt;
        if (pause > Layer.Options.MinRto && pause > connection.CurrentRto)
            _acknowledgment.BeginQuick();
    }

    /// <summary>RFC 5681, 4.2: a segment that fills a gap, or leaves one, is acknowledged at once.</summary>
    private void FillGap(Instant now)
    {
        var next = RcvNxt;
        var duplicate = _ahead.TakeInOrder(ref next, ref _received, Layer.Ranges);
        TotalBytes += next - RcvNxt;
        RcvNxt = next;
        if (!duplicate.IsEmpty)
            ReportDuplicate(duplicate.Start, duplicate.End, now);
        _acknowledgment.Demand();
    }

    private void TakeAhead(uint start, PacketBuffer payload, Instant now)
    {
        Layer.Counters.TcpExtTCPOFOQueue++;
        if (connection.UsesSelectiveAck && _ahead.Unreported >= SackRoom)
            AcknowledgeAtOnce(now);
        var duplicate = _ahead.Insert(start, payload, Layer.Ip.Pool, Layer.Ranges);
        if (!duplicate.IsEmpty)
            ReportDuplicate(duplicate.Start, duplicate.End, now);
        // The limit is of memory, not bytes, because of small segments in large buffers. SACKed data may be dropped (RFC 2018, 8), the farthest first.
        while (!_ahead.IsEmpty && (_ahead.Ranges > ReassemblyList.MaxRanges || _ahead.Memory + _received.Memory > 2L * _buffer.Size + (64 << 10)))
            PruneAhead();
        _acknowledgment.AheadArrived(connection.UsesSelectiveAck);
    }

    private void PruneAhead()
    {
        Layer.Counters.TcpExtOfoPruned++;
        _ahead.DropLast(Layer.Ranges);
    }

    private void TakeFin(Instant now)
    {
        RcvNxt++;
        _end = StreamEnd.Arrived;
        _acknowledgment.Demand();
        _ahead.Clear(Layer.Ranges);
        PassUrgent();
        if (!connection.IsClosedByOwner)
            connection.Raise(SocketEvents.Readable);
        connection.FinArrived(now);
    }
}
