using Tapwire.Tests.Live.Support;

namespace Tapwire.Bench.EndToEnd.Contestants;

/// <summary>A WireGuard tunnel between the clients' namespace and another one, over a veth pair of 1,500 bytes; both ends are of one kind.</summary>
internal abstract class WireGuardTunnel(string name, string title, Role role) : Contestant(name, title, role, superFrames: false)
{
    protected const string FarUnderlay = "192.0.2.2";

    private const string NearUnderlay = "192.0.2.1";
    private const string FarDevice = "tw1";

    /// <summary>The keys of both ends, in files of <see cref="Contestant.NewDirectory"/>.</summary>
    protected sealed record Keys(string NearFile, string FarFile, string NearPublic, string FarPublic);

    protected NetworkNamespace Underlay(out Keys keys)
    {
        Programs.Require("wg", "wireguard-tools");
        var far = NewNetwork();
        Near.Ip($"link add {Device} type veth peer name {FarDevice} netns {far.Name}");
        Near.Ip($"addr add {NearUnderlay}/24 dev {Device}");
        far.Ip($"addr add {FarUnderlay}/24 dev {FarDevice}");
        Near.Ip($"link set {Device} up");
        far.Ip($"link set {FarDevice} up");
        var directory = NewDirectory();
        var (nearFile, farFile) = (Path.Combine(directory, "near"), Path.Combine(directory, "far"));
        keys = new Keys(nearFile, farFile, MakeKey(nearFile), MakeKey(farFile));
        return far;
    }

    private string MakeKey(string file) => Near.Exec("sh", "-c", $"umask 077; wg genkey | tee {file} | wg pubkey").Trim();
}

/// <summary>wireguard-go at both ends, with the kernel's TCP.</summary>
internal sealed class WireGuardGo() : WireGuardTunnel("wireguard-go", "kernel over wireguard-go", Role.Peer)
{
    protected override int Launch()
    {
        Programs.Require("wireguard-go", "wireguard-go");
        var far = Underlay(out var keys);
        // The sockets by which wg finds them are in one directory for all namespaces.
        Begin($"n{Environment.ProcessId}", Near, keys.NearFile, keys.FarPublic, $"{KernelAddress}/24", ["endpoint", $"{FarUnderlay}:51820"], StackAddress);
        var process = Begin($"f{Environment.ProcessId}", far, keys.FarFile, keys.NearPublic, $"{StackAddress}/24", [], KernelAddress);
        Start(far, Programs.KernelServer);
        return process;
    }

    private int Begin(string tunnel, NetworkNamespace network, string key, string peer, string address, string[] endpoint, string allowed)
    {
        var process = Start(network, "wireguard-go", "-f", tunnel);
        for (var tries = 0; network.TryExec("wg", "show", tunnel).ExitCode != 0; tries++)
        {
            if (tries == 100)
                throw new InvalidOperationException("wireguard-go has not made its device");
            Thread.Sleep(100);
        }

        network.Exec("wg", ["set", tunnel, "listen-port", "51820", "private-key", key, "peer", peer, "allowed-ips", $"{allowed}/32", .. endpoint]);
        network.Ip($"addr add {address} dev {tunnel}");
        network.Ip($"link set {tunnel} mtu 1420 up");
        return process;
    }
}

/// <summary>Tapwire at both ends, with services in the far driver.</summary>
internal abstract class TapwireTunnel(string name, string title, string settings) : WireGuardTunnel(name, title, Role.Ours)
{
    /// <summary>The near end's WireGuard configuration.</summary>
    protected string NearFile { get; private set; } = "";

    protected string SettingsFile { get; private set; } = "";

    protected override int Launch()
    {
        var far = Underlay(out var keys);
        var directory = NewDirectory();
        SettingsFile = Path.Combine(directory, "bench.hocon");
        File.WriteAllText(SettingsFile, settings);
        NearFile = Write(directory, "near.conf", keys.NearFile, keys.FarPublic, KernelAddress, StackAddress, "", $"Endpoint = {FarUnderlay}:51820");
        var server = StartTapwire(far, ["up", "--wire", $"wg:{Write(directory, "far.conf", keys.FarFile, keys.NearPublic, StackAddress, KernelAddress, "ListenPort = 51820", "")}",
            "--link", "off", "--config", SettingsFile, "--serve", $"echo:{ClientMeasurement.Echo},discard:{ClientMeasurement.Discard},source:{ClientMeasurement.Source}"]);
        server.WaitForLine("tapwire is up");
        return server.Pid;
    }

    private string Write(string directory, string name, string key, string peer, string address, string allowed, string own, string endpoint)
    {
        var path = Path.Combine(directory, name);
        File.WriteAllText(path, $"[Interface]\nPrivateKey = {File.ReadAllText(key).Trim()}\nAddress = {address}/24\n{own}\n[Peer]\nPublicKey = {peer}\nAllowedIPs = {allowed}/32\n{endpoint}\n");
        Near.Exec("chmod", "0600", path);
        return path;
    }
}

/// <summary>Clients under <c>tapwire run</c> on the near driver.</summary>
internal sealed class TapwireWireGuard(string settings) : TapwireTunnel("tapwire-wg", "Tapwire over WireGuard", settings)
{
    private string _link = "";

    public override CommandResult RunNear(string program, params string[] arguments) =>
        base.RunNear(TapwireProgram.Host, ["exec", TapwireProgram.Assembly, "run", "--link", _link, "--", program, .. arguments]);

    protected override int Launch()
    {
        var server = base.Launch();
        _link = Path.Combine(NewDirectory(), "link.sock");
        var client = StartTapwire(Near, ["up", "--wire", $"wg:{NearFile}", "--link", _link, "--config", SettingsFile]);
        client.WaitForLine("tapwire is up");
        return server;
    }
}

/// <summary>A client that has the near driver in its own process.</summary>
internal sealed class TapwireWireGuardInProcess(string settings) : TapwireTunnel("tapwire-wg-process", "Tapwire over WireGuard, in process", settings)
{
    protected override IReadOnlyList<string> Probe => ["true"];

    public override bool Serves(string measurement) => measurement == "echo";

    public override CommandResult RunClient(params string[] arguments) =>
        RunNear(TapwireProgram.Host, ["exec", Programs.InProcessClient, arguments[0], $"wg:{NearFile}", .. arguments[1..]]);
}
