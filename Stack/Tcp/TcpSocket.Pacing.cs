namespace Tapwire.Stack.Tcp;

/// <content>Congestion control of this connection, and the pace at which segments leave.</content>
public sealed partial class TcpSocket
{
    /// <summary>What has not been sent for other reasons than the pace may leave at once, up to so much time's worth.</summary>
    private static readonly TimeSpan PacingSlack = TimeSpan.FromMilliseconds(0.25);

    /// <summary>What a late timer has missed is made up for, up to so much: otherwise the true rate stays below the pace, and a congestion control that measures it
    /// lowers the pace after it.</summary>
    private static readonly TimeSpan TimerSlack = TimeSpan.FromMilliseconds(4);

    private CongestionControl _congestion;

    /// <summary>When the next segment may leave.</summary>
    private Instant _paceAt;

    /// <summary>Something waits for that time.</summary>
    private bool _isPaced;

    /// <summary>The pace was what held back the last turn, too.</summary>
    private bool _isCatchingUp;

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

    private CongestionControl NewCongestionControl() => CongestionControl.Create(Algorithm, _layer);

    /// <summary>Another control begins as on a new connection.</summary>
    private void ChangeCongestionControl(Instant now)
    {
        _congestion = NewCongestionControl();
        if (IsSynchronized)
            _congestion.Begin(_segmentSize, synLost: false, _minRoundTrip, now);
    }

    /// <summary>Bytes that may leave as one packet without filling a queue on the way: half a millisecond's worth.</summary>
    private long PacedBurst
    {
        get
        {
            var rate = _congestion.PacingRate(_rtt.Smoothed);
            return rate == 0 ? long.MaxValue : Math.Max((long)_congestion.BurstSegments * _segmentSize, rate / 2000);
        }
    }

    private bool PaceAllows(Instant now)
    {
        _isPaced = _paceAt > now && _congestion.PacingRate(_rtt.Smoothed) > 0;
        return !_isPaced;
    }

    /// <summary>So many bytes have left.</summary>
    private void Paced(int bytes, Instant now)
    {
        var rate = _congestion.PacingRate(_rtt.Smoothed);
        if (rate == 0)
            return;
        var slack = TimeSpan.FromTicks((long)_congestion.BurstSegments * _segmentSize * TimeSpan.TicksPerSecond / rate);
        var least = _isCatchingUp ? TimerSlack : PacingSlack;
        var earliest = now - (slack > least ? slack : least);
        _paceAt = Instant.Max(_paceAt, earliest) + TimeSpan.FromTicks(bytes * TimeSpan.TicksPerSecond / rate);
    }
}
