using System.Net;
using System.Net.Sockets;
using System.Runtime.Versioning;
using System.Text.Json;
using Tapwire.Links.Client;
using Tapwire.Tests.Live.Proxy;
using Tapwire.Tests.Live.Support;
using Xunit;

namespace Tapwire.Tests.Live.Driver;

/// <summary>
/// A driver whose only address comes from dnsmasq, on a device that outlives both: address, route and name servers; more time; the same address at the next start; and what is given back.
/// </summary>
[Collection(LiveServicesCollection.Name)]
[SupportedOSPlatform("linux")]
public sealed class DhcpSpec : IDisposable
{
    private const string Domain = "lan.test";

    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("tapwire-dhcp-");
    private readonly NetworkNamespace _network = NetworkNamespace.Create();

    private string LinkPath => Path.Combine(_directory.FullName, "link.sock");

    private string StatePath => Path.Combine(_directory.FullName, "state");

    private string LogFile => Path.Combine(_directory.FullName, "dnsmasq.log");

    public void Dispose()
    {
        _network.Dispose();
        _directory.Delete(recursive: true);
    }

    [SkippableTheory]
    [InlineData(1)]
    [InlineData(2)]
    public async Task A_driver_gets_its_address_and_all_that_belongs_to_it_has_it_renewed_and_gets_the_same_one_again(int shards)
    {
        await StartServerAsync(shards);
        var driver = StartDriver(shards);
        var status = await BoundAsync();
        var address = AddressOf(status);
        Assert.StartsWith("10.99.0.5", address, StringComparison.Ordinal);
        var only = status.GetProperty("interfaces")[0];
        Assert.Contains(only.GetProperty("routes").EnumerateArray(), static route => route.GetProperty("destination").GetString() == "0.0.0.0/0" && route.GetProperty("gateway").GetString() == LiveDriver.KernelAddress);
        Assert.Equal(LiveDriver.KernelAddress, status.GetProperty("names").GetProperty("servers")[0].GetString());
        Assert.Contains($"lease        {address} from 10.99.0.1, expires in 0.00:0", Run("status"), StringComparison.Ordinal);

        // By the lease's server, and with its domain.
        Assert.Equal("10.99.0.1\n", Run("resolve", $"www.{Domain}"));
        Assert.Equal("10.99.0.1\n", Run("resolve", "www"));
        using (var socket = _network.OpenSocket())
        {
            await socket.ConnectAsync(new IPEndPoint(IPAddress.Parse(address.Split('/')[0]), LiveDriver.Echo));
            await using var echo = new NetworkStream(socket, ownsSocket: false);
            await Transfer.EchoAsync(echo, 1 << 20);
        }

        // T1 is four seconds.
        await LiveDriver.EventuallyAsync(() => Task.FromResult(Logged("DHCPACK") >= 2), () => Log);
        Assert.Equal(address, AddressOf(await BoundAsync()));
        var ended = driver.Stop();
        Assert.Equal(0, ended.ExitCode);
        LiveDriver.AssertQuiet(ended.Error);
        Assert.Contains("has given 10.99.0.5", ended.Error, StringComparison.Ordinal);
        Assert.Equal(0, Logged("DHCPRELEASE"));
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(Path.Combine(StatePath, "tw0.lease")));

        var discoveries = Logged("DHCPDISCOVER");
        driver = StartDriver(shards);
        Assert.Equal(address, AddressOf(await BoundAsync()));
        Assert.Equal(discoveries, Logged("DHCPDISCOVER"));
        Assert.Equal(0, driver.Stop().ExitCode);
    }

    [SkippableFact]
    public async Task A_program_of_its_own_is_started_when_the_address_is_there_and_the_address_is_given_back_if_that_is_wanted()
    {
        await StartServerAsync(1);
        ProxiedDriver.Need(_network, "curl");
        var settings = Path.Combine(_directory.FullName, "tapwire.hocon");
        File.WriteAllText(settings, $"tapwire {{ state-directory = \"off\", dhcp-client {{ release = on, hostname = other }} }}");
        using var server = _network.OpenSocket();
        server.Bind(new IPEndPoint(IPAddress.Parse(LiveDriver.KernelAddress), 0));
        server.Listen();
        var serving = Task.Run(async () =>
        {
            using var client = await server.AcceptAsync();
            var buffer = new byte[4096];
            await client.ReceiveAsync(buffer);
            await client.SendAsync("HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nyes"u8.ToArray());
        });
        var port = ((IPEndPoint)server.LocalEndPoint!).Port;
        var ended = TapwireProgram.Run(_network, "run", "--wire", "tap:tw0", "--dhcp", "--config", settings, "--", "curl", "-sS", "--max-time", "30", $"http://{LiveDriver.KernelAddress}:{port}/");
        Assert.Equal(("", "yes", 0), (ended.Error, ended.Output, ended.ExitCode));
        await serving;
        await LiveDriver.EventuallyAsync(() => Task.FromResult(Logged("DHCPRELEASE") == 1), () => Log);
        Assert.Contains("client provides name: other", Log, StringComparison.Ordinal);
    }

    [SkippableFact]
    public async Task An_address_that_a_neighbour_has_is_declined_and_another_one_is_taken()
    {
        // dnsmasq itself asks by ping first, so the neighbour does not answer that.
        await StartServerAsync(1, "--no-ping", "--dhcp-range=10.99.0.50,10.99.0.51,2m");
        _network.Ip("addr add 10.99.0.50/24 dev tw0");
        _network.Ip("addr add 10.99.0.51/24 dev tw0");
        var driver = StartDriver(1);
        await LiveDriver.EventuallyAsync(() => Task.FromResult(Logged("DHCPDECLINE") >= 1), () => Log);
        _network.Ip("addr del 10.99.0.50/24 dev tw0");
        _network.Ip("addr del 10.99.0.51/24 dev tw0");
        Assert.StartsWith("10.99.0.5", AddressOf(await BoundAsync()), StringComparison.Ordinal);
        Assert.Contains("is declined", driver.Stop().Error, StringComparison.Ordinal);
    }

    private string Log => File.Exists(LogFile) ? File.ReadAllText(LogFile) : "";

    private int Logged(string word) => Log.Split('\n').Count(line => line.Contains(word + "(", StringComparison.Ordinal));

    private TapwireProgram StartDriver(int shards)
    {
        var program = TapwireProgram.Start(_network, "up", "--wire", "tap:tw0", "--dhcp", "--name", "box", "--link", LinkPath, "--state-dir", StatePath, "--shards", $"{shards}", "--serve", $"echo:{LiveDriver.Echo}");
        program.WaitForLine("tapwire is up: DHCP on tap:tw0");
        return program;
    }

    private async Task StartServerAsync(int shards, params string[] arguments)
    {
        ProxiedDriver.Need(_network, "dnsmasq");
        _network.Ip($"tuntap add dev tw0 mode tap{(shards > 1 ? " multi_queue" : "")}");
        _network.Ip($"addr add {LiveDriver.KernelAddress}/24 dev tw0");
        _network.Ip("link set tw0 up");
        _network.Start("sh", "-c", "PATH=$PATH:/usr/sbin exec dnsmasq --keep-in-foreground --conf-file=/dev/null --no-resolv --no-hosts --user=root --interface=tw0 --except-interface=lo --bind-interfaces "
            + $"--pid-file={_directory.FullName}/pid --log-dhcp --log-facility={LogFile} --dhcp-leasefile={_directory.FullName}/leases --dhcp-option=58,4 --dhcp-option=59,60 --domain={Domain} --local=/{Domain}/ "
            + $"--host-record=www.{Domain},{LiveDriver.KernelAddress} {string.Join(' ', arguments.Length > 0 ? arguments : ["--dhcp-range=10.99.0.50,10.99.0.59,2m"])}");
        await LiveDriver.EventuallyAsync(() => Task.FromResult(Log.Contains("started", StringComparison.Ordinal)), () => $"dnsmasq has not begun. {Log}");
    }

    private async Task<JsonElement> BoundAsync()
    {
        JsonElement status = default;
        await LiveDriver.EventuallyAsync(async () =>
        {
            using var client = await TapwireClient.ConnectAsync(LinkPath);
            using var json = JsonDocument.Parse(await client.GetStatusAsync());
            status = json.RootElement.Clone();
            return status.GetProperty("interfaces")[0].GetProperty("dhcp").GetProperty("applied").GetBoolean();
        }, () => Log);
        return status;
    }

    /// <summary>The IPv4 address: --dhcp asks for one of IPv6, too, which needs a link-local one.</summary>
    private static string AddressOf(JsonElement status) => status.GetProperty("addresses").EnumerateArray().Select(static each => each.GetString()!).First(static each => !each.Contains(':', StringComparison.Ordinal));

    private string Run(params string[] arguments)
    {
        var ended = TapwireProgram.Run(_network, [.. arguments, "--link", LinkPath]);
        Assert.Equal(("", 0), (ended.Error, ended.ExitCode));
        return ended.Output;
    }
}
