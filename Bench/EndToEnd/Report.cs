using System.Globalization;
using System.Text.Json;
using Tapwire.Bench.EndToEnd.Contestants;

namespace Tapwire.Bench.EndToEnd;

/// <summary>The table, the ratios, and the same as JSON.</summary>
internal sealed class Report(Options options, Results results)
{
    private const string Gvisor = "gvisor";
    private const int TitleWidth = 42;
    private const int Width = 10;

    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true };

    private string Circumstances => string.Create(CultureInfo.InvariantCulture,
        $"{Environment.ProcessorCount} x {Machine.Processor}, Linux {Machine.Kernel}, .NET {Environment.Version}; load average {Machine.LoadAverage:0.0}, "
        + $"up to {results.ForeignLoad:P0} of the processors busy before a measurement and "
        + $"{results.Stolen.Mean:P1} of them (up to {results.Stolen.Most:P0}) given to others by the host while it was taken; medians of {options.Rounds} rounds of {options.Seconds} s, "
        + $"{(options.IsPinned ? "both ends on one processor" : "not pinned")}");

    public void Print()
    {
        Console.WriteLine(Circumstances);
        Console.WriteLine();
        foreach (var metrics in (IReadOnlyList<Metric>[])[Metric.OfStacks, Metric.OfPrograms, Metric.OfKestrel])
            Print(metrics);
        foreach (var (what, reason) in results.Troubles)
            Console.WriteLine($"{what}: {reason}");
    }

    /// <summary>A table of those that have any of these figures, and their ratios.</summary>
    private void Print(IReadOnlyList<Metric> metrics)
    {
        Contestant[] measured = [.. results.Contestants.Where(contestant => metrics.Any(metric => results.Median(contestant, metric) is not null))];
        if (measured.Length == 0)
            return;
        PrintTitles("", metrics);
        foreach (var frames in measured.GroupBy(contestant => contestant.SuperFrames).OrderByDescending(frames => frames.Key))
        {
            Console.WriteLine(frames.Key ? "super-frames or a large MTU" : "frames of 1,500 bytes");
            foreach (var contestant in frames)
                PrintLine($"  {contestant.Title}", metrics, metric => results.Median(contestant, metric), metric => metric.Format);
        }

        Console.WriteLine();
        PrintTitles("ratios; above 1 we are better", metrics);
        foreach (var ours in measured.Where(contestant => contestant.Role == Role.Ours))
        {
            Console.WriteLine(ours.Title);
            foreach (var (name, rivals) in RivalsOf(ours))
                PrintLine($"  to {name}", metrics, metric => Ratio(ours, rivals(metric), metric), _ => "0.00");
        }

        Console.WriteLine();
    }

    public void WriteJson(string file)
    {
        var report = new
        {
            Processors = Environment.ProcessorCount,
            Machine.Processor,
            Machine.Kernel,
            Runtime = $"{Environment.Version}",
            Time = DateTime.UtcNow,
            Machine.LoadAverage,
            results.ForeignLoad,
            StolenMean = results.Stolen.Mean,
            StolenMost = results.Stolen.Most,
            options.Rounds,
            options.Seconds,
            options.IsPinned,
            Contestants = results.Contestants.Select(contestant => new
            {
                contestant.Name,
                contestant.Title,
                contestant.Family,
                Role = $"{contestant.Role}",
                contestant.SuperFrames,
                Figures = Metric.All.Where(metric => results.Rounds(contestant, metric).Count > 0).Select(metric => new
                {
                    metric.Name,
                    metric.Unit,
                    Median = results.Median(contestant, metric),
                    Rounds = results.Rounds(contestant, metric),
                }),
                Ratios = contestant.Role != Role.Ours ? null : RivalsOf(contestant).Select(rival => new
                {
                    To = rival.Name,
                    Figures = Metric.All.Select(metric => new { metric.Name, Ratio = Ratio(contestant, rival.Of(metric), metric) })
                        .Where(figure => figure.Ratio is not null),
                }),
            }),
            results.Troubles,
        };
        File.WriteAllText(file, JsonSerializer.Serialize(report, Indented));
    }

    private static void PrintTitles(string first, IReadOnlyList<Metric> metrics)
    {
        Console.WriteLine($"{"",-TitleWidth}{string.Concat(metrics.Select(metric => $"{metric.Name,Width}"))}");
        Console.WriteLine($"{first,-TitleWidth}{string.Concat(metrics.Select(metric => $"{metric.Unit,Width}"))}");
    }

    private static void PrintLine(string title, IReadOnlyList<Metric> metrics, Func<Metric, double?> value, Func<Metric, string> format) =>
        Console.WriteLine($"{title,-TitleWidth}" + string.Concat(metrics.Select(metric =>
            $"{value(metric)?.ToString(format(metric), CultureInfo.InvariantCulture) ?? "-",Width}")));

    /// <summary>Whom one of ours is compared with: those with the same frames, and with all where frames are not what matters. A tunnel is compared with tunnels.</summary>
    private IEnumerable<(string Name, Func<Metric, IEnumerable<Contestant>> Of)> RivalsOf(Contestant ours)
    {
        if (ours is WireGuardTunnel)
        {
            yield return ("wireguard-go", _ => results.Contestants.Where(static rival => rival is WireGuardGo));
            yield break;
        }

        if (ours is Kestrel)
        {
            yield return ("the kernel", _ => results.Contestants.Where(static rival => rival is KestrelOverVeth));
            if (ours is KestrelInProcess)
                yield return ("the link", _ => results.Contestants.Where(static rival => rival is KestrelOnLink));
            yield break;
        }

        bool IsComparable(Contestant rival, Metric metric) =>
            rival is not WireGuardTunnel && rival.Family == ours.Family && (rival.SuperFrames == ours.SuperFrames || metric.AcrossFrames);
        yield return ("the kernel", metric => results.Contestants.Where(rival => rival.Role == Role.Limit && rival.Family == ours.Family && rival.SuperFrames == ours.SuperFrames));
        yield return ("gVisor", metric => results.Contestants.Where(rival =>
            rival.Name.StartsWith(Gvisor, StringComparison.Ordinal) && rival.Family == ours.Family && rival.SuperFrames == ours.SuperFrames));
        yield return ("the best peer", metric => results.Contestants.Where(rival => rival.Role == Role.Peer && IsComparable(rival, metric)));
        if (ours is TapwireDriver { IsObserved: true })
            yield return ("itself unobserved", metric => results.Contestants.Where(static rival => rival.Name == "tapwire" && rival.Family == 4));
        if (ours.Family == 6)
            yield return ("itself over IPv4", metric => results.Contestants.Where(rival => rival.Name == ours.Name && rival.Family == 4));
    }

    private double? Ratio(Contestant ours, IEnumerable<Contestant> rivals, Metric metric) =>
        results.Median(ours, metric) is { } our && results.Best(rivals, metric) is { } best ? (metric.LowerIsBetter ? best / our : our / best) : null;
}
