using System.Runtime.Versioning;
using System.Text.Json;
using Tapwire.Links.Client;
using Tapwire.Tests.Live.Proxy;
using Tapwire.Tests.Live.Support;
using Xunit;

namespace Tapwire.Tests.Live.Driver;

/// <summary>A driver that dnsmasq, as router and DHCPv6 server, gives an address, or only what there is beside SLAAC; more time; and the same address at the next start.</summary>
[Collection(LiveServicesCollection.Name)]
[SupportedOSPlatform("linux")]
public sealed class Dhcp6Spec : IDisposable
{
    private const string Router = "2001:db8:7::1";

    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("tapwire-dhcp6-");
    private readonly NetworkNamespace _network = NetworkNamespace.Create();

    private string LinkPath => Path.Combine(_directory.FullName, "link.sock");

    private string StatePath => Path.Combine(_directory.FullName, "state");

    private string LogFile => Path.Combine(_directory.FullName, "dnsmasq.log");

    private string Log => File.Exists(LogFile) ? File.ReadAllText(LogFile) : "";

    public void Dispose()
    {
        _network.Dispose();
        _directory.Delete(recursive: true);
    }

    /// <summary>A minute: no lease of dnsmasq's is shorter than two.</summary>
    [SkippableTheory]
    [InlineData(2)]
    public async Task A_driver_gets_its_address_has_it_renewed_and_gets_the_same_one_again(int shards)
    {
        await StartRouterAsync(shards, "--dhcp-range=2001:db8:7::100,2001:db8:7::1ff,64,2m");
        var driver = StartDriver(shards);
        var status = await AppliedAsync("bound");
        var address = status.GetProperty("dhcp6").GetProperty("address").GetString()!;
        Assert.StartsWith("2001:db8:7::1", address, StringComparison.Ordinal);
        Assert.Contains(address, status.GetProperty("addresses").EnumerateArray().Select(static own => own.GetString()));
        Assert.Contains($"lease (v6)   {address} from fe80:", Run("status"), StringComparison.Ordinal);
        Assert.Equal($"{Router}\n", Run("resolve", "www"));
        _network.Exec("ping", "-c", "2", "-i", "0.2", "-W", "10", address.Split('/')[0]);

        // dnsmasq gives two minutes at least, so that T1 is one.
        for (var deadline = DateTime.UtcNow + TimeSpan.FromSeconds(50); Logged("DHCPRENEW") == 0 && DateTime.UtcNow < deadline;)
            await Task.Delay(100);
        await LiveDriver.EventuallyAsync(() => Task.FromResult(Logged("DHCPRENEW") > 0), () => Log);
        Assert.Equal(address, (await AppliedAsync("bound")).GetProperty("dhcp6").GetProperty("address").GetString());
        var ended = driver.Stop();
        Assert.Equal(0, ended.ExitCode);
        LiveDriver.AssertQuiet(ended.Error);
        Assert.Equal(0, Logged("DHCPRELEASE"));
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(Path.Combine(StatePath, "tw0.lease6")));

        var solicitations = Logged("DHCPSOLICIT");
        driver = StartDriver(shards);
        Assert.Equal(address, (await AppliedAsync("bound")).GetProperty("dhcp6").GetProperty("address").GetString());
        Assert.Equal((1, solicitations), (Logged("DHCPCONFIRM"), Logged("DHCPSOLICIT")));
        Assert.Equal(0, driver.Stop().ExitCode);
    }

    [SkippableFact]
    public async Task Beside_addresses_of_its_own_making_a_driver_gets_name_servers_and_domains()
    {
        await StartRouterAsync(1, "--dhcp-range=2001:db8:7::,ra-stateless");
        var driver = StartDriver(1);
        var status = await AppliedAsync("informed");
        Assert.Equal("", status.GetProperty("dhcp6").GetProperty("address").GetString());
        await LiveDriver.EventuallyAsync(() => Task.FromResult(Run("status").Contains("2001:db8:7:0:", StringComparison.Ordinal) || Run("status").Contains("2001:db8:7::/64", StringComparison.Ordinal)), () => Run("status"));
        Assert.Equal($"{Router}\n", Run("resolve", "www"));
        Assert.Equal((0, 1), (Logged("DHCPSOLICIT"), Logged("DHCPINFORMATION-REQUEST")));
        Assert.Equal(0, driver.Stop().ExitCode);
    }

    [SkippableFact]
    public async Task An_interface_that_is_added_later_is_configured_in_the_same_way()
    {
        await StartRouterAsync(1, "--dhcp-range=2001:db8:7::100,2001:db8:7::1ff,64,2m");
        var driver = TapwireProgram.Start(_network, "up", "--wire", "tap:tw1", "--address", "10.98.0.2/24", "--link", LinkPath, "--state-dir", "off");
        driver.WaitForLine("tapwire is up: 10.98.0.2/24 on tap:tw1");
        Assert.Equal("", Run("interface", "add", "--wire", "tap:tw0", "--dhcp", "6", "--slaac"));
        Assert.StartsWith("2001:db8:7::1", (await AppliedAsync("bound")).GetProperty("dhcp6").GetProperty("address").GetString(), StringComparison.Ordinal);
        Assert.Equal("", Run("interface", "remove", "tw0"));
        Assert.DoesNotContain("2001:db8:7::1", Run("interface", "list"), StringComparison.Ordinal);
        Assert.Equal(0, driver.Stop().ExitCode);
    }

    private int Logged(string word) => Log.Split('\n').Count(line => line.Contains(word + "(", StringComparison.Ordinal));

    private TapwireProgram StartDriver(int shards)
    {
        var program = TapwireProgram.Start(_network, "up", "--wire", "tap:tw0", "--dhcp", "6", "--slaac", "--name", "box", "--link", LinkPath, "--state-dir", StatePath, "--shards", $"{shards}");
        program.WaitForLine("tapwire is up: DHCP, SLAAC on tap:tw0");
        return program;
    }

    private async Task StartRouterAsync(int shards, string range)
    {
        foreach (var program in (string[])["dnsmasq", "ping", "sysctl"])
            ProxiedDriver.Need(_network, program);
        _network.Exec("sysctl", "-qw", "net.ipv6.conf.all.forwarding=1");
        _network.Ip($"tuntap add dev tw0 mode tap{(shards > 1 ? " multi_queue" : "")}");
        _network.Ip($"addr add {Router}/64 dev tw0 nodad");
        _network.Ip("link set tw0 up");
        _network.Start("sh", "-c", "PATH=$PATH:/usr/sbin exec dnsmasq --keep-in-foreground --conf-file=/dev/null --no-resolv --no-hosts --user=root --interface=tw0 --except-interface=lo --bind-interfaces "
            + $"--pid-file={_directory.FullName}/pid --log-dhcp --log-facility={LogFile} --dhcp-leasefile={_directory.FullName}/leases --enable-ra --ra-param=tw0,high,4,60 {range} "
            + $"--dhcp-option=option6:dns-server,[{Router}] --dhcp-option=option6:domain-search,lan.test --host-record=www.lan.test,{Router}");
        await LiveDriver.EventuallyAsync(() => Task.FromResult(Log.Contains("started", StringComparison.Ordinal)), () => $"dnsmasq has not begun. {Log}");
    }

    /// <summary>The status of the interface with a DHCPv6 client when it is in a state, and the stacks have all that this brings.</summary>
    private async Task<JsonElement> AppliedAsync(string state)
    {
        JsonElement found = default;
        await LiveDriver.EventuallyAsync(async () =>
        {
            using var client = await TapwireClient.ConnectAsync(LinkPath);
            using var json = JsonDocument.Parse(await client.GetStatusAsync());
            found = json.RootElement.GetProperty("interfaces").EnumerateArray().FirstOrDefault(static each => each.TryGetProperty("dhcp6", out _)).Clone();
            return found.ValueKind == JsonValueKind.Object && found.GetProperty("dhcp6") is var lease && lease.GetProperty("applied").GetBoolean() && lease.GetProperty("state").GetString() == state;
        }, () => Log);
        return found;
    }

    private string Run(params string[] arguments)
    {
        var ended = TapwireProgram.Run(_network, [.. arguments, "--link", LinkPath]);
        Assert.Equal(("", 0), (ended.Error, ended.ExitCode));
        return ended.Output;
    }
}
