namespace Tapwire.Stack.Tcp;

/// <content>Congestion control of this connection, and the pace at which segments leave.</content>
public sealed partial class TcpSocket
{
    /// <summary>What has not been sent for other reasons than the pace may leave at once, up to so much time's worth.</summary>
    private static readonly TimeSpan PacingSlack = TimeSpan.FromMilliseconds(0.25);

    /// <summary>What a late timer has missed is made up for, up to so much: otherwise the true rate stays below the pace, and a congestion control that measures it
    /// lowers the pace after it.</summary>
    private static readonly TimeSpan TimerSlack = TimeSpan.FromMilliseconds(4);

    /// <summary>When the next segment may leave.</summary>
    private Instant _paceAt;

    private CongestionAlgorithm Algorithm
    {
        get
        {
            var chosen = _options.Value.CongestionControl;
            if (chosen == CongestionAlgorithm.Default)
                chosen = _layer.Options.CongestionControl;
            return chosen == CongestionAlgorithm.Default ? CongestionAlgorithm.Cubic : chosen;
        }
    }

    /// <summary>
    /// Bytes that may leave as one packet without filling a queue on the way: half a millisecond's worth. While other sockets wait for their turn, the wire is
    /// full whoever sends: then up to half a window, so that a thousand slow connections do not make as many small packets of what few would send in large ones.
    /// </summary>
    private long PacedBurst
    {
        get
        {
            var congestion = Sender.Congestion;
            var rate = congestion.PacingRate(_rtt.Smoothed);
            if (rate == 0)
                return long.MaxValue;
            var burst = Math.Max((long)congestion.BurstSegments * _segmentSize, rate / 2000);
            return congestion.LeavesInBatches && _layer.OutputPending ? Math.Max(burst, congestion.Window / 2) : burst;
        }
    }

    private bool PaceAllows(Instant now)
    {
        Sender.IsPaced = _paceAt > now && Sender.Congestion.PacingRate(_rtt.Smoothed) > 0;
        return !Sender.IsPaced;
    }

    /// <summary>So many bytes have left.</summary>
    private void Paced(int bytes, Instant now)
    {
        var rate = Sender.Congestion.PacingRate(_rtt.Smoothed);
        if (rate == 0)
            return;
        var slack = TimeSpan.FromTicks((long)Sender.Congestion.BurstSegments * _segmentSize * TimeSpan.TicksPerSecond / rate);
        var least = Sender.IsCatchingUp ? TimerSlack : PacingSlack;
        var earliest = now - (slack > least ? slack : least);
        _paceAt = Instant.Max(_paceAt, earliest) + TimeSpan.FromTicks(bytes * TimeSpan.TicksPerSecond / rate);
    }
}
