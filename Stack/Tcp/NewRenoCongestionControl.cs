namespace Tapwire.Stack.Tcp;

/// <summary>Slow start and congestion avoidance by RFC 5681, with the initial window of RFC 6928.</summary>
internal sealed class NewRenoCongestionControl : CongestionControl
{
    private long _acknowledged;

    public override CongestionAlgorithm Algorithm => CongestionAlgorithm.NewReno;

    public override bool IsFresh(long initialWindow) => base.IsFresh(initialWindow) && _acknowledged == 0;

    public override void Acknowledged(in AckReport report, bool isRecovering)
    {
        // An unused window says nothing about the path (RFC 7661, 4.1).
        if (isRecovering || !report.IsWindowLimited || report.Growth == 0)
            return;
        var bytes = SlowStart(report.Growth);
        if (bytes == 0)
            return;
        _acknowledged += bytes;
        if (_acknowledged < Window)
            return;
        _acknowledged -= Window;
        Window += report.SegmentSize;
    }

    public override void LossDetected(int inFlight, int segmentSize, Instant now)
    {
        Remember();
        // Data that limited transmit sent beyond the window does not count (RFC 5681, 3.2, step 2).
        SlowStartThreshold = Half(Math.Min(inFlight, Window), segmentSize);
        Window = SlowStartThreshold;
        _acknowledged = 0;
    }

    public override void Recovered()
    {
        // RFC 9937, 6: rate reduction has brought the window there; option 2 of RFC 6582, 3.2, step 3.
        Window = Math.Min(Window, SlowStartThreshold);
        _acknowledged = 0;
    }

    public override void TimedOut(int inFlight, int segmentSize, bool first, Instant now)
    {
        if (first)
        {
            Remember();
            SlowStartThreshold = Half(inFlight, segmentSize);
        }

        Window = segmentSize;
        _acknowledged = 0;
    }

    /// <summary>RFC 5681, 3.1, equation 4.</summary>
    private static long Half(long inFlight, int segmentSize) => Math.Max(inFlight / 2, 2 * segmentSize);
}
