namespace Tapwire.Stack.Tcp;

/// <summary>The growth of the long-term bound while a bandwidth probe finds room: each round doubles the segments per round trip (draft-ietf-ccwg-bbr,
/// 4.3.3.5.2).</summary>
internal struct BbrInflightUpwardProbe
{
    /// <summary>Rounds that steepen the growth. After them each acknowledged segment raises the bound by one.</summary>
    private const int MaxRounds = 30;

    private long _acknowledged;
    private long _bytesPerSegment;
    private int _rounds;

    /// <summary>Prepares a new probe.</summary>
    public void Reset()
    {
        _rounds = 0;
        _acknowledged = 0;
    }

    /// <summary>The bound does not rise until the next <see cref="Steepen"/>.</summary>
    public void Stop() => _bytesPerSegment = long.MaxValue;

    public void Steepen(long window, int segmentSize)
    {
        var growth = 1L << _rounds;
        _rounds = Math.Min(_rounds + 1, MaxRounds);
        _bytesPerSegment = Math.Max(window / growth, segmentSize);
    }

    /// <returns>Bytes by which the bound rises.</returns>
    public long Acknowledged(int bytes, int segmentSize)
    {
        _acknowledged += bytes;
        if (_acknowledged < _bytesPerSegment)
            return 0;
        var segments = _acknowledged / _bytesPerSegment;
        _acknowledged -= segments * _bytesPerSegment;
        return segments * segmentSize;
    }
}
