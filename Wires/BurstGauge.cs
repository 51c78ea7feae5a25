namespace Tapwire.Wires;

/// <summary>
/// Decides how many frames to read before looking again whether there are more: as many as came together last. One more would be a read that finds nothing;
/// fewer, and what belongs together is handled piece by piece. That there were more is found out by trying, the more seldom the more often it was in vain.
/// </summary>
internal struct BurstGauge()
{
    /// <summary>So many reads that gave as many frames as they could are, at most, waited for before twice as many are tried.</summary>
    internal const int MostPatience = 32;

    private int _size = 1;
    private int _filled;
    private int _patience = 1;

    /// <summary>How many frames to read, 1 or more.</summary>
    public readonly int Limit => IsTrial ? 2 * _size : _size;

    private readonly bool IsTrial => _filled >= _patience;

    /// <summary>A read has ended, at its limit or because there was nothing more.</summary>
    /// <param name="limit">At most <see cref="Limit"/>.</param>
    public void Read(int count, int limit)
    {
        if (count == 0)
            return; // it was only tried

        var grown = count > _size;
        if (grown)
            _patience = Math.Max(_patience / 2, 1);
        else if (IsTrial && limit > _size)
            _patience = Math.Min(2 * _patience, MostPatience);

        if (count < limit)
        {
            _size = Math.Max(Math.Max(count, _size / 2), 1);
            _filled = 0;
        }
        else
        {
            _size = Math.Max(count, _size);
            _filled = grown ? _patience : Math.Min(_filled + 1, MostPatience);
        }
    }
}
