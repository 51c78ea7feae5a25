using System.Runtime.Versioning;
using System.Security.Cryptography;
using Tapwire.Posix;
using Tapwire.Tests.Live.Support;
using Xunit;

namespace Tapwire.Tests.Live.Wires;

/// <summary>Unmodified programs of a user without any capability, with a wireguard-go at the other end: what they do every day, over both families, as clients and as servers, and while an end moves.</summary>
[Collection(LiveNetworksCollection.Name)]
[SupportedOSPlatform("linux")]
public sealed class WireGuardUserSpec : WireGuardHosts
{
    private static readonly (string Family, string Far, string Near, string Record)[] s_families = [("-4", "10.8.0.1", "10.8.0.2", "A"), ("-6", "fd08::1", "fd08::2", "AAAA")];

    [SkippableFact]
    public async Task Curl_iperf3_ssh_and_dig_of_an_ordinary_user_work_over_both_families()
    {
        Need("curl", "iperf3", "ssh", "sshd", "ssh-keygen", "dig", "dnsmasq", "setpriv", "python3");
        using var keys = MakeKeys();
        StartWireGuardGo(keys);
        ServeAll(FarHost);
        var key = await StartSshAsync();
        var office = Own("office.conf", keys, $"AllowedIPs = 10.8.0.0/24, fd08::/64\nEndpoint = {Far}:51820\n");
        foreach (var (family, far, _, record) in s_families)
        {
            var host = far.Contains(':') ? $"[{far}]" : far;
            var ended = ByNobody("run", "--wire", $"wg:{office}", "--", "sh", "-ec", $"""
                {Iperf.Function}
                curl -sS -m 20 http://{host}:8000/hello
                iperf {family} -c {far} -n 3M >/dev/null
                iperf {family} -c {far} -n 3M -R >/dev/null
                ssh {string.Join(' ', SshServer.ClientOptions(key, 2222))} root@{far} 'echo $SSH_CONNECTION' | cut -d ' ' -f 3
                dig +short @{far} -p 5300 name.test {record}
                dig +tcp +short @{far} -p 5300 name.test {record}
                """).WaitForExit();
            var address = record == "A" ? "192.0.2.99" : "2001:db8::99";
            Assert.Equal((0, $"through the tunnel\n{far}\n{address}\n{address}\n", ""), (ended.ExitCode, ended.Output, ended.Error));
        }
    }

    [SkippableFact]
    public async Task Servers_of_an_ordinary_user_are_reached_by_the_peer_that_begins_over_both_families()
    {
        Need("curl", "iperf3", "dig", "dnsmasq", "setpriv", "python3");
        using var keys = MakeKeys();
        var office = Own("office.conf", keys, "AllowedIPs = 10.8.0.0/24, fd08::/64\n", "ListenPort = 51820\n");
        var servers = ByNobody("run", "--wire", $"wg:{office}", "--", "sh", "-c",
            $$"""
            iperf3 -s >/dev/null & iperf=$!
            python3 -m http.server 8000 --bind :: -d {{Folder}} >/dev/null 2>&1 & web=$!
            {{DnsMasq("nobody", "--bind-interfaces --listen-address=10.8.0.2 --listen-address=fd08::2")}} & dns=$!
            trap "kill $iperf $web $dns" TERM
            wait
            """);
        StartWireGuardGo(keys, $"endpoint {Near}:51820".Split(' '));
        foreach (var (family, _, near, record) in s_families)
        {
            foreach (var port in (string[])["8000", "5201", "5300"])
                await LiveDriver.EventuallyAsync(() => Task.FromResult(FarHost.TryExec("nc", "-z", "-w", "2", near, port).ExitCode == 0), () => $"Nobody answers at port {port} of {near}.");
            Assert.Equal("through the tunnel\n", FarHost.Exec("curl", "-sS", "-m", "20", $"http://{(near.Contains(':') ? $"[{near}]" : near)}:8000/hello"));
            foreach (var way in (string[][])[[], ["-R"]])
                FarHost.Exec("sh", Iperf.Arguments([family, "-c", near, "-n", "3M", .. way]));
            foreach (var transport in (string[])["+notcp", "+tcp"])
                Assert.Equal(record == "A" ? "192.0.2.99\n" : "2001:db8::99\n", FarHost.Exec("dig", transport, "+short", $"@{near}", "-p", "5300", "name.test", record));
        }

        servers.Stop();
    }

    [SkippableTheory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_transfer_goes_on_while_an_end_moves(bool farMoves)
    {
        Need("curl", "python3", "setpriv");
        using var keys = MakeKeys();
        var bytes = RandomNumberGenerator.GetBytes(24 << 20);
        await File.WriteAllBytesAsync(Path.Combine(Folder, "big"), bytes);
        if (farMoves)
        {
            // wireguard-go keeps to a source address that its host has lost, so the end that moves is ours.
            var other = Write("other.conf", keys, isNear: false, "AllowedIPs = 10.8.0.2/32\n", "ListenPort = 51820\n");
            TapwireProgram.Start(FarHost, "run", "--wire", $"wg:{other}", "--", "python3", "-m", "http.server", "8000", "--bind", "::", "-d", Folder);
        }
        else
        {
            StartWireGuardGo(keys);
            Serve(FarHost);
        }

        var office = Own("office.conf", keys, $"AllowedIPs = 10.8.0.0/24\nEndpoint = {Far}:51820\nPersistentKeepalive = 1\n");
        var copy = Path.Combine(Folder, "copy");
        await File.WriteAllBytesAsync(copy, []);
        Libc.chmod(copy, 0x1B6);
        var transfer = ByNobody("run", "--wire", $"wg:{office}", "--", "curl", "-s", "-m", "50", "--retry", "20", "--retry-delay", "1", "--retry-connrefused", "--limit-rate", "4M", "-o", copy, "http://10.8.0.1:8000/big");
        var host = farMoves ? FarHost : NearHost;
        var old = farMoves ? Far : Near;
        var moves = 0;
        for (; moves < 3; moves++)
        {
            var part = (moves + 1) * bytes.Length / 5;
            await LiveDriver.EventuallyAsync(() => Task.FromResult(new FileInfo(copy).Length >= part), () => $"The transfer stands still at {new FileInfo(copy).Length} bytes after {moves} moves.");
            Assert.False(transfer.HasEnded, "The transfer has ended before the move.");
            var next = $"192.0.2.{77 + moves}";
            host.Ip($"addr add {next}/24 dev eth0");
            host.Ip($"addr del {old}/24 dev eth0");
            // The kernel takes an address's younger brothers away with it.
            host.TryExec("ip", "addr", "add", $"{next}/24", "dev", "eth0");
            old = next;
        }

        var ended = transfer.WaitForExit();
        Assert.Equal((0, "", ""), (ended.ExitCode, ended.Output, ended.Error));
        Assert.Equal(SHA256.HashData(bytes), SHA256.HashData(await File.ReadAllBytesAsync(copy)));
    }

    private static string DnsMasq(string user, string more = "") =>
        $"PATH=$PATH:/usr/sbin exec dnsmasq {more} --keep-in-foreground --conf-file=/dev/null --no-resolv --no-hosts --user={user} --port=5300 --pid-file= --log-facility=- --address=/name.test/192.0.2.99 --address=/name.test/2001:db8::99";

    private void ServeAll(NetworkNamespace network)
    {
        Serve(network);
        network.Start("iperf3", "-s");
        network.Start("sh", "-c", DnsMasq("root"));
        foreach (var port in (string[])["5201", "5300"])
            WaitForPort(network, port);
    }

    /// <summary>Starts sshd at the far end, and returns the file of the key that opens it, which is nobody's.</summary>
    private async Task<string> StartSshAsync()
    {
        var key = SshServer.Start(FarHost, Folder, 2222);
        FarHost.Exec("chown", $"{Nobody}", key);
        await Task.Run(() => WaitForPort(FarHost, "2222"));
        return key;
    }

    /// <summary>Writes a configuration file that is nobody's, in a folder that it may enter.</summary>
    private string Own(string name, Keys keys, string peer, string own = "")
    {
        var path = Write(name, keys, isNear: true, peer, own);
        Libc.chmod(Folder, 0x1ED);
        NearHost.Exec("chown", $"{Nobody}", path);
        return path;
    }
}
