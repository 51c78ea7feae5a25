using System.Text.Json;
using Tapwire.Bench.Scale;

if (Options.Parse(args) is not { } options)
{
    Console.Error.WriteLine(Options.Usage);
    return 2;
}

var kinds = new List<Func<int, IScaleRun>>();
if (options.Engine || options.Layout)
    kinds.Add(connections => new EngineRun(connections));
if (options.Driver || options.Layout)
    kinds.Add(connections => new DriverRun(connections));

if (options.Layout)
{
    foreach (var make in kinds)
    {
        using var run = make(options.Small);
        run.Connect(options.Small, new LatencyLog(options.Small));
        Report.Layout(run, options.Small, "after the handshake");
        run.RoundTrips([.. Enumerable.Range(0, options.Small)], options.Small, new LatencyLog(options.Small));
        run.Idle(TimeSpan.FromSeconds(1));
        Report.Layout(run, options.Small, "after one round trip each");
    }

    return 0;
}

var figures = new List<Figures>();
foreach (var make in kinds)
{
    // The first one warms up.
    foreach (var (connections, counts) in new[] { (options.Small, false), (options.Small, true), (options.Connections, true) })
    {
        using var run = make(connections);
        var taken = Figures.Take(run, connections, options.RoundTrips, options.Idle);
        if (counts)
            figures.Add(taken);
    }
}

Report.Table(figures);
if (options.Json is { } path)
    File.WriteAllText(path, JsonSerializer.Serialize(figures, new JsonSerializerOptions { WriteIndented = true }));
return 0;
