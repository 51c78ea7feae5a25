namespace Tapwire.Stack.Tcp;

/// <summary>The least round trip (draft-ietf-ccwg-bbr, 4.3.5): over ten seconds for the model, and over five to decide when ProbeRTT is due.</summary>
internal struct BbrRoundTrip
{
    private static readonly TimeSpan Filter = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan ProbeRttInterval = TimeSpan.FromSeconds(5);

    private Instant _leastAt;
    private TimeSpan _probeRttLeast;
    private Instant _probeRttLeastAt;

    /// <summary>BBR.min_rtt; zero before the first measurement.</summary>
    public TimeSpan Least { get; private set; }

    public void Begin(TimeSpan roundTrip, Instant now)
    {
        Least = roundTrip;
        _leastAt = now;
        _probeRttLeast = roundTrip;
        _probeRttLeastAt = now;
    }

    /// <summary>ProbeRTT is done: the next one is due after another interval.</summary>
    public void ProbeRttDone(Instant now) => _probeRttLeastAt = now;

    /// <returns>True: ProbeRTT is due, because no recent round trip was as short as the least.</returns>
    public bool Update(in AckReport report)
    {
        var isExpired = report.Now > _probeRttLeastAt + ProbeRttInterval;
        if (report.RoundTrip > TimeSpan.Zero && (report.RoundTrip < _probeRttLeast || isExpired || _probeRttLeast == TimeSpan.Zero))
        {
            _probeRttLeast = report.RoundTrip;
            _probeRttLeastAt = report.Now;
        }

        if (_probeRttLeast < Least || Least == TimeSpan.Zero || report.Now > _leastAt + Filter)
        {
            Least = _probeRttLeast;
            _leastAt = _probeRttLeastAt;
        }

        return isExpired;
    }
}
