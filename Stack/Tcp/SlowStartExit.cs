namespace Tapwire.Stack.Tcp;

/// <summary>
/// HyStart++ (RFC 9406): slow start ends when round trips grow longer, before the queue overflows. From the first sign until the end the window grows a quarter
/// as fast; if round trips shorten again, it was a false alarm.
/// </summary>
internal struct SlowStartExit
{
    private const int SamplesNeeded = 8;
    private const int Divisor = 8;
    private const int ConservativeRounds = 5;

    /// <summary>CSS_GROWTH_DIVISOR.</summary>
    private const int GrowthDivisor = 4;

    private static readonly TimeSpan LeastThreshold = TimeSpan.FromMilliseconds(4);
    private static readonly TimeSpan LargestThreshold = TimeSpan.FromMilliseconds(16);

    private long _roundEnd;
    private TimeSpan _lastRound;
    private TimeSpan _currentRound;
    private TimeSpan _baseline;
    private int _samples;
    private int _conservativeRound;

    /// <summary>No acknowledgement has been taken yet.</summary>
    public readonly bool IsFresh => _roundEnd == 0 && _samples == 0 && _conservativeRound == 0 && _lastRound == TimeSpan.Zero;

    /// <summary>Takes an acknowledgement in slow start.</summary>
    /// <param name="growth">Bytes by which the window may grow.</param>
    /// <returns>True: slow start is over.</returns>
    public bool Acknowledged(in AckReport report, out int growth)
    {
        growth = report.Growth;
        if (report.PriorDelivered >= _roundEnd && report.HasRate && NewRound(report))
            return true;
        if (report.RoundTrip > TimeSpan.Zero)
        {
            _samples++;
            if (_currentRound == TimeSpan.Zero || report.RoundTrip < _currentRound)
                _currentRound = report.RoundTrip;
        }

        if (_samples >= SamplesNeeded && _lastRound > TimeSpan.Zero)
            Judge();
        if (_conservativeRound > 0)
            growth /= GrowthDivisor;
        return false;
    }

    private bool NewRound(in AckReport report)
    {
        _roundEnd = report.TotalDelivered;
        _lastRound = _currentRound;
        _currentRound = TimeSpan.Zero;
        _samples = 0;
        return _conservativeRound > 0 && ++_conservativeRound > ConservativeRounds;
    }

    private void Judge()
    {
        if (_conservativeRound > 0)
        {
            if (_currentRound < _baseline)
                _conservativeRound = 0;
            return;
        }

        var threshold = _lastRound / Divisor;
        threshold = threshold < LeastThreshold ? LeastThreshold : threshold > LargestThreshold ? LargestThreshold : threshold;
        if (_currentRound < _lastRound + threshold)
            return;
        _baseline = _currentRound;
        _conservativeRound = 1;
    }
}
