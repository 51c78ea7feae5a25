using System.Diagnostics;
using System.Text.Json;
using Tapwire.Tests.Live.Support;
using Xunit;

namespace Tapwire.Tests.Live.Driver;

/// <summary>A driver with <c>tapwire.forwarding</c> is the router between two namespaces, whose kernels know nothing of Tapwire.</summary>
[Collection(LiveNetworksCollection.Name)]
public sealed class ForwardingSpec : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("tapwire-forwarding-");
    private readonly NetworkNamespace _router = NetworkNamespace.Create();
    private readonly NetworkNamespace _left = NetworkNamespace.Create();
    private readonly NetworkNamespace _right = NetworkNamespace.Create();

    private string LinkPath => Path.Combine(_directory.FullName, "link.sock");

    public void Dispose()
    {
        _router.Dispose();
        _left.Dispose();
        _right.Dispose();
        _directory.Delete(recursive: true);
    }

    [SkippableTheory]
    [InlineData("tap", 1)]
    [InlineData("tun", 1)]
    [InlineData("tap", 2)]
    public void Two_networks_reach_each_other_and_the_router_over_both_families(string right, int shards)
    {
        var driver = Start(right, shards);
        foreach (var (near, far, size) in ((string, string, string)[])[("10.81.0.2", "10.82.0.1", "5000"), ("fd00:81::2", "fd00:82::1", "5000")])
        {
            _left.Exec("ping", "-c", "2", "-i", "0.2", "-W", "20", near);
            _left.Exec("ping", "-c", "2", "-i", "0.2", "-W", "20", far);
            _left.Exec("ping", "-c", "1", "-s", size, "-W", "20", far);
            Assert.Contains("ttl=63", _left.Exec("ping", "-c", "1", "-W", "20", far), StringComparison.Ordinal);
        }

        // The router's address on the other network, which a host would not give.
        _left.Exec("ping", "-c", "1", "-W", "20", "10.82.0.2");
        _left.Exec("ping", "-c", "1", "-W", "20", "fd00:82::2");

        Need(_left, "iperf3");
        var server = ServeIperf();
        foreach (var host in (string[])["10.82.0.1", "fd00:82::1"])
        {
            foreach (var more in (string[][])[[], ["-R"], ["-u", "-b", "20M", "-l", "3000"]])
                _left.Exec("sh", Iperf.Arguments(["-c", host, "-n", "4M", .. more]));
        }

        server.Kill(entireProcessTree: true);
        var ended = driver.Stop();
        Assert.Equal(0, ended.ExitCode);
        LiveDriver.AssertQuiet(ended.Error);
    }

    [SkippableFact]
    public void The_way_and_its_narrowest_link_are_seen_through_the_router()
    {
        var driver = Start("tap", 1, mtu: 1300);
        Need(_left, "tracepath");
        foreach (var (flag, router, host) in ((string, string, string)[])[("-4", "10.81.0.2", "10.82.0.1"), ("-6", "fd00:81::2", "fd00:82::1")])
        {
            var way = _left.Exec("tracepath", flag, "-n", host);
            Assert.Contains(router, way, StringComparison.Ordinal);
            Assert.Contains("pmtu 1300", way, StringComparison.Ordinal);
        }

        Assert.NotEqual(0, _left.TryExec("ping", "-c", "1", "-W", "20", "10.83.0.1").ExitCode);
        Assert.Contains("Net Unreachable", _left.TryExec("ping", "-c", "1", "-W", "20", "10.83.0.1").Output, StringComparison.Ordinal);
        using var status = JsonDocument.Parse(TapwireProgram.Run(_router, "status", "--json", "--link", LinkPath).Output);
        var counters = status.RootElement.GetProperty("counters");
        foreach (var counter in (string[])["IpForwDatagrams", "IpForwTooBig", "IpForwNoRoutes", "IpForwHopLimit"])
            Assert.True(counters.GetProperty(counter).GetInt64() > 0, counter);
        driver.Stop();
    }

    /// <summary>The network on the right knows nothing of the one on the left.</summary>
    [SkippableTheory]
    [InlineData("tap")]
    [InlineData("tun")]
    public void A_masquerading_router_takes_a_network_to_another_that_has_no_route_back(string right)
    {
        var driver = TapwireProgram.Start(_router, "up", "--wire", $"{right}:right", "--address", "10.82.0.2/24", "--address", "fd00:82::2/64", "--masquerade",
            "--wire", "tap:left", "--address", "10.81.0.2/24", "--address", "fd00:81::2/64", "--link", LinkPath);
        driver.WaitForLine("tapwire is up");
        Join("left", _left, 81, knowsBack: true);
        Join("right", _right, 82, knowsBack: false);
        Need(_left, "iperf3");
        Need(_left, "traceroute");
        var server = ServeIperf();
        foreach (var (flag, host, gateway) in ((string, string, string)[])[("-4", "10.82.0.1", "10.81.0.2"), ("-6", "fd00:82::1", "fd00:81::2")])
        {
            _left.Exec("ping", "-c", "2", "-i", "0.2", "-W", "20", host);
            _left.Exec("ping", "-c", "1", "-s", "4000", "-W", "20", host);
            var way = _left.Exec("traceroute", flag, "-n", "-w", "20", host);
            Assert.Contains($" 1  {gateway} ", way, StringComparison.Ordinal);
            Assert.Contains($" 2  {host} ", way, StringComparison.Ordinal);
            foreach (var more in (string[][])[[], ["-R"], ["-u", "-b", "20M", "-l", "3000"], ["-P", "10"]])
                _left.Exec("sh", Iperf.Arguments(["-c", host, "-n", "4M", .. more]));
        }

        // The right network has seen nobody but the router.
        Assert.DoesNotContain("10.81.", _right.Exec("ip", "neigh"), StringComparison.Ordinal);
        server.Kill(entireProcessTree: true);
        var ended = driver.Stop();
        Assert.Equal(0, ended.ExitCode);
        LiveDriver.AssertQuiet(ended.Error);
    }

    private Process ServeIperf()
    {
        var server = _right.Start("iperf3", "-s");
        var patience = Stopwatch.StartNew();
        while (_right.TryExec("sh", "-c", "ss -Hltn sport = :5201 | grep -q .").ExitCode != 0)
            Assert.True(patience.Elapsed < Patience, "The server does not listen.");
        return server;
    }

    private void Join(string device, NetworkNamespace network, int own, bool knowsBack)
    {
        _router.Ip($"link set {device} netns {network.Name}");
        network.Ip($"addr add 10.{own}.0.1/24 dev {device}");
        network.Ip($"addr add fd00:{own}::1/64 dev {device} nodad");
        network.Ip($"link set {device} up");
        if (!knowsBack)
            return;
        network.Ip($"route add default via 10.{own}.0.2");
        network.Ip($"-6 route add default via fd00:{own}::2");
    }

    private TapwireProgram Start(string right, int shards, int mtu = 1500)
    {
        var settings = LiveSettings.WriteTo(_directory, $$"""
            tapwire.wire = "tap:left"
            tapwire.addresses = ["10.81.0.2/24", "fd00:81::2/64"]
            tapwire.forwarding = on
            tapwire.shards = {{shards}}
            tapwire.interfaces { right { wire = "{{right}}:right", mtu = {{mtu}}, addresses = ["10.82.0.2/24", "fd00:82::2/64"] } }
            """);
        var driver = TapwireProgram.Start(_router, ["up", .. settings, "--link", LinkPath]);
        driver.WaitForLine("tapwire is up");
        Join("left", _left, 81, knowsBack: true);
        Join("right", _right, 82, knowsBack: true);
        return driver;
    }

    private static void Need(NetworkNamespace network, string program) =>
        Skip.If(network.TryExec("sh", "-c", $"command -v {program}").ExitCode != 0, $"there is no '{program}' command");
}
