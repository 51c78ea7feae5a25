namespace Tapwire.Stack.Tcp;

/// <summary>
/// The bounds that losses put to the model (draft-ietf-ccwg-bbr, 4.5.6, 4.5.7): one of the data in flight, for as long as nothing contradicts it, and two until the
/// next probe for more.
/// </summary>
internal struct BbrBounds
{
    /// <summary>BBRBeta: a bound is lowered to this part of it at most at a time.</summary>
    public const double Beta = 0.7;

    private double _bandwidthLatest;
    private long _inflightLatest;
    private double _priorBandwidth;
    private long _priorInflight;
    private long _priorInflightLongTerm;

    /// <summary>BBR.bw_shortterm, in bytes per second; infinite: none.</summary>
    public double Bandwidth { get; private set; }

    /// <summary>BBR.inflight_shortterm, in bytes; <see cref="long.MaxValue"/>: none.</summary>
    public long Inflight { get; private set; }

    /// <summary>BBR.inflight_longterm, in bytes; <see cref="long.MaxValue"/>: none.</summary>
    public long InflightLongTerm { get; set; }

    /// <summary>BBR.inflight_latest: bytes that were delivered in a round trip of late.</summary>
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

    /// <summary>A round is over: the next one's figures count.</summary>
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

    /// <summary>Remembers the bounds for <see cref="Restore"/>.</summary>
    public void Remember()
    {
        _priorBandwidth = Bandwidth;
        _priorInflight = Inflight;
        _priorInflightLongTerm = InflightLongTerm;
    }

    /// <summary>The loss was none: no bound is lower than before it.</summary>
    public void Restore()
    {
        Bandwidth = Math.Max(Bandwidth, _priorBandwidth);
        Inflight = Math.Max(Inflight, _priorInflight);
        InflightLongTerm = Math.Max(InflightLongTerm, _priorInflightLongTerm);
    }
}
