using System.Globalization;
using System.Net;
using System.Text.Json;
using Tapwire.Bench.Scale;

switch (args)
{
    case [KernelRun.InsideArgument, var connections, var roundTrips]:
        return KernelRun.Inside(int.Parse(connections, CultureInfo.InvariantCulture), int.Parse(roundTrips, CultureInfo.InvariantCulture));
    case [KernelClient.Argument, var local, var server, var port, var count]:
        return KernelClient.Run(IPAddress.Parse(local), IPAddress.Parse(server), int.Parse(port, CultureInfo.InvariantCulture), int.Parse(count, CultureInfo.InvariantCulture));
}

if (Options.Parse(args) is not { } options)
{
    Console.Error.WriteLine(Options.Usage);
    return 2;
}

var kinds = new List<Func<int, IScaleRun>>();
if (options.Engine)
    kinds.Add(connections => new EngineRun(connections));
if (options.Driver)
    kinds.Add(connections => new DriverRun(connections));
if (options.Link)
    kinds.Add(_ => new LinkRun());

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
    // The first one warms up. The last two have the same number of active connections: what differs is how many are idle.
    foreach (var (connections, counts) in new[] { (options.Small, false), (options.Small, true), (Math.Max(1, options.Connections / 100), true), (options.Connections, true) })
    {
        using var run = make(connections);
        var active = connections == options.Small ? Math.Min(10, connections) : Math.Max(1, options.Connections / 100);
        var taken = Figures.Take(run, connections, active, options.RoundTrips, options.Idle);
        if (counts)
            figures.Add(taken);
    }
}

if (figures.Count > 0)
    Report.Table(figures);
var kernel = options.Kernel ? KernelRun.Run(options.KernelConnections, options.RoundTrips) : [];
if (kernel.Count > 0)
    Report.Table(kernel);
if (options.Json is { } path)
    File.WriteAllText(path, JsonSerializer.Serialize(new { Runs = figures, Kernel = kernel }, new JsonSerializerOptions { WriteIndented = true }));
return 0;
