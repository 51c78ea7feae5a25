using System.Diagnostics;
using System.Globalization;

namespace Tapwire.Bench.Scale;

/// <summary>
/// The driver's echo service on a TAP, and the kernel's sockets at its other end, in a network namespace of their own: this program starts itself again there. The
/// clients are several processes, for one process may have only so many descriptors.
/// </summary>
internal static class KernelRun
{
    /// <summary>The program starts itself in the namespace with this argument.</summary>
    public const string InsideArgument = "--kernel-inside";

    private const int PerClient = 12_500;
    private const int Port = 7;
    private const string Device = "tw0";
    private const string Driver = "10.99.0.2";

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    /// <summary>Starts the measurement in a namespace of its own.</summary>
    /// <exception cref="InvalidOperationException">It has failed.</exception>
    public static List<KernelFigures> Run(int connections, int roundTrips)
    {
        using var inside = Start("unshare", ["-n", .. Self, InsideArgument, Text(connections), Text(roundTrips)]);
        var figures = new List<KernelFigures>();
        while (inside.StandardOutput.ReadLine() is { } line)
            figures.Add(KernelFigures.Parse(line));
        inside.WaitForExit();
        return inside.ExitCode == 0 ? figures : throw new InvalidOperationException("The run over TAP has failed.");
    }

    /// <summary>What runs in the namespace: writes one line of figures for few connections and one for all.</summary>
    public static int Inside(int connections, int roundTrips)
    {
        using var driver = Start(Host, ["exec", Path.Combine(AppContext.BaseDirectory, "tapwire.dll"), "up", "--wire", $"tap:{Device}",
            "--address", $"{Driver}/16", "--serve", $"echo:{Port}", "--link", "off", "--log-level", "Warning"]);
        try
        {
            if (driver.StandardOutput.ReadLine()?.StartsWith("tapwire is up", StringComparison.Ordinal) != true)
                return 1;
            Ip("link", "set", "lo", "up");
            Ip("link", "set", Device, "up");
            File.WriteAllText("/proc/sys/net/ipv4/ip_local_port_range", "1024 65535");
            File.WriteAllText("/proc/sys/net/core/somaxconn", "65535");
            var few = Math.Max(100, connections / 100);
            Measure(driver.Id, few, few, roundTrips);
            Measure(driver.Id, connections, few, roundTrips);
            return 0;
        }
        finally
        {
            driver.Kill();
            driver.WaitForExit();
        }
    }

    private static void Measure(int driver, int connections, int active, int roundTrips)
    {
        var before = ProcessMemory.ResidentOf(driver);
        var clients = new List<Process>();
        try
        {
            var connect = new List<double>();
            var echo = new List<double>();
            for (var left = connections; left > 0; left -= PerClient)
            {
                var address = $"10.99.1.{clients.Count + 1}";
                Ip("address", "replace", $"{address}/16", "dev", Device);
                var client = Start(Self[0], [.. Self[1..], KernelClient.Argument, address, Driver, Text(Port), Text(Math.Min(left, PerClient))]);
                clients.Add(client);
                connect.Add(Number(Answer(client)[0]));
                // All echo once.
                echo.Add(Number(Ask(client, "echo", 1, Math.Min(left, PerClient))[0]));
            }

            // The active ones are evenly spread over the clients.
            var figures = clients.Select(client => Ask(client, "echo", roundTrips / clients.Count, Math.Max(1, active / clients.Count)).Select(Number).ToArray()).ToList();
            Console.WriteLine(new KernelFigures
            {
                Connections = connections,
                Active = active,
                Connect = connect.Average(),
                FirstEcho = echo.Average(),
                RoundTripP50 = figures.Average(f => f[0]),
                RoundTripP99 = figures.Average(f => f[1]),
                ResidentBefore = before,
                Resident = ProcessMemory.ResidentOf(driver),
            });
        }
        finally
        {
            foreach (var client in clients)
            {
                client.StandardInput.Close();
                client.WaitForExit();
                client.Dispose();
            }
        }
    }

    private static string Host => Path.GetFileNameWithoutExtension(Environment.ProcessPath) == "dotnet" ? Environment.ProcessPath! : "dotnet";

    private static string[] Self => [Host, "exec", typeof(KernelRun).Assembly.Location];

    private static string[] Ask(Process client, string order, int rounds, int count)
    {
        client.StandardInput.WriteLine($"{order} {Text(rounds)} {Text(count)}");
        return Answer(client);
    }

    private static string[] Answer(Process client) =>
        client.StandardOutput.ReadLine()?.Split(' ') ?? throw new InvalidOperationException("A client has ended.");

    private static void Ip(params string[] arguments)
    {
        using var ip = Start("ip", arguments);
        if (!ip.WaitForExit(Patience) || ip.ExitCode != 0)
            throw new InvalidOperationException($"ip {string.Join(' ', arguments)} has failed.");
    }

    private static Process Start(string program, string[] arguments) => Process.Start(new ProcessStartInfo(program, arguments)
    {
        RedirectStandardInput = true,
        RedirectStandardOutput = true,
    })!;

    private static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);

    private static double Number(string text) => double.Parse(text, CultureInfo.InvariantCulture);
}
