namespace Tapwire.Wires;

/// <summary>
/// Decides how many frames to read before looking again whether there are more: as many as came together last. A larger limit costs a read that finds nothing;
/// with a smaller one, frames that belong together are handled separately. Tries a larger batch now and then, backing off on failure.
/// </summary>
internal struct BurstGauge()
{
    /// <summary>Most full reads to wait for before a batch of twice the size is tried.</summary>
    internal const int MostPatience = 32;

    private int _size = 1;
    private int _filled;
    private int _patience = 1;

    /// <summary>How many frames to read, at least 1.</summary>
    public readonly int Limit => IsTrial ? 2 * _size : _size;

    private readonly bool IsTrial => _filled >= _patience;

    /// <summary>A read has ended, at its limit or because no frame was left.</summary>
    /// <param name="limit">At most <see cref="Limit"/>.</param>
    public void Read(int count, int limit)
    {
        if (count == 0)
            return; // a trial that found nothing

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
