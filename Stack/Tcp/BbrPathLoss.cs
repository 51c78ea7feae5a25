namespace Tapwire.Stack.Tcp;

/// <summary>
/// What a path loses however little is sent, learnt while no more is sent than it delivers, and from it the share of losses that says that too much was sent.
/// The draft heeds 2 %; a path that loses as much by itself would be found full at each probe.
/// </summary>
internal struct BbrPathLoss
{
    /// <summary>BBR.LossThresh, the draft's threshold.</summary>
    public const double LossThreshold = 0.02;

    /// <summary>The threshold as long as the path's own losses are not known, and at most: more than any path should lose by itself.</summary>
    private const double MaxLossThreshold = 0.15;

    /// <summary>Fewer segments are chance.</summary>
    private const int LeastSegments = 4;

    /// <summary>Rounds over which the path's own losses are averaged, and before which nothing is known of them.</summary>
    private const int Rounds = 16;
    private const int LeastRounds = 4;

    private double _share;
    private int _rounds;

    /// <summary>The share of losses that is heeded: the draft's, and twice the path's own.</summary>
    public readonly double AdaptedLossThreshold => _rounds < LeastRounds ? MaxLossThreshold : Math.Min(MaxLossThreshold, LossThreshold + 2 * _share);

    /// <summary>A round has ended in which no more was sent than the path delivers.</summary>
    /// <param name="lost">Bytes of that round.</param>
    /// <param name="delivered">Bytes of that round.</param>
    public void Learn(long lost, long delivered)
    {
        if (delivered <= 0)
            return;
        _rounds = Math.Min(_rounds + 1, Rounds);
        _share += ((double)lost / (lost + delivered) - _share) / _rounds;
    }

    /// <summary>Whether so many losses are heeded.</summary>
    /// <param name="lost">Bytes.</param>
    /// <param name="inFlight">Bytes that were in flight with them.</param>
    public readonly bool IsExceeded(long lost, long inFlight, int segmentSize) => lost >= LeastSegments * segmentSize && lost > inFlight * AdaptedLossThreshold;

    /// <summary>BBRInflightAtLoss (4.5.6.2): how much was in flight when the threshold was passed, within the last transmission that is lost. Never more than
    /// <paramref name="inFlight"/>.</summary>
    /// <param name="inFlight">Bytes in flight with that transmission.</param>
    /// <param name="lost">Bytes of those that are lost, with that transmission.</param>
    /// <param name="size">Bytes of that transmission.</param>
    public readonly long InflightAtLoss(long inFlight, long lost, int size)
    {
        var before = Math.Max(0, inFlight - size);
        return before + (long)Math.Max(0, (AdaptedLossThreshold * before - (lost - size)) / (1 - AdaptedLossThreshold));
    }
}
