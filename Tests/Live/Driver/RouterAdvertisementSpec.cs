using System.Net.Sockets;
using System.Text.Json;
using System.Text.RegularExpressions;
using Tapwire.Tests.Live.Programs;
using Tapwire.Tests.Live.Support;
using Xunit;

namespace Tapwire.Tests.Live.Driver;

/// <summary>A router and name server of other people's configures a driver that was told nothing but --slaac and --dhcp: addresses of both families, routes, names.</summary>
[Collection(LiveNetworksCollection.Name)]
public sealed partial class RouterAdvertisementSpec : IDisposable
{
    private const string Router = "2001:db8:6::1";

    private readonly DirectoryInfo _files = Directory.CreateTempSubdirectory("tapwire-router-");

    public void Dispose() => _files.Delete(recursive: true);

    [SkippableFact]
    public async Task Addresses_routes_and_names_come_from_the_network()
    {
        using var driver = LiveDriver.Start("", $"tap:{LiveDriver.Device}", "--slaac", "--dhcp", "--state-dir", "off");
        foreach (var program in (string[])["dnsmasq", "curl", "python3", "sysctl", "ping"])
            Skip.If(driver.Namespace.TryExec("sh", "-c", $"command -v {program}").ExitCode != 0, $"there is no '{program}'");
        driver.Namespace.Exec("sysctl", "-qw", "net.ipv6.conf.all.forwarding=1");
        driver.Namespace.Ip($"addr add {Router}/64 dev {LiveDriver.Device} nodad");
        using var router = driver.Namespace.Start("dnsmasq", "-k", "--no-resolv", "--no-hosts", "--user=root", "--pid-file=", "--log-facility=-", $"--dhcp-leasefile={_files.FullName}/leases",
            $"--interface={LiveDriver.Device}", "--except-interface=lo", "--bind-interfaces", "--enable-ra", "--dhcp-range=2001:db8:6::,ra-only", $"--dhcp-option=option6:dns-server,[{Router}]",
            $"--ra-param={LiveDriver.Device},high,4,60", "--dhcp-range=10.99.0.100,10.99.0.120", $"--dhcp-option=option:dns-server,{LiveDriver.KernelAddress}",
            $"--address=/both.test/{Router}", $"--address=/both.test/{LiveDriver.KernelAddress}", $"--address=/four.test/{LiveDriver.KernelAddress}", $"--address=/six.test/{Router}");
        var status = default(JsonElement);
        await LiveDriver.EventuallyAsync(async () =>
        {
            status = await driver.StatusAsync();
            return Made().IsMatch(status.GetRawText()) && status.GetRawText().Contains("10.99.0.1", StringComparison.Ordinal) && Leased().IsMatch(status.GetRawText());
        }, () => $"There is no address: {status}");

        var own = Made().Match(status.GetRawText()).Value;
        await driver.Program.WaitForErrorAsync($" INF {LiveDriver.Device}: has {own} of a router's prefix");
        Assert.Contains("::/0", status.GetRawText(), StringComparison.Ordinal);
        driver.Namespace.Exec("ping", "-c", "2", "-i", "0.2", "-W", "10", own);
        foreach (var (name, address) in new[] { ("six.test", Router), ("four.test", LiveDriver.KernelAddress) })
            Assert.Contains(address, TapwireProgram.Run(driver.Namespace, "resolve", "--link", driver.LinkPath, name).Output, StringComparison.Ordinal);

        File.WriteAllText(Path.Combine(_files.FullName, "small"), "small\n");
        using var server = driver.Namespace.Start("python3", "-m", "http.server", "-d", _files.FullName, "--bind", "::", "8001");
        await LiveDriver.EventuallyAsync(() => Task.FromResult(driver.Namespace.TryExec("ss", "-Hlnt", "sport = :8001").Output.Length > 0), () => "The server does not listen.");
        using (var client = await driver.ConnectToLinkAsync())
        {
            using var stream = await client.ConnectTcpAsync("both.test", 8001).WaitAsync(TimeSpan.FromSeconds(30));
            Assert.Equal(AddressFamily.InterNetworkV6, stream.RemoteEndPoint.AddressFamily);
            var refused = await Assert.ThrowsAsync<SocketException>(() => client.ConnectTcpAsync("both.test", 8002).WaitAsync(TimeSpan.FromSeconds(30)));
            Assert.Equal(SocketError.ConnectionRefused, refused.SocketErrorCode);
        }

        var library = Path.Combine(AppContext.BaseDirectory, "libtapwire.so");
        Skip.IfNot(File.Exists(library), "libtapwire.so was not built: there is no C compiler");
        foreach (var name in (string[])["six.test", "four.test", "both.test"])
            Assert.Equal("small\n", driver.Namespace.Exec("env", $"LD_PRELOAD={library}", $"TAPWIRE_LINK={driver.LinkPath}", "curl", "-sS", "--max-time", "30", $"http://{name}:8001/small"));
    }

    [GeneratedRegex("2001:db8:6:[0-9a-f:]*[0-9a-f](?=/64)")]
    private static partial Regex Made();

    [GeneratedRegex(@"10\.99\.0\.1[012]\d/24")]
    private static partial Regex Leased();
}
