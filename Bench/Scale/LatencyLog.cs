namespace Tapwire.Bench.Scale;

/// <summary>Times taken, each kept, so that any percentile can be told.</summary>
internal sealed class LatencyLog(int capacity)
{
    private readonly List<long> _ticks = new(capacity);

    public double Mean => _ticks.Count == 0 ? 0 : Microseconds(_ticks.Average());

    public double Largest => _ticks.Count == 0 ? 0 : Microseconds(_ticks.Max());

    public void Add(TimeSpan time, int count = 1)
    {
        for (var i = 0; i < count; i++)
            _ticks.Add(time.Ticks);
    }

    /// <summary>In microseconds.</summary>
    public double Percentile(double share)
    {
        if (_ticks.Count == 0)
            return 0;
        _ticks.Sort();
        return Microseconds(_ticks[(int)Math.Min(_ticks.Count - 1, share * _ticks.Count)]);
    }

    private static double Microseconds(double ticks) => ticks / TimeSpan.TicksPerMicrosecond;
}
