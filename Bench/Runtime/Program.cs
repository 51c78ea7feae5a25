using Tapwire.Bench.Runtime;

// Prints the shapes of an actor runtime's cost, for the runtime it was compiled against: dotnet run -c Release --project Bench/Runtime [-- NAME...]
var rounds = 5;
var wanted = new HashSet<string>(args, StringComparer.OrdinalIgnoreCase);
Console.WriteLine($"runtime: {typeof(Akka.Actor.ActorSystem).Assembly.FullName}; {Environment.ProcessorCount} processors; medians of {rounds}");
foreach (var (name, unit, measure) in Shapes.All)
{
    if (wanted.Count > 0 && !wanted.Any(w => name.Contains(w, StringComparison.OrdinalIgnoreCase)))
        continue;
    var figures = new List<double[]>();
    for (var round = 0; round <= rounds; round++)
    {
        GC.Collect();
        var figure = measure();
        if (round > 0) // the first one warms up
            figures.Add(figure);
    }

    var medians = Enumerable.Range(0, figures[0].Length).Select(i => figures.Select(f => f[i]).Order().ElementAt(figures.Count / 2));
    Console.WriteLine($"{name,-56} {string.Join(" / ", medians.Select(m => m.ToString("0.###"))),20} {unit}");
}
