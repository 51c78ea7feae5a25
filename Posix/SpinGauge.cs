namespace Tapwire.Posix;

/// <summary>
/// Decides whether to look for work for a while before sleeping (spinning). That is worthwhile only after sleeps so short that looking would have found what
/// ended them. Where it found nothing, as on a machine whose processors are busy, it is tried more and more seldom. Times are in any unit, the same for all.
/// </summary>
/// <param name="spin">How long to look; 0 never looks.</param>
internal struct SpinGauge(long spin)
{
    /// <summary>Short sleeps in a row before it is worth looking.</summary>
    internal const int Proof = 4;

    /// <summary>Sleeps without a look after one that found nothing: at first, and at most.</summary>
    internal const int LeastPause = 8;
    internal const int MostPause = 4096;

    private int _shortSleeps;
    private int _pause;
    private int _nextPause = LeastPause;

    public readonly bool IsWorthwhile => _shortSleeps >= Proof && _pause == 0;

    /// <summary>A sleep has ended. Waking alone takes about as long as a look, so a sleep of up to twice that time counts as short.</summary>
    public void Slept(long time)
    {
        _shortSleeps = spin > 0 && time <= 2 * spin ? Math.Min(_shortSleeps + 1, Proof) : 0;
        if (_pause > 0)
            _pause--;
    }

    /// <summary>A look has ended.</summary>
    public void Looked(bool found)
    {
        if (found)
        {
            _nextPause = LeastPause;
            return;
        }

        _pause = _nextPause;
        _nextPause = Math.Min(2 * _nextPause, MostPause);
    }
}
