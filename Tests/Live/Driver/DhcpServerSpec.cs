using System.Text.Json;
using Tapwire.Links.Client;
using Tapwire.Tests.Live.Support;
using Xunit;

namespace Tapwire.Tests.Live.Driver;

/// <summary>The kernel's end of a TAP device as a station that knows nothing: busybox's DHCP client and the kernel's autoconfiguration get addresses, and curl reaches by name what is on another wire of the driver.</summary>
[Collection(LiveCollection.Name)]
public sealed class DhcpServerSpec : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("tapwire-dhcp-");
    private readonly NetworkNamespace _lan = NetworkNamespace.Create();
    private readonly NetworkNamespace _beyond = NetworkNamespace.Create();

    public void Dispose()
    {
        _lan.Dispose();
        _beyond.Dispose();
        _directory.Delete(recursive: true);
    }

    [SkippableFact]
    public async Task A_station_gets_addresses_of_both_families_and_reaches_by_name_what_is_beyond()
    {
        foreach (var program in (string[])["busybox", "curl", "python3", "dig"])
            Skip.If(_lan.TryExec("sh", "-c", $"command -v {program}").ExitCode != 0, $"there is no '{program}'");
        Skip.If(_lan.TryExec("busybox", "udhcpc", "--help").ExitCode == 127, "busybox has no udhcpc");
        var link = PathOf("link.sock");
        File.WriteAllText(PathOf("tapwire.hocon"), "tapwire.dns { search = [\"beyond.test\"], hosts { \"www.beyond.test\" = [\"198.51.100.1\", \"fd51::1\"] } }");
        var driver = TapwireProgram.Start(_lan, "up", "--config", PathOf("tapwire.hocon"), "--wire", "tap:tw0", "--address", "10.0.2.2/24", "--address", "fd00:2::2/64", "--serve", "dhcp",
            "--wire", "tap:tw1", "--address", "198.51.100.2/24", "--address", "fd51::2/64", "--masquerade", "--link", link);
        driver.WaitForLine("tapwire is up");
        // The network beyond is another host's: its device moves there. It has no route back, so what comes has the driver's address.
        _lan.Ip($"link set tw1 netns {_beyond.Name}");
        _beyond.Ip("addr add 198.51.100.1/24 dev tw1");
        _beyond.Ip("addr add fd51::1/64 dev tw1 nodad");
        _beyond.Ip("link set tw1 up");
        File.WriteAllText(PathOf("hello"), "beyond\n");
        _beyond.Start("python3", "-m", "http.server", "--bind", "::", "80", "-d", _directory.FullName);
        await LiveDriver.EventuallyAsync(() => Task.FromResult(_beyond.TryExec("curl", "-sf", "-m", "2", "http://198.51.100.1/hello").ExitCode == 0), () => "The web server does not come.");

        _lan.Sysctl("net/ipv6/conf/tw0/accept_ra", "2");
        _lan.Ip("link set tw0 up");
        File.WriteAllText(PathOf("lease"), """
            #!/bin/sh
            [ "$1" = bound ] || [ "$1" = renew ] || exit 0
            ip addr replace $ip/$mask dev $interface
            ip route replace default via $router
            echo "$1 $ip/$mask router=$router dns=$dns mtu=$mtu lease=$lease domain=$domain"
            """);
        _lan.Exec("chmod", "+x", PathOf("lease"));
        string Lease() => _lan.Exec("busybox", "udhcpc", "-i", "tw0", "-q", "-n", "-t", "20", "-T", "1", "-s", PathOf("lease"), "-x", "hostname:station");
        var lease = Lease();
        Assert.Matches(@"bound 10\.0\.2\.\d+/24 router=10\.0\.2\.2 dns=10\.0\.2\.2 mtu=1500 lease=3600 domain=beyond\.test", lease);
        // The same station, the same address.
        Assert.Equal(AddressIn(lease), AddressIn(Lease()));
        await LiveDriver.EventuallyAsync(() => Task.FromResult(_lan.Exec("ip", "-6", "addr", "show", "dev", "tw0", "scope", "global") is var shown
            && shown.Contains("inet6 fd00:2:", StringComparison.Ordinal) && !shown.Contains("tentative", StringComparison.Ordinal)), () => _lan.Exec("ip", "-6", "addr"));
        Assert.Contains("default via fe80::", _lan.Exec("ip", "-6", "route", "show", "dev", "tw0"), StringComparison.Ordinal);

        Assert.Equal("198.51.100.1\n", _lan.Exec("dig", "+short", "@10.0.2.2", "www.beyond.test"));
        Assert.Equal("fd51::1\n", _lan.Exec("dig", "+short", "+tcp", "@fd00:2::2", "www.beyond.test", "AAAA"));
        Assert.Contains("status: NOTIMP", _lan.Exec("dig", "@10.0.2.2", "www.beyond.test", "MX"), StringComparison.Ordinal);
        Assert.Contains("status: NXDOMAIN", _lan.Exec("dig", "@10.0.2.2", "nobody.invalid"), StringComparison.Ordinal);
        foreach (var family in (string[])["-4", "-6"])
        {
            var address = _lan.Exec("dig", "+short", "@10.0.2.2", "www.beyond.test", family == "-4" ? "A" : "AAAA").Trim();
            Assert.Equal("beyond\n", _lan.Exec("curl", "-sS", family, "-m", "20", "--resolve", $"www.beyond.test:80:{(family == "-4" ? address : $"[{address}]")}", "http://www.beyond.test/hello"));
        }

        using (var client = await TapwireClient.ConnectAsync(link).WaitAsync(Patience))
        {
            using var status = JsonDocument.Parse(await client.GetStatusAsync().WaitAsync(Patience));
            var served = status.RootElement.GetProperty("interfaces")[0].GetProperty("dhcpServer").GetProperty("leases");
            var only = Assert.Single(served.EnumerateArray());
            Assert.Equal((AddressIn(lease), "station"), (only.GetProperty("address").GetString(), only.GetProperty("name").GetString()));
            Assert.InRange(only.GetProperty("expiresSeconds").GetDouble(), 3000, 3600);
        }

        Assert.Contains($"served       {AddressIn(lease)} to ", TapwireProgram.Run(_lan, "status", "--link", link).Output, StringComparison.Ordinal);
        Assert.Equal(0, driver.Stop().ExitCode);
    }

    private string PathOf(string name) => Path.Combine(_directory.FullName, name);

    private static string AddressIn(string lease) => lease[lease.IndexOf("10.0.2.", StringComparison.Ordinal)..].Split('/')[0];
}
