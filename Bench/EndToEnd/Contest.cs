using Tapwire.Bench.EndToEnd.Contestants;

namespace Tapwire.Bench.EndToEnd;

/// <summary>All contestants, measured in turn: round by round and measurement by measurement, so that what else the machine does meets all alike.</summary>
internal sealed class Contest : IDisposable
{
    // Code that is compiled while it runs, windows and buffers that grow.
    private const double WarmUp = 2;

    // A virtual machine's processors are others' at times: a measurement that lost more than this share of them is taken again.
    private const double LittleStolen = 0.02;
    private const int MostTrials = 5;

    private readonly Options _options;
    private readonly List<Contestant> _contestants;

    // Held while something is started, so that an end that comes meanwhile leaves nothing behind.
    private readonly Lock _starting = new();
    private bool _ended;

    public Contest(Options options)
    {
        _options = options;
        Contestant[] all = [.. options.Families.SelectMany(family => AllOf(family, options.Settings))];
        _contestants = [.. all.Where(options.Wants)];
        foreach (var unwanted in all.Except(_contestants))
            unwanted.Dispose();
        if (_contestants.Count == 0)
            throw new FormatException($"No contestant's name begins with any of these; there are {string.Join(", ", all.Select(contestant => contestant.Name))}.");
    }

    public Results Results { get; } = new();

    public void Run()
    {
        foreach (var contestant in _contestants)
            Start(contestant);
        for (var round = 1; round <= _options.Rounds; round++)
        {
            foreach (var measurement in Measurement.All.Where(_options.Wants))
            {
                foreach (var contestant in Results.Contestants)
                {
                    Console.Error.Write($"\r\e[Kround {round}, {measurement.Name}, {contestant.Title}");
                    Results.ForeignLoad = Math.Max(Results.ForeignLoad, Machine.AwaitQuiet(_options.Patience));
                    Attempt(contestant, measurement, () => Measure(contestant, measurement));
                }
            }
        }

        Console.Error.Write("\r\e[K");
    }

    private static Contestant[] AllOf(int family, string settings)
    {
        Contestant[] ofBothFamilies =
        [
            new KernelOverVeth(offloads: true) { Family = family }, TapwireDriver.WithOffloads(settings, family), TapwireDriver.WithApplication(settings, family),
            new KernelOverVeth(offloads: false) { Family = family }, TapwireDriver.Plain(settings, family),
        ];
        return family == 6 ? ofBothFamilies
            : [.. ofBothFamilies, GvisorNetstack.OnTapWithGso(), GvisorNetstack.OnPacketSocket(), new Pasta(), new Slirp(), GvisorNetstack.OnTap(), new Lwip(),
                KernelOverVeth.Datagrams(), new TapwireWireGuard(settings), new TapwireWireGuardInProcess(settings), new WireGuardGo(),
                TapwireDriver.Observed(settings, family), new KestrelOverVeth(), new KestrelInProcess(), new KestrelOnLink(unmodified: false), new KestrelOnLink(unmodified: true)];
    }

    /// <summary>Ends what has been started. May be called while <see cref="Run"/> runs, which then finds nobody to measure.</summary>
    public void Dispose()
    {
        lock (_starting)
        {
            if (_ended)
                return;
            _ended = true;
            foreach (var contestant in _contestants)
                contestant.Dispose();
        }
    }

    private void Start(Contestant contestant)
    {
        Console.Error.Write($"\r\e[Kstarting {contestant.Title}");
        try
        {
            lock (_starting)
            {
                if (_ended)
                    return;
                contestant.Start(_options.IsPinned);
            }
        }
        catch (Exception e) when (e is MissingException or InvalidOperationException)
        {
            Results.AddTrouble(contestant.Title, e.Message);
            return;
        }

        Results.Contestants.Add(contestant);
        foreach (var measurement in Measurement.All.Where(_options.Wants))
            Attempt(contestant, measurement, () => measurement.Run(contestant, WarmUp));
    }

    /// <summary>Of several measurements the one counts that lost least to others; the first that lost little is the last.</summary>
    private void Measure(Contestant contestant, Measurement measurement)
    {
        IReadOnlyList<(Metric Metric, double Value)> best = [];
        var least = double.PositiveInfinity;
        for (var trial = 0; trial < MostTrials && least > LittleStolen; trial++)
        {
            IReadOnlyList<(Metric Metric, double Value)> figures = [];
            var stolen = Machine.StolenDuring(() => figures = measurement.Run(contestant, _options.Seconds));
            if (stolen < least)
                (best, least) = (figures, stolen);
        }

        Results.AddStolen(least);
        foreach (var (metric, value) in best)
            Results.Add(contestant, metric, value);
    }

    private void Attempt(Contestant contestant, Measurement measurement, Action run)
    {
        try
        {
            run();
        }
        catch (Exception e) when (e is InvalidOperationException or IOException or MissingException)
        {
            Results.AddTrouble($"{contestant.Title}, {measurement.Name}", e.Message);
        }
    }
}
