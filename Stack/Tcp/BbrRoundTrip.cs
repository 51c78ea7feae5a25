namespace Tapwire.Stack.Tcp;

/// <summary>The least round trip (draft-ietf-ccwg-bbr, 4.3.5): over ten seconds for the model, over five for the question whether it is to be probed.</summary>
internal struct BbrRoundTrip
{
    private static readonly TimeSpan Filter = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan ProbeInterval = TimeSpan.FromSeconds(5);

    private Instant _leastAt;
    private TimeSpan _probed;
    private Instant _probedAt;

    /// <summary>BBR.min_rtt; zero: not measured.</summary>
    public TimeSpan Least { get; private set; }

    public void Begin(TimeSpan roundTrip, Instant now)
    {
        Least = roundTrip;
        _leastAt = now;
        _probed = roundTrip;
        _probedAt = now;
    }

    /// <summary>The path has been probed: the measure is good for another interval.</summary>
    public void Probed(Instant now) => _probedAt = now;

    /// <returns>True: no round trip of late was as short as the least, and it is time for a probe.</returns>
    public bool Update(in AckReport report)
    {
        var isExpired = report.Now > _probedAt + ProbeInterval;
        if (report.RoundTrip > TimeSpan.Zero && (report.RoundTrip < _probed || isExpired || _probed == TimeSpan.Zero))
        {
            _probed = report.RoundTrip;
            _probedAt = report.Now;
        }

        if (_probed < Least || Least == TimeSpan.Zero || report.Now > _leastAt + Filter)
        {
            Least = _probed;
            _leastAt = _probedAt;
        }

        return isExpired;
    }
}
