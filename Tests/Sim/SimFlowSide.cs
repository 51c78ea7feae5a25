using Tapwire.Stack.Packets;
using Tapwire.Stack.Tcp;

namespace Tapwire.Tests.Sim;

/// <summary>One side of a connection, seen from the path: what it has sent, and what of it has come through; and the rules that hold for it whatever
/// happens.</summary>
internal sealed class SimFlowSide
{
    private uint _iss;

    /// <summary>Everything below has been sent.</summary>
    private uint _sent;
    private uint _acknowledged;
    private uint _timestamp;
    private uint _fin;

    /// <summary>The right edge of the window that this side has announced.</summary>
    private uint _announced;

    /// <summary>The right edge of the window that this side has been told of.</summary>
    private uint _allowed;
    private byte _windowScale;
    private bool _hasScale;
    private bool _hasAcknowledged;
    private bool _hasTimestamp;
    private bool _mayFill;
    private bool _finSent;
    private SequenceRanges _surviving = new(0);
    private SequenceRanges _arrived = new(0);

    /// <summary>The SYN of this side has been seen.</summary>
    public bool Known { get; private set; }

    public uint Iss => _iss;

    /// <summary>Segments with data or FIN.</summary>
    public long DataSegments { get; private set; }

    public long SentAgain { get; private set; }

    /// <summary>Of those, the ones whose data an earlier copy had brought or was still to bring.</summary>
    public long SentNeedlessly { get; private set; }

    public static uint EndOf(in TcpHeader segment, int length) =>
        segment.Sequence + (uint)length + (segment.Has(TcpFlags.Syn) ? 1u : 0) + (segment.Has(TcpFlags.Fin) ? 1u : 0);

    public bool Began(uint sequence) => Known && _iss == sequence;

    public void Begin(in TcpHeader syn)
    {
        Known = true;
        _iss = _sent = syn.Sequence;
        _surviving = new SequenceRanges(_iss);
        _arrived = new SequenceRanges(_iss);
        _hasScale = syn.HasWindowScale;
        _windowScale = Math.Min(syn.WindowScale, (byte)14);
    }

    /// <summary>RFC 9293, 3.7 and 3.8.6: no gap, and nothing beyond the window.</summary>
    public string? SendsPayload(in TcpHeader segment, int length, out bool again, out bool needless)
    {
        again = false;
        needless = false;
        var start = segment.Sequence;
        var end = EndOf(segment, length);
        if (Seq.Gt(start, _sent))
            return $"it leaves a gap: {start - _iss} after {_sent - _iss}";
        if (Seq.Lt(start, _iss))
            return $"it begins before the first sequence number, at {(int)(start - _iss)}";
        if (start == end)
            return null;
        if (_finSent && (Seq.Gt(end, _fin) || (segment.Has(TcpFlags.Fin) && end != _fin)))
            return "something follows the FIN, or the FIN has moved";
        DataSegments++;
        again = Seq.Lt(start, _sent);
        if (again)
        {
            SentAgain++;
            needless = _surviving.Covers(start, Seq.Min(end, _sent));
            if (needless)
                SentNeedlessly++;
        }

        if (_mayFill && Seq.Gt(end, Seq.Max(_allowed, _sent)))
            return $"it ends at {end - _iss}, beyond the window, which ends at {_allowed - _iss}";
        _sent = Seq.Max(_sent, end);
        if (segment.Has(TcpFlags.Fin))
            (_finSent, _fin) = (true, end);
        return null;
    }

    /// <summary>RFC 9293, 3.4; RFC 2018, 4: only what has come is acknowledged, and neither the acknowledgement nor the window's edge goes back.</summary>
    public string? Acknowledges(in TcpHeader segment, SimFlowSide peer)
    {
        if (!segment.Has(TcpFlags.Ack) || !peer.Known)
            return null;
        var ack = segment.Acknowledgment;
        if (Seq.Gt(ack, peer._arrived.Next))
            return $"it acknowledges {ack - peer._iss}, but only {peer._arrived.Next - peer._iss} has arrived";
        if (_hasAcknowledged && Seq.Lt(ack, _acknowledged))
            return $"it acknowledges {ack - peer._iss} after {_acknowledged - peer._iss}";
        for (var i = 0; i < segment.SackCount; i++)
        {
            var block = segment.Sacks[i];
            if (Seq.Ge(block.Start, block.End) || !peer._arrived.Covers(block.Start, block.End))
                return $"it reports {block.Start - peer._iss}:{block.End - peer._iss}, which has not arrived";
        }

        // Rounding to the scale may take that much from the edge (RFC 7323, 2.4); a SYN's window is not scaled; after the peer's FIN none means anything.
        var edge = EdgeOf(segment, peer);
        var rounding = _hasScale && peer._hasScale ? (1u << _windowScale) - 1 : 0;
        if (_hasAcknowledged && Seq.Lt(edge, _announced - rounding) && !segment.Has(TcpFlags.Syn) && !(peer._finSent && ack == peer._fin))
            return $"it takes back window: {edge - peer._iss} after {_announced - peer._iss}";
        _announced = _hasAcknowledged ? Seq.Max(_announced, edge) : edge;
        _acknowledged = ack;
        _hasAcknowledged = true;
        return null;
    }

    /// <summary>RFC 7323, 3 and 4: the clock does not go back, and an echo is of something that was sent.</summary>
    public string? Stamps(in TcpHeader segment, SimFlowSide peer)
    {
        if (!segment.HasTimestamp)
            return null;
        if (_hasTimestamp && Seq.Lt(segment.TimestampValue, _timestamp))
            return "its timestamp is older than the last";
        if (segment.Has(TcpFlags.Ack) && peer._hasTimestamp && Seq.Gt(segment.TimestampEcho, peer._timestamp))
            return "it echoes a timestamp that was never sent";
        _hasTimestamp = true;
        _timestamp = segment.TimestampValue;
        return null;
    }

    public uint EdgeOf(in TcpHeader segment, SimFlowSide peer) =>
        segment.Acknowledgment + ((uint)segment.Window << (!segment.Has(TcpFlags.Syn) && _hasScale && peer._hasScale ? _windowScale : 0));

    public void Survives(in TcpHeader segment, int length)
    {
        if (Known)
            _surviving.Add(segment.Sequence, EndOf(segment, length));
    }

    public void Arrives(in SimMark mark)
    {
        if (Seq.Ge(mark.Start, _iss))
            _arrived.Add(mark.Start, mark.End);
    }

    /// <summary>The other side's announcement has arrived.</summary>
    public void MayFill(in SimMark mark)
    {
        if (!mark.HasEdge)
            return;
        _allowed = _mayFill ? Seq.Max(_allowed, mark.Edge) : mark.Edge;
        _mayFill = true;
    }
}
