namespace Tapwire.Bench.EndToEnd;

/// <summary>All figures of one run of the program: of each contestant and metric, one per round.</summary>
internal sealed class Results
{
    private readonly Dictionary<(Contestant Contestant, Metric Metric), List<double>> _values = [];
    private readonly Dictionary<string, string> _troubles = [];
    private readonly List<double> _stolen = [];

    /// <summary>Contestants that took part, in their order.</summary>
    public List<Contestant> Contestants { get; } = [];

    /// <summary>By contestant, and measurement where it is about one: what is missing, or went wrong.</summary>
    public IReadOnlyDictionary<string, string> Troubles => _troubles;

    /// <summary>The busiest that the rest of the machine was right before a measurement, as a share of all processors.</summary>
    public double ForeignLoad { get; set; }

    /// <summary>What the host gave to others while the figures were taken, as a share of all processors: the most and the mean.</summary>
    public (double Most, double Mean) Stolen => _stolen.Count == 0 ? default : (_stolen.Max(), _stolen.Average());

    public void AddStolen(double share) => _stolen.Add(share);

    public void Add(Contestant contestant, Metric metric, double value)
    {
        if (!_values.TryGetValue((contestant, metric), out var rounds))
            _values.Add((contestant, metric), rounds = []);
        rounds.Add(value);
    }

    public void AddTrouble(string what, string reason) => _troubles[what] = reason;

    public IReadOnlyList<double> Rounds(Contestant contestant, Metric metric) => _values.TryGetValue((contestant, metric), out var rounds) ? rounds : [];

    /// <summary>Null: there is no figure. Of an even number, the mean of the two in the middle.</summary>
    public double? Median(Contestant contestant, Metric metric)
    {
        double[] rounds = [.. Rounds(contestant, metric).Order()];
        return rounds.Length == 0 ? null : (rounds[(rounds.Length - 1) / 2] + rounds[rounds.Length / 2]) / 2;
    }

    /// <summary>The best median among contestants; null if none has one.</summary>
    public double? Best(IEnumerable<Contestant> contestants, Metric metric)
    {
        var medians = contestants.Select(contestant => Median(contestant, metric)).OfType<double>().ToArray();
        return medians.Length == 0 ? null : metric.LowerIsBetter ? medians.Min() : medians.Max();
    }
}
