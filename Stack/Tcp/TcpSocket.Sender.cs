using Tapwire.Stack.Buffers;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Packets;

namespace Tapwire.Stack.Tcp;

/// <content>
/// The sender: what goes out next, and when to look again, decided in one place after every event (RFC 9293, 3.7.4, 3.8.6.2.1; RFC 1122, 4.2.3.4).
/// </content>
public sealed partial class TcpSocket
{
    /// <summary>Packets per turn, and new bytes after which it ends; then other sockets have theirs.</summary>
    private const int Quantum = 16;
    private const int QuantumBytes = 128 << 10;

    /// <summary>SND.UNA.</summary>
    internal uint SndUna;

    /// <summary>SND.NXT: never moves back; what is sent again lies below it.</summary>
    internal uint SndNxt;

    /// <summary>SND.WND in bytes.</summary>
    internal uint SndWnd;

    /// <summary>SND.WL1 and SND.WL2: sequence and acknowledgement number of the segment that set the window.</summary>
    internal uint SndWl1;
    internal uint SndWl2;

    private SendQueue _send;
    private uint _maxSndWnd;

    /// <summary>End of the last segment sent that was not full-sized (RFC 9293, 3.7.4, in Minshall's variant); follows SND.UNA, lest it seem to lie
    /// ahead after 2 GiB.</summary>
    private uint _lastSmall;
    private int _acknowledgedCredit;
    private Instant _lastSent;

    /// <summary>Payload of a full-sized segment without SACK blocks.</summary>
    private int _segmentSize;
    private bool _finQueued;
    private bool _windowLimited;
    private bool _probeDue;

    private bool FinSent => _finQueued && SndNxt == _send.End + 1;

    /// <summary>Bytes that the peer's window still takes; negative after it has shrunk.</summary>
    private int UsableWindow => (int)(SndUna + SndWnd - SndNxt);

    private int Unsent => (int)(_send.End - SndNxt);

    private bool HasUnsent => _finQueued ? !FinSent : Unsent > 0;

    /// <summary>Emits what may be emitted, within one turn, and sets the timer.</summary>
    /// <returns>True if there may be more to emit.</returns>
    internal bool Output(Instant now)
    {
        var more = true;
        if (_sender is not null)
            _sender.IsPaced = false;
        var from = SndNxt;
        for (var sent = 0; sent < Quantum && SndNxt - from < QuantumBytes && _layer.Ip.HasRoom; sent++)
        {
            more = SendNext(now);
            if (!more)
                break;
        }

        if (_sender is not null)
            _sender.IsCatchingUp = _sender.IsPaced || (more && _sender.IsCatchingUp);
        Schedule(now);
        if (!more)
            LeaveSending();
        return more;
    }

    private bool SendNext(Instant now) => _state switch
    {
        TcpState.Closed => false,
        TcpState.SynSent => SendSyn(now),
        TcpState.SynReceived => SendSyn(now) || (OpensFastPassively && SendNew(now)) || SendAcknowledgment(now),
        TcpState.TimeWait => SendAcknowledgment(now),
        _ => SendData(now) || SendProbe(now) || SendUrgentNotice(now) || SendAcknowledgment(now),
    };

    private bool SendData(Instant now)
    {
        if (_sender is not null || HasUnsent)
            return SendTailProbe(now) || Retransmit(now) || SendMtuProbe(now) || SendNew(now);
        _windowLimited = false;
        return false;
    }

    private bool SendNew(Instant now)
    {
        _windowLimited = false;
        if (!HasUnsent)
        {
            LimitedByOthers();
            return false;
        }

        if (Sender.ProbeWaits)
            return false;
        if (SndNxt == SndUna)
            Sender.Congestion.Restarted(now - _lastSent, CurrentRto, _segmentSize, now);

        // The FIN takes a place in the window as a byte does, but none in the congestion window.
        var unsent = Unsent;
        var window = UsableWindow;
        if (unsent == 0)
        {
            _windowLimited = window < 1;
            return !_windowLimited && EmitNew(0, now);
        }

        var allowed = (int)Math.Min(window, CongestionWindow - Pipe);
        var full = CurrentSegmentSize;
        if (Math.Min(unsent, full) <= allowed && !PaceAllows(now))
            return false;
        var length = Math.Min(unsent, Math.Min(allowed, MaxPayload));
        if (length >= full)
        {
            // Whole segments; the rest with them only if it may go by itself.
            var rest = length % full;
            if (rest > 0 && (length < unsent || !MaySendSmall))
                length -= rest;
            return EmitNew(length, now);
        }

        if (length == unsent && MaySendSmall)
            return EmitNew(length, now);
        if (length < unsent && window <= allowed && length > 0 && length >= _maxSndWnd / 2)
            return EmitNew(length, now);
        _windowLimited = window < unsent && window < full;
        if (allowed < window && allowed < full)
            _windowLimitedTo = SndNxt;
        else if (_windowLimited)
            LimitedByOthers();
        return false;
    }

    /// <summary>Nagle's algorithm, in Minshall's variant as in Linux: a small segment waits while another small one is unacknowledged.</summary>
    private bool MaySendSmall => _options.Value.NoDelay || _finQueued || IsUrgent || Seq.Le(_lastSmall, SndUna);

    /// <summary>Payload of a full-sized segment at this moment: SACK blocks take their part.</summary>
    private int CurrentSegmentSize
    {
        get
        {
            if (!_selectiveAck || (_ahead.IsEmpty && _duplicate.IsEmpty))
                return _segmentSize;
            var blocks = Math.Min(_ahead.Ranges + (_duplicate.IsEmpty ? 0 : 1), SackRoom);
            return _segmentSize - 4 - 8 * blocks;
        }
    }

    /// <summary>Payload of the largest packet that may be handed down: whole segments that the device cuts.</summary>
    private int MaxPayload
    {
        get
        {
            var full = CurrentSegmentSize;
            // A device repeats the urgent pointer in each segment, where it would be wrong.
            if (_superFrame == 0 || IsUrgent)
                return full;
            var room = Math.Min(_superFrame, ushort.MaxValue) - IpHeaderLength(_entry.RemoteAddress) - TcpHeader.MaxLength;
            room = (int)Math.Min(room, PacedBurst);
            return Math.Max(full, room - room % full);
        }
    }

    private bool EmitNew(int length, Instant now, bool isProbe = false)
    {
        var flags = TcpFlags.Ack;
        var end = SndNxt + (uint)length;
        if (length > 0 && end == _send.End)
            flags |= TcpFlags.Psh;
        if (_finQueued && end == _send.End && Seq.Lt(end, SndUna + SndWnd))
            flags |= TcpFlags.Fin;
        if (length % CurrentSegmentSize != 0 && !isProbe)
            _lastSmall = end;
        if (SndNxt == SndUna)
            _lastProgress = now;
        if (now - _lastDataAt < _layer.Options.DelayedAck)
            _interactive = true;
        Sender.Reduction.Sent(length);
        var sequence = SndNxt;
        var pipe = Pipe;
        SndNxt = end + ((flags & TcpFlags.Fin) != 0 ? 1u : 0);
        Record(sequence, pipe, isProbe, now);
        Paced(length, now);
        Emit(sequence, length, flags, again: false, now, isProbe);
        _lastSent = now;
        // A probe waits longer for a single segment than for several.
        var second = sequence != SndUna && (int)(sequence - SndUna) <= _segmentSize;
        if (_rtoAt == Instant.Never || (second && TailProbeAt(now) < _rtoAt))
            RestartRetransmissionTimer(now);
        return true;
    }

    /// <summary>Notes what has just been sent for the first time.</summary>
    private void Record(uint start, int pipe, bool isProbe, Instant now)
    {
        var bytes = (int)(SndNxt - start);
        var log = Sender.Log ??= _layer.Transmissions.RentLog();
        if (!isProbe && log.CanExtend(start, now, bytes))
        {
            log.Last.End = SndNxt;
            log.Last.InFlight += bytes;
            return;
        }

        _rate.Sent(log.Append(start, SndNxt, now), pipe, bytes, now);
    }

    /// <summary>The application, or the peer's window, is why no more is in flight, not the network.</summary>
    private void LimitedByOthers()
    {
        if (Log is { LostBytes: 0 } && Pipe < CongestionWindow)
            _rate.ApplicationHasNothing(Pipe);
    }

    /// <summary>Zero-window probes and keepalives: an old sequence number without data, which the peer must answer with its window, as Linux does; or, if
    /// the window is merely too small for a worthwhile segment, what fits.</summary>
    private bool SendProbe(Instant now)
    {
        if (!_probeDue)
            return false;
        _probeDue = false;
        var window = UsableWindow;
        var length = Math.Min(Unsent, Math.Min(window, CurrentSegmentSize));
        if (length > 0)
            return EmitNew(length, now);
        Emit(SndUna - 1, 0, TcpFlags.Ack, again: false, now);

        // The peer does not look at the urgent pointer of an old sequence number.
        _urgentNoticeDue = IsUrgent;
        return true;
    }

    private bool SendAcknowledgment(Instant now)
    {
        if (_ackAt <= now)
        {
            _layer.Counters.TcpExtDelayedACKs++;
            _interactive = false;
            _ackNow = true;
        }

        if (!_ackNow)
            return false;
        Emit(SndNxt, 0, TcpFlags.Ack, again: false, now);
        return true;
    }

    /// <summary>Builds a segment and hands it down. Every segment carries the latest acknowledgement and window.</summary>
    /// <param name="isProbe">One packet, however large.</param>
    private void Emit(uint sequence, int length, TcpFlags flags, bool again, Instant now, bool isProbe = false)
    {
        var packet = length == 0
            ? _layer.Ip.Pool.Rent(0, BufferPool.HeaderRoom)
            : _send.Segment(_layer.Ip.Pool, sequence, length, ref again ? ref Sender.Places.Again : ref Sender.Places.Next);
        var header = new TcpHeader
        {
            SourcePort = _entry.LocalPort,
            DestinationPort = _entry.RemotePort,
            Sequence = sequence,
            Acknowledgment = RcvNxt,
            Flags = flags,
            Window = SelectWindow(),
        };
        PutTimestamp(ref header, now);
        PutUrgent(ref header);
        var ecn = PutEcn(ref header, isNewData: !again && length > 0);
        var segmentSize = CurrentSegmentSize;
        ReportAhead(ref header);
        AcknowledgmentSent();
        header.Emit(packet.Prepend(header.Length));
        var segments = length > segmentSize && !isProbe ? (length + segmentSize - 1) / segmentSize : 1;
        if (again)
        {
            _retransmits += segments;
            _layer.Counters.TcpRetransSegs += segments;
        }
        else
        {
            _layer.Counters.TcpOutSegs += segments;
        }

        var options = _options;
        var info = new IpSendInfo
        {
            Source = _entry.LocalAddress,
            Destination = _entry.RemoteAddress,
            Protocol = TcpLayer.Protocol,
            HopLimit = options.Value.HopLimit,
            TrafficClass = (byte)((options.Value.TrafficClass & ~EcnField.Mask) | ecn),
            ChecksumOffset = TcpHeader.ChecksumOffset,
            SegmentSize = segments > 1 ? segmentSize : 0,
        };
        _layer.Ip.Send(packet, info, now);
    }

    private void PutTimestamp(ref TcpHeader header, Instant now)
    {
        if (!_timestamps)
            return;
        header.HasTimestamp = true;
        header.TimestampValue = TcpLayer.TimestampClock(now) + _timestampOffset;
        header.TimestampEcho = _tsRecent;
    }

    private void SendReset(uint sequence, Instant now)
    {
        var header = new TcpHeader { Sequence = sequence, Flags = TcpFlags.Rst };
        if (_state != TcpState.SynSent)
        {
            header.Flags |= TcpFlags.Ack;
            header.Acknowledgment = RcvNxt;
            PutTimestamp(ref header, now);
        }

        _layer.SendControl(_entry.Pair, ref header, _options.Value, now);
    }
}
