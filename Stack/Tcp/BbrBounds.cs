namespace Tapwire.Stack.Tcp;

/// <summary>
/// The bounds that losses put on the model (draft-ietf-ccwg-bbr, 4.5.6, 4.5.7): a long-term one of the data in flight, and two short-term ones, which last
/// until the next bandwidth probe.
/// </summary>
internal struct BbrBounds
{
    /// <summary>BBRBeta: one reduction leaves at least this part of a bound.</summary>
    public const double Beta = 0.7;

    private double _bandwidthLatest;
    private long _inflightLatest;
    private double _priorBandwidth;
    private long _priorInflight;
    private long _priorInflightLongTerm;

    /// <summary>BBR.bw_shortterm, in bytes per second; infinite without a bound.</summary>
    public double Bandwidth { get; private set; }

    /// <summary>BBR.inflight_shortterm, in bytes; <see cref="long.MaxValue"/> without a bound.</summary>
    public long Inflight { get; private set; }

    /// <summary>BBR.inflight_longterm, in bytes; <see cref="long.MaxValue"/> without a bound.</summary>
    public long InflightLongTerm { get; set; }

    /// <summary>BBR.inflight_latest: bytes delivered in the latest round trip.</summary>
    public readonly long InflightLatest => _inflightLatest;

    public void Begin()
    {
        InflightLongTerm = long.MaxValue;
        ResetShortTerm();
    }

    public void ResetShortTerm()
    {
        Bandwidth = double.PositiveInfinity;
        Inflight = long.MaxValue;
    }

    /// <summary>A loss lowers the short-term bounds to what was delivered.</summary>
    public void Lower(double maxBandwidth, long window)
    {
        if (double.IsPositiveInfinity(Bandwidth))
            Bandwidth = maxBandwidth;
        if (Inflight == long.MaxValue)
            Inflight = window;
        Bandwidth = Math.Max(_bandwidthLatest, Beta * Bandwidth);
        Inflight = Math.Max(_inflightLatest, (long)(Beta * Inflight));
    }

    public void UpdateLatest(in AckReport report)
    {
        _bandwidthLatest = Math.Max(_bandwidthLatest, report.DeliveryRate);
        if (report.HasRate)
            _inflightLatest = Math.Max(_inflightLatest, report.DeliveredInInterval);
    }

    /// <summary>A round is over: only the next one's figures count.</summary>
    public void AdvanceLatest(in AckReport report)
    {
        _bandwidthLatest = report.DeliveryRate;
        _inflightLatest = report.DeliveredInInterval;
    }

    public void ResetLatest()
    {
        _bandwidthLatest = 0;
        _inflightLatest = 0;
    }

    /// <summary>Saves the bounds for <see cref="Restore"/>.</summary>
    public void Remember()
    {
        _priorBandwidth = Bandwidth;
        _priorInflight = Inflight;
        _priorInflightLongTerm = InflightLongTerm;
    }

    /// <summary>The loss was spurious: raises the bounds to at least their values before it.</summary>
    public void Restore()
    {
        Bandwidth = Math.Max(Bandwidth, _priorBandwidth);
        Inflight = Math.Max(Inflight, _priorInflight);
        InflightLongTerm = Math.Max(InflightLongTerm, _priorInflightLongTerm);
    }
}
