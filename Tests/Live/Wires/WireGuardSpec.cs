using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using Tapwire.Posix;
using Tapwire.Tests.Live.Support;
using Xunit;

namespace Tapwire.Tests.Live.Wires;

/// <summary>WireGuard wires beside wireguard-go and beside each other, each host in a namespace of its own.</summary>
[Collection(LiveNetworksCollection.Name)]
public sealed class WireGuardSpec : IDisposable
{
    private const string Near = "192.0.2.1";
    private const string Far = "192.0.2.2";
    private const string Moved = "192.0.2.77";

    // The sockets by which wg finds a wireguard-go are in one directory for all namespaces, so each has a name of its own.
    private static int s_tunnels;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("tapwire-wireguard-");
    private readonly NetworkNamespace _near = NetworkNamespace.Create();
    private readonly NetworkNamespace _far = NetworkNamespace.Create();

    public WireGuardSpec()
    {
        _near.Ip($"link add eth0 type veth peer name eth0 netns {_far.Name}");
        _near.Ip($"addr add {Near}/24 dev eth0");
        _far.Ip($"addr add {Far}/24 dev eth0");
        _near.Ip("link set eth0 up");
        _far.Ip("link set eth0 up");
        File.WriteAllText(Path.Combine(_directory.FullName, "hello"), "through the tunnel\n");
    }

    private string _tunnel = "";

    private string LinkPath => Path.Combine(_directory.FullName, "link.sock");

    public void Dispose()
    {
        _near.Dispose();
        _far.Dispose();
        // One that was killed leaves its socket behind.
        foreach (var socket in Directory.Exists("/run/wireguard") ? Directory.EnumerateFiles("/run/wireguard", $"w{Environment.ProcessId}-*") : [])
            File.Delete(socket);
        _directory.Delete(recursive: true);
    }

    [SkippableFact]
    public void A_program_of_an_ordinary_user_reaches_what_is_behind_wireguard_go()
    {
        Need("curl", "python3", "setpriv");
        using var keys = MakeKeys();
        StartWireGuardGo(keys);
        _far.Ip("addr add 10.77.1.1/32 dev lo");
        Serve(_far);
        var office = Write("office.conf", keys, isNear: true, $"AllowedIPs = 10.8.0.0/24, 10.77.0.0/16\nEndpoint = {Far}:51820\n");
        Libc.chmod(_directory.FullName, 0x1ED);
        _near.Exec("chown", "65534", office);
        foreach (var host in (string[])["10.8.0.1", "10.77.1.1"])
        {
            var ended = TapwireProgram.StartBy(_near, ["setpriv", "--reuid=65534", "--clear-groups", "--bounding-set=-all", "--inh-caps=-all"],
                "run", "--wire", $"wg:{office}", "--", "curl", "-sS", "-m", "20", $"http://{host}:8000/hello").WaitForExit();
            Assert.Equal((0, "through the tunnel\n", ""), (ended.ExitCode, ended.Output, ended.Error));
        }
    }

    [SkippableFact]
    public async Task Wireguard_go_begins_and_status_shows_what_wg_show_does()
    {
        Need("curl", "ping");
        using var keys = MakeKeys();
        var office = Write("office.conf", keys, isNear: true, "AllowedIPs = 10.8.0.0/24\n", "ListenPort = 51820\n");
        var driver = Up(office);
        StartWireGuardGo(keys, $"endpoint {Near}:51820 persistent-keepalive 1".Split(' '));
        _far.Exec("ping", "-c", "3", "-i", "0.2", "-W", "20", "10.8.0.2");
        Assert.Equal("10.8.0.2:7\n", _far.Exec("sh", "-c", "printf '10.8.0.2:7\\n' | timeout 20 nc -N 10.8.0.2 7"));

        var wire = (await StatusAsync()).GetProperty("interfaces")[0].GetProperty("wire");
        var peer = wire.GetProperty("peers")[0];
        var shown = _far.Exec("wg", "show", _tunnel, "dump").Split('\n')[1].Split('\t');
        Assert.Equal(keys.FarPublic, peer.GetProperty("publicKey").GetString());
        Assert.StartsWith($"{Far}:", peer.GetProperty("endpoint").GetString(), StringComparison.Ordinal);
        Assert.InRange(peer.GetProperty("latestHandshakeSeconds").GetDouble(), 0, 60);
        Assert.InRange(peer.GetProperty("bytesReceived").GetInt64(), 500, long.Parse(shown[6], CultureInfo.InvariantCulture) + 5000);
        Assert.Equal(0, driver.Stop().ExitCode);
    }

    [SkippableFact]
    public async Task Peers_that_move_and_peers_that_are_started_again_go_on()
    {
        Need("ping");
        using var keys = MakeKeys();
        var office = Write("office.conf", keys, isNear: true, $"AllowedIPs = 10.8.0.0/24\nEndpoint = {Far}:51820\nPersistentKeepalive = 1\n");
        var driver = Up(office);
        var go = StartWireGuardGo(keys);
        _far.Exec("ping", "-c", "2", "-i", "0.2", "-W", "20", "10.8.0.2");

        // We move, as behind a NAT that has forgotten us: the next keepalive says where we are.
        _near.Ip($"addr add {Moved}/24 dev eth0");
        _near.Ip($"addr del {Near}/24 dev eth0");
        _near.TryExec("ip", "addr", "add", $"{Moved}/24", "dev", "eth0");
        await LiveDriver.EventuallyAsync(() => Task.FromResult(_far.Exec("wg", "show", _tunnel, "endpoints").Contains(Moved, StringComparison.Ordinal)), () => "wireguard-go does not learn where we are.");
        _far.Exec("ping", "-c", "2", "-i", "0.2", "-W", "20", "10.8.0.2");

        // They are started again, and have forgotten the session.
        go.Kill(entireProcessTree: true);
        Assert.True(go.WaitForExit(Patience));
        await LiveDriver.EventuallyAsync(() => Task.FromResult(_far.TryExec("ip", "link", "show", _tunnel).ExitCode != 0), () => "The tunnel stays.");
        StartWireGuardGo(keys);
        await LiveDriver.EventuallyAsync(() => Task.FromResult(_far.TryExec("ping", "-c", "1", "-W", "1", "10.8.0.2").ExitCode == 0), () => "The peer is not found again.");
        driver.Stop();
    }

    [SkippableFact]
    public void Bulk_data_passes_both_ways_to_wireguard_go_and_to_ourselves()
    {
        Need("iperf3");
        using var keys = MakeKeys();
        var go = StartWireGuardGo(keys);
        var office = Write("office.conf", keys, isNear: true, $"AllowedIPs = 10.8.0.0/24\nEndpoint = {Far}:51820\n");
        _far.Start("iperf3", "-s");
        WaitForIperf(office);
        foreach (var reverse in (string[][])[[], ["-R"]])
            AssertMoves(office, reverse);

        go.Kill(entireProcessTree: true);
        Assert.True(go.WaitForExit(Patience));
        var other = Write("other.conf", keys, isNear: false, "AllowedIPs = 10.8.0.2/32\n", "ListenPort = 51820\n");
        TapwireProgram.Start(_far, "run", "--wire", $"wg:{other}", "--", "iperf3", "-s");
        WaitForIperf(office);
        foreach (var reverse in (string[][])[[], ["-R"]])
            AssertMoves(office, reverse);
    }

    /// <summary>A subnet router: hosts on the TAP reach the WireGuard network, which knows the router's address only.</summary>
    [SkippableFact]
    public void A_network_behind_the_driver_reaches_the_peer_through_its_address()
    {
        Need("iperf3", "curl", "python3");
        using var keys = MakeKeys();
        using var lan = NetworkNamespace.Create();
        StartWireGuardGo(keys);
        Serve(_far);
        var office = Write("office.conf", keys, isNear: true, $"AllowedIPs = 10.8.0.0/24\nEndpoint = {Far}:51820\n");
        var driver = TapwireProgram.Start(_near, "up", "--wire", $"wg:{office}", "--masquerade", "--wire", "tap:lan", "--address", "192.168.77.1/24", "--link", LinkPath);
        driver.WaitForLine("tapwire is up");
        _near.Ip($"link set lan netns {lan.Name}");
        lan.Ip("addr add 192.168.77.2/24 dev lan");
        lan.Ip("link set lan up");
        lan.Ip("link set lo up");
        lan.Ip("route add default via 192.168.77.1");
        lan.Exec("ping", "-c", "2", "-i", "0.2", "-W", "20", "10.8.0.1");
        lan.Exec("ping", "-c", "1", "-s", "4000", "-W", "20", "10.8.0.1");
        Assert.Contains("office.conf", lan.Exec("curl", "-sS", "-m", "20", "http://10.8.0.1:8000/"), StringComparison.Ordinal);
        _far.Start("iperf3", "-s");
        // Not by a second driver with the same key, whose session would take the place of this one's.
        var patience = Stopwatch.StartNew();
        while (lan.TryExec("nc", "-z", "-w", "2", "10.8.0.1", "5201").ExitCode != 0)
            Assert.True(patience.Elapsed < Patience, "The other end does not listen.");
        foreach (var more in (string[][])[[], ["-R"]])
            lan.Exec("iperf3", ["-c", "10.8.0.1", "-n", "3M", .. more]);
        driver.Stop();
    }

    [SkippableFact]
    public void A_path_that_loses_and_delays_carries_both_kinds_of_ends()
    {
        Need("iperf3");
        using var keys = MakeKeys();
        var cable = TapwireProgram.Start(_near, "cable", "--a", "tap:ca", "--b", "tap:cb", "--latency", "25ms", "--loss", "1%", "--seed", "7");
        cable.WaitForLine("tapwire cable is up");
        _near.Ip($"link set cb netns {_far.Name}");
        _near.Ip("addr add 198.51.100.1/24 dev ca");
        _far.Ip("addr add 198.51.100.2/24 dev cb");
        _far.Ip("link set cb up");
        var go = StartWireGuardGo(keys);
        var office = Write("office.conf", keys, isNear: true, "AllowedIPs = 10.8.0.0/24\nEndpoint = 198.51.100.2:51820\n");
        _far.Start("iperf3", "-s");
        WaitForIperf(office);
        AssertMoves(office, [], "4M");

        go.Kill(entireProcessTree: true);
        Assert.True(go.WaitForExit(Patience));
        var other = Write("other.conf", keys, isNear: false, "AllowedIPs = 10.8.0.2/32\n", "ListenPort = 51820\n");
        TapwireProgram.Start(_far, "run", "--wire", $"wg:{other}", "--", "iperf3", "-s");
        WaitForIperf(office);
        AssertMoves(office, ["-R"], "4M");
    }

    [SkippableFact]
    public async Task A_hangup_reads_peers_and_routes_again()
    {
        Need("ping", "curl");
        using var keys = MakeKeys();
        StartWireGuardGo(keys, "endpoint", $"{Near}:51820", "persistent-keepalive", "1");
        var stranger = _near.Exec("sh", "-c", "wg genkey | wg pubkey").Trim();
        var office = Write("office.conf", keys, isNear: true, "", "ListenPort = 51820\n", peerKey: stranger);
        var driver = Up(office);
        await LiveDriver.EventuallyAsync(async () => (await StatusAsync()).GetProperty("interfaces")[0].GetProperty("wire").TryGetProperty("counters", out var counters)
            && counters.TryGetProperty("DropUnknownPeer", out _), () => "The peer that is not in the file yet is not counted.");

        Write("office.conf", keys, isNear: true, $"AllowedIPs = 10.8.0.0/24, 10.55.0.0/16\nEndpoint = {Far}:51820\n", "ListenPort = 51820\n");
        driver.Signal(TapwireProgram.SIGHUP);
        await LiveDriver.EventuallyAsync(() => Task.FromResult(_far.TryExec("ping", "-c", "1", "-W", "1", "10.8.0.2").ExitCode == 0), () => "The new peer is not known.");
        var status = (await StatusAsync()).GetProperty("interfaces")[0];
        Assert.Equal(keys.FarPublic, Assert.Single(status.GetProperty("wire").GetProperty("peers").EnumerateArray()).GetProperty("publicKey").GetString());
        Assert.Contains(status.GetProperty("routes").EnumerateArray(), static route => route.GetProperty("destination").GetString() == "10.55.0.0/16");
        driver.Stop();
    }

    [SkippableFact]
    public void A_wrong_key_is_said_when_the_program_cannot_connect()
    {
        Need("curl");
        using var keys = MakeKeys();
        StartWireGuardGo(keys);
        var wrong = _near.Exec("sh", "-c", "wg genkey | wg pubkey").Trim();
        var office = Write("office.conf", keys, isNear: true, $"AllowedIPs = 10.8.0.0/24\nEndpoint = {Far}:51820\n", peerKey: wrong);
        var ended = TapwireProgram.Run(_near, "run", "--wire", $"wg:{office}", "--", "curl", "-sS", "-m", "8", "http://10.8.0.1:8000/");
        Assert.Equal(28, ended.ExitCode);
        Assert.Contains($"The WireGuard peer {wrong} at {Far}:51820 has not answered for", ended.Error, StringComparison.Ordinal);
    }

    [SkippableFact]
    public void A_file_that_others_may_read_is_refused_in_one_line()
    {
        Need("wg");
        using var keys = MakeKeys();
        var office = Write("office.conf", keys, isNear: true, "");
        Libc.chmod(office, 0x1A4);
        var ended = TapwireProgram.Run(_near, "up", "--wire", $"wg:{office}");
        Assert.Equal(2, ended.ExitCode);
        Assert.Equal($"tapwire: Others may use {office}, which has a private key in it (mode 644); run 'chmod 600 {office}'.\n", ended.Error);
    }

    private void Need(params string[] programs)
    {
        foreach (var program in (string[])["wireguard-go", "wg", "nc", .. programs])
            Skip.If(_near.TryExec("sh", "-c", $"command -v {program}").ExitCode != 0, $"there is no '{program}'");
    }

    private TapwireProgram Up(string office)
    {
        var driver = TapwireProgram.Start(_near, "up", "--wire", $"wg:{office}", "--serve", "echo:7", "--link", LinkPath);
        Assert.Contains($"10.8.0.2/24 on wg:{office}", driver.WaitForLine("tapwire is up"), StringComparison.Ordinal);
        return driver;
    }

    private async Task<JsonElement> StatusAsync() => JsonDocument.Parse(await Task.Run(() => TapwireProgram.Run(_near, "status", "--json", "--link", LinkPath).Output)).RootElement;

    private void WaitForIperf(string office)
    {
        var patience = Stopwatch.StartNew();
        while (TapwireProgram.Run(_near, "run", "--wire", $"wg:{office}", "--", "nc", "-z", "-w", "2", "10.8.0.1", "5201").ExitCode != 0)
            Assert.True(patience.Elapsed < Patience, "The other end does not listen.");
    }

    private void AssertMoves(string office, string[] reverse, string bytes = "30M")
    {
        var ended = TapwireProgram.Run(_near, ["run", "--wire", $"wg:{office}", "--", "iperf3", "-c", "10.8.0.1", "-n", bytes, "-J", .. reverse]);
        Assert.True(ended.ExitCode == 0, ended.Output + ended.Error);
        // What stands in the server's queue when the client has read its share is not counted, so that a slow server's sum is smaller.
        var received = JsonDocument.Parse(ended.Output).RootElement.GetProperty("end").GetProperty("sum_received").GetProperty("bytes").GetInt64();
        Assert.InRange(received, 1L << 20, long.MaxValue);
    }

    private void Serve(NetworkNamespace network)
    {
        network.Start("python3", "-m", "http.server", "8000", "-d", _directory.FullName);
        var patience = Stopwatch.StartNew();
        while (network.TryExec("nc", "-z", "-w", "1", "127.0.0.1", "8000").ExitCode != 0)
            Assert.True(patience.Elapsed < Patience, "The web server does not come.");
    }

    private Process StartWireGuardGo(Keys keys, params string[] options)
    {
        _tunnel = string.Create(CultureInfo.InvariantCulture, $"w{Environment.ProcessId}-{Interlocked.Increment(ref s_tunnels)}");
        var process = _far.Start("wireguard-go", "-f", _tunnel);
        var patience = Stopwatch.StartNew();
        while (_far.TryExec("wg", "show", _tunnel).ExitCode != 0)
            Assert.True(patience.Elapsed < Patience, "wireguard-go does not come up.");
        _far.Exec("wg", ["set", _tunnel, "listen-port", "51820", "private-key", keys.FarPrivateFile, "peer", keys.NearPublic, "preshared-key", keys.PresharedFile, "allowed-ips", "10.8.0.2/32", .. options]);
        _far.Ip($"addr add 10.8.0.1/24 dev {_tunnel}");
        _far.Ip($"link set {_tunnel} mtu 1420 up");
        return process;
    }

    private string Write(string name, Keys keys, bool isNear, string peer, string own = "", string? peerKey = null)
    {
        var path = Path.Combine(_directory.FullName, name);
        File.WriteAllText(path, $"""
            [Interface]
            PrivateKey = {File.ReadAllText(isNear ? keys.NearPrivateFile : keys.FarPrivateFile).Trim()}
            Address = {(isNear ? "10.8.0.2/24" : "10.8.0.1/24")}
            {own}
            [Peer]
            PublicKey = {peerKey ?? (isNear ? keys.FarPublic : keys.NearPublic)}
            PresharedKey = {File.ReadAllText(keys.PresharedFile).Trim()}
            {peer}
            """);
        Libc.chmod(path, 0x180);
        return path;
    }

    private Keys MakeKeys()
    {
        string Make(string name, string command)
        {
            var path = Path.Combine(_directory.FullName, name);
            File.WriteAllText(path, _near.Exec("wg", command));
            Libc.chmod(path, 0x180);
            return path;
        }

        var (near, far) = (Make("near.key", "genkey"), Make("far.key", "genkey"));
        return new Keys(near, far, Make("psk", "genpsk"), PublicOf(near), PublicOf(far));
    }

    private string PublicOf(string file) => _near.Exec("sh", "-c", $"wg pubkey < {file}").Trim();

    /// <summary>The keys of both ends, in files of the spec's directory.</summary>
    private sealed record Keys(string NearPrivateFile, string FarPrivateFile, string PresharedFile, string NearPublic, string FarPublic) : IDisposable
    {
        public void Dispose()
        {
            File.Delete(NearPrivateFile);
            File.Delete(FarPrivateFile);
        }
    }
}
