namespace Tapwire.Stack.Tcp;

/// <summary>
/// How often losses have reduced a sender's window lately, per segment. Several segments that are lost in one round trip are one event, and throughput follows from the rate of events (RFC 5348, 3.1): a
/// full queue on the path that drops half a window at once slows a transfer less than ten scattered losses.
/// </summary>
internal struct LossEvents
{
    /// <summary>Of segments for one event. At this rate a window of congestion control by losses is about 20 segments on average, whatever the path could carry.</summary>
    public const int SegmentsPerEvent = 250;

    /// <summary>Fewer events are chance.</summary>
    public const int LeastEvents = 3;

    /// <summary>After so many segments what was before counts half. A loss in a hundred is then 10 to 20 events, hardly ever fewer than half of that.</summary>
    private const int Memory = 2048;

    /// <summary>An event's weight at first; halved events are not rounded to nothing.</summary>
    private const int Fresh = 16;

    private int _weight;
    private long _bytes;

    /// <summary>The path loses more than a little.</summary>
    /// <param name="segmentSize">Bytes of a full-sized segment.</param>
    public readonly bool AreMany(int segmentSize) => _weight >= LeastEvents * Fresh && (long)_weight * SegmentsPerEvent * segmentSize >= _bytes * Fresh;

    /// <summary>The window has been reduced, or the timer ran out.</summary>
    public void Add() => _weight = Math.Min(_weight + Fresh, int.MaxValue / 2);

    /// <summary>The latest event was none: what seemed lost has arrived.</summary>
    public void Undo() => _weight = Math.Max(0, _weight - Fresh);

    public void Delivered(int bytes, int segmentSize)
    {
        _bytes += bytes;
        if (_bytes < (long)Memory * segmentSize)
            return;
        _bytes /= 2;
        _weight /= 2;
    }
}
