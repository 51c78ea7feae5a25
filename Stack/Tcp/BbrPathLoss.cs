namespace Tapwire.Stack.Tcp;

/// <summary>
/// Learns the loss rate that a path has even without congestion, in rounds that send no more than it delivers, and derives the loss threshold that means
/// congestion. With the draft's 2 %, a path that loses as much by itself would be found full at each probe.
/// </summary>
internal struct BbrPathLoss
{
    /// <summary>BBR.LossThresh of the draft.</summary>
    public const double LossThreshold = 0.02;

    /// <summary>The threshold until the path's own losses are known, and its maximum: more than any path should lose by itself.</summary>
    private const double MaxLossThreshold = 0.15;

    /// <summary>Losses of fewer segments are taken for chance.</summary>
    private const int LeastSegments = 4;

    /// <summary>Rounds over which the path's own losses are averaged, and least number of rounds before the average counts.</summary>
    private const int Rounds = 16;
    private const int LeastRounds = 4;

    private double _share;
    private int _rounds;

    /// <summary>The share of losses that means congestion: the draft's threshold plus twice the path's own loss rate.</summary>
    public readonly double AdaptedLossThreshold => _rounds < LeastRounds ? MaxLossThreshold : Math.Min(MaxLossThreshold, LossThreshold + 2 * _share);

    /// <summary>Takes the result of a round that sent no more than the path delivers.</summary>
    /// <param name="lost">Bytes lost in that round.</param>
    /// <param name="delivered">Bytes delivered in that round.</param>
    public void Learn(long lost, long delivered)
    {
        if (delivered <= 0)
            return;
        _rounds = Math.Min(_rounds + 1, Rounds);
        _share += ((double)lost / (lost + delivered) - _share) / _rounds;
    }

    /// <summary>The losses exceed the threshold.</summary>
    /// <param name="lost">Bytes lost.</param>
    /// <param name="inFlight">Bytes in flight with them.</param>
    public readonly bool IsExceeded(long lost, long inFlight, int segmentSize) => lost >= LeastSegments * segmentSize && lost > inFlight * AdaptedLossThreshold;

    /// <summary>BBRInflightAtLoss (4.5.6.2): the bytes in flight when the losses passed the threshold, within the last lost transmission. At most
    /// <paramref name="inFlight"/>.</summary>
    /// <param name="inFlight">Bytes in flight with the last lost transmission.</param>
    /// <param name="lost">Bytes of those that are lost, that transmission included.</param>
    /// <param name="size">Length of that transmission in bytes.</param>
    public readonly long InflightAtLoss(long inFlight, long lost, int size)
    {
        var before = Math.Max(0, inFlight - size);
        return before + (long)Math.Max(0, (AdaptedLossThreshold * before - (lost - size)) / (1 - AdaptedLossThreshold));
    }
}
