using System.Diagnostics;
using System.Runtime.Versioning;
using System.Text.Json;
using Tapwire.Links.Client;
using Tapwire.Tests.Live.Proxy;
using Tapwire.Tests.Live.Support;
using Xunit;

namespace Tapwire.Tests.Live.Driver;

/// <summary>
/// A driver that was told nothing but --dhcp and --slaac, and what people do next: ping, curl, ssh and a proxy, by names of which each is in one family or in both. dnsmasq is DHCPv4, DHCPv6,
/// router and name server; tcpdump listens on the host's side.
/// </summary>
[Collection(LiveCollection.Name)]
[SupportedOSPlatform("linux")]
public sealed class DualStackSpec : IDisposable
{
    private const string Router = "2001:db8:5::1";
    private const string RouterV4 = "10.95.0.1";
    private const int Web = 8001;
    private const int Ssh = 2222;
    private const int Socks = 1080;

    private static readonly (string Name, string? Address)[] s_hosts = [("four.corp.test", RouterV4), ("six.corp.test", Router), ("both.corp.test", null)];

    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("tapwire-dual-");
    private readonly NetworkNamespace _network = NetworkNamespace.Create();
    private readonly List<DirectoryInfo> _made = [];

    private string LinkPath => Path.Combine(_directory.FullName, "link.sock");

    private string LogFile => Path.Combine(_directory.FullName, "dnsmasq.log");

    private string Log => File.Exists(LogFile) ? File.ReadAllText(LogFile) : "";

    public void Dispose()
    {
        _network.Dispose();
        foreach (var directory in _made.Append(_directory))
            directory.Delete(recursive: true);
    }

    [SkippableFact]
    public async Task Ping_curl_ssh_and_a_proxy_work_by_name_over_both_families_and_no_name_leaves_by_the_host()
    {
        ProxiedDriver.Need(_network, "dnsmasq", "sysctl", "curl", "ssh", "sshd", "ssh-keygen", "python3", "tcpdump", "getent");
        Skip.IfNot(File.Exists(Path.Combine(AppContext.BaseDirectory, "libtapwire.so")), "libtapwire.so was not built: there is no C compiler");
        await StartRouterAsync();
        using var capture = await ListenOnHostAsync();
        var driver = TapwireProgram.Start(_network, "up", "--wire", "tap:tw0", "--dhcp", "--slaac", "--socks", $"127.0.0.1:{Socks}", "--link", LinkPath, "--state-dir", "off");
        driver.WaitForLine("tapwire is up");
        var status = await ConfiguredAsync();
        Assert.Contains("\"0.0.0.0/0\"", status, StringComparison.Ordinal);
        Assert.Contains("\"::/0\"", status, StringComparison.Ordinal);

        await ServeAsync();
        var key = await StartSshAsync();
        foreach (var (name, address) in s_hosts)
        {
            var found = Tapwire("resolve", name).Split('\n', StringSplitOptions.RemoveEmptyEntries);
            Assert.Equal(address is null ? [RouterV4, Router] : [address], found.Order(StringComparer.Ordinal));
            foreach (var each in found)
                Assert.Contains("2 sent, 2 received, 0% lost", Tapwire("ping", each, "-c", "2", "-i", "10ms"), StringComparison.Ordinal);
            Assert.Equal("small\n", OnTapwire("curl", "-sS", "--max-time", "30", $"http://{name}:{Web}/small"));
            Assert.Equal("small\n", _network.Exec("curl", "-sS", "--max-time", "30", "--socks5-hostname", $"127.0.0.1:{Socks}", $"http://{name}:{Web}/small"));

            // Whose address the server has been reached at is the family that was used.
            var reached = OnTapwire(["ssh", .. SshServer.ClientOptions(key, Ssh), $"root@{name}", "echo $SSH_CONNECTION"]).Split(' ')[2];
            Assert.Equal(address ?? Router, reached);
        }

        // The domain of the lease completes a name.
        Assert.Equal($"{RouterV4}\n", Tapwire("resolve", "four"));

        // The control: a program on the kernel's sockets asks the host's name server, and that is seen.
        _network.TryExec("getent", "hosts", "seen.corp.test");
        await LiveDriver.EventuallyAsync(() => Task.FromResult(Dump().Contains("seen", StringComparison.Ordinal)), () => $"tcpdump has not seen the control: {Dump()}");
        foreach (var label in (string[])["four", "six", "both"])
            Assert.DoesNotContain(label, Dump(), StringComparison.Ordinal);

        var ended = driver.Stop();
        Assert.Equal(0, ended.ExitCode);
        LiveDriver.AssertQuiet(ended.Error);
    }

    private string Dump() => _network.TryExec("tcpdump", "-nn", "-A", "-r", Path.Combine(_directory.FullName, "host.pcap")).Output;

    /// <summary>A namespace's loopback is the host's side here: whoever asks the host's name server, of /etc/resolv.conf, shows there.</summary>
    private async Task<Process> ListenOnHostAsync()
    {
        var etc = ProxiedDriver.MakeDirectory($"/etc/netns/{_network.Name}");
        _made.Add(etc);
        File.WriteAllText(Path.Combine(etc.FullName, "resolv.conf"), "nameserver 127.0.0.77\noptions timeout:1 attempts:1\n");
        File.WriteAllText(Path.Combine(etc.FullName, "hosts"), "127.0.0.1 localhost\n");
        var capture = _network.Start("tcpdump", "-i", "lo", "-U", "-Z", "root", "-w", Path.Combine(_directory.FullName, "host.pcap"), "udp");
        await capture.StandardError.ReadLineAsync().WaitAsync(TimeSpan.FromSeconds(30)); // "tcpdump: listening on lo"
        return capture;
    }

    private async Task StartRouterAsync()
    {
        _network.Exec("sysctl", "-qw", "net.ipv6.conf.all.forwarding=1");
        _network.Ip("tuntap add dev tw0 mode tap");
        _network.Ip($"addr add {RouterV4}/24 dev tw0");
        _network.Ip($"addr add {Router}/64 dev tw0 nodad");
        _network.Ip("link set tw0 up");
        _network.Start("sh", "-c", "PATH=$PATH:/usr/sbin exec dnsmasq --keep-in-foreground --conf-file=/dev/null --no-resolv --no-hosts --user=root --interface=tw0 --except-interface=lo --bind-interfaces "
            + $"--pid-file={_directory.FullName}/pid --log-dhcp --log-facility={LogFile} --dhcp-leasefile={_directory.FullName}/leases --enable-ra --ra-param=tw0,high,4,60 "
            + "--dhcp-range=10.95.0.50,10.95.0.59,2m --dhcp-range=2001:db8:5::100,2001:db8:5::1ff,slaac,64,2m --domain=corp.test --local=/corp.test/ "
            + $"--host-record=four.corp.test,{RouterV4} --host-record=six.corp.test,{Router} --host-record=both.corp.test,{RouterV4},{Router}");
        await LiveDriver.EventuallyAsync(() => Task.FromResult(Log.Contains("started", StringComparison.Ordinal)), () => $"dnsmasq has not begun. {Log}");
    }

    /// <summary>Waits until the driver has an address of each server, and one that it has made itself.</summary>
    private async Task<string> ConfiguredAsync()
    {
        var text = "";
        await LiveDriver.EventuallyAsync(async () =>
        {
            using var client = await TapwireClient.ConnectAsync(LinkPath);
            using var json = JsonDocument.Parse(await client.GetStatusAsync());
            text = json.RootElement.GetRawText();
            return json.RootElement.GetProperty("interfaces")[0] is var only && IsApplied(only, "dhcp") && IsApplied(only, "dhcp6")
                && only.GetProperty("addresses").EnumerateArray().Count(static each => each.GetString()!.StartsWith("2001:db8:5:", StringComparison.Ordinal)) >= 2;
        }, () => $"{text}\n{Log}");
        return text;

        static bool IsApplied(JsonElement only, string client) => only.TryGetProperty(client, out var lease) && lease.GetProperty("applied").GetBoolean();
    }

    private async Task ServeAsync()
    {
        File.WriteAllText(Path.Combine(_directory.FullName, "small"), "small\n");
        _network.Start("python3", "-m", "http.server", "-d", _directory.FullName, "--bind", "::", $"{Web}");
        await ListensAsync(Web);
    }

    /// <summary>Starts sshd on all addresses, and returns the file of the key that opens it.</summary>
    private async Task<string> StartSshAsync()
    {
        var key = SshServer.Start(_network, _directory.FullName, Ssh);
        await ListensAsync(Ssh);
        return key;
    }

    private Task ListensAsync(int port) =>
        LiveDriver.EventuallyAsync(() => Task.FromResult(_network.TryExec("ss", "-Hlnt", $"sport = :{port}").Output.Length > 0), () => $"Nobody listens at port {port}.");

    private string Tapwire(params string[] arguments) => Succeed(TapwireProgram.Run(_network, [.. arguments, "--link", LinkPath]));

    private string OnTapwire(params string[] command) => Succeed(TapwireProgram.Run(_network, ["run", "--link", LinkPath, "--", .. command]));

    private static string Succeed(CommandResult ended)
    {
        Assert.Equal(("", 0), (ended.Error, ended.ExitCode));
        return ended.Output;
    }
}
