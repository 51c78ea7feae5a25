using System.Diagnostics;
using System.Globalization;
using System.Text.RegularExpressions;
using Tapwire.Tests.Live.Support;

namespace Tapwire.Bench.EndToEnd;

/// <summary>A well-known server as it is packaged, asked by its own benchmark through the kernel. The server runs from its first measurement on.</summary>
internal abstract record ProgramMeasurement(string Name, Metric Metric) : Measurement(Name)
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private static readonly HashSet<(Contestant Contestant, Type Server)> Serving = [];

    /// <summary>What must be installed: program and package.</summary>
    protected abstract IReadOnlyList<(string Program, string Package)> Needed { get; }

    /// <summary>What the benchmark says before its figure, as a regular expression.</summary>
    protected abstract string Before { get; }

    public override IReadOnlyList<(Metric Metric, double Value)> Run(Contestant contestant, double seconds)
    {
        if (!contestant.RunsPrograms)
            return [];
        if (Serving.Add((contestant, GetType())))
            Begin(contestant);
        var said = Ask(contestant, [.. Client(contestant.Address, Math.Max(1, (int)Math.Round(seconds)))]);
        var rate = Regex.Match(said.Output, $@"{Before}\s*([0-9.]+)");
        return said.ExitCode == 0 && rate.Success
            ? [(Metric, double.Parse(rate.Groups[1].Value, CultureInfo.InvariantCulture))]
            : throw new InvalidOperationException($"{said.Error.Trim()} {said.Output.Trim()}");
    }

    /// <param name="directory">A new one, for what the server needs.</param>
    protected abstract IReadOnlyList<string> Server(Contestant contestant, string directory);

    /// <summary>A command that succeeds as soon as the server can be measured.</summary>
    protected abstract IReadOnlyList<string> Probe(string address);

    protected abstract IReadOnlyList<string> Client(string address, int seconds);

    protected static CommandResult Ask(Contestant contestant, IReadOnlyList<string> command) => contestant.RunNear(command[0], [.. command.Skip(1)]);

    private void Begin(Contestant contestant)
    {
        foreach (var (program, package) in Needed)
            Programs.Require(program, package);
        contestant.RunServer(Server(contestant, contestant.NewDirectory()));
        var clock = Stopwatch.StartNew();
        while (Ask(contestant, Probe(contestant.Address)) is { ExitCode: not 0 } answer)
        {
            if (clock.Elapsed > Patience)
                throw new InvalidOperationException($"The server does not answer: {answer.Error.Trim()}");
            Thread.Sleep(100);
        }
    }
}

/// <summary>50 clients that read one key, by one thread.</summary>
/// <param name="Pipeline">Requests under way on each connection.</param>
internal sealed record RedisMeasurement(string Name, Metric Metric, int Pipeline) : ProgramMeasurement(Name, Metric)
{
    private const int RequestsPerSecond = 30_000;
    private const int Port = 6379;

    protected override IReadOnlyList<(string Program, string Package)> Needed => [("redis-server", "redis-server"), ("redis-benchmark", "redis-tools")];

    protected override string Before => "GET:";

    protected override IReadOnlyList<string> Server(Contestant contestant, string directory) =>
        ["redis-server", "--port", $"{Port}", "--bind", "0.0.0.0", "--protected-mode", "no", "--save", "", "--dir", directory];

    protected override IReadOnlyList<string> Probe(string address) => ["redis-cli", "-h", address, "-p", $"{Port}", "ping"];

    /// <summary>It takes a number of requests, not a time.</summary>
    protected override IReadOnlyList<string> Client(string address, int seconds) =>
        ["redis-benchmark", "-h", address, "-p", $"{Port}", "-q", "-t", "get", "-c", "50", "-P", $"{Pipeline}", "-n", $"{RequestsPerSecond * seconds * Pipeline}"];
}

/// <summary>8 clients that read one row at a time, by one thread.</summary>
internal sealed record PostgresMeasurement() : ProgramMeasurement("pgbench", Metric.Pgbench)
{
    protected override IReadOnlyList<(string Program, string Package)> Needed => [("pgbench", "postgresql-contrib"), ("setpriv", "util-linux")];

    protected override string Before => "tps =";

    protected override IReadOnlyList<string> Server(Contestant contestant, string directory)
    {
        var binaries = PostgresServer.Binaries ?? throw new MissingException("there is no PostgreSQL server: apt install postgresql");
        return [.. PostgresServer.Make(binaries, Path.Combine(directory, "data"), command => Made(Ask(contestant, command)), "10.97.0.0/24", "fd00:97::/64"), "listen_addresses=0.0.0.0"];
    }

    protected override IReadOnlyList<string> Probe(string address) => ["pgbench", "-h", address, "-U", "postgres", "-i", "-q", "postgres"];

    protected override IReadOnlyList<string> Client(string address, int seconds) =>
        ["pgbench", "-h", address, "-U", "postgres", "-n", "-S", "-c", "8", "-T", $"{seconds}", "postgres"];

    private static void Made(CommandResult result)
    {
        if (result.ExitCode != 0)
            throw new InvalidOperationException(result.Error.Trim());
    }
}

/// <summary>50 connections that ask for a file of 1 KiB, by one thread.</summary>
internal sealed record NginxMeasurement() : ProgramMeasurement("wrk", Metric.Nginx)
{
    private const int Port = 8080;

    protected override IReadOnlyList<(string Program, string Package)> Needed => [("nginx", "nginx-light"), ("wrk", "wrk")];

    protected override string Before => "Requests/sec:";

    protected override IReadOnlyList<string> Server(Contestant contestant, string directory)
    {
        File.WriteAllText(Path.Combine(directory, "file"), new string('x', 1023) + "\n");
        var configuration = Path.Combine(directory, "nginx.conf");
        File.WriteAllText(configuration, $$"""
            daemon off;
            user root;
            pid {{directory}}/pid;
            error_log {{directory}}/error.log;
            events { worker_connections 1024; }
            http {
                access_log off;
                sendfile on;
                keepalive_requests 1000000000;
                client_body_temp_path {{directory}}/body;
                proxy_temp_path {{directory}}/proxy;
                fastcgi_temp_path {{directory}}/fastcgi;
                uwsgi_temp_path {{directory}}/uwsgi;
                scgi_temp_path {{directory}}/scgi;
                server { listen {{Port}}; root {{directory}}; }
            }
            """);
        return ["nginx", "-c", configuration, "-p", directory];
    }

    protected override IReadOnlyList<string> Probe(string address) => ["wrk", "-t", "1", "-c", "1", "-d", "1s", $"http://{HostOf(address)}:{Port}/file"];

    protected override IReadOnlyList<string> Client(string address, int seconds) => ["wrk", "-t", "1", "-c", "50", "-d", $"{seconds}s", $"http://{HostOf(address)}:{Port}/file"];

    private static string HostOf(string address) => address.Contains(':', StringComparison.Ordinal) ? $"[{address}]" : address;
}
