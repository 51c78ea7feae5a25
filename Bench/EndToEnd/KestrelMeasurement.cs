using System.Globalization;
using System.Text.RegularExpressions;
using Tapwire.Bench.EndToEnd.Contestants;

namespace Tapwire.Bench.EndToEnd;

/// <summary>Connections of wrk, by one thread, that ask a service of ASP.NET Core for a response of 13 bytes or of 1 MiB.</summary>
internal sealed partial record KestrelMeasurement(string Name, string Resource, int Connections) : Measurement(Name)
{
    public override IReadOnlyList<(Metric Metric, double Value)> Run(Contestant contestant, double seconds)
    {
        if (contestant is not Kestrel)
            return [];
        Programs.Require("wrk", "wrk");
        Programs.Require("curl", "curl");
        var duration = Math.Max(1, (int)Math.Round(seconds));
        var said = contestant.RunNear("wrk", "-t", "1", "-c", $"{Connections}", "-d", $"{duration}s", "--latency", $"http://{contestant.Address}:{Kestrel.Port}/{Resource}");
        // A response that is cut or not the asked one is no figure.
        if (said.ExitCode != 0 || said.Output.Contains("Socket errors", StringComparison.Ordinal) || said.Output.Contains("Non-2xx", StringComparison.Ordinal))
            throw new InvalidOperationException($"{said.Error.Trim()} {said.Output.Trim()}");
        return Resource == "small"
            ? [(Metric.Requests, Number(Rate(), said.Output)), (Metric.RequestTail, Microseconds(Tail().Match(said.Output)))]
            : [(Metric.LargeResponses, Number(Rate(), said.Output) * (1 << 20) * 8 / 1e9)];
    }

    private static double Number(Regex where, string text) => double.Parse(where.Match(text).Groups[1].Value, CultureInfo.InvariantCulture);

    private static double Microseconds(Match match) => double.Parse(match.Groups[1].Value, CultureInfo.InvariantCulture) * match.Groups[2].Value switch
    {
        "us" => 1,
        "ms" => 1e3,
        _ => 1e6,
    };

    [GeneratedRegex(@"Requests/sec:\s*([0-9.]+)")]
    private static partial Regex Rate();

    [GeneratedRegex(@"99%\s*([0-9.]+)(us|ms|s)")]
    private static partial Regex Tail();
}

/// <summary>What 10,000 connections that have asked once and stay open cost a service of ASP.NET Core.</summary>
internal sealed record KestrelConnections() : Measurement("kestrel-connections")
{
    private const int Connections = 10_000;

    public override IReadOnlyList<(Metric Metric, double Value)> Run(Contestant contestant, double seconds)
    {
        if (contestant is not Kestrel)
            return [];
        Programs.Require("python3", "python3");
        var said = contestant.RunNear("python3", Programs.KestrelConnections, contestant.Address, $"{Kestrel.Port}", $"{Connections}");
        if (said.ExitCode != 0)
            throw new InvalidOperationException(said.Error.Trim());
        double[] figures = [.. said.Output.Trim().Split(' ').Select(static each => double.Parse(each, CultureInfo.InvariantCulture))];
        return [(Metric.ManagedMemory, figures[0]), (Metric.ProcessMemory, figures[1]), (Metric.Threads, figures[2])];
    }
}
