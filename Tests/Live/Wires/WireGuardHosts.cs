using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using Tapwire.Posix;
using Tapwire.Tests.Live.Support;
using Xunit;

namespace Tapwire.Tests.Live.Wires;

/// <summary>Two hosts, near (ours) and far, each in a namespace of its own, with keys and configuration files for a tunnel between them.</summary>
public abstract class WireGuardHosts : IDisposable
{
    private protected const string Near = "192.0.2.1";
    private protected const string Far = "192.0.2.2";

    /// <summary>The user's number.</summary>
    private protected const int Nobody = 65534;

    // The sockets by which wg finds a wireguard-go are in one directory for all namespaces, so each has a name of its own.
    private static int s_tunnels;

    private protected static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private protected WireGuardHosts()
    {
        NearHost.Ip($"link add eth0 type veth peer name eth0 netns {FarHost.Name}");
        NearHost.Ip($"addr add {Near}/24 dev eth0");
        FarHost.Ip($"addr add {Far}/24 dev eth0");
        NearHost.Ip("link set eth0 up");
        FarHost.Ip("link set eth0 up");
        File.WriteAllText(Path.Combine(Folder, "hello"), "through the tunnel\n");
    }

    private protected NetworkNamespace NearHost { get; } = NetworkNamespace.Create();

    private protected NetworkNamespace FarHost { get; } = NetworkNamespace.Create();

    /// <summary>Of the spec; its file <c>hello</c> is there to be fetched.</summary>
    private protected string Folder { get; } = Directory.CreateTempSubdirectory("tapwire-wireguard-").FullName;

    /// <summary>The far end's device while wireguard-go is that.</summary>
    private protected string Tunnel { get; private set; } = "";

    private protected string LinkPath => Path.Combine(Folder, "link.sock");

    public void Dispose()
    {
        NearHost.Dispose();
        FarHost.Dispose();
        // One that was killed leaves its socket behind.
        foreach (var socket in Directory.Exists("/run/wireguard") ? Directory.EnumerateFiles("/run/wireguard", $"w{Environment.ProcessId}-*") : [])
            File.Delete(socket);
        Directory.Delete(Folder, recursive: true);
        GC.SuppressFinalize(this);
    }

    private protected void Need(params string[] programs)
    {
        foreach (var program in (string[])["wireguard-go", "wg", "nc", .. programs])
            Skip.If(NearHost.TryExec("sh", "-c", $"command -v {program}").ExitCode != 0, $"there is no '{program}'");
    }

    private protected TapwireProgram Up(string office)
    {
        var driver = TapwireProgram.Start(NearHost, "up", "--wire", $"wg:{office}", "--serve", "echo:7", "--link", LinkPath);
        Assert.Contains("10.8.0.2/24", driver.WaitForLine("tapwire is up"), StringComparison.Ordinal);
        return driver;
    }

    private protected async Task<JsonElement> StatusAsync() => JsonDocument.Parse(await Task.Run(() => TapwireProgram.Run(NearHost, "status", "--json", "--link", LinkPath).Output)).RootElement;

    private protected void WaitForIperf(string office)
    {
        var patience = Stopwatch.StartNew();
        while (TapwireProgram.Run(NearHost, "run", "--wire", $"wg:{office}", "--", "nc", "-z", "-w", "2", "10.8.0.1", "5201").ExitCode != 0)
            Assert.True(patience.Elapsed < Patience, "The other end does not listen.");
    }

    private protected void AssertMoves(string office, string[] reverse, string bytes = "30M")
    {
        var ended = TapwireProgram.Run(NearHost, ["run", "--wire", $"wg:{office}", "--", "sh", .. Iperf.Arguments(["-c", "10.8.0.1", "-n", bytes, "-J", .. reverse])]);
        Assert.True(ended.ExitCode == 0, ended.Output + ended.Error);
        // What stands in the server's queue when the client has read its share is not counted, so that a slow server's sum is smaller.
        var received = JsonDocument.Parse(ended.Output).RootElement.GetProperty("end").GetProperty("sum_received").GetProperty("bytes").GetInt64();
        Assert.InRange(received, 1L << 20, long.MaxValue);
    }

    private protected void Serve(NetworkNamespace network)
    {
        network.Start("python3", "-m", "http.server", "8000", "--bind", "::", "-d", Folder);
        WaitForPort(network, "8000");
    }

    private protected static void WaitForPort(NetworkNamespace network, string port)
    {
        var patience = Stopwatch.StartNew();
        while (network.TryExec("ss", "-Hlnt", $"sport = :{port}").Output.Length == 0)
            Assert.True(patience.Elapsed < Patience, $"Nobody listens at port {port}.");
    }

    /// <summary>Starts tapwire on the near host as a user without any capability.</summary>
    private protected TapwireProgram ByNobody(params string[] arguments) =>
        TapwireProgram.StartBy(NearHost, ["setpriv", $"--reuid={Nobody}", "--clear-groups", "--bounding-set=-all", "--inh-caps=-all"], arguments);

    private protected Process StartWireGuardGo(Keys keys, params string[] options)
    {
        Tunnel = string.Create(CultureInfo.InvariantCulture, $"w{Environment.ProcessId}-{Interlocked.Increment(ref s_tunnels)}");
        var process = FarHost.Start("wireguard-go", "-f", Tunnel);
        var patience = Stopwatch.StartNew();
        while (FarHost.TryExec("wg", "show", Tunnel).ExitCode != 0)
            Assert.True(patience.Elapsed < Patience, "wireguard-go does not come up.");
        FarHost.Exec("wg", ["set", Tunnel, "listen-port", "51820", "private-key", keys.FarPrivateFile, "peer", keys.NearPublic, "preshared-key", keys.PresharedFile, "allowed-ips", "10.8.0.2/32,fd08::2/128", .. options]);
        FarHost.Ip($"addr add 10.8.0.1/24 dev {Tunnel}");
        FarHost.Ip($"addr add fd08::1/64 dev {Tunnel} nodad");
        FarHost.Ip($"link set {Tunnel} mtu 1420 up");
        return process;
    }

    private protected string Write(string name, Keys keys, bool isNear, string peer, string own = "", string? peerKey = null)
    {
        var path = Path.Combine(Folder, name);
        File.WriteAllText(path, $"""
            [Interface]
            PrivateKey = {File.ReadAllText(isNear ? keys.NearPrivateFile : keys.FarPrivateFile).Trim()}
            Address = {(isNear ? "10.8.0.2/24, fd08::2/64" : "10.8.0.1/24, fd08::1/64")}
            {own}
            [Peer]
            PublicKey = {peerKey ?? (isNear ? keys.FarPublic : keys.NearPublic)}
            PresharedKey = {File.ReadAllText(keys.PresharedFile).Trim()}
            {peer}
            """);
        Libc.chmod(path, 0x180);
        return path;
    }

    private protected Keys MakeKeys()
    {
        string Make(string name, string command)
        {
            var path = Path.Combine(Folder, name);
            File.WriteAllText(path, NearHost.Exec("wg", command));
            Libc.chmod(path, 0x180);
            return path;
        }

        var (near, far) = (Make("near.key", "genkey"), Make("far.key", "genkey"));
        return new Keys(near, far, Make("psk", "genpsk"), PublicOf(near), PublicOf(far));
    }

    private string PublicOf(string file) => NearHost.Exec("sh", "-c", $"wg pubkey < {file}").Trim();

    /// <summary>The keys of both ends, in files of the spec's directory.</summary>
    private protected sealed record Keys(string NearPrivateFile, string FarPrivateFile, string PresharedFile, string NearPublic, string FarPublic) : IDisposable
    {
        public void Dispose()
        {
            File.Delete(NearPrivateFile);
            File.Delete(FarPrivateFile);
        }
    }
}
