namespace Tapwire.Stack.Tcp;

/// <summary>Aggregation of acknowledgements: how much more is delivered at once than the bandwidth explains (draft-ietf-ccwg-bbr, 4.5.5).</summary>
internal struct BbrAggregation
{
    private Instant _since;
    private long _delivered;
    private long _most;
    private long _mostBefore;
    private long _round;

    /// <summary>BBR.extra_acked: the recent maximum, in bytes.</summary>
    public readonly long Most => Math.Max(_most, _mostBefore);

    /// <summary>Begins a new measurement.</summary>
    public void Restart(Instant now)
    {
        _since = now;
        _delivered = 0;
    }

    /// <param name="bandwidth">Bytes per second.</param>
    /// <param name="rounds">Rounds so far.</param>
    /// <param name="filter">Length of the maximum filter in rounds; a maximum counts for one to two of these.</param>
    public void Update(in AckReport report, double bandwidth, long window, long rounds, int filter)
    {
        var expected = (long)(bandwidth * (report.Now - _since).TotalSeconds);
        if (_delivered <= expected)
        {
            Restart(report.Now);
            expected = 0;
        }

        _delivered += report.Delivered;
        if (rounds - _round >= filter)
        {
            _round = rounds;
            _mostBefore = _most;
            _most = 0;
        }

        _most = Math.Max(_most, Math.Min(_delivered - expected, window));
    }
}
