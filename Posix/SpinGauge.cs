namespace Tapwire.Posix;

/// <summary>
/// Decides whether to look for work for a while before sleeping: only after sleeps so short that looking would have found what ended them, and hardly ever where
/// looking has found nothing, as on a machine whose other processors are busy. Times are in any unit, the same for all.
/// </summary>
/// <param name="spin">How long to look; 0 never looks.</param>
internal struct SpinGauge(long spin)
{
    /// <summary>Short sleeps in a row before it is worth looking.</summary>
    internal const int Proof = 4;

    /// <summary>Sleeps that a vain look costs at first, and at most.</summary>
    internal const int LeastPause = 8;
    internal const int MostPause = 4096;

    private int _shortSleeps;
    private int _pause;
    private int _nextPause = LeastPause;

    public readonly bool IsWorthwhile => _shortSleeps >= Proof && _pause == 0;

    /// <summary>A sleep has ended. Waking takes about as long as a look: one of twice the time would have been cut short.</summary>
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
