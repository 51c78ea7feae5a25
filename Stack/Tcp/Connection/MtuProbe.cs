namespace Tapwire.Stack.Tcp.Connection;

/// <summary>A path-MTU probe (RFC 4821, 7): one segment that is larger than the others.</summary>
internal sealed class MtuProbe(SenderState state)
{
    /// <summary>Segments that must fit the congestion window beside a probe, so that its loss is detected (RFC 4821, 7.5).</summary>
    private const int WindowBeside = 8;

    /// <summary>Packet size of the probe in flight; 0: none.</summary>
    private int _size;

    /// <summary>A probe is next to leave, but has no room yet.</summary>
    public bool IsWaiting { get; private set; }

    public bool IsUnderWay => _size > 0;

    /// <summary>Sends a probe, if the search is in progress and enough data follows to show its loss.</summary>
    public bool Send(Instant now)
    {
        IsWaiting = false;
        var sender = state.Sender;
        if (_size > 0 || state.Recovery.State != LossState.Open || sender.IsUrgent)
            return false;
        var size = sender.Path.NextMtuProbe(sender.Connection, isQuiet: state.Board.Log is not { ArrivedBytes: > 0 }, now);
        if (size == 0)
            return false;
        var segmentSize = sender.SegmentSize;
        var length = size - PathMtuDiscovery.HeadersLength(sender.Connection);
        var needed = length + WindowBeside * segmentSize;
        var window = state.Recovery.Window;
        if (sender.CurrentSegmentSize != segmentSize || sender.Unsent < needed || Math.Min(window, sender.SndWnd) < needed)
            return false;
        // While acknowledgements come, smaller segments wait, or there would never be room.
        var room = Math.Min(window - sender.Pipe, sender.UsableWindow);
        IsWaiting = room < length && sender.SndNxt != sender.SndUna;
        if (room < length || !state.Pacer.Allows(now))
            return false;
        _size = size;
        state.NewData.Emit(length, now, isMtuProbe: true);
        state.Board.Log!.Last.IsMtuProbe = true;
        return true;
    }

    public void Arrived(Transmission probe)
    {
        probe.IsMtuProbe = false;
        if (!state.Sender.Path.MtuProbeArrived(state.Sender.Connection, _size))
            return;
        state.Sender.Layer.Counters.TcpExtTCPMTUPSuccess++;
        _size = 0;
    }

    public void Lost(Transmission probe)
    {
        probe.IsMtuProbe = false;
        state.Sender.Layer.Counters.TcpExtTCPMTUPFail++;
        state.Sender.Path.MtuProbeLost(_size);
        _size = 0;
    }

    public void Clear()
    {
        _size = 0;
        IsWaiting = false;
    }
}
