namespace Tapwire.Wires;

/// <summary>
/// What becomes of the frames of one direction: which are lost, changed or doubled, and when each is at the other end. It decides from a seed, in the order in which it is asked; times are
/// nanoseconds of the owner's clock.
/// </summary>
internal sealed class CableLine
{
    private const long NanosecondsPerTick = 100;

    // Frames queued for the line or on it: when each is done, and its bytes.
    private readonly Queue<(long End, int Bytes)> _queue = new();

    // A generator for each kind of impairment, so that adding one leaves the others' pattern unchanged.
    private CableLoss _loss;
    private CableRandom _duplication, _corruption, _reordering, _jitter;
    private CableImpairments _impairments;
    private long _free;
    private long _queuedBytes;
    private long _lastDue;

    public CableLine(CableImpairments impairments, ulong seed)
    {
        _impairments = impairments;
        var seeds = new CableRandom(seed);
        _loss = new CableLoss(impairments, seeds.Next());
        _duplication = new CableRandom(seeds.Next());
        _corruption = new CableRandom(seeds.Next());
        _reordering = new CableRandom(seeds.Next());
        _jitter = new CableRandom(seeds.Next());
    }

    /// <summary>Those of the frames that are sent from now on.</summary>
    public CableImpairments Impairments
    {
        get => _impairments;
        set
        {
            _impairments = value;
            _loss = _loss.With(value);
        }
    }

    /// <summary>Decides whether the next frame is lost.</summary>
    public bool Loses() => _loss.Hits();

    /// <summary>Decides whether the frame arrives with one bit changed: <see cref="Corrupt"/> changes it.</summary>
    public bool Corrupts() => _corruption.Hits(_impairments.Corrupt);

    public void Corrupt(Span<byte> frame) => frame[_corruption.Next(frame.Length)] ^= (byte)(1 << _corruption.Next(8));

    /// <summary>Decides whether the frame arrives twice.</summary>
    public bool Duplicates() => _duplication.Hits(_impairments.Duplicate);

    /// <summary>Puts a frame on the line, and then on its way.</summary>
    /// <param name="due">When it arrives.</param>
    /// <param name="isReordered">It is late, so that later ones overtake it.</param>
    /// <returns>False: the queue before the line is full.</returns>
    public bool TryPass(int bytes, long now, out long due, out bool isReordered)
    {
        (due, isReordered) = (now, false);
        if (!TryPassQueue(bytes, now, out var sent))
            return false;
        var jitter = _impairments.Jitter.Ticks * NanosecondsPerTick;
        var latency = _impairments.Latency.Ticks * NanosecondsPerTick
            + (jitter > 0 ? (long)((_jitter.NextShare() * 2 - 1) * jitter) : 0);
        due = _lastDue = Math.Max(_lastDue, sent + Math.Max(latency, 0));
        isReordered = _reordering.Hits(_impairments.Reorder);
        if (isReordered)
            due += _impairments.ReorderDelay.Ticks * NanosecondsPerTick;
        return true;
    }

    private bool TryPassQueue(int bytes, long now, out long sent)
    {
        sent = now;
        if (_impairments.BitsPerSecond == 0)
            return true;
        while (_queue.TryPeek(out var first) && first.End <= now)
            _queuedBytes -= _queue.Dequeue().Bytes;
        if (_queue.Count > 0 && (_queue.Count >= _impairments.QueueFrames || _queuedBytes + bytes > _impairments.QueueBytes))
            return false;

        sent = _free = Math.Max(now, _free) + (bytes * 8L * 1_000_000_000 + _impairments.BitsPerSecond / 2) / _impairments.BitsPerSecond;
        _queue.Enqueue((sent, bytes));
        _queuedBytes += bytes;
        return true;
    }
}
