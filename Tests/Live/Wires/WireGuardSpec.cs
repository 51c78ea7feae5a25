using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using Tapwire.Posix;
using Tapwire.Tests.Live.Support;
using Xunit;

namespace Tapwire.Tests.Live.Wires;

/// <summary>WireGuard wires beside wireguard-go and beside each other, each host in a namespace of its own.</summary>
[Collection(LiveNetworksCollection.Name)]
public sealed class WireGuardSpec : WireGuardHosts
{
    private const string Moved = "192.0.2.77";

    [SkippableFact]
    public void A_program_of_an_ordinary_user_reaches_what_is_behind_wireguard_go()
    {
        Need("curl", "python3", "setpriv");
        using var keys = MakeKeys();
        StartWireGuardGo(keys);
        FarHost.Ip("addr add 10.77.1.1/32 dev lo");
        Serve(FarHost);
        var office = Write("office.conf", keys, isNear: true, $"AllowedIPs = 10.8.0.0/24, 10.77.0.0/16\nEndpoint = {Far}:51820\n");
        Libc.chmod(Folder, 0x1ED);
        NearHost.Exec("chown", $"{Nobody}", office);
        foreach (var host in (string[])["10.8.0.1", "10.77.1.1"])
        {
            var ended = ByNobody("run", "--wire", $"wg:{office}", "--", "curl", "-sS", "-m", "20", $"http://{host}:8000/hello").WaitForExit();
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
        FarHost.Exec("ping", "-c", "3", "-i", "0.2", "-W", "20", "10.8.0.2");
        Assert.Equal("10.8.0.2:7\n", FarHost.Exec("sh", "-c", "printf '10.8.0.2:7\\n' | timeout 20 nc -N 10.8.0.2 7"));

        var wire = (await StatusAsync()).GetProperty("interfaces")[0].GetProperty("wire");
        var peer = wire.GetProperty("peers")[0];
        var shown = FarHost.Exec("wg", "show", Tunnel, "dump").Split('\n')[1].Split('\t');
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
        FarHost.Exec("ping", "-c", "2", "-i", "0.2", "-W", "20", "10.8.0.2");

        // We move, as behind a NAT that has forgotten us: the next keepalive says where we are.
        NearHost.Ip($"addr add {Moved}/24 dev eth0");
        NearHost.Ip($"addr del {Near}/24 dev eth0");
        NearHost.TryExec("ip", "addr", "add", $"{Moved}/24", "dev", "eth0");
        await LiveDriver.EventuallyAsync(() => Task.FromResult(FarHost.Exec("wg", "show", Tunnel, "endpoints").Contains(Moved, StringComparison.Ordinal)), () => "wireguard-go does not learn where we are.");
        FarHost.Exec("ping", "-c", "2", "-i", "0.2", "-W", "20", "10.8.0.2");

        // They are started again, and have forgotten the session.
        go.Kill(entireProcessTree: true);
        Assert.True(go.WaitForExit(Patience));
        await LiveDriver.EventuallyAsync(() => Task.FromResult(FarHost.TryExec("ip", "link", "show", Tunnel).ExitCode != 0), () => "The tunnel stays.");
        StartWireGuardGo(keys);
        await LiveDriver.EventuallyAsync(() => Task.FromResult(FarHost.TryExec("ping", "-c", "1", "-W", "1", "10.8.0.2").ExitCode == 0), () => "The peer is not found again.");
        driver.Stop();
    }

    [SkippableFact]
    public void Bulk_data_passes_both_ways_to_wireguard_go_and_to_ourselves()
    {
        Need("iperf3");
        using var keys = MakeKeys();
        var go = StartWireGuardGo(keys);
        var office = Write("office.conf", keys, isNear: true, $"AllowedIPs = 10.8.0.0/24\nEndpoint = {Far}:51820\n");
        FarHost.Start("iperf3", "-s");
        WaitForIperf(office);
        foreach (var reverse in (string[][])[[], ["-R"]])
            AssertMoves(office, reverse);

        go.Kill(entireProcessTree: true);
        Assert.True(go.WaitForExit(Patience));
        var other = Write("other.conf", keys, isNear: false, "AllowedIPs = 10.8.0.2/32\n", "ListenPort = 51820\n");
        TapwireProgram.Start(FarHost, "run", "--wire", $"wg:{other}", "--", "iperf3", "-s");
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
        Serve(FarHost);
        var office = Write("office.conf", keys, isNear: true, $"AllowedIPs = 10.8.0.0/24\nEndpoint = {Far}:51820\n");
        var driver = TapwireProgram.Start(NearHost, "up", "--wire", $"wg:{office}", "--masquerade", "--wire", "tap:lan", "--address", "192.168.77.1/24", "--link", LinkPath);
        driver.WaitForLine("tapwire is up");
        NearHost.Ip($"link set lan netns {lan.Name}");
        lan.Ip("addr add 192.168.77.2/24 dev lan");
        lan.Ip("link set lan up");
        lan.Ip("link set lo up");
        lan.Ip("route add default via 192.168.77.1");
        lan.Exec("ping", "-c", "2", "-i", "0.2", "-W", "20", "10.8.0.1");
        lan.Exec("ping", "-c", "1", "-s", "4000", "-W", "20", "10.8.0.1");
        Assert.Contains("office.conf", lan.Exec("curl", "-sS", "-m", "20", "http://10.8.0.1:8000/"), StringComparison.Ordinal);
        FarHost.Start("iperf3", "-s");
        // Not by a second driver with the same key, whose session would take the place of this one's.
        var patience = Stopwatch.StartNew();
        while (lan.TryExec("nc", "-z", "-w", "2", "10.8.0.1", "5201").ExitCode != 0)
            Assert.True(patience.Elapsed < Patience, "The other end does not listen.");
        foreach (var more in (string[][])[[], ["-R"]])
            lan.Exec("sh", Iperf.Arguments(["-c", "10.8.0.1", "-n", "3M", .. more]));
        driver.Stop();
    }

    [SkippableFact]
    public void A_path_that_loses_and_delays_carries_both_kinds_of_ends()
    {
        Need("iperf3");
        using var keys = MakeKeys();
        var cable = TapwireProgram.Start(NearHost, "cable", "--a", "tap:ca", "--b", "tap:cb", "--latency", "25ms", "--loss", "1%", "--seed", "7");
        cable.WaitForLine("tapwire cable is up");
        NearHost.Ip($"link set cb netns {FarHost.Name}");
        NearHost.Ip("addr add 198.51.100.1/24 dev ca");
        FarHost.Ip("addr add 198.51.100.2/24 dev cb");
        FarHost.Ip("link set cb up");
        var go = StartWireGuardGo(keys);
        var office = Write("office.conf", keys, isNear: true, "AllowedIPs = 10.8.0.0/24\nEndpoint = 198.51.100.2:51820\n");
        FarHost.Start("iperf3", "-s");
        WaitForIperf(office);
        AssertMoves(office, [], "4M");

        go.Kill(entireProcessTree: true);
        Assert.True(go.WaitForExit(Patience));
        var other = Write("other.conf", keys, isNear: false, "AllowedIPs = 10.8.0.2/32\n", "ListenPort = 51820\n");
        TapwireProgram.Start(FarHost, "run", "--wire", $"wg:{other}", "--", "iperf3", "-s");
        WaitForIperf(office);
        AssertMoves(office, ["-R"], "4M");
    }

    [SkippableFact]
    public async Task A_hangup_reads_peers_and_routes_again()
    {
        Need("ping", "curl");
        using var keys = MakeKeys();
        StartWireGuardGo(keys, "endpoint", $"{Near}:51820", "persistent-keepalive", "1");
        var stranger = NearHost.Exec("sh", "-c", "wg genkey | wg pubkey").Trim();
        var office = Write("office.conf", keys, isNear: true, "", "ListenPort = 51820\n", peerKey: stranger);
        var driver = Up(office);
        await LiveDriver.EventuallyAsync(async () => (await StatusAsync()).GetProperty("interfaces")[0].GetProperty("wire").TryGetProperty("counters", out var counters)
            && counters.TryGetProperty("DropUnknownPeer", out _), () => "The peer that is not in the file yet is not counted.");

        Write("office.conf", keys, isNear: true, $"AllowedIPs = 10.8.0.0/24, 10.55.0.0/16\nEndpoint = {Far}:51820\n", "ListenPort = 51820\n");
        driver.Signal(TapwireProgram.SIGHUP);
        await LiveDriver.EventuallyAsync(() => Task.FromResult(FarHost.TryExec("ping", "-c", "1", "-W", "1", "10.8.0.2").ExitCode == 0), () => "The new peer is not known.");
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
        var wrong = NearHost.Exec("sh", "-c", "wg genkey | wg pubkey").Trim();
        var office = Write("office.conf", keys, isNear: true, $"AllowedIPs = 10.8.0.0/24\nEndpoint = {Far}:51820\n", peerKey: wrong);
        var ended = TapwireProgram.Run(NearHost, "run", "--wire", $"wg:{office}", "--", "curl", "-sS", "-m", "8", "http://10.8.0.1:8000/");
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
        var ended = TapwireProgram.Run(NearHost, "up", "--wire", $"wg:{office}");
        Assert.Equal(2, ended.ExitCode);
        Assert.Equal($"tapwire: Others may use {office}, which has a private key in it (mode 644); run 'chmod 600 {office}'.\n", ended.Error);
    }
}
