using System.Net;
using System.Net.Sockets;
using Tapwire.Tests.Live.Support;
using Xunit;

namespace Tapwire.Tests.Live.Driver;

/// <summary>An operator's commands to a driver that runs: networks come and go under traffic, each with a kernel at its other end.</summary>
[Collection(LiveNetworksCollection.Name)]
public sealed class InterfaceCommandsSpec
{
    private const int SIGUSR1 = 10;
    private const string Second = "tw1";
    private const string SecondAddress = "10.98.0.2";

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    [SkippableFact]
    public async Task A_second_network_comes_and_goes_while_connections_of_the_first_lose_nothing()
    {
        using var driver = LiveDriver.Start();
        await using var first = await driver.ConnectFromKernelAsync(LiveDriver.Echo);
        using var ending = new CancellationTokenSource();
        var traffic = EchoUntilAsync(first, ending.Token);

        Command(driver, "interface", "add", "--wire", $"tap:{Second}", "--address", $"{SecondAddress}/24", "--peer-address", "10.98.0.1/24");
        driver.Namespace.Exec("ping", "-c", "1", "-W", "10", SecondAddress);
        await using var doomed = await ConnectAsync(driver, SecondAddress);
        await ExchangeAsync(doomed);

        Command(driver, "address", "add", "10.98.0.3/24", "dev", Second);
        driver.Namespace.Exec("ping", "-c", "1", "-W", "10", "10.98.0.3");

        // Another address of the kernel's, in a network that only the route leads to.
        driver.Namespace.Ip("addr add 10.20.0.1/32 dev lo");
        Assert.NotEqual(0, Run(driver, "ping", "10.20.0.1", "-c", "1").ExitCode);
        Command(driver, "route", "add", "10.20.0.0/16", "via", "10.98.0.1");
        Command(driver, "ping", "10.20.0.1", "-c", "1", "--timeout", "10s");
        var listed = Command(driver, "interface", "list");
        Assert.Matches($"(?s)^tw0: wire tw0 up, MTU 1500, .*\n{Second}: wire {Second} up, MTU 1500, .*\n    address {SecondAddress}/24\n    address 10.98.0.3/24\n    route 10.98.0.0/24\n"
            + "    route 10.20.0.0/16 via 10.98.0.1\n$", listed);

        // The same settings again change nothing of it. Settings are read before counters are shown.
        driver.Program.Signal(TapwireProgram.SIGHUP);
        driver.Program.Signal(SIGUSR1);
        driver.Program.WaitForLine("counter ");
        await ExchangeAsync(doomed);
        Assert.Equal(listed, Command(driver, "interface", "list"));

        // In iproute2's words.
        Assert.Contains($"inet {SecondAddress}/24 dev {Second}\n", Command(driver, "addr", "show"), StringComparison.Ordinal);
        Assert.Equal($"10.98.0.0/24 dev {Second}\n10.20.0.0/16 via 10.98.0.1 dev {Second}\n", Command(driver, "route", "list", "dev", Second));
        Assert.Matches($"^10.98.0.1 dev {Second} lladdr ([0-9a-f]{{2}}:?){{6}} (REACHABLE|STALE|DELAY|PROBE)\n$", Command(driver, "neigh", "list", "dev", Second));
        Command(driver, "neigh", "add", "10.98.0.66", "lladdr", "02:00:5e:10:00:66", "dev", Second);
        Command(driver, "neigh", "flush", "dev", Second);
        Assert.EndsWith($"10.98.0.66 dev {Second} lladdr 02:00:5e:10:00:66 PERMANENT\n", Command(driver, "neigh", "list"), StringComparison.Ordinal);
        Command(driver, "neigh", "del", "10.98.0.66");
        await ExchangeAsync(doomed);

        Command(driver, "route", "flush", "dev", Second);
        Assert.Equal($"10.98.0.0/24 dev {Second}\n", Command(driver, "route", "list", "dev", Second));
        Command(driver, "route", "add", "10.20.0.0/16", "via", "10.98.0.1");
        Command(driver, "route", "remove", "10.20.0.0/16");
        Command(driver, "address", "remove", "10.98.0.3");
        Assert.NotEqual(0, driver.Namespace.TryExec("ping", "-c", "1", "-W", "1", "10.98.0.3").ExitCode);
        Command(driver, "interface", "remove", Second);
        Assert.NotEqual(0, driver.Namespace.TryExec("ip", "link", "show", Second).ExitCode);
        Assert.DoesNotContain(Second, Command(driver, "interface", "list"), StringComparison.Ordinal);

        var refused = Run(driver, "interface", "remove", Second);
        Assert.Equal((1, "", $"tapwire: There is no interface {Second}; there is tw0.\n"), (refused.ExitCode, refused.Output, refused.Error));
        await ending.CancelAsync();
        Assert.NotEqual(0, await traffic.WaitAsync(Patience));

        // Its connection has ended without a word to the kernel, which hears of it from whoever answers there next: nobody.
        Assert.DoesNotContain((await driver.StatusAsync()).GetProperty("connections").EnumerateArray(),
            static connection => connection.GetProperty("local").GetString()!.StartsWith(SecondAddress, StringComparison.Ordinal));
        driver.StopCleanly();
    }

    [SkippableTheory]
    [InlineData(AddressFamily.InterNetwork, "10.20.0.0/16", "10.20.0.1/32", "10.99.0.7")]
    [InlineData(AddressFamily.InterNetworkV6, "fd00:20::/32", "fd00:20::1/128", "fd00:99::7")]
    public void Of_several_routes_the_lowest_metric_counts_and_bare_words_list(AddressFamily family, string network, string far, string nobody)
    {
        using var driver = LiveDriver.StartOver(family);
        var (peer, there, option) = ($"{driver.Peer}", far.Split('/')[0], family == AddressFamily.InterNetwork ? "-4" : "-6");
        driver.Namespace.Ip($"addr add {far} dev lo");
        Command(driver, "route", "add", network, "via", nobody, "metric", "200");
        Assert.NotEqual(0, Run(driver, "ping", there, "-c", "1", "--timeout", "1s").ExitCode);
        Command(driver, "route", "add", network, "via", peer, "metric", "100");
        Command(driver, "ping", there, "-c", "1", "--timeout", "10s");
        var listed = Command(driver, "route", option);
        Assert.Contains($"{network} via {peer} dev tw0 metric 100\n{network} via {nobody} dev tw0 metric 200\n", listed, StringComparison.Ordinal);
        Assert.Equal(listed, Command(driver, "route", "ls", option, "dev", "tw0"));
        Assert.Equal("", Command(driver, "route", family == AddressFamily.InterNetwork ? "-6" : "-4").Replace("fe80::/64 dev tw0\n", "", StringComparison.Ordinal).Replace("10.99.0.0/24 dev tw0\n", "", StringComparison.Ordinal));
        Assert.StartsWith($"tapwire: There are routes to {network} with the metrics 200 and 100; name one of them.", Run(driver, "route", "del", network).Error, StringComparison.Ordinal);
        Command(driver, "route", "del", network, "via", nobody);
        Command(driver, "route", "del", network);
        Command(driver, "route", "add", "default", "via", peer);
        Assert.Contains($"default via {peer} dev tw0\n", Command(driver, "route", option), StringComparison.Ordinal);
        Command(driver, "route", "del", "default", option);
        Assert.DoesNotContain("default", Command(driver, "route"), StringComparison.Ordinal);

        Command(driver, "neigh", "replace", nobody, "lladdr", "02:00:5e:10:00:66");
        Command(driver, "neigh", "replace", nobody, "lladdr", "02:00:5e:10:00:67");
        Assert.Contains($"{nobody} dev tw0 lladdr 02:00:5e:10:00:67 PERMANENT\n", Command(driver, "neigh", option), StringComparison.Ordinal);
        Assert.Contains($"{driver.Own}/", Command(driver, "addr", option), StringComparison.Ordinal);
        driver.StopCleanly();
    }

    private static async Task<long> EchoUntilAsync(NetworkStream connection, CancellationToken ending)
    {
        var rounds = 0L;
        while (!ending.IsCancellationRequested)
        {
            await ExchangeAsync(connection);
            rounds++;
        }

        return rounds;
    }

    /// <summary>Sends more than any buffer on the way holds, and has it back unchanged.</summary>
    private static async Task ExchangeAsync(NetworkStream connection)
    {
        var sent = new byte[8 << 20];
        new Random(1).NextBytes(sent);
        var sending = connection.WriteAsync(sent).AsTask();
        var received = new byte[sent.Length];
        await connection.ReadExactlyAsync(received).AsTask().WaitAsync(Patience);
        await sending;
        Assert.True(sent.AsSpan().SequenceEqual(received));
    }

    private static async Task<NetworkStream> ConnectAsync(LiveDriver driver, string address)
    {
        var socket = driver.KernelSocket();
        await socket.ConnectAsync(new IPEndPoint(IPAddress.Parse(address), LiveDriver.Echo)).WaitAsync(Patience);
        return new NetworkStream(socket, ownsSocket: true);
    }

    private static string Command(LiveDriver driver, params string[] arguments)
    {
        var result = Run(driver, arguments);
        Assert.Equal((0, ""), (result.ExitCode, result.Error));
        return result.Output;
    }

    private static CommandResult Run(LiveDriver driver, params string[] arguments) => TapwireProgram.Run(driver.Namespace, [.. arguments, "--link", driver.LinkPath]);
}
